"""Which files are likely to change next that are no source code, and so have no definitions to be told apart.

They are those that usually change together with what has changed so far: the question of ``forgotten``, asked earlier.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from codewm_lsp.hints.change_texts import NO_TEXTS, KnownTexts, changed_texts, consider
from codewm_lsp.hints.forgotten import ENOUGH, reason_of
from codewm_lsp.history import Edit, Repository
from codewm_lsp.history.change_at_hand import Blobs, ChangeAtHand
from codewm_lsp.history.changed_files import MOST_FILES, FileEvent
from codewm_lsp.index.file_history import file_history
from codewm_lsp.ranking.companions import FilePast
from codewm_lsp.ranking.missing_files import MissingFiles, shipped_missing_files
from codewm_lsp.records import dataclass
from codewm_lsp.source.languages import is_source

LEAST: Final = 0.1
"""The chance from which a file is listed."""

MOST: Final = 5


@dataclass(frozen=True, slots=True)
class NextFile:
    """A file that may change next, with the probability that the change is not whole without it."""

    path: str
    score: float
    reason: str


def past_of_files(repository: Repository, rev: str, folder: Path | None) -> FilePast:
    """What is known of all files at a revision; ``folder``: that of the indexes. Raises ``RepositoryError``."""
    return FilePast(file_history(repository, rev, folder))


def in_progress(
    repository: Repository, editing: Sequence[Edit], differing: Mapping[str, str | None] | None = None
) -> ChangeAtHand:
    """The change of the work tree, with edits that may not be saved. ``differing``: the source files that differ from
    HEAD, None where one is gone, where that is known."""
    at_hand = repository.in_work_tree(differing)
    unsaved = {edit.path: FileEvent.MODIFIED for edit in editing if edit.path not in at_hand.files}
    before = repository.blobs_at(at_hand.past, unsaved) if at_hand.past is not None else {}
    blobs = {path: Blobs(before.get(path, ""), None) for path in unsaved}
    return replace(at_hand, files={**at_hand.files, **unsaved}, blobs={**at_hand.blobs, **blobs})


def next_files(
    repository: Repository,
    past: FilePast,
    at_hand: ChangeAtHand,
    *,
    hidden: Collection[str] = (),
    unsaved: Mapping[str, str | None] = NO_TEXTS,
    texts: KnownTexts | None = None,
    model: MissingFiles | None = None,
) -> list[NextFile]:
    """The likeliest first, without the files ``hidden``. ``unsaved``: what an editor holds of some files; ``texts``: of
    the same repository, remembered. Raises ``RepositoryError`` or ``BundleError``."""
    if at_hand.past is None or not at_hand.files or len(at_hand.files) > MOST_FILES or len(past.commits) < ENOUGH:
        return []
    change = changed_texts(repository, at_hand, unsaved)
    known = consider(repository, past, at_hand, texts or KnownTexts(repository), change, at_hand.past, lacks=False)
    found = known.candidates
    chances = (model or shipped_missing_files()).chances(found)
    order = [row for row in np.argsort(-chances, kind="stable").tolist() if chances[row] >= LEAST]
    named = {row: past.paths[found.files[row]] for row in order}
    left_out = {*at_hand.files, *hidden}
    wanted = [
        row for row in order if not is_source(named[row]) and named[row] not in left_out and named[row] in known.there
    ]
    return [
        NextFile(named[row], chance, reason_of(past, known.asked, found, row, chance).words)
        for row, chance in ((row, float(chances[row])) for row in wanted[:MOST])
    ]

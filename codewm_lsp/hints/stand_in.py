"""A clean working tree: the newest commit stands for the edits in progress, and how far that can be relied on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.hints.excerpts import excerpt
from codewm_lsp.history import Commit, CommitEdits, Edit, NewestPaths, Repository
from codewm_lsp.records import dataclass

LOOK_BACK: Final = 200
"""Commits searched for the newest one that changes a definition."""

MOST_DEFINITIONS: Final = 100
"""Definitions that a commit changes which is somebody's edit; of more, it is a reformatting or a move."""


@dataclass(frozen=True, slots=True)
class StandIn:
    """The commit whose edits stand for edits in progress while there are none.

    ``edits`` have the paths that the files have now. ``own``: the user made it. ``newest``: it is the newest of the
    branch, or of the user's own.
    """

    commit: Commit
    edits: tuple[Edit, ...]
    own: bool
    newest: bool


@dataclass(frozen=True, slots=True)
class CleanTree:
    """From probabilities after a commit that stands for edits in progress to the chances of being next.

    The log-odds are taken times ``slope`` plus ``intercept``: what follows a commit is less sure than what belongs to
    it. The chance is that one of the author's next five commits comes there.
    """

    slope: float
    intercept: float

    def chances(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) → (N,)."""
        bounded = np.clip(probabilities, 1e-6, 1 - 1e-6)
        odds = self.slope * np.log(bounded / (1 - bounded)) + self.intercept
        return np.asarray(1 / (1 + np.exp(-np.clip(odds, -700, 700))))


AFTER_COMMIT: Final = CleanTree(slope=0.156, intercept=-1.742)
"""Fitted by ``codewm_model.ranking.clean_tree_fit``. No probability makes one in two of it (docs/experiments.md)."""


LISTED: Final = 0.15
"""The chance from which on a definition is listed unasked while nothing is being edited: a list of guesses makes a
person distrust what is sure. It is that of what is as likely as not to belong to the commit."""


def differs_without_edits(texts: Mapping[str, str | None]) -> bool:
    """Whether one of the files that differ is still there; where there is no edit: by comments and white space."""
    return any(text is not None for text in texts.values())


def stand_in_of(repository: Repository, head: str) -> StandIn | None:
    """The newest commit at ``head`` (a full id) that changes a definition, the user's own before anybody's.

    Of the newest ``LOOK_BACK``; merges and commits of very many definitions are passed over, and so are first commits
    where there is another one: a history that was merged into this one begins with such. None where there is none.
    """
    authors = repository.authors(head, LOOK_BACK)
    user = repository.user_email().casefold()
    own = [sha for sha, email in authors if user and email.casefold() == user]
    first: StandIn | None = None
    for wanted in (own, [sha for sha, _ in authors]):
        for changed in _commits(repository, head, [sha for sha, _ in authors], wanted):
            if changed.edits and len(changed.edits) <= MOST_DEFINITIONS:
                commit = changed.commit
                edits = tuple(map(excerpt, _renamed(repository, head, changed, [sha for sha, _ in authors])))
                found = StandIn(commit, edits, wanted is own, commit.sha == wanted[0])
                if commit.parent is not None:
                    return found
                first = first or found
    return first


def _commits(repository: Repository, head: str, walked: list[str], wanted: list[str]) -> Iterator[CommitEdits]:
    if not wanted:
        return
    kept = set(wanted)
    skipped = {sha for sha in walked if sha not in kept}
    yield from repository.commits(head, limit=len(walked), skip=skipped)


def _renamed(repository: Repository, head: str, changed: CommitEdits, walked: list[str]) -> tuple[Edit, ...]:
    """The edits under the paths that their files have at ``head``."""
    newer = walked.index(changed.commit.sha)
    files = repository.files(head) if newer else {}
    if not newer or all(edit.path in files for edit in changed.edits if edit.after):
        return changed.edits
    paths = NewestPaths()
    for one in repository.commits(head, limit=newer):
        paths.add(one.renames)
    return tuple(
        edit if paths.of(edit.path) == edit.path else replace(edit, path=paths.of(edit.path), previous_path=edit.path)
        for edit in changed.edits
    )

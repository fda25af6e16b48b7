"""What ``codewm forgotten`` would have said of the commits of a history, each asked about with what was known then.

Of a commit one file at a time is hidden, as if it were forgotten; and it is asked about as it is, complete.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.errors import RepositoryError
from codewm_lsp.hints.change_texts import Considered, KnownTexts, changed_texts, consider
from codewm_lsp.hints.forgotten import ENOUGH, MOST, named_files
from codewm_lsp.history import Repository
from codewm_lsp.index.file_history import file_history
from codewm_lsp.ranking.companions import FilePast
from codewm_lsp.ranking.missing_files import MissingFiles, shipped_missing_files
from codewm_lsp.records import dataclass

LATER: Final = 5
"""Commits of the same author that a second look counts: what was forgotten and then made good."""

HIDDEN: Final = 2
"""Files hidden of a commit, one at a time."""

COMMITS: Final = 300
_EXAMPLES: Final = 3


@dataclass(frozen=True, slots=True)
class ReplayedCommit:
    """A commit, by its place in the past, without the file ``hidden`` (its number there), or with all (-1), and what is
    known of it. ``left_out``: the path of that file, "" for none; ``changed``: the other files. ``later``: the files
    that the next commits of its author changed."""

    place: int
    hidden: int
    left_out: str
    changed: frozenset[str]
    known: Considered
    later: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Said:
    """A file that would have been named of a commit: rightly, if it was the hidden one."""

    sha: str
    subject: str
    path: str
    chance: float


@dataclass(frozen=True, slots=True)
class Backtest:
    """What would have been said. Of ``hidden`` files that were left out of a commit, ``right`` would have been named;
    ``flags`` files would have been named in all of these questions, ``later`` of them the hidden one or one that the
    author's next commits changed. Of ``commits`` as they were made, ``warned`` would have been spoken of.

    ``history``: commits that there are; ``examples`` of what was right and ``vain`` of what was said of whole commits.
    """

    history: int
    commits: int
    warned: int
    hidden: int
    flags: int
    right: int
    later: int
    threshold: float
    examples: tuple[Said, ...]
    vain: tuple[Said, ...]


def questions(
    repository: Repository, past: FilePast, places: Sequence[int], *, seed: int = 1
) -> Iterator[ReplayedCommit]:
    """Those of the commits at ``places``: each whole, then with up to ``HIDDEN`` of its files hidden.

    A file is hidden only where it was there before and was not moved: nobody forgets what is not there.
    """
    texts = KnownTexts(repository)
    for place in places:
        commit = past.commits[place]
        made = repository.change_of(commit.sha)
        names = past.names_in(place)
        if set(names) != set(made.files):
            continue  # a clone that cannot tell
        there = [
            path for path in sorted(names) if path not in made.renames and past.exists(past.number[names[path]], place)
        ]
        drawn = random.Random(f"{seed} {commit.sha}")
        left_out = drawn.sample(there, min(HIDDEN, len(there))) if len(names) > 1 else []
        own = past.of_author[commit.author]
        later = past.of(own[np.searchsorted(own, place) + 1 :][:LATER])[0]
        change, before = changed_texts(repository, made), f"{commit.sha}^"
        for hidden in (None, *left_out):
            number = -1 if hidden is None else past.number[names[hidden]]
            try:
                known = consider(repository, past, made, texts, change, before, now=place, names=names, hidden=hidden)
            except RepositoryError:
                break  # a clone that ends here
            changed = frozenset({*made.files, *made.renames.values()} - {hidden})
            yield ReplayedCommit(place, number, hidden or "", changed, known, later)


def backtest(
    repository: Repository,
    *,
    commits: int = COMMITS,
    threshold: float | None = None,
    folder: Path | None = None,
    model: MissingFiles | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Backtest:
    """Ask about the newest ``commits`` that have at least ``ENOUGH`` others before them.

    Raises ``RepositoryError``; ``BundleError`` where CodeWM is not whole.
    """
    model = model or shipped_missing_files()
    least = model.threshold if threshold is None else threshold
    past = FilePast(file_history(repository, "HEAD", folder))
    total = len(past.commits)
    places = range(max(ENOUGH, total - commits), total)
    whole = warned = hidden = flags = right = later = 0
    examples: list[Said] = []
    vain: list[Said] = []
    for question in questions(repository, past, places):
        if progress is not None:
            progress(question.place - places.start, len(places))
        known = question.known
        named, _ = named_files(known, model.chances(known.candidates), least, MOST, question.changed)
        commit = past.commits[question.place]
        said = [Said(commit.sha, "", one.path, one.chance) for one in named]
        if not question.left_out:
            whole += 1
            warned += bool(said)
            vain += said[:1]
            continue
        hits = [one for one in said if one.path == question.left_out]
        number = {path: int(file) for path, file in zip(known.paths, known.candidates.files, strict=True)}
        hidden += 1
        flags += len(said)
        right += len(hits)
        later += len(hits) + sum(
            number.get(one.path, past.number.get(one.path, -1)) in question.later for one in said if one not in hits
        )
        examples += hits
    shown = _spread(examples), _spread(vain)
    told = repository.commits_named([one.sha for some in shown for one in some])
    worded = [
        tuple(Said(one.sha, told[one.sha].subject, one.path, one.chance) for one in some if one.sha in told)
        for some in shown
    ]
    return Backtest(total, whole, warned, hidden, flags, right, later, least, *worded)


def _spread(said: list[Said]) -> list[Said]:
    """Some of different files, the newest commits first."""
    by_path = {one.path: one for one in said}
    newest = sorted(by_path.values(), key=lambda one: -said.index(one))
    return newest[:_EXAMPLES]

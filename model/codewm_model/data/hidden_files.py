"""Questions of ``codewm forgotten`` with known answers: commits with one of their files hidden, and whole ones."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.history import Repository
from codewm_lsp.ranking.companions import SIGNALS, FilePast, Touched, companions

LATER: Final = 5
"""Commits of the same author that a second look counts: what was forgotten and then made good."""

HIDDEN: Final = 2
"""Files hidden of a commit, one at a time."""


@dataclass(frozen=True, slots=True)
class Questions:
    """Q questions, and all their candidates one after the other, (N, …).

    ``table``: the signals of ``companions``. ``count``, ``asked``: joint changes with the changed file that most often
    comes with it. ``right``: it is the hidden file; ``later``: one of the author's next commits changed it.
    ``question``: which each candidate is of. ``hides``: whether a file is hidden, (Q,).
    """

    table: NDArray[np.float32]
    count: NDArray[np.int64]
    asked: NDArray[np.int64]
    right: NDArray[np.bool_]
    later: NDArray[np.bool_]
    question: NDArray[np.int64]
    hides: NDArray[np.bool_]


def questions_of(repository: Repository, *, commits: int, newest: float, seed: int = 1) -> Questions:
    """Of up to ``commits`` commits drawn from the newest share of a history; each asked about with what was known then.

    A file is hidden only where it was there before and was not renamed: nobody forgets what is not there.
    """
    past = FilePast(repository.changed_files())
    total = len(past.commits)
    places = list(range(int(total * (1 - newest)), total))
    drawn = random.Random(seed)
    if len(places) > commits:
        places = sorted(drawn.sample(places, commits))
    tables: list[NDArray[np.float32]] = [np.zeros((0, len(SIGNALS)), np.float32)]
    counts: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    right: list[NDArray[np.bool_]] = []
    later: list[NDArray[np.bool_]] = []
    sizes: list[int] = []
    hides: list[bool] = []
    for place in places:
        commit = past.commits[place]
        span = slice(int(past.start[place]), int(past.start[place + 1]))
        files = past.members[span].tolist()
        added = frozenset(past.paths[file] for file, new in zip(files, past.added[span].tolist(), strict=True) if new)
        renamed = {file.path for file in commit.files if file.previous_path is not None}
        candidates = [file for file in files if past.exists(file, place) and past.paths[file] not in renamed]
        asked: list[int | None] = [None]
        if len(files) > 1:
            asked += drawn.sample(candidates, min(HIDDEN, len(candidates)))
        own = past.of_author[commit.author]
        following = own[np.searchsorted(own, place) + 1 :][:LATER]
        made_good = past.of(following)[0]
        for hidden in asked:
            paths = tuple(past.paths[file] for file in files if file != hidden)
            found = companions(past, Touched(paths, added & frozenset(paths), commit.author, commit.date), place)
            tables.append(found.table)
            counts.append((found.count, found.asked))
            right.append(found.files == (-1 if hidden is None else hidden))
            later.append(np.isin(found.files, made_good))
            sizes.append(len(found.files))
            hides.append(hidden is not None)
    nothing = np.zeros(0, np.int64)
    return Questions(
        np.concatenate(tables),
        np.concatenate([nothing, *(count for count, _ in counts)]),
        np.concatenate([nothing, *(asked_in for _, asked_in in counts)]),
        np.concatenate([nothing.astype(bool), *right]),
        np.concatenate([nothing.astype(bool), *later]),
        np.repeat(np.arange(len(sizes)), sizes),
        np.array(hides, dtype=bool),
    )


def together(parts: Sequence[Questions]) -> Questions:
    """The questions of several repositories as one."""
    starts = np.cumsum([0, *(len(part.hides) for part in parts)])
    return Questions(
        np.concatenate([part.table for part in parts]),
        np.concatenate([part.count for part in parts]),
        np.concatenate([part.asked for part in parts]),
        np.concatenate([part.right for part in parts]),
        np.concatenate([part.later for part in parts]),
        np.concatenate([part.question + start for part, start in zip(parts, starts, strict=False)]),
        np.concatenate([part.hides for part in parts]),
    )

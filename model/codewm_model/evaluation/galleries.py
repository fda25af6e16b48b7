"""Ranks in a gallery of edits: where does the first of an edit's siblings stand?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.history import CommitEdits, Edit

DEPTH: Final = 10
SIBLINGS: Final = range(2, 21)
"""How many edits a commit has that asks."""

METRICS: Final = (
    "MRR@10",
    "R@1",
    "R@10",
    "MRR@10, sibling in another file",
    "MRR@10, all siblings in other files",
    "MRR@10, every commit alike",
)


@dataclass(frozen=True, slots=True)
class Draw:
    """Which of a repository's newest edits are a gallery: ``size`` of them, at most ``most`` of a commit.

    ``commits``: only commits of so many edits are looked at, and all of them ask. Without it every commit is in the
    gallery, and those of ``SIBLINGS`` edits ask.
    """

    name: str
    size: int
    most: int | None = None
    commits: range | None = None


@dataclass(frozen=True, slots=True)
class Ranks:
    """What one score achieved with one seed, row by row of the queries: 0-based ranks, -1 where nothing was sought.

    ``any``: of the first sibling. ``elsewhere``: of the first sibling in another file, those in the same file taken
    out. ``commits``: of each query. ``apart``: whether all its siblings are in other files.
    """

    any: NDArray[np.int64]
    elsewhere: NDArray[np.int64]
    commits: NDArray[np.int64]
    apart: NDArray[np.bool_]

    def metrics(self) -> dict[str, tuple[float, int]]:
        """Each of ``METRICS`` with its number of queries; without those that nothing was asked for."""
        found: dict[str, tuple[float, int]] = {}
        asked = self.any >= 0
        rank, commit = self.any[asked], self.commits[asked]
        if len(rank):
            gain = reciprocal(rank)
            _, inverse, sizes = np.unique(commit, return_inverse=True, return_counts=True)
            alike = np.bincount(inverse, weights=gain) / sizes
            found["MRR@10"] = float(gain.mean()), len(rank)
            found["R@1"] = float((rank < 1).mean()), len(rank)
            found["R@10"] = float((rank < DEPTH).mean()), len(rank)
            found["MRR@10, every commit alike"] = float(alike.mean()), len(alike)
        elsewhere = self.elsewhere >= 0
        for metric, rows in zip(METRICS[3:5], (elsewhere, elsewhere & self.apart), strict=True):
            if rows.any():
                found[metric] = float(reciprocal(self.elsewhere[rows]).mean()), int(rows.sum())
        return {metric: found[metric] for metric in METRICS if metric in found}


class Gallery:
    """Edits of one repository and who asks for whom: each edit of a commit of 2 to 20 for the others of its commit.

    Edits of the query's own definition (same path, same qualified name) are taken out. Equal scores are ranked at
    random, so that what a score cannot see does not win.
    """

    def __init__(
        self,
        commit: NDArray[np.int64],
        path: NDArray[np.int64],
        definition: NDArray[np.int64],
        asking: NDArray[np.bool_],
    ) -> None:
        """``definition`` numbers path and name together; ``asking``: rows that may be queries."""
        self.commit, self.path, self.definition = commit, path, definition
        first = np.zeros(len(commit), bool)
        for row in np.flatnonzero(asking):
            first[row] = bool(((commit == commit[row]) & (definition != definition[row])).any())
        self.queries = np.flatnonzero(first)

    def __len__(self) -> int:
        return len(self.commit)

    def sample(self, most: int | None, seed: int) -> NDArray[np.int64]:
        """At most so many of the queries, chosen at random, in order."""
        if most is None or len(self.queries) <= most:
            return self.queries
        return np.sort(np.random.default_rng(seed).choice(self.queries, most, replace=False))

    def ranks(
        self, queries: NDArray[np.int64], score: Callable[[int], NDArray[np.float32]], seeds: Sequence[int]
    ) -> list[Ranks]:
        """The ranks by a score, one for each seed of the ties."""
        noise = [np.random.default_rng([seed, len(self)]).random(len(self)) for seed in seeds]
        found = np.full((len(seeds), 2, len(queries)), -1, np.int64)
        apart = np.zeros(len(queries), bool)
        for number, row in enumerate(queries.tolist()):
            scores = rounded(score(row))
            others = self.definition != self.definition[row]
            siblings = others & (self.commit == self.commit[row])
            away = siblings & (self.path != self.path[row])
            rivals = others & ~siblings
            apart[number] = bool((siblings == away).all())
            for place, sought in enumerate((siblings, away)):
                if sought.any():
                    for index, ties in enumerate(noise):
                        found[index, place, number] = _rank(scores, sought, rivals, ties)
        return [Ranks(one[0], one[1], self.commit[queries], apart) for one in found]


def rounded(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Scores to six decimals: what differs by rounding alone is equal."""
    wide: NDArray[np.float64] = np.around(scores, 6).astype(np.float64)
    return wide


def _rank(
    scores: NDArray[np.float64], sought: NDArray[np.bool_], rivals: NDArray[np.bool_], ties: NDArray[np.float64]
) -> int:
    best = scores[sought].max()
    lot = ties[sought & (scores == best)].max()
    return int((rivals & ((scores > best) | ((scores == best) & (ties > lot)))).sum())


def reciprocal(ranks: NDArray[np.int64]) -> NDArray[np.float64]:
    """1 / (rank + 1) of 0-based ranks, 0 from ``DEPTH`` on."""
    return np.where(ranks < DEPTH, 1.0 / (ranks + 1.0), 0.0)


def newest(commits: Sequence[CommitEdits], draw: Draw) -> tuple[list[list[Edit]], Gallery]:
    """The newest edits that a draw takes: the edits by commit, and their gallery."""
    kept: list[list[Edit]] = []
    asking: list[bool] = []
    for commit in commits:
        if draw.commits is not None and len(commit.edits) not in draw.commits:
            continue
        edits = list(commit.edits[: draw.most][: draw.size - len(asking)])
        if edits:
            kept.append(edits)
            asking.extend([len(commit.edits) in (draw.commits or SIBLINGS)] * len(edits))
    flat = [edit for edits in kept for edit in edits]
    return kept, Gallery(
        np.repeat(np.arange(len(kept)), [len(edits) for edits in kept]),
        numbered(edit.path for edit in flat),
        numbered((edit.path, edit.definition) for edit in flat),
        np.array(asking, bool),
    )


def numbered(keys: Iterable[Hashable]) -> NDArray[np.int64]:
    """The same number for the same key."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)


def asking(commit: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Rows whose commit has 2 to 20 edits among these."""
    counts = Counter(commit.tolist())
    return np.array([counts[number] in SIBLINGS for number in commit.tolist()], bool)

"""Which files change together, as a graph: the pairs that do so most, and a place for each file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.history import NewestPaths
from codewm_lsp.history.changed_files import ChangedFiles
from codewm_lsp.records import dataclass

MOST_FILES: Final = 300
MOST_PARTNERS: Final = 6  # of a file
TOGETHER: Final = 3
"""Commits that changed both from which on two files are a pair."""

_LARGEST: Final = 30  # files of a commit that is counted: larger ones say little of a pair
_STEPS: Final = 300


@dataclass(frozen=True, slots=True)
class FilePair:
    """Two files by their numbers, the smaller first, and how many commits changed both."""

    one: int
    other: int
    together: int


@dataclass(frozen=True, slots=True)
class FileGraph:
    """``files``: path and number of commits of each; ``positions``: (files, 2) in 0 … 1."""

    files: tuple[tuple[str, int], ...]
    pairs: tuple[FilePair, ...]
    positions: NDArray[np.float32]


def file_graph(commits: Sequence[ChangedFiles]) -> FileGraph:
    """The graph of some commits, newest first. Renamed files go by their newest paths."""
    paths = NewestPaths()
    changes: Counter[str] = Counter()
    together: Counter[tuple[str, str]] = Counter()
    for commit in commits:
        own = sorted({paths.of(file.path) for file in commit.files})
        changes.update(own)
        if len(own) <= _LARGEST:
            together.update(combinations(own, 2))
        paths.add(commit.renames)
    # The share of the commits that changed either which changed both; a pair seen seldom counts for less.
    likeness = {
        pair: count / (changes[pair[0]] + changes[pair[1]] - count + TOGETHER)
        for pair, count in together.items()
        if count >= TOGETHER
    }
    chosen: list[tuple[str, str]] = []
    partners: Counter[str] = Counter()
    for pair in sorted(likeness, key=lambda one: (-likeness[one], one)):
        if max(partners[name] for name in pair) >= MOST_PARTNERS:
            continue
        if sum(name not in partners for name in pair) + len(partners) > MOST_FILES:
            continue
        partners.update(pair)
        chosen.append(pair)
    names = sorted(partners)
    numbers = {name: number for number, name in enumerate(names)}
    pairs = tuple(FilePair(numbers[one], numbers[other], together[one, other]) for one, other in chosen)
    weights = np.array([likeness[pair] for pair in chosen], dtype=np.float64)
    return FileGraph(tuple((name, changes[name]) for name in names), pairs, _placed(len(names), pairs, weights))


def _placed(count: int, pairs: Sequence[FilePair], weights: NDArray[np.float64]) -> NDArray[np.float32]:
    """A place for each file: pairs attract, all repel each other (Fruchterman and Reingold, 1991), and the middle
    holds together what no pair does."""
    if count < 2:
        return np.full((count, 2), 0.5, dtype=np.float32)
    angles = np.arange(count) * 2.399963  # of a sunflower: evenly spread, the same every time
    at = np.sqrt(np.arange(count) / count)[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
    ones = np.array([pair.one for pair in pairs])
    others = np.array([pair.other for pair in pairs])
    apart_by = 1.2 / count**0.5
    for step in range(_STEPS):
        between = at[:, None, :] - at[None, :, :]
        square = (between**2).sum(2) + 1e-4 * apart_by**2
        move = (between * (apart_by**2 / square)[:, :, None]).sum(1) - 0.6 * at
        along = at[ones] - at[others]
        pull = along * ((0.5 + weights) * np.linalg.norm(along, axis=1) / apart_by)[:, None]
        for axis in (0, 1):
            move[:, axis] += np.bincount(others, pull[:, axis], count) - np.bincount(ones, pull[:, axis], count)
        length = np.linalg.norm(move, axis=1, keepdims=True)
        at = at + move / np.maximum(length, 1e-9) * np.minimum(length, 0.1 * (1 - step / _STEPS) + 1e-3)
    middle = (at.max(0) + at.min(0)) / 2
    return np.asarray(0.5 + 0.46 * (at - middle) / max(float(np.abs(at - middle).max()), 1e-9), dtype=np.float32)

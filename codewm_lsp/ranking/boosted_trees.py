"""Small regression trees over named signals, added to a linear model: what its weights cannot say.

Each tree asks two or three questions ("more than so many times changed together?", "as near as that?"). How much of a
score each signal is to blame for can be told: every step down a tree moves the value that is expected from there on,
and that move belongs to the signal that was asked about (Saabas, "Interpreting random forests", 2014).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

CASE: Final = "case:"
"""Before the name of a case (``where_next.CASES``), which is 0 or 1 for all candidates of an edit."""

_DEEPEST: Final = 64  # splits above one another that are read …
_LARGEST: Final = 1_000_000  # … and trees, times the square of the leaves of the largest
_MISSING: Final = 1 << 20  # no signal has this number
_ROWS: Final = 256  # asked about at a time: the tables in between stay in the cache


class Split(NamedTuple):
    """A question: up to ``threshold`` it goes on with ``low``, beyond with ``high``. ``value``: expected from here."""

    signal: int
    threshold: float
    value: float
    low: Node
    high: Node


Node = Split | float


@dataclass(frozen=True, slots=True)
class _Layout:
    """All trees as tables, padded to the largest: T trees of up to S splits and L leaves.

    A row comes to the leaf whose whole way it goes. ``way`` (T, S, L) has 1 where the way to a leaf takes the low side
    of a split, −1 where it takes the high one; ``length`` (T, 1, L) is its number of low sides (−1: no such leaf).
    """

    signal: NDArray[np.int64]  # (T, S)
    threshold: NDArray[np.float64]  # (T, 1, S)
    way: NDArray[np.float32]
    length: NDArray[np.float32]
    value: NDArray[np.float64]  # (T, 1, L)

    @classmethod
    def of(cls, roots: Sequence[Node]) -> _Layout:
        trees = [_flat(root) for root in roots]
        shape = len(trees), max((len(asked) for asked, _ in trees), default=0)
        asked = np.zeros((*shape, 5))
        values = np.zeros((shape[0], 1, max((len(leaves) for _, leaves in trees), default=0)))
        exists = np.zeros(values.shape, np.bool_)
        for tree, (splits, leaves) in enumerate(trees):
            asked[tree, : len(splits)] = np.reshape(splits, (-1, 5))
            values[tree, 0, : len(leaves)] = leaves
            exists[tree, 0, : len(leaves)] = True
        leaf = np.arange(values.shape[2])
        first, middle, last = (asked[:, :, place, None] for place in (2, 3, 4))
        low, high = (first <= leaf) & (leaf < middle), (middle <= leaf) & (leaf < last)
        return cls(
            signal=asked[:, :, 0].astype(np.int64),
            threshold=asked[:, None, :, 1],
            way=low.astype(np.float32) - high,
            length=np.where(exists, low.sum(1, keepdims=True), -1).astype(np.float32),
            value=values,
        )

    def scores(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        """The sum of the leaves that each row, (N, signals), comes to."""
        low = (rows.T[self.signal].transpose(0, 2, 1) <= self.threshold).astype(np.float32)  # (T, N, S)
        return np.asarray(np.where(low @ self.way == self.length, self.value, 0.0).sum(axis=(0, 2)))


def _flat(root: Node) -> tuple[list[tuple[int, float, int, int, int]], list[float]]:
    """The splits of a tree and the values of its leaves. Of each split: signal, threshold, the first leaf of its low
    side, that of its high side, and the end of these."""
    splits: list[tuple[int, float, int, int, int]] = []
    leaves: list[float] = []

    def walk(node: Node) -> None:
        if isinstance(node, float):
            leaves.append(node)
            return
        first = len(leaves)
        walk(node.low)
        middle = len(leaves)
        walk(node.high)
        splits.append((node.signal, node.threshold, first, middle, len(leaves)))

    walk(root)
    return splits, leaves


@dataclass(frozen=True)
class Trees:
    """``signals``: the names of the columns that the trees ask about, by their numbers."""

    signals: tuple[str, ...] = ()
    roots: tuple[Node, ...] = ()

    @cached_property
    def _laid_out(self) -> _Layout:
        return _Layout.of(self.roots)

    @classmethod
    def of(cls, signals: Sequence[str], column: NDArray[Any], threshold: NDArray[Any], value: NDArray[Any]) -> Trees:
        """From arrays, as ``arrays`` gives them. Raises ValueError where they hold no trees over ``signals``."""
        columns, thresholds, values = column.tolist(), iter(threshold.tolist()), iter(value.tolist())
        if column.ndim != 1 or value.shape != column.shape or threshold.shape != (int((column >= 0).sum()),):
            raise ValueError("the arrays of the trees differ in length")
        if not (np.isfinite(threshold).all() and np.isfinite(value).all()):
            raise ValueError("the trees hold something that is not a number")
        at = iter(columns)
        leaves = 0

        def node(signal: int, depth: int) -> Node:
            nonlocal leaves
            if signal < 0:
                leaves += 1
                return float(next(values))
            if signal >= len(signals):
                raise ValueError(f"a tree asks about signal {signal}, and there are {len(signals)}")
            if depth >= _DEEPEST:
                raise ValueError(f"a tree is deeper than {_DEEPEST}")
            expected, limit = float(next(values)), float(next(thresholds))
            low = node(next(at, _MISSING), depth + 1)
            return Split(signal, limit, expected, low, node(next(at, _MISSING), depth + 1))

        roots: list[Node] = []
        largest = 0
        for signal in at:
            leaves = 0
            roots.append(node(signal, 0))
            largest = max(largest, leaves)
        if len(roots) * largest**2 > _LARGEST:
            raise ValueError(f"{len(roots)} trees of up to {largest} leaves are too many")
        return cls(tuple(signals), tuple(roots))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All nodes of all trees, each split before its low side and that before its high side: the ``column`` asked
        about (−1: a leaf) and the ``value`` of each, and the ``threshold`` of each split, rounded down to float32."""
        columns: list[int] = []
        thresholds: list[float] = []
        values: list[float] = []

        def add(node: Node) -> None:
            if isinstance(node, float):
                columns.append(-1)
                values.append(node)
                return
            columns.append(node.signal)
            values.append(node.value)
            thresholds.append(node.threshold)
            add(node.low)
            add(node.high)

        for root in self.roots:
            add(root)
        exact = np.array(thresholds, dtype=np.float64)
        rounded = exact.astype("<f4")
        rounded = np.where(rounded > exact, np.nextafter(rounded, np.float32(-np.inf)), rounded)
        return {
            "column": np.array(columns, dtype="<i2"),
            "threshold": rounded.astype("<f4"),
            "value": np.array(values, dtype="<f4"),
        }

    def times(self, factor: float) -> Trees:
        """The same trees, all that they say multiplied."""

        def node(one: Node) -> Node:
            if isinstance(one, float):
                return factor * one
            return Split(one.signal, one.threshold, factor * one.value, node(one.low), node(one.high))

        return Trees(self.signals, tuple(node(root) for root in self.roots))

    def scores(self, columns: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
        """The sum over all trees for each row of the columns, (N,); one column for each of ``signals``."""
        if not self.roots or not len(columns):
            return np.zeros(len(columns[0]) if len(columns) else 0)
        rows = np.stack(columns, 1)
        parts = [self._laid_out.scores(rows[first : first + _ROWS]) for first in range(0, len(rows), _ROWS)]
        return np.concatenate([np.zeros(0), *parts])

    def contributions(self, row: Sequence[float]) -> dict[str, float]:
        """What each signal of one row moved the sum by, from what is expected of any row."""
        moved: dict[str, float] = {}
        for root in self.roots:
            for split, chosen in _path(root, row):
                after = chosen if isinstance(chosen, float) else chosen.value
                name = self.signals[split.signal]
                moved[name] = moved.get(name, 0.0) + after - split.value
        return moved


NO_TREES: Final = Trees()


def _path(node: Node, row: Sequence[float]) -> Iterator[tuple[Split, Node]]:
    while not isinstance(node, float):
        chosen = node.low if row[node.signal] <= node.threshold else node.high
        yield node, chosen
        node = chosen

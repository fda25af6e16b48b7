"""Small regression trees over named signals, added to a linear model: what its weights cannot say.

Each tree asks two or three questions ("more than so many times changed together?", "as near as that?"). How much of a
score each signal is to blame for can be told: every step down a tree moves the value that is expected from there on,
and that move belongs to the signal that was asked about (Saabas, "Interpreting random forests", 2014).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

CASE: Final = "case:"
"""Before the name of a case (``where_next.CASES``), which is 0 or 1 for all candidates of an edit."""

_DEEPEST: Final = 64  # splits above one another that are read …
_LARGEST: Final = 1_000_000  # … and trees, times the square of the leaves of the largest
_MISSING: Final = 1 << 20  # no signal has this number
_ROWS: Final = 256  # asked about at a time: the tables in between stay in the cache


@dataclass(frozen=True, slots=True)
class Split:
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
        found = [_ways(root) for root in roots]
        splits = max((len(asked) for asked, _ in found), default=0)
        leaves = max((len(ends) for _, ends in found), default=0)
        shape = (len(found), splits, leaves)
        layout = cls(
            np.zeros(shape[:2], np.int64),
            np.zeros((shape[0], 1, splits)),
            np.zeros(shape, np.float32),
            np.full((shape[0], 1, leaves), -1, np.float32),
            np.zeros((shape[0], 1, leaves)),
        )
        for tree, (asked, ends) in enumerate(found):
            for number, split in enumerate(asked):
                layout.signal[tree, number], layout.threshold[tree, 0, number] = split.signal, split.threshold
            for leaf, (way, value) in enumerate(ends):
                for number, low in way:
                    layout.way[tree, number, leaf] = 1 if low else -1
                layout.length[tree, 0, leaf] = sum(low for _, low in way)
                layout.value[tree, 0, leaf] = value
        return layout

    def scores(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        """The sum of the leaves that each row, (N, signals), comes to."""
        low = (rows.T[self.signal].transpose(0, 2, 1) <= self.threshold).astype(np.float32)  # (T, N, S)
        return np.asarray(np.where(low @ self.way == self.length, self.value, 0.0).sum(axis=(0, 2)))


def _ways(root: Node) -> tuple[list[Split], list[tuple[list[tuple[int, bool]], float]]]:
    """The splits of a tree, and of each leaf the way to it, (split, low side?), with its value."""
    splits: list[Split] = []
    leaves: list[tuple[list[tuple[int, bool]], float]] = []

    def walk(node: Node, way: list[tuple[int, bool]]) -> None:
        if isinstance(node, float):
            leaves.append((way, node))
            return
        number = len(splits)
        splits.append(node)
        walk(node.low, [*way, (number, True)])
        walk(node.high, [*way, (number, False)])

    walk(root, [])
    return splits, leaves


@dataclass(frozen=True, slots=True)
class Trees:
    """``signals``: the names of the columns that the trees ask about, by their numbers."""

    signals: tuple[str, ...] = ()
    roots: tuple[Node, ...] = ()
    _laid_out: _Layout = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_laid_out", _Layout.of(self.roots))

    @classmethod
    def of(cls, signals: Sequence[str], column: NDArray[Any], threshold: NDArray[Any], value: NDArray[Any]) -> Trees:
        """From arrays, as ``arrays`` gives them. Raises ValueError where they hold no trees over ``signals``."""
        columns, thresholds, values = column.tolist(), iter(threshold.tolist()), iter(value.tolist())
        if column.ndim != 1 or value.shape != column.shape or threshold.shape != (int((column >= 0).sum()),):
            raise ValueError("the arrays of the trees differ in length")
        if not (np.isfinite(threshold).all() and np.isfinite(value).all()):
            raise ValueError("the trees hold something that is not a number")
        at = iter(columns)

        def node(signal: int, depth: int) -> Node:
            if signal < 0:
                return float(next(values))
            if signal >= len(signals):
                raise ValueError(f"a tree asks about signal {signal}, and there are {len(signals)}")
            if depth >= _DEEPEST:
                raise ValueError(f"a tree is deeper than {_DEEPEST}")
            expected, limit = float(next(values)), float(next(thresholds))
            low = node(next(at, _MISSING), depth + 1)
            return Split(signal, limit, expected, low, node(next(at, _MISSING), depth + 1))

        roots = tuple(node(signal, 0) for signal in at)
        largest = max((len(_ways(root)[1]) for root in roots), default=0)
        if len(roots) * largest**2 > _LARGEST:
            raise ValueError(f"{len(roots)} trees of up to {largest} leaves are too many")
        return cls(tuple(signals), roots)

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

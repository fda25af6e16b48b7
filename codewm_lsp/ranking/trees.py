"""Small regression trees over named signals, added to a linear model: what its weights cannot say.

Each tree asks two or three questions ("more than so many times changed together?", "as near as that?"). How much of a
score each signal is to blame for can be told: every step down a tree moves the value that is expected from there on,
and that move belongs to the signal that was asked about (Saabas, "Interpreting random forests", 2014).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

CASE: Final = "case:"
"""Before the name of a case (``where_next.CASES``), which is 0 or 1 for all candidates of an edit."""

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
    def of(cls, record: Mapping[str, Any]) -> Trees:
        """From JSON: a leaf is a number, a split ``[signal, threshold, value, low, high]``. Raises ValueError."""
        signals = tuple(str(name) for name in record["signals"])

        def node(item: Any) -> Node:
            if not isinstance(item, list):
                return float(item)
            signal, threshold, value, low, high = item
            if not 0 <= int(signal) < len(signals):
                raise ValueError(f"a tree asks about signal {signal}, and there are {len(signals)}")
            return Split(int(signal), float(threshold), float(value), node(low), node(high))

        return cls(signals, tuple(node(item) for item in record["trees"]))

    def record(self) -> dict[str, Any]:
        """The JSON that ``of`` reads."""

        def item(node: Node) -> Any:
            if isinstance(node, float):
                return _short(node)
            return [node.signal, _short(node.threshold, 9), _short(node.value), item(node.low), item(node.high)]

        return {"signals": list(self.signals), "trees": [item(root) for root in self.roots]}

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

    def parts(self, row: Sequence[float]) -> dict[str, float]:
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


def _short(value: float, digits: int = 6) -> float:
    return float(f"{value:.{digits}g}")

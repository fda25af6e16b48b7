"""Small regression trees over named signals, added to a linear model: what its weights cannot say.

Each tree asks two or three questions ("more than so many times changed together?", "as near as that?"). How much of a
score each signal is to blame for can be told: every step down a tree moves the value that is expected from there on,
and that move belongs to the signal that was asked about (Saabas, "Interpreting random forests", 2014).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.records import dataclass

CASE: Final = "case:"
"""Before the name of a case (``where_next.CASES``), which is 0 or 1 for all candidates of an edit."""

_DEEPEST: Final = 64  # splits above one another that are read …
_LARGEST: Final = 1_000_000  # … and trees, times the square of the leaves of the largest
_ROWS: Final = 256  # asked about at a time: the tables in between stay in the cache


class Split(NamedTuple):
    """A question: up to ``threshold`` it goes on with ``low``, beyond with ``high``. ``value``: expected from here."""

    signal: int
    threshold: float
    value: float
    low: Node
    high: Node


Node = Split | float


@dataclass(frozen=True)
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
    def of(cls, nodes: _Nodes) -> _Layout:
        count, before = np.array(nodes.leaves), np.cumsum(nodes.column < 0)
        begin = np.flatnonzero(nodes.root)
        tree, split = np.cumsum(nodes.root) - 1, np.flatnonzero(nodes.column >= 0)
        leaf = np.flatnonzero(nodes.column < 0)
        earlier = np.append(0, before[begin[1:] - 1])  # leaves of the trees before
        numbers = [np.arange(len(some)) - np.searchsorted(some, begin)[tree[some]] for some in (split, leaf)]
        shape = len(begin), *(int(number.max(initial=-1)) + 1 for number in numbers)
        first = before[split] - earlier[tree[split]]
        asked = np.zeros((*shape[:2], 5))
        asked[tree[split], numbers[0]] = np.stack(
            [nodes.column[split], nodes.threshold, first, first + count[split + 1], first + count[split]], 1
        )
        values = np.zeros((shape[0], 1, shape[2]))
        values[tree[leaf], 0, numbers[1]] = nodes.value[leaf]
        exists = np.zeros(values.shape, np.bool_)
        exists[tree[leaf], 0, numbers[1]] = True
        places = np.arange(shape[2])
        first, middle, last = (asked[:, :, place, None] for place in (2, 3, 4))
        low, high = (first <= places) & (places < middle), (middle <= places) & (places < last)
        return cls(
            signal=asked[:, :, 0].astype(np.int64),
            threshold=asked[:, None, :, 1],
            way=low.astype(np.float32) - high,
            length=np.where(exists, low.sum(1, keepdims=True), -1).astype(np.float32),
            value=values,
        )

    def scores(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        """The sum of the leaves that each row, (N, signals), comes to."""
        low = rows.T[self.signal] <= self.threshold.transpose(0, 2, 1)  # (T, S, N)
        if self._by_answers is None:
            return np.asarray(self._leaves(low.transpose(0, 2, 1).astype(np.float32)).sum(axis=0))
        answers = np.packbits(low, axis=1, bitorder="little")[:, 0]  # (T, N)
        return np.asarray(np.take_along_axis(self._by_answers, answers.astype(np.intp), 1).sum(axis=0))

    def _leaves(self, low: NDArray[np.float32]) -> NDArray[np.float64]:
        """The leaf of each tree, (T, N), given the answers to all splits, (T, N, S): 1 for the low side."""
        return np.asarray(np.where(low @ self.way == self.length, self.value, 0.0).sum(axis=2))

    @cached_property
    def _by_answers(self) -> NDArray[np.float64] | None:
        """The leaf by the answers to the splits, as bits, (T, 2^S); None where there are too many splits for that."""
        splits = self.signal.shape[1]
        if not 0 < splits <= 8:  # a byte
            return None
        answers = np.unpackbits(np.arange(1 << splits, dtype=np.uint8)[:, None], axis=1, bitorder="little")
        return self._leaves(answers[None, :, :splits].astype(np.float32))


@dataclass(frozen=True, slots=True)
class _Nodes:
    """All nodes of all trees, each split before its low side and that before its high side: the signal asked about
    (−1: a leaf) and the value of each, and the threshold of each split. ``root``: whether a tree begins with it;
    ``leaves``: how many are below it."""

    column: NDArray[np.int64]
    threshold: NDArray[np.float64]
    value: NDArray[np.float64]
    root: NDArray[np.bool_]
    leaves: list[int]

    @classmethod
    def read(cls, column: NDArray[Any], threshold: NDArray[Any], value: NDArray[Any]) -> tuple[_Nodes, list[Node]]:
        """With the trees themselves. Raises ValueError where this is not a list of whole trees."""
        columns, thresholds, values = column.tolist(), threshold.tolist(), value.tolist()
        leaves, done = [1] * len(columns), list[tuple[Node, int, int, int]]()  # what was read: leaves, depth, place
        for place in range(len(columns) - 1, -1, -1):  # from the end, where both sides of a split are known
            signal = columns[place]
            if signal < 0:
                done.append((values[place], 1, 0, place))
                continue
            if len(done) < 2:
                raise ValueError("a tree ends before both answers about a signal")
            low, some, left, _ = done.pop()
            high, others, right, _ = done.pop()
            leaves[place] = some + others
            depth = 1 + max(left, right)
            if depth > _DEEPEST:
                raise ValueError(f"a tree is deeper than {_DEEPEST}")
            done.append((Split(signal, thresholds.pop(), values[place], low, high), some + others, depth, place))
        root = np.zeros(len(columns), np.bool_)
        root[[place for *_, place in done]] = True
        return cls(
            np.asarray(column, np.int64), np.asarray(threshold, np.float64), np.asarray(value, np.float64), root, leaves
        ), [one[0] for one in reversed(done)]


@dataclass(frozen=True)
class Trees:
    """``signals``: the names of the columns that the trees ask about, by their numbers."""

    signals: tuple[str, ...] = ()
    roots: tuple[Node, ...] = ()

    @cached_property
    def _laid_out(self) -> _Layout:
        return _Layout.of(_Nodes.read(*self._listed())[0])

    @classmethod
    def of(cls, signals: Sequence[str], column: NDArray[Any], threshold: NDArray[Any], value: NDArray[Any]) -> Trees:
        """From arrays, as ``arrays`` gives them. Raises ValueError where they hold no trees over ``signals``."""
        if column.ndim != 1 or value.shape != column.shape or threshold.shape != (int((column >= 0).sum()),):
            raise ValueError("the arrays of the trees differ in length")
        if not (np.isfinite(threshold).all() and np.isfinite(value).all()):
            raise ValueError("the trees hold something that is not a number")
        if (largest := int(column.max(initial=-1))) >= len(signals):
            raise ValueError(f"a tree asks about signal {largest}, and there are {len(signals)}")
        nodes, roots = _Nodes.read(column, threshold, value)
        most = max(nodes.leaves, default=0)
        if len(roots) * most**2 > _LARGEST:
            raise ValueError(f"{len(roots)} trees of up to {most} leaves are too many")
        made = cls(tuple(signals), tuple(roots))
        vars(made)["_laid_out"] = _Layout.of(nodes)  # from what is at hand, rather than from the trees
        return made

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All nodes of all trees, each split before its low side and that before its high side: the ``column`` asked
        about (−1: a leaf) and the ``value`` of each, and the ``threshold`` of each split, rounded down to float32."""
        columns, exact, values = self._listed()
        rounded = exact.astype("<f4")
        rounded = np.where(rounded > exact, np.nextafter(rounded, np.float32(-np.inf)), rounded)
        return {"column": columns.astype("<i2"), "threshold": rounded.astype("<f4"), "value": values.astype("<f4")}

    def _listed(self) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """The same, exact."""
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
        return np.array(columns, np.int64), np.array(thresholds, np.float64), np.array(values, np.float64)

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

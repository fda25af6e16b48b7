"""The small trees of the where-next blend: what they say, and which signal is to blame for it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codewm_lsp.ranking.boosted_trees import NO_TREES, Node, Split, Trees

NUMBERS = st.floats(-100, 100, allow_nan=False).map(lambda value: float(f"{value:.5g}"))
LEAVES: st.SearchStrategy[Node] = NUMBERS
NODES = st.recursive(
    LEAVES,
    lambda below: st.builds(Split, st.integers(0, 2), NUMBERS, NUMBERS, below, below),
    max_leaves=16,
)
FORESTS = st.lists(NODES, max_size=4).map(lambda roots: Trees(("a", "b", "c"), tuple(roots)))
ROWS = st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=6)


def answer(node: Node, row: tuple[float, ...]) -> float:
    while isinstance(node, Split):
        node = node.low if row[node.signal] <= node.threshold else node.high
    return node


@given(FORESTS, ROWS)
def test_every_row_gets_the_sum_of_the_leaves_it_comes_to(trees: Trees, rows: list[tuple[float, ...]]) -> None:
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    expected = [sum(answer(root, row) for root in trees.roots) for row in rows]
    assert trees.scores(columns) == pytest.approx(expected)


@given(FORESTS, ROWS)
def test_the_contributions_to_a_score_add_up_to_it(trees: Trees, rows: list[tuple[float, ...]]) -> None:
    usual = sum(root.value if isinstance(root, Split) else root for root in trees.roots)
    for row in rows:
        total = sum(answer(root, row) for root in trees.roots)
        assert usual + sum(trees.contributions(row).values()) == pytest.approx(total, abs=1e-6)


@given(FORESTS, ROWS)
def test_trees_come_back_from_their_arrays_and_decide_as_before(trees: Trees, rows: list[tuple[float, ...]]) -> None:
    back = Trees.of(trees.signals, **trees.arrays())
    assert back.arrays().keys() == trees.arrays().keys()
    assert all((array == back.arrays()[name]).all() for name, array in trees.arrays().items())
    splits = [split for root in trees.roots for split in thresholds(root)]
    exact = np.array([*splits, *(number for row in rows for number in row)], dtype=np.float64)
    signals = np.concatenate([exact, np.nextafter(exact.astype(np.float32), np.float32(np.inf))]).astype(np.float32)
    columns = [signals, signals, signals]
    assert back.scores(columns) == pytest.approx(trees.scores(columns), rel=1e-5, abs=1e-4)


def thresholds(node: Node) -> list[float]:
    return [node.threshold, *thresholds(node.low), *thresholds(node.high)] if isinstance(node, Split) else []


@given(FORESTS, ROWS, NUMBERS)
def test_all_that_trees_say_can_be_multiplied(trees: Trees, rows: list[tuple[float, ...]], factor: float) -> None:
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    assert trees.times(factor).scores(columns) == pytest.approx(factor * trees.scores(columns), abs=1e-6)


def test_no_trees_say_nothing() -> None:
    assert NO_TREES.contributions([]) == {}
    assert Trees.of((), **NO_TREES.arrays()) == NO_TREES


STUMP = {"column": np.array([0, -1, -1]), "threshold": np.array([0.5]), "value": np.array([0.0, 1.0, 2.0])}


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"column": np.array([3, -1, -1])}, "signal 3"),
        ({"column": np.array([0, -1])}, "differ in length"),
        ({"threshold": np.array([0.5, 0.5])}, "differ in length"),
        ({"threshold": np.array([np.nan])}, "not a number"),
        ({"value": np.array([0.0, np.inf, 2.0])}, "not a number"),
        ({"column": np.array([-1, -1, 0])}, "signal"),  # a split without its sides
    ],
)
def test_arrays_that_are_no_trees_are_refused(broken: dict[str, np.ndarray], message: str) -> None:
    assert Trees.of(["a"], **STUMP).scores([np.array([0.5, 0.6])]).tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match=message):
        Trees.of(["a"], **{**STUMP, **broken})


def test_trees_that_would_take_all_memory_are_refused() -> None:
    deep = 65
    with pytest.raises(ValueError, match="deeper than 64"):
        Trees.of(["a"], np.array([0] * deep + [-1] * (deep + 1)), np.zeros(deep), np.zeros(2 * deep + 1))
    comb = np.array([0] * 60 + [-1] * 61 + [-1] * 1_000)
    with pytest.raises(ValueError, match="too many"):
        Trees.of(["a"], comb, np.zeros(60), np.zeros(len(comb)))

"""The small trees of the where-next blend: what they say, and which signal is to blame for it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codewm_lsp.ranking.trees import NO_TREES, Node, Split, Trees

NUMBERS = st.floats(-100, 100, allow_nan=False).map(lambda value: float(f"{value:.5g}"))
LEAVES: st.SearchStrategy[Node] = NUMBERS
NODES = st.recursive(
    LEAVES,
    lambda below: st.builds(Split, st.integers(0, 2), NUMBERS, NUMBERS, below, below),
    max_leaves=8,
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
def test_the_parts_of_a_score_add_up_to_it(trees: Trees, rows: list[tuple[float, ...]]) -> None:
    usual = sum(root.value if isinstance(root, Split) else root for root in trees.roots)
    for row in rows:
        total = sum(answer(root, row) for root in trees.roots)
        assert usual + sum(trees.parts(row).values()) == pytest.approx(total, abs=1e-6)


@given(FORESTS)
def test_trees_come_back_from_their_record(trees: Trees) -> None:
    assert Trees.of(json.loads(json.dumps(trees.record()))) == trees


@given(FORESTS, ROWS, NUMBERS)
def test_all_that_trees_say_can_be_multiplied(trees: Trees, rows: list[tuple[float, ...]], factor: float) -> None:
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    assert trees.times(factor).scores(columns) == pytest.approx(factor * trees.scores(columns), abs=1e-6)


def test_no_trees_say_nothing() -> None:
    assert NO_TREES.parts([]) == {}
    assert Trees.of(NO_TREES.record()) == NO_TREES


def test_a_record_that_asks_about_a_signal_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="signal 3"):
        Trees.of({"signals": ["a"], "trees": [[3, 0.5, 0.0, 1.0, 2.0]]})

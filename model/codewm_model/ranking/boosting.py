"""Small regression trees for the where-next blend, boosted by LightGBM to put changed candidates first (LambdaMART).

What is learnt leaves as ``codewm_lsp.ranking.boosted_trees``, which needs NumPy alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import lightgbm
import numpy as np
from numpy.typing import NDArray

from codewm_lsp.ranking.boosted_trees import CASE, Node, Split, Trees
from codewm_lsp.ranking.ranker import CASES
from codewm_model.data.gathering import Lists

ROUNDS: Final = 200
SEED: Final = 1
SETTINGS: Final[dict[str, Any]] = {
    "objective": "lambdarank",
    "lambdarank_truncation_level": 10,
    "num_leaves": 8,
    "learning_rate": 0.05,
    "lambda_l2": 10.0,
    "min_data_in_leaf": 100,
    "feature_fraction": 0.4,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "seed": SEED,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbose": -1,
}


def table(lists: Lists) -> NDArray[np.float32]:
    """The columns that trees are asked about: the signals, then the cases, which are the same for all of a list."""
    cases = np.repeat(lists.cases, np.diff(lists.start), axis=0).astype(np.float32)
    return np.concatenate([lists.signals, cases], 1)


def columns_of_table(names: Sequence[str]) -> tuple[str, ...]:
    """What the columns of ``table`` are called, those of ``Lists.signals`` having these names."""
    return (*names, *(CASE + case for case in CASES))


def fit_trees(train: Sequence[Lists], names: Sequence[str], rounds: int = ROUNDS, seed: int = SEED) -> Trees:
    """Trees over ``names`` (the columns of ``Lists.signals``) and the cases, learnt on lists of several repositories.

    Each repository weighs as the square root of its lists, as in the linear model beside them. ``seed``: by which lists
    and signals are drawn for each tree.
    """
    used = [lists for lists in train if len(lists)]
    weights = np.concatenate([np.full(len(one.relevant), len(one) ** -0.5) for one in used])
    data = lightgbm.Dataset(
        np.concatenate([table(one) for one in used]),
        np.concatenate([one.relevant for one in used]).astype(np.int32),
        group=np.concatenate([np.diff(one.start) for one in used]),
        weight=weights / weights.mean(),
    )
    return trees_of(lightgbm.train(SETTINGS | {"seed": seed}, data, rounds), columns_of_table(names))


def trees_of(grown: lightgbm.Booster, columns: Sequence[str]) -> Trees:
    """What LightGBM has grown over these columns, as trees that need NumPy alone."""
    found = [_node(one["tree_structure"]) for one in grown.dump_model()["tree_info"]]
    asked = sorted({number for root in found for number in _signals(root)})
    place = {number: at for at, number in enumerate(asked)}
    return Trees(tuple(columns[number] for number in asked), tuple(_renumbered(root, place) for root in found))


def mean_of(some: Sequence[Trees]) -> Trees:
    """Trees that say what these say on average."""
    signals = tuple(sorted({name for one in some for name in one.signals}))
    roots: list[Node] = []
    for one in some:
        place = {number: signals.index(name) for number, name in enumerate(one.signals)}
        roots += [_renumbered(root, place) for root in one.times(1 / len(some)).roots]
    return Trees(signals, tuple(roots))


def scores_of(trees: Trees, lists: Lists, names: Sequence[str]) -> NDArray[np.float64]:
    """What trees say of every row."""
    if not trees.roots:
        return np.zeros(len(lists.relevant))
    columns = columns_of_table(names)
    rows = table(lists)
    return trees.scores([np.ascontiguousarray(rows[:, columns.index(name)]) for name in trees.signals])


def _node(record: dict[str, Any]) -> Node:
    if "leaf_value" in record:
        return float(record["leaf_value"])
    return Split(
        signal=int(record["split_feature"]),
        threshold=float(record["threshold"]),
        value=float(record["internal_value"]),
        low=_node(record["left_child"]),
        high=_node(record["right_child"]),
    )


def _signals(node: Node) -> set[int]:
    if isinstance(node, float):
        return set()
    return {node.signal, *_signals(node.low), *_signals(node.high)}


def _renumbered(node: Node, place: dict[int, int]) -> Node:
    if isinstance(node, float):
        return node
    return Split(
        place[node.signal], node.threshold, node.value, _renumbered(node.low, place), _renumbered(node.high, place)
    )

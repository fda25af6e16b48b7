"""The trees of ``codewm forgotten``: learnt on the train repositories, their threshold chosen on the validation ones.

``python -m codewm_model.ranking.missing_files_fit``; CODEWM_REPOS names the folder of the clones. It writes the file
that CodeWM comes with. Trees that ask about the past come first; those after them may also ask about the text of the
change, and are learnt on top of what trees of other repositories say.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import lightgbm
import numpy as np
import typer
from numpy.typing import NDArray

from codewm_lsp.ranking.boosted_trees import Node, Split, Trees
from codewm_lsp.ranking.companions import SIGNALS
from codewm_lsp.ranking.missing_files import COLUMNS, FILE, MissingFiles, to_arrays
from codewm_model.data.hidden_files import HiddenFileQuestions, together
from codewm_model.evaluation.cache import Cache
from codewm_model.evaluation.forgotten_files import COMMITS, NEWEST, gathered, measure, weighed
from codewm_model.ranking.boosting import trees_of

ROUNDS: Final = 190
NEWEST_TRAINED: Final = 0.7  # the share of a history that is learnt from: what came before stands behind it
WARNED: Final = 0.03
"""The largest share of whole commits that may be warned, on the validation repositories."""

MORE: Final = 140  # rounds on top of these

SETTINGS: Final[dict[str, Any]] = {
    "objective": "binary",
    "num_leaves": 31,
    "learning_rate": 0.06,
    "min_data_in_leaf": 60,
    "lambda_l2": 10.0,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "seed": 1,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbose": -1,
}


def fit_past(parts: Sequence[HiddenFileQuestions]) -> Trees:
    """Trees that ask about the past alone."""
    return trees_of(lightgbm.train(SETTINGS, _data(parts, SIGNALS), ROUNDS), SIGNALS)


def fit_on_top(parts: Sequence[HiddenFileQuestions], said: Sequence[NDArray[np.float64]]) -> Trees:
    """Trees that ask about all, on top of what others have ``said`` of the candidates of each part."""
    data = _data(parts, COLUMNS)
    data.set_init_score(np.concatenate(said))
    return trees_of(lightgbm.train(SETTINGS, data, MORE), COLUMNS)


def said_by_others(parts: Sequence[HiddenFileQuestions]) -> list[NDArray[np.float64]]:
    """What trees about the past say of each part that were learnt on the parts of the other half: of what they know,
    they would be too sure."""
    halves = [fit_past([part for number, part in enumerate(parts) if number % 2 != half] or parts) for half in (0, 1)]
    return [scores(halves[number % 2], part) for number, part in enumerate(parts)]


def scores(trees: Trees, asked: HiddenFileQuestions) -> NDArray[np.float64]:
    """Their sum for each candidate."""
    return trees.scores([asked.table[:, COLUMNS.index(name)] for name in trees.signals])


def _data(parts: Sequence[HiddenFileQuestions], columns: Sequence[str]) -> lightgbm.Dataset:
    """Each repository weighs as the square root of its questions."""
    asked = together(parts)
    weights = np.concatenate([np.full(len(part.right), max(len(part.hides), 1) ** -0.5) for part in parts])
    table = asked.table[:, : len(columns)]
    return lightgbm.Dataset(table, asked.right.astype(np.int32), weight=weights / weights.mean())


def joined(one: Trees, other: Trees) -> Trees:
    """The trees of both, over all ``COLUMNS``."""

    def node(it: Node, names: Sequence[str]) -> Node:
        if isinstance(it, float):
            return it
        asked = COLUMNS.index(names[it.signal])
        return Split(asked, it.threshold, it.value, node(it.low, names), node(it.high, names))

    roots = [node(root, trees.signals) for trees in (one, other) for root in trees.roots]
    return Trees(COLUMNS, tuple(roots))


def lean(trees: Trees) -> Trees:
    """The same trees in less room, compressed: eleven bits of each number, and nothing that is expected of a split,
    which only explanations by signals would need."""

    def node(one: Node) -> Node:
        if isinstance(one, float):
            return _short(one)
        return Split(one.signal, _short(one.threshold), 0.0, node(one.low), node(one.high))

    return Trees(trees.signals, tuple(node(root) for root in trees.roots))


def _short(number: float) -> float:
    bits = np.array([number], dtype=np.float32).view(np.uint32)
    return float(((bits + np.uint32(1 << 11)) & np.uint32(0xFFFFF000)).view(np.float32)[0])


def threshold_for(trees: Trees, asked: HiddenFileQuestions) -> float:
    """The least threshold, in hundredths, at which no more than ``WARNED`` of the whole commits are warned."""
    said = weighed(asked, MissingFiles(trees, 0.0))
    steps = [step / 100 for step in range(5, 100)]
    return next((at for at in steps if measure("", said, at, asked.hides).warned <= WARNED), 0.99)


def main(
    commits: Annotated[int, typer.Option(min=1, help="At most so many of a train repository.")] = 300,
    chosen: Annotated[int, typer.Option(min=1, help="At most so many of a validation repository.")] = COMMITS,
    cache: Annotated[Path | None, typer.Option(help="Keep what is mined in this folder.")] = None,
    output: Annotated[Path, typer.Option("--output", "-o")] = FILE,
) -> None:
    """Learn the trees, choose the threshold, and write both."""
    kept = Cache(cache) if cache is not None else None
    found, _ = gathered("train", kept, commits=commits, newest=NEWEST_TRAINED, tell=typer.echo)
    judged, _ = gathered("validation", kept, commits=chosen, newest=NEWEST, tell=typer.echo)
    learnt = list(found.values())
    trees = joined(lean(fit_past(learnt)), lean(fit_on_top(learnt, said_by_others(learnt))))
    threshold = threshold_for(trees, together(list(judged.values())))
    with output.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **to_arrays(MissingFiles(trees, threshold)))
    typer.echo(f"{output}: {len(trees.roots)} trees, threshold {threshold}")


if __name__ == "__main__":
    typer.run(main)

"""The trees of ``codewm forgotten``, learnt on the train repositories, and the threshold from which it speaks.

``python -m codewm_model.ranking.missing_files_fit``; CODEWM_REPOS names the folder of the clones. It writes the file
that CodeWM comes with. The threshold is the least at which hardly any whole commit is warned, of the validation
repositories and of the train ones, of which trees say it that were learnt on others.
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
from codewm_lsp.ranking.missing_files import COLUMNS, FILE, MissingFiles, to_arrays
from codewm_model.data.hidden_files import HiddenFileQuestions, together
from codewm_model.evaluation.cache import Cache
from codewm_model.evaluation.forgotten_files import NEWEST, Candidates, gathered, measure, weighed, weighed_together
from codewm_model.ranking.boosting import mean_of, trees_of

COMMITS: Final = 70  # of each repository
ROUNDS: Final = 200
SEEDS: Final = 3  # fits of which the mean is taken: each learns from other samples
FOLDS: Final = 3
NEWEST_TRAINED: Final = 0.7  # the share of a history that is learnt from: what came before stands behind it
WARNED: Final = 0.03
"""The largest share of whole commits that may be warned, when the threshold is chosen."""

SETTINGS: Final[dict[str, Any]] = {
    "objective": "binary",
    "num_leaves": 31,
    "learning_rate": 0.07,
    "max_bin": 63,
    "min_data_in_leaf": 60,
    "lambda_l2": 10.0,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbose": -1,
}


def fit(parts: Sequence[HiddenFileQuestions], rounds: int = ROUNDS) -> Trees:
    """Trees learnt on the questions of some repositories, each weighing as the square root of how many it has."""
    asked = together(parts)
    weights = np.concatenate([np.full(len(part.right), max(len(part.hides), 1) ** -0.5) for part in parts])
    data = lightgbm.Dataset(asked.table, asked.right.astype(np.int32), weight=weights / weights.mean())
    return lean(mean_of([trees_of(_grown(data, rounds, seed), COLUMNS) for seed in range(1, SEEDS + 1)]))


def _grown(data: lightgbm.Dataset, rounds: int, seed: int) -> lightgbm.Booster:
    return lightgbm.train(SETTINGS | {"bagging_seed": seed, "feature_fraction_seed": seed}, data, rounds)


def said_by_others(parts: Sequence[HiddenFileQuestions], rounds: int = ROUNDS) -> list[Candidates]:
    """What trees say of each part that were learnt without it: of what they know, they would be too sure."""
    said: dict[int, Candidates] = {}
    for fold in range(FOLDS):
        left_out = [number for number in range(len(parts)) if number % FOLDS == fold]
        trees = fit([part for number, part in enumerate(parts) if number % FOLDS != fold] or parts, rounds)
        said |= {number: weighed(parts[number], MissingFiles(trees, 0.0)) for number in left_out}
    return [said[number] for number in range(len(parts))]


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


def threshold_for(said: Sequence[Candidates], hides: Sequence[NDArray[np.bool_]]) -> float:
    """The least threshold, in hundredths, at which no more than ``WARNED`` of the whole commits are warned."""
    every, hiding = weighed_together(said, hides), np.concatenate(hides)
    steps = [step / 100 for step in range(5, 100)]
    return next((at for at in steps if measure("", every, at, hiding).warned <= WARNED), 0.99)


def main(
    commits: Annotated[int, typer.Option(min=1, help="Maximum commits of a train repository.")] = COMMITS,
    chosen: Annotated[int, typer.Option(min=1, help="Maximum commits of a validation repository.")] = 100,
    cache: Annotated[Path | None, typer.Option(help="Keep what is mined in this folder.")] = None,
    output: Annotated[Path, typer.Option("--output", "-o")] = FILE,
) -> None:
    """Learn the trees, choose the threshold, and write both."""
    kept = Cache(cache) if cache is not None else None
    found, _ = gathered("train", kept, commits=commits, newest=NEWEST_TRAINED, tell=typer.echo)
    judged, _ = gathered("validation", kept, commits=chosen, newest=NEWEST, tell=typer.echo)
    learnt, others = list(found.values()), list(judged.values())
    trees = fit(learnt)
    said = [*said_by_others(learnt), *(weighed(part, MissingFiles(trees, 0.0)) for part in others)]
    threshold = threshold_for(said, [part.hides for part in (*learnt, *others)])
    with output.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **to_arrays(MissingFiles(trees, threshold)))
    typer.echo(f"{output}: {len(trees.roots)} trees, threshold {threshold}, {output.stat().st_size:,} bytes")
    for name, part, count in (("train", said[: len(learnt)], learnt), ("validation", said[len(learnt) :], others)):
        hides = [one.hides for one in count]
        row = measure("", weighed_together(part, hides), threshold, np.concatenate(hides))
        typer.echo(f"{name}: precision {row.precision:.3f}, recall {row.recall:.3f}, whole warned {row.warned:.3f}")


if __name__ == "__main__":
    typer.run(main)

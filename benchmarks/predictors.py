"""``python -m benchmarks.predictors RUN --train REPO... --validate REPO...``: what each part of the last stage does.

Transition predictors of several architectures, and the kept one with one term of its loss changed at a time, are
trained over the states of one finished state encoder, several seeds each. The states are computed once.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from codewm_lsp.world_model.features import CommonWords
from codewm_model.artifacts.run_folder import read_run
from codewm_model.data.batches import Dataset
from codewm_model.data.repository_corpus import RepositoryCorpus, build, load
from codewm_model.networks.code_world_model import CodeWorldModel, set_rounding
from codewm_model.settings.config import ArchitectureConfig, Config, TrainingConfig
from codewm_model.training.inference import all_states
from codewm_model.training.trainer import train
from codewm_model.training.training_run import Run

ARMS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "two looped blocks, twice (kept)": ({}, {}),
    "two looped blocks, a single pass": ({"predictor_loops": 1}, {}),
    "MLP": ({"predictor": "mlp"}, {}),
    "Koopman operator": ({"predictor": "koopman"}, {}),
    "mini-transformer": ({"predictor": "mini-transformer"}, {}),
    "not residual, LayerNorm at the end (paper 1)": ({"predictor": "reference"}, {}),
    "kept, no InfoNCE": ({}, {"predictor_contrast_weight": 0.0}),
    "kept, InfoNCE 1.0": ({}, {"predictor_contrast_weight": 1.0}),
    "kept, no direction of the change": ({}, {"delta_weight": 0.0}),
    "kept, no length of the change": ({}, {"norm_weight": 0.0}),
    "kept, no covariance": ({}, {"covariance_weight": 0.0}),
    "kept, covariance 0.1": ({}, {"covariance_weight": 0.1}),
    "kept, no roll-outs": ({}, {"composition_weight": 0.0}),
}
COLUMNS = {
    "honest cosine": "transition_cosine",
    "modifications alone": "modifications/transition_cosine",
    "KNN@5": "knn@5",
    "KNN@5, modifications": "modifications/knn@5",
    "rank of predictions": "rank_predicted",
}
NULLS = {
    "the mean change": ("mean_change_cosine", "modifications/mean_change_cosine", None, None, None),
    "a copy of the state before": (None, None, "copy_knn@5", "modifications/copy_knn@5", "rank_online"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.predictors", description=main.__doc__)
    parser.add_argument("run", type=Path, help="folder of a finished training run, whose state encoder is taken")
    parser.add_argument("--train", type=Path, nargs="+", required=True, metavar="REPO")
    parser.add_argument("--validate", type=Path, nargs="+", required=True, metavar="REPO")
    parser.add_argument("--cache", type=Path, help="where mined corpora are kept")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 43, 44])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--write", type=Path, metavar="FILE", help="also write the table there, and a .json beside it")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    finished, common, _ = read_run(options.run)
    set_rounding(finished, True)
    with tempfile.TemporaryDirectory() as scratch:
        cache = options.cache or Path(scratch) / "corpus"
        training, validation = (
            [load(build(path, cache, edits=TrainingConfig().edits_per_repository)) for path in paths]
            for paths in (options.train, options.validate)
        )
        found = _measured(options, finished, common, training, validation, Path(scratch))
    text = _table(options, found, training, validation)
    print(text)
    if options.write:
        options.write.write_text(text + "\n", encoding="utf-8")
        options.write.with_suffix(".json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 0


def _measured(
    options: argparse.Namespace,
    finished: CodeWorldModel,
    common: CommonWords,
    training: list[RepositoryCorpus],
    validation: list[RepositoryCorpus],
    scratch: Path,
) -> dict[str, list[dict[str, float]]]:
    """By arm, the last evaluation of each seed."""
    device = torch.device("cpu")
    data, held = Dataset(training), Dataset(validation)
    states, held_states = (all_states(finished.state, some, device) for some in (data, held))
    kept = {name: value for name, value in finished.state_dict().items() if not name.startswith("transition.")}
    found: dict[str, list[dict[str, float]]] = {}
    for arm, (architecture, changed) in ARMS.items():
        for seed in options.seeds:
            own = TrainingConfig(
                seed=seed, threads=options.threads, transition_steps=0, edit_steps=0, next_steps=0,
                predictor_steps=options.steps, predictor_batch=options.batch, evaluate_every=options.steps,
                checkpoint_every=options.steps,
            )  # fmt: skip
            config = Config(dataclasses.replace(finished.config, **architecture), dataclasses.replace(own, **changed))
            began = time.perf_counter()
            result = _trained(config, kept, common, (data, states), (validation, held, held_states), scratch)
            found.setdefault(arm, []).append(result | {"seconds": time.perf_counter() - began, "seed": seed})
            print(f"{arm}, seed {seed}: {_cells(found[arm][-1:])}", file=sys.stderr, flush=True)
    return found


def _trained(
    config: Config,
    kept: dict[str, Tensor],
    common: CommonWords,
    training: tuple[Dataset, Tensor],
    validation: tuple[list[RepositoryCorpus], Dataset, Tensor],
    scratch: Path,
) -> dict[str, float]:
    torch.manual_seed(config.training.seed)
    model = CodeWorldModel(config.architecture)
    model.load_state_dict(kept, strict=False)
    evaluations: list[dict[str, Any]] = []

    def report(record: dict[str, Any]) -> None:
        if record.get("evaluation"):
            evaluations.append(record)

    run = Run(model, config, common, training[0], validation[0], scratch, report)
    run.states, run.validation_data, run.validation_states = training[1], validation[1], validation[2]
    train(run)
    return {name: value for name, value in evaluations[-1].items() if isinstance(value, float)}


def _cells(results: Sequence[dict[str, float]], names: Sequence[str | None] = tuple(COLUMNS.values())) -> str:
    cells = []
    for name in names:
        if name is None:
            cells.append("–")
            continue
        values = [result[name] for result in results]
        digits = 1 if name.startswith("rank") else 3
        spread = f" ± {np.std(values):.{digits}f}" if len(values) > 1 and np.ptp(values) else ""
        cells.append(f"{np.mean(values):.{digits}f}{spread}")
    return " | ".join(cells)


def _table(
    options: argparse.Namespace,
    found: dict[str, list[dict[str, float]]],
    training: list[RepositoryCorpus],
    validation: list[RepositoryCorpus],
) -> str:
    names = ", ".join(corpus.name.replace("+", "/") for corpus in validation)
    first = next(iter(found.values()))[0]
    lines = [
        f"{options.steps} steps of {options.batch}, seeds {', '.join(map(str, options.seeds))} (mean ± deviation), "
        f"{len(training)} training repositories; measured on {first['transitions']:.0f} transitions of {names}, "
        f"{first['modifications/transitions']:.0f} of them modifications. Effective rank of the states: "
        f"{first['rank_online']:.1f} of {ArchitectureConfig().state_size}.",
        "",
        "| what | " + " | ".join(COLUMNS) + " | time |",
        "| --- |" + " ---: |" * (len(COLUMNS) + 1),
    ]
    lines += [f"| *{name}* | {_cells([first], keys)} | |" for name, keys in NULLS.items()]
    base = np.mean([result["seconds"] for result in next(iter(found.values()))])
    for arm, results in found.items():
        time_taken = np.mean([result["seconds"] for result in results]) / base
        lines.append(f"| {arm} | {_cells(results)} | {time_taken:.2f} × |")
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())

"""``python -m benchmarks.held_out STUDY RUN...``: a run of a study on what it trains on, and on what it does not.

Reads runs (``frozen-42``) of ``codewm-train study``, finished or not, and prints one Markdown row for each and for
either half: whether a figure rises because the run has learned, or because it knows its repositories by heart.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from codewm_model.artifacts.run_folder import CONFIG, TARGET, read_run, read_tensors
from codewm_model.data.batches import Dataset
from codewm_model.data.repository_corpus import load
from codewm_model.networks.code_world_model import CodeWorldModel, StateEncoder
from codewm_model.settings.config import Config
from codewm_model.training.checkpoint import has_checkpoint, read_checkpoint
from codewm_model.training.inference import encode_states
from codewm_model.training.study import PLAN
from codewm_model.training.transition_stage import measure_transitions, transitions

SHOWN = ("transition_cosine_paper", "transition_cosine", "copy_indicator", "knn@5", "copy_knn@5")


@dataclass(frozen=True, slots=True)
class Trained:
    """The networks of a run as far as it has come; the target is the state encoder itself where there is no other."""

    config: Config
    model: CodeWorldModel
    target: StateEncoder
    step: int


def read(folder: Path) -> Trained:
    """A run of a study. Raises TrainingError where there is none, or it is damaged."""
    if has_checkpoint(folder):
        checkpoint = read_checkpoint(folder)
        config, step = checkpoint.config, checkpoint.step
        model = CodeWorldModel(config.architecture)
        model.load_state_dict(checkpoint.model)
        weights = checkpoint.target["encoder"] if checkpoint.target else None
    else:
        model, _, _ = read_run(folder)
        config = Config.from_dict(json.loads((folder / CONFIG).read_text(encoding="utf-8")))
        step, weights = config.training.transition_steps, read_tensors(folder / TARGET)
    target = model.state
    if config.training.target != "none" and weights is not None:
        target = copy.deepcopy(model.state)
        target.load_state_dict(weights)
    return Trained(config, model, target, step)


def study_parser(benchmark: str, about: str | None) -> argparse.ArgumentParser:
    """What a benchmark of some runs of a study is called with."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{benchmark}", description=about)
    parser.add_argument("study", type=Path, help="the folder of the study")
    parser.add_argument("runs", nargs="+", help="names of folders below its runs")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one Markdown table."""
    parser = study_parser("held_out", main.__doc__)
    parser.add_argument("--transitions", type=int, default=3_000, help="of either half, and the size of the gallery")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    plan = json.loads((options.study / PLAN).read_text(encoding="utf-8"))
    columns = (*SHOWN, "from space to space", "of that the same for all", "a change")
    print("| run | step | transitions | " + " | ".join(columns) + " |")
    print("| --- | --- | --- | " + " | ".join("---" for _ in columns) + " |")
    for name in options.runs:
        run = read(options.study / "runs" / name)
        for words, use in (("trained on", "corpora"), ("held out", "validation")):
            data = Dataset([load(Path(file)) for file in plan[use]])
            rows = transitions(data, np.arange(len(data)), options.transitions, longest=run.config.training.longest)
            found = measure_transitions(run.model, run.target, data, rows, torch.device("cpu"))
            cells = " | ".join(
                [*(f"{found[shown]:.3f}" for shown in SHOWN), *(f"{one:.1f}" for one in lengths(run, data, rows))]
            )
            print(f"| {name} | {run.step:,} | {words} | {cells} |", flush=True)
    return 0


@torch.no_grad()
def lengths(run: Trained, data: Dataset, rows: NDArray[np.int64]) -> tuple[float, float, float]:
    """Mean length of the way from online to target state, of the mean of these ways, and of the change by an edit."""
    cpu = torch.device("cpu")
    before, after = data.states[rows, 0], data.states[rows, 1]
    target = encode_states(run.target, data, before, cpu)
    way = target - encode_states(run.model.state, data, before, cpu)
    change = encode_states(run.target, data, after, cpu) - target
    return float(way.norm(dim=1).mean()), float(way.mean(0).norm()), float(change.norm(dim=1).mean())


if __name__ == "__main__":
    sys.exit(main())

"""``python -m benchmarks.held_out STUDY RUN...``: a run of a study on what it trains on, and on what it does not.

Reads the checkpoints of unfinished runs (``frozen-42``) of ``codewm-train study`` and prints one Markdown row for each
and for either half: whether a figure rises because the run has learned, or because it knows its repositories by heart.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from codewm_model.data.batches import Dataset
from codewm_model.data.repository_corpus import load
from codewm_model.networks.code_world_model import CodeWorldModel
from codewm_model.training.checkpoint import read_checkpoint
from codewm_model.training.study import PLAN
from codewm_model.training.transition_stage import measure_transitions, transitions

SHOWN = ("transition_cosine_paper", "transition_cosine", "copy_indicator", "knn@5", "copy_knn@5")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.held_out", description=main.__doc__)
    parser.add_argument("study", type=Path, help="the folder of the study")
    parser.add_argument("runs", nargs="+", help="names of folders below its runs")
    parser.add_argument("--transitions", type=int, default=3_000, help="of either half, and the size of the gallery")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    plan = json.loads((options.study / PLAN).read_text(encoding="utf-8"))
    print("| run | step | transitions | " + " | ".join(SHOWN) + " |")
    print("| --- | --- | --- | " + " | ".join("---" for _ in SHOWN) + " |")
    for name in options.runs:
        checkpoint = read_checkpoint(options.study / "runs" / name)
        model = CodeWorldModel(checkpoint.config.architecture)
        model.load_state_dict(checkpoint.model)
        target = model.state
        if checkpoint.config.training.target != "none" and checkpoint.target:
            target = copy.deepcopy(model.state)
            target.load_state_dict(checkpoint.target["encoder"])
        for words, use in (("trained on", "corpora"), ("held out", "validation")):
            data = Dataset([load(Path(file)) for file in plan[use]])
            longest = checkpoint.config.training.longest
            rows = transitions(data, np.arange(len(data)), options.transitions, longest=longest)
            found = measure_transitions(model, target, data, rows, torch.device("cpu"))
            cells = " | ".join(f"{found[shown]:.3f}" for shown in SHOWN)
            print(f"| {name} | {checkpoint.step:,} | {words} | {cells} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

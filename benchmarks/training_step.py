"""``python -m benchmarks.training_step CORPUS...``: a step of a study, padded and packed, in one run.

*Padded* is what a step was until texts were packed: every text of a batch padded to the longest, each with its keys and
values, AdamW weight by weight. Both take the same steps from the same weights, turn by turn, so that whatever else the
machine does is shared; what counts is the processor's time. The table also says how far their losses and weights are
apart at the end.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from codewm_model.data.batches import Dataset, generator
from codewm_model.data.repository_corpus import common_words, load, use
from codewm_model.networks.architectures.base import StateEncoder
from codewm_model.networks.code_world_model import CodeWorldModel
from codewm_model.networks.packed import PackedTexts
from codewm_model.settings.config import Config
from codewm_model.training.study import STUDIES, RunOf, StudySize, config_of, runs
from codewm_model.training.training_run import Run
from codewm_model.training.transition_stage import TransitionStage

SHOWN = {
    "collapse": ("long", ("fast", "frozen", "sigreg", "two-loss")),
    "architectures": ("short", ("paper1", "paper2", "paper1-losses", "ours")),
}
"""The setting and the runs, by study."""


class Steps:
    """A run of the study, a step at a time, with or without padding."""

    def __init__(self, config: Config, data: Dataset, folder: Path, *, padded: bool) -> None:
        torch.manual_seed(config.training.seed)
        self.model = CodeWorldModel(config.architecture)
        self.padded = padded
        common = common_words(data.corpora)
        use(data.corpora, common)
        self.work = TransitionStage(Run(self.model, config, common, data, [], folder, lambda record: None))
        if padded:
            for encoder in (self.model.state, self.work.target):
                encoder.packed = padding(encoder)  # type: ignore[method-assign, assignment]
        self.weights = [*self.model.state.parameters(), *self.model.transition.parameters()]
        self.optimiser = torch.optim.AdamW(self.weights, lr=config.training.transition_rate)
        self.losses: list[float] = []
        self.seconds: list[float] = []
        self.seed = config.training.seed

    def take(self, step: int) -> None:
        """One step, timed."""
        before = time.thread_time()
        torch.manual_seed(step)
        loss = torch.stack(list(self.work.losses(generator(self.seed, "transition", step)).values())).sum()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.weights, 1.0)
        self.optimiser.step()
        self.work.after_step()
        self.seconds.append(time.thread_time() - before)
        self.losses.append(float(loss.detach()))


def padding(encoder: StateEncoder) -> Callable[[PackedTexts], Tensor]:
    """What an encoder does that knows nothing of packing."""
    return lambda texts: encoder(*texts.padded())


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training_step", description=main.__doc__)
    parser.add_argument("corpora", nargs="+", type=Path, help="folders that codewm-train study has mined")
    parser.add_argument("--study", choices=SHOWN, default="collapse")
    parser.add_argument("--steps", type=int, default=60)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    data = Dataset([load(folder) for folder in options.corpora])
    setting, shown = SHOWN[options.study]
    size = STUDIES[options.study][setting]
    print("| run | parameters | padded, ms a step | packed | times as fast | losses apart by at most | weights |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        for run in runs(size, Path(folder), [42]):
            if run.arm.name in shown:
                print(row(size, run, data, Path(folder), options.steps), flush=True)
    return 0


def row(size: StudySize, run: RunOf, data: Dataset, folder: Path, steps: int) -> str:
    """One run's line: medians over the steps."""
    config = config_of(size, run)
    padded, packed = (Steps(config, data, folder, padded=way) for way in (True, False))
    for step in range(steps):
        for way in (padded, packed) if step % 2 else (packed, padded):
            way.take(step)
    old, new = (1000 * float(np.median(way.seconds[5:])) for way in (padded, packed))
    losses = max(abs(a - b) / abs(a) for a, b in zip(padded.losses, packed.losses, strict=True))
    with torch.no_grad():
        weights = max(float((a - b).abs().max()) for a, b in zip(padded.weights, packed.weights, strict=True))
    count = sum(weight.numel() for weight in packed.weights)
    return f"| {run.arm.words} | {count:,} | {old:.1f} | {new:.1f} | {old / new:.2f} | {losses:.1e} | {weights:.1e} |"


if __name__ == "__main__":
    sys.exit(main())

"""``python -m benchmarks.training_step CORPUS...``: a step of a study, in several ways in one run.

*Packed* is what the trainer does. *Padded* is what a step was until texts were packed: every text of a batch padded to
the longest, each with its keys and values, AdamW weight by weight. *Compiled* is packed with the networks given to
``torch.compile`` (which needs a C++ compiler), *bf16* with the state encoder in half precision. All take the same steps
from the same weights, turn by turn, so that whatever else the machine does is shared; what counts is the processor's
time. The table also says how far losses and weights are from those of the first way at the end.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
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
WAYS = ("padded", "packed", "compiled", "bf16")


class Steps:
    """A run of the study, a step at a time, in one of ``WAYS``."""

    def __init__(self, config: Config, data: Dataset, folder: Path, way: str) -> None:
        config = dataclasses.replace(config, training=dataclasses.replace(config.training, bf16=way == "bf16"))
        torch.manual_seed(config.training.seed)
        self.model = CodeWorldModel(config.architecture)
        common = common_words(data.corpora)
        use(data.corpora, common)
        self.work = TransitionStage(Run(self.model, config, common, data, [], folder, lambda record: None))
        for encoder in (self.model.state, self.work.target):
            if way == "padded":
                encoder.packed = padding(encoder)  # type: ignore[method-assign, assignment]
            elif way == "compiled":
                encoder.packed = torch.compile(encoder.packed, dynamic=True)  # type: ignore[method-assign]
        if way == "compiled":
            self.model.transition.forward = torch.compile(self.model.transition.forward, dynamic=True)  # type: ignore[method-assign]
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
    parser.add_argument("--runs", nargs="+", help="names of some runs of the study, such as frozen")
    parser.add_argument(
        "--ways", nargs="+", choices=WAYS, default=WAYS[:2], help="the first is what others are held to"
    )
    parser.add_argument("--steps", type=int, default=60)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    data = Dataset([load(folder) for folder in options.corpora])
    setting, known = SHOWN[options.study]
    shown = options.runs or known
    size = STUDIES[options.study][setting]
    print("| run | parameters | way | ms a step | times as fast | losses apart by at most | weights |")
    print("| --- | ---: | --- | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        for run in runs(size, Path(folder), [42]):
            if run.arm.name in shown:
                for line in rows(size, run, data, Path(folder), options.steps, options.ways):
                    print(line, flush=True)
    return 0


def rows(size: StudySize, run: RunOf, data: Dataset, folder: Path, steps: int, ways: Sequence[str]) -> Iterator[str]:
    """The lines of one run: medians over the steps after the first five."""
    config = config_of(size, run)
    taken = [Steps(config, data, folder, way) for way in ways]
    for step in range(steps):
        for one in taken if step % 2 else reversed(taken):
            one.take(step)
    first = taken[0]
    count = sum(weight.numel() for weight in first.weights)
    for way, one in zip(ways, taken, strict=True):
        was, now = (1000 * float(np.median(each.seconds[5:])) for each in (first, one))
        losses = max(abs(a - b) / abs(a) for a, b in zip(first.losses, one.losses, strict=True))
        with torch.no_grad():
            weights = max(float((a - b).abs().max()) for a, b in zip(first.weights, one.weights, strict=True))
        yield f"| {run.arm.words} | {count:,} | {way} | {now:.1f} | {was / now:.2f} | {losses:.1e} | {weights:.1e} |"


if __name__ == "__main__":
    sys.exit(main())

"""``python -m benchmarks.training REPOSITORY``: transitions a second, beside a plain implementation, in one run.

The plain one is a straightforward reading of the paper: whole files cut and padded at 512 tokens, every version
encoded for every transition it is part of, the target's states computed anew in every step, fp32. The losses and the
optimiser are the same. It is timed with this project's networks and with the paper's six loops.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from codewm_lsp.history import Repository
from codewm_lsp.source.vocabulary import PAD
from codewm_lsp.world_model.features import structure_tokens
from codewm_model.data.batches import Dataset, generator
from codewm_model.data.repository_corpus import build, common_words, load, use
from codewm_model.networks.code_world_model import CodeWorldModel
from codewm_model.settings.config import ArchitectureConfig, Config, TrainingConfig
from codewm_model.training import objectives
from codewm_model.training.training_run import Run
from codewm_model.training.transition_stage import TransitionStage

TOKENS = 512


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=main.__doc__)
    parser.add_argument("repository", type=Path, help="a local clone with a long history of Python")
    parser.add_argument("--edits", type=int, default=2_000, help="the newest; also the size of an epoch")
    parser.add_argument("--seconds", type=float, default=40.0, help="how long each implementation is timed")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--write", type=Path, metavar="FILE", help="also write the table there")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        corpus = load(build(options.repository, Path(folder), edits=options.edits))
    common = common_words([corpus])
    use([corpus], common)
    data = Dataset([corpus])
    files = file_versions(options.repository, 300)
    small = ArchitectureConfig()
    paper = dataclasses.replace(
        small, loops=6, state_expansion=4, predictor_loops=6, encoder="reference", predictor="reference"
    )
    training = TrainingConfig(threads=options.threads)
    measured: list[tuple[str, float, int]] = []
    for words, architecture in (("the paper's six loops", paper), ("this project's networks", small)):
        step = plain(architecture, training, files)
        measured.append((f"plain, {words}", *rate(step, options.seconds)))
    for words, changed in (
        ("first epoch, target computed when first needed", {}),
        ("target cached", {"cached": True}),
    ):
        step = ours(small, training, data, common, **changed)
        measured.append((f"codewm-train, {words}", *rate(step, options.seconds)))
    slowest, same = measured[0][1], measured[1][1]
    lines = [
        f"{corpus.name}, newest {len(data):,} edits; {options.threads} thread(s) of {os.cpu_count()} "
        f"cores; PyTorch {torch.__version__}.",
        "",
        "| trainer | transitions per second | compared with plain, same networks | compared with plain, the paper's "
        "| timed over |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    for words, speed, steps in measured:
        lines.append(f"| {words} | {speed:.1f} | {speed / same:.1f} × | {speed / slowest:.1f} × | {steps} steps |")
    text = "\n".join(lines)
    print(text)
    if options.write:
        options.write.write_text(f"# Speed of training\n\n{text}\n", encoding="utf-8")
    return 0


def rate(step: Callable[[int], int], seconds: float) -> tuple[float, int]:
    """Transitions a second, and the steps timed; the first step is not."""
    step(0)
    started, done, number = time.perf_counter(), 0, 0
    while number < 2 or time.perf_counter() - started < seconds:
        number += 1
        done += step(number)
    return done / (time.perf_counter() - started), number


def file_versions(path: Path, count: int) -> list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    """Token ids of whole files before and after the newest commits that changed them, cut at 512."""
    found = []
    with Repository.open(path) as repository:
        for item in repository.commits(limit=20_000):
            if not item.edits or item.commit.parent is None:
                continue
            before, after = repository.files(item.commit.parent), repository.files(item.commit.sha)
            for name in {edit.path for edit in item.edits}:
                old, new = before.get(name), after.get(name)
                if old and new and (texts := (repository.read(old), repository.read(new))) and all(texts):
                    found.append((tokens_of(texts[0] or ""), tokens_of(texts[1] or "")))
            if len(found) >= count:
                break
    return found


def tokens_of(text: str) -> np.ndarray[Any, Any]:
    """Ids and depths (2, 512), padded."""
    ids, depths = structure_tokens(text)
    out = np.full((2, TOKENS), PAD, np.int64)
    out[0, : min(TOKENS, len(ids))] = ids[:TOKENS]
    out[1] = 0
    out[1, : min(TOKENS, len(ids))] = depths[:TOKENS]
    return out


def _optimiser(model: CodeWorldModel, training: TrainingConfig) -> torch.optim.Optimizer:
    weights = [*model.state.parameters(), *model.transition.parameters()]
    return torch.optim.AdamW(weights, lr=training.transition_rate, weight_decay=training.weight_decay)


def plain(
    architecture: ArchitectureConfig, training: TrainingConfig, files: Sequence[tuple[Any, Any]]
) -> Callable[[int], int]:
    """A step over 8 transitions of whole files."""
    torch.manual_seed(training.seed)
    model, frozen = CodeWorldModel(architecture), CodeWorldModel(architecture)
    frozen.load_state_dict(model.state_dict())
    optimiser = _optimiser(model, training)

    def step(number: int) -> int:
        random = np.random.default_rng(number)
        chosen = [files[i] for i in random.integers(0, len(files), 8)]
        before = torch.from_numpy(np.stack([pair[0] for pair in chosen]))  # (B, 2, T)
        after = torch.from_numpy(np.stack([pair[1] for pair in chosen]))
        online = model.state(before[:, 0], before[:, 1])
        with torch.no_grad():
            target_before = frozen.state(before[:, 0], before[:, 1])
            target_after = frozen.state(after[:, 0], after[:, 1])
        predicted = model.transition(online, torch.zeros(len(chosen), 15))
        loss = objectives.prediction_loss(predicted, target_after) + 0.5 * objectives.delta_loss(
            predicted - target_before, target_after - target_before
        )
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        return len(chosen)

    return step


def ours(
    architecture: ArchitectureConfig, training: TrainingConfig, data: Dataset, common: Any, *, cached: bool = False
) -> Callable[[int], int]:
    """A step as ``codewm-train`` makes it; ``cached``: as in every epoch but the first."""
    torch.manual_seed(training.seed)
    model = CodeWorldModel(architecture)
    run = Run(model, Config(architecture, training), common, data, [], Path(), lambda record: None)
    stage = TransitionStage(run)
    optimiser = _optimiser(model, training)
    if cached:
        stage.targets(np.arange(data.states_count))

    def step(number: int) -> int:
        random = generator(training.seed, "transition", number)
        windows = stage.sampler.sample(random).rows
        losses = stage.losses(generator(training.seed, "transition", number))
        loss = torch.stack(list(losses.values())).sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        return len(np.unique(windows[windows >= 0]))

    return step


if __name__ == "__main__":
    sys.exit(main())

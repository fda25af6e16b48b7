"""One training run from its settings to its result: a single run, a trial of a sweep and an arm of a study alike."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from codewm_lsp.world_model.features import CommonWords
from codewm_model.artifacts.training_log import LOG, forget_after
from codewm_model.networks.code_world_model import CodeWorldModel
from codewm_model.settings.config import Config
from codewm_model.training.checkpoint import Checkpoint
from codewm_model.training.loading import Material
from codewm_model.training.trainer import train
from codewm_model.training.training_run import Begun, Report, Run


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What decides the weights of a run, and the folder that its log and its checkpoints go to.

    ``start`` is the model to begin with; without one the weights are new, drawn by the seed. With a ``checkpoint`` the
    run goes on from there, and its log with it; how it was begun is then the checkpoint's to say.
    """

    folder: Path
    config: Config
    material: Material
    start: CodeWorldModel | None = None
    checkpoint: Checkpoint | None = None
    begun: Begun = field(default_factory=Begun)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))


@dataclass(frozen=True, slots=True)
class Result:
    """A run that has come to its end. ``records`` are those of its log; ``minutes`` counts what was before a stop."""

    model: CodeWorldModel
    common: CommonWords
    records: Sequence[Mapping[str, Any]]
    minutes: float

    def figures(self) -> dict[str, float]:
        """Every figure of the last evaluation of every stage, as ``stage/figure``."""
        return {
            f"{record['stage']}/{name}": value
            for record in self.records
            if record.get("evaluation")
            for name, value in record.items()
            if isinstance(value, float)
        }

    def diagnostics(self) -> dict[str, float]:
        """Those that tell a healthy representation from a collapsed one, by their names alone."""
        found: dict[str, float] = {}
        for name, value in self.figures().items():
            stage, _, figure = name.partition("/")
            if stage in ("transition", "predictor"):
                found[figure] = value
        return found


def threads(config: Config) -> int:
    """How many threads of PyTorch's a run uses: as many as are asked for, or its share of the machine's cores."""
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # processes of torchrun on this machine
    return config.training.threads or max(1, (os.cpu_count() or 1) // beside)


def train_from(
    settings: RunSettings,
    *,
    report: Report = lambda record: None,
    advance: Callable[[str, int, int, float], None] = lambda stage, step, steps, loss: None,
    stop: Callable[[], bool] = lambda: False,
) -> Result:
    """Train to the end, on the CPU threads that the settings ask for; the log is written as it happens.

    ``report`` gets every record of the log, ``advance`` every step, ``stop`` is asked after each. Raises TrainingError
    on a checkpoint that does not fit or a loss that is not a number, Interrupted when asked to stop.
    """
    config, checkpoint, material = settings.config, settings.checkpoint, settings.material
    begun = checkpoint.begun if checkpoint else settings.begun
    torch.set_num_threads(threads(config))
    torch.manual_seed(config.training.seed)  # before a single weight is made
    model = (None if checkpoint else settings.start) or CodeWorldModel(config.architecture)
    log = settings.folder / LOG
    records: list[Mapping[str, Any]] = []
    if checkpoint:
        records.extend(forget_after(log, checkpoint.stage, checkpoint.reached(config)))
    with log.open("a" if checkpoint else "w", encoding="utf-8") as file:

        def note(record: dict[str, Any]) -> None:
            records.append(record)
            file.write(json.dumps(record) + "\n")
            file.flush()
            report(record)

        train(
            Run(
                model.to(settings.device),
                config,
                material.common,
                material.data,
                material.validation,
                settings.folder,
                note,
                advance=advance,
                stop=stop,
                device=settings.device,
                begun=begun,
                stream=material.stream,
            ),
            checkpoint,
        )
    return Result(model.cpu(), material.common, records, begun.spent())

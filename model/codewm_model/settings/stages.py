"""The stages of a training run, in their order, and how many steps each has."""

from __future__ import annotations

from typing import Final

from codewm_model.settings.config import Config

STAGES: Final = ("transition", "edit", "next", "predictor")


def steps_of(config: Config, stage: str) -> int:
    """How many steps a stage has."""
    return int(getattr(config.training, f"{stage}_steps"))


def global_step(config: Config, stage: str, step: int) -> int:
    """The step over all stages."""
    return step + sum(steps_of(config, earlier) for earlier in STAGES[: STAGES.index(stage)])

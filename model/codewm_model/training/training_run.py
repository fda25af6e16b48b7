"""A training run: the model, its data, and where its files go."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codewm_lsp.world_model.features import CommonWords
from codewm_model.data.batches import Dataset
from codewm_model.data.repository_corpus import RepositoryCorpus
from codewm_model.data.shards import Stream
from codewm_model.networks.code_world_model import CodeWorldModel
from codewm_model.settings.config import Config

Report = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Begun:
    """How a run was begun, which its checkpoints keep: what a card says of a resumed run holds for all of it.

    ``minutes`` were spent on it before ``since``, a time of ``time.monotonic()``.
    """

    preset: str = "base"
    start: str = "scratch"
    minutes: float = 0.0
    since: float = field(default_factory=time.monotonic)

    def spent(self) -> float:
        """Minutes, those before it was resumed included."""
        return self.minutes + (time.monotonic() - self.since) / 60


@dataclass(slots=True)
class Run:
    """A training run: the model, its data, and where its files go.

    ``report`` gets one flat record for every logged step and evaluation; ``stop`` is asked after every step.
    """

    model: CodeWorldModel
    config: Config
    common: CommonWords
    data: Dataset
    validation: list[RepositoryCorpus]
    folder: Path
    report: Report
    advance: Callable[[str, int, int, float], None] = lambda stage, step, steps, loss: None
    stop: Callable[[], bool] = lambda: False
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    states: Tensor | None = None
    vectors: NDArray[np.float32] | None = None
    validation_data: Dataset | None = None
    validation_states: Tensor | None = None
    begun: Begun = field(default_factory=Begun)
    stream: Stream | None = None  # when the corpus does not fit into memory; ``data`` is then that of one turn

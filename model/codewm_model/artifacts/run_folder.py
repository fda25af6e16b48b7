"""The folder of a training run: ``model.safetensors``, ``config.json``, ``about.json``, ``log.jsonl``, a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from codewm_lsp.errors import TrainingError
from codewm_lsp.world_model.bundle import METADATA
from codewm_lsp.world_model.features import CommonWords
from codewm_model.artifacts.training_log import LOG
from codewm_model.networks.code_world_model import CodeWorldModel
from codewm_model.settings.config import Config

WEIGHTS: Final = "model.safetensors"
CHECKPOINT: Final = "checkpoint.pt"
CONFIG: Final = "config.json"
ABOUT: Final = "about.json"
TARGET: Final = "target.safetensors"
"""The target encoder at the end of the transition stage: what E1 and E2 measure against."""


def forget_run(folder: Path) -> None:
    """Delete what a run and its bundle left in a folder, so that nothing of it is taken for another run's."""
    for name in (CHECKPOINT, WEIGHTS, TARGET, CONFIG, ABOUT, METADATA, LOG):
        (folder / name).unlink(missing_ok=True)


def write_run(folder: Path, model: CodeWorldModel, common: CommonWords, config: Config, about: dict[str, Any]) -> None:
    """Write a finished run's weights, configuration and provenance."""
    tensors = {name: value.detach().contiguous() for name, value in model.state_dict().items()}
    tensors["common_words"] = torch.from_numpy(common.hashes.astype(np.int64))
    try:
        save_file(tensors, folder / WEIGHTS)
        (folder / CONFIG).write_text(json.dumps(config.as_dict(), indent=1), encoding="utf-8")
        (folder / ABOUT).write_text(json.dumps(about, indent=1), encoding="utf-8")
    except OSError as error:
        raise TrainingError(f"{folder} cannot be written ({error}): free some disk space and resume") from error


def read_run(folder: Path) -> tuple[CodeWorldModel, CommonWords, dict[str, Any]]:
    """Read a finished run. Raises TrainingError with the file and the remedy."""
    try:
        config = Config.from_dict(json.loads((folder / CONFIG).read_text(encoding="utf-8")), str(folder / CONFIG))
        about: dict[str, Any] = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        tensors = load_file(folder / WEIGHTS)
    except FileNotFoundError as error:
        raise TrainingError(f"{folder} is no finished training run ({error.filename} is missing)") from None
    except (OSError, ValueError, SafetensorError) as error:
        raise TrainingError(f"{folder} is damaged ({error}): resume the training or run it again") from error
    model = CodeWorldModel(config.architecture)
    common = CommonWords(tensors.pop("common_words").numpy().astype(np.uint32))
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise TrainingError(f"{folder / WEIGHTS} does not fit {CONFIG} ({error})") from error
    return model, common, about

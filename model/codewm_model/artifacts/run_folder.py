"""The folder of a training run: ``model.safetensors``, ``config.json``, ``about.json``, ``log.jsonl``, a checkpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from codewm_lsp.errors import TrainingError
from codewm_lsp.world_model.bundle import METADATA
from codewm_lsp.world_model.features import CommonWords
from codewm_model.artifacts.training_log import LOG
from codewm_model.networks.code_world_model import CodeWorldModel
from codewm_model.settings.bounded_files import check_file, read_json
from codewm_model.settings.config import Config

WEIGHTS: Final = "model.safetensors"
CHECKPOINT: Final = "checkpoint.pt"
CONFIG: Final = "config.json"
ABOUT: Final = "about.json"
TARGET: Final = "target.safetensors"
"""The target encoder at the end of the transition stage: what E1 and E2 measure against."""
MOST_CONFIG: Final = 1 << 20
MOST_ABOUT: Final = 1 << 26
MOST_WEIGHTS: Final = 1 << 32


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
        config = Config.from_dict(read_json(folder / CONFIG, MOST_CONFIG), str(folder / CONFIG))
        about = read_json(folder / ABOUT, MOST_ABOUT)
        check_provenance(about)
        tensors = read_tensors(folder / WEIGHTS)
        words = tensors.pop("common_words")
        if words.ndim != 1:
            raise ValueError(f"common_words has the shape {tuple(words.shape)}")
        common = CommonWords(words.numpy().astype(np.uint32))
    except FileNotFoundError as error:
        raise TrainingError(f"{folder} is not a finished training run ({error.filename} is missing)") from None
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        what = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else error
        raise TrainingError(f"{folder} is damaged ({what}): resume the training or run it again") from error
    model = CodeWorldModel(config.architecture)
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        first = " ".join(str(error).split())[:200]
        raise TrainingError(
            f"{folder / WEIGHTS} does not fit {CONFIG} ({first}): resume the training or run it again"
        ) from error
    return model, common, about


def read_tensors(file: Path) -> dict[str, Tensor]:
    """The tensors of a ``.safetensors`` file. Raises OSError, ValueError or SafetensorError when it cannot be used."""
    check_file(file, MOST_WEIGHTS)
    return load_file(file)


def check_provenance(about: Mapping[str, Any]) -> None:
    """Raise ValueError unless what is said of a model's origin can be said of one that starts from it."""
    known = about.get("trained_on", [])
    if not isinstance(known, list) or not all(
        isinstance(one, dict)
        and isinstance(one.get("name"), str)
        and isinstance(one.get("head"), str)
        and type(one.get("edits")) is int
        for one in known
    ):
        raise ValueError("trained_on is not a list of repositories with their heads and edits")
    if not isinstance(about.get("diagnostics", {}), dict):
        raise ValueError("diagnostics are not a table")

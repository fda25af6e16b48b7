"""``checkpoint.pt`` of a training run: all that its next step depends on, written whole or not at all."""

from __future__ import annotations

import json
import math
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from codewm_lsp.errors import OptionError, TrainingError
from codewm_lsp.world_model.features import CommonWords
from codewm_model.artifacts.run_folder import CHECKPOINT
from codewm_model.settings.bounded_files import check_file
from codewm_model.settings.config import FORMAT, Config, check_format
from codewm_model.settings.stages import STAGES, steps_of
from codewm_model.training.training_run import Begun

MOST_BYTES: Final = 4 << 30  # the states of a target encoder are kept in it, 512 bytes each
_MOST_COMMON: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a run is, and what it goes on from.

    ``stage`` and ``step`` are the next ones. ``optimiser`` and ``target`` are those of the stage, None at its start.
    ``data`` tells what the run is trained on.
    """

    config: Config
    stage: str
    step: int
    finished: bool
    model: Mapping[str, Tensor]
    common: CommonWords
    optimiser: dict[str, Any] | None
    target: dict[str, Any] | None
    data: str
    begun: Begun

    def reached(self, config: Config) -> int:
        """The last step of ``stage`` that is done: of a finished run the last one that ``config`` asks for."""
        return steps_of(config, self.stage) if self.finished else self.step


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint of a run. Raises TrainingError when it cannot; the one before is then still there."""
    state = {
        "format": FORMAT,
        "config": json.dumps(checkpoint.config.as_dict()),
        "stage": checkpoint.stage,
        "step": checkpoint.step,
        "finished": checkpoint.finished,
        "model": dict(checkpoint.model),
        "common": torch.from_numpy(checkpoint.common.hashes.astype(np.int64)),
        "optimiser": checkpoint.optimiser,
        "target": checkpoint.target,
        "data": checkpoint.data,
        "begun": {
            "preset": checkpoint.begun.preset,
            "start": checkpoint.begun.start,
            "minutes": checkpoint.begun.spent(),
        },
    }
    partial = folder / (CHECKPOINT + ".partial")
    try:
        with partial.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, folder / CHECKPOINT)
    except (OSError, RuntimeError) as error:
        raise TrainingError(
            f"the checkpoint in {folder} could not be written ({_reason(error)}): free some disk space and resume; "
            f"the last whole checkpoint is still there"
        ) from error


def has_checkpoint(folder: Path) -> bool:
    """Whether a run has been begun in a folder, and can go on."""
    return (folder / CHECKPOINT).exists()


def read_checkpoint(folder: Path) -> Checkpoint:
    """The checkpoint of a run.

    Raises TrainingError when there is none or it is damaged, OptionError when a newer version has written it.
    """
    file = folder / CHECKPOINT
    if not has_checkpoint(folder):
        raise TrainingError(f"{folder} has no checkpoint. Leave out --resume to start a new run")
    try:
        check_file(file, MOST_BYTES)
        _check_stored(file)
        state = torch.load(file, weights_only=True, map_location="cpu")
        check_format(state, str(file))
        config = Config.from_dict(json.loads(state["config"]), f"the configuration in {file}")
        return _checked(state, config, file.stat().st_size)
    except (TrainingError, OptionError):
        raise
    except Exception as error:  # a damaged file fails in many ways; all of them mean the same
        raise TrainingError(f"{file} is damaged ({_reason(error)}). Delete it to start a new run") from error


def _check_stored(file: Path) -> None:
    """PyTorch compresses nothing; what is compressed may be of any size once it is read."""
    with zipfile.ZipFile(file) as archive:
        if any(part.compress_type != zipfile.ZIP_STORED for part in archive.infolist()):
            raise ValueError("it is compressed")


def _checked(state: Mapping[str, Any], config: Config, size: int) -> Checkpoint:
    """Everything of the type it should have, and no tensor larger than the file. Raises ValueError, KeyError."""
    common = state["common"]
    if state["stage"] not in STAGES or type(state["step"]) is not int or state["step"] < 0:
        raise ValueError(f"it is at step {state['step']!r} of stage {state['stage']!r}")
    if type(state["finished"]) is not bool or not isinstance(state.get("data", ""), str):
        raise ValueError("its values have other types")
    if not isinstance(common, Tensor) or common.ndim != 1 or len(common) > _MOST_COMMON:
        raise ValueError("its common words are invalid")
    for name in ("model", "optimiser", "target", "begun"):
        if not isinstance(state.get(name) or {}, dict):
            raise ValueError(f"its {name} is invalid")
    for tensor in _tensors([state["model"], state["optimiser"], state["target"]]):
        if tensor.layout != torch.strided or tensor.numel() * tensor.element_size() > size:
            raise ValueError("a tensor is larger than the file")
    begun = Begun(**(state.get("begun") or {}))
    if not isinstance(begun.preset, str) or not isinstance(begun.start, str) or not 0 <= begun.minutes < math.inf:
        raise ValueError("how it was started is not a text")
    return Checkpoint(
        config=config,
        stage=state["stage"],
        step=state["step"],
        finished=state["finished"],
        model=state["model"],
        common=CommonWords(common.numpy().astype(np.uint32)),
        optimiser=state["optimiser"],
        target=state["target"],
        data=state.get("data", ""),
        begun=begun,
    )


def _tensors(values: Any) -> list[Tensor]:
    """All tensors in nested dictionaries and lists."""
    found: list[Tensor] = []
    waiting = [values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
    return found


def _reason(error: BaseException) -> str:
    """What went wrong, in one line: of an error that another one hides, the first one's."""
    while isinstance(error.__context__, OSError):
        error = error.__context__
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(error) or type(error).__name__
    return text.splitlines()[0].split(". ")[0]

"""Where the figures of a run go besides ``log.jsonl``: to TensorBoard, Trackio or Weights & Biases, on this machine.

Nothing is sent anywhere unless the service's own environment variables ask for it. The libraries are imported when they
are chosen, and not before.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from codewm_lsp.errors import OptionError
from codewm_model.settings.config import Config
from codewm_model.settings.stages import global_step

Figures = Callable[[dict[str, float], int], None]
"""Takes figures by name and the step over all stages."""


@contextmanager
def reporting(kind: str, folder: Path, config: Config, first: int) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Open a place for figures; gives a function that takes the trainer's records.

    ``first``: the step over all stages that the run begins with, 0 unless it is resumed. Raises OptionError when the
    place is unknown, or its library is not installed.
    """
    if kind not in PLACES:
        raise OptionError(f"--report-to {kind!r} is unknown: choose one of {', '.join(PLACES)}")
    try:
        with contextlib.redirect_stdout(sys.stderr), PLACES[kind](folder, config, first) as report:

            def take(record: dict[str, Any]) -> None:
                stage = record["stage"]
                figures = {f"{stage}/{name}": float(v) for name, v in record.items() if _is_figure(name, v)}
                if figures:
                    report(figures, global_step(config, stage, int(record["step"])))

            yield take
    except ImportError as error:
        if error.name not in (kind, None):
            raise
        raise OptionError(
            f"--report-to {kind} needs {kind}, which is not installed. Run `pip install {kind}`"
        ) from error


def _is_figure(name: str, value: object) -> bool:
    return name != "step" and isinstance(value, int | float) and not isinstance(value, bool)


@contextmanager
def _nowhere(folder: Path, config: Config, first: int) -> Iterator[Figures]:
    yield lambda figures, step: None


@contextmanager
def _tensorboard(folder: Path, config: Config, first: int) -> Iterator[Figures]:
    importlib.import_module("tensorboard")  # so that what is missing is named
    writer: Any = importlib.import_module("torch.utils.tensorboard").SummaryWriter(
        str(folder / "tensorboard"), purge_step=first or None
    )

    def write(figures: dict[str, float], step: int) -> None:
        for name, value in figures.items():
            writer.add_scalar(name, value, step)
        writer.flush()

    try:
        yield write
    finally:
        writer.close()


@contextmanager
def _trackio(folder: Path, config: Config, first: int) -> Iterator[Figures]:
    os.environ.setdefault("TRACKIO_DIR", str(folder.resolve() / "trackio"))
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    trackio: Any = importlib.import_module("trackio")
    trackio.init(
        project="codewm", name=folder.resolve().name, config=config.as_dict(), resume="allow",
        auto_log_gpu=False, auto_log_cpu=False,
    )  # fmt: skip
    try:
        yield lambda figures, step: trackio.log(figures, step=step)
    finally:
        trackio.finish()


@contextmanager
def _wandb(folder: Path, config: Config, first: int) -> Iterator[Figures]:
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    wandb: Any = importlib.import_module("wandb")
    run = wandb.init(
        project="codewm",
        name=folder.resolve().name,
        dir=str(folder),
        mode=os.environ.get("WANDB_MODE", "offline"),
        config=config.as_dict(),
        settings=wandb.Settings(silent=True, console="off"),
    )
    try:
        yield lambda figures, step: run.log(figures, step=step)
    finally:
        run.finish()
        wandb.teardown()  # waits until its other process has written what it was given


PLACES: Final[dict[str, Callable[[Path, Config, int], contextlib.AbstractContextManager[Figures]]]] = {
    "none": _nowhere,
    "tensorboard": _tensorboard,
    "trackio": _trackio,
    "wandb": _wandb,
}

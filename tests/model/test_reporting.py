"""Where figures go besides the log: real libraries, nothing sent anywhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from codewm_lsp.errors import OptionError
from codewm_model.settings.config import PRESETS
from codewm_model.training.reporting import PLACES, reporting

RECORDS: tuple[dict[str, Any], ...] = (
    {"stage": "transition", "step": 3, "loss": 2.5, "loss/prediction": 1.5},
    {"stage": "transition", "step": 6, "evaluation": True, "copy_indicator": 0.8},
    {"stage": "edit", "step": 3, "loss": 1.0, "alarm": "a text is no figure"},
)


def report(kind: str, folder: Path, records: tuple[dict[str, Any], ...] = RECORDS, first: int = 0) -> None:
    with reporting(kind, folder, PRESETS["smoke"], first) as take:
        for record in records:
            take(record)


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard itself reads."""
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = accumulators.EventAccumulator(str(folder / "tensorboard")).Reload()
    return {tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def test_tensorboard_reads_the_figures_by_the_step_over_all_stages(tmp_path: Path) -> None:
    report("tensorboard", tmp_path)
    assert scalars(tmp_path) == {
        "transition/loss": [(3, 2.5)],
        "transition/loss/prediction": [(3, 1.5)],
        "transition/copy_indicator": [(6, pytest.approx(0.8))],
        "edit/loss": [(9, 1.0)],  # the transition stage has six steps
    }


def test_a_resumed_run_takes_the_place_of_what_was_lost(tmp_path: Path) -> None:
    report("tensorboard", tmp_path)
    report("tensorboard", tmp_path, ({"stage": "transition", "step": 6, "loss": 9.0},), first=5)
    found = scalars(tmp_path)
    assert found["transition/loss"] == [(3, 2.5), (6, 9.0)]
    assert found["edit/loss"] == []


def test_weights_and_biases_writes_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    report("wandb", tmp_path)
    (run,) = (tmp_path / "wandb").glob("offline-run-*/*.wandb")
    assert run.stat().st_size > 0
    assert b"transition/copy_indicator" in run.read_bytes()


def test_trackio_writes_a_database_in_the_run(tmp_path: Path) -> None:
    pytest.importorskip("trackio")
    script = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[2]); import test_reporting; "
        "test_reporting.report('trackio', pathlib.Path(sys.argv[1]))"
    )
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), str(here)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""  # a run's own output is not mixed with a library's
    databases = list((tmp_path / "trackio").glob("*.db"))
    assert databases
    assert any(b"copy_indicator" in file.read_bytes() for file in (tmp_path / "trackio").iterdir() if file.is_file())


@pytest.mark.parametrize("kind", [kind for kind in PLACES if kind != "none"])
def test_a_missing_library_is_named_with_how_to_install_it(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, kind, None)  # as if it were not installed
    with pytest.raises(OptionError, match=f"pip install {kind}"):
        report(kind, tmp_path)


def test_an_unknown_place_is_answered_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="choose one of none, tensorboard, trackio, wandb"):
        report("mlflow", tmp_path)


def test_nothing_is_imported_that_was_not_chosen(tmp_path: Path) -> None:
    script = (
        "import sys; from codewm_model.cli import main; "
        "import codewm_model.training.trainer, codewm_model.training.sweep; "
        "print(sorted({'tensorboard', 'trackio', 'wandb', 'optuna', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.strip() == "[]"

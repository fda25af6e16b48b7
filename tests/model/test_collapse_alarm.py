"""The alarm on real training: it sounds early where the target follows fast, and never where it stands still."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

import pytest


class Train(Protocol):
    """Runs ``codewm-train`` in a process of its own."""

    def __call__(self, *arguments: object, **values: object) -> Any: ...


# the paper's networks and losses, small; a target with a memory of ten steps
PAPER = {
    "encoder": "reference",
    "predictor": "reference",
    "loops": 1,
    "predictor_loops": 1,
    "transition_steps": 90,
    "transition_batch": 24,
    "transition_rate": 1e-3,
    "warmup": 5,
    "edit_steps": 0,
    "next_steps": 0,
    "delta_origin": "online",
    "covariance_of": "covariances",
    "covariance_weight": 0.01,
    "variance_weight": 0,
    "sibling_weight": 0,
    "composition_weight": 0,
    "quantise_from": 1,
    "evaluate_every": 30,
    "threads": 1,
}


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def run(train: Train, history: Path, output: Path, **values: object) -> tuple[Any, list[dict[str, Any]]]:
    done = train(history, "--output", output, "--preset", "smoke", "--from", "scratch", **{**PAPER, **values})
    return done, records(output)


def test_a_fast_target_sounds_the_alarm_while_the_loss_still_falls(train: Train, history: Path, tmp_path: Path) -> None:
    done, log = run(train, history, tmp_path / "fast", decay=0.9)
    assert done.returncode == 0, done.stderr
    (alarm,) = [record for record in log if "alarm" in record]
    losses = [record["loss"] for record in log if "loss" in record]
    assert losses[-1] < losses[0]  # the curve everybody watches looks like success
    assert alarm["step"] < 75
    last = [record for record in log if record.get("evaluation")][-1]
    assert last["copy_indicator"] > alarm["copy_indicator"]  # it was only the beginning
    assert "decay = 0.9" in alarm["alarm"]
    assert "Set decay = 1.0" in alarm["alarm"]
    assert "COLLAPSE at step" in done.stderr.replace("\n", " ")


@pytest.mark.parametrize("decay", [1.0, 0.99999])
def test_a_static_target_never_sounds_it(train: Train, history: Path, tmp_path: Path, decay: float) -> None:
    done, log = run(train, history, tmp_path / "static", decay=decay)
    assert done.returncode == 0, done.stderr
    assert not [record for record in log if "alarm" in record]
    assert "COLLAPSE" not in done.stderr


def test_stopping_on_collapse_names_cause_and_remedy(train: Train, history: Path, tmp_path: Path) -> None:
    done, log = run(train, history, tmp_path / "stopped", decay=0.9, on_collapse="stop")
    assert done.returncode == 1
    said = " ".join(done.stderr.split())
    assert "follows the online one too fast" in said
    assert "Traceback" not in said
    assert not [record for record in log if record.get("step", 0) > 80]


def test_fixing_a_collapse_brings_the_indicator_back(train: Train, history: Path, tmp_path: Path) -> None:
    done, log = run(train, history, tmp_path / "fixed", decay=0.9, on_collapse="fix")
    assert done.returncode == 0, done.stderr
    (alarm,) = [record for record in log if "alarm" in record]
    assert [record["step"] for record in log if "fixed" in record] == [alarm["step"]]
    last = [record for record in log if record.get("evaluation")][-1]
    assert last["copy_indicator"] < alarm["copy_indicator"]

"""Sweeps: what a file may say, that a stopped one goes on, and what is left of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from codewm_lsp.errors import OptionError
from codewm_model.cli.train_app import app
from codewm_model.training.leaderboard import Trial
from codewm_model.training.sweep import run_sweep
from codewm_model.training.sweep_file import read_sweep
from codewm_model.training.trainer import Interrupted
from tests.postgres_server import postgres

__all__ = ["postgres"]

FILE = """
name = "a small sweep"
trials = {trials}
metric = "transition/copy_indicator"
direction = "minimize"
sampler = "{sampler}"

[data]
repositories = [{repository}]

[settings]
preset = "smoke"

[settings.training]
threads = 1
transition_steps = 4
edit_steps = 0
next_steps = 0
predictor_steps = 0
checkpoint_every = 1
evaluate_every = 2

[search]
{search}
"""
SEARCH = '"training.transition_rate" = {low = 1e-4, high = 1e-2, log = true}\narchitecture.loops = {low = 1, high = 2}'


def written(folder: Path, history: Path, *, trials: int = 3, sampler: str = "random", search: str = SEARCH) -> Path:
    file = folder / "sweep.toml"
    text = FILE.format(repository=json.dumps(str(history)), trials=trials, sampler=sampler, search=search)
    file.write_text(text, encoding="utf-8")
    return file


def swept(file: Path, folder: Path, stop: Callable[[], bool] = lambda: False, database: str = "") -> list[Trial]:
    return run_sweep(
        read_sweep(file),
        folder,
        device=torch.device("cpu"),
        mining=lambda name, done, total: None,
        step=lambda stage, step, total, loss: None,
        stop=stop,
        done=lambda trial: None,
        database=database,
    )


def test_a_stopped_sweep_goes_on_to_the_same_leaderboard(history: Path, tmp_path: Path) -> None:
    file = written(tmp_path, history)
    whole = swept(file, tmp_path / "whole")
    asked: list[int] = []

    def stop() -> bool:  # in the middle of the second trial
        asked.append(1)
        return len(asked) == 6

    with pytest.raises(Interrupted):
        swept(file, tmp_path / "parts", stop)
    parts = swept(file, tmp_path / "parts")
    assert [(t.number, t.value, t.settings) for t in parts] == [(t.number, t.value, t.settings) for t in whole]
    assert len(whole) == 3
    values = [trial.value for trial in whole if trial.value is not None]
    assert values == sorted(values)
    more = swept(written(tmp_path, history, trials=4), tmp_path / "parts")
    assert len(more) == 4


def test_machines_share_a_sweep_in_a_database(history: Path, tmp_path: Path, postgres: Any) -> None:
    address = postgres.get_uri()
    file = written(tmp_path, history, trials=4)
    asked: list[int] = []

    def stop() -> bool:  # in the middle of the second trial of the first machine
        asked.append(1)
        return len(asked) == 6

    with pytest.raises(Interrupted):
        swept(file, tmp_path / "first", stop, address)
    second = swept(file, tmp_path / "second", database=address)
    assert len(second) == 3, "three have ended; the fourth is the first machine's, which is only stopped"
    assert len({trial.number for trial in second}) == 3
    first = swept(file, tmp_path / "first", database=address)
    assert sorted(trial.number for trial in first) == [0, 1, 2, 3]
    ran = [sorted(folder.name for folder in (tmp_path / name / "trials").iterdir()) for name in ("first", "second")]
    assert ran == [["0000", "0001"], ["0002", "0003"]], "each has gone on with its own, and with no other's"
    other = written(tmp_path, history, trials=4, search="architecture.loops = {low = 1, high = 3}")
    with pytest.raises(OptionError, match="the database holds a sweep 'a small sweep' with other settings or data"):
        swept(other, tmp_path / "third", database=address)


def test_what_is_wrong_with_a_database_is_said_without_its_password(history: Path, tmp_path: Path) -> None:
    file = written(tmp_path, history)
    with pytest.raises(OptionError, match="the database of the sweep cannot be used") as raised:
        swept(file, tmp_path / "a", database="postgresql://ada:secret@127.0.0.1:1/x")
    assert "secret" not in str(raised.value)
    with pytest.raises(OptionError, match="address of a PostgreSQL database"):
        swept(file, tmp_path / "b", database="mysql://ada@host/x")


def test_the_leaderboard_is_text_numbers_and_pictures(history: Path, tmp_path: Path) -> None:
    search = '"architecture.encoder" = ["mlp", "looped"]\n"training.transition_rate" = [1e-3, 1e30]'
    file = written(tmp_path, history, trials=4, sampler="grid", search=search)
    done = CliRunner().invoke(app, ["sweep", str(file), "--device", "cpu"])
    assert done.exit_code == 0, done.output
    folder = tmp_path / "sweep"
    told = json.loads((folder / "leaderboard.json").read_text(encoding="utf-8"))
    tried = {(t["settings"]["architecture.encoder"], t["settings"]["training.transition_rate"]) for t in told["trials"]}
    assert len(tried) == 4
    best, *_, worst = told["trials"]
    assert best["rank"] == 1
    assert best["settings"]["training.transition_rate"] == 1e-3
    assert "not a number" in worst["failure"]
    assert worst["rank"] is None
    table = (folder / "leaderboard.md").read_text(encoding="utf-8")
    assert "| 1 |" in table
    assert "failed: " in table
    assert (folder / "leaderboard.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (folder / "leaderboard.svg").read_text(encoding="utf-8")
    assert f"best of 4: trial {best['trial']}" in done.stdout
    again = CliRunner().invoke(app, ["sweep", str(file), "--device", "cpu"])
    assert again.exit_code == 0
    assert json.loads((folder / "leaderboard.json").read_text(encoding="utf-8")) == told


def test_a_folder_with_another_sweep_is_left_alone(history: Path, tmp_path: Path) -> None:
    swept(written(tmp_path, history, trials=1), tmp_path / "out")
    with pytest.raises(OptionError, match="holds a sweep with other settings"):
        swept(written(tmp_path, history, trials=1, search='"training.clip" = [1.0, 2.0]'), tmp_path / "out")


def test_a_figure_that_is_not_measured_is_answered_with_those_that_are(history: Path, tmp_path: Path) -> None:
    file = written(tmp_path, history, trials=1)
    file.write_text(file.read_text(encoding="utf-8").replace("copy_indicator", "copy_indicater"), encoding="utf-8")
    with pytest.raises(OptionError, match=r"no evaluation gives .*transition/copy_indicator"):
        swept(file, tmp_path / "out")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("trials = 3", "trials = 0", "trials in {file} is 0: it must be at least 1"),
        ("trials = 3", "trails = 3", "unknown key 'trails' in {file}; did you mean 'trials'?"),
        ("trials = 3", "trials = 3\nbudget = 4", "unknown key 'budget' in {file}"),
        ('"minimize"', '"up"', "direction in {file} must be one of 'maximize', 'minimize', not 'up'"),
        ('"transition/copy_indicator"', '"loss"', "write stage/figure"),
        ("training.transition_rate", "training.transition_rat", "did you mean 'transition_rate'?"),
        ("{low = 1, high = 2}", "{low = 1, high = 'x'}", "architecture.loops must be a whole number, not 'x'"),
        ("{low = 1, high = 2}", "{low = 2, high = 1}", "low must be below high"),
        ("{low = 1, high = 2}", "3", "write a list of values"),
        ('sampler = "random"', 'sampler = "grid"', "needs lists of values"),
        ("[data]", "[date]", "unknown key 'date' in {file}; did you mean 'data'?"),
        ("[data]", "[data]\ncorpus = 'c'", "name either repositories or a corpus"),
        ("threads = 1", "thread = 1", "unknown setting 'thread' of [training] in [settings] of {file}"),
        ("name =", "format = 9\nname =", "newer version of CodeWM"),
    ],
)
def test_a_wrong_file_is_answered_before_anything_is_trained(
    history: Path, tmp_path: Path, old: str, new: str, said: str
) -> None:
    file = written(tmp_path, history)
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(OptionError) as failure:
        read_sweep(file)
    assert said.format(file=file) in str(failure.value)

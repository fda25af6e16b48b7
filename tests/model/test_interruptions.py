"""Training that is stopped, killed or runs out of disk: what is lost, what is said, and how it goes on."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from codewm_lsp.errors import OptionError, TrainingError
from codewm_model.artifacts.run_folder import CHECKPOINT
from codewm_model.settings.config import PRESETS
from codewm_model.settings.toml_files import overridden
from codewm_model.training.checkpoint import Checkpoint, read_checkpoint
from codewm_model.training.loading import mined, of_clones
from codewm_model.training.train_from import RunSettings, train_from
from codewm_model.training.trainer import Interrupted

resource = pytest.importorskip("resource", reason="signals and limits of a process are a matter of POSIX")

STEPS, INTERVAL = 100, 25
SETTINGS = (
    "threads=1",
    f"transition_steps={STEPS}",
    "edit_steps=0",
    "next_steps=0",
    "predictor_steps=0",
    "transition_batch=4",
    "window=1",
    "architecture.state_size=32",
    "evaluate_every=1000",
    f"checkpoint_every={INTERVAL}",
    "quantise_from=1.0",
)


def command(history: Path, output: Path, *more: str) -> list[str]:
    chosen = [part for setting in SETTINGS for part in ("--set", setting)]
    cache = output.parent / "cache"
    return [
        *(
            sys.executable,
            "-m",
            "codewm_model.cli",
            "run",
            str(history),
            "--output",
            str(output),
            "--cache",
            str(cache),
        ),
        *("--preset", "smoke", "--from", "scratch", "--no-export", *chosen, *more),
    ]


def logged(folder: Path) -> list[int]:
    """The steps in the log, which has a line for every 25th."""
    file = folder / "log.jsonl"
    found = []
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        try:
            record = json.loads(line)
        except ValueError:
            continue  # being written
        if "loss" in record:
            found.append(int(record["step"]))
    return found


def started(arguments: list[str], folder: Path, step: int) -> subprocess.Popen[str]:
    """The trainer, as soon as it has logged a step."""
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 500
    while max(logged(folder), default=0) < step:
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        assert time.monotonic() < until
        time.sleep(0.02)
    return process


def trained(history: Path, folder: Path, *settings: str, resume: bool = False, stop_after: int = 1 << 30) -> Checkpoint:
    """The checkpoint of a run to its end, or stopped after so many steps, in this process."""
    config = overridden(PRESETS["smoke"], [*SETTINGS, *settings])
    folder.mkdir(exist_ok=True)
    corpora = mined([history], folder.parent / "cache", config.training, lambda name, done, total: None)
    steps: list[int] = []
    try:
        train_from(
            RunSettings(
                folder, config, of_clones(corpora, [], None), checkpoint=read_checkpoint(folder) if resume else None
            ),
            advance=lambda stage, step, total, loss: steps.append(step),
            stop=lambda: len(steps) >= stop_after,
        )
    except Interrupted:
        assert len(steps) == stop_after
    return read_checkpoint(folder)


@pytest.fixture(scope="module")
def interrupted(history: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a run that was stopped with Ctrl-C after 25 steps, and what it said."""
    folder = tmp_path_factory.mktemp("interrupted") / "run"
    process = started(command(history, folder), folder, INTERVAL)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=500)
    assert process.returncode == 1
    return folder, said


def test_ctrl_c_loses_nothing_and_says_how_to_go_on(interrupted: tuple[Path, str]) -> None:
    folder, said = interrupted
    assert "stopped. Continue with --resume" in said
    assert "Traceback" not in said
    state = read_checkpoint(folder)
    assert state.step >= max(logged(folder))


def test_a_resumed_run_says_how_it_was_begun(interrupted: tuple[Path, str], history: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(interrupted[0], folder)
    shutil.copytree(interrupted[0].parent / "cache", tmp_path / "cache")
    minutes = read_checkpoint(folder).begun.minutes
    plain = [sys.executable, "-m", "codewm_model.cli", "run", str(history), "--output", str(folder), "--resume"]
    more = ["--cache", str(tmp_path / "cache"), "--no-export"]
    done = subprocess.run([*plain, *more], capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    training = json.loads((folder / "about.json").read_text(encoding="utf-8"))["training"]
    assert (training["preset"], training["from"]) == ("smoke", "scratch")
    assert training["minutes"] >= round(minutes, 1)


def test_twenty_steps_equal_ten_and_a_resumed_ten(history: Path, tmp_path: Path) -> None:
    whole = trained(history, tmp_path / "whole", "transition_steps=20", "quantise_from=0.5", "warmup=5")
    first = trained(history, tmp_path / "run", "transition_steps=20", "quantise_from=0.5", "warmup=5", stop_after=10)
    assert (first.step, first.finished) == (10, False)
    again = trained(history, tmp_path / "run", "transition_steps=20", "quantise_from=0.5", "warmup=5", resume=True)
    assert all(torch.equal(whole.model[name], again.model[name]) for name in whole.model)
    assert not all(torch.equal(whole.model[name], first.model[name]) for name in whole.model)


def test_a_killed_run_loses_one_interval_at_most_and_resumes_to_the_last_bit(
    interrupted: tuple[Path, str], history: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(interrupted[0], folder)
    shutil.copytree(interrupted[0].parent / "cache", tmp_path / "cache")
    process = started(command(history, folder, "--resume"), folder, 3 * INTERVAL)
    process.kill()
    process.communicate(timeout=500)
    state = read_checkpoint(folder)
    assert state.finished or state.step >= max(logged(folder)) - INTERVAL
    done = subprocess.run(
        command(history, folder, "--resume"), capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stderr
    assert logged(folder) == sorted(set(logged(folder)))  # what was lost is not in the log twice
    whole, parts = trained(history, tmp_path / "whole"), read_checkpoint(folder)
    assert parts.finished
    assert all(torch.equal(whole.model[name], parts.model[name]) for name in whole.model)


def test_a_full_disk_leaves_the_last_whole_checkpoint(
    interrupted: tuple[Path, str], history: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(interrupted[0], folder)
    shutil.copytree(interrupted[0].parent / "cache", tmp_path / "cache")
    before = (folder / CHECKPOINT).read_bytes()
    limit = 200_000  # bytes in a file: less than a checkpoint, more than the log
    done = subprocess.run(
        command(history, folder, "--resume"),
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert f"checkpoint in {folder} could not be written" in done.stderr
    assert "free some disk space and resume" in done.stderr
    assert (folder / CHECKPOINT).read_bytes() == before
    assert trained(history, folder, resume=True).finished


def test_a_loss_that_is_not_a_number_stops_with_the_setting_to_change(history: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="is not a number at step") as failure:
        trained(history, tmp_path / "run", "transition_rate=1e30", "transition_steps=10", "warmup=0")
    assert "lower transition_rate (now 1e+30)" in str(failure.value)
    assert "--resume" in str(failure.value)


@pytest.mark.parametrize(
    ("spoil", "error", "said"),
    [
        (lambda file: file.write_bytes(file.read_bytes()[:1000]), TrainingError, "is damaged"),
        (lambda file: file.write_bytes(b""), TrainingError, "is damaged"),
        (lambda file: torch.save({"format": 99}, file), OptionError, "newer version of CodeWM"),
        (lambda file: torch.save({"config": "{}"}, file), TrainingError, "is damaged"),
        (lambda file: file.unlink(), TrainingError, "has no checkpoint. Leave out --resume"),
    ],
    ids=["cut", "empty", "newer", "foreign", "none"],
)
def test_a_checkpoint_that_cannot_be_used_is_named(
    interrupted: tuple[Path, str],
    tmp_path: Path,
    spoil: Callable[[Path], object],
    error: type[Exception],
    said: str,
) -> None:
    file = tmp_path / CHECKPOINT
    shutil.copy(interrupted[0] / CHECKPOINT, file)
    spoil(file)
    with pytest.raises(error, match=said) as failure:
        read_checkpoint(tmp_path)
    assert str(tmp_path) in str(failure.value)


def test_a_configuration_of_a_newer_checkpoint_is_refused(interrupted: tuple[Path, str], tmp_path: Path) -> None:
    state = torch.load(interrupted[0] / CHECKPOINT, weights_only=True)
    newer = json.loads(state["config"]) | {"format": 99}
    torch.save(state | {"config": json.dumps(newer)}, tmp_path / CHECKPOINT)
    with pytest.raises(OptionError, match="newer version of CodeWM"):
        read_checkpoint(tmp_path)
    assert read_checkpoint(interrupted[0]).config.training.transition_steps == STEPS

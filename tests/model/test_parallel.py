"""Data-parallel training: real processes under torchrun, talking over gloo."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from codewm_model.data.repository_corpus import build
from codewm_model.training.checkpoint import read_checkpoint

TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
ONE_STEP = Path(__file__).with_name("one_step.py")


def python(*arguments: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def both(history: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, torch.Tensor], ...]:
    """One step of every stage, by one process and by two."""
    folder = tmp_path_factory.mktemp("parallel")
    corpus = build(history, folder, edits=400)
    python(ONE_STEP, corpus, folder / "one.pt")
    python(*TORCHRUN, ONE_STEP, corpus, folder / "two.pt")
    one, two = (torch.load(folder / name, weights_only=True) for name in ("one.pt", "two.pt"))
    assert (int(one.pop("processes")), int(two.pop("processes"))) == (1, 2)
    return one, two


@pytest.mark.parametrize("stage", ["transition", "edit", "next", "predictor"])
def test_two_processes_have_the_losses_of_one(both: tuple[dict[str, torch.Tensor], ...], stage: str) -> None:
    one, two = both
    names = [name for name in one if name.startswith(f"{stage}/loss/")]
    assert len(names) > 1
    for name in names:
        torch.testing.assert_close(two[name], one[name], rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.parametrize("stage", ["transition", "edit", "next", "predictor"])
def test_two_processes_have_the_gradients_of_one(both: tuple[dict[str, torch.Tensor], ...], stage: str) -> None:
    one, two = both
    names = [name for name in one if name.startswith(f"{stage}/gradient/")]
    assert set(names) == {name for name in two if name.startswith(f"{stage}/gradient/")}
    for name in names:
        largest = float(one[name].abs().max())
        assert float((one[name] - two[name]).abs().max()) <= 1e-3 * largest + 1e-6, name


def test_only_the_first_process_writes_and_both_stop_with_a_whole_run(history: Path, tmp_path: Path) -> None:
    arguments = ("--preset", "smoke", "--from", "scratch", "--no-export", "--set", "threads=1")
    command = ("-m", "codewm_model.cli", "run", history, "--output", tmp_path / "run", *arguments)
    done = python(*TORCHRUN, *command)
    assert (tmp_path / "run" / "model.safetensors").exists()
    assert read_checkpoint(tmp_path / "run").finished
    records = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    evaluations = [(record["stage"], record["step"]) for record in records if record.get("evaluation")]
    assert evaluations == sorted(set(evaluations), key=evaluations.index)
    assert done.stderr.count("transition 3:") == 1

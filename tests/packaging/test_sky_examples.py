"""The examples for rented machines: SkyPilot reads them, and what they run is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "examples" / "sky"
FILES = sorted(FOLDER.glob("*.yaml"))
COMMANDS = {"train.yaml": "run", "study.yaml": "study collapse", "sweep.yaml": "sweep"}


def test_there_is_one_for_each_long_command() -> None:
    assert {file.name for file in FILES} == set(COMMANDS)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_skypilot_reads_it(file: Path) -> None:
    sky = pytest.importorskip(
        "sky",
        reason="NOT TESTED: SkyPilot is not installed (pip install skypilot), and its loader has not read the file",
    )
    secrets = {"CODEWM_SWEEP_DATABASE": "postgresql://ada@example.org/sweeps"}
    config = yaml.safe_load(file.read_text(encoding="utf-8"))
    task = sky.Task.from_yaml_config(config, secrets_overrides={k: secrets[k] for k in config.get("secrets", {})})
    assert task.name == f"codewm-{file.stem}"
    assert "/checkpoints" in task.storage_mounts, "what a run leaves outlasts its machine"
    assert all(resources.use_spot for resources in task.resources)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_option_that_it_gives_is_one_of_the_command(file: Path) -> None:
    typer = pytest.importorskip("typer")
    app = pytest.importorskip("codewm_model.cli.train_app").app
    command: Any = typer.main.get_command(app)
    for name in COMMANDS[file.name].split():
        command = command.commands[name]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    run = yaml.safe_load(file.read_text(encoding="utf-8"))["run"].replace("\\\n", " ")
    (line,) = (line for line in run.splitlines() if line.startswith("codewm-train"))
    given = set(re.findall(r"(?<= )(--?[a-z][a-z-]*)", line)) | set(re.findall(r"echo \"?(--[a-z-]+)", run))
    assert given
    assert given <= known


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_installs_extras_that_there_are(file: Path) -> None:
    setup = yaml.safe_load(file.read_text(encoding="utf-8"))["setup"]
    (extras,) = re.findall(r"pip install '\.\[([a-z,]+)\]'", setup)
    project = (FOLDER.parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    assert all(re.search(rf"^{extra} = \[", project, re.MULTILINE) for extra in extras.split(","))

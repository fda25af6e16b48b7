"""The wheel, installed alone into a fresh environment, is all that an editor needs: no torch, the model within."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOT_SOURCE = (
    ".git",
    ".venv",
    "build",
    "dist",
    "node_modules",
    "*.egg-info",
    "__pycache__",
    ".*_cache",
    "tests",
)
BUNDLE_BYTES = 600_000
FORGOTTEN, FORGOTTEN_BYTES = "codewm_lsp/models/missing-files.npz", 130_000
SCRIPTS = "Scripts" if os.name == "nt" else "bin"


def run(*command: str | Path, **how: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
        **how,
    )


def not_source(folder: str, names: list[str]) -> set[str]:
    """Which of ``names`` in ``folder`` are left behind."""
    left = shutil.ignore_patterns(*NOT_SOURCE)(folder, names)
    return {*left, "runs"} if Path(folder) == ROOT else set(left)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as it is published, from the source distribution; from a copy, for building leaves files behind."""
    source = tmp_path_factory.mktemp("source") / "codewm"
    shutil.copytree(ROOT, source, ignore=not_source)
    target = tmp_path_factory.mktemp("dist")
    done = run(sys.executable, "-m", "build", "--outdir", target, source)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(target.glob("*.tar.gz"))) == 1
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of an environment that holds the wheel and what it depends on, nothing else."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    commands = folder / SCRIPTS
    done = run(sys.executable, "-m", "pip", "--python", commands / "python", "install", "--quiet", wheel)
    assert done.returncode == 0, done.stdout + done.stderr
    return commands


@pytest.fixture
def alone(tmp_path: Path) -> dict[str, str]:
    """Environment variables that lead to nothing of the user's, nor to this checkout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "GIT_"))}
    return {
        **kept,
        "CODEWM_CACHE": str(tmp_path / "cache"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "HOME": str(tmp_path),
    }


@pytest.fixture
def repository(make_repository: Callable[..., Any]) -> Path:
    """Three commits that each add the same parameter to another function."""
    made = make_repository("history")
    names = ("get", "post", "put")
    for number in range(4):
        parts = [
            f"def {name}(url{', timeout=30' if at < number else ''}):\n"
            f"    return send(url{', timeout=timeout' if at < number else ''})\n"
            for at, name in enumerate(names)
        ]
        made.commit(f"Timeouts: {number}", {"client.py": "\n\n".join(parts)})
    return made.path


def test_the_wheel_holds_the_packages_the_licence_and_the_model(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    assert {name.split("/")[0] for name in sizes} == {
        "codewm_lsp",
        "codewm_model",
        "codewm_export",
        "-".join(wheel.name.split("-")[:2]) + ".dist-info",
    }
    assert "codewm_lsp/py.typed" in sizes
    assert 0 < sizes["codewm_lsp/index/reranker.npz"] <= 10_000
    assert 0 < sizes["codewm_lsp/index/search.npz"] <= 2_000
    viewer = {name for name in sizes if name.startswith("codewm_lsp/explore/viewer/")}
    assert {Path(name).suffix for name in viewer} == {".html", ".css", ".js"}
    assert any(name.endswith("LICENSE") for name in sizes)
    bundle = {
        name: size
        for name, size in sizes.items()
        if name.startswith("codewm_lsp/models/") and not name.endswith((".py", ".md"))
    }
    assert any(name.endswith(".onnx") for name in bundle)
    assert any(name.endswith("model.json") for name in bundle)
    assert bundle.pop(FORGOTTEN) <= FORGOTTEN_BYTES
    assert sum(bundle.values()) <= BUNDLE_BYTES, bundle


def test_torch_does_not_come_with_it(environment: Path) -> None:
    done = run(sys.executable, "-m", "pip", "--python", environment / "python", "list", "--format=json")
    names = {package["name"].lower() for package in json.loads(done.stdout)}
    assert {"codewm", "onnxruntime", "pygls"} <= names
    assert not {"torch", "onnx", "safetensors", "matplotlib"} & names


def test_the_doctor_is_content(environment: Path, alone: dict[str, str], repository: Path) -> None:
    done = run(environment / "codewm", "doctor", "-C", repository, env=alone)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "verified" in done.stdout


def test_similar_edits_are_found(environment: Path, alone: dict[str, str], repository: Path) -> None:
    done = run(environment / "codewm", "similar", "--json", "-C", repository, env=alone)
    assert done.returncode == 0, done.stderr
    best = json.loads(done.stdout)["edits"][0]
    assert best["definition"] in ("get", "post")
    assert best["kind"] == "modified"


def test_the_language_server_starts_and_stops(environment: Path, alone: dict[str, str], repository: Path) -> None:
    messages = [
        {
            "id": 1,
            "method": "initialize",
            "params": {"processId": None, "rootUri": repository.as_uri(), "capabilities": {}},
        },
        {"method": "initialized", "params": {}},
        {"id": 2, "method": "shutdown"},
        {"method": "exit"},
    ]
    bodies = [json.dumps({"jsonrpc": "2.0", **message}) for message in messages]
    text = "".join(f"Content-Length: {len(body)}\r\n\r\n{body}" for body in bodies)
    done = subprocess.run(
        [environment / "codewm-lsp", "--stdio"],
        input=text.encode(),
        capture_output=True,
        timeout=60,
        env=alone,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert b'"codeLensProvider"' in done.stdout


@pytest.mark.parametrize("command", ["codewm-train", "codewm-export"])
def test_training_says_what_to_install(
    environment: Path, wheel: Path, alone: dict[str, str], repository: Path, command: str
) -> None:
    done = run(environment / command, repository, "--output", repository.parent / "out", env=alone)
    assert done.returncode != 0
    assert f"{wheel.name}[train]" in done.stderr, done.stderr  # with where it was installed from
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("command", "extra"), [("codewm-train", "train"), ("codewm-export", "train"), ("codewm eval", "eval")]
)
def test_help_needs_no_extra_and_says_what_to_install(
    environment: Path, wheel: Path, alone: dict[str, str], command: str, extra: str
) -> None:
    program, *arguments = command.split()
    done = run(environment / program, *arguments, "--help", env=alone)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: {command} ")
    assert f"{wheel.name}[{extra}]" in done.stdout

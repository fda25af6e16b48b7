"""What the workflows call is there, and they are given no more than they need."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
PYTHONS = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', (ROOT / "pyproject.toml").read_text("utf-8"))


def load(file: Path) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return found


def steps(workflow: dict[Any, Any]) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job.get("steps", ())


def commands(workflow: dict[Any, Any]) -> Iterator[str]:
    yield from (step["run"] for step in steps(workflow) if "run" in step)


def test_there_is_one_for_each_purpose() -> None:
    assert [file.stem for file in FILES] == ["audit", "build", "docs", "release", "test"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_workflow_may_only_read_unless_one_job_says_otherwise(file: Path) -> None:
    workflow = load(file)
    assert workflow["permissions"] == {"contents": "read"}
    allowed = {"pypi": {"id-token": "write"}, "github": {"contents": "write"}, "publish": {"pages", "id-token"}}
    for name, job in workflow["jobs"].items():
        assert set(job.get("permissions", {})) <= set(allowed.get(name, {})), name
        assert "timeout-minutes" in job or "uses" in job, name
    assert "concurrency" in workflow or workflow[True].keys() == {"workflow_call"}  # YAML reads "on" as true


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_actions_are_pinned_and_others_workflows_are_our_own(file: Path) -> None:
    workflow = load(file)
    used = [step["uses"] for step in steps(workflow) if "uses" in step]
    assert used or any("uses" in job for job in workflow["jobs"].values())
    for action in used:
        owner, _, version = action.partition("@")
        assert re.fullmatch(r"v\d+|release/v\d+", version), action
        assert owner.startswith(("actions/", "pypa/")), action
    for job in workflow["jobs"].values():
        if "uses" in job:
            assert (ROOT / job["uses"]).is_file()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_is_called_exists(file: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    scripts = set((yaml.safe_load((ROOT / "vscode-extension" / "package.json").read_text("utf-8")))["scripts"])
    for command in commands(load(file)):
        for words in re.findall(r"\bmake ([a-z ]+)", command):
            assert set(words.split()) <= targets, command
        for name in re.findall(r"\bnpm run (\w+)", command):
            assert name in scripts, command
        for path in re.findall(r"(?<![\w/.-])((?:tests|scripts)/[\w./-]+)", command):
            assert (ROOT / path).exists(), command
        assert "${{" not in command or "matrix." in command, f"{command}: hand such words over in the environment"


def test_every_python_is_tested_on_every_system() -> None:
    jobs = load(FOLDER / "test.yml")["jobs"]
    assert PYTHONS == ["3.10", "3.11", "3.12", "3.13", "3.14"]
    assert jobs["linux"]["strategy"]["matrix"]["python"] == PYTHONS
    assert jobs["elsewhere"]["strategy"]["matrix"] == {"system": ["macos-latest", "windows-latest"], "python": PYTHONS}


def test_extras_that_are_installed_are_there() -> None:
    offered = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("[project.optional-dependencies]")[2]
    text = "\n".join(file.read_text(encoding="utf-8") for file in FILES)
    wanted = set(re.findall(r"\.\[(\w+)\]", text))
    assert wanted
    for extra in wanted:
        assert f"\n{extra} = [" in offered


def test_only_a_tag_that_everything_agrees_with_is_released(tmp_path: Path) -> None:
    shell = shutil.which("sh")
    if shell is None:
        pytest.skip("no sh on this system: the release is checked on Linux")
    files = ("codewm_lsp/__init__.py", "vscode-extension/package.json", "CHANGELOG.md", "scripts/published.py")
    pages = {name for name, _, _ in runpy.run_path(str(ROOT / "scripts" / "published.py"))["SAID"]}
    for name in ("scripts/release.sh", *files, *sorted(pages)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    version = re.findall(r'^__version__ = "(.*)"$', (ROOT / "codewm_lsp/__init__.py").read_text("utf-8"), re.MULTILINE)[
        0
    ]

    def check(tag: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [shell, str(tmp_path / "scripts" / "release.sh"), tag],
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            timeout=60,
        )

    changes = tmp_path / "CHANGELOG.md"
    text = changes.read_text(encoding="utf-8")
    changes.write_text(re.sub(rf"## \[{version}\].*", f"## [{version}] – 2030-01-31", text), encoding="utf-8")
    package = tmp_path / "vscode-extension" / "package.json"
    told = package.read_text(encoding="utf-8").replace('"published": true', '"published": false')
    package.write_text(told, encoding="utf-8")
    assert '"published": false' in check(f"v{version}").stderr
    package.write_text(told.replace('"published": false', '"published": true'), encoding="utf-8")
    assert "README.md is not as" in check(f"v{version}").stderr
    subprocess.run([sys.executable, str(tmp_path / "scripts" / "published.py")], check=True, timeout=60)
    good = check(f"v{version}")
    assert good.returncode == 0, good.stderr
    assert "### Added" in good.stdout
    assert "## [" not in good.stdout

    other = check("v99.0.0")
    assert (other.returncode, other.stdout) == (1, "")
    assert "codewm_lsp/__init__.py" in other.stderr

    changes.write_text(re.sub(rf"## \[{version}\].*", f"## [{version}] – unreleased", text), encoding="utf-8")
    assert "unreleased" in check(f"v{version}").stderr

    package.write_text(package.read_text(encoding="utf-8").replace(f'"{version}"', '"0.0.9"', 1), encoding="utf-8")
    assert "package.json says 0.0.9" in check(f"v{version}").stderr

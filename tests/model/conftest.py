"""A real history to train on, and one finished run over it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

WORDS = ("alpha", "beta", "gamma", "delta", "kappa", "sigma", "omega", "theta")


def write_history(path: Path, commits: int = 60) -> Path:
    """A repository in which every commit changes two functions in the same way, in one or two files."""
    path.mkdir(parents=True)

    def git(*arguments: str, stdin: str | None = None) -> None:
        identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false")
        subprocess.run(
            ["git", *identity, *arguments], cwd=path, check=True, capture_output=True, text=True, input=stdin
        )

    git("init", "--quiet")
    bodies = {word: [f"    value = {word}_start(source)"] for word in WORDS}
    for number in range(commits):
        first, second = WORDS[number % 8], WORDS[(number * 3 + 1) % 8]
        for word in {first, second}:
            bodies[word].append(f"    value = check_{number % 11}(value, limit={number})")
            if len(bodies[word]) > 6:
                del bodies[word][1]
        for file, names in (("core.py", WORDS[:4]), ("extra.py", WORDS[4:])):
            text = "import os\n\n\n" + "\n\n\n".join(
                f"def {word}(source):\n" + "\n".join(bodies[word]) + "\n    return value" for word in names
            )
            (path / file).write_text(text + "\n", encoding="utf-8")
        git("add", "--all")
        git("commit", "--quiet", "--message", f"Check {number}")
    return path


class Trainer:
    """Runs the real ``codewm-train`` in a process of its own."""

    def __call__(self, *arguments: object, **values: object) -> subprocess.CompletedProcess[str]:
        """``values`` become ``--set NAME=VALUE``."""
        chosen = [part for name, value in values.items() for part in ("--set", f"{name}={value}")]
        return subprocess.run(
            [sys.executable, "-c", "from codewm_model.cli import main; main()", *map(str, arguments), *chosen],
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )


@pytest.fixture(scope="session")
def train() -> Trainer:
    """``train(repository, "--output", folder, steps=3)``."""
    return Trainer()


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository."""
    return write_history(tmp_path_factory.mktemp("history") / "repository")


@pytest.fixture(scope="session")
def finished(history: Path, train: Trainer, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A smoke run from scratch: its folder and what was printed."""
    output = tmp_path_factory.mktemp("run") / "mine"
    done = train(history, "--output", output, "--preset", "smoke", "--from", "scratch")
    assert done.returncode == 0, done.stderr
    return output, done.stdout

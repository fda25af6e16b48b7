"""A repository with a small history of Python edits, and `codewm` run as users run it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.postgres_server import make_address, postgres

__all__ = ["make_address", "postgres"]

FUNCTIONS = ("get", "post", "put", "delete")


def client(timeouts: Sequence[str], retries: bool = False) -> str:
    """A module of four functions; those in ``timeouts`` have a timeout."""
    parts = ['"""Talk to a server."""\n\nimport transport\n']
    for name in FUNCTIONS:
        extra = ", timeout=30" if name in timeouts else ""
        passed = ", timeout=timeout" if name in timeouts else ""
        again = "    if not answer.ok:\n        raise ServerError(answer)\n" if retries else ""
        parts.append(
            f"\n\ndef {name}(url{extra}):\n"
            f"    answer = transport.send({name!r}, url{passed})\n{again}    return answer\n"
        )
    return "".join(parts)


def server(timeouts: Sequence[str]) -> str:
    """A module with a class whose methods go along with the functions of the client."""
    parts = ["class Handler:\n    limit = 10\n"]
    for name in FUNCTIONS:
        passed = "request.timeout" if name in timeouts else "None"
        parts.append(f"\n    def on_{name}(self, request):\n        return self.reply(request, {passed})\n")
    return "".join(parts)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the history is kept once it is written: the tests work on copies."""
    return tmp_path_factory.mktemp("template") / "history"


@pytest.fixture
def history(make_repository: Any, template: Path) -> Any:
    """Seven commits; the last one gives ``delete`` and ``Handler.on_delete`` the timeout that the others have."""
    repository = make_repository("history")
    if not template.exists():
        _write_history(repository.commit)
        shutil.copytree(repository.path, template)
    else:
        shutil.copytree(template, repository.path, dirs_exist_ok=True)
        repository.clock += 7 * 3600
    return repository


def _write_history(commit: Callable[..., str]) -> None:
    commit("Start", {"client.py": client(()), "server.py": server(()), "notes.txt": "notes\n"})
    for number, name in enumerate(FUNCTIONS[:3], 1):
        done = FUNCTIONS[:number]
        commit(f"Add a timeout to {name}()", {"client.py": client(done), "server.py": server(done)})
    commit("Say more", {"notes.txt": "more notes\n"}, author="Grace Hopper <grace@example.org>")
    commit("Raise when the server fails", {"client.py": client(FUNCTIONS[:3], retries=True)})
    commit("Add a timeout to delete()", {"client.py": client(FUNCTIONS, retries=True), "server.py": server(FUNCTIONS)})


@pytest.fixture
def codewm(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """``codewm("similar", "-C", path)`` → the finished process; its index is in the test's temporary folder."""

    def run(
        *arguments: str | Path, stdin: str = "", cwd: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from codewm_lsp.cli import main; main()", *map(str, arguments)],
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
            cwd=cwd or tmp_path,
            env={
                **os.environ,
                "CODEWM_CACHE": str(tmp_path / "cache"),
                "HOME": str(tmp_path / "home"),
                "LOCALAPPDATA": str(tmp_path / "local"),
                "PYTHONIOENCODING": "utf-8",
                "XDG_STATE_HOME": str(tmp_path / "state"),
                **environment,
            },
            check=False,
        )

    return run

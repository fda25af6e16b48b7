"""A repository made by somebody who means harm, and the real programs to open it with."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.server.conftest import server_environment, start_editor

__all__ = ["server_environment", "start_editor"]

Run = Callable[..., "subprocess.CompletedProcess[str]"]
COMMAND = (sys.executable, "-c", "from codewm_lsp.cli import main; main()")

# What a terminal, a Markdown viewer, Rich and a person would each be driven by.
ATTACKS = (
    "\x1b]0;title\x07",
    "\x1b[2J\x1b[1;1H",
    "\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "\x1bP+q544e\x1b\\",
    "\x9b31mred",
    "\x9d0;title\x9c",
    "\u202egnp.exe\u2066",
    "[bold red]markup[/] [link=https://evil.example]x[/link] [/nothing]",
    "[click](command:workbench.action.terminal.new) ![x](https://evil.example/x.png) **b** `c` <img src=x onerror=a()>",
    "$(touch pwned) `touch pwned` %{!touch pwned} %!PS %n%s%d",
    "\a\b\b\b\r\x7f\x00"[:-1],
)
ATTACK = "Add timeout " + " ".join(ATTACKS)


def service(name: str, *, timeout: bool = False) -> str:
    """A module of one function; with ``timeout``, as after the change that every service goes through."""
    parameter, argument = (", timeout=30", ", timeout=timeout") if timeout else ("", "")
    return (
        f"import http\n\n\ndef fetch_{name}(url{parameter}):\n"
        f'    """Talk to {name}."""\n'
        f'    response = http.get(url + "/{name}"{argument})\n'
        "    return response.json()\n"
    )


@pytest.fixture
def codewm(tmp_path: Path) -> Run:
    """``codewm("similar", "-C", path)`` → the finished process; its index is in the test's temporary folder."""

    def run(*arguments: str | Path, prefix: tuple[str, ...] = (), **environment: str) -> Any:
        return subprocess.run(
            [*prefix, *COMMAND, *map(str, arguments)],
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=180,
            cwd=tmp_path,
            env={**os.environ, "CODEWM_CACHE": str(tmp_path / "cache"), "PYTHONIOENCODING": "utf-8", **environment},
            check=False,
        )

    return run


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A program that leaves a mark when it is run; the mark is ``trap.with_name("it-ran")``."""
    if sys.platform == "win32":
        pytest.skip("the traps are shell scripts")
    program = tmp_path / "trap.sh"
    program.write_text(f'#!/bin/sh\necho "$0 $@" >> "{tmp_path / "it-ran"}"\ncat\n', encoding="utf-8")
    program.chmod(0o755)
    return program

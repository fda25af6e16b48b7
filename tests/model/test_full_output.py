"""An output that cannot be written to, and an interrupt at the start: what `codewm` does, the others do, too."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = {"codewm-train": "codewm_model.cli", "codewm-export": "codewm_export.cli"}
full_disk = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")


def run(program: str, *arguments: str, shell: str) -> subprocess.CompletedProcess[str]:
    code = f"from {PROGRAMS[program]} import main; main()"
    return subprocess.run(
        ["sh", "-c", f'exec "$0" "$@" {shell}', sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@full_disk
@pytest.mark.parametrize(
    ("program", "arguments"),
    [("codewm-train", ("--help",)), ("codewm-train", ("config", "show")), ("codewm-export", ("--help",))],
)
def test_a_full_disk_behind_the_output_is_said_in_one_line(program: str, arguments: tuple[str, ...]) -> None:
    done = run(program, *arguments, shell=">/dev/full")
    assert done.returncode == 2
    assert done.stderr.startswith(f"{program}: Cannot write the answer: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors of POSIX")
def test_a_closed_output_is_said_in_one_line_and_a_reader_that_has_enough_is_no_failure() -> None:
    done = run("codewm-train", "--help", shell=">&-")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "standard output is closed" in done.stderr
    done = run("codewm-train", "--help", shell="| true")
    assert done.stderr == ""


@pytest.mark.skipif(sys.platform == "win32", reason="a program on Windows is ended without being asked")
@pytest.mark.parametrize("loaded", ["typer", "torch"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_an_interrupt_while_it_starts_ends_it_without_a_word(program: str, loaded: str) -> None:
    code = f"""
import builtins, os, signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever was inherited
real = builtins.__import__
def loading(name, *arguments, **named):
    if name == "{loaded}":
        os.kill(os.getpid(), signal.SIGINT)
    return real(name, *arguments, **named)
builtins.__import__ = loading
from {PROGRAMS[program]} import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code, "no-such"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")

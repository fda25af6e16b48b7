"""No home, no place for the index, no output, no terminal: an answer or one message, never a trace."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Codewm = Callable[..., subprocess.CompletedProcess[str]]
MAIN = "from codewm_lsp.cli import main; main()"
NOBODY = "import pwd\ndef unknown(number): raise KeyError(number)\npwd.getpwuid = unknown\n"
posix = pytest.mark.skipif(os.name != "posix", reason="descriptors and homes of POSIX")


def run(
    folder: Path, *arguments: str, program: str = MAIN, without: tuple[str, ...] = (), **options: Any
) -> subprocess.CompletedProcess[str]:
    """``codewm`` in ``folder``, with an environment of which ``without`` was taken and ``env`` was added."""
    environment = {name: value for name, value in os.environ.items() if name not in without}
    environment |= options.pop("env", {})
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=folder,
        env=environment,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
        **options,
    )


@posix
def test_a_user_without_a_home_gets_answers_from_an_index_in_memory(history: Any) -> None:
    without = ("HOME", "CODEWM_CACHE", "XDG_CACHE_HOME", "XDG_STATE_HOME")
    done = run(history.path, "similar", program=NOBODY + MAIN, without=without)
    assert done.returncode == 0
    assert "client.py" in done.stdout
    assert done.stderr.count("\n") == 1
    assert "HOME" in done.stderr
    assert history.git("status", "--porcelain", "--ignored") == ""  # no folder called "~"
    server = "import sys; from codewm_lsp.server import main; sys.exit(main())"
    ended = run(history.path, program=NOBODY + server, without=without, stdin=subprocess.DEVNULL)
    assert "Traceback" not in ended.stderr
    healthy = run(history.path, "doctor", program=NOBODY + MAIN, without=without)
    assert "Traceback" not in healthy.stderr
    assert "HOME" in healthy.stdout


@posix
@pytest.mark.parametrize("value", ["", ".", "some/folder"])
def test_nothing_is_written_where_a_relative_home_or_cache_leads(value: str, history: Any, tmp_path: Path) -> None:
    home = tmp_path / "home"
    for relative in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
        environment = {"HOME": str(home), relative: value}
        done = run(history.path, "similar", without=("CODEWM_CACHE", "XDG_CACHE_HOME"), env=environment)
        assert done.returncode == 0, done.stderr
        assert history.git("status", "--porcelain", "--ignored") == ""
    assert list(home.rglob("*.sqlite3"))
    told = "from codewm_lsp.folders import cache_folder; print(cache_folder())"
    done = run(history.path, program=told, without=("CODEWM_CACHE", "XDG_CACHE_HOME"), env={"HOME": value})
    assert done.stdout == "None\n" or Path(done.stdout.strip()).is_absolute()


def test_a_cache_folder_without_a_name_is_refused(history: Any, codewm: Codewm) -> None:
    """``--cache "$UNSET"`` would be the folder one stands in: the repository."""
    done = codewm("hints", "--cache", "", "-C", history.path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--cache" in done.stderr
    assert history.git("status", "--porcelain", "--ignored") == ""


@pytest.mark.parametrize("command", [["similar"], ["hints", "--json"], ["doctor"], ["--help"], ["similar", "--help"]])
def test_a_full_disk_behind_the_output_is_said_in_one_line(command: list[str], history: Any, tmp_path: Path) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    with open("/dev/full", "w") as full:
        done = run(history.path, *command, stdout=full, env={"CODEWM_CACHE": str(tmp_path / "cache")})
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("codewm: Cannot write the answer: ")


@posix
def test_closed_streams_are_survived(history: Any, tmp_path: Path) -> None:
    def started(redirections: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        shell = f'exec "$0" "$@" {redirections}'
        return subprocess.run(
            ["sh", "-c", shell, sys.executable, "-c", MAIN, *arguments],
            cwd=history.path,
            env={**os.environ, "CODEWM_CACHE": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    done = started(">&-", "similar")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "standard output is closed" in done.stderr
    for redirections in ("2>&-", "<&-", "<&- 2>&-"):
        done = started(redirections, "hints")
        assert done.returncode == 0
        assert "client.py" in done.stdout
        assert done.stderr == ""
    assert started(">&- 2>&-", "similar").returncode == 2
    done = started("<&-", "embed", "--states")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_locale_that_cannot_show_a_name_does_not_stop_an_answer(make_repository: Any, tmp_path: Path) -> None:
    made = make_repository("größe")
    for number in range(3):
        files = {f"{name}.py": f"def {name}():\n    return read({number})\n" for name in ("größe", "länge")}
        made.commit(f"Zähle {number}", files, author="Zoë <z@x.org>")
    environment = {"CODEWM_CACHE": str(tmp_path / "cache"), "LC_ALL": "C"}
    done = run(made.path, "hints", without=("LANG",), env={**environment, "PYTHONIOENCODING": "ascii:strict"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "Z\\xe4hle" in done.stdout
    if os.name == "posix":
        ascii_only = {"PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
        done = run(made.path, "hints", without=("LANG", "PYTHONIOENCODING"), env=environment | ascii_only)
        assert (done.returncode, done.stderr) == (0, "")
        assert "Z\\xe4hle" in done.stdout


def test_numbers_beyond_all_bounds_are_answered_or_refused(history: Any, codewm: Codewm) -> None:
    huge = "9" * 40
    for command in ("similar", "next", "hints"):
        assert codewm(command, "-k", huge, "-C", history.path).returncode == 0
    assert codewm("index", "--limit", huge, "-C", history.path).returncode == 0
    for option, values in {"-k": ("-1", "1.5", "nan"), "--index-seconds": ("-1", "nan", "-inf", "x")}.items():
        for value in values:
            done = codewm("similar", option, value, "-C", history.path)
            assert (done.returncode, done.stdout) == (2, ""), (option, value)
            assert option in done.stderr
            assert "Traceback" not in done.stderr


@posix
@pytest.mark.skipif(os.name == "nt", reason="a program on Windows is ended without being asked")
@pytest.mark.parametrize("ignored", [False, True])
def test_an_interrupt_while_it_starts_ends_it_without_a_word(ignored: bool) -> None:
    program = """
import builtins, os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN if {ignored} else signal.default_int_handler)  # whatever was inherited
real = builtins.__import__
def loading(name, *arguments, **named):
    if name == "codewm_lsp.errors":
        os.kill(os.getpid(), signal.SIGINT)
    return real(name, *arguments, **named)
builtins.__import__ = loading
from codewm_lsp.cli import main
sys.argv = ["codewm", "--version"]
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", program.format(ignored=ignored)], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.returncode == (0 if ignored else -signal.SIGINT)
    assert done.stdout.startswith("codewm ") is ignored


def test_a_folder_that_was_deleted_under_the_shell_is_said_to_be_so(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    done = run(tmp_path, "similar", program=f"import os; os.chdir({str(gone)!r}); os.rmdir({str(gone)!r}); {MAIN}")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "codewm: The current folder no longer exists. Change to another one.\n"

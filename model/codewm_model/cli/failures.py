"""What a person is told when a command fails, and the exit codes.

1: training cannot start or go on. 2: usage error (an option, a setting). 130: stopped with Ctrl-C.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

import typer

from codewm_lsp.cli.output import ReaderGoneError, give_up, prepare
from codewm_lsp.errors import CodewmError, OptionError, OutputError

FAILED: Final = 1
WRONG_USE: Final = 2
STOPPED: Final = 130
_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def failures_in_words(program: str = "codewm-train") -> Iterator[None]:
    """Say an expected failure of a program in one line on stderr and end with its exit code."""
    try:
        yield
    except OutputError:
        raise
    except OptionError as error:
        _say(program, str(error))
        raise typer.Exit(WRONG_USE) from None
    except CodewmError as error:
        _say(program, str(error))
        raise typer.Exit(FAILED) from None
    except OSError as error:
        remedy = "free some disk space and resume" if error.errno in _FULL else "check that it can be read and written"
        what = error.filename or "a file or standard output"
        _say(program, f"{what} cannot be used ({error.strerror or error}): {remedy}")
        raise typer.Exit(FAILED) from None
    except KeyboardInterrupt:
        _say(program, "stopped")
        raise typer.Exit(STOPPED) from None


def run_program(app: typer.Typer, program: str) -> NoReturn:
    """Run a program of typer's and end the process; that its output cannot be written is said in one line."""
    try:
        prepare()
        try:
            app()
        finally:
            sys.stdout.flush()
    except OutputError as error:
        give_up()
        if isinstance(error, ReaderGoneError):
            sys.exit(0)
        _say(program, str(error))
        sys.exit(WRONG_USE)
    sys.exit(0)


def _say(program: str, text: str) -> None:
    typer.echo(f"{program}: {text}", err=True)

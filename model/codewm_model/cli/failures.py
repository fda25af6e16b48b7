"""What a person is told when a command fails, and the exit codes.

1: training cannot start or go on. 2: wrong use (an option, a setting). 130: stopped with Ctrl-C.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import typer

from codewm_lsp.errors import CodewmError, OptionError

FAILED: Final = 1
WRONG_USE: Final = 2
STOPPED: Final = 130
_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def failures_in_words() -> Iterator[None]:
    """Say an expected failure in one line on stderr and end with its exit code."""
    try:
        yield
    except OptionError as error:
        _say(str(error))
        raise typer.Exit(WRONG_USE) from None
    except CodewmError as error:
        _say(str(error))
        raise typer.Exit(FAILED) from None
    except OSError as error:
        if error.errno not in _FULL:
            raise
        _say(f"{error.filename or 'a file'} could not be written ({error.strerror}): free some disk space and resume")
        raise typer.Exit(FAILED) from None
    except KeyboardInterrupt:
        _say("stopped")
        raise typer.Exit(STOPPED) from None


def _say(text: str) -> None:
    typer.echo(f"codewm-train: {text}", err=True)

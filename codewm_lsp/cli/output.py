"""The streams of a command: standard output whose failures are told from all others, and none that is missing."""

from __future__ import annotations

import io
import os
import sys
from typing import Final

from codewm_lsp.errors import OutputError

_WINDOWS_CLOSED_PIPE: Final = 22  # "invalid argument" is how Windows reports a pipe that nobody reads any more


class ReaderGoneError(OutputError):
    """Whoever read the output has enough of it."""


class _Output(io.TextIOWrapper):
    """Standard output. Raises ``OutputError`` rather than ``OSError``: a full disk here is not one of the cache."""

    def write(self, text: str, /) -> int:
        """As the text stream does."""
        try:
            return super().write(text)
        except OSError as error:
            raise _explained(error) from error

    def flush(self) -> None:
        """As the text stream does."""
        try:
            super().flush()
        except OSError as error:
            raise _explained(error) from error


def prepare() -> None:
    """Make the standard streams fit for commands; to be called once, before anything is written.

    What a terminal or a locale cannot show is written as an escape. Files that are opened later never get the number
    of a standard stream that is closed, where a library's message would be written into them. Raises ``OutputError``
    where there is no standard output.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:  # the lowest free number
        pass
    os.close(descriptor)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 – open as long as the process lives
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        raise OutputError(
            "Cannot write the answer: standard output is closed. Redirect it to a file or another program."
        )
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors="backslashreplace")
    if isinstance(sys.stdout, io.TextIOWrapper):
        encoding, lines = sys.stdout.encoding, sys.stdout.line_buffering
        sys.stdout = _Output(sys.stdout.detach(), encoding, "backslashreplace", line_buffering=lines)


def give_up() -> None:
    """Write nothing more to standard output, so that Python does not complain once more when it ends."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):  # not a file
        return


def _explained(error: OSError) -> OutputError:
    if isinstance(error, BrokenPipeError) or (os.name == "nt" and error.errno == _WINDOWS_CLOSED_PIPE):
        return ReaderGoneError("The reader of the answer is gone.")
    return OutputError(f"Cannot write the answer: {error.strerror}. Free some space, or redirect it elsewhere.")

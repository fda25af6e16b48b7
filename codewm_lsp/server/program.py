"""The ``codewm-lsp`` command."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final

import codewm_lsp
from codewm_lsp.garbage import collect_seldom
from codewm_lsp.logs import log_to
from codewm_lsp.server.ending import die_at_once
from codewm_lsp.threads import stay_on_one_core

TURN: Final = 0.0005  # seconds after which the background thread lets an answer go first: a tenth of Python's own


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve one editor over stdin and stdout until it goes; 0 after an orderly shutdown."""
    die_at_once()
    parser = argparse.ArgumentParser(
        prog="codewm-lsp",
        description="The language server of CodeWM. Your editor starts it and talks to it over stdin and stdout.",
        epilog="example:  codewm-lsp --stdio",
    )
    parser.add_argument("--stdio", action="store_true", help="talk over stdin and stdout (the default)")
    parser.add_argument(
        "--log-file",
        type=Path,
        metavar="FILE",
        help="write the log to FILE instead of the log folder (see codewm doctor)",
    )
    parser.add_argument("--clientProcessId", type=int, metavar="PID", help=argparse.SUPPRESS)
    parser.add_argument("--version", action="version", version=f"codewm-lsp {codewm_lsp.__version__}")
    options = parser.parse_args(arguments)

    try:
        log_to(options.log_file)
    except OSError as error:
        parser.error(f"--log-file {options.log_file}: {error.strerror}. Choose a file in a writable folder.")
    if sys.stdin is None or sys.stdout is None:
        parser.error("stdin and stdout must be open: editors talk to the server over them")
    if sys.stdin.isatty():
        print("codewm-lsp: waiting for an editor on stdin. To use CodeWM in a terminal, run codewm.", file=sys.stderr)

    stay_on_one_core()
    collect_seldom()
    sys.setswitchinterval(TURN)
    from codewm_lsp.server.handlers import SERVER  # after the argument check: --help answers at once

    return SERVER.serve(_own_stdin(), _own_stdout())


def _own_stdin() -> BinaryIO:
    """The protocol's stream, for the thread that reads it alone: Python would wait for one that holds its own stdin."""
    return os.fdopen(os.dup(sys.stdin.fileno()), "rb")


def _own_stdout() -> BinaryIO:
    """The protocol's stream; whatever else prints to stdout, native libraries included, goes to stderr."""
    stream = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    if sys.stderr is not None:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        sys.stdout = sys.stderr
    return stream

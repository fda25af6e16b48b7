"""Where the server's log goes: one small file a process, in the log folder of the system, without anybody's code in it.

A file is made with the first line that goes into it, so a server to which nothing happens leaves none. It is rotated
at ``BYTES``, with one older part beside it, and only the newest ``KEPT`` files stay: the folder is bounded in any case.
Two servers never share a file: on Windows one could not rotate what the other has open.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Final

from codewm_lsp.errors import CodewmError
from codewm_lsp.folders import log_folder

BYTES: Final = 512 * 1024
KEPT: Final = 10
LONGEST: Final = 1000  # characters of a message, and of the words of an error
_NAME: Final = re.compile(r"codewm-lsp-\d+\.log(\.\d+)?")
_QUOTED: Final = re.compile(r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"", re.DOTALL)
_log = logging.getLogger(__name__)


def is_log(name: str) -> bool:
    """Whether a file of this name is a log of ours."""
    return _NAME.fullmatch(name) is not None


def log_files(folder: Path) -> list[Path]:
    """The logs in ``folder``, the one last written to first."""
    found: list[tuple[float, Path]] = []
    with contextlib.suppress(OSError):
        for file in filter(lambda file: is_log(file.name), folder.iterdir()):
            with contextlib.suppress(OSError):  # another server is clearing up
                found.append((file.stat().st_mtime, file))
    return [file for _, file in sorted(found, reverse=True)]


_ERROR: Final = re.compile(r"\d{4}-\d\d-\d\d [\d:,]+ (?:ERROR|CRITICAL) ")


def last_error(file: Path) -> str:
    """The newest line of a log that tells an error; empty where there is none, or the file cannot be read."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line for line in reversed(lines) if _ERROR.match(line)), "")


class LogFormatter(logging.Formatter):
    """One line a message, and a trace below it that shows our lines and nothing of what they worked on.

    The words of an error may quote what it stumbled over: a piece of a document, a setting, a password in one. Those of
    our own errors and of the operating system name files and settings and are kept; of any other what stands in quotes
    is left out.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record with its trace."""
        words = record.getMessage()
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and (said := str(error)):
            words = words.replace(said, _said(error))
        if not record.name.startswith("codewm"):
            words = _QUOTED.sub("'…'", words)  # a library's: it may hold a whole request
        words = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in _clipped(words))
        line = f"{self.formatTime(record)} {record.levelname} {record.name}: {words}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line

    def formatException(
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> str:
        """The stack of an error and of those before it, the oldest first."""
        parts: list[str] = []
        for error in reversed(list(_chain(ei[1]))):
            parts.append("Traceback (most recent call last):\n")
            parts.extend(traceback.format_tb(error.__traceback__))
            parts.append(f"{type(error).__name__}: {_said(error)}\n")
            parts.extend(f"  {type(one).__name__}: {_said(one)}\n" for one in getattr(error, "exceptions", ()))
        return "".join(parts).rstrip("\n")


class LogFile(RotatingFileHandler):
    """A log that never stands in the way: what cannot be written is dropped."""

    def __init__(self, file: Path) -> None:
        super().__init__(file, maxBytes=BYTES, backupCount=1, encoding="utf-8", errors="backslashreplace", delay=True)
        self.setFormatter(LogFormatter())

    def handleError(self, record: logging.LogRecord) -> None:
        """A full disk or a folder that is gone must not end in a trace for every line."""


class OwnLogFile(LogFile):
    """This process's log in the log folder, which it tidies when it begins."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(folder / f"codewm-lsp-{os.getpid()}.log")

    def _open(self):  # type: ignore[no-untyped-def]  # a stream of the standard library's own type
        self.folder.mkdir(parents=True, exist_ok=True)
        stream = super()._open()
        own = Path(self.baseFilename).name
        for file in [file for file in log_files(self.folder) if not file.name.startswith(own)][KEPT - 1 :]:
            with contextlib.suppress(OSError):  # still open, on Windows
                file.unlink()
        return stream


def log_to(file: Path | None) -> None:
    """Send the log to stderr and to ``file`` (None: this process's own in the log folder), uncaught errors included.

    Raises ``OSError`` when ``file`` cannot be written.
    """
    handlers: list[logging.Handler] = []
    if sys.stderr is not None:
        handlers.append(logging.StreamHandler(sys.stderr))
        handlers[0].setFormatter(LogFormatter())
    folder = log_folder()
    if file is not None:
        file.open("ab").close()
        handlers.append(LogFile(file))
    elif folder is not None:
        handlers.append(OwnLogFile(folder))
    else:
        handlers.append(logging.NullHandler())
    logging.basicConfig(level=logging.WARNING, handlers=handlers)

    def uncaught(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None, where: str = "the main thread"
    ) -> None:
        _log.critical("%s ended with an error", where, exc_info=(kind, error, trace))

    def in_thread(what: threading.ExceptHookArgs) -> None:
        if what.exc_value is not None:
            uncaught(what.exc_type, what.exc_value, what.exc_traceback, what.thread.name if what.thread else "a thread")

    sys.excepthook = uncaught
    threading.excepthook = in_thread


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _said(error: BaseException) -> str:
    words = str(error)
    if not isinstance(error, (CodewmError, OSError)):
        words = _QUOTED.sub("'…'", words)
    return _clipped(words)


def _clipped(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"

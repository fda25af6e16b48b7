"""What went wrong, and what the user was told of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from concurrent.futures import CancelledError
from pathlib import Path

from codewm_lsp.errors import BundleError, CodewmError, IndexStoreError, RepositoryError
from codewm_lsp.server.background import Background
from codewm_lsp.server.client import Client, MessageLevel
from codewm_lsp.server.status import Problem, Trouble

_log = logging.getLogger(__name__)


class Problems:
    """Says each thing once, and remembers what is wrong with which folder."""

    def __init__(self, client: Client, background: Background) -> None:
        self._client = client
        self._background = background
        self._problems: dict[Path, Problem] = {}
        self._said: set[str] = set()

    def say_once(self, level: MessageLevel, text: str) -> None:
        """One message, never twice."""
        if text not in self._said:
            self._said.add(text)
            self._client.say(level, text)

    def announce(self, text: str) -> None:
        """``say_once`` from any thread."""
        self._background.call(self.say_once, MessageLevel.WARNING, text)

    def add(
        self, what: str, folder: Path, where: Path, error: BaseException, *, quiet: bool = False, served: bool = False
    ) -> None:
        """Say an expected error as it is and no louder than it deserves; any other goes to the log with its trace.

        ``where`` it happened may be a file of the ``folder``. A repository that was ``served`` and cannot be read now
        is most likely being replaced by a new clone: that stands in the status and in the log, and the next change is
        another try.
        """
        if isinstance(error, (CancelledError, asyncio.CancelledError)):
            return
        if isinstance(error, CodewmError):
            outside = isinstance(error, RepositoryError)
            level = MessageLevel.INFO if outside else MessageLevel.WARNING
            message = str(error)
            hushed = quiet or (outside and (served or self._client.shows_status()))
            self.say_once(MessageLevel.LOG if hushed else level, message)
        else:
            _log.error("%s: %s", what, where, exc_info=error)
            message = f"CodeWM hit an error while {what} ({type(error).__name__}). See the log."
            self.say_once(MessageLevel.WARNING, message)
        self._problems[folder] = Problem(folder, _about(error), message)
        self._client.status_changed()

    def solved(self, folder: Path) -> None:
        """All is well with the folder."""
        self._problems.pop(folder, None)

    def of(self, folders: Collection[Path]) -> tuple[Problem, ...]:
        """Those of these folders."""
        return tuple(problem for folder, problem in sorted(self._problems.items()) if folder in folders)


def _about(error: BaseException) -> Trouble:
    if isinstance(error, RepositoryError):
        return Trouble.REPOSITORY
    if isinstance(error, BundleError):
        return Trouble.MODEL
    return Trouble.INDEX if isinstance(error, IndexStoreError) else Trouble.OTHER

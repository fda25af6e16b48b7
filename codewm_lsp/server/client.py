"""What the server asks of the editor. No type of the protocol in here."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Protocol

from codewm_lsp.server.pace import Pause


class MessageLevel(Enum):
    """How a message reaches the user."""

    WARNING = "warning"
    INFO = "info"
    LOG = "log"


class ProgressBar(Protocol):
    """A progress bar in the editor."""

    def report(self, done: int, total: int) -> None:
        """So many of so many commits."""

    def pause(self, why: Pause) -> None:
        """Nothing is done just now."""

    def end(self, message: str) -> None:
        """Take it away."""


class Client(Protocol):
    """The editor."""

    def say(self, level: MessageLevel, text: str) -> None:
        """One message to the user, or to the log only."""

    def can_refresh(self) -> bool:
        """Whether it can be told to ask for its lenses again."""

    def can_refresh_inlays(self) -> bool:
        """The same of hints at the ends of lines."""

    async def refresh(self) -> None:
        """Tell it so."""

    async def begin(self, title: str, cancel: Callable[[], None]) -> ProgressBar | None:
        """A progress bar that the user may cancel, where there are any."""

    def shows_status(self) -> bool:
        """Whether it shows ``Conductor.status`` all the time."""

    def status_changed(self) -> None:
        """``Conductor.status`` may have changed."""

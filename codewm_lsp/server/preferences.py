"""What the user wants now: the settings, and what the commands to switch off, on, or off for a while say."""

from __future__ import annotations

from collections.abc import Callable

from codewm_lsp.server.background import Background
from codewm_lsp.server.options import Display, Options


class Preferences:
    """Whether hints are wanted, and how."""

    def __init__(self, options: Options, background: Background, switched: Callable[[], None]) -> None:
        """``switched`` is called whenever ``active`` may have changed by other means than ``configure``."""
        self.options = options
        self._background = background
        self._switched = switched
        self._toggled: bool | None = None  # where the toggle was used
        self._snoozed_until = 0.0

    def configure(self, options: Options) -> None:
        """Other settings."""
        if self.options.enable != options.enable:
            self._toggled = None
        self.options = options

    @property
    def enabled(self) -> bool:
        """Whether hints are switched on. The setting has the last word: what it switches off stays off."""
        return self.options.enable and self._toggled is not False

    @property
    def snoozed(self) -> float:
        """Seconds until hints come back by themselves."""
        return max(0.0, self._snoozed_until - self._background.now())

    def active(self) -> bool:
        """Whether hints are wanted now: switched on and not snoozed."""
        return self.enabled and self._background.now() >= self._snoozed_until

    def shows_lenses(self) -> bool:
        """Whether hints are shown as code lenses now."""
        return self.active() and self.options.display is Display.CODE_LENS

    def shows_inlays(self) -> bool:
        """Whether hints are shown at the ends of lines now; which of them, the editor knows, as it has the cursor."""
        return self.active() and self.options.display in (Display.INLAY, Display.ACTIVE_LINE)

    def toggle(self, on: bool | None) -> bool:
        """Switch hints on or off, or over; whether they are on now."""
        self._snoozed_until, was = 0.0, self.active()
        self._toggled = not was if on is None else on
        self._switched()
        return self.enabled

    def snooze(self, minutes: float) -> None:
        """No hints for so long; 0 ends it."""
        self._snoozed_until = self._background.now() + minutes * 60 if minutes > 0 else 0.0
        if minutes > 0:
            self._background.timers.call("snooze", minutes * 60 + 0.05, self._switched)
        else:
            self._background.timers.cancel("snooze")
        self._switched()

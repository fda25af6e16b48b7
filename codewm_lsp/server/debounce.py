"""Wait for a pause, one key at a time."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Protocol


class Timer(Protocol):
    """What ``asyncio``'s ``call_later`` returns."""

    def cancel(self) -> None:
        """Forget the call."""


class Debouncer:
    """Runs an action once its key has been quiet for a while.

    ``call_later(seconds, action)`` is the clock: an event loop's in the server, a hand-driven one in the tests.
    """

    def __init__(self, call_later: Callable[[float, Callable[[], None]], Timer]) -> None:
        self._call_later = call_later
        self._timers: dict[Hashable, Timer] = {}

    def call(self, key: Hashable, seconds: float, action: Callable[[], None]) -> None:
        """Run ``action`` after ``seconds`` of quiet; a later call with the same key takes its place."""
        self.cancel(key)

        def fire() -> None:
            del self._timers[key]
            action()

        self._timers[key] = self._call_later(seconds, fire)

    def cancel(self, key: Hashable) -> None:
        """Forget what waits under ``key``."""
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    def cancel_all(self) -> None:
        """Forget everything that waits."""
        for key in list(self._timers):
            self.cancel(key)

    def pending(self, key: Hashable) -> bool:
        """Whether something waits under ``key``."""
        return key in self._timers

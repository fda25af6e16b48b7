"""``codewm-lsp`` with a clock that runs so many times as fast: the first argument. Run by tests.

The event loop's timers and the date are fast; what is computed takes as long as it takes. So the server behaves as on a
very slow machine, and a day of editing passes in minutes.
"""

from __future__ import annotations

import asyncio
import selectors
import sys
import time

from codewm_lsp.server import program

SPEED = float(sys.argv.pop(1))
_date, _begun = time.time, time.time()


class FastSelector(selectors.DefaultSelector):
    """Waits as long as it is told, by the fast clock."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """The ready ones."""
        return super().select(timeout / SPEED if timeout else timeout)


class FastLoop(asyncio.SelectorEventLoop):
    """An event loop on the fast clock."""

    def time(self) -> float:
        """Seconds by that clock."""
        return super().time() * SPEED


time.time = lambda: _begun + (_date() - _begun) * SPEED
asyncio.events.new_event_loop = lambda: FastLoop(FastSelector())
sys.exit(program.main())

"""The progress bars of an evaluation, on stderr; without a terminal a line now and then."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

_QUIET = 20.0  # seconds between two lines where there is no terminal


class Bar:
    """One bar for the parts of the protocol under way, one for what is being done in it."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._last = 0.0
        self._part = ""

    def __enter__(self) -> Bar:
        self._bars.start()
        self._whole = self._bars.add_task("", total=None)
        self._detail = self._bars.add_task("", total=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take the bars away."""
        self._bars.stop()

    def part(self, protocol: str, done: int, of: int) -> None:
        """A part of a protocol begins."""
        self._part = f"{protocol.upper()} {min(done + 1, of)}/{of}"
        self._bars.update(self._whole, description=protocol.upper(), completed=done, total=of)

    def step(self, what: str, done: int, of: int) -> None:
        """What is being done in it."""
        self._bars.update(self._detail, description=what[:60], completed=done, total=of)
        if not self._console.is_terminal and time.monotonic() - self._last > _QUIET:
            self._last = time.monotonic()
            self._console.print(f"{self._part}: {what}", highlight=False, markup=False)

    def say(self, text: str) -> None:
        """A line of its own."""
        self._console.print(text, highlight=False, markup=False)

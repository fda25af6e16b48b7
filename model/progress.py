"""What a person sees while a model trains."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars


class Progress:
    """Bars on stderr for mining and for each stage; a line for every evaluation."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._console,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Progress:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def mining(self, name: str, done: int, total: int) -> None:
        """Edits of a repository read so far."""
        self._update(f"mining {name}", done, total, "")

    def step(self, stage: str, done: int, total: int, loss: float) -> None:
        """A training step done."""
        self._update(f"training: {stage}", done, total, f"loss {loss:.3f}")

    def evaluation(self, record: dict[str, Any]) -> None:
        """One line with the figures of an evaluation."""
        figures = "  ".join(
            f"{key} {value:.4g}"
            for key, value in record.items()
            if isinstance(value, float) and key not in ("seconds",)
        )
        self._console.print(f"{record['stage']} {record['step']}: {figures}", highlight=False)
        if record.get("alarm"):
            self._console.print(
                "ALARM: the target encoder has collapsed; set decay to 1.0 or 0.99999", style="bold red"
            )

    def say(self, text: str) -> None:
        """A line of its own."""
        self._console.print(text, highlight=False)

    def _update(self, key: str, done: int, total: int, note: str) -> None:
        if key not in self._tasks:
            self._tasks[key] = self._bars.add_task(key, total=total, note=note)
        self._bars.update(self._tasks[key], completed=done, total=total, note=note)

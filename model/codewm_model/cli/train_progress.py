"""What a person sees while a model trains."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

_FIGURES: Final = (  # a figure, the one to compare it with, and both in words
    ("copy_indicator", "", "copy indicator {0:.3f}"),
    ("rank_online", "rank_target", "effective rank {0:.1f} (target {1:.1f})"),
    ("feature_std", "feature_std_target", "feature std {0:.2f} (target {1:.2f})"),
    ("knn@5", "copy_knn@5", "KNN@5 {0:.2f} (of a copy {1:.2f})"),
    ("transition_cosine", "", "cosine of the change {0:.2f}"),
    ("e4/300/mrr", "e4/3000/mrr", "siblings found, MRR@10 {0:.3f} ({1:.3f} among 3,000)"),
    ("e5a/logit/mrr", "", "definitions to change next, MRR {0:.3f}"),
)


_LINES: Final = 5  # of a bar that is no bar, after the first


class Progress:
    """Bars on stderr for reading edits and for each stage; a line for every evaluation. ``quiet``: nothing of all that.

    Where stderr is a file, each bar is a line for every fifth of it.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet)
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._said: dict[str, int] = {}

    def __enter__(self) -> Progress:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def mining(self, name: str, done: int, total: int) -> None:
        """Edits of a repository read so far."""
        self._update(f"Reading edits of {name}", done, total, "", said="{0}: {1:,} of at most {2:,}")

    def repositories(self, _: str, done: int, total: int) -> None:
        """Repositories read so far, many at a time."""
        self._update("Reading repositories", done, total, "", said="{0}: {1:,} of {2:,}")

    def stages(self, steps: Mapping[str, int]) -> None:
        """The stages to come, so that nobody takes the end of the first for that of the run."""
        for stage, total in steps.items():
            if total:
                self._update(f"training: {stage}", 0, total, "")

    def step(self, stage: str, done: int, total: int, loss: float) -> None:
        """A training step done."""
        self._update(f"training: {stage}", done, total, f"loss {loss:.3f}")

    def record(self, record: dict[str, Any]) -> None:
        """What of a trainer's record a person should see."""
        if record.get("evaluation"):
            self.evaluation(record)
        for event in ("alarm", "fixed"):
            if event in record:
                self.alarm(record[event])
        if "turn" in record:
            self.say(f"{record['stage']} {record['step']}: turn {record['turn'] + 1}, shards {record['shards']}")
        if record.get("data_changed"):
            self.say(
                "The data has changed since the run started, so the result differs from that of an uninterrupted run."
            )

    def evaluation(self, record: dict[str, Any]) -> None:
        """One line with the figures of an evaluation that tell a collapse or a gain; all of them are in the log."""
        shown = [
            words.format(record[key], record.get(beside, math.nan))
            for key, beside, words in _FIGURES
            if isinstance(record.get(key), float)
        ]
        others = [
            f"{key} {value:.4g}" for key, value in record.items() if isinstance(value, float) and key != "seconds"
        ]
        self._console.print(f"{record['stage']} {record['step']}: {' · '.join(shown or others)}", highlight=False)

    def alarm(self, text: str) -> None:
        """Of a collapse, or what was done about it: impossible to overlook."""
        self._console.print(text, style="bold red", highlight=False)

    def say(self, text: str) -> None:
        """A line of its own."""
        self._console.print(text, highlight=False)

    def _update(self, key: str, done: int, total: int, note: str, *, said: str = "{0} {1:,}/{2:,}") -> None:
        if not self._console.is_terminal:
            part = _LINES * done // max(total, 1)
            if part > self._said.get(key, -1):
                self._said[key] = part
                self.say(said.format(key, done, total) + (f" · {note}" if note else ""))
            return
        if key not in self._tasks:
            self._tasks[key] = self._bars.add_task(key, total=total, note=note)
        self._bars.update(self._tasks[key], completed=done, total=total, note=note)

"""A row of the table: what was measured, on how much, against which budget."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Row:
    """``measured`` in ``unit``; ``budget`` None where there is none; ``most``: the budget is the most allowed."""

    what: str
    measured: float
    unit: str
    budget: float | None = None
    most: bool = True
    note: str = ""

    @property
    def kept(self) -> bool | None:
        """Whether the budget was kept; None where there is none."""
        if self.budget is None:
            return None
        return self.measured <= self.budget if self.most else self.measured >= self.budget


HEADER: Final = "| what | measured | budget | | on |\n| --- | ---: | ---: | --- | --- |"


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown."""
    return "\n".join([HEADER, *map(line, rows)])


def line(row: Row) -> str:
    """One of them."""
    budget = "" if row.budget is None else f"{'≤' if row.most else '≥'} {number(row.budget)} {row.unit}"
    verdict = {True: "kept", False: "**missed**", None: ""}[row.kept]
    return f"| {row.what} | {number(row.measured)} {row.unit} | {budget} | {verdict} | {row.note} |"


def number(value: float) -> str:
    """Three significant digits, thousands separated."""
    if abs(value) < 1e-9 or not math.isfinite(value):
        return f"{abs(value):.0f}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def processor() -> float:
    """Seconds of the processor that this process has used, and those of its children that have ended: what counts on a
    machine that others use too."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]

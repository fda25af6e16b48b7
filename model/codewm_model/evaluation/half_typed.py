"""Edits as they are while somebody types them: the first of their changed lines are there, the others are not yet."""

from __future__ import annotations

import dataclasses
import difflib
import math
from typing import Final

from codewm_lsp.history import Edit

FEWEST_LINES: Final = 4  # that an edit changes, for half of it to say something
LONGEST: Final = 20_000  # characters of both sides together: lines are compared with each other


def half_typed(edit: Edit) -> tuple[Edit, Edit] | None:
    """The edit with the first half of its changes alone, and with the first one alone.

    A change is a line added, removed, or put in the place of another; they are made from top to bottom. None for an
    edit of fewer than ``FEWEST_LINES`` lines or of one change, one that removes its definition, and a very long one.
    """
    if not edit.after or len(edit.before) + len(edit.after) > LONGEST:
        return None
    parts = _parts(edit.before.splitlines(keepends=True), edit.after.splitlines(keepends=True))
    changes = [(old, new) for old, new in parts if new is not None]
    if len(changes) < 2 or sum(len(old) + len(new) for old, new in changes) < FEWEST_LINES:
        return None
    half, first = (_made(parts, count) for count in (math.ceil(len(changes) / 2), 1))
    return dataclasses.replace(edit, after=half), dataclasses.replace(edit, after=first)


def _parts(before: list[str], after: list[str]) -> list[tuple[list[str], list[str] | None]]:
    """Runs of equal lines, with None, and between them one pair for each change."""
    found: list[tuple[list[str], list[str] | None]] = []
    for what, i, i_end, j, j_end in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if what == "equal":
            found.append((before[i:i_end], None))
            continue
        for step in range(max(i_end - i, j_end - j)):
            found.append((before[i + step : i_end][:1], after[j + step : j_end][:1]))
    return found


def _made(parts: list[tuple[list[str], list[str] | None]], count: int) -> str:
    """The text with the first ``count`` changes made."""
    lines: list[str] = []
    for old, new in parts:
        if new is None:
            lines += old
        elif count:
            lines += new
            count -= 1
        else:
            lines += old
    return "".join(lines)

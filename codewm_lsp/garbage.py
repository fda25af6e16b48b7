"""When Python looks for garbage that counting does not find."""

from __future__ import annotations

import gc
from typing import Final

_ALLOCATIONS: Final = 50_000  # Python's own 700 make a sixth of reading edits
OF_A_COMMAND: Final = 400_000  # more than an answer makes: looking ten times was a twentieth of it


def collect_seldom(allocations: int = _ALLOCATIONS) -> None:
    """To be called by every program: CodeWM makes many small objects that live long, and hardly a cycle."""
    gc.set_threshold(allocations, 20, 10)


def collect_no_more() -> None:
    """To be called as a program ends: Python would look through everything once more, which the system frees anyway."""
    gc.disable()
    gc.freeze()

"""How often Python looks for garbage that counting does not find."""

from __future__ import annotations

import gc
from typing import Final

_ALLOCATIONS: Final = (
    50_000  # Python's own 700 make a sixth of reading edits; from 50,000 on it is below what is measured
)


def collect_seldom() -> None:
    """To be called by every program: CodeWM makes many small objects that live long, and hardly a cycle."""
    gc.set_threshold(_ALLOCATIONS, 20, 10)

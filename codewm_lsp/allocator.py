"""Memory that is held and not needed now: what was freed and the C library keeps for later, and what was read of files
that are mapped. In a large repository it is a hundred megabytes of the one and two hundred of the other.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any, Final

_AROUND: Final = 1 << 20  # bytes; more than what is mapped around a page that is looked at
_NOT_NEEDED: Final[int | None] = getattr(mmap, "MADV_DONTNEED", None)
_IN_LARGE_PAGES: Final[int | None] = getattr(mmap, "MADV_HUGEPAGE", None)


def give_back() -> None:
    """Have the system have it back, where the C library can do that (glibc). Takes some hundredths of a second."""
    if trim := _malloc_trim():
        trim(0)


def resident(*, files: bool = True) -> int:
    """Bytes of memory that the process holds, with what is mapped of files or without it; 0 where that is not said at
    once (Linux)."""
    try:
        with open("/proc/self/statm", "rb") as file:
            _, every, mapped, *_ = map(int, file.read().split())
            return (every if files else every - mapped) * mmap.PAGESIZE
    except (OSError, LookupError, ValueError):
        return 0


def let_go(array: object, first: int = 0, last: int | None = None) -> None:
    """Let go of what was read of the file that an array is mapped from, where the system can do that: the next look
    finds it in the system's own memory. Nothing is done with any other array.

    ``first``, ``last``: the bytes of the file, as it is mapped, that are meant, with what the system read around them;
    all of them where left out.
    """
    _advise(array, _NOT_NEEDED, first, last)


def read_in_large_pages(array: object, first: int = 0) -> None:
    """Have the system read the file that an array is mapped from, from the byte ``first`` on, in pages of megabytes
    where it can (Linux): then a look at all of it is not interrupted at every sixteenth of its small pages."""
    with suppress(OSError):  # a system without such pages
        _advise(array, _IN_LARGE_PAGES, first, None)


def _advise(array: object, advice: int | None, first: int, last: int | None) -> None:
    while array is not None and not isinstance(array, mmap.mmap):
        array = getattr(array, "base", None)
    if isinstance(array, mmap.mmap) and advice is not None:
        first -= first % _AROUND
        array.madvise(advice, first, len(array) - first if last is None else min(last + _AROUND, len(array)) - first)


@cache
def _malloc_trim() -> Callable[[int], Any] | None:
    if not sys.platform.startswith("linux"):
        return None
    trim: Callable[[int], Any] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim

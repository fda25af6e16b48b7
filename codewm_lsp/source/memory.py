"""Answers about pieces of text that are asked about again and again, as a file is from one version to the next."""

from __future__ import annotations

from threading import Lock
from typing import Generic, TypeVar

_Answer = TypeVar("_Answer")


class TextMemory(Generic[_Answer]):
    """Answers given last, by the text they are about, in two generations: an answer that is asked for again moves to
    the younger one; when that is full, the older one is forgotten. ``limit``: bytes that all take, about."""

    def __init__(self, limit: int) -> None:
        self._limit = limit // 2
        self._size = 0
        self._lock = Lock()
        self._young: dict[bytes | str, tuple[_Answer, int]] = {}
        self._old: dict[bytes | str, tuple[_Answer, int]] = {}

    def get(self, key: bytes | str) -> _Answer | None:
        """The answer about a text, None where it is not known (any more)."""
        known = self._young.get(key)
        if known is None:
            known = self._old.get(key)
            if known is None:
                return None
            self.put(key, *known)
        return known[0]

    def put(self, key: bytes | str, answer: _Answer, size: int) -> None:
        """Remember an answer that takes ``size`` bytes with its text."""
        with self._lock:
            if key not in self._young:
                if self._size + size > self._limit:
                    self._old, self._young, self._size = self._young, {}, 0
                self._young[key] = (answer, size)
                self._size += size

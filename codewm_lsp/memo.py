"""Remembering what pure functions gave, within bounds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, Protocol, TypeVar, cast

from codewm_lsp.records import dataclass


class Sized(Protocol):
    """A value that says how much memory it takes."""

    @property
    def nbytes(self) -> int: ...


Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class Kind(Generic[Value]):
    """One kind of value, of which a memo keeps the last ``entries``, and fewer where all of them take more than
    ``bytes`` (which values are asked for as ``Sized``, each time, as they may grow; None: they are not counted)."""

    name: str
    entries: int
    bytes: int | None = None


class Memo:
    """The last values of pure functions, by kind and by what they were computed from.

    The value used last is kept however large it is. Not to be used from two threads at once.
    """

    def __init__(self) -> None:
        self._kept: dict[Kind[Any], OrderedDict[Hashable, Any]] = {}

    def get(self, kind: Kind[Value], key: Hashable, make: Callable[[], Value]) -> Value:
        """The value of ``key``, made now if it is not remembered."""
        kept = self._kept.setdefault(kind, OrderedDict())
        if key in kept:
            kept.move_to_end(key)
            self._bound(kind, kept)  # it may have grown
            return cast(Value, kept[key])
        value = make()
        self.put(kind, key, value)
        return value

    def put(self, kind: Kind[Value], key: Hashable, value: Value) -> None:
        """Remember the value of ``key``, in place of any other."""
        kept = self._kept.setdefault(kind, OrderedDict())
        kept[key] = value
        kept.move_to_end(key)
        self._bound(kind, kept)

    def _bound(self, kind: Kind[Any], kept: OrderedDict[Hashable, Any]) -> None:
        while len(kept) > 1 and (len(kept) > kind.entries or self.nbytes(kind) > (kind.bytes or 0)):
            kept.popitem(last=False)

    def known(self, kind: Kind[Value], key: Hashable) -> Value | None:
        """The value of ``key``, where it is remembered."""
        kept = self._kept.get(kind)
        if kept is None or key not in kept:
            return None
        kept.move_to_end(key)
        return cast(Value, kept[key])

    def last(self, kind: Kind[Value]) -> tuple[Any, Value] | None:
        """The key and the value used last: what the next value of this kind may be made from."""
        kept = self._kept.get(kind)
        if not kept:
            return None
        key = next(reversed(kept))
        return key, kept[key]

    def count(self, kind: Kind[Any]) -> int:
        """How many values of this kind are remembered."""
        return len(self._kept.get(kind, ()))

    def nbytes(self, kind: Kind[Any]) -> int:
        """How much memory these take; 0 where they are not counted."""
        if kind.bytes is None:
            return 0
        return sum(cast(Sized, value).nbytes for value in self._kept.get(kind, {}).values())

    def forget(self, kind: Kind[Any] | None = None) -> None:
        """Forget all values of a kind (None: of every kind)."""
        if kind is None:
            self._kept.clear()
        else:
            self._kept.pop(kind, None)

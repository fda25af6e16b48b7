"""Dataclasses that are quick to define.

For each frozen dataclass the standard library compiles up to six methods from text, which took a command a tenth of its
time, for classes it hardly used. Here only ``__init__`` is compiled; the other methods need no text. To a type checker
this is ``dataclasses.dataclass``, and it is the type checker that keeps frozen ones from being assigned to. What must
not change whoever holds it, as a ``Snapshot``, uses the standard library's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:
    import dataclasses
    from operator import attrgetter

    def dataclass(*, frozen=False, slots=False, eq=True, order=False):
        """``dataclasses.dataclass`` with the options that are used here."""
        if order or not frozen:
            return dataclasses.dataclass(frozen=frozen, slots=slots, eq=eq, order=order)

        def made(cls):
            cls = dataclasses.dataclass(repr=False, eq=False, slots=slots)(cls)
            fields = dataclasses.fields(cls)
            own = vars(cls)
            if "__repr__" not in own:
                cls.__repr__ = _printing(tuple(field.name for field in fields if field.repr))
            if eq:
                compared = _values_of(tuple(field.name for field in fields if field.compare))
                if "__eq__" not in own:
                    cls.__eq__ = _equal_by(compared)
                if own.get("__hash__") is None:
                    cls.__hash__ = _hashed_by(compared)
            return cls

        return made

    def _values_of(names):
        """What gives the values of these attributes as a tuple."""
        if len(names) > 1:
            return attrgetter(*names)
        return lambda one: tuple([getattr(one, name) for name in names])

    def _printing(names):
        def __repr__(self):
            return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

        return __repr__

    def _equal_by(values):
        def __eq__(self, other):
            return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

        return __eq__

    def _hashed_by(values):
        def __hash__(self):
            return hash(values(self))

        return __hash__

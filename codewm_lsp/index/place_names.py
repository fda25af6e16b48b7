"""The names of very many places: what a tuple of two strings for each would take ten times the memory for."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import overload


class PlaceNames(Sequence[tuple[str, str]]):
    """A growing list of (path, definition). Of a path, however many definitions it has, one string is kept."""

    def __init__(self, names: Iterable[tuple[str, str]] = ()) -> None:
        self._paths: list[str] = []
        self._number: dict[str, int] = {}
        self._path_of = array("i")
        self._definitions = bytearray()
        self._ends = array("q", [0])
        for path, definition in names:
            self.append(path, definition)

    def append(self, path: str, definition: str) -> None:
        """Add a place at the end."""
        number = self._number.setdefault(path, len(self._paths))
        if number == len(self._paths):
            self._paths.append(path)
        self._path_of.append(number)
        self._definitions += definition.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._definitions))

    def __len__(self) -> int:
        return len(self._path_of)

    @overload
    def __getitem__(self, place: int) -> tuple[str, str]: ...
    @overload
    def __getitem__(self, place: slice) -> list[tuple[str, str]]: ...
    def __getitem__(self, place: int | slice) -> tuple[str, str] | list[tuple[str, str]]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        if place < 0:
            place += len(self)
        if not 0 <= place < len(self):
            raise IndexError(f"there is no place {place}")
        start, end = self._ends[place], self._ends[place + 1]
        return self._paths[self._path_of[place]], self._definitions[start:end].decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[tuple[str, str]]:
        text, paths = bytes(self._definitions), self._paths
        for number, start, end in zip(self._path_of, self._ends, self._ends[1:], strict=False):
            yield paths[number], text[start:end].decode("utf-8", "surrogatepass")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(tuple.__eq__, self, other))

    __hash__ = None  # type: ignore[assignment]  # it grows

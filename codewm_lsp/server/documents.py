"""The texts that an editor has open, and what its changes do to the lines below them.

Lines end where the protocol says: at ``\\n``, ``\\r\\n`` or ``\\r``, and nowhere else (a form feed is no line end).
Positions count UTF-16 units, or what the client and the server agreed on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.records import dataclass

_LINE_END = re.compile(r"\r\n|\r|\n")
_KEPT_CHANGES = 1_000
_WINDOW: Final = 1 << 16  # characters on either side of a change that are kept apart from the rest of a large text
_WHOLE: Final = 1 << 20  # characters of a text that is kept in one piece
_UNITS: Final[dict[str, Callable[[str], int]]] = {  # what a character counts, by the encoding agreed on
    "utf-8": lambda letter: len(letter.encode("utf-8", "surrogatepass")),
    "utf-16": lambda letter: 2 if letter > "\uffff" else 1,
    "utf-32": lambda letter: 1,
}


@dataclass(frozen=True, slots=True)
class TextChange:
    """One change: the text from ``start`` to ``end`` (line, column in characters) became ``lines``."""

    start: tuple[int, int]
    end: tuple[int, int]
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where a lens hangs: a line, the column of its first character, and the line as it was written."""

    line: int
    column: int
    text: str


def anchor_on(line: int, text: str) -> Anchor:
    """The anchor of a definition line that reads ``text``."""
    return Anchor(line, len(text) - len(text.lstrip()), text)


def shift(anchor: Anchor, change: TextChange) -> Anchor | None:
    """Where an anchor stands after ``change``; None when the change took its line away."""
    (first, first_column), (last, last_column) = change.start, change.end
    added = len(change.lines) - 1
    position = (anchor.line, anchor.column)
    if position >= (last, last_column):
        if anchor.line != last:
            return replace(anchor, line=anchor.line + added - (last - first))
        head = first_column if added == 0 else 0
        column = head + len(change.lines[-1]) + anchor.column - last_column
        return replace(anchor, line=first + added, column=column)
    if position < (first, first_column):
        return anchor
    for index, line in enumerate(change.lines):  # moved or rewritten as part of a larger piece of text
        if line.strip() and line.strip() == anchor.text.strip():
            return anchor_on(first + index, line)
    return anchor if first == last and added == 0 else None


class _Text:
    """A text that is changed in one place after the other, and where its lines start.

    What is around the last change is a piece of its own, so that typing into a text of 50 MB does not copy it.
    """

    def __init__(self, text: str) -> None:
        self._before, self._here, self._after = "", text, ""
        self.starts = _line_starts(text)

    def __len__(self) -> int:
        return len(self._before) + len(self._here) + len(self._after)

    def __str__(self) -> str:
        return self._here if not self._before and not self._after else self._before + self._here + self._after

    def part(self, start: int, stop: int) -> str:
        """The characters from ``start`` to ``stop``."""
        first = len(self._before)
        last = first + len(self._here)
        if first <= start and stop <= last:
            return self._here[start - first : stop - first]
        return (
            self._before[start:stop]
            + self._here[max(0, start - first) : max(0, stop - first)]
            + self._after[max(0, start - last) : max(0, stop - last)]
        )

    def replace(self, start: int, stop: int, text: str) -> None:
        """Put ``text`` in the place of these characters."""
        size = len(self)
        first = len(self._before)
        if len(self._here) > _WHOLE or not first <= start <= stop <= first + len(self._here):
            whole = str(self)
            first = 0 if size <= _WHOLE else max(0, start - _WINDOW)
            last = size if size <= _WHOLE else stop + _WINDOW
            self._before, self._here, self._after = whole[:first], whole[first:last], whole[last:]
        self._here = self._here[: start - first] + text + self._here[stop - first :]
        self._find_lines(start, stop, len(text) - (stop - start), size)

    def _find_lines(self, start: int, stop: int, longer: int, size: int) -> None:
        """The lines that were changed start elsewhere now, and those below them are moved."""
        low, after = self.line_of(start - 1), self.line_of(stop) + 1
        first = int(self.starts[low])
        has_more = after < len(self.starts)
        end = (int(self.starts[after]) if has_more else size) + longer
        found = _line_starts(self.part(first, end)) + first
        if has_more:  # it ends where the first line starts that is only moved
            found = found[:-1]
        if len(found) == after - low:
            self.starts[low:after] = found
            self.starts[after:] += longer
        else:
            self.starts = np.concatenate([self.starts[:low], found, self.starts[after:] + longer])

    def line_of(self, offset: int) -> int:
        """The line that a character stands in."""
        return int(np.searchsorted(self.starts, max(0, offset), side="right")) - 1


class Document:
    """One open text: its newest version, and the changes that led to it."""

    def __init__(self, uri: str, language: str, version: int, text: str, encoding: str = "utf-16") -> None:
        self.uri = uri
        self.language = language
        self.version = version
        self._text = _Text(text)
        self._units = _UNITS[encoding]
        self._changes: list[tuple[int, TextChange]] = []

    @property
    def text(self) -> str:
        """All of it."""
        return str(self._text)

    def __len__(self) -> int:
        """Its characters."""
        return len(self._text)

    def apply(self, version: int, start: tuple[int, int] | None, end: tuple[int, int] | None, text: str) -> TextChange:
        """Apply one change of the protocol (positions in the client's units); without a range, all of the text."""
        if start is None or end is None:
            begin, stop, text = _difference(self.text, text)
        else:
            begin = self._split(*start)
            stop = max(begin, self._split(*end))
        change = TextChange(self._place(begin), self._place(stop), tuple(_LINE_END.split(text)))
        self._text.replace(begin, stop, text)
        for offset in (begin + len(text), begin):
            self._join(offset)
        self.version = version
        self._changes.append((version, change))
        del self._changes[:-_KEPT_CHANGES]
        return change

    def changes_since(self, version: int) -> Iterable[TextChange]:
        """The changes that came after ``version``, the oldest first."""
        return (change for at, change in self._changes if at > version)

    def anchor(self, line: int) -> Anchor:
        """The anchor of the definition on ``line``."""
        return anchor_on(line, self.line(line))

    def line(self, line: int) -> str:
        """A line without its end; empty past the last one."""
        starts = self._text.starts
        if not 0 <= line < len(starts):
            return ""
        stop = int(starts[line + 1]) if line + 1 < len(starts) else len(self._text)
        return self._text.part(int(starts[line]), stop).rstrip("\r\n")

    def width(self, line: int) -> int:
        """The length of a line in the client's units."""
        text = self.line(line)
        return len(text) if text.isascii() else sum(map(self._units, text))

    def python_text(self) -> str:
        """The text with ``\\n`` line ends: what the rest of the program reads."""
        text = self.text
        return text if "\r" not in text else text.replace("\r\n", "\n").replace("\r", "\n")

    def _place(self, offset: int) -> tuple[int, int]:
        line = self._text.line_of(offset)
        return line, offset - int(self._text.starts[line])

    def _split(self, line: int, units: int) -> int:
        """``_offset``; in the middle of a character that UTF-16 has two units for, that becomes two, as the client has
        it."""
        offset = self._offset(line, units)
        before = self._text.part(max(0, offset - 1), offset)
        if before > "\uffff" and self._units is _UNITS["utf-16"] and self._units_up_to(offset) > units:
            halves = divmod(ord(before) - 0x10000, 0x400)
            self._text.replace(offset - 1, offset, f"{chr(0xD800 + halves[0])}{chr(0xDC00 + halves[1])}")
        return offset

    def _units_up_to(self, offset: int) -> int:
        _, column = self._place(offset)
        return sum(map(self._units, self._text.part(offset - column, offset)))

    def _join(self, offset: int) -> None:
        """Make one character of two halves that meet."""
        pair = self._text.part(offset - 1, offset + 1) if offset else ""
        if len(pair) == 2 and "\ud800" <= pair[0] <= "\udbff" and "\udc00" <= pair[1] <= "\udfff":
            whole = chr(0x10000 + (ord(pair[0]) - 0xD800) * 0x400 + ord(pair[1]) - 0xDC00)
            self._text.replace(offset - 1, offset + 1, whole)

    def _offset(self, line: int, units: int) -> int:
        if line >= len(self._text.starts):
            return len(self._text)
        start = int(self._text.starts[line])
        text = self.line(line)
        if text.isascii():
            return start + min(units, len(text))
        for index, letter in enumerate(text):
            if units <= 0:
                return start + index
            units -= self._units(letter)
        return start + len(text)


def _line_starts(text: str) -> NDArray[np.int64]:
    return np.array([0, *(end.end() for end in _LINE_END.finditer(text))], dtype=np.int64)


def _difference(before: str, after: str) -> tuple[int, int, str]:
    """The whole lines of ``before`` that a full replacement really changed, as offsets, and their new text."""
    old = before.splitlines(keepends=True)
    new = after.splitlines(keepends=True)
    shorter = min(len(old), len(new))
    head = 0
    while head < shorter and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < shorter - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    begin = sum(map(len, old[:head]))
    stop = len(before) - sum(map(len, old[len(old) - tail :]))
    return begin, stop, "".join(new[head : len(new) - tail])

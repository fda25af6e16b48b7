"""Logical lines → definitions, by their indentation alone: how half-typed text is cut, of which there is no tree.

What Python would refuse is read as somebody typing means it: a statement that is not indented as the ones around it
does not end the class or function that goes on below.
"""

from __future__ import annotations

from collections.abc import Sequence

from codewm_lsp.records import dataclass
from codewm_lsp.source.languages import Line, LineKind


@dataclass(frozen=True, slots=True)
class Span:
    """Where a definition stands: bytes from its first decorator to its last line, and where its header begins."""

    start: int
    end: int
    header: int
    is_class: bool
    name: str

    def moved(self, by: int) -> Span:
        """The same, so many bytes further on."""
        return Span(self.start + by, self.end + by, self.header + by, self.is_class, self.name)


@dataclass(slots=True)
class _Open:
    """A definition that has begun. ``body``: how far its first statement is indented, once there is one."""

    start: int
    end: int
    header: int
    is_class: bool
    name: str
    width: int
    body: int | None = None


def spans_of_lines(lines: Sequence[Line]) -> list[Span]:
    """The definitions that the lines are, outer ones before the inner ones."""
    found: list[_Open] = []
    stack: list[_Open] = []
    left: list[_Open] | None = None  # what was open above statements that stand too far out, as long as they may do so
    comments = 0  # how many of the stack the next comment may belong to
    decorators: list[Line] = []

    def close(width: int) -> None:
        while stack and stack[-1].width >= width:
            inner = stack.pop()
            if stack:
                stack[-1].end = max(stack[-1].end, inner.end)

    for line in lines:
        if line.kind is LineKind.COMMENT:
            while comments and ((body := stack[comments - 1].body) is None or line.width < body):
                comments -= 1
            if comments:
                stack[comments - 1].end = line.end
            continue
        heads = line.kind is not LineKind.STATEMENT
        if left is not None and not line.fits and (heads or _goes_on(left, stack, line.width)):
            stack[:] = left
        if line.name or line.opens or not line.fits:
            left = None
        elif stack and stack[-1].width >= line.width:
            left = left or stack[:]
        close(line.width)
        if stack and stack[-1].body is None:
            stack[-1].body = line.width
        if line.kind is LineKind.DECORATOR:
            if decorators and decorators[0].width != line.width:
                decorators.clear()
            decorators.append(line)
        elif heads:
            first = decorators[0] if decorators and decorators[0].width == line.width else line
            is_class = line.kind is LineKind.CLASS
            stack.append(_Open(first.start, line.end, line.start, is_class, line.name, line.width))
            found.append(stack[-1])
        if line.kind is not LineKind.DECORATOR:
            decorators.clear()
            if stack:
                stack[-1].end = max(stack[-1].end, line.end)
        comments = len(stack)
    close(-1)
    return [Span(one.start, one.end, one.header, one.is_class, one.name) for one in found]


def _goes_on(left: Sequence[_Open], stack: Sequence[_Open], width: int) -> bool:
    """Whether the body of the innermost definition goes on at this indentation, after statements at the margin."""
    return not stack and len(left) > 1 and left[-1].body is not None and width >= left[-1].body

"""Python text → logical lines, whatever is half typed in it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from codewm_lsp.source.languages.language import Line, LineKind

_NAME: Final = rb"[A-Za-z_\x80-\xff][\w\x80-\xff]*"
HEADER: Final = re.compile(rb"@?(?:async[ \t]+)?(def|class)[ \t]+(%s)" % _NAME)
_CERTAIN: Final = rb"(?:(?:async[ \t]+)?def[ \t]+%s[ \t]*[(\[]|class[ \t]+%s[ \t]*[(\[:])" % (_NAME, _NAME)
CERTAIN_LINE: Final = re.compile(rb"^([ \t\f]*)%s" % _CERTAIN, re.MULTILINE)
COMPOUND: Final = re.compile(
    rb"(?:if|elif|else|for|while|try|except|finally|with|match|case|async|def|class)\b(?![ \t]*[=.,)\]])"
)
_INDENT: Final = re.compile(rb"[ \t\f]*")
TOKEN: Final = re.compile(
    rb"\"\"\"|'''|\"[^\"\\\n]*(?:\\.[^\"\\\n]*)*\"?|'[^'\\\n]*(?:\\.[^'\\\n]*)*'?|#[^\n]*|\\\n|[(\[{]|[)\]}]|\n",
    re.DOTALL,
)
_PLAIN: Final = rb"[^\"'#\\\n()\[\]{}]*"
_STRING: Final = rb"\"[^\"\\\n]*\"(?!\")|'[^'\\\n]*'(?!')"
_WHOLE_LINE: Final = re.compile(
    rb"%(plain)s(?:(?:%(string)s|[(\[{]%(plain)s(?:(?:%(string)s)%(plain)s)*[)\]}])%(plain)s)*\n"
    % {b"plain": _PLAIN, b"string": _STRING}
)
"""A line that is a logical one by itself: most are, and to see that at once takes a third of the time."""
_BLANK: Final = b" \t\f\n\\"
_WORD: Final = re.compile(rb"[\w\x80-\xff]")
_MAX_DECORATORS: Final = 400  # lines of decorators above a definition within a string or bracket
_GUESSES: Final = 3  # strings that may be the one left open: the first, and those around what makes no sense
_IN_PARAMETERS: Final = r"(?:[^()\[\]{}'\"#\\\n]|\n(?=[ \t]))"
_ONLY_HEADER: Final = re.compile(
    rf"(?:async[ \t]+)?def[ \t]+([A-Za-z_]\w*)(?:\((?:{_IN_PARAMETERS}|\[{_IN_PARAMETERS}*\])*\n\))?", re.ASCII
)
_MAY_DEFINE: Final = re.compile(r"^[ \t]*(?:@|(?:async[ \t]+)?(?:def|class)[ \t])", re.MULTILINE)
_AT_MARGIN: Final = re.compile(r"\n[^ \t\n]")
_ENDS: Final = " \t\n\\"
_NOT_PLAIN: Final = ("\f", "\r", "<<<<<<<", ">>>>>>>")
_NEWLINE, _HASH, _BACKSLASH = b"\n#\\"


def logical_lines(data: bytes, begin: int, end: int) -> tuple[list[Line], bool]:
    """The logical lines between two places, the first of which is no place within a string or bracket; and whether they
    are the same whatever stands before and after: none is indented where none can be, no decorator waits for its
    definition, no string or bracket is open.

    A line that begins a definition does so within brackets as well, and after a backslash: neither can hold one, so
    they are half typed. A string of several lines that is not closed takes the quotes of the next for its own, and all
    that follow are inside out. So where something makes no sense, the strings that hold the beginning of a definition
    are taken to be the one left open in turn, and the reading stands in which most makes sense.
    """
    best = _Reader(data, begin, end, None)
    if best.doubtful and best.oddities:
        before = [place for place in best.doubtful if place <= best.oddities[0]]
        after = best.doubtful[len(before) :]
        guesses = dict.fromkeys([*best.doubtful[:_GUESSES], *before[-_GUESSES:], *after[:_GUESSES]])
        best = min(
            [best, *(_Reader(data, begin, end, guess) for guess in guesses)],
            key=lambda reader: (len(reader.oddities), -reader.headers),
        )
    return best.lines, best.whole


class _Reader:
    """One reading. ``left_open``: where a string begins that is not closed.

    ``oddities``: places that make no sense. ``doubtful``: strings in which a definition begins. ``headers``: how many
    begin outside of strings. ``whole``: see ``logical_lines``.
    """

    def __init__(self, data: bytes, begin: int, end: int, left_open: int | None) -> None:
        self._data = data
        self._end = end
        self._left_open = left_open
        self._levels: list[int] = []
        self._cut = False  # whether the logical line ended because a definition begins
        self.lines: list[Line] = []
        self.oddities: list[int] = []
        self.doubtful: list[int] = []
        self.headers = 0
        self.whole = left_open is None
        above = self._read(begin)
        if above is not None and above.kind is LineKind.DECORATOR:
            self.whole = False

    def _read(self, position: int) -> Line | None:
        """Read all; the last line of code."""
        data, end, lines = self._data, self._end, self.lines
        above: Line | None = None
        while position < end:
            begin = position
            first = _INDENT.match(data, position, end).end()  # type: ignore[union-attr]
            width = width_of(data[position:first])
            while data.startswith(b"\\\n", first, end):  # continued before it began: the first indentation counts
                position = first + 2
                first = _INDENT.match(data, position, end).end()  # type: ignore[union-attr]
                width = width or width_of(data[position:first])
            sign = data[first : first + 1] if first < end else b""
            if sign in (b"\n", b""):
                self.whole = self.whole and position == begin
                position = first + 1
                continue
            if sign == b"#":
                stop = data.find(b"\n", first, end)
                stop = end if stop < 0 else stop
                lines.append(Line(first, self._trimmed(first, stop), width, LineKind.COMMENT, "", False, True))
                position = stop + 1
                continue
            kind, name = LineKind.STATEMENT, ""
            if header := HEADER.match(data, first, end):
                kind = LineKind.CLASS if header.group(1) == b"class" else LineKind.FUNCTION
                name = header.group(2).decode("utf-8", "replace")
                self.headers += 1
            elif sign == b"@":
                kind = LineKind.DECORATOR
            position, code = self._line(first, max(width, above.width) if above is not None else width)
            stop = self._trimmed(first, position)
            code = self._trimmed(first, code) if code < stop else stop
            opens = data[code - 1 : code] == b":" or COMPOUND.match(data, first, code) is not None
            if kind is LineKind.DECORATOR and self._cut and self._reaches_out(first, stop, width):
                kind = LineKind.STATEMENT
            if sign in b")]}" and above is not None and (above.name or not above.fits):  # closed too early, further up
                while lines and lines[-1] is not above:
                    lines.pop()
                lines.pop()
                above = above._replace(end=stop, opens=opens)
            else:
                above = Line(first, stop, width, kind, name, opens, self._fits(first, width, above))
            lines.append(above)
        return above

    def _fits(self, start: int, width: int, above: Line | None) -> bool:
        """Whether Python allows a line to be indented so far."""
        levels = self._levels
        while levels and levels[-1] > width:
            levels.pop()
        if not levels or (levels[-1] < width and above is not None and above.opens):
            levels.append(width)
        if levels[-1] == width:
            return True
        if above is None or above.fits:
            self.oddities.append(start)
        self.whole = False
        return False

    def _line(self, begin: int, width: int) -> tuple[int, int]:
        """Where the logical line that begins there ends: where the next one begins, and the code of this one ends.

        A string of several lines that is not closed ends above a definition that is not indented beyond ``width``."""
        data, end, position = self._data, self._end, begin
        self._cut = False
        line = _WHOLE_LINE.match(data, begin, end)
        if line is not None:
            return line.end(), line.end() - 1
        depth = 0
        while True:
            token = TOKEN.search(data, position, end)
            if token is None:
                if depth or (position == end and data.endswith(b"\\\n", 0, end)):
                    self.whole = False
                return end, end
            start, position = token.span()
            sign = data[start]
            if sign in (_NEWLINE, _BACKSLASH):
                if sign == _NEWLINE and depth == 0:
                    return position, start
                if CERTAIN_LINE.match(data, position, end):
                    self.oddities.append(start)
                    self._cut = True
                    return self._decorated(begin, position), start
            elif sign in b"([{":
                depth += 1
            elif sign in b")]}":
                if depth == 0:
                    self.oddities.append(start)
                depth = max(0, depth - 1)
            elif sign == _HASH:
                if depth == 0:
                    return (position + 1 if position < end else end), start
            elif position - start == 3 and data[start + 1] == sign == data[start + 2]:
                stop = self._closed(start, position, width)
                if stop < 0:
                    self._cut = True
                    stop = self._next_header(position, width)
                    return stop, stop
                position = stop
            elif position - start == 1 or data[position - 1] != sign:
                self.oddities.append(start)
                if data[position - 1] == _NEWLINE:  # goes on behind a backslash, where there is nothing
                    self.whole = False

    def _closed(self, start: int, position: int, width: int) -> int:
        """Where the string of several lines that began there ends, -1 where it does not."""
        if start == self._left_open:
            self.oddities.append(start)
            return -1
        data, end = self._data, self._end
        quotes = data[start:position]
        stop = position
        while True:
            stop = data.find(quotes, stop, end)
            if stop < 0:
                self.oddities.append(start)
                self.whole = False
                break
            escapes = stop
            while escapes > position and data[escapes - 1] == _BACKSLASH:
                escapes -= 1
            if (stop - escapes) % 2 == 0:
                break
            stop += 1
        inside = end if stop < 0 else stop
        if self._next_header(position, width, inside) != inside:
            self.doubtful.append(start)
        if stop < 0:
            return stop
        if _WORD.match(data, stop + 3, end):
            self.oddities.append(stop)
        return stop + 3

    def _next_header(self, position: int, width: int, end: int | None = None) -> int:
        """Where the next line begins that certainly begins a definition, and is not indented further than ``width``."""
        end = self._end if end is None else end
        for match in CERTAIN_LINE.finditer(self._data, position, end):
            if width_of(match.group(1)) <= width:
                return self._decorated(position, match.start())
        return end

    def _decorated(self, begin: int, position: int) -> int:
        """Where the decorators above the line begin that begins there, each of which may take up several lines."""
        data = self._data
        width = self._width_at(position)
        found = line = position
        for _ in range(_MAX_DECORATORS):
            above = data.rfind(b"\n", begin, line - 1) + 1
            if above <= begin:
                break
            sign = data[above:line].lstrip(b" \t\f")[:1]
            inner = self._width_at(above) > width
            if sign == b"@" and not inner:
                found = above
            elif sign == b"\n" or not (inner or sign in b")]}#"):
                break
            line = above
        return found

    def _reaches_out(self, start: int, stop: int, width: int) -> bool:
        """Whether a line after the first is not indented further than that: it is another statement."""
        data = self._data
        line = data.find(b"\n", start, stop) + 1
        while line:
            first = _INDENT.match(data, line).end()  # type: ignore[union-attr]
            if data[first : first + 1] not in b"\n)]}#" and width_of(data[line:first]) <= width:
                return True
            line = data.find(b"\n", line, stop) + 1
        return False

    def _width_at(self, position: int) -> int:
        return width_of(_INDENT.match(self._data, position).group())  # type: ignore[union-attr]

    def _trimmed(self, start: int, stop: int) -> int:
        """Where what stands there ends without the white space at its end."""
        return start + len(self._data[start:stop].rstrip(_BLANK))


def only_function(text: str) -> str | None:
    """The name of the function that an ASCII text consists of; None where that takes reading its lines: where one of
    them may begin another definition, or stands at the margin and does not end the parameters."""
    header = _ONLY_HEADER.match(text)
    if header is None or text[-1] in _ENDS or "\f" in text or "\r" in text:
        return None
    if _MAY_DEFINE.search(text, header.end(1)) or _AT_MARGIN.search(text, header.end()):
        return None
    last = text[text.rfind("\n") + 1 :]
    return None if last.lstrip(" \t").startswith("#") else header.group(1)


def defines_nothing(text: str) -> bool:
    """Whether all of an ASCII text is certainly outside of definitions: none of its lines may begin one."""
    return not any(sign in text for sign in _NOT_PLAIN) and _MAY_DEFINE.search(text) is None


def is_continued(data: bytes, position: int) -> bool:
    """Whether the backslash at the end of the line before goes on with it, and is not within a comment."""
    line = data[data.rfind(b"\n", 0, position - 1) + 1 : position]
    return all(token.group()[:1] != b"#" for token in TOKEN.finditer(line))


@lru_cache(maxsize=256)
def width_of(indentation: bytes) -> int:
    """Columns, as Python counts them: a tab goes to the next eighth, a form feed back to the margin."""
    return len(indentation.rpartition(b"\f")[2].expandtabs(8))

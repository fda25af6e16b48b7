"""Files in the middle of a merge: both sides of a conflict are text, Git's markers between them are blank lines."""

from __future__ import annotations

import re
from typing import Final

_MARKER: Final = re.compile(r"^(<{7,}|\|{7,}|={7,}|>{7,})(?: .*)?$", re.MULTILINE)


def without_markers(text: str) -> str:
    """``text`` with as many lines, in which the markers of conflicts are blank, and so is what both sides came from.

    A line of equals signs is one where such an end of a conflict follows; elsewhere it underlines a heading.
    """
    if "<<<<<<<" not in text and ">>>>>>>" not in text:
        return text
    markers = [(match.start(), match.end(), match.group(1)) for match in _MARKER.finditer(text)]
    blank: list[tuple[int, int]] = []
    end: str | None = None  # the end of the conflict that the markers before belong to, the middle of which is to come
    middle: int | None = None  # where the middle of the conflict begins
    for start, stop, signs in reversed(markers):
        if signs[0] == "=":
            if end is None or len(signs) != len(end) or stop - start != len(signs):
                continue
            end, middle = None, start
        elif signs[0] == "|":
            if middle is not None:
                stop = middle
        else:
            end, middle = (signs if signs[0] == ">" else None), None
        blank.append((start, stop))
    parts: list[str] = []
    position = 0
    for start, stop in reversed(blank):
        if start >= position:
            parts += text[position:start], "\n" * text.count("\n", start, stop)
            position = stop
    return "".join([*parts, text[position:]])

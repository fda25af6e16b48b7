"""Files in the middle of a merge: of a conflict its first side is text, the user's own; all else is blank lines."""

from __future__ import annotations

import re
from typing import Final

_MARKER: Final = re.compile(r"^(<{7,}|\|{7,}|={7,}|>{7,})(?: .*)?$", re.MULTILINE)

_LABELLED: Final = re.compile(r"^(?:<{7}|>{7}) \S", re.MULTILINE)  # as Git writes the ends of a conflict


def has_conflict(text: str) -> bool:
    """Whether a text has markers of a conflict that Git wrote."""
    return ("<<<<<<< " in text or ">>>>>>> " in text) and _LABELLED.search(text) is not None


def without_markers(text: str) -> str:
    """``text`` with as many lines, in which the markers of conflicts are blank, what both sides came from, and the
    second side. Where the beginning of a conflict is missing, somebody is resolving it: both sides are text then.

    A line of equals signs is one where such an end of a conflict follows; elsewhere it underlines a heading.
    """
    if "<<<<<<<" not in text and ">>>>>>>" not in text:
        return text
    markers = [(match.start(), match.end(), match.group(1)) for match in _MARKER.finditer(text)]
    blank: list[tuple[int, int]] = []
    end: str | None = None  # the end of the conflict that the markers before belong to, the middle of which is to come
    middle: int | None = None  # where the middle of the conflict begins
    ends = 0  # where that end of the conflict ends
    for start, stop, signs in reversed(markers):
        if signs[0] == "=":
            if end is None or len(signs) != len(end) or stop - start != len(signs):
                continue
            end, middle = None, start
        elif signs[0] == "|":
            if middle is not None:
                stop = middle
        elif signs[0] == ">":
            end, middle, ends = signs, None, stop
        else:
            if middle is not None:
                blank.append((middle, ends))
            end = middle = None
        blank.append((start, stop))
    parts: list[str] = []
    position = 0
    for start, stop in sorted(blank, key=lambda one: (one[0], -one[1])):
        if start >= position:
            parts += text[position:start], "\n" * text.count("\n", start, stop)
            position = stop
    return "".join([*parts, text[position:]])

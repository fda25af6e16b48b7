"""An edit of a very long definition, as what was changed with the lines around it: a question about it is as cheap as
any other."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from codewm_lsp.history import Edit

LONGEST: Final = 32_768
"""Characters of a definition that is asked about as it is: some eight hundred lines."""

_HEAD: Final = 20  # lines at its beginning that are kept: decorators, signature and documentation
_AROUND: Final = 60  # lines kept before the first change and after the last one


def excerpt(edit: Edit) -> Edit:
    """The edit with texts of bounded length; the very same one where they are short."""
    if len(edit.before) <= LONGEST and len(edit.after) <= LONGEST:
        return edit
    old, new = edit.before.split("\n"), edit.after.split("\n")
    shorter = min(len(old), len(new))
    low = 0
    while low < shorter and old[low] == new[low]:
        low += 1
    high = 0
    while high < shorter - low and old[-1 - high] == new[-1 - high]:
        high += 1
    begin = max(_HEAD, low - _AROUND)

    def cut(lines: list[str]) -> str:
        end = min(len(lines), len(lines) - high + _AROUND)
        return "\n".join([*lines[: min(_HEAD, end)], *lines[begin:end]])

    before, after = cut(old), cut(new)
    if len(before) <= LONGEST and len(after) <= LONGEST:
        return replace(edit, before=before, after=after)
    # Of lines that are very long themselves, what is around the first change.
    pairs = enumerate(zip(before, after, strict=False))
    changed = next((at for at, (one, other) in pairs if one != other), min(len(before), len(after)))
    first = max(0, changed - LONGEST // 2)
    return replace(edit, before=before[first : first + LONGEST], after=after[first : first + LONGEST])


def beginning(source: str) -> str:
    """As much of a definition as is read of one that may be edited next."""
    return source if len(source) <= LONGEST else source[: source.rfind("\n", 0, LONGEST) + 1 or LONGEST]

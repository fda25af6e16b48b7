"""What an edit does to an earlier one: makes it again, with other values, or takes it back.

Some edits are made again and again: the next version, a higher limit, a flag turned on and off, one more entry of a
list. They may have no word in common (7 → 8, 8 → 9), so nothing that compares words finds them. What says that they are
the same is that the lines are, but for the values put in. They are looked for among the earlier edits of the
definition, and among those of others that a small edit is like: the limit of a twin.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Sequence
from enum import Enum
from functools import lru_cache
from typing import Final, NamedTuple

from codewm_lsp.source import LeafRole, tokenize
from codewm_lsp.source.languages import PYTHON

LINES: Final = 200  # from the first changed one to the last, of edits that are compared
HUNKS: Final = 3  # of an edit whose values alone may differ
PUT: Final = 3  # leaves of a line put for others
_REMEMBERED: Final = 64  # edits of which the hunks are
ENTRY: Final = 8  # leaves of a line that is added or removed as a whole


class Repeat(Enum):
    """What an edit does to an earlier one."""

    EXACTLY = "exactly"
    ALIKE = "alike"  # with other values
    UNDONE = "undone"


CHANCES: Final = {Repeat.EXACTLY: 0.99, Repeat.UNDONE: 0.99, Repeat.ALIKE: 0.95}
"""Their places in the order, set by hand and never shown as chances: that they are repeated is a fact. Only an edit
made elsewhere that is the same in all counts for more."""
OF_TWINS: Final = {Repeat.EXACTLY: 0.98, Repeat.ALIKE: 0.9}
"""The chances of edits of other definitions, which come after the definition's own."""

_Leaf = tuple[str, str]  # the text, and what stands for it where values may differ


class _Hunk(NamedTuple):
    """The leaves of lines that were taken out, and of those put there instead."""

    removed: tuple[_Leaf, ...]
    added: tuple[_Leaf, ...]


def repeat_of(now: tuple[str, str], past: tuple[str, str]) -> Repeat | None:
    """What an edit (text before, text after) does to an earlier one; None where nothing of the kind."""
    ours = _hunks(*now)
    if not ours:
        return None
    shape = _shape(ours)
    if shape is None:  # it can but be the very same, or taken back
        _, old, new = _changed_lines(*past)
        removed, added = "\n".join(old), "\n".join(new)
        if not (_may_be(ours, removed, added) or _may_be(ours, added, removed)):
            return None
    theirs = _hunks(*past)
    if not theirs:
        return None
    if ours == theirs:
        return Repeat.EXACTLY
    if ours == tuple(_Hunk(hunk.added, hunk.removed) for hunk in theirs):
        return Repeat.UNDONE
    return Repeat.ALIKE if shape is not None and shape == _shape(theirs) else None


@lru_cache(maxsize=_REMEMBERED)
def _hunks(before: str, after: str) -> tuple[_Hunk, ...]:
    """Of the newest few, as an edit is compared with many. Nothing where too much lies between the first change and the
    last. Comments and docstrings are left out."""
    first, old, new = _changed_lines(before, after)
    if max(len(old), len(new)) > LINES:
        return ()
    removed, added = _leaves(before), _leaves(after)
    found = []
    for what, i, j, k, m in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if what == "equal":
            continue
        hunk = _Hunk(
            tuple(leaf for line in range(first + i, first + j) for leaf in removed.get(line, ())),
            tuple(leaf for line in range(first + k, first + m) for leaf in added.get(line, ())),
        )
        if hunk.removed != hunk.added:
            found.append(hunk)
    return tuple(found)


def _changed_lines(before: str, after: str) -> tuple[int, list[str], list[str]]:
    """From the first changed line to the last, of both texts, and how many lines are before."""
    old, new = before.split("\n"), after.split("\n")
    first = 0
    while first < min(len(old), len(new)) and old[first] == new[first]:
        first += 1
    last = 0
    while last < min(len(old), len(new)) - first and old[-1 - last] == new[-1 - last]:
        last += 1
    return first, old[first : len(old) - last], new[first : len(new) - last]


def _may_be(hunks: Sequence[_Hunk], removed: str, added: str) -> bool:
    """Whether these lines may hold the names and values taken out and put in, which takes no parser to see."""
    return all(
        content in lines
        for hunk in hunks
        for leaves, lines in ((hunk.removed, removed), (hunk.added, added))
        for content, kind in leaves
        if kind in _WORDS and "\n" not in content
    )


_WORDS: Final = frozenset({LeafRole.NUMBER.name, LeafRole.STRING.name, LeafRole.NAME.name})  # as they are written


def _leaves(text: str) -> dict[int, list[_Leaf]]:
    """By line, each with what stands for it: the same for all numbers, texts, constants, and names."""
    found: dict[int, list[_Leaf]] = defaultdict(list)
    for content, role, line in tokenize(text).leaves:
        if role in (LeafRole.COMMENT, LeafRole.DOCSTRING):
            continue
        if role in (LeafRole.NUMBER, LeafRole.STRING):
            kind = role.name
        elif role < LeafRole.STRING:
            kind = LeafRole.NAME.name
        else:
            kind = "CONSTANT" if content.lower() in PYTHON.nodes.literals else content
        found[line].append((content, kind))
    return found


_VALUES: Final = frozenset({LeafRole.NUMBER.name, LeafRole.STRING.name, "CONSTANT"})


def _shape(hunks: Sequence[_Hunk]) -> frozenset[tuple[object, ...]] | None:
    """What an edit has in common with one that only puts in other values, in as many such lines or not; None where that
    would say too little."""
    if len(hunks) > HUNKS:
        return None
    found = [_shape_of(hunk) for hunk in hunks]
    return None if None in found else frozenset(shape for shape in found if shape is not None)


def _shape_of(hunk: _Hunk) -> tuple[object, ...] | None:
    removed, added = hunk
    if not removed or not added:
        entry = removed or added
        if len(entry) > ENTRY or not (len(entry) == 1 or any(kind in _VALUES for _, kind in entry)):
            return None
        whole = len(entry) == 1
        return bool(added), tuple(kind if whole or kind in _VALUES else content for content, kind in entry)
    changed = [at for at, (old, new) in enumerate(zip(removed, added, strict=False)) if old != new]
    if (
        len(removed) == len(added)
        and len(changed) <= PUT
        and all(removed[at][1] == added[at][1] in _VALUES for at in changed)
    ):
        if len(changed) == len(added):  # nothing but values: any line may look like that
            return None
        return "values", tuple(
            kind if at in changed or kind == LeafRole.NUMBER.name else content
            for at, (content, kind) in enumerate(added)
        )
    start = changed[0] if changed else min(len(removed), len(added))
    end = 0
    while end < min(len(removed), len(added)) - start and removed[-1 - end] == added[-1 - end]:
        end += 1
    old, new = removed[start : len(removed) - end], added[start : len(added) - end]
    if max(len(old), len(new)) > PUT or not start + end:
        return None
    around = [content for content, _ in added[:start]], [content for content, _ in added[len(added) - end :]]
    return *map(tuple, around), tuple(kind for _, kind in old), tuple(kind for _, kind in new)

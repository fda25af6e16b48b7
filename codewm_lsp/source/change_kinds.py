"""What kind of change an edit makes, by the syntax: a parameter added, a default changed, a branch for another case."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import Final

from tree_sitter import Node, Query, QueryCursor

from codewm_lsp.source.languages import PYTHON
from codewm_lsp.source.trees import tree_of

_OF: Final = ".of"
_IN: Final = ".in"
_WITHIN: Final = ".within"
_MEMORABLE: Final = 8_192  # characters of the longest text remembered

_Marks = dict[str, Counter[tuple[str, str]]]  # by name, whose each is ("": nobody's) and its text


def kinds_of_change(before: str, after: str) -> frozenset[str]:
    """``{"parameter added", "default changed"}``: marks of the language, and whether one was added, removed or changed.

    What a node is of says that it is still the same one: a default is changed if the parameter had another. It is added
    where the parameter has none yet, not where the parameter is new. What a node is in says the same of arguments and
    entries: one is added to a call or list that was there, and not with the call or list of a new branch.
    """
    old, new = _marks(before), _marks(after)
    found = set()
    for name in {name for name in (*old, *new) if not name.endswith((_IN, _WITHIN))}:
        was, now = old.get(name, Counter()), new.get(name, Counter())
        gone, come = was - now, now - was
        own = {whose for whose, _ in gone if whose} & {whose for whose, _ in come}
        added = sum(count for (whose, _), count in come.items() if whose not in own and _held(name, whose, old, new))
        removed = sum(count for (whose, _), count in gone.items() if whose not in own and _held(name, whose, new, old))
        if own or (added and removed):
            found.add(f"{name} changed")
        if added > removed:
            found.add(f"{name} added")
        elif removed > added:
            found.add(f"{name} removed")
    return frozenset(found)


def _held(name: str, whose: str, there: _Marks, other: _Marks) -> bool:
    """Whether what a node is of, or in, was ``there``, and not only in the ``other`` text: then it came with that."""
    if name + _IN in there or name + _IN in other:
        before, after = (_places(name, whose, marks) for marks in (there, other))
        return 0 < before >= after
    return not whose or any(("", whose) in found for found in there.values())


def _places(name: str, whose: str, marks: _Marks) -> int:
    """How many calls, or lists of whichever kind, those that are entries of another one left out."""
    places = marks.get(name + _IN, Counter())
    return places["", whose] if whose else places.total() - marks.get(name + _WITHIN, Counter()).total()


def _marks(text: str) -> _Marks:
    return _remembered(text) if len(text) <= _MEMORABLE else _marks_of(text)


@lru_cache(maxsize=512)
def _remembered(text: str) -> _Marks:
    return _marks_of(text)


@lru_cache(maxsize=1)
def _query() -> Query:
    query: Query = Query(PYTHON.grammar, PYTHON.marks)
    return query


def _marks_of(text: str) -> _Marks:
    found: _Marks = {}
    if not text:
        return found
    for _, captures in QueryCursor(_query()).matches(tree_of(text.encode("utf-8", "replace")).root_node):
        for name, nodes in captures.items():
            if not name.endswith(_OF):
                whose = "".join(_text(node) for node in captures.get(name + _OF, ()))
                found.setdefault(name, Counter()).update((whose, _text(node)) for node in nodes)
    return found


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")

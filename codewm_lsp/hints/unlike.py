"""What tells two edits apart that changed the same words: another kind of change, another name, or an import alone.

``strict=False`` is a parameter in one edit and an argument of a call in another; ``False`` gives way to ``True`` under
two names. And one import in common is no subject in common.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from codewm_lsp.ranking.path_layout import conventions_of
from codewm_lsp.source import LeafRole, kinds_of_change, tokenize
from codewm_lsp.source.languages import PYTHON

UNLIKE: Final = 0.4
"""What is left of the chance of a past edit that changed the same words in another meaning."""
IMPORTS: Final = 2
"""Imports that two edits have in common from which they have a subject in common."""

_LEAVES: Final = 400  # from the first changed one to the last, of edits that only put values in
_REMEMBERED: Final = 64  # edits of which the names are
_VALUES: Final = (LeafRole.NUMBER, LeafRole.STRING)

Texts = tuple[str, str]
"""Of an edit, before and after."""


def other_meaning(now: Texts, past: Texts) -> bool:
    """Whether two small edits with the same words made other kinds of change, or changed values of other names."""
    ours, theirs = ({kind.split()[0] for kind in kinds_of_change(*one)} for one in (now, past))
    if ours and theirs and not ours & theirs:
        return True
    named, other = names_of_values(*now), names_of_values(*past)
    return bool(named and other and not named & other)


@lru_cache(maxsize=_REMEMBERED)
def names_of_values(before: str, after: str) -> frozenset[str]:
    """The names that an edit gives other values: of ``wait=1`` → ``wait=2`` it is ``wait``. None of them where it
    changes more than values."""
    old, new = _leaves(before), _leaves(after)
    changed = [at for at, (was, now) in enumerate(zip(old, new, strict=False)) if was != now]
    if len(old) != len(new) or not changed or changed[-1] - changed[0] > _LEAVES:
        return frozenset()
    if not all(_is_value(*leaves[at]) for leaves in (old, new) for at in changed):
        return frozenset()
    names = [text if role < LeafRole.STRING and role is not LeafRole.TYPE else "" for text, role in new]
    return frozenset(next(filter(None, reversed(names[:at])), "") for at in changed) - {""}


def without_imports_alike(path: str, before: str, after: str) -> bool:
    """Whether two texts are the same but for their imports."""
    without = conventions_of(path).without_imports
    return without(before).split() == without(after).split()


def imports_changed(path: str, before: str, after: str) -> frozenset[tuple[bool, str]]:
    """The imports that an edit adds (True) and removes, each by its module and name."""
    old, new = (set(conventions_of(path).imports(text)) for text in (before, after))
    found = {(True, name) for name in new - old} | {(False, name) for name in old - new}
    return frozenset(
        (added, name)
        for added, name in found
        if not any(how is added and other != name and other.startswith(f"{name.rstrip('.')}.") for how, other in found)
    )


def _leaves(text: str) -> list[tuple[str, LeafRole]]:
    return [
        (content, LeafRole(role))
        for content, role, _ in tokenize(text).leaves
        if role not in (LeafRole.COMMENT, LeafRole.DOCSTRING)
    ]


def _is_value(content: str, role: LeafRole) -> bool:
    return role in _VALUES or (role > LeafRole.STRING and content.lower() in PYTHON.nodes.literals)

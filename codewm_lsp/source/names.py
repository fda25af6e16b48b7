"""The names that a definition binds and uses, as far as its own text tells; the newest few are remembered."""

from __future__ import annotations

from functools import lru_cache

from codewm_lsp.source.languages import PYTHON, Names
from codewm_lsp.source.trees import tree_of

_REMEMBERED = 4096


@lru_cache(maxsize=_REMEMBERED)
def names_of(source: str, wanted: frozenset[str] = frozenset()) -> Names:
    """The names of a definition's own text, with all uses of those ``wanted``. Total."""
    return PYTHON.names(tree_of(source.encode("utf-8", "replace")).root_node, wanted)

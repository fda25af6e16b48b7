"""Text → syntax tree, the newest few of them remembered: definitions, tokens and actions are taken from the same texts
one after the other."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from tree_sitter import Parser, Tree

from codewm_lsp.source.languages import PYTHON

_MEMORABLE: Final = 32_768  # bytes of the longest text whose tree is remembered


def tree_of(data: bytes) -> Tree:
    """The syntax tree of some Python; total, broken code has error nodes."""
    return _remembered(data) if len(data) <= _MEMORABLE else Parser(PYTHON.grammar).parse(data)


def has_syntax_error(text: str) -> bool:
    """Whether some Python cannot be parsed as it stands."""
    return tree_of(text.encode("utf-8", "surrogatepass")).root_node.has_error


@lru_cache(maxsize=8)
def _remembered(data: bytes) -> Tree:
    return Parser(PYTHON.grammar).parse(data)

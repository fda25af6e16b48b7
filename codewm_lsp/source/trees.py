"""Text → syntax tree, the newest few of them remembered: definitions, tokens and actions are taken from the same texts
one after the other."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import tree_sitter_python
from tree_sitter import Language, Parser, Tree

PYTHON: Final = Language(tree_sitter_python.language())
_MEMORABLE: Final = 8_192  # bytes of the longest text whose tree is remembered


def tree_of(data: bytes) -> Tree:
    """The syntax tree of some Python; total, broken code has error nodes."""
    return _remembered(data) if len(data) <= _MEMORABLE else Parser(PYTHON).parse(data)


@lru_cache(maxsize=8)
def _remembered(data: bytes) -> Tree:
    return Parser(PYTHON).parse(data)

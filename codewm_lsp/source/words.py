"""Leaves → words: identifiers split at snake and camel, strings and comments taken apart, everything lower case."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from codewm_lsp.source.languages import LeafRole
from codewm_lsp.source.tokens import Leaf

MAX_WORD: Final = 64
_PARTS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")
_TEXT: Final = re.compile(r"[^\W_][\w]*|\d+(?:\.\d+)?")


def parts_of_identifier(identifier: str) -> tuple[str, ...]:
    """``getHTTPResponse_2`` → ``("get", "http", "response", "2")``."""
    return tuple(part.lower()[:MAX_WORD] for part in _PARTS.findall(identifier))


split_identifier: Final = lru_cache(maxsize=32_768)(parts_of_identifier)
"""The same, for identifiers that are asked about again and again."""


@lru_cache(maxsize=4_096)
def words_of_text(text: str) -> tuple[str, ...]:
    """The words of a sentence, its identifiers split."""
    return tuple(word for piece in _TEXT.findall(text) for word in split_identifier(piece))


def words_of_leaf(text: str, role: LeafRole) -> tuple[str, ...]:
    """The words of one leaf: several for a compound name or a sentence, one for a number, a keyword, an operator."""
    if role < LeafRole.STRING:
        return split_identifier(text)
    return (text.lower()[:MAX_WORD],) if role >= LeafRole.NUMBER else words_of_text(text)


def word_counts(leaves: Iterable[Leaf]) -> dict[str, int]:
    """How often each word stands in the leaves."""
    counts: dict[str, int] = {}
    for text, role, _ in leaves:
        for word in words_of_leaf(text, role):
            counts[word] = counts.get(word, 0) + 1
    return counts

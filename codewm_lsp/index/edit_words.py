"""The words of an edit: those it added and removed, and those of the place where it was made, as 64-bit terms."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.history import Edit
from codewm_lsp.source import split_identifier, tokenize, word_counts
from codewm_lsp.source.languages import language_of

MAX_COUNT: Final = 127  # a net count is kept in one signed byte; its logarithm is what weighs
_MEMORABLE: Final = 8_192  # characters of the longest text whose words are remembered


def changed_words(before: str, after: str) -> dict[str, int]:
    """Net count of every word between two texts: above 0 where it was added, below 0 where it was removed."""
    counts = dict(_counted(after)) if after else {}
    if before:
        for word, count in _counted(before).items():
            counts[word] = counts.get(word, 0) - count
    return {
        word: count if -MAX_COUNT < count < MAX_COUNT else max(-MAX_COUNT, min(MAX_COUNT, count))
        for word, count in counts.items()
        if count
    }


def _counted(text: str) -> Mapping[str, int]:
    return _remembered(text) if len(text) <= _MEMORABLE else word_counts(tokenize(text).leaves)


@lru_cache(maxsize=512)
def _remembered(text: str) -> Mapping[str, int]:
    """What one edit ended with, an older one of the same definition began with."""
    return word_counts(tokenize(text).leaves)


def words_of_edit(edit: Edit) -> dict[str, int]:
    """``changed_words`` of an edit."""
    return changed_words(edit.before, edit.after)


def place_words(path: str, definition: str) -> dict[str, int]:
    """The words of a path (without its suffix) and of a qualified name, each counted once."""
    stem = path.removesuffix(language_of(path).suffixes[0])
    words = [*split_identifier(stem), *split_identifier(definition.partition("#")[0])]
    return dict.fromkeys(words, 1)


@lru_cache(maxsize=65_536)
def term(word: str) -> int:
    """A word as a 64-bit number, the same everywhere: an index needs no table of words."""
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def terms(words: Iterable[str]) -> NDArray[np.uint64]:
    """``term`` of each word."""
    return np.fromiter((term(word) for word in words), dtype=np.uint64)


def counts(words: Mapping[str, int]) -> NDArray[np.int8]:
    """The counts of ``words`` in their order."""
    return np.fromiter(words.values(), dtype=np.int8, count=len(words))

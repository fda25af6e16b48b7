"""How much a word says of the place it stands in: asked of the network once for each sort of word, then looked up.

This gate hangs on the word alone and on the part it plays: its identity where it is a common one, else its level of
rarity, its length, and whether it is a number or a compound. There are a few thousand such sorts, so that after the
first definitions hardly one is left to be asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.source import LeafRole
from codewm_lsp.world_model.features import NUMBERS, identity_of_rank, level_of_rank, shape_numbers, word_hash

ROLES: Final = len(LeafRole)
_WORDS: Final = 65_536  # words whose sort is remembered
_BLOCK: Final = 8
"""Sorts asked for at once, never more or fewer: the last digits of a product hang on the number of its rows, and a gate
must not hang on the words it was first met with."""

_Sort: TypeAlias = "tuple[int, int, tuple[float, ...]]"  # identity, level, shape
Ask = Callable[[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]], NDArray[np.float32]]
"""Identity, level and role (n,), numbers (n, NUMBERS) → gates (n,)."""


class PlaceGates:
    """The gates of words, by word and role. ``common``: ``CommonWords.ranks()``."""

    def __init__(self, common: dict[int, int], ask: Ask) -> None:
        self._common = common
        self._ask = ask
        self._sort_of: dict[str, int] = {}
        self._sorts: dict[_Sort, int] = {}
        self._table = np.zeros((0, ROLES), np.float32)

    def __call__(self, words: Sequence[str], roles: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float32]:
        """The gates (n,) of n words that play these parts."""
        known = self._sort_of
        try:
            sorts = [known[word] for word in words]
        except KeyError:
            self._learn(words)
            sorts = [self._sort_of[word] for word in words]
        return self._table[sorts, roles] if sorts else np.zeros(0, np.float32)

    def _learn(self, words: Sequence[str]) -> None:
        if len(self._sort_of) + len(words) > _WORDS:
            self._sort_of = {}
        fresh: list[_Sort] = []
        for word in words:
            if word not in self._sort_of:
                rank = self._common.get(word_hash(word) & 0xFFFFFFFF, -1)
                sort = (identity_of_rank(rank), level_of_rank(rank), shape_numbers(word))
                if sort not in self._sorts:
                    self._sorts[sort] = len(self._sorts)
                    fresh.append(sort)
                self._sort_of[word] = self._sorts[sort]
        if not fresh:
            return
        try:
            blocks = [self._asked(fresh[start : start + _BLOCK]) for start in range(0, len(fresh), _BLOCK)]
        except BaseException:
            for sort in fresh:  # asked for again the next time
                del self._sorts[sort]
            self._sort_of = {}
            raise
        self._table = np.concatenate([self._table, *blocks])

    def _asked(self, sorts: list[_Sort]) -> NDArray[np.float32]:
        """The gates of up to ``_BLOCK`` sorts, (sorts, ROLES)."""
        padded = sorts + sorts[:1] * (_BLOCK - len(sorts))
        numbers = np.zeros((_BLOCK, NUMBERS), np.float32)
        numbers[:, 4:7] = [shape for _, _, shape in padded]
        identity = np.repeat(np.array([sort[0] for sort in padded], np.int64), ROLES)
        level = np.repeat(np.array([sort[1] for sort in padded], np.int64), ROLES)
        gates = self._ask(identity, level, np.tile(np.arange(ROLES), _BLOCK), np.repeat(numbers, ROLES, 0))
        return gates.reshape(-1, ROLES)[: len(sorts)]

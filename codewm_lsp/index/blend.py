"""The parts of a score, and the plain sum of them by which past edits are found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.records import dataclass


@dataclass(frozen=True, slots=True)
class Blend:
    """Weights of the parts of a score. An edit is 1 like itself in each of them, so with weights that sum to 1 in all.

    By this sum past edits are found, exactly; the first of them are then ranked by ``reranker``.

    ``meaning``: the model's edit vectors, in the measure of the repository's own edits (``whitening``). ``signed``:
    changed words, added and removed ones opposed. ``unsigned``: the same words whatever the direction of the change.
    ``place``: the words of the path and the qualified name. Words weigh sign × log(1 + net count) × idf, the idf being
    that of the repository's own edits. Commit, author and time have no part in a score: they would find the other edits
    of a commit without looking at them. The weights were chosen on the validation repositories (docs/experiments.md).
    """

    meaning: float = 0.7
    signed: float = 0.05
    unsigned: float = 0.1
    place: float = 0.15


LEXICAL = Blend(meaning=0.0, signed=0.4, unsigned=0.4, place=0.2)
"""The same without a model: the bar a model has to clear (EVALUATION: sibling retrieval)."""


@dataclass(frozen=True, slots=True)
class Scores:
    """The parts of the score of every edit of the index against one query, (N,) each; row i is the edit of id i + 1."""

    meaning: NDArray[np.float32]
    signed: NDArray[np.float32]
    unsigned: NDArray[np.float32]
    place: NDArray[np.float32]

    def blended(self, blend: Blend) -> NDArray[np.float32]:
        """The score of every edit, (N,)."""
        weights = np.array([blend.meaning, blend.signed, blend.unsigned, blend.place], dtype=np.float32)
        return _sum((self.meaning, self.signed, self.unsigned, self.place), weights)

    def at(self, which: NDArray[np.int64] | slice) -> Scores:
        """Those of some of the edits."""
        return Scores(self.meaning[which], self.signed[which], self.unsigned[which], self.place[which])

    @staticmethod
    def joined(parts: Sequence[Scores]) -> Scores:
        """Those of several runs of edits, one after the other."""
        return Scores(
            np.concatenate([one.meaning for one in parts]),
            np.concatenate([one.signed for one in parts]),
            np.concatenate([one.unsigned for one in parts]),
            np.concatenate([one.place for one in parts]),
        )

    def words(self, blend: Blend) -> NDArray[np.float32]:
        """The two word parts as one, in the proportion of the blend, (N,)."""
        weights = np.array([blend.signed, blend.unsigned], dtype=np.float32)
        total = weights.sum()
        return _sum((self.signed, self.unsigned), weights / total if total else np.full(2, 0.5, dtype=np.float32))


def _sum(parts: tuple[NDArray[np.float32], ...], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    total = np.zeros_like(parts[0])
    for part, weight in zip(parts, weights, strict=True):
        total += part * weight
    return total

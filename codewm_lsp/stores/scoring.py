"""How a store that looks at a few edits scores each of them: as an index on this machine does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.history import Edit
from codewm_lsp.index import Blend, Hit, PastEdit, Scores
from codewm_lsp.index.lexicon import WEIGHTS
from codewm_lsp.index.words import counts, place_words, terms, words_of_edit

Numbering: TypeAlias = Callable[[NDArray[np.uint64]], list[int]]
"""64-bit terms → the numbers by which a store knows them."""


@dataclass(frozen=True, slots=True)
class TermCounts:
    """In how many of ``total`` edits each term stands: among the words that were changed, and among those of places."""

    total: int
    words: Mapping[int, int]
    places: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Bag:
    """The words of an edit or of a place: sign × log(1 + net count) of each, and its idf."""

    weights: Mapping[int, float]
    idf: Mapping[int, float]
    length: float

    @classmethod
    def of(cls, numbers: Sequence[int], found: NDArray[np.int8], present: Mapping[int, int], total: int) -> Bag:
        """Terms with their net counts; ``present``: in how many of ``total`` edits each stands."""
        values = WEIGHTS[found.view(np.uint8)].tolist()
        weights = {int(number): float(value) for number, value in zip(numbers, values, strict=True)}
        idf = {number: float(np.log1p(max(1, total) / max(1, present.get(number, 0)))) for number in weights}
        return cls(weights, idf, float(np.sqrt(sum((weight * idf[number]) ** 2 for number, weight in weights.items()))))

    @classmethod
    def of_place(cls, path: str, definition: str, present: TermCounts, numbering: Numbering) -> Bag:
        """The words of a path and of a qualified name."""
        words = place_words(path, definition)
        return cls.of(numbering(terms(words)), counts(words), present.places, present.total)

    def cosines(self, other: Bag) -> tuple[float, float]:
        """With signs and without."""
        products = [
            weight * other.weights[number] * self.idf[number] ** 2
            for number, weight in self.weights.items()
            if number in other.weights
        ]
        length = self.length * other.length
        return (sum(products) / length, sum(map(abs, products)) / length) if length else (0.0, 0.0)

    def strengths(self) -> dict[int, float]:
        """How much each term weighs, whatever the direction of the change."""
        return {number: abs(weight) * self.idf[number] for number, weight in self.weights.items()}


@dataclass(frozen=True, slots=True)
class StoreQuery:
    """An edit that is looked up: its changed words, and those of its place."""

    words: Bag
    place: Bag

    @classmethod
    def of(cls, edit: Edit, present: TermCounts, numbering: Numbering) -> StoreQuery:
        """``present``: counts of at least the terms of ``edit``."""
        words = words_of_edit(edit)
        return cls(
            words=Bag.of(numbering(terms(words)), counts(words), present.words, present.total),
            place=Bag.of_place(edit.path, edit.definition, present, numbering),
        )

    def hit(self, past: PastEdit, words: Bag, place: Bag, meaning: float, blend: Blend) -> Hit | None:
        """A past edit with its score, None where that is no number; ``meaning``: the product of both vectors."""
        signed, unsigned = self.words.cosines(words)
        _, nearness = self.place.cosines(place)
        scores = Scores(*(np.array([value], dtype=np.float32) for value in (meaning, signed, unsigned, nearness)))
        score, by_words = float(scores.blended(blend)[0]), float(scores.words(blend)[0])
        return Hit(past, score, min(1.0, meaning), by_words, nearness) if np.isfinite(score) else None


def best_first(hits: list[Hit]) -> list[Hit]:
    """By score; between equals the newer one."""
    return sorted(hits, key=lambda hit: (-hit.score, -hit.edit.commit.date, hit.edit.commit.sha, hit.edit.id))

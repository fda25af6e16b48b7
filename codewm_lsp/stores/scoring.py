"""How a store that looks at a few edits scores each of them: as an index on this machine does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.history import Edit
from codewm_lsp.index import Blend, Hit, PastEdit, Scores
from codewm_lsp.index.edit_words import counts, place_words, terms, words_of_edit
from codewm_lsp.index.lexicon import WEIGHTS
from codewm_lsp.index.overlap import Overlap
from codewm_lsp.index.reranker import CONSIDERED, Compared, PlaceParts, following, learnt, relations
from codewm_lsp.records import dataclass

_LARGEST: Final = 1e6  # part of a score: it is 1 at most where a store is sound

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
        return cls.weighed(weights, idf)

    @classmethod
    def weighed(cls, weights: Mapping[int, float], idf: Mapping[int, float]) -> Bag:
        """From the weights of terms; ``idf``: that of at least these terms."""
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

    def part(self, sign: int) -> Bag:
        """Only what was added (1), or removed (-1)."""
        weights = {number: weight for number, weight in self.weights.items() if sign * weight > 0}
        return Bag.weighed(weights, self.idf)

    def strengths(self) -> dict[int, float]:
        """How much each term weighs, whatever the direction of the change."""
        return {number: abs(weight) * self.idf[number] for number, weight in self.weights.items()}


@dataclass(frozen=True, slots=True)
class LookedAt:
    """A past edit with the parts of its score, in the order of ``Scores``, and what it is compared by besides."""

    edit: PastEdit
    parts: tuple[float, float, float, float]
    added: float
    removed: float
    words: int
    overlap: Overlap


@dataclass(frozen=True, slots=True)
class StoreQuery:
    """An edit that is looked up: its changed words, and those of its place."""

    edit: Edit
    words: Bag
    place: Bag

    @classmethod
    def of(cls, edit: Edit, present: TermCounts, numbering: Numbering) -> StoreQuery:
        """``present``: counts of at least the terms of ``edit``."""
        words = words_of_edit(edit)
        return cls(
            edit=edit,
            words=Bag.of(numbering(terms(words)), counts(words), present.words, present.total),
            place=Bag.of_place(edit.path, edit.definition, present, numbering),
        )

    def compared(self, past: PastEdit, words: Bag, place: Bag, meaning: float) -> LookedAt | None:
        """A past edit compared with this one, None where that gives no numbers; ``meaning``: the product of both
        vectors."""
        signed, unsigned = self.words.cosines(words)
        _, nearness = self.place.cosines(place)
        added, removed = (self.words.part(sign).cosines(words.part(sign))[0] for sign in (1, -1))
        parts = meaning, signed, unsigned, nearness
        if not all(abs(part) < _LARGEST for part in (*parts, added, removed)):
            return None
        alike = Overlap.of(self.words.weights, words.weights, words.idf, self.words.length)
        return LookedAt(past, parts, added, removed, len(words.weights), alike)

    def ranked(self, found: Sequence[LookedAt], blend: Blend) -> list[Hit]:
        """Best first, as an index on this machine ranks them; between equals the newer one."""
        if not found:
            return []
        scores = Scores(*np.array([one.parts for one in found], dtype=np.float32).T)
        blended = scores.blended(blend)
        order = np.argsort(-blended, kind="stable")
        scores, blended = scores.at(order), blended[order]
        found = [found[place] for place in order.tolist()]
        first = found[:CONSIDERED]
        compared = Compared(
            added=np.array([one.added for one in first], dtype=np.float32),
            removed=np.array([one.removed for one in first], dtype=np.float32),
            words=np.array([one.words for one in first], dtype=np.int64),
        )
        places = [PlaceParts.of(one.edit.path, one.edit.definition) for one in first]
        kinds = [one.edit.kind.value for one in first]
        related = relations(self.edit, len(self.words.weights), scores.at(slice(CONSIDERED)), compared, places, kinds)
        reranker = learnt().reranker.for_edit(self.edit, blend)
        chances = following(reranker.odds(related), blended)
        hits = [
            Hit(one.edit, chance, min(1.0, one.parts[0]), words, one.parts[3], one.overlap)
            for one, chance, words in zip(found, chances.tolist(), scores.words(blend).tolist(), strict=True)
        ]
        likeliest = sorted(
            hits[:CONSIDERED], key=lambda hit: (-hit.score, -hit.edit.commit.date, hit.edit.commit.sha, hit.edit.id)
        )
        return [*likeliest, *hits[CONSIDERED:]]

"""Which terms stand in which documents: exact cosines of some documents, and products with all of them.

A document is an edit (with the net counts of the words it changed) or a place (each of whose words counts once). Terms
are numbers from 1; weights of terms (idf) are arrays by number, so that one collection's can be put for another's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.records import dataclass

_CHUNK: Final = 65_536  # documents

# Weight of a signed count, sign × log(1 + |count|), indexed by the count's byte.
WEIGHTS: Final[NDArray[np.float32]] = np.array(
    [np.sign(c) * np.log1p(abs(c)) for c in np.arange(256, dtype=np.uint8).view(np.int8).astype(np.float64)],
    dtype=np.float32,
)


@dataclass(frozen=True, slots=True)
class Terms:
    """Terms of a question: their numbers (0: one that no document has), and weights sign × log(1 + |count|)."""

    numbers: NDArray[np.int64]
    weights: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Weighing:
    """A question under one collection: by term the products with a document's weights, and the question's length, also
    of what it adds and of what it removes alone."""

    numbers: NDArray[np.int64]
    signed: NDArray[np.float32]  # by number of the term
    length: float
    added: float
    removed: float

    @staticmethod
    def of(terms: Terms, idf: NDArray[np.float32]) -> Weighing:
        """``idf[0]`` is that of a term that no document has."""
        squares = terms.weights * np.square(idf[terms.numbers])
        signed = np.zeros(len(idf), dtype=np.float32)
        np.add.at(signed, terms.numbers, squares)
        signed[0] = 0
        weighed = terms.weights * idf[terms.numbers]
        return Weighing(
            numbers=terms.numbers[terms.numbers > 0],
            signed=signed,
            length=float(np.linalg.norm(weighed)),
            added=float(np.linalg.norm(np.maximum(weighed, 0))),
            removed=float(np.linalg.norm(np.minimum(weighed, 0))),
        )


class Lexicon:
    """The terms of a run of documents, numbered from 0 within it. Its arrays may be mapped from a file.

    ``bounds``, ``terms`` and ``counts`` list the terms of each document, ``vocabulary`` and ``frequency`` in how many
    each term stands; ``postings``, ``documents`` and ``weights`` are the same by term.
    """

    ARRAYS: Final = (
        ("bounds", "<i8"),
        ("terms", "<i4"),
        ("counts", "|i1"),
        ("vocabulary", "<i4"),
        ("frequency", "<i4"),
        ("postings", "<i8"),
        ("documents", "<i4"),
        ("weights", "|i1"),
    )

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.arrays = dict(arrays)
        self.bounds: NDArray[np.int64] = arrays["bounds"]
        self.terms: NDArray[np.int32] = arrays["terms"]
        self.counts: NDArray[np.int8] = arrays["counts"]
        self.vocabulary: NDArray[np.int32] = arrays["vocabulary"]
        self.frequency: NDArray[np.int32] = arrays["frequency"]
        self._postings: NDArray[np.int64] = arrays["postings"]
        self._documents: NDArray[np.int32] = arrays["documents"]
        self._weights: NDArray[np.int8] = arrays["weights"]

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @staticmethod
    def of(lengths: NDArray[np.int64], terms: NDArray[np.int32], counts: NDArray[np.int8]) -> Lexicon:
        """Documents by the number of terms each has, the terms themselves, each once a document, and their counts."""
        order = np.argsort(terms, kind="stable")
        ordered = terms[order]
        starts = np.flatnonzero(np.r_[len(ordered) > 0, ordered[1:] != ordered[:-1]])[: len(ordered)]
        postings = np.r_[starts, len(ordered)].astype(np.int64)
        return Lexicon(
            {
                "bounds": np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
                "terms": terms.astype(np.int32, copy=False),
                "counts": counts.astype(np.int8, copy=False),
                "vocabulary": ordered[starts].astype(np.int32),
                "frequency": np.diff(postings).astype(np.int32),
                "postings": postings,
                "documents": np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)[order],
                "weights": counts[order].astype(np.int8, copy=False),
            }
        )

    @staticmethod
    def joined(lexicons: Sequence[Lexicon]) -> Lexicon:
        """The documents of several, one after the other."""
        return Lexicon.of(
            np.concatenate([np.diff(one.bounds) for one in lexicons]),
            np.concatenate([one.terms for one in lexicons]),
            np.concatenate([one.counts for one in lexicons]),
        )

    def count(self, present: NDArray[np.float64], total: NDArray[np.float64]) -> None:
        """Add to ``total``, by term, how often its documents count: ``present`` has a number for each document."""
        for begin in range(0, len(self), _CHUNK):
            end = min(begin + _CHUNK, len(self))
            own = slice(int(self.bounds[begin]), int(self.bounds[end]))
            weights = np.repeat(present[begin:end], np.diff(self.bounds[begin : end + 1]))
            total += np.bincount(self.terms[own], weights=weights, minlength=len(total))

    def changes(self, number: int) -> tuple[NDArray[np.int32], NDArray[np.int16]]:
        """The documents of a term, and how often it was added to each, below 0 where it was removed."""
        place = int(np.searchsorted(self.vocabulary, number))
        if place == len(self.vocabulary) or self.vocabulary[place] != number:
            place = len(self.vocabulary)
        own = slice(int(self._postings[place]), int(self._postings[min(place + 1, len(self.vocabulary))]))
        return self._documents[own], self._weights[own].astype(np.int16)

    def sizes(self) -> NDArray[np.float64]:
        """How many words each document has, counted as often as they stand in it."""
        return _sums(np.abs(self.counts.astype(np.float64)), self.bounds)

    def added(self) -> NDArray[np.float64]:
        """How many words were added to each document."""
        return _sums(np.maximum(self.counts, 0).astype(np.float64), self.bounds)

    def frequencies(self, documents: NDArray[np.int64], size: int) -> NDArray[np.float64]:
        """In how many of the given documents each term stands, by number up to ``size``."""
        entries, _ = self._entries_of(documents)
        return np.bincount(self.terms[entries], minlength=size).astype(np.float64)

    def inverse_lengths(self, idf: NDArray[np.float32]) -> NDArray[np.float32]:
        """1 / length of every document under these weights, 0 for one without terms."""
        squares = np.zeros(len(self), dtype=np.float64)
        for begin in range(0, len(self), _CHUNK):
            bounds = self.bounds[begin : min(begin + _CHUNK, len(self)) + 1]
            own = slice(int(bounds[0]), int(bounds[-1]))
            weights = idf[self.terms[own]] * WEIGHTS[self.counts[own].view(np.uint8)]
            squares[begin : begin + len(bounds) - 1] = _sums(np.square(weights.astype(np.float64)), bounds - bounds[0])
        return _inverted(squares)

    def _entries_of(self, documents: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where the terms of some documents stand, one after the other, and where each document's begin."""
        starts = self.bounds[documents]
        lengths = self.bounds[documents + 1] - starts
        bounds = np.concatenate(([0], np.cumsum(lengths)))
        return np.repeat(starts - bounds[:-1], lengths) + np.arange(bounds[-1]), bounds

    def terms_of(self, documents: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int8], NDArray[np.int64]]:
        """The terms of some documents, one after the other, their counts, and how many each document has."""
        entries, bounds = self._entries_of(documents)
        return self.terms[entries], self.counts[entries], np.diff(bounds)

    def cosines(
        self, documents: NDArray[np.int64], query: Weighing, idf: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Exact cosines of the query with the given documents, with the signs of the counts and without them.

        Without signs a term counts the same whether it was added or removed; both share one length.
        """
        entries, bounds = self._entries_of(documents)
        terms = self.terms[entries]
        weights = WEIGHTS[self.counts[entries].view(np.uint8)].astype(np.float64)
        inverse = _inverted(_sums(np.square(weights * idf[terms]), bounds))
        scale = inverse / np.float32(query.length) if query.length else np.zeros_like(inverse)
        return (
            (_sums(weights * query.signed[terms], bounds) * scale).astype(np.float32),
            (_sums(np.abs(weights * query.signed[terms]), bounds) * scale).astype(np.float32),
        )

    def apart(
        self, documents: NDArray[np.int64], query: Weighing, idf: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Exact cosines of the words that the query and the given documents added, and of those that they removed.

        0 where either has none of them.
        """
        entries, bounds = self._entries_of(documents)
        terms = self.terms[entries]
        weights = WEIGHTS[self.counts[entries].view(np.uint8)].astype(np.float64)
        asked, scale = query.signed[terms], idf[terms]
        found = []
        for sign, length in ((1, query.added), (-1, query.removed)):
            own = np.maximum(sign * weights, 0)
            inverse = _inverted(_sums(np.square(own * scale), bounds))
            products = _sums(own * np.maximum(sign * asked, 0), bounds)
            found.append((products * inverse / (length or 1.0)).astype(np.float32))
        return found[0], found[1]

    def lengths(self, documents: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many different terms the given documents have."""
        found: NDArray[np.int64] = self.bounds[documents + 1] - self.bounds[documents]
        return found

    def products(
        self, query: Weighing, signed: float, unsigned: float, found: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """For every document the products with the query, with signs and without them, under these two weights and not
        yet divided by the lengths. Added to ``found`` where that is given."""
        found = np.zeros(len(self), dtype=np.float32) if found is None else found
        at = np.searchsorted(self.vocabulary, query.numbers)
        for place, number in zip(at.tolist(), query.numbers.tolist(), strict=True):
            if place == len(self.vocabulary) or self.vocabulary[place] != number:
                continue
            own = slice(int(self._postings[place]), int(self._postings[place + 1]))
            product = WEIGHTS * query.signed[number]  # for each count there can be
            weights = (signed * product + unsigned * np.abs(product)).astype(np.float32)
            added = weights.take(self._weights[own].view(np.uint8), mode="clip")
            np.add.at(found, self._documents[own], added)  # a document once; half the time of found[...] += added
        return found


def _inverted(squares: NDArray[np.float64]) -> NDArray[np.float32]:
    with np.errstate(divide="ignore"):
        return np.where(squares > 0, 1.0 / np.sqrt(squares), 0.0).astype(np.float32)


def _sums(values: NDArray[np.float64], bounds: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sum of each run ``values[bounds[i]:bounds[i + 1]]``."""
    lengths = np.diff(bounds)
    full = lengths > 0
    result = np.zeros(len(lengths), dtype=np.float64)
    if full.any():
        result[full] = np.add.reduceat(values, bounds[:-1][full])
    return result

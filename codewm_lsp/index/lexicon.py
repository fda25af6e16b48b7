"""Which terms stand in which documents: exact cosines of some documents, and quick upper bounds for all of them.

A document is an edit (with the net counts of the words it changed) or a place (each of whose words counts once). Terms
are numbers from 1; weights of terms (idf) are arrays by number, so that one collection's can be put for another's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.index.kernel import LEVELS, products

COMMON: Final = 64  # terms with a column of their own
_AT_ONCE: Final = 32_768  # documents whose asked columns are copied together: they stay in the processor's cache
_CHUNK: Final = 65_536  # documents
_TOP: Final = float(np.log1p(127))

# Weight of a signed count, sign × log(1 + |count|), indexed by the count's byte.
WEIGHTS: Final[NDArray[np.float32]] = np.array(
    [np.sign(c) * np.log1p(abs(c)) for c in np.arange(256, dtype=np.uint8).view(np.int8).astype(np.float64)],
    dtype=np.float32,
)
# The same without sign as a whole number of steps of _TOP / 127, never too small.
_STEPS: Final[NDArray[np.int8]] = np.ceil(np.abs(WEIGHTS.astype(np.float64)) * 127 / _TOP - 1e-4).astype(np.int8)


@dataclass(frozen=True, slots=True)
class Terms:
    """Terms of a question: their numbers (0: one that no document has), and weights sign × log(1 + |count|)."""

    numbers: NDArray[np.int64]
    weights: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Weighing:
    """A question under one collection: by term the products with a document's weights, and the question's length."""

    numbers: NDArray[np.int64]
    signed: NDArray[np.float32]  # by number of the term
    unsigned: NDArray[np.float32]
    length: float

    @staticmethod
    def of(terms: Terms, idf: NDArray[np.float32]) -> Weighing:
        """``idf[0]`` is that of a term that no document has."""
        squares = terms.weights * np.square(idf[terms.numbers])
        signed = np.zeros(len(idf), dtype=np.float32)
        np.add.at(signed, terms.numbers, squares)
        signed[0] = 0
        return Weighing(
            numbers=terms.numbers[terms.numbers > 0],
            signed=signed,
            unsigned=np.abs(signed),
            length=float(np.linalg.norm(terms.weights * idf[terms.numbers])),
        )


class Lexicon:
    """The terms of a run of documents, numbered from 0 within it. Its arrays may be mapped from a file.

    ``bounds``, ``terms`` and ``counts`` list the terms of each document, ``vocabulary`` and ``frequency`` in how many
    each term stands, ``lists``, ``documents`` and ``weights`` the same by term, ``columns`` that of the commonest ones
    as a matrix.
    """

    ARRAYS: Final = (
        ("bounds", "<i8"),
        ("terms", "<i4"),
        ("counts", "|i1"),
        ("vocabulary", "<i4"),
        ("frequency", "<i4"),
        ("lists", "<i8"),
        ("documents", "<i4"),
        ("weights", "|i1"),
        ("common", "<i4"),
        ("columns", "|i1"),
    )

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.arrays = dict(arrays)
        self.bounds: NDArray[np.int64] = arrays["bounds"]
        self.terms: NDArray[np.int32] = arrays["terms"]
        self.counts: NDArray[np.int8] = arrays["counts"]
        self.vocabulary: NDArray[np.int32] = arrays["vocabulary"]
        self.frequency: NDArray[np.int32] = arrays["frequency"]
        self._lists: NDArray[np.int64] = arrays["lists"]
        self._documents: NDArray[np.int32] = arrays["documents"]
        self._weights: NDArray[np.int8] = arrays["weights"]
        self._common: NDArray[np.int32] = arrays["common"]
        self._columns: NDArray[np.int8] = arrays["columns"]

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @staticmethod
    def of(
        lengths: NDArray[np.int64], terms: NDArray[np.int32], counts: NDArray[np.int8], *, common: int = COMMON
    ) -> Lexicon:
        """Documents by the number of terms each has, the terms themselves, each once a document, and their counts."""
        size = len(lengths)
        bounds = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
        order = np.argsort(terms, kind="stable")
        ordered = terms[order]
        starts = np.flatnonzero(np.r_[len(ordered) > 0, ordered[1:] != ordered[:-1]])[: len(ordered)]
        vocabulary = ordered[starts]
        frequency = np.diff(np.r_[starts, len(ordered)])
        documents = np.repeat(np.arange(size, dtype=np.int32), lengths)[order]
        weights = counts[order]
        # A column costs a byte a document, an entry of a list about five times the work of a column's: those that
        # stand in less than every hundredth document are as well off in their lists.
        chosen = np.argsort(-frequency, kind="stable")[:common]
        chosen = np.sort(chosen[frequency[chosen] * 100 >= size])
        columns = np.zeros((len(chosen), size), dtype=np.int8)
        rare = np.ones(len(vocabulary), dtype=np.bool_)
        rare[chosen] = False
        for column, term in enumerate(chosen.tolist()):
            own = slice(starts[term], starts[term] + frequency[term])
            columns[column, documents[own]] = _STEPS[weights[own].view(np.uint8)]
        kept = np.repeat(rare, frequency)
        lists = np.concatenate(([0], np.cumsum(np.where(rare, frequency, 0)))).astype(np.int64)
        return Lexicon(
            {
                "bounds": bounds,
                "terms": terms.astype(np.int32, copy=False),
                "counts": counts.astype(np.int8, copy=False),
                "vocabulary": vocabulary.astype(np.int32),
                "frequency": frequency.astype(np.int32),
                "lists": lists,
                "documents": documents[kept],
                "weights": weights[kept],
                "common": vocabulary[chosen].astype(np.int32),
                "columns": columns,
            }
        )

    @staticmethod
    def joined(parts: Sequence[Lexicon], *, common: int = COMMON) -> Lexicon:
        """The documents of several, one after the other."""
        return Lexicon.of(
            np.concatenate([np.diff(part.bounds) for part in parts]),
            np.concatenate([part.terms for part in parts]),
            np.concatenate([part.counts for part in parts]),
            common=common,
        )

    def count(self, present: NDArray[np.float64], total: NDArray[np.float64]) -> None:
        """Add to ``total``, by term, how often its documents count: ``present`` has a number for each document."""
        for begin in range(0, len(self), _CHUNK):
            end = min(begin + _CHUNK, len(self))
            own = slice(int(self.bounds[begin]), int(self.bounds[end]))
            weights = np.repeat(present[begin:end], np.diff(self.bounds[begin : end + 1]))
            total += np.bincount(self.terms[own], weights=weights, minlength=len(total))

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
            (_sums(np.abs(weights) * query.unsigned[terms], bounds) * scale).astype(np.float32),
        )

    def bounds_of(self, query: Weighing) -> NDArray[np.float32]:
        """For every document at least its product with the query, signs aside; not yet divided by the lengths."""
        found = np.zeros(len(self), dtype=np.float32)
        weights = query.unsigned[self._common]
        top = float(weights.max(initial=0.0))
        if top > 0:
            step = top / LEVELS
            levels = np.minimum(np.ceil(weights / step * (1 - 1e-6)), LEVELS + 1).astype(np.uint8)
            asked = np.flatnonzero(levels)
            for begin in range(0, len(self), _AT_ONCE):
                own = slice(begin, begin + _AT_ONCE)
                found[own] = products(levels[None, asked], np.ascontiguousarray(self._columns[asked, own]))[0]
            found *= np.float32(step * _TOP / 127 * (1 + 1e-5))
        at = np.searchsorted(self.vocabulary, query.numbers)
        for place, number in zip(at.tolist(), query.numbers.tolist(), strict=True):
            if place == len(self.vocabulary) or self.vocabulary[place] != number:
                continue
            own = slice(int(self._lists[place]), int(self._lists[place + 1]))
            if own.start < own.stop:
                steps = np.abs(WEIGHTS[self._weights[own].view(np.uint8)]) * query.unsigned[number]
                found[self._documents[own]] += steps
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

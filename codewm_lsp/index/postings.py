"""An inverted index in memory: term → documents with signed counts; exact idf-weighted cosines with every document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

# Weight of a signed count, sign × log(1 + |count|), indexed by the count's byte.
_WEIGHTS: Final[NDArray[np.float32]] = np.array(
    [np.sign(c) * np.log1p(abs(c)) for c in np.arange(256, dtype=np.uint8).view(np.int8).astype(np.float64)],
    dtype=np.float32,
)


@dataclass(frozen=True, slots=True)
class _Segment:
    """Postings sorted by term: those of ``terms[i]`` are ``documents[offsets[i]:offsets[i + 1]]``."""

    terms: NDArray[np.uint64]
    offsets: NDArray[np.int64]
    documents: NDArray[np.int32]
    counts: NDArray[np.int8]

    @staticmethod
    def of(terms: NDArray[np.uint64], documents: NDArray[np.int32], counts: NDArray[np.int8]) -> _Segment:
        order = np.argsort(terms, kind="stable")
        ordered = terms[order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        return _Segment(
            terms=ordered[starts],
            offsets=np.r_[starts, len(ordered)].astype(np.int64),
            documents=documents[order],
            counts=counts[order],
        )

    def merged(self, other: _Segment) -> _Segment:
        return _Segment.of(
            np.concatenate([np.repeat(s.terms, np.diff(s.offsets)) for s in (self, other)]),
            np.concatenate([self.documents, other.documents]),
            np.concatenate([self.counts, other.counts]),
        )


class Postings:
    """Grows by segments of sorted postings, merged so that there are never more than a dozen.

    5 bytes a posting and 16 a term and segment. Documents are numbered from 0; a document comes in one piece.
    """

    def __init__(self) -> None:
        self._segments: list[_Segment] = []

    def append(self, terms: NDArray[np.uint64], documents: NDArray[np.int32], counts: NDArray[np.int8]) -> None:
        """Add postings of new documents, in any order; a (term, document) pair comes once."""
        if not len(terms):
            return
        segments = self._segments
        segments.append(_Segment.of(terms, documents, counts))
        while len(segments) > 1 and 2 * len(segments[-1].counts) >= len(segments[-2].counts):
            last = segments.pop()
            segments[-1] = segments[-1].merged(last)

    def weighted(self, present: NDArray[np.float64]) -> WeightedPostings:
        """Fix the collection: ``present[d]`` is how often document ``d`` counts in it, 0 when it is out of range."""
        return WeightedPostings(tuple(self._segments), present)


class WeightedPostings:
    """``Postings`` with the idf of every term and the norm of every document in one fixed collection.

    The idf of a term is log(1 + N / df), N and df counted over the collection alone, so that what is out of range
    (commits later than the revision asked about) has no say.
    """

    def __init__(self, segments: tuple[_Segment, ...], present: NDArray[np.float64]) -> None:
        self._segments = segments
        self._documents = len(present)
        self._size = max(1.0, float(present.sum()))
        self._idf: list[NDArray[np.float32]] = []
        squares = np.zeros(self._documents)
        for segment in segments:
            frequency = np.zeros(len(segment.terms))
            for other in segments:
                counted = np.add.reduceat(present[other.documents], other.offsets[:-1])
                if other is segment:
                    frequency += counted
                else:
                    at, found = _positions(other.terms, segment.terms)
                    frequency[found] += counted[at[found]]
            idf = np.log1p(self._size / np.maximum(frequency, 1.0)).astype(np.float32)
            self._idf.append(idf)
            weights = np.repeat(idf, np.diff(segment.offsets)) * _WEIGHTS[segment.counts.view(np.uint8)]
            squares += np.bincount(segment.documents, weights=np.square(weights), minlength=self._documents)
        with np.errstate(divide="ignore"):
            self._inverse_norms = np.where(squares > 0, 1.0 / np.sqrt(squares), 0.0).astype(np.float32)

    def cosines(
        self, terms: NDArray[np.uint64], counts: NDArray[np.int8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Cosine of the query with every document, (D,) each: with the signs of the counts, and without them.

        Without signs a word counts the same whether it was added or removed; both share one norm.
        """
        signed = np.zeros(self._documents, dtype=np.float32)
        unsigned = np.zeros(self._documents, dtype=np.float32)
        if not len(terms):
            return signed, unsigned
        weights = _WEIGHTS[counts.view(np.uint8)]
        idf = np.full(len(terms), np.log1p(self._size), dtype=np.float32)  # of a word never seen before
        for segment, segment_idf in zip(self._segments, self._idf, strict=True):
            at, found = _positions(segment.terms, terms)
            idf[found] = segment_idf[at[found]]
            for index in np.flatnonzero(found):
                begin, end = segment.offsets[at[index]], segment.offsets[at[index] + 1]
                documents = segment.documents[begin:end]
                product = _WEIGHTS[segment.counts[begin:end].view(np.uint8)] * (weights[index] * idf[index] ** 2)
                signed[documents] += product
                unsigned[documents] += np.abs(product)
        norm = float(np.linalg.norm(weights * idf))
        scale = self._inverse_norms / np.float32(norm) if norm else self._inverse_norms
        return signed * scale, unsigned * scale


def _positions(terms: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where each wanted term stands in the sorted ``terms``, and whether it is there at all."""
    at = np.minimum(np.searchsorted(terms, wanted), len(terms) - 1).astype(np.int64)
    return at, terms[at] == wanted

"""Exact search among the edits of an index.

What words and places say is summed up for every edit from the lists of the query's terms. Vectors are multiplied with
the query in a plain pass or, where a segment has a sketch, bounded from above. A few promising edits are scored in
full; whatever has an upper bound below the least of the best of these cannot be among the best.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.allocator import let_go
from codewm_lsp.distinct import among, distinct
from codewm_lsp.index.arrays import EditArrays, SearchRange
from codewm_lsp.index.blend import Blend, Scores
from codewm_lsp.index.lexicon import WEIGHTS, Terms, Weighing
from codewm_lsp.index.matrix import Matrix
from codewm_lsp.index.overlap import Overlap
from codewm_lsp.index.reranker import Compared
from codewm_lsp.index.segments import Segment
from codewm_lsp.index.sketch import Probe
from codewm_lsp.records import dataclass

FEW: Final = 300  # edits left of a block from which on the next stage costs less than computing each of them
GROUP: Final = 64  # edits of which the best guess alone is tried at first
_AT_ONCE: Final = 16  # queries
_LEAST: Final = -1e30  # less than any score, more than the bound of an edit that must not be shown
_LARGE_PIECE: Final = 4_096
"""Edits that are scored at once when that many and a third of them were not enough; after it 16 times as many, as then
many thousands are equally near."""
_ROUNDING: Final = 1e-5  # between a score and the same score computed otherwise


@dataclass(frozen=True, slots=True)
class Query:
    """An edit that is looked up: its vector, its changed words, the words of its place."""

    vector: NDArray[np.float32]
    words: Terms
    place: Terms


def scores(arrays: EditArrays, query: Query, asked: SearchRange, rows: NDArray[np.int64] | None = None) -> Scores:
    """The parts of the score of the given edits (None: of every one), exactly."""
    everything = rows is None
    rows = np.arange(len(arrays)) if rows is None else rows
    meaning = (
        arrays.matrix.products(query.vector[None], range(len(arrays)))[0]
        if everything
        else arrays.matrix.at(rows, query.vector)
    )
    signed, unsigned = (np.zeros(len(rows), dtype=np.float32) for _ in range(2))
    words = Weighing.of(query.words, asked.words)
    for segment, own in _by_segment(arrays, [one.first_row for one in arrays.segments], rows):
        signed[own], unsigned[own] = segment.words.cosines(rows[own] - segment.first_row, words, asked.words)
    places, inverse = np.unique(arrays.place_of.values[rows], return_inverse=True)
    near = np.zeros(len(places), dtype=np.float32)
    place = Weighing.of(query.place, asked.places)
    for segment, own in _by_segment(arrays, [one.first_place for one in arrays.segments], places):
        numbers = places[own].astype(np.int64) - segment.first_place
        _, near[own] = segment.places.cosines(numbers, place, asked.places)
    return Scores(meaning=meaning, signed=signed, unsigned=unsigned, place=near[inverse])


def best(
    arrays: EditArrays, query: Query, k: int, blend: Blend, asked: SearchRange, allowed: NDArray[np.bool_] | None
) -> tuple[NDArray[np.int64], Scores]:
    """Rows of the ``k`` best scores (0: all) among those allowed, best first, and their scores.

    Of equal ones the one indexed first comes first.
    """
    weights = (blend.meaning, blend.signed, blend.unsigned, blend.place)
    count = len(arrays) if allowed is None else int(np.count_nonzero(allowed))
    if not 0 < k < count or min(weights) < 0:
        rows = np.arange(len(arrays)) if allowed is None else np.flatnonzero(allowed)
    else:
        lexical = _lexical(arrays, query, blend, asked)
        exact = _Exact(arrays, query, blend, asked)
        (rows,) = _candidates(arrays, query.vector[None], blend.meaning, lexical, k, allowed, [exact])
    found = scores(arrays, query, asked, rows)
    order = _order(rows, found.blended(blend), k)
    return rows[order], found.at(order)


def compared(arrays: EditArrays, query: Query, asked: SearchRange, rows: NDArray[np.int64]) -> Compared:
    """What there is besides to compare the given edits by."""
    added, removed = (np.zeros(len(rows), dtype=np.float32) for _ in range(2))
    count = np.zeros(len(rows), dtype=np.int64)
    words = Weighing.of(query.words, asked.words)
    for segment, own in _by_segment(arrays, [one.first_row for one in arrays.segments], rows):
        documents = rows[own] - segment.first_row
        added[own], removed[own] = segment.words.apart(documents, words, asked.words)
        count[own] = segment.words.lengths(documents)
    return Compared(added, removed, count)


def words_of(arrays: EditArrays, rows: NDArray[np.int64]) -> list[dict[int, int]]:
    """The words that each of the given edits changed: the net counts by number of the term, as far as they are kept."""
    found: list[dict[int, int]] = [{} for _ in rows]
    for segment, own in _by_segment(arrays, [one.first_row for one in arrays.segments], rows):
        for place in own.tolist():
            terms, counts, _ = segment.words.terms_of(rows[place : place + 1] - segment.first_row)
            found[place] = dict(zip(terms.tolist(), counts.tolist(), strict=True))
    return found


def overlaps(arrays: EditArrays, query: Query, asked: SearchRange, rows: NDArray[np.int64]) -> list[Overlap]:
    """What each of a few edits has in common with the one that is looked up."""
    own = dict(zip(query.words.numbers.tolist(), query.words.weights.tolist(), strict=True))
    own.pop(0, None)
    length = float(np.linalg.norm(query.words.weights * asked.words[query.words.numbers]))
    found = []
    for words in words_of(arrays, rows):
        weights = {term: float(WEIGHTS[count % 256]) for term, count in words.items()}
        found.append(Overlap.of(own, weights, {term: float(asked.words[term]) for term in words}, length))
    return found


def _by_segment(
    arrays: EditArrays, firsts: Sequence[int], numbers: NDArray[np.integer[Any]]
) -> Iterator[tuple[Segment, NDArray[np.int64]]]:
    """Which of ``numbers`` are of which segment, of those that have any; ``firsts``: the first number of each."""
    segment_of = np.searchsorted(firsts, numbers, side="right") - 1
    for number, segment in enumerate(arrays.segments):
        own = np.flatnonzero(segment_of == number)
        if len(own):
            yield segment, own


def nearest(
    arrays: EditArrays, vectors: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None
) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """For each of (Q, D) queries the rows of the ``k`` largest products (0: all), the largest first, and these."""
    count = len(arrays) if allowed is None else int(np.count_nonzero(allowed))
    found: list[tuple[NDArray[np.int64], NDArray[np.float32]]] = []
    for begin in range(0, len(vectors), _AT_ONCE):
        some = np.ascontiguousarray(vectors[begin : begin + _AT_ONCE], dtype=np.float32)
        if 0 < k < count:
            exact = [_Product(arrays.matrix, vector) for vector in some]
            chosen = _candidates(arrays, some, 1.0, None, k, allowed, exact)
        else:
            chosen = [np.arange(len(arrays)) if allowed is None else np.flatnonzero(allowed)] * len(some)
        for vector, rows in zip(some, chosen, strict=True):
            products = arrays.matrix.at(rows, vector)
            order = _order(rows, products, k)
            found.append((rows[order], products[order]))
    return found


def at_least(arrays: EditArrays, vectors: NDArray[np.float32], least: float) -> NDArray[np.int64]:
    """Rows whose product with one of (Q, D) queries is at least ``least``."""
    found = [np.zeros(0, dtype=np.int64)]
    for vector in np.asarray(vectors, dtype=np.float32):
        bounds = np.full((1, len(arrays)), -np.inf, dtype=np.float32)
        for segment in arrays.segments:
            _bound(
                arrays.matrix, segment, _probe(segment, vector[None]), vector[None], 1.0, None, bounds, bounds.copy()
            )
        rows = np.flatnonzero(bounds[0] >= least)
        found.append(rows[arrays.matrix.at(rows, vector) >= least])
    return distinct(np.concatenate(found))


@dataclass(frozen=True, slots=True)
class _Exact:
    """The blended scores of some edits."""

    arrays: EditArrays
    query: Query
    blend: Blend
    asked: SearchRange

    def __call__(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return scores(self.arrays, self.query, self.asked, rows).blended(self.blend)


@dataclass(frozen=True, slots=True)
class _Product:
    """The products of some edits with a vector."""

    matrix: Matrix
    vector: NDArray[np.float32]

    def __call__(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.matrix.at(rows, self.vector)


def _lexical(arrays: EditArrays, query: Query, blend: Blend, asked: SearchRange) -> NDArray[np.float32]:
    """What words and place add to the score of every edit, (N,), or a little more: see ``SearchRange.norms``."""
    place = Weighing.of(query.place, asked.places)
    near = np.concatenate([one.places.products(place, 0.0, blend.place) for one in arrays.segments])
    near *= asked.place_norms * np.float32(1 / place.length if place.length else 0.0)
    result: NDArray[np.float32] = (
        near.take(arrays.place_of.values, mode="clip") if len(near) else np.zeros(len(arrays), dtype=np.float32)
    )
    words = Weighing.of(query.words, asked.words)
    for segment, norms in zip(arrays.segments, asked.norms, strict=True):
        added = segment.words.products(words, blend.signed, blend.unsigned)
        np.maximum(added, 0, out=added)
        added *= norms
        added *= np.float32(1 / words.length if words.length else 0.0)
        result[segment.first_row : segment.rows.stop] += added
        if segment.sketch is not None:  # of a large index: what comes next needs memory, too
            let_go(segment.place_of)
    return result


def _probe(segment: Segment, queries: NDArray[np.float32]) -> Probe | None:
    return None if segment.sketch is None else Probe(segment.sketch, queries)


def _bound(
    matrix: Matrix,
    segment: Segment,
    probe: Probe | None,
    queries: NDArray[np.float32],
    weight: float,
    lexical: NDArray[np.float32] | None,
    bounds: NDArray[np.float32],
    guesses: NDArray[np.float32],
) -> None:
    """Fill in what the scores of a segment's edits are at most, (Q, N), and what they may be."""
    rows = slice(segment.first_row, segment.rows.stop)
    if probe is None:
        exact = matrix.products(queries, segment.rows)
        exact *= np.float32(weight)
        if lexical is not None:
            exact += lexical[rows]
        guesses[:, rows] = exact
        exact += np.float32(_ROUNDING)
        bounds[:, rows] = exact
        return
    for block in probe.sketch.blocks():
        own = slice(segment.first_row + block.start, segment.first_row + block.stop)
        guessed = probe.added(block, 0)
        guessed *= np.float32(weight)
        if lexical is not None:
            guessed += lexical[own]
        guesses[:, own] = guessed
        for number in range(len(queries)):
            guessed[number] += probe.rest(block, 0, number) * np.float32(weight)
        bounds[:, own] = guessed
        let_go(probe.sketch.columns)


def _candidates(
    arrays: EditArrays,
    queries: NDArray[np.float32],
    weight: float,
    lexical: NDArray[np.float32] | None,
    k: int,
    allowed: NDArray[np.bool_] | None,
    exact: Sequence[_Exact | _Product],
) -> list[NDArray[np.int64]]:
    """For each query rows that hold the ``k`` best: the score of any other is at most the least of these."""
    bounds = np.empty((len(queries), len(arrays)), dtype=np.float32)
    guesses = np.empty_like(bounds)
    probes = [_probe(segment, queries) for segment in arrays.segments]
    for segment, probe in zip(arrays.segments, probes, strict=True):
        _bound(arrays.matrix, segment, probe, queries, weight, lexical, bounds, guesses)
    if allowed is not None:
        hidden = np.flatnonzero(~allowed)
        bounds[:, hidden] = -np.inf
        guesses[:, hidden] = -np.inf
    found = []
    for query, own, guessed, score in zip(queries, bounds, guesses, exact, strict=True):
        tried = _promising(guessed, k + 74)
        tried = tried[own[tried] > -np.inf]
        scored = score(tried)
        least = _kth(scored, k)
        if len(queries) == 1:
            _second_look(arrays.segments, probes, weight, guessed, own, least - _ROUNDING)
            _look_at_all(arrays, probes, query, weight, lexical, own, least - _ROUNDING)
        left = np.flatnonzero(own >= least - _ROUNDING)
        left = left[~among(left, np.sort(tried))]
        left = left[np.argsort(-own[left], kind="stable")]
        begin, size = 0, 256
        while begin < len(left) and own[left[begin]] >= least - _ROUNDING:
            some = left[begin : begin + size]
            begin, size = begin + size, size * 4 if size < _LARGE_PIECE else 16 * _LARGE_PIECE
            if lexical is not None:  # what is exactly known of the vectors spares most of them the look at words
                known = arrays.matrix.at(some, query) * np.float32(weight) + lexical[some]
                some = some[known >= least - _ROUNDING]
            tried = np.concatenate([tried, some])
            scored = np.concatenate([scored, score(some)])
            least = _kth(scored, k)
        found.append(np.sort(tried[scored >= least - _ROUNDING]))
    return found


def _second_look(
    segments: Sequence[Segment],
    probes: Sequence[Probe | None],
    weight: float,
    guesses: NDArray[np.float32],
    bounds: NDArray[np.float32],
    least: float,
) -> None:
    """Better bounds for the blocks of which too many edits are left. ``guesses``: of the first stage."""
    for segment, probe in zip(segments, probes, strict=True):
        if probe is None or len(probe) == 1:
            continue
        for block in probe.sketch.blocks():
            own = slice(segment.first_row + block.start, segment.first_row + block.stop)
            if np.count_nonzero(bounds[own] >= least) <= FEW:
                continue
            better = probe.added(block, 1)[0]
            better += probe.rest(block, 1, 0)
            better *= np.float32(weight)
            better += guesses[own]
            np.minimum(bounds[own], better, out=bounds[own])
            let_go(probe.sketch.columns)


def _look_at_all(
    arrays: EditArrays,
    probes: Sequence[Probe | None],
    query: NDArray[np.float32],
    weight: float,
    lexical: NDArray[np.float32] | None,
    bounds: NDArray[np.float32],
    least: float,
) -> None:
    """Exact bounds in the segments of which very many edits are left, as where most are equally near: one after the
    other, all of them take less than a third of them here and there."""
    for segment, probe in zip(arrays.segments, probes, strict=True):
        if probe is None or 3 * np.count_nonzero(bounds[segment.rows.start : segment.rows.stop] >= least) < len(
            segment.rows
        ):
            continue
        for window in arrays.matrix.windows(segment.rows):
            rows = slice(window.start, window.stop)
            exact = arrays.matrix.products(query[None], window)[0]
            exact *= np.float32(weight)
            if lexical is not None:
                exact += lexical[rows]
            exact += np.float32(_ROUNDING)
            np.minimum(bounds[rows], exact, out=bounds[rows])


def _promising(guesses: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Rows with large guesses: of the largest of each group, the ``count`` largest."""
    size = len(guesses) // GROUP * GROUP
    groups = guesses[:size].reshape(-1, GROUP)
    rows = np.concatenate([np.arange(0, size, GROUP) + groups.argmax(axis=1), np.arange(size, len(guesses))])
    if len(rows) > count:
        rows = rows[np.argpartition(-guesses[rows], count)[:count]]
    return np.sort(rows)


def _kth(scored: NDArray[np.float32], k: int) -> float:
    return float(np.partition(scored, len(scored) - k)[len(scored) - k]) if len(scored) >= k else _LEAST


def _order(rows: NDArray[np.int64], scored: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    order = np.lexsort((rows, -scored))
    return order[:k] if k else order

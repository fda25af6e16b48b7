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

FEW: Final = 200  # edits left of a block from which on the next stage costs less than computing each of them
GROUP: Final = 32  # edits of which the best guess tells at first whether any may be promising
_PROMISING: Final = 300  # edits that are looked at first, beside as many as are asked for
_AT_ONCE: Final = 16  # queries
_LEAST: Final = -1e30  # less than any score, more than the bound of an edit that must not be shown
_PIECE: Final = 16_384  # edits of which several numbers stay in the cache
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
        found = scores(arrays, query, asked, rows)
    else:
        lexical = _lexical(arrays, query, blend, asked)
        exact = _Exact(arrays, query, blend, asked)
        (rows,) = _candidates(arrays, query.vector[None], blend.meaning, lexical, k, allowed, [exact])
        found = exact.scores(rows)
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
        pass_ = _Pass(arrays, vector[None], 1.0, None, None)
        rows, _ = pass_.left(0, least)
        found.append(rows[arrays.matrix.at(rows, vector) >= least])
    return distinct(np.concatenate(found))


class _Exact:
    """The blended scores of some edits, whose parts are kept."""

    def __init__(self, arrays: EditArrays, query: Query, blend: Blend, asked: SearchRange) -> None:
        self._asked = arrays, query, asked
        self._blend = blend
        self._found: list[tuple[NDArray[np.int64], Scores]] = []

    def __call__(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        found = scores(*self._asked, rows)
        self._found.append((rows, found))
        return found.blended(self._blend)

    def scores(self, rows: NDArray[np.int64]) -> Scores:
        """The parts for edits that were asked for before."""
        known = np.concatenate([some for some, _ in self._found])
        order = np.argsort(known, kind="stable")
        return Scores.joined([found for _, found in self._found]).at(order[np.searchsorted(known[order], rows)])


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
    words = Weighing.of(query.words, asked.words)
    scale = 1 / words.length if words.length else 0.0
    result = np.zeros(len(arrays), dtype=np.float32)
    for segment, norms in zip(arrays.segments, asked.norms, strict=True):
        added = result[segment.first_row : segment.rows.stop]
        segment.words.products(words, scale * blend.signed, scale * blend.unsigned, added)
        for begin in range(0, len(segment), _PIECE):
            piece = slice(begin, begin + _PIECE)
            some = added[piece]
            np.maximum(some, 0, out=some)
            some *= norms[piece]
            some += near.take(arrays.place_of.values[segment.first_row : segment.rows.stop][piece], mode="clip")
        if segment.sketch is not None and not arrays.are_huge:  # what comes next needs memory, too
            segment.let_go()
    return result


class _Pass:
    """One pass over all edits for (Q, D) queries: what their scores may be, and by and by which may be large enough."""

    def __init__(
        self,
        arrays: EditArrays,
        queries: NDArray[np.float32],
        weight: float,
        lexical: NDArray[np.float32] | None,
        allowed: NDArray[np.bool_] | None,
    ) -> None:
        """``weight``: of the vectors. ``lexical``: what is added to their products, (N,). ``allowed``: see ``best``."""
        self._arrays, self._queries, self._weight, self._lexical = arrays, queries, np.float32(weight), lexical
        self.guesses: NDArray[np.float32] = (
            np.zeros((len(queries), len(arrays)), dtype=np.float32)
            if lexical is None
            else np.repeat(lexical[None], len(queries), axis=0)
        )
        self._probes = [
            None if segment.sketch is None else Probe(segment.sketch, queries, weight) for segment in arrays.segments
        ]
        for segment, probe in zip(arrays.segments, self._probes, strict=True):
            own = self.guesses[:, segment.first_row : segment.rows.stop]
            if probe is None:
                exact = arrays.matrix.products(queries, segment.rows)
                exact *= self._weight
                own += exact
                continue
            for block in probe.sketch.blocks():
                probe.add(block, 0, own[:, block])
                if not arrays.are_huge:
                    segment.let_go()
        if allowed is not None:
            self.guesses[:, np.flatnonzero(~allowed)] = -np.inf

    def left(self, number: int, least: float) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rows of the edits whose score for a query may be at least ``least``, and what it is at most. Once a query."""
        rows, bounds = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.float32)]
        for segment, probe in zip(self._arrays.segments, self._probes, strict=True):
            own = self.guesses[number, segment.first_row : segment.rows.stop]
            if probe is None:
                found, bound = _reaching(own + np.float32(_ROUNDING), least)
            else:
                parts = [
                    self._left_of(segment, probe, block, number, own[block], least) for block in probe.sketch.blocks()
                ]
                found, bound = (np.concatenate(some) for some in zip(*parts, strict=True))
                if 3 * len(found) >= len(segment):  # as where most are equally near: less than a third here and there
                    found, bound = self._looked_at(segment, number, own, least)
            rows.append(found + segment.first_row)
            bounds.append(bound)
        return np.concatenate(rows), np.concatenate(bounds)

    def _left_of(
        self,
        segment: Segment,
        probe: Probe,
        block: slice,
        number: int,
        guesses: NDArray[np.float32],
        least: float,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Those of a block of a segment, by one stage after the other while many are left."""
        for step in range(len(probe)):
            if step:
                probe.add(block, step, guesses[None])
                if not self._arrays.are_huge:
                    segment.let_go()
            bound = probe.rest(block, step, number)
            bound += guesses
            if step == len(probe) - 1 or np.count_nonzero(bound >= least) <= FEW:
                break
        rows, bound = _reaching(bound, least)
        return rows + block.start, bound

    def _looked_at(
        self, segment: Segment, number: int, guesses: NDArray[np.float32], least: float
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Those of a segment by a look at all of its vectors, one after the other."""
        matrix, first = self._arrays.matrix, segment.first_row
        found, bounds = [], []
        for window in matrix.windows(segment.rows):
            exact = matrix.products(self._queries[number : number + 1], window)[0]
            exact *= self._weight
            if self._lexical is not None:
                exact += self._lexical[window.start : window.stop]
            exact += np.float32(_ROUNDING)
            exact[guesses[window.start - first : window.stop - first] == -np.inf] = -np.inf
            rows, bound = _reaching(exact, least)
            found.append(rows + (window.start - first))
            bounds.append(bound)
        return np.concatenate(found), np.concatenate(bounds)


def _reaching(bounds: NDArray[np.float32], least: float) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    rows = np.flatnonzero(bounds >= least)
    return rows, bounds[rows]


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
    pass_ = _Pass(arrays, queries, weight, lexical, allowed)
    found = []
    for number, (query, score) in enumerate(zip(queries, exact, strict=True)):

        def known(rows: NDArray[np.int64], query: NDArray[np.float32] = query) -> NDArray[np.float32]:
            """The scores, or a little more: what takes time is a look at the words of an edit."""
            products = arrays.matrix.at(rows, query)
            products *= np.float32(weight)
            return products if lexical is None else products + lexical[rows]

        guesses = pass_.guesses[number]
        promising = _promising(guesses, k + _PROMISING)
        promising = promising[guesses[promising] > -np.inf]
        most = known(promising)
        order = np.argsort(-most, kind="stable")
        tried = promising[order[: k + k // 4]]
        scored = score(tried)
        least = _kth(scored, k)
        some = order[k + k // 4 :]
        some = promising[some[most[some] >= least - _ROUNDING]]
        if len(some):
            tried, scored = np.concatenate([tried, some]), np.concatenate([scored, score(some)])
            least = _kth(scored, k)
        left, bounds = pass_.left(number, least - _ROUNDING)
        order = np.argsort(-bounds, kind="stable")
        order = order[~among(left[order], promising)]
        left, bounds = left[order], bounds[order]
        begin, size = 0, 256
        while begin < len(left) and bounds[begin] >= least - _ROUNDING:
            some = left[begin : begin + size]
            begin, size = begin + size, size * 4 if size < _LARGE_PIECE else 16 * _LARGE_PIECE
            some = some[known(some) >= least - _ROUNDING]
            if len(some):
                tried, scored = np.concatenate([tried, some]), np.concatenate([scored, score(some)])
                least = _kth(scored, k)
        found.append(np.sort(tried[scored >= least - _ROUNDING]))
    return found


def _promising(guesses: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Rows of the ``count`` largest guesses, ascending. They are in the ``count`` groups that have the largest."""
    number = len(guesses) // GROUP  # of groups; each has every so many-th edit, of which the largest is soon found
    groups = guesses[: number * GROUP].reshape(GROUP, number).max(axis=0)
    chosen = np.argpartition(-groups, count)[:count] if number > count else np.arange(number)
    rows = np.concatenate(
        [(chosen + number * np.arange(GROUP)[:, None]).ravel(), np.arange(number * GROUP, len(guesses))]
    )
    if len(rows) > count:
        rows = rows[np.argpartition(-guesses[rows], count)[:count]]
    return np.sort(rows)


def _kth(scored: NDArray[np.float32], k: int) -> float:
    return float(np.partition(scored, len(scored) - k)[len(scored) - k]) if len(scored) >= k else _LEAST


def _order(rows: NDArray[np.int64], scored: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    order = np.lexsort((rows, -scored))
    return order[:k] if k else order

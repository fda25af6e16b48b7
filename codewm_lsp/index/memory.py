"""What the index searches in: its parts, their bounds, and what is exactly computed of the few edits these leave."""

from __future__ import annotations

import builtins
import sqlite3
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.history import LAST_DATE
from codewm_lsp.index.blend import Blend, Scores
from codewm_lsp.index.lexicon import WEIGHTS, Lexicon, Terms, Weighing
from codewm_lsp.index.matrix import Matrix
from codewm_lsp.index.parts import Part, Probe, Unusable, sha_table
from codewm_lsp.index.store import LOG, Damaged, from_sql
from codewm_lsp.index.words import place_words, terms

SEAL: Final = 4096
"""Edits from which on what is in memory becomes a part with a file."""
MERGE: Final = 2
"""A part is joined with the one before as long as that is at most so many times as large."""
STALE: Final = 0.7
"""When the weight of a word fell below this share of what the lengths of a part were made with, they are made anew."""
_FEW: Final = 300  # edits left of a block from which on the next stage costs less than computing each of them
_GROUP: Final = 64  # edits of which the best guess alone is tried at first
_AT_ONCE: Final = 16  # queries
_COMMITS: Final = """
SELECT c.id, c.sha, c.date, c.edits, p.places, p.lengths, p.terms, p.counts
FROM commits c LEFT JOIN payloads p ON p.commit_id = c.id WHERE c.id > ? ORDER BY c.id
"""
_PARTS: Final = (
    "SELECT file, first_row, edits, first_commit, commits, first_place, places FROM parts ORDER BY first_row"
)
_Listing = tuple[tuple[Any, ...], ...]
_Number = TypeVar("_Number", bound=np.generic)


class Stale(Exception):
    """What is in memory no longer fits the file, though neither is broken. Never leaves the room."""


@contextmanager
def sane() -> Iterator[None]:
    """What comes out of a file may be of any type and size: where that cannot be worked with, it is ``Damaged``."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise Damaged(f"its contents make no sense: {error}") from error


class Column(Generic[_Number]):
    """A growing array of numbers."""

    def __init__(self, dtype: type[_Number]) -> None:
        self._data: NDArray[_Number] = np.empty(1024, dtype=dtype)
        self._length = 0

    def append(self, values: NDArray[Any] | Sequence[int]) -> None:
        """Add values at the end."""
        end = self._length + len(values)
        if end > len(self._data):
            grown = np.empty(max(end, len(self._data) * 3 // 2), dtype=self._data.dtype)
            grown[: self._length] = self._data[: self._length]
            self._data = grown
        self._data[self._length : end] = values
        self._length = end

    @property
    def values(self) -> NDArray[_Number]:
        """A view of what is there."""
        return self._data[: self._length]


@dataclass(frozen=True, slots=True)
class Query:
    """An edit that is looked up: its vector, its changed words, the words of its place."""

    vector: NDArray[np.float32]
    words: Terms
    place: Terms


@dataclass(frozen=True, slots=True)
class SearchRange:
    """The part of the index that a question is asked of, with the weights of words in it."""

    commits: NDArray[np.bool_]  # (commits,)
    inside: NDArray[np.bool_] | None  # (edits,); None: all of them
    words: NDArray[np.float32]  # idf by number of the term
    places: NDArray[np.float32]  # the same of the words of places
    norms: tuple[NDArray[np.float32], ...]  # for each part, 1 / length of the words of each edit, or more
    place_norms: NDArray[np.float32]  # exactly


@dataclass(frozen=True, slots=True)
class _Chunk:
    """The edits of a commit as they came from SQLite."""

    sha: str
    date: int
    places: NDArray[np.int32]
    lengths: NDArray[np.int64]
    terms: NDArray[np.int32]
    counts: NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Plan:
    """Parts to be joined, which do not change while they are; ``kept``: how many stay before them."""

    parts: list[Part]
    kept: int
    listing: _Listing
    matrix: Matrix
    weights: NDArray[np.float32]

    def part(self) -> Part:
        """The joined part. Takes a while: some ten seconds for a million edits."""
        return Part.joined(self.parts, self.matrix).weighed(self.weights)


def listing_of(connection: sqlite3.Connection) -> _Listing:
    """The parts that the file names."""
    return tuple(connection.execute(_PARTS).fetchall())


class Memory:
    """The arrays of one index, rows in the order of the ids: edit ``id`` is row ``id - 1``, and so are commits.

    What is sealed in parts is mapped from their files, and shared between processes. In memory of its own are eight
    bytes an edit, what a range needs (five bytes an edit more) and the newest edits.
    """

    def __init__(self, matrix: Matrix, folder: Path | None, generation: str) -> None:
        self.generation = generation  # of the file: another one means that everything in it was forgotten
        self.matrix = matrix
        self.dates = Column(np.int64)  # of each commit
        self.first_rows = Column(np.int32)  # row of each commit's first edit
        self.commit_of = Column(np.int32)  # row of each edit's commit
        self.place_of = Column(np.int32)  # row of each edit's place
        self.place_count = 0
        self.missing_parts = False
        self._folder = folder
        self._term_count = 0
        self._listing: _Listing = ()
        self._sealed: list[Part] = []
        self._chunks: list[_Chunk] = []
        self._place_terms: list[NDArray[np.int32]] = []  # of the places that are in no part
        self._tail: Part | None = None
        self._shas: list[str] = []
        self._known: set[str] = set()
        self._range: tuple[bytes | None, int, SearchRange] | None = None
        self._asked: tuple[Container[str], int, NDArray[np.bool_]] | None = None

    def __len__(self) -> int:
        return len(self.commit_of.values)

    # Taking in what is in the file

    def load(self, connection: sqlite3.Connection, *, patient: bool) -> None:
        """Take in what was added to the file since the last call. One read transaction must be open.

        Raises ``Damaged`` where the file contradicts itself; ``Stale`` where a part is no longer what it was or, if
        ``patient``, where one is missing: another process may just have joined it with others. The arrays must not be
        used then.
        """
        with sane():
            self._load_parts(connection, patient)
            self._load_tail(connection)
            self.matrix.map(len(self))
            self.matrix.verify(np.arange(self._sealed_rows, len(self)))

    @property
    def shas(self) -> list[str]:
        """The commits, in their order."""
        for part in self._sealed:
            if part.first_commit <= len(self._shas) < part.first_commit + len(part.sizes):
                self._shas.extend(part.shas()[len(self._shas) - part.first_commit :])
        first = self._sealed_commits
        self._shas.extend(chunk.sha for chunk in self._chunks[len(self._shas) - first :])
        return self._shas

    @property
    def known(self) -> set[str]:
        """The same as a set."""
        shas = self.shas
        if len(self._known) < len(shas):
            self._known.update(shas[len(self._known) :])
        return self._known

    @property
    def _sealed_rows(self) -> int:
        return self._sealed[-1].rows.stop if self._sealed else 0

    @property
    def _sealed_commits(self) -> int:
        return self._sealed[-1].first_commit + len(self._sealed[-1].sizes) if self._sealed else 0

    @property
    def _sealed_places(self) -> int:
        return self._sealed[-1].first_place + len(self._sealed[-1].places) if self._sealed else 0

    def _load_parts(self, connection: sqlite3.Connection, patient: bool) -> None:
        listing = listing_of(connection)
        if listing == self._listing or self._folder is None:
            return
        loaded = {part.path.name: part for part in self._sealed if part.path is not None}
        sealed: list[Part] = []
        self.missing_parts = False
        for name, *numbers in listing:
            try:
                if not isinstance(name, str) or Path(name).name != name:
                    raise Unusable("its name leads elsewhere")
                part = loaded.get(name) or Part.load(self._folder / name, self.generation)
                first = sealed[-1].rows.stop if sealed else 0
                own = [part.first_row, len(part), part.first_commit, len(part.sizes), part.first_place]
                if [*own, len(part.places)] != numbers or part.first_row != first:
                    raise Unusable("it is of other edits")
            except Unusable as error:
                if patient:
                    raise Stale from error
                # It is only a quicker way to what is in the SQLite file and the matrix.
                LOG.info("The part %s of an index cannot be used and is made again: %s", name, error)
                self.missing_parts = True
                break
            sealed.append(part)
        before = len(self.dates.values) - len(self._chunks)
        self._sealed, self._listing, self._tail, self._range = sealed, listing, None, None
        for part in sealed:
            self._take(part, max(0, len(self.dates.values) - part.first_commit))
        if sealed:
            last = sealed[-1]
            query = "SELECT sha FROM commits WHERE id = ?"
            row = connection.execute(query, (self._sealed_commits,)).fetchone()
            if row is None or last.shas()[-1:] != [row[0]]:
                raise Damaged("its parts are of other commits")
        joined = self._sealed_commits - before, self._sealed_places - (self.place_count - len(self._place_terms))
        if min(joined) < 0:
            raise Stale
        del self._chunks[: joined[0]]
        del self._place_terms[: joined[1]]
        self.place_count = max(self.place_count, self._sealed_places)

    def _take(self, part: Part, skip: int) -> None:
        """The columns of a part's commits, without the first ones that are there already."""
        if skip >= len(part.sizes):
            return
        sizes = part.sizes[skip:]
        done = int(part.sizes[:skip].sum(dtype=np.int64))
        self._range = self._asked = None
        self.first_rows.append(part.first_row + done + np.concatenate(([0], np.cumsum(sizes)[:-1])))
        self.dates.append(part.dates[skip:])
        numbers = np.arange(part.first_commit + skip, part.first_commit + len(part.sizes))
        self.commit_of.append(np.repeat(numbers, sizes))
        self.place_of.append(part.place_of[done:])

    def _load_tail(self, connection: sqlite3.Connection) -> None:
        (term_count,) = connection.execute("SELECT coalesce(max(id), 0) FROM terms").fetchone()
        if not isinstance(term_count, int):
            raise Damaged("its words are none")
        self._load_places(connection)
        first = len(self.dates.values)
        for row in connection.execute(_COMMITS, (first,)):
            commit_id, sha, date, edits, places, lengths, terms_, counts = row
            if commit_id != len(self.dates.values) + 1 or (places is None) != (edits == 0):
                raise Damaged("commits are missing from it")
            if not (isinstance(sha, str) and sha.isascii() and isinstance(date, int) and 0 <= date <= LAST_DATE):
                raise Damaged(f"its commit {commit_id} is none")
            try:
                chunk = _Chunk(
                    sha=sha,
                    date=date,
                    places=np.frombuffer(places or b"", dtype="<i4") - 1,
                    lengths=np.frombuffer(lengths or b"", dtype="<u4").astype(np.int64),
                    terms=np.frombuffer(terms_ or b"", dtype="<i4"),
                    counts=np.frombuffer(counts or b"", dtype="i1"),
                )
            except ValueError as error:
                raise Damaged(f"the edits of commit {sha} are cut short") from error
            words = int(chunk.lengths.sum())
            if not (
                len(chunk.places) == len(chunk.lengths) == edits and len(chunk.terms) == len(chunk.counts) == words
            ):
                raise Damaged(f"the edits of commit {sha} are cut short")
            if words and not 1 <= chunk.terms.min() <= chunk.terms.max() <= term_count:
                raise Damaged(f"the words of commit {sha} are missing")
            if edits and not 0 <= chunk.places.min() <= chunk.places.max() < self.place_count:
                raise Damaged(f"the places of commit {sha} are missing")
            self._chunks.append(chunk)
            self.first_rows.append([len(self)])
            self.dates.append([date])
            self.place_of.append(chunk.places)
            self.commit_of.append(np.full(edits, commit_id - 1, dtype=np.int32))
        if len(self.dates.values) > first or term_count != self._term_count:
            self._range = self._asked = self._tail = None
        self._term_count = term_count

    def _load_places(self, connection: sqlite3.Connection) -> None:
        query = "SELECT id, path, definition FROM places WHERE id > ? ORDER BY id"
        found: list[tuple[NDArray[np.uint64], int]] = []
        for place_id, path, definition in connection.execute(query, (self.place_count,)):
            if place_id != self.place_count + 1:
                raise Damaged("places are missing from it")
            hashes = terms(place_words(from_sql(path), from_sql(definition)))
            found.append((hashes, len(hashes)))
            self.place_count += 1
        if found:
            hashes = np.concatenate([words for words, _ in found])
            numbers = numbers_of(connection, hashes)
            if len(numbers) and not numbers.min():
                raise Damaged("words of its places are missing")
            ends = np.cumsum([count for _, count in found])[:-1]
            self._place_terms.extend(np.split(numbers.astype(np.int32), ends))
            self._tail = None

    # Parts

    @property
    def parts(self) -> list[Part]:
        """The sealed ones, and what follows them."""
        if self._tail is None:
            chunks = self._chunks
            none = np.zeros(0, dtype=np.int32)
            place_terms = np.concatenate([none, *self._place_terms])
            self._tail = Part(
                first_row=self._sealed_rows,
                first_commit=self._sealed_commits,
                first_place=self._sealed_places,
                arrays={
                    "shas": sha_table([chunk.sha for chunk in chunks]),
                    "dates": np.array([chunk.date for chunk in chunks], dtype=np.int64),
                    "sizes": np.array([len(chunk.places) for chunk in chunks], dtype=np.int32),
                    "place_of": self.place_of.values[self._sealed_rows :].copy(),
                    "norms": np.zeros(0, dtype=np.float32),
                },
                words=Lexicon.of(
                    np.concatenate([np.zeros(0, dtype=np.int64), *(chunk.lengths for chunk in chunks)]),
                    np.concatenate([none, *(chunk.terms for chunk in chunks)]),
                    np.concatenate([np.zeros(0, dtype=np.int8), *(chunk.counts for chunk in chunks)]),
                    common=0,
                ),
                places=Lexicon.of(
                    np.array([len(words) for words in self._place_terms], dtype=np.int64),
                    place_terms,
                    np.ones(len(place_terms), dtype=np.int8),
                    common=0,
                ),
                sketch=None,
            )
        return [*self._sealed, self._tail]

    def ripe(self) -> bool:
        """Whether there is enough in memory for a part."""
        return len(self) - self._sealed_rows >= SEAL

    def plan(self) -> Plan:
        """What to join into a part: what is in memory, with the parts before it that are small beside it."""
        parts = self.parts
        kept = len(parts) - 1
        while kept and len(parts[kept - 1]) <= MERGE * (len(self) - parts[kept].first_row):
            kept -= 1
        return Plan(parts[kept:], kept, self._listing, self.matrix, self.range(None).words)

    def keep(self, part: Part, kept: int) -> None:
        """Put a part in the place of those it was made of, where there is no file to find it in."""
        self._shas = self.shas
        self._sealed = [*self._sealed[:kept], part]
        self._chunks, self._place_terms, self._tail, self._range = [], [], None, None

    def rows_of(self, commit: int) -> builtins.range:
        """Rows of the edits of a commit, given by its row."""
        starts = self.first_rows.values
        end = starts[commit + 1] if commit + 1 < len(starts) else len(self)
        return builtins.range(int(starts[commit]), int(end))

    # Ranges

    def range(self, within: Container[str] | None) -> SearchRange:
        """The range of a question; the last one is kept, because the next question is mostly of the same."""
        commits = self._chosen(within)
        key = None if commits.all() else commits.tobytes()
        if self._range is not None and self._range[:2] == (key, len(commits)):
            return self._range[2]
        inside = None if key is None else commits[self.commit_of.values]
        size = float(len(self) if inside is None else inside.sum())
        found = np.zeros(self._term_count + 1)
        for part in self.parts:
            _count(part, None if inside is None else inside[part.first_row : part.rows.stop], found)
        words = _idf(found, size)
        places = self.place_of.values if inside is None else self.place_of.values[inside]
        present = np.bincount(places, minlength=self.place_count).astype(np.float64)
        found = np.zeros(self._term_count + 1)
        for part in self.parts:
            part.places.count(present[part.first_place : part.first_place + len(part.places)], found)
        place_weights = _idf(found, size)
        result = SearchRange(
            commits=commits,
            inside=inside,
            words=words,
            places=place_weights,
            norms=tuple(_norms(part, words) for part in self.parts),
            place_norms=np.concatenate([part.places.inverse_lengths(place_weights) for part in self.parts]),
        )
        self._range = (key, len(commits), result)
        return result

    def _chosen(self, within: Container[str] | None) -> NDArray[np.bool_]:
        size = len(self.dates.values)
        if within is None:
            return np.ones(size, dtype=np.bool_)
        # A set that cannot change and was asked about before needs no second look at each commit.
        if self._asked is not None and self._asked[0] is within and self._asked[1] == size:
            return self._asked[2]
        commits = np.fromiter(map(within.__contains__, self.shas), dtype=np.bool_, count=size)
        if isinstance(within, frozenset):
            self._asked = (within, size, commits)
        return commits

    # Scores

    def terms(self, connection: sqlite3.Connection, hashes: NDArray[np.uint64], counts: NDArray[np.int8]) -> Terms:
        """The terms of a question as they are numbered here."""
        numbers = numbers_of(connection, hashes)
        numbers[numbers > self._term_count] = 0  # another process has just added it
        return Terms(numbers, WEIGHTS[counts.view(np.uint8)])

    def scores(self, query: Query, asked: SearchRange, rows: NDArray[np.int64] | None = None) -> Scores:
        """The parts of the score of the given edits (None: of every one), exactly."""
        everything = rows is None
        rows = np.arange(len(self)) if rows is None else rows
        meaning = (
            self.matrix.products(query.vector[None], builtins.range(len(self)))[0]
            if everything
            else self.matrix.at(rows, query.vector)
        )
        signed, unsigned, place = (np.zeros(len(rows), dtype=np.float32) for _ in builtins.range(3))
        words = Weighing.of(query.words, asked.words)
        parts = self.parts
        part_of = np.searchsorted([part.first_row for part in parts], rows, side="right") - 1
        for number, part in enumerate(parts):
            own = np.flatnonzero(part_of == number)
            if len(own):
                signed[own], unsigned[own] = part.words.cosines(rows[own] - part.first_row, words, asked.words)
        places, inverse = np.unique(self.place_of.values[rows], return_inverse=True)
        near = np.zeros(len(places), dtype=np.float32)
        weighing = Weighing.of(query.place, asked.places)
        part_of = np.searchsorted([part.first_place for part in parts], places, side="right") - 1
        for number, part in enumerate(parts):
            own = np.flatnonzero(part_of == number)
            if len(own):
                _, near[own] = part.places.cosines(
                    places[own].astype(np.int64) - part.first_place, weighing, asked.places
                )
        place[:] = near[inverse]
        return Scores(meaning=meaning, signed=signed, unsigned=unsigned, place=place)

    def best(
        self, query: Query, k: int, blend: Blend, asked: SearchRange, allowed: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], Scores]:
        """Rows of the ``k`` best scores (0: all) among those allowed, best first, and their scores.

        Of equal ones the one indexed first comes first.
        """
        weights = (blend.meaning, blend.signed, blend.unsigned, blend.place)
        count = len(self) if allowed is None else int(np.count_nonzero(allowed))
        if not 0 < k < count or min(weights) < 0:
            rows = np.arange(len(self)) if allowed is None else np.flatnonzero(allowed)
            return _ordered(rows, self.scores(query, asked, rows), blend, k)
        lexical = self._lexical_bounds(query, blend, asked)
        (rows,) = self._candidates(
            query.vector[None], blend.meaning, lexical, k, allowed, [_Exact(self, query, blend, asked)]
        )
        return _ordered(rows, self.scores(query, asked, rows), blend, k)

    def nearest(
        self, vectors: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None
    ) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """For each of (Q, D) queries the rows of the ``k`` largest products (0: all), the largest first, and these."""
        count = len(self) if allowed is None else int(np.count_nonzero(allowed))
        found: list[tuple[NDArray[np.int64], NDArray[np.float32]]] = []
        for begin in builtins.range(0, len(vectors), _AT_ONCE):
            some = np.ascontiguousarray(vectors[begin : begin + _AT_ONCE], dtype=np.float32)
            if 0 < k < count:
                exact = [_Product(self.matrix, vector) for vector in some]
                chosen = self._candidates(some, 1.0, None, k, allowed, exact)
            else:
                chosen = [np.arange(len(self)) if allowed is None else np.flatnonzero(allowed)] * len(some)
            for vector, rows in zip(some, chosen, strict=True):
                products = self.matrix.at(rows, vector)
                order = _order(rows, products, k)
                found.append((rows[order], products[order]))
        return found

    def at_least(self, vectors: NDArray[np.float32], least: float) -> NDArray[np.int64]:
        """Rows whose product with one of (Q, D) queries is at least ``least``."""
        found = [np.zeros(0, dtype=np.int64)]
        for vector in np.asarray(vectors, dtype=np.float32):
            bounds = np.full(len(self), -np.inf, dtype=np.float32)
            for part in self.parts:
                self._dense_bounds(part, part.probe(vector[None]), vector[None], 1.0, None, bounds[None])
            rows = np.flatnonzero(bounds >= least)
            found.append(rows[self.matrix.at(rows, vector) >= least])
        return np.unique(np.concatenate(found))

    def _lexical_bounds(self, query: Query, blend: Blend, asked: SearchRange) -> NDArray[np.float32]:
        """At least what words and place add to the score of every edit, (N,)."""
        words = Weighing.of(query.words, asked.words)
        place = Weighing.of(query.place, asked.places)
        parts = self.parts
        near = np.concatenate([part.places.bounds_of(place) for part in parts])
        near *= asked.place_norms * np.float32(blend.place / place.length if place.length else 0.0)
        np.minimum(near, blend.place, out=near)
        result = near.take(self.place_of.values, mode="clip") if len(near) else np.zeros(len(self), dtype=np.float32)
        weight = blend.signed + blend.unsigned
        for part, norms in zip(parts, asked.norms, strict=True):
            bounds = part.words.bounds_of(words)
            bounds *= norms
            bounds *= np.float32(weight / words.length if words.length else 0.0)
            np.minimum(bounds, weight, out=bounds)
            result[part.first_row : part.rows.stop] += bounds
        return result

    def _dense_bounds(
        self,
        part: Part,
        probe: Probe | None,
        queries: NDArray[np.float32],
        weight: float,
        lexical: NDArray[np.float32] | None,
        bounds: NDArray[np.float32],
        guesses: NDArray[np.float32] | None = None,
    ) -> None:
        """Fill in what the scores of a part's edits are at most, (Q, N), and what they may be."""
        rows = slice(part.first_row, part.rows.stop)
        if probe is None:
            exact = self.matrix.products(queries, part.rows) * np.float32(weight)
            if lexical is not None:
                exact += lexical[rows]
            bounds[:, rows] = exact + np.float32(1e-5)
            if guesses is not None:
                guesses[:, rows] = exact
            return
        for block in probe.sketch.blocks():
            own = slice(part.first_row + block.start, part.first_row + block.stop)
            guessed = probe.added(block, 0)
            guessed *= np.float32(weight)
            if lexical is not None:
                guessed += lexical[own]
            if guesses is not None:
                guesses[:, own] = guessed
            for number in builtins.range(len(queries)):
                guessed[number] += probe.rest(block, 0, number) * np.float32(weight)
            bounds[:, own] = guessed

    def _candidates(
        self,
        queries: NDArray[np.float32],
        weight: float,
        lexical: NDArray[np.float32] | None,
        k: int,
        allowed: NDArray[np.bool_] | None,
        exact: Sequence[_Exact | _Product],
    ) -> list[NDArray[np.int64]]:
        """For each query rows that hold the ``k`` best: the score of any other is at most the least of these."""
        bounds = np.empty((len(queries), len(self)), dtype=np.float32)
        guesses = np.empty_like(bounds)
        probes = [part.probe(queries) for part in self.parts]
        for part, probe in zip(self.parts, probes, strict=True):
            self._dense_bounds(part, probe, queries, weight, lexical, bounds, guesses)
        if allowed is not None:
            hidden = np.flatnonzero(~allowed)
            bounds[:, hidden] = -np.inf
            guesses[:, hidden] = -np.inf
        found = []
        for query, own, guessed, score in zip(queries, bounds, guesses, exact, strict=True):
            tried = _promising(guessed, 2 * k + 64)
            tried = tried[own[tried] > -np.inf]
            scores = score(tried)
            least = _kth(scores, k)
            if len(queries) == 1:
                self._second_look(probes, weight, guessed, own, least - _ROUNDING)
            left = np.flatnonzero(own >= least - _ROUNDING)
            left = left[~np.isin(left, tried)]
            left = left[np.argsort(-own[left], kind="stable")]
            begin, size = 0, 256
            while begin < len(left) and own[left[begin]] >= least - _ROUNDING:
                some = left[begin : begin + size]
                begin, size = begin + size, min(size * 2, 16_384)
                if lexical is not None:  # what is exactly known of the vectors spares most of them the look at words
                    known = self.matrix.at(some, query) * np.float32(weight) + lexical[some]
                    some = some[known >= least - _ROUNDING]
                tried = np.concatenate([tried, some])
                scores = np.concatenate([scores, score(some)])
                least = _kth(scores, k)
            found.append(np.sort(tried[scores >= least - _ROUNDING]))
        return found

    def _second_look(
        self,
        probes: Sequence[Probe | None],
        weight: float,
        guesses: NDArray[np.float32],
        bounds: NDArray[np.float32],
        least: float,
    ) -> None:
        """Better bounds for the blocks of which too many edits are left. ``guesses``: of the first stage."""
        for part, probe in zip(self.parts, probes, strict=True):
            if probe is None or len(probe) == 1:
                continue
            for block in probe.sketch.blocks():
                own = slice(part.first_row + block.start, part.first_row + block.stop)
                if np.count_nonzero(bounds[own] >= least) <= _FEW:
                    continue
                better = probe.added(block, 1)[0]
                better += probe.rest(block, 1, 0)
                better *= np.float32(weight)
                better += guesses[own]
                np.minimum(bounds[own], better, out=bounds[own])


_LEAST: Final = -1e30  # less than any score, more than the bound of an edit that must not be shown
_ROUNDING: Final = 1e-5  # between a score and the same score computed otherwise


@dataclass(frozen=True, slots=True)
class _Exact:
    """The blended scores of some edits."""

    memory: Memory
    query: Query
    blend: Blend
    asked: SearchRange

    def __call__(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.memory.scores(self.query, self.asked, rows).blended(self.blend)


@dataclass(frozen=True, slots=True)
class _Product:
    """The products of some edits with a vector."""

    matrix: Matrix
    vector: NDArray[np.float32]

    def __call__(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.matrix.at(rows, self.vector)


def numbers_of(connection: sqlite3.Connection, hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The number of each term, 0 for one that is not there."""
    signed = hashes.astype(np.uint64).view(np.int64)
    wanted = np.unique(signed).tolist()
    found: dict[int, int] = {}
    for begin in builtins.range(0, len(wanted), 500):
        some = wanted[begin : begin + 500]
        query = f"SELECT hash, id FROM terms WHERE hash IN ({','.join('?' * len(some))})"
        found.update(connection.execute(query, some).fetchall())
    return np.fromiter((found.get(value, 0) for value in signed.tolist()), dtype=np.int64, count=len(signed))


def _count(part: Part, inside: NDArray[np.bool_] | None, found: NDArray[np.float64]) -> None:
    """Add in how many of a part's edits each word stands."""
    outside = 0 if inside is None else len(inside) - int(np.count_nonzero(inside))
    if inside is None or 8 * outside < len(inside):
        found[part.words.vocabulary] += part.words.frequency
        if inside is not None and outside:
            found -= part.words.frequencies(np.flatnonzero(~inside), len(found))
    else:
        part.words.count(inside.astype(np.float64), found)


def _idf(found: NDArray[np.float64], size: float) -> NDArray[np.float32]:
    """log(1 + N / df), N and df of one collection alone: what is out of range has no say."""
    weights: NDArray[np.float32] = np.log1p(max(1.0, size) / np.maximum(found, 1.0)).astype(np.float32)
    return weights


def _norms(part: Part, idf: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 / length of the words of each edit, or a little more: from those of the part, unless weights changed much."""
    if len(part.norms) == len(part) and len(part.weights):
        share = float((idf[part.words.vocabulary] / part.weights).min())
        if share >= STALE:
            larger: NDArray[np.float32] = part.norms / np.float32(share * (1 - 1e-5))
            return larger
    return part.words.inverse_lengths(idf)


def _promising(guesses: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Rows with large guesses: of the largest of each group, the ``count`` largest."""
    size = len(guesses) // _GROUP * _GROUP
    groups = guesses[:size].reshape(-1, _GROUP)
    best = np.arange(0, size, _GROUP) + groups.argmax(axis=1)
    rows = np.concatenate([best, np.arange(size, len(guesses))])
    if len(rows) > count:
        rows = rows[np.argpartition(-guesses[rows], count)[:count]]
    return np.sort(rows)


def _kth(scores: NDArray[np.float32], k: int) -> float:
    return float(np.partition(scores, len(scores) - k)[len(scores) - k]) if len(scores) >= k else _LEAST


def _order(rows: NDArray[np.int64], scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    order = np.lexsort((rows, -scores))
    return order[:k] if k else order


def _ordered(rows: NDArray[np.int64], scores: Scores, blend: Blend, k: int) -> tuple[NDArray[np.int64], Scores]:
    order = _order(rows, scores.blended(blend), k)
    return rows[order], Scores(scores.meaning[order], scores.signed[order], scores.unsigned[order], scores.place[order])

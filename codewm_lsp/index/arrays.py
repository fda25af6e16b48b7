"""What an index has in memory: its segments, a few numbers an edit, and the weights of words in a range of commits."""

from __future__ import annotations

import builtins
import sqlite3
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.distinct import distinct
from codewm_lsp.history import LAST_DATE
from codewm_lsp.index.edit_words import place_words, terms
from codewm_lsp.index.lexicon import WEIGHTS, Lexicon, Terms
from codewm_lsp.index.matrix import Matrix
from codewm_lsp.index.place_names import PlaceNames
from codewm_lsp.index.segments import Segment, Unusable, sha_table
from codewm_lsp.index.sketch import HUGE, LARGE
from codewm_lsp.index.store import LOG, Damaged, from_sql
from codewm_lsp.records import dataclass

SEAL: Final = 4096
"""Edits from which on what is in memory becomes a segment with a file."""
MERGE: Final = 2
"""A segment is joined with the one before as long as that is at most so many times as large."""
STALE: Final = 0.7
"""When the weight of a word fell below this share of what the lengths of a segment were made with, they are new."""
_COMMITS: Final = """
SELECT c.id, c.sha, c.date, c.edits, p.places, p.lengths, p.terms, p.counts
FROM commits c LEFT JOIN payloads p ON p.commit_id = c.id WHERE c.id > ? ORDER BY c.id
"""
_SEGMENTS: Final = (  # the table is named as its first version was
    "SELECT file, first_row, edits, first_commit, commits, first_place, places FROM parts ORDER BY first_row"
)
Listing = tuple[tuple[Any, ...], ...]
_Number = TypeVar("_Number", bound=np.generic)


class Stale(Exception):
    """What is in memory no longer fits the file, though neither is broken. Never leaves the room."""


@contextmanager
def sane() -> Iterator[None]:
    """What comes out of a file may be of any type and size: where that cannot be worked with, it is ``Damaged``."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise Damaged(f"its contents are invalid: {error}") from error


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
class SearchRange:
    """The commits that a question is asked of, with the weights of words in it."""

    commits: NDArray[np.bool_]  # (commits,)
    inside: NDArray[np.bool_] | None  # (edits,); None: all of them
    words: NDArray[np.float32]  # idf by number of the term
    places: NDArray[np.float32]  # the same of the words of places
    norms: tuple[NDArray[np.float32], ...]  # for each segment, 1 / length of the words of each edit, or more
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
class Merge:
    """Segments to be joined, which do not change while they are; ``kept``: how many stay before them."""

    segments: list[Segment]
    kept: int
    listing: Listing
    matrix: Matrix
    weights: NDArray[np.float32]
    sketched: bool

    def segment(self) -> Segment:
        """The joined segment. Takes a while: some ten seconds for a million edits."""
        return Segment.joined(self.segments, self.matrix, sketched=self.sketched).weighed(self.weights)


def listing_of(connection: sqlite3.Connection) -> Listing:
    """The segments that the file names."""
    return tuple(connection.execute(_SEGMENTS).fetchall())


class EditArrays:
    """The arrays of one index, rows in the order of the ids: edit ``id`` is row ``id - 1``, and so are commits.

    What is sealed in segments is mapped from their files, and shared between processes. In memory of its own are eight
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
        self.missing_segments = False
        self._folder = folder
        self._term_count = 0
        self._listing: Listing = ()
        self._sealed: list[Segment] = []
        self._chunks: list[_Chunk] = []
        self._place_terms: list[NDArray[np.int32]] = []  # of the places that are in no segment
        self._tail: Segment | None = None
        self._shas: list[str] = []
        self._known: set[str] = set()
        self._range: tuple[bytes | None, int, SearchRange] | None = None
        self._asked: tuple[Container[str], int, NDArray[np.bool_]] | None = None
        self._places = PlaceNames()
        self._renames: tuple[int, list[tuple[int, str, str]]] = (0, [])

    def __len__(self) -> int:
        return len(self.commit_of.values)

    @property
    def are_large(self) -> bool:
        """Whether a search has read a hundred megabytes of files."""
        return len(self) > LARGE

    @property
    def are_huge(self) -> bool:
        """Whether sketches are held until there is a pause."""
        return len(self) > HUGE

    def let_go(self, *, for_long: bool = True) -> None:
        """Let go of what was read of the files that are mapped: the next question finds it in the system's memory.

        Where that may be asked soon (not ``for_long``), the sketches of a huge index are held.
        """
        self.matrix.let_go()
        for segment in self._sealed:
            segment.let_go(but_sketch=self.are_huge and not for_long)

    # Taking in what is in the file

    def load(self, connection: sqlite3.Connection, *, patient: bool) -> None:
        """Take in what was added to the file since the last call. One read transaction must be open.

        Raises ``Damaged`` where the file contradicts itself; ``Stale`` where a segment is no longer what it was or, if
        ``patient``, where one is missing: another process may just have joined it with others. The arrays must not be
        used then.
        """
        with sane():
            self._load_segments(connection, patient)
            self._load_tail(connection)
            self.matrix.map(len(self))
            self.matrix.verify(np.arange(self._sealed_rows, len(self)))

    def is_whole(self) -> bool:
        """Whether the files that are mapped are as long as they were."""
        return self.matrix.is_whole() and all(segment.is_whole() for segment in self._sealed)

    @property
    def shas(self) -> list[str]:
        """The commits, in their order."""
        for segment in self._sealed:
            if segment.first_commit <= len(self._shas) < segment.first_commit + len(segment.sizes):
                self._shas.extend(segment.shas()[len(self._shas) - segment.first_commit :])
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

    def _load_segments(self, connection: sqlite3.Connection, patient: bool) -> None:
        listing = listing_of(connection)
        if listing == self._listing or self._folder is None:
            return
        loaded = {segment.path.name: segment for segment in self._sealed if segment.path is not None}
        sealed: list[Segment] = []
        self.missing_segments = False
        for name, *numbers in listing:
            try:
                if not isinstance(name, str) or Path(name).name != name:
                    raise Unusable("its name points elsewhere")
                segment = loaded.get(name) or Segment.load(self._folder / name, self.generation)
                first = sealed[-1].rows.stop if sealed else 0
                own = [segment.first_row, len(segment), segment.first_commit, len(segment.sizes), segment.first_place]
                if [*own, len(segment.places)] != numbers or segment.first_row != first:
                    raise Unusable("it belongs to other edits")
            except Unusable as error:
                if patient:
                    raise Stale from error
                # It is only a quicker way to what is in the SQLite file and the matrix.
                LOG.info("Rebuilding the segment %s of an index, which cannot be used: %s", name, error)
                self.missing_segments = True
                break
            sealed.append(segment)
        before = len(self.dates.values) - len(self._chunks)
        self._sealed, self._listing, self._tail, self._range = sealed, listing, None, None
        for segment in sealed:
            self._take(segment, max(0, len(self.dates.values) - segment.first_commit))
        if sealed:
            last = sealed[-1]
            query = "SELECT sha FROM commits WHERE id = ?"
            row = connection.execute(query, (self._sealed_commits,)).fetchone()
            if row is None or last.shas()[-1:] != [row[0]]:
                raise Damaged("its segments belong to other commits")
        joined = self._sealed_commits - before, self._sealed_places - (self.place_count - len(self._place_terms))
        if min(joined) < 0:
            raise Stale
        del self._chunks[: joined[0]]
        del self._place_terms[: joined[1]]
        self.place_count = max(self.place_count, self._sealed_places)

    def _take(self, segment: Segment, skip: int) -> None:
        """The columns of a segment's commits, without the first ones that are there already."""
        if skip >= len(segment.sizes):
            return
        sizes = segment.sizes[skip:]
        done = int(segment.sizes[:skip].sum(dtype=np.int64))
        self._range = self._asked = None
        self.first_rows.append(segment.first_row + done + np.concatenate(([0], np.cumsum(sizes)[:-1])))
        self.dates.append(segment.dates[skip:])
        numbers = np.arange(segment.first_commit + skip, segment.first_commit + len(segment.sizes))
        self.commit_of.append(np.repeat(numbers, sizes))
        self.place_of.append(segment.place_of[done:])

    def _load_tail(self, connection: sqlite3.Connection) -> None:
        (term_count,) = connection.execute("SELECT coalesce(max(id), 0) FROM terms").fetchone()
        if not isinstance(term_count, int):
            raise Damaged("its words are invalid")
        self._load_places(connection)
        first = len(self.dates.values)
        for row in connection.execute(_COMMITS, (first,)):
            commit_id, sha, date, edits, places, lengths, terms_, counts = row
            if commit_id != len(self.dates.values) + 1 or (places is None) != (edits == 0):
                raise Damaged("commits are missing from it")
            if not (isinstance(sha, str) and sha.isascii() and isinstance(date, int) and 0 <= date <= LAST_DATE):
                raise Damaged(f"its commit {commit_id} is invalid")
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
    def segments(self) -> list[Segment]:
        """The sealed ones, and what follows them."""
        if self._tail is None:
            chunks = self._chunks
            none = np.zeros(0, dtype=np.int32)
            place_terms = np.concatenate([none, *self._place_terms])
            self._tail = Segment(
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
                ),
                places=Lexicon.of(
                    np.array([len(words) for words in self._place_terms], dtype=np.int64),
                    place_terms,
                    np.ones(len(place_terms), dtype=np.int8),
                ),
                sketch=None,
            )
        return [*self._sealed, self._tail]

    def ripe(self) -> bool:
        """Whether there is enough in memory for a segment."""
        return len(self) - self._sealed_rows >= SEAL

    def merge(self) -> Merge:
        """What to join: what is in memory, with the segments before it that are small beside it, or lack a sketch."""
        segments = self.segments
        large = len(self) > LARGE
        kept = len(segments) - 1
        while kept and (
            len(segments[kept - 1]) <= MERGE * (len(self) - segments[kept].first_row)
            or (large and segments[kept - 1].sketch is None)
        ):
            kept -= 1
        return Merge(segments[kept:], kept, self._listing, self.matrix, self.range(None).words, large)

    def keep(self, segment: Segment, kept: int) -> None:
        """Put a segment in the place of those it was made of, where there is no file to find it in."""
        self._shas = self.shas
        self._sealed = [*self._sealed[:kept], segment]
        self._chunks, self._place_terms, self._tail, self._range = [], [], None, None

    def rows_of(self, commit: int) -> builtins.range:
        """Rows of the edits of a commit, given by its row."""
        starts = self.first_rows.values
        end = starts[commit + 1] if commit + 1 < len(starts) else len(self)
        return builtins.range(int(starts[commit]), int(end))

    def places(self, connection: sqlite3.Connection) -> PlaceNames:
        """Path and definition of each place."""
        if len(self._places) < self.place_count:
            query = "SELECT path, definition FROM places WHERE id > ? ORDER BY id"
            for path, definition in connection.execute(query, (len(self._places),)):
                self._places.append(from_sql(path), from_sql(definition))
        return self._places

    def renames(self, connection: sqlite3.Connection) -> list[tuple[int, str, str]]:
        """Row of the commit, old and new path of every rename."""
        size = len(self.dates.values)
        if self._renames[0] != size:
            query = "SELECT commit_id - 1, old, new FROM renames WHERE commit_id <= ? ORDER BY rowid"
            found = connection.execute(query, (size,)).fetchall()
            self._renames = (size, [(row, from_sql(old), from_sql(new)) for row, old, new in found if row >= 0])
        return self._renames[1]

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
        for segment in self.segments:
            _count(segment, None if inside is None else inside[segment.first_row : segment.rows.stop], found)
        words = _idf(found, size)
        places = self.place_of.values if inside is None else self.place_of.values[inside]
        present = np.bincount(places, minlength=self.place_count).astype(np.float64)
        found = np.zeros(self._term_count + 1)
        for segment in self.segments:
            segment.places.count(present[segment.first_place : segment.first_place + len(segment.places)], found)
        place_weights = _idf(found, size)
        result = SearchRange(
            commits=commits,
            inside=inside,
            words=words,
            places=place_weights,
            norms=tuple(_norms(segment, words) for segment in self.segments),
            place_norms=np.concatenate([segment.places.inverse_lengths(place_weights) for segment in self.segments]),
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

    def terms(self, connection: sqlite3.Connection, hashes: NDArray[np.uint64], counts: NDArray[np.int8]) -> Terms:
        """The terms of a question as they are numbered here."""
        numbers = numbers_of(connection, hashes)
        numbers[numbers > self._term_count] = 0  # another process has just added it
        return Terms(numbers, WEIGHTS[counts.view(np.uint8)])


def numbers_of(connection: sqlite3.Connection, hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The number of each term, 0 for one that is not there."""
    signed = hashes.astype(np.uint64).view(np.int64)
    wanted = distinct(signed).tolist()
    found: dict[int, int] = {}
    for begin in builtins.range(0, len(wanted), 500):
        some = wanted[begin : begin + 500]
        query = f"SELECT hash, id FROM terms WHERE hash IN ({','.join('?' * len(some))})"
        found.update(connection.execute(query, some).fetchall())
    return np.fromiter((found.get(value, 0) for value in signed.tolist()), dtype=np.int64, count=len(signed))


def _count(segment: Segment, inside: NDArray[np.bool_] | None, found: NDArray[np.float64]) -> None:
    """Add in how many of a segment's edits each word stands."""
    outside = 0 if inside is None else len(inside) - int(np.count_nonzero(inside))
    if inside is None or 8 * outside < len(inside):
        found[segment.words.vocabulary] += segment.words.frequency
        if inside is not None and outside:
            found -= segment.words.frequencies(np.flatnonzero(~inside), len(found))
    else:
        segment.words.count(inside.astype(np.float64), found)


def _idf(found: NDArray[np.float64], size: float) -> NDArray[np.float32]:
    """log(1 + N / df), N and df of one collection alone: what is out of range has no say."""
    weights: NDArray[np.float32] = np.log1p(max(1.0, size) / np.maximum(found, 1.0)).astype(np.float32)
    return weights


def _norms(segment: Segment, idf: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 / length of the words of each edit, or a little more: as the segment has them, unless weights changed much."""
    if len(segment.norms) == len(segment) and len(segment.weights):
        share = float((idf[segment.words.vocabulary] / segment.weights).min())
        if share >= STALE:
            larger: NDArray[np.float32] = segment.norms / np.float32(share * (1 - 1e-5))
            return larger
    return segment.words.inverse_lengths(idf)

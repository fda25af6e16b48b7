"""What the index keeps in memory to search in: arrays that grow with the file."""

from __future__ import annotations

import builtins
import sqlite3
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.history import LAST_DATE
from codewm_lsp.index.postings import Postings, WeightedPostings
from codewm_lsp.index.store import Damaged, from_sql
from codewm_lsp.index.vectors import Vectors
from codewm_lsp.index.words import place_words, terms

_COMMITS: Final = """
SELECT c.id, c.sha, c.date, c.edits, p.places, p.vectors, p.scales, p.lengths, p.terms, p.counts
FROM commits c LEFT JOIN payloads p ON p.commit_id = c.id WHERE c.id > ? ORDER BY c.id
"""


_Number = TypeVar("_Number", bound=np.generic)


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

    def append(self, values: NDArray[_Number] | Sequence[int]) -> None:
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
class Range:
    """The part of the index that a question is asked of, with the weights of words in it."""

    commits: NDArray[np.bool_]  # (commits,)
    inside: NDArray[np.bool_]  # (edits,)
    words: WeightedPostings  # documents: edits
    places: WeightedPostings  # documents: places


class Memory:
    """The arrays of one index file, rows in the order of the ids: edit ``id`` is row ``id - 1``, and so are commits.

    50,000 edits of 768 numbers take 38 MB of vectors and about 5 MB of words.
    """

    def __init__(self, edit_size: int) -> None:
        self.generation: str | None = None  # of the file: another one means that everything in it was forgotten
        self.vectors = Vectors(edit_size)
        self.shas: list[str] = []
        self.known: set[str] = set()
        self.dates = Column(np.int64)  # of each commit
        self.first_rows = Column(np.int32)  # row of each commit's first edit
        self.commit_of = Column(np.int32)  # row of each edit's commit
        self.place_of = Column(np.int32)  # row of each edit's place
        self._words = Postings()
        self._places = Postings()
        self.place_count = 0
        self._range: tuple[bytes | None, int, Range] | None = None

    def __len__(self) -> int:
        return len(self.vectors)

    def load(self, connection: sqlite3.Connection) -> None:
        """Take in what was added to the file since the last call. One read transaction must be open.

        Raises ``Damaged`` where the file contradicts itself; the arrays must not be used then.
        """
        with sane():
            self._load(connection)

    def _load(self, connection: sqlite3.Connection) -> None:
        self._load_places(connection)
        words: list[tuple[NDArray[np.uint64], NDArray[np.int32], NDArray[np.int8]]] = []
        dates: list[int] = []
        for row in connection.execute(_COMMITS, (len(self.shas),)):
            commit_id, sha, date, edits, places, vectors, scales, lengths, terms_, counts = row
            if commit_id != len(self.shas) + 1 or (places is None) != (edits == 0):
                raise Damaged("commits are missing from it")
            if not (isinstance(sha, str) and isinstance(date, int) and 0 <= date <= LAST_DATE):
                raise Damaged(f"its commit {commit_id} is none")
            self.shas.append(sha)
            dates.append(date)
            self.first_rows.append([len(self.vectors)])
            if not edits:
                continue
            try:
                place_ids = np.frombuffer(places, dtype="<i4")
                matrix = np.frombuffer(vectors, dtype="i1").reshape(edits, self.vectors.size)
                scale = np.frombuffer(scales, dtype="<f4")
                length = np.frombuffer(lengths, dtype="<u4")
                term = np.frombuffer(terms_, dtype="<u8")
                count = np.frombuffer(counts, dtype="i1")
            except ValueError as error:
                raise Damaged(f"the edits of commit {sha} are cut short") from error
            if not (len(place_ids) == len(scale) == len(length) == edits and len(term) == len(count) == length.sum()):
                raise Damaged(f"the edits of commit {sha} are cut short")
            if not np.isfinite(scale).all():
                raise Damaged(f"the vectors of commit {sha} are none")
            if place_ids.min() < 1 or place_ids.max() > self.place_count:
                raise Damaged(f"the places of commit {sha} are missing")
            rows = np.arange(len(self.vectors), len(self.vectors) + edits, dtype=np.int32)
            words.append((term, np.repeat(rows, length), count))
            self.vectors.append(matrix, scale)
            self.place_of.append(place_ids - 1)
            self.commit_of.append(np.full(edits, commit_id - 1, dtype=np.int32))
        if dates:
            self.dates.append(dates)
            self.known.update(self.shas[-len(dates) :])
            self._range = None
        if words:
            self._words.append(*(np.concatenate(column) for column in zip(*words, strict=True)))

    def _load_places(self, connection: sqlite3.Connection) -> None:
        documents: list[int] = []
        hashes: list[NDArray[np.uint64]] = []
        query = "SELECT id, path, definition FROM places WHERE id > ? ORDER BY id"
        for place_id, path, definition in connection.execute(query, (self.place_count,)):
            if place_id != self.place_count + 1:
                raise Damaged("places are missing from it")
            words = terms(place_words(from_sql(path), from_sql(definition)))
            hashes.append(words)
            documents.extend([self.place_count] * len(words))
            self.place_count += 1
        if hashes:
            numbers = np.array(documents, dtype=np.int32)
            self._places.append(np.concatenate(hashes), numbers, np.ones(len(numbers), dtype=np.int8))

    def rows_of(self, commit: int) -> builtins.range:
        """Rows of the edits of a commit, given by its row."""
        starts = self.first_rows.values
        end = starts[commit + 1] if commit + 1 < len(starts) else len(self)
        return builtins.range(int(starts[commit]), int(end))

    def range(self, within: Container[str] | None) -> Range:
        """The range of a question; the last one is kept, because the next question is mostly of the same."""
        if within is None:
            commits = np.ones(len(self.shas), dtype=np.bool_)
        else:
            commits = np.fromiter(map(within.__contains__, self.shas), dtype=np.bool_, count=len(self.shas))
        key = None if commits.all() else commits.tobytes()
        if self._range is not None and self._range[:2] == (key, len(commits)):
            return self._range[2]
        inside = commits[self.commit_of.values] if len(self) else np.zeros(0, dtype=np.bool_)
        counts = np.bincount(self.place_of.values[inside], minlength=self.place_count)
        result = Range(
            commits=commits,
            inside=inside,
            words=self._words.weighted(inside.astype(np.float64)),
            places=self._places.weighted(counts.astype(np.float64)),
        )
        self._range = (key, len(commits), result)
        return result

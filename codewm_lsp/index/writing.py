"""What an index is told, as rows of its tables and of its matrix."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.distinct import distinct
from codewm_lsp.history import Commit, CommitEdits
from codewm_lsp.index.arrays import numbers_of
from codewm_lsp.index.edit_words import counts, place_words, terms, words_of_edit
from codewm_lsp.index.matrix import Matrix, quantise
from codewm_lsp.index.store import Damaged, SqlText, from_sql, to_sql
from codewm_lsp.records import dataclass


@dataclass(frozen=True, slots=True)
class LoggedCommit:
    """A commit with all that is stored of its edits; row i of the arrays is edit i."""

    commit: Commit
    skipped: str | None
    renames: tuple[tuple[str, str], ...]
    edits: tuple[tuple[str, str, str, str, int], ...]  # path, definition, its kind, kind of the edit, line
    vectors: NDArray[np.int8]
    scales: NDArray[np.float32]
    lengths: NDArray[np.int64]
    terms: NDArray[np.uint64]
    counts: NDArray[np.int8]
    repository: int | None = None

    @staticmethod
    def of(item: CommitEdits, vectors: NDArray[np.float32], repository: int | None = None) -> LoggedCommit:
        """What is to be stored of a commit."""
        words = [words_of_edit(edit) for edit in item.edits]
        rows, scales = quantise(vectors)
        return LoggedCommit(
            commit=item.commit,
            skipped=item.skipped,
            renames=tuple(item.renames),
            edits=tuple(
                (edit.path, edit.definition, edit.definition_kind.value, edit.kind.value, edit.line)
                for edit in item.edits
            ),
            vectors=rows,
            scales=scales,
            lengths=np.array([len(word) for word in words], dtype=np.int64),
            terms=np.concatenate([np.zeros(0, dtype=np.uint64), *(terms(word) for word in words)]),
            counts=np.concatenate([np.zeros(0, dtype=np.int8), *(counts(word) for word in words)]),
            repository=repository,
        )


def generation_of(connection: sqlite3.Connection) -> str:
    """The generation of an index: another one when everything in it was forgotten."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()
    if row is None or not isinstance(row[0], str):
        raise Damaged("it has no generation")
    return row[0]


def insert(connection: sqlite3.Connection, matrix: Matrix, entries: Sequence[LoggedCommit]) -> None:
    """Write commits that are not there yet, in one write transaction that is open already; their vectors first."""
    (first,) = connection.execute("SELECT coalesce(max(id), 0) FROM edits").fetchone()
    (commit_id,) = connection.execute("SELECT coalesce(max(id), 0) FROM commits").fetchone()
    edit_id = first
    new: list[LoggedCommit] = []
    for entry in entries:
        if not _insert_commit(connection, commit_id + 1, entry):
            continue
        commit_id += 1
        new.append(entry)
        if entry.edits:
            _insert_edits(connection, commit_id, edit_id + 1, entry)
            edit_id += len(entry.edits)
    if edit_id > first:
        matrix.write(first, np.concatenate([one.vectors for one in new]), np.concatenate([one.scales for one in new]))


_COMMITS: Final = """
SELECT c.sha, c.parent, c.author, c.date, c.subject, c.skipped, c.repository, c.edits, p.lengths, p.terms, p.counts
FROM commits c LEFT JOIN payloads p ON p.commit_id = c.id ORDER BY c.id
"""
_EDITS: Final = """
SELECT p.path, p.definition, e.definition_kind, e.kind, e.line FROM edits e JOIN places p ON p.id = e.place
WHERE e.id BETWEEN ? AND ? ORDER BY e.id
"""


def entries(connection: sqlite3.Connection, matrix: Matrix) -> Iterator[LoggedCommit]:
    """The opposite of ``insert``: everything that is stored, in its order. Renames are left out."""
    hashes = np.array([0, *(value for (value,) in connection.execute("SELECT hash FROM terms ORDER BY id"))])
    words = hashes.astype(np.int64).view(np.uint64)
    row = 0
    found = connection.execute(_COMMITS).fetchall()
    for sha, parent, author, date, subject, skipped, repository, count, lengths, terms_, counts_ in found:
        edits = tuple(
            (from_sql(path), from_sql(definition), *rest)
            for path, definition, *rest in connection.execute(_EDITS, (row + 1, row + count))
        )
        vectors, scales = matrix.rows(range(row, row + count))
        row += count
        yield LoggedCommit(
            commit=Commit(sha, from_sql(author), date, from_sql(subject), parent),
            skipped=skipped,
            renames=(),
            edits=edits,
            vectors=vectors,
            scales=scales,
            lengths=np.frombuffer(lengths or b"", dtype="<u4").astype(np.int64),
            terms=words[np.frombuffer(terms_ or b"", dtype="<i4")],
            counts=np.frombuffer(counts_ or b"", dtype="i1"),
            repository=repository,
        )


def _insert_commit(connection: sqlite3.Connection, commit_id: int, entry: LoggedCommit) -> bool:
    commit = entry.commit
    added = connection.execute(
        "INSERT OR IGNORE INTO commits VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            commit_id,
            commit.sha,
            commit.parent,
            to_sql(commit.author),
            commit.date,
            to_sql(commit.subject),
            entry.skipped,
            len(entry.edits),
            entry.repository,
        ),
    )
    if not added.rowcount:
        return False
    renames = [(commit_id, to_sql(old), to_sql(new)) for old, new in entry.renames]
    connection.executemany("INSERT INTO renames VALUES (?, ?, ?)", renames)
    return True


def _insert_edits(connection: sqlite3.Connection, commit_id: int, edit_id: int, entry: LoggedCommit) -> None:
    known: dict[tuple[str, str], int] = {}
    for path, definition, *_ in entry.edits:
        if (path, definition) not in known:
            known[path, definition] = _place(connection, path, definition)
    places = [known[path, definition] for path, definition, *_ in entry.edits]
    connection.executemany(
        "INSERT INTO edits VALUES (?, ?, ?, ?, ?, ?)",
        [
            (edit_id + offset, commit_id, place, definition_kind, kind, line)
            for offset, ((_, _, definition_kind, kind, line), place) in enumerate(zip(entry.edits, places, strict=True))
        ],
    )
    connection.execute(
        "INSERT INTO payloads VALUES (?, ?, ?, ?, ?)",
        (
            commit_id,
            np.array(places, dtype="<i4").tobytes(),
            entry.lengths.astype("<u4").tobytes(),
            _numbered(connection, entry.terms).astype("<i4").tobytes(),
            entry.counts.tobytes(),
        ),
    )


def _place(connection: sqlite3.Connection, path: str, definition: str) -> int:
    place: tuple[SqlText, SqlText] = (to_sql(path), to_sql(definition))
    found = connection.execute("SELECT id FROM places WHERE path = ? AND definition = ?", place).fetchone()
    if found is None:
        (number,) = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM places").fetchone()
        connection.execute("INSERT INTO places VALUES (?, ?, ?)", (number, *place))
        _numbered(connection, terms(place_words(path, definition)))
        return int(number)
    return int(found[0])


def _numbered(connection: sqlite3.Connection, hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The numbers of terms, given to those that have none yet."""
    numbers = numbers_of(connection, hashes)
    if not numbers.all():
        unknown = distinct(hashes[numbers == 0].view(np.int64)).tolist()
        connection.executemany("INSERT INTO terms (hash) VALUES (?)", _singly(unknown))
        numbers = numbers_of(connection, hashes)
    return numbers


def _singly(values: Iterable[int]) -> list[tuple[int]]:
    return [(value,) for value in values]

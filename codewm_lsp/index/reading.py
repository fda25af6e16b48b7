"""Past edits as they are read from the tables of an index."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from codewm_lsp.history import LAST_DATE, Commit, EditKind
from codewm_lsp.index.store import from_sql, to_sql
from codewm_lsp.records import dataclass
from codewm_lsp.source import DefinitionKind

_AT_ONCE: Final = 500  # ids in one statement
_LAST_LINE: Final = 1 << 31


@dataclass(frozen=True, slots=True)
class Source:
    """A repository of an index of several: ``key`` tells it from all others, ``name`` is shown."""

    key: str
    name: str


@dataclass(frozen=True, slots=True)
class PastEdit:
    """An edit of the index. Its texts are not stored: ``Repository.edits_of(commit.sha)`` reads them again.

    ``source``: the repository it comes from, in an index of several.
    """

    id: int
    commit: Commit
    path: str
    definition: str
    definition_kind: DefinitionKind
    kind: EditKind
    line: int
    source: Source | None = None

    @property
    def row(self) -> int:
        """Where it stands in the arrays of its index."""
        return self.id - 1


def same_name(connection: sqlite3.Connection, rows: range, definition: str, kind: EditKind) -> list[int]:
    """The rows, of these, of edits of that kind of a definition of this name, in any file."""
    query = """
        SELECT e.id - 1 FROM edits e JOIN places p ON p.id = e.place
        WHERE e.id BETWEEN ? AND ? AND e.kind = ? AND p.definition = ?"""
    asked = (rows.start + 1, rows.stop, kind.value, to_sql(definition))
    return [row for (row,) in connection.execute(query, asked)]


def places_and_kinds(connection: sqlite3.Connection, ids: Sequence[int]) -> list[tuple[int, str]]:
    """The number of the place of each edit, and its kind, in the order of the ids. Raises KeyError for no edit."""
    found: dict[int, tuple[int, str]] = {}
    for some, marks in _marked(ids):
        query = f"SELECT id, place, kind FROM edits WHERE id IN ({marks})"
        found.update((id_, (place, kind)) for id_, place, kind in connection.execute(query, some))
    return [found[id_] for id_ in ids]


def names_of_places(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Path and definition of places by number."""
    found: dict[int, tuple[str, str]] = {}
    for some, marks in _marked(numbers):
        query = f"SELECT id, path, definition FROM places WHERE id IN ({marks})"
        rows = connection.execute(query, some)
        found.update((number, (from_sql(path), from_sql(definition))) for number, path, definition in rows)
    return found


def _marked(ids: Sequence[int]) -> Iterator[tuple[Sequence[int], str]]:
    """Ids, so many at once as a statement takes, each time with the marks that stand for them in it."""
    for begin in range(0, len(ids), _AT_ONCE):
        some = ids[begin : begin + _AT_ONCE]
        yield some, ",".join("?" * len(some))


def sources(connection: sqlite3.Connection) -> dict[int, Source]:
    """The repositories of an index of several, by number."""
    rows = connection.execute("SELECT id, key, name FROM repositories ORDER BY id").fetchall()
    return {number: Source(key, from_sql(name)) for number, key, name in rows}


def commit_rows(connection: sqlite3.Connection, shas: Iterable[str], size: int) -> dict[str, int]:
    """The rows of commits, of the first ``size`` there are; those that are not there are left out."""
    wanted = list(dict.fromkeys(shas))
    found: dict[str, int] = {}
    for begin in range(0, len(wanted), _AT_ONCE):
        some = wanted[begin : begin + _AT_ONCE]
        query = f"SELECT sha, id - 1 FROM commits WHERE sha IN ({','.join('?' * len(some))})"
        found.update(connection.execute(query, some).fetchall())
    return {sha: row for sha, row in found.items() if 0 <= row < size}


def past_edits(connection: sqlite3.Connection, ids: Sequence[int]) -> list[PastEdit]:
    """Edits by id, in the order of the ids. Raises KeyError or ValueError for what no index holds."""
    found: dict[int, PastEdit] = {}
    commits: dict[int, Commit] = {}
    of_commit: dict[int, Source] = {}
    known: dict[int, Source] = {}
    for begin in range(0, len(ids), _AT_ONCE):
        some = ids[begin : begin + _AT_ONCE]
        query = f"""
            SELECT e.id, e.commit_id, p.path, p.definition, e.definition_kind, e.kind, e.line
            FROM edits e JOIN places p ON p.id = e.place WHERE e.id IN ({",".join("?" * len(some))})"""
        rows = connection.execute(query, some).fetchall()
        missing = sorted({row[1] for row in rows} - commits.keys())
        query = f"""
            SELECT id, sha, author, date, subject, parent, repository FROM commits
            WHERE id IN ({",".join("?" * len(missing))})"""
        for commit_id, sha, author, date, subject, parent, number in connection.execute(query, missing):
            if not (isinstance(date, int) and 0 <= date <= LAST_DATE):
                raise ValueError(f"commit {commit_id} has no date")
            if number is not None:
                known = known or sources(connection)
                of_commit[commit_id] = known[number]
            commits[commit_id] = Commit(sha, from_sql(author), date, from_sql(subject), parent)
        for id_, commit_id, path, definition, definition_kind, kind, line in rows:
            if not (isinstance(line, int) and 0 <= line <= _LAST_LINE):
                raise ValueError(f"edit {id_} has no line")
            found[id_] = PastEdit(
                id=id_,
                commit=commits[commit_id],
                path=from_sql(path),
                definition=from_sql(definition),
                definition_kind=DefinitionKind(definition_kind),
                kind=EditKind(kind),
                line=line,
                source=of_commit.get(commit_id),
            )
    return [found[id_] for id_ in ids]

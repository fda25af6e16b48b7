"""Taking over the edits of an index that an earlier version of CodeWM made, so that nothing is embedded again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import numpy as np

from codewm_lsp.history import LAST_DATE, Commit
from codewm_lsp.index.arrays import sane
from codewm_lsp.index.store import APPLICATION_ID, Damaged, Identity, from_sql
from codewm_lsp.index.writing import LoggedCommit

LAYOUT: Final = 1
BATCH: Final = 2_000  # edits in one transaction
_COMMITS: Final = """
SELECT c.id, c.sha, c.parent, c.author, c.date, c.subject, c.skipped, c.edits,
    p.vectors, p.scales, p.lengths, p.terms, p.counts
FROM commits c LEFT JOIN payloads p ON p.commit_id = c.id ORDER BY c.id
"""
_EDITS: Final = """
SELECT p.path, p.definition, e.definition_kind, e.kind, e.line FROM edits e JOIN places p ON p.id = e.place
WHERE e.id BETWEEN ? AND ? ORDER BY e.id
"""


def settled(path: Path) -> tuple[str, int] | None:
    """The last commit up to which such an index was complete, and how many it reaches."""
    with closing(_opened(path)) as connection, sane():
        row = connection.execute("SELECT value FROM meta WHERE key = 'settled'").fetchone()
        if row is None:
            return None
        sha, _, count = row[0].partition(" ")
        return sha, int(count)


def batches(path: Path, identity: Identity) -> Iterator[list[LoggedCommit]]:
    """Its commits in their order. Raises ``Damaged`` or sqlite3.Error where it cannot be read or is another's."""
    with closing(_opened(path)) as connection, sane():
        found = dict(connection.execute("SELECT key, value FROM meta").fetchall())
        if found.get("repository") == identity.former:
            found["repository"] = identity.repository
        wanted = (identity.repository, identity.model, identity.tokeniser, str(identity.edit_size), str(LAYOUT))
        if tuple(found.get(key) for key in ("repository", "model", "tokeniser", "edit_size", "layout")) != wanted:
            raise Damaged("it belongs to another repository or model")
        renames: dict[int, list[tuple[str, str]]] = {}
        for commit, old, new in connection.execute("SELECT commit_id, old, new FROM renames ORDER BY rowid"):
            renames.setdefault(commit, []).append((from_sql(old), from_sql(new)))
        batch: list[LoggedCommit] = []
        edits, last = 0, 0
        for row in connection.execute(_COMMITS).fetchall():
            entry = _entry(connection, row, last, tuple(renames.get(row[0], ())), identity.edit_size)
            last += len(entry.edits)
            batch.append(entry)
            edits += len(entry.edits)
            if edits >= BATCH:
                yield batch
                batch, edits = [], 0
        if batch:
            yield batch


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
    connection.execute("PRAGMA trusted_schema = 0")
    if connection.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
        connection.close()
        raise Damaged("it is not an index of CodeWM")
    return connection


def _entry(
    connection: sqlite3.Connection, row: Any, last: int, renames: tuple[tuple[str, str], ...], size: int
) -> LoggedCommit:
    number, sha, parent, author, date, subject, skipped, edits, vectors, scales, lengths, terms, counts = row
    if not (isinstance(date, int) and 0 <= date <= LAST_DATE and isinstance(sha, str)):
        raise Damaged(f"its commit {number} is invalid")
    entry = LoggedCommit(
        commit=Commit(sha, from_sql(author), date, from_sql(subject), parent),
        skipped=skipped,
        renames=renames,
        edits=tuple(
            (from_sql(path), from_sql(definition), definition_kind, kind, line)
            for path, definition, definition_kind, kind, line in connection.execute(_EDITS, (last + 1, last + edits))
        ),
        vectors=np.frombuffer(vectors or b"", dtype="i1").reshape(-1, size),
        scales=np.frombuffer(scales or b"", dtype="<f4"),
        lengths=np.frombuffer(lengths or b"", dtype="<u4").astype(np.int64),
        terms=np.frombuffer(terms or b"", dtype="<u8"),
        counts=np.frombuffer(counts or b"", dtype="i1"),
    )
    words = int(entry.lengths.sum())
    lengths_agree = len(entry.vectors) == len(entry.scales) == len(entry.lengths) == len(entry.edits) == edits
    if not (lengths_agree and len(entry.terms) == len(entry.counts) == words and np.isfinite(entry.scales).all()):
        raise Damaged(f"the edits of commit {sha} are cut short")
    return entry

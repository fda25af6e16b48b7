"""What the user does not want to see again; kept apart from the index, so that it outlives models and rebuilds."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from codewm_lsp.errors import IndexStoreError
from codewm_lsp.index.store import BUSY_SECONDS, LOG, SqlText, explained, from_sql, is_damage, set_aside, to_sql

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS dismissed (
    scope TEXT NOT NULL, sha TEXT NOT NULL, path TEXT NOT NULL, definition TEXT NOT NULL,
    PRIMARY KEY (scope, sha, path, definition)
) WITHOUT ROWID
"""


class Scope(str, Enum):
    """How much a dismissal hides: one past edit, all edits like it, all edits of its commit, or one hint by its key."""

    EDIT = "edit"
    LIKE = "like"
    COMMIT = "commit"
    HINT = "hint"


@dataclass(frozen=True, slots=True)
class Dismissal:
    """One thing dismissed. ``path`` and ``definition`` are empty for a commit; a hint has its key in ``sha``."""

    scope: Scope
    sha: str
    path: str = ""
    definition: str = ""


class Dismissals:
    """The dismissals of one repository, in a small file of their own, or in memory where ``path`` is None."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._memory: set[Dismissal] = set()
        self._lock = threading.Lock()

    def add(self, dismissal: Dismissal) -> None:
        """Remember a dismissal. Raises ``IndexStoreError`` when it cannot be written."""
        if self._path is None:
            self._memory.add(dismissal)
        else:
            self._run("INSERT OR IGNORE INTO dismissed VALUES (?, ?, ?, ?)", _values(dismissal))

    def remove(self, dismissal: Dismissal) -> None:
        """Take a dismissal back."""
        if self._path is None:
            self._memory.discard(dismissal)
        else:
            self._run("DELETE FROM dismissed WHERE (scope, sha, path, definition) = (?, ?, ?, ?)", _values(dismissal))

    def all(self) -> frozenset[Dismissal]:
        """Everything dismissed, by other processes too."""
        if self._path is None:
            return frozenset(self._memory)
        if not self._path.exists():
            return frozenset()
        rows = self._run("SELECT scope, sha, path, definition FROM dismissed", ())
        return frozenset(Dismissal(Scope(scope), *map(from_sql, rest)) for scope, *rest in rows)

    def _run(self, statement: str, values: tuple[SqlText, ...]) -> list[tuple[str, SqlText, SqlText, SqlText]]:
        assert self._path is not None
        with self._lock:
            for attempt in (1, 2):
                try:
                    self._path.parent.mkdir(parents=True, exist_ok=True)
                    with closing(sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
                        connection.execute(_TABLE)
                        return connection.execute(statement, values).fetchall()
                except sqlite3.DatabaseError as error:
                    if attempt == 2 or not is_damage(error):
                        raise explained(error, self._path) from error
                    aside = set_aside(self._path)
                    LOG.warning("The list of dismissed hints was broken; it is kept as %s, a new one is begun.", aside)
                except OSError as error:
                    raise IndexStoreError(
                        f"The list of dismissed hints {self._path} cannot be written: {error.strerror}. "
                        "Make the folder writable for you."
                    ) from error
            raise AssertionError("two attempts end in an answer or an error")


def _values(dismissal: Dismissal) -> tuple[SqlText, ...]:
    return (
        dismissal.scope.value,
        to_sql(dismissal.sha),
        to_sql(dismissal.path),
        to_sql(dismissal.definition),
    )

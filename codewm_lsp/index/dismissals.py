"""What the user does not want to see again; kept apart from the index, so that it outlives models and rebuilds.

It belongs to the repository: to all its clones and worktrees, wherever they lie.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing, suppress
from enum import Enum
from pathlib import Path
from typing import Any, Final

from codewm_lsp.errors import IndexStoreError
from codewm_lsp.history import Repository
from codewm_lsp.index.store import (
    BUSY_SECONDS,
    DISMISSED,
    LOG,
    Damaged,
    Identity,
    SqlText,
    explained,
    folder_name,
    from_sql,
    is_damage,
    require_plain,
    set_aside,
    to_sql,
)
from codewm_lsp.records import dataclass

READ_SECONDS: Final = 0.2  # that a hint waits for another program to let go of the list
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS dismissed (
    scope TEXT NOT NULL, sha TEXT NOT NULL, path TEXT NOT NULL, definition TEXT NOT NULL,
    PRIMARY KEY (scope, sha, path, definition)
) WITHOUT ROWID
"""
_ALL: Final = "SELECT scope, sha, path, definition FROM dismissed"
_TAKEN: Final = "CREATE TABLE IF NOT EXISTS taken_over (folder TEXT PRIMARY KEY) WITHOUT ROWID"


class Scope(str, Enum):
    """How much a dismissal hides: an edit; it and all like it or of its commit; a commit; or a hint, by its key."""

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
        self._last: frozenset[Dismissal] = frozenset()  # what was read last
        self._failed = False
        self._lock = threading.Lock()

    @classmethod
    def copied(cls, path: Path) -> Dismissals:
        """Those in a file that is only read; what is added is kept in memory."""
        found = cls(None)
        with suppress(Damaged, sqlite3.Error):
            require_plain(path)
            uri = f"{path.absolute().as_uri()}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True, timeout=READ_SECONDS)) as connection:
                found._memory.update(_known(connection.execute(_ALL).fetchall()))
        return found

    @classmethod
    def of(cls, repository: Repository, folder: Path | None) -> Dismissals:
        """Those of this repository, without an index being opened; ``folder``: the cache folder."""
        if folder is None:
            return cls(None)
        identity = Identity(repository.key, "", "", 0, repository.path_key)
        found = cls(folder / identity.folder / DISMISSED)
        adopt(folder, identity, found, repository.address_key or "")
        return found

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

    def take_over(self, other: Path) -> None:
        """Dismiss, once, what another list holds. Where that cannot be read or this one not be written, nothing is."""
        if self._path is None or not other.exists():
            return
        with suppress(IndexStoreError):
            name = (other.parent.name,)
            self._run(_TAKEN, ())
            if self._run("SELECT folder FROM taken_over WHERE folder = ?", name):
                return
            for dismissal in Dismissals(other).all():
                self.add(dismissal)
            self._run("INSERT OR IGNORE INTO taken_over VALUES (?)", name)

    def all(self) -> frozenset[Dismissal]:
        """Everything dismissed, by other processes too."""
        if self._path is None:
            return frozenset(self._memory)
        if not self._path.exists():
            return frozenset()
        try:
            rows = self._run(_ALL, (), patience=READ_SECONDS)
        except IndexStoreError as error:  # hints go on, with what is known
            if not self._failed:
                LOG.warning("%s Until then, recently hidden hints may be shown again.", error)
            self._failed = True
            return self._last
        self._failed = False
        self._last = _known(rows)
        return self._last

    def _run(self, statement: str, values: tuple[SqlText, ...], patience: float = BUSY_SECONDS) -> list[Any]:
        assert self._path is not None
        with self._lock:
            for attempt in (1, 2):
                try:
                    self._path.parent.mkdir(parents=True, exist_ok=True)
                    require_plain(self._path)
                    with closing(sqlite3.connect(self._path, timeout=patience, isolation_level=None)) as connection:
                        connection.execute(_TABLE)
                        return connection.execute(statement, values).fetchall()
                except (Damaged, sqlite3.DatabaseError) as error:
                    if isinstance(error, sqlite3.Error) and (attempt == 2 or not is_damage(error)):
                        raise explained(error, self._path) from error
                    aside = set_aside(self._path)
                    LOG.warning(
                        "The list of hidden hints was damaged. It was renamed to %s, and a new list was started.", aside
                    )
                except OSError as error:
                    raise IndexStoreError(
                        f"The list of hidden hints {self._path} cannot be written: {error.strerror}. "
                        "Make the folder writable."
                    ) from error
            raise AssertionError("two attempts end in an answer or an error")


def adopt(folder: Path, identity: Identity, dismissals: Dismissals, shared: str) -> None:
    """Have in the cache ``folder`` what a repository has there under a name that it had before.

    The folder of this clone's former name is renamed, with indexes and all, if the repository has none yet. Otherwise,
    and from a name that other clones share, what was dismissed is dismissed here too.
    """
    own, former = folder / identity.folder, folder / folder_name(identity.former)
    if identity.former and former != own and former.is_dir() and not own.exists():
        with suppress(OSError):  # open in another program, where the system minds
            former.rename(own)
    for name in (identity.former, shared):
        if name and folder_name(name) != identity.folder:
            dismissals.take_over(folder / folder_name(name) / DISMISSED)


def _known(rows: list[Any]) -> frozenset[Dismissal]:
    known = {scope.value for scope in Scope}  # a later version may have others
    return frozenset(Dismissal(Scope(one), *map(from_sql, rest)) for one, *rest in rows if one in known)


def _values(dismissal: Dismissal) -> tuple[SqlText, ...]:
    return (
        dismissal.scope.value,
        to_sql(dismissal.sha),
        to_sql(dismissal.path),
        to_sql(dismissal.definition),
    )

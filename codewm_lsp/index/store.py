"""The SQLite file of an index: opening, checking, setting aside what is broken, and transactions.

One file a repository, model, tokeniser and layout of the tables, so that a new model never meets old vectors. WAL mode:
readers never wait for the writer. Everything a commit brings is written in one transaction; its vectors lie in a file
beside (``matrix``), written before the transaction ends, and so do arrays made from all of it (``segments``).
"""

from __future__ import annotations

import errno
import gc
import glob
import logging
import os
import re
import sqlite3
import stat
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from codewm_lsp.errors import IndexStoreError
from codewm_lsp.records import dataclass

LOG: Final = logging.getLogger("codewm.index")

LAYOUT: Final = 2
APPLICATION_ID: Final = 0x436F6457  # "CodW", in the header of the file: another program's database is told apart
BUSY_SECONDS: Final = 5.0
_TABLES: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE repositories (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL);
CREATE TABLE commits (
    id INTEGER PRIMARY KEY, sha TEXT NOT NULL UNIQUE, parent TEXT, author TEXT NOT NULL, date INTEGER NOT NULL,
    subject TEXT NOT NULL, skipped TEXT, edits INTEGER NOT NULL, repository INTEGER
);
CREATE TABLE terms (id INTEGER PRIMARY KEY, hash INTEGER NOT NULL UNIQUE);
CREATE TABLE places (id INTEGER PRIMARY KEY, path TEXT NOT NULL, definition TEXT NOT NULL, UNIQUE (path, definition));
CREATE TABLE edits (
    id INTEGER PRIMARY KEY, commit_id INTEGER NOT NULL, place INTEGER NOT NULL, definition_kind TEXT NOT NULL,
    kind TEXT NOT NULL, line INTEGER NOT NULL
);
CREATE TABLE renames (commit_id INTEGER NOT NULL, old TEXT NOT NULL, new TEXT NOT NULL);
CREATE TABLE payloads (
    commit_id INTEGER PRIMARY KEY, places BLOB NOT NULL, lengths BLOB NOT NULL, terms BLOB NOT NULL,
    counts BLOB NOT NULL
);
CREATE TABLE parts (
    file TEXT PRIMARY KEY, first_row INTEGER NOT NULL, edits INTEGER NOT NULL, first_commit INTEGER NOT NULL,
    commits INTEGER NOT NULL, first_place INTEGER NOT NULL, places INTEGER NOT NULL
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Identity:
    """What an index file belongs to; written into it, and compared when it is opened.

    ``former``: what the same clone of the repository may have been called.
    """

    repository: str
    model: str
    tokeniser: str
    edit_size: int
    former: str = ""

    @property
    def folder(self) -> str:
        """The name of the repository's folder in the cache."""
        return folder_name(self.repository)

    def file_name(self, layout: int = LAYOUT) -> Path:
        """Path below the cache folder."""
        name = f"{_safe(self.model)[:16]}-{_safe(self.tokeniser)[:8]}-{self.edit_size}-v{layout}.sqlite3"
        return Path(self.folder) / name


FILE_HISTORY: Final = "changed-files-v1.json"
"""In the folder of a repository: which files each of its commits changed."""
PARSED_FILES: Final = "parsed-files-v1.npz"
"""In the same folder: what was parsed of its newest files."""
MEASURE: Final = "measure-v1.bin"
"""In the same folder: how the edits of an index are measured (``whitening``)."""
DISMISSED: Final = "dismissed.sqlite3"
"""In the same folder: what the user has hidden."""
MADE_AGAIN: Final = (FILE_HISTORY, PARSED_FILES, MEASURE)
"""What is beside an index and is made again where it is missing."""

_OF_ANY_VERSION: Final = "|".join(
    re.sub(r"-v\d+", lambda _: r"-v\d+", re.escape(name).replace(r"\-", "-")) for name in (DISMISSED, *MADE_AGAIN)
)
_OWN_NAME: Final = re.compile(rf"([A-Za-z0-9_-]+-\d+-v\d+\.sqlite3|{_OF_ANY_VERSION})([.-].+)?")


def is_own_name(name: str) -> bool:
    """Whether a file of a repository's folder bears a name that this or another version of CodeWM gives there."""
    return _OWN_NAME.fullmatch(name) is not None


def write_anew(file: Path, data: bytes) -> None:
    """Put what can be made again in the place of what there was, whole or not at all; a fault is logged."""
    temporary = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        with open(temporary, "xb") as stream:
            stream.write(data)
        os.replace(temporary, file)
    except OSError as error:
        LOG.info("%s cannot be written: %s", file, error)
        with suppress(OSError):
            temporary.unlink()


SqlText = str | bytes


def to_sql(text: str) -> SqlText:
    """Text as SQLite takes it: bytes where it holds what UTF-8 cannot (a path of another encoding)."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def from_sql(value: SqlText) -> str:
    """The text that ``to_sql`` took."""
    return value.decode("utf-8", "surrogatepass") if isinstance(value, bytes) else value


_COMPANION: Final = re.compile(r"\.[0-9A-F]{16}\.[0-9a-z.-]+")
VECTORS: Final = "vectors"
GENERATION: Final = re.compile(r"[0-9A-F]{16}")


def beside(path: Path, generation: str, name: str) -> Path:
    """A file that belongs to one generation of the index in ``path``. Raises ``Damaged`` for what is no generation."""
    if not GENERATION.fullmatch(generation):
        raise Damaged("it has no generation")
    return path.with_name(f"{path.name}.{generation}.{name}")


def folder_name(repository: str) -> str:
    """The name of a repository's folder in the cache."""
    return _safe(repository)[:32]


def _safe(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", text) or "_"


class Damaged(Exception):
    """The file is no index of ours, or no whole one. Never leaves the room: the file is set aside and made anew."""


_SIDE_FILES: Final = ("", "-wal", "-shm", "-journal")

_opened_here = Counter[str]()
"""How many ``Database`` of this process hold each file. Whoever opens such a file by other means and closes it again
ends the locks that SQLite holds on it (POSIX has them by process): the next program that closes the index then takes
itself for the last one, and deletes the log that this process goes on writing to."""

_opened_lock: Final = threading.Lock()


def is_open_here(path: Path) -> bool:
    """Whether this process has an index open, and may not read the file by itself."""
    with _opened_lock:
        return _opened_here[os.path.abspath(path)] > 0


def is_plain(path: Path) -> bool:
    """Whether there is nothing at ``path``, or a file: no pipe or device, which is waited for, no folder, no link."""
    with suppress(OSError):
        return stat.S_ISREG(path.lstat().st_mode)
    return True


def require_plain(path: Path) -> None:
    """Raises ``Damaged`` where SQLite would open what is no file: ``path``, or one of those that it has beside it."""
    for suffix in _SIDE_FILES:
        if not is_plain(path.with_name(path.name + suffix)):
            raise Damaged(f"{path.name}{suffix} is not a file")


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite found the file itself to be broken, rather than busy, full or forbidden."""
    text = str(error)
    return any(
        sign in text
        for sign in (
            "malformed",
            "not a database",
            "no such table",
            "no such column",
            "file is encrypted",
            "unsupported file",
        )
    )


def is_unwritable(error: sqlite3.Error) -> bool:
    """Whether SQLite may not write the file, or not make it."""
    return any(sign in str(error) for sign in ("readonly", "unable to open"))


def explained(error: sqlite3.Error | OSError, path: Path | None) -> IndexStoreError:
    """The error of SQLite, or of the file beside it, as one that a user can act on."""
    text = str(error)
    if isinstance(error, OSError):
        text = error.strerror or text
        text = f"{text}, the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else f"{text}: unable to open"
    where = f"The index {path}" if path else "The index in memory"
    if "closed" in text:
        return IndexStoreError(f"{where} was closed while it was being used. Ask again.")
    if "full" in text or (isinstance(error, sqlite3.OperationalError) and "disk I/O" in text):
        return IndexStoreError(
            f"{where} cannot grow: {text}. Nothing indexed so far is lost. "
            "Free some space there and index again to continue."
        )
    if "locked" in text or "busy" in text:
        return IndexStoreError(
            f"{where} is locked by another process. Close the program that holds it (another editor, a database "
            "browser, a backup) and try again."
        )
    if "readonly" in text or "unable to open" in text:
        return IndexStoreError(f"{where} cannot be written: {text}. Make the folder writable.")
    return IndexStoreError(f"{where} cannot be used: {text}. Delete the file, and it is rebuilt from the history.")


class Database:
    """Connections to one index file, or to a database in memory where ``path`` is None.

    ``reading`` and ``writing`` give the connection to one thread at a time; on disk they are two connections, so that
    a search does not wait for a batch to be written.
    """

    def __init__(self, path: Path | None, identity: Identity, copied: Path | None = None) -> None:
        """``copied``: the file that a database in memory begins with, which is only read."""
        self.path = path
        self._identity = identity
        self._read_lock = threading.RLock()
        self._file: tuple[int, int] | None = None
        self._closed = False
        if path is None:
            self._reader = self._connect()
            self._writer, self._write_lock = self._reader, self._read_lock
            if copied is not None:
                _copy(copied, self._reader)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            require_plain(path)
            self._write_lock = threading.RLock()
            self._writer = self._connect()
            self._count(1)
        try:
            self._prepare()
            if path is not None:
                self._reader = self._connect()
                self._reader.execute("PRAGMA query_only = 1")
                self._file = _file_of(path)
        except BaseException:
            self._writer.close()
            self._count(-1)
            raise

    def _count(self, change: int) -> None:
        if self.path is not None:
            with _opened_lock:
                _opened_here[os.path.abspath(self.path)] += change

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            ":memory:" if self.path is None else self.path,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute("PRAGMA trusted_schema = 0")
        if self.path is not None:
            connection.execute("PRAGMA cache_size = -1024")  # our own arrays are the cache
        return connection

    def _prepare(self) -> None:
        connection = self._writer
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application != APPLICATION_ID and tables:
            raise Damaged("it is not an index of CodeWM")
        if self.path is not None:
            self._write_ahead()
            connection.execute("PRAGMA synchronous = NORMAL")
        with self.writing():
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            expected = {
                "repository": self._identity.repository,
                "model": self._identity.model,
                "tokeniser": self._identity.tokeniser,
                "edit_size": str(self._identity.edit_size),
                "layout": str(LAYOUT),
            }
            if not tables:
                for statement in _TABLES.split(";"):
                    connection.execute(statement)
                connection.executemany("INSERT INTO meta VALUES (?, ?)", expected.items())
                connection.execute("INSERT INTO meta VALUES ('generation', hex(randomblob(8)))")
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                return
            # Nothing in the file's own schema is worked with: a trigger or a view in it would run with every question.
            if connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY sql").fetchall() != [
                (statement.strip(),) for statement in sorted(map(str.strip, _TABLES.split(";"))) if statement
            ]:
                raise Damaged("its tables are not those of CodeWM")
            found = dict(connection.execute("SELECT key, value FROM meta").fetchall())
            if found.get("repository") == self._identity.former:
                found["repository"] = self._identity.repository
                row = (self._identity.repository,)
                connection.execute("UPDATE meta SET value = ? WHERE key = 'repository'", row)
            if any(found.get(key) != value for key, value in expected.items()) or "generation" not in found:
                raise Damaged("it belongs to another repository or model")

    def _write_ahead(self) -> None:
        """Switch to WAL; SQLite does not wait by itself when another process is just doing the same."""
        patience = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                self._writer.execute("PRAGMA journal_mode = WAL").fetchone()
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > patience:
                    raise
                time.sleep(0.02)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A read transaction: everything in it is seen as of one moment."""
        with self._read_lock:
            yield from _transaction(self._reader, "BEGIN")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A write transaction: all of it or nothing."""
        with self._write_lock:
            yield from _transaction(self._writer, "BEGIN IMMEDIATE")

    def version(self) -> object:
        """Changes whenever another connection has written. Costs microseconds."""
        with self._read_lock:
            if self.path is None:
                return self._reader.total_changes
            return self._reader.execute("PRAGMA data_version").fetchone()[0]

    def replaced(self) -> bool:
        """Whether the file at our path is no longer the one we have open: deleted, or set aside by another process."""
        return self.path is not None and _file_of(self.path) != self._file

    def close(self) -> None:
        """Close the connections. The last one of all processes folds the write-ahead log into the file."""
        with self._write_lock, self._read_lock:
            if not self._closed:
                self._count(-1)
            self._closed = True
            self._reader.close()
            self._writer.close()


def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[sqlite3.Connection]:
    if connection.in_transaction:  # nested by the same thread, which holds the lock
        yield connection
        return
    connection.execute(begin)
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _copy(source: Path, target: sqlite3.Connection) -> None:
    """Copy an index without its segments into a database in memory, writing nothing. Raises ``Damaged``."""
    require_plain(source)
    for how in ("mode=ro", "immutable=1"):  # without a log beside it, a file in a folder that is read-only opens so
        try:
            with closing(sqlite3.connect(f"{source.absolute().as_uri()}?{how}", uri=True, timeout=1)) as connection:
                connection.backup(target)
                target.execute("DELETE FROM parts")
                return
        except sqlite3.OperationalError as error:
            if how == "immutable=1" or not is_unwritable(error):
                raise


def _file_of(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def set_aside(path: Path) -> Path:
    """Rename a broken index and its companions out of the way; returns the new name of the file.

    Its vectors stay with it; the segments, which are made from both, are deleted.
    """
    gc.collect()  # a connection that failed is open until its statements are gone; Windows renames no open file
    number = 1
    while (aside := path.with_name(f"{path.name}.broken-{number}")).exists():
        number += 1
    for companion in path.parent.glob(f"{glob.escape(path.name)}.*"):
        if _COMPANION.fullmatch(companion.name.removeprefix(path.name)):
            with suppress(OSError):  # mapped by another process, where the system minds: swept up later
                if companion.name.endswith(VECTORS):
                    companion.rename(aside.with_name(f"{aside.name}.{VECTORS}"))
                else:
                    companion.unlink()
    for suffix in _SIDE_FILES:
        source = path.with_name(path.name + suffix)
        try:
            source.rename(aside.with_name(aside.name + suffix))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise IndexStoreError(
                f"The index {path} is damaged and cannot be renamed ({error.strerror}). Close the programs that use "
                "it, then delete it; it is rebuilt from the history."
            ) from error
    return aside


class WriterLock:
    """The right to index, held by one process (and thread) at a time; the system frees it when its holder dies.

    It is SQLite's own exclusive lock on an empty file beside the index, hence portable.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = None if path is None else path.with_name(path.name + ".writer")
        self._thread = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def acquire(self) -> bool:
        """Try once; True when this caller may write until ``release``."""
        if not self._thread.acquire(blocking=False):
            return False
        if self._path is None:
            return True
        try:
            self._connection = self._locked(self._path)
        except sqlite3.Error as error:
            self._thread.release()
            if "locked" in str(error):
                return False
            raise explained(error, self._path) from error
        except BaseException:
            self._thread.release()
            raise
        return True

    @staticmethod
    def _locked(path: Path) -> sqlite3.Connection:
        for attempt in (1, 2):
            connection: sqlite3.Connection | None = None
            try:
                require_plain(path)
                connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
                connection.execute("BEGIN EXCLUSIVE")
                return connection
            except (Damaged, sqlite3.Error) as error:
                if connection is not None:
                    connection.close()
                if isinstance(error, sqlite3.Error) and (attempt == 2 or not is_damage(error)):
                    raise
                set_aside(path)
        raise AssertionError("two attempts end in a lock or an error")

    def forget_file(self) -> None:
        """From now on it is a right within this process alone."""
        self._path = None

    def release(self) -> None:
        """Give the right back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._thread.release()

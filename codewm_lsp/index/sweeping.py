"""Deleting what CodeWM itself left in a repository's cache folder and will never read again."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from codewm_lsp.index.store import APPLICATION_ID, LAYOUT, LOG, VECTORS

UNUSED_DAYS: Final = 56  # the index of a model that nobody asked for so long
BROKEN_DAYS: Final = 28  # what was set aside
LEFT_DAYS: Final = 1  # files beside an index that belong to none of its generations
_DAY: Final = 86_400
_INDEX: Final = re.compile(r"[A-Za-z0-9_-]{1,16}-[A-Za-z0-9_-]{1,8}-\d{1,6}-v(\d{1,4})\.sqlite3")
_ASIDE: Final = re.compile(rf"{_INDEX.pattern}\.broken-\d+(-wal|-shm|\.{VECTORS})?")
_BESIDE: Final = re.compile(rf"({_INDEX.pattern})\.([0-9A-F]{{16}})\.({VECTORS}|\d+-\d+\.(part|segment)(\.\d+\.new)?)")
_HEADER: Final = b"SQLite format 3\0"


def sweep(path: Path, *, now: float | None = None) -> list[str]:
    """Delete, in the folder of the index ``path``, what no longer serves; returns the names of the files that were.

    Only files that have the names and the headers of our own: indexes of another model that were not used for
    ``UNUSED_DAYS``, those of a layout older than ours, what was set aside ``BROKEN_DAYS`` ago, and what lies beside
    an index without belonging to it. An index that a running program writes to is left alone, and so is a newer layout.
    """
    now = time.time() if now is None else now
    used(path)
    deleted: list[str] = []
    try:
        files = sorted(path.parent.iterdir())
    except OSError:
        return []
    for file in files:
        age = (now - _last_use(file)) / _DAY
        if found := _INDEX.fullmatch(file.name):
            if file == path or not is_index(file) or int(found[1]) > LAYOUT:
                continue
            if (int(found[1]) < LAYOUT and not _same_model(file, path)) or age >= UNUSED_DAYS:
                _delete_index(file, deleted)
        elif (_ASIDE.fullmatch(file.name) and age >= BROKEN_DAYS) or (
            (found := _BESIDE.fullmatch(file.name)) and age >= LEFT_DAYS and not _in_use(file, found[1], found[3])
        ):
            _delete(file, deleted)
    if deleted:
        LOG.info("Deleted what is no longer used from %s: %s", path.parent, ", ".join(deleted))
    return deleted


def used(path: Path) -> None:
    """Note that an index is in use, by the time of the empty file that its writers lock."""
    with suppress(OSError):
        marker = path.with_name(path.name + ".writer")
        marker.touch()
        os.utime(marker)


def delete_index(path: Path) -> bool:
    """Delete an index that was taken over; False where a running program holds it."""
    deleted: list[str] = []
    _delete_index(path, deleted)
    return bool(deleted)


def _last_use(file: Path) -> float:
    times = []
    for suffix in ("", "-wal", ".writer"):
        with suppress(OSError):
            times.append(file.with_name(file.name + suffix).lstat().st_mtime)
    return max(times, default=0.0)


def is_index(file: Path) -> bool:
    """Whether a file is an index of ours, by its header."""
    try:
        if file.is_symlink() or not file.is_file():
            return False
        with file.open("rb") as stream:
            head = stream.read(72)
    except OSError:
        return False
    return head.startswith(_HEADER) and int.from_bytes(head[68:72], "big") == APPLICATION_ID


def _same_model(file: Path, path: Path) -> bool:
    """Whether an older layout is of the very model of ``path``: then its edits are taken over before it is deleted."""
    return file.name.rpartition("-v")[0] == path.name.rpartition("-v")[0]


def _in_use(file: Path, index: str, generation: str) -> bool:
    """Whether a file beside an index belongs to it as it is now; when in doubt it does."""
    database = file.with_name(index)
    if not database.exists():
        return False
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=1)) as connection:
            (current,) = connection.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()
            if current != generation:
                return False
            if file.name.endswith(VECTORS):
                return True
            return connection.execute("SELECT 1 FROM parts WHERE file = ?", (file.name,)).fetchone() is not None
    except (sqlite3.Error, TypeError):
        return True


def _delete_index(file: Path, deleted: list[str]) -> None:
    try:
        with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as connection:
            # Switching off the log needs the file for itself: nobody has it open.
            if connection.execute("PRAGMA journal_mode = DELETE").fetchone() != ("delete",):
                return
    except sqlite3.Error as error:
        if "locked" in str(error):
            return
    names = [file, *(file.with_name(file.name + suffix) for suffix in ("-wal", "-shm", ".writer", ".writer-journal"))]
    with suppress(OSError):
        names += [one for one in file.parent.iterdir() if (f := _BESIDE.fullmatch(one.name)) and f[1] == file.name]
    for one in names:
        _delete(one, deleted)


def _delete(file: Path, deleted: list[str]) -> None:
    with suppress(OSError):
        file.unlink()
        deleted.append(file.name)

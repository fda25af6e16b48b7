"""What CodeWM itself left in its cache folder and will not read again: what there is of it, and its removal."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from codewm_lsp.index.store import APPLICATION_ID, LAYOUT, LOG, MADE_AGAIN, VECTORS, is_open_here
from codewm_lsp.records import dataclass

SUPERSEDED_DAYS: Final = 7  # the index of a model that was not used so long, where that of another model is complete
UNUSED_DAYS: Final = 56  # the same where none is complete
FORGOTTEN_DAYS: Final = 180  # every index of a repository that was not opened so long
BROKEN_DAYS: Final = 28  # what was set aside
LEFT_DAYS: Final = 1  # files beside an index that belong to none of its generations
_DAY: Final = 86_400
_INDEX: Final = re.compile(r"[A-Za-z0-9_-]{1,16}-[A-Za-z0-9_-]{1,8}-\d{1,6}-v(\d{1,4})\.sqlite3")
_ASIDE: Final = re.compile(rf"{_INDEX.pattern}(\.writer)?\.broken-\d+(-wal|-shm|\.{VECTORS})?")
_BESIDE: Final = re.compile(rf"({_INDEX.pattern})\.([0-9A-F]{{16}})\.({VECTORS}|\d+-\d+\.(part|segment)(\.\d+\.new)?)")
_FOLDER: Final = re.compile(r"[0-9a-f]{16}")  # of a repository
_HEADER: Final = b"SQLite format 3\0"


@dataclass(frozen=True, slots=True)
class Leftover:
    """An index, or a file of one, that no longer serves. ``bytes``: of all its files; ``days``: since its last use."""

    path: Path
    why: str
    days: int
    bytes: int


def leftovers(cache: Path, *, patient: bool = True, now: float | None = None) -> list[Leftover]:
    """What can be removed from the cache folder, by repository: nothing that was not made here, no list of what was
    dismissed, and nothing that the last opened model of a repository still needs.

    ``patient``: after the days above; otherwise at once, but for a repository that was opened in the last 56 days.
    """
    return [found for folder in _folders(cache) for found in _leftovers_of(folder, patient, now or time.time())]


def remove(leftover: Leftover) -> bool:
    """Delete a leftover; False where a running program holds it, or the system does not allow it."""
    deleted: list[str] = []
    if _INDEX.fullmatch(leftover.path.name):
        _delete_index(leftover.path, deleted)
    else:
        _delete(leftover.path, deleted)
    with suppress(OSError):
        leftover.path.parent.rmdir()  # where nothing else is in it
    return bool(deleted)


def sweep(path: Path, *, now: float | None = None) -> list[str]:
    """Note that the index ``path`` is in use, and remove what has been left over for long; the names of the files."""
    now = time.time() if now is None else now
    with suppress(OSError):
        marker = path.with_name(path.name + ".writer")
        marker.touch()
        os.utime(marker)
    found = list(_leftovers_of(path.parent, True, now))
    for folder in _folders(path.parent.parent) if _FOLDER.fullmatch(path.parent.name) else []:
        if folder != path.parent and _is_forgotten(folder, now):
            found += _leftovers_of(folder, True, now)
    deleted = [one.path.name for one in found if one.path != path and remove(one)]
    if deleted:
        LOG.info("Deleted unused files from %s: %s", path.parent.parent, ", ".join(deleted))
    return deleted


def _folders(cache: Path) -> list[Path]:
    with suppress(OSError):
        return sorted(one for one in cache.iterdir() if _FOLDER.fullmatch(one.name) and one.is_dir())
    return []


def _is_forgotten(folder: Path, now: float) -> bool:
    """Whether no index of a repository was used for long, without a look into any."""
    with suppress(OSError):
        ages = [(now - _last_use(file)) / _DAY for file in folder.iterdir() if _INDEX.fullmatch(file.name)]
        return bool(ages) and min(ages) >= FORGOTTEN_DAYS
    return False


def _leftovers_of(folder: Path, patient: bool, now: float) -> Iterator[Leftover]:
    try:
        files = sorted(folder.iterdir())
    except OSError:
        return
    ages = {file: (now - _last_use(file)) / _DAY for file in files if _INDEX.fullmatch(file.name) and is_index(file)}
    newest = min(ages, key=lambda file: (int(_layout(file) != LAYOUT), ages[file]), default=None)
    complete = newest is not None and len(ages) > 1 and _is_complete(newest)
    for file, age in ages.items():
        why = ""
        if _layout(file) > LAYOUT:
            continue
        if file == newest:
            if age >= (FORGOTTEN_DAYS if patient else UNUSED_DAYS):
                why = "its repository was not opened"
        elif _layout(file) < LAYOUT and not any(_model(file) == _model(one) for one in ages if one != file):
            why = "of an earlier version"  # one of the same model is taken over when that is opened
        elif not patient or age >= (SUPERSEDED_DAYS if complete else UNUSED_DAYS):
            why = "of another model"
        if why:
            yield Leftover(file, why, int(age), sum(_size(one) for one in _files_of(file, files)))
    for file in files:
        age = (now - _last_use(file)) / _DAY
        if _ASIDE.fullmatch(file.name) and (not patient or age >= BROKEN_DAYS):
            yield Leftover(file, "damaged and renamed", int(age), _size(file))
        elif (found := _BESIDE.fullmatch(file.name)) and age >= LEFT_DAYS and not _in_use(file, found[1], found[3]):
            yield Leftover(file, "of an index that is gone", int(age), _size(file))


def delete_index(path: Path) -> bool:
    """Delete an index that was taken over; False where a running program holds it."""
    deleted: list[str] = []
    _delete_index(path, deleted)
    return bool(deleted)


def _layout(file: Path) -> int:
    found = _INDEX.fullmatch(file.name)
    assert found is not None
    return int(found[1])


def _model(file: Path) -> str:
    """The name of an index without its layout."""
    return file.name.rpartition("-v")[0]


def _files_of(index: Path, files: list[Path]) -> list[Path]:
    """Its own, and what is made again for another of the same repository."""
    names = {index.name + suffix for suffix in ("", "-wal", "-shm", ".writer", ".writer-journal")} | {*MADE_AGAIN}
    return [one for one in files if one.name in names or ((f := _BESIDE.fullmatch(one.name)) and f[1] == index.name)]


def _size(file: Path) -> int:
    with suppress(OSError):
        return file.lstat().st_size
    return 0


def _last_use(file: Path) -> float:
    times = []
    for suffix in ("", "-wal", ".writer"):
        with suppress(OSError):
            state = file.with_name(file.name + suffix).lstat()
            if state.st_size or suffix != "-wal":  # reading an index leaves an empty log
                times.append(state.st_mtime)
    return max(times, default=0.0)


def is_index(file: Path) -> bool:
    """Whether a file is an index of ours, by its header."""
    if is_open_here(file):
        return True
    try:
        if file.is_symlink() or not file.is_file():
            return False
        with file.open("rb") as stream:
            head = stream.read(72)
    except OSError:
        return False
    return head.startswith(_HEADER) and int.from_bytes(head[68:72], "big") == APPLICATION_ID


def _is_complete(file: Path) -> bool:
    """Whether an index has once had all commits of its repository."""
    with suppress(sqlite3.Error), _reading(file) as connection:
        return connection.execute("SELECT 1 FROM meta WHERE key = 'settled'").fetchone() is not None
    return False


def _reading(database: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=1))


def _in_use(file: Path, index: str, generation: str) -> bool:
    """Whether a file beside an index belongs to it as it is now; when in doubt it does."""
    database = file.with_name(index)
    if not database.exists():
        return False
    if not is_index(database):
        return True
    try:
        with _reading(database) as connection:
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
    with suppress(OSError):
        for one in _files_of(file, list(file.parent.iterdir())):
            _delete(one, deleted)


def _delete(file: Path, deleted: list[str]) -> None:
    with suppress(OSError):
        file.unlink()
        deleted.append(file.name)

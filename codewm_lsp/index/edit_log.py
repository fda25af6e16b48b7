"""The log of a repository's edits under one model: what is stored of each commit, and the arrays made of it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.errors import IndexStoreError
from codewm_lsp.history import UNAVAILABLE, CommitEdits
from codewm_lsp.index import earlier, reading, sweeping
from codewm_lsp.index.arrays import EditArrays, Stale, listing_of, sane
from codewm_lsp.index.matrix import Matrix
from codewm_lsp.index.reading import Source
from codewm_lsp.index.store import (
    LOG,
    VECTORS,
    Damaged,
    Database,
    Identity,
    WriterLock,
    beside,
    explained,
    is_damage,
    is_unwritable,
    set_aside,
    to_sql,
)
from codewm_lsp.index.writing import LoggedCommit, entries, generation_of, insert

_Answer = TypeVar("_Answer")


class EditLog:
    """The edits of one repository under one model, in a file, or in memory where ``path`` is None.

    One process writes at a time (``acquire_writer``), any number read, also while it grows. Threads may share it. A
    file that turns out to be broken, now or at any later moment, is set aside and begun anew; ``notices`` says so.
    """

    def __init__(self, identity: Identity, path: Path | None, *, copied: Path | None = None) -> None:
        """``copied``: the file that a log in memory begins with, which is only read.

        Raises ``Damaged``, ``sqlite3.Error`` or ``OSError`` where that cannot be used.
        """
        self.path = path
        self._copied = copied
        self.notices: list[str] = []
        """What went wrong and was put right when the log was opened or used, one sentence each; also logged once."""
        self._identity = identity
        self._lock = threading.RLock()  # guards the arrays
        self._database = self._opened()
        self._writer_lock = WriterLock(path)
        self._unavailable: set[str] = set()
        self._arrays = self._new_arrays("")
        self._version: object = None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def notice(self, text: str) -> None:
        """Note, and log, what went wrong."""
        self.notices.append(text)
        LOG.warning("%s", text)

    def take_over(self, old: Path) -> None:
        """Go on with the edits of a log that an earlier version made, if there is one; then delete it."""
        if not sweeping.is_index(old) or not self.acquire_writer():
            return
        before = self.size()
        try:
            try:
                for batch in earlier.batches(old, self._identity):
                    self.store(batch)
                settled = earlier.settled(old)
            except (Damaged, sqlite3.Error) as error:
                if isinstance(error, sqlite3.OperationalError) and not is_damage(error):
                    return  # busy: the next one will
                self.notice(
                    f"The index {old} of an earlier version was damaged ({error}). What is missing is indexed again."
                )
                settled = None
            if settled is not None:
                self.settle(*settled)
            if sweeping.delete_index(old):
                taken = self.size() - before
                self.notice(
                    f"Moved {taken:,} edits from the index of an earlier version, {old}, to {self.path}, and "
                    "deleted the old file."
                )
        finally:
            self.release_writer()

    # What is stored

    @property
    def edit_size(self) -> int:
        """Numbers in a vector."""
        return self._identity.edit_size

    def size(self) -> int:
        """How many edits there are."""
        return self.ask(len)

    def known(self) -> set[str]:
        """Shas of the commits that are done, those without edits and skipped ones included."""
        return self.ask(lambda arrays: arrays.known | self._unavailable)

    def unavailable(self) -> frozenset[str]:
        """Shas of the commits that could not be looked into; the next process tries them again."""
        return frozenset(self._unavailable)

    def settled(self, repository: int | None = None) -> tuple[str, int] | None:
        """The last commit noted by ``settle``, and how many commits it reaches, itself included."""

        def read(arrays: EditArrays) -> tuple[str, int] | None:
            with self._database.reading() as connection:
                row = connection.execute("SELECT value FROM meta WHERE key = ?", (_settled(repository),)).fetchone()
            sha, _, count = row[0].partition(" ") if row else ("", "", "")
            return (sha, int(count)) if row else None

        return self.ask(read)

    def repositories(self) -> dict[int, Source]:
        """The repositories of an index of several, by number."""
        return self.ask(lambda arrays: self.read(reading.sources))

    def entries(self) -> list[LoggedCommit]:
        """Everything that is stored, to be put into another index (``store``) without being embedded again."""
        return self.ask(lambda arrays: self.read(lambda connection: list(entries(connection, arrays.matrix))))

    # Writing

    def acquire_writer(self) -> bool:
        """Take the right to index, at once or not at all. ``release_writer`` or the process's end gives it back."""
        return self._writer_lock.acquire()

    def release_writer(self) -> None:
        """Give the right to index back."""
        self._writer_lock.release()

    def add(self, batch: Sequence[tuple[CommitEdits, NDArray[np.float32]]], *, repository: int | None = None) -> None:
        """Store commits with the vectors (edits, edit_size) of their edits: all of the batch, or nothing.

        ``repository``: its number in an index of several (see ``register``). A commit that is there already is left as
        it is. One that could not be looked into (beyond the end of a shallow history, objects missing) is passed over
        and counts as known in this process only. Raises ``IndexStoreError`` when the disk is full or the file is
        locked.
        """
        for commit_edits, vectors in batch:
            if vectors.shape != (len(commit_edits.edits), self._identity.edit_size):
                raise ValueError(f"vectors of shape {vectors.shape} for {len(commit_edits.edits)} edits")
        with self._lock:
            self._unavailable.update(item.commit.sha for item, _ in batch if item.skipped in UNAVAILABLE)
            self._refresh()  # a file that was deleted meanwhile is made anew before it is written to
        self.store(
            [LoggedCommit.of(item, vectors, repository) for item, vectors in batch if item.skipped not in UNAVAILABLE]
        )

    def store(self, commits: Sequence[LoggedCommit]) -> None:
        """Store commits as they are stored elsewhere; see ``add``."""

        def write(connection: sqlite3.Connection) -> None:
            generation = generation_of(connection)
            own = generation == self._arrays.generation
            insert(connection, self._arrays.matrix if own else self._matrix(generation), commits)

        self._write(write)
        self._seal()

    def settle(self, sha: str, count: int, repository: int | None = None) -> None:
        """Note that every commit ``sha`` reaches is done, so that the next update need not walk over them."""
        row = (_settled(repository), f"{sha} {count}")
        self._write(lambda connection: connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", row))
        self._seal()

    def register(self, source: Source) -> int:
        """The number of a repository in an index of several; its name is the one given last."""

        def write(connection: sqlite3.Connection) -> int:
            connection.execute(
                "INSERT INTO repositories (key, name) VALUES (?, ?) "
                "ON CONFLICT (key) DO UPDATE SET name = excluded.name",
                (source.key, to_sql(source.name)),
            )
            row = connection.execute("SELECT id FROM repositories WHERE key = ?", (source.key,)).fetchone()
            return int(row[0])

        return self._write(write)

    def _write(self, action: Callable[[sqlite3.Connection], _Answer]) -> _Answer:
        def write() -> _Answer:
            with self._database.writing() as connection:
                return action(connection)

        return self._guarded(write)

    def _seal(self) -> None:
        """Make a segment of the newest edits when they are many."""
        with self._lock:
            self._refresh()
            if not self._arrays.ripe():
                return
            merge, generation = self._arrays.merge(), self._arrays.generation
        segment = merge.segment()  # not under the lock: searching goes on
        if self.path is None:
            with self._lock:
                self._arrays.keep(segment, merge.kept)
            return
        path = beside(self.path, generation, f"{segment.first_row}-{segment.rows.stop}.segment")
        try:
            segment.save(path, generation)
        except OSError as error:
            LOG.warning(
                "A segment of the index %s cannot be written (%s). Searching is slower without it.", self.path, error
            )
            return

        def publish(connection: sqlite3.Connection) -> bool:
            if generation_of(connection) != generation or listing_of(connection) != merge.listing:
                return False
            connection.execute("DELETE FROM parts WHERE first_row >= ?", (segment.first_row,))
            numbers = (segment.first_row, len(segment), segment.first_commit, len(segment.sizes))
            row = (path.name, *numbers, segment.first_place, len(segment.places))
            connection.execute("INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            return True

        if self._write(publish):
            for name, first, *_ in merge.listing:
                if first >= segment.first_row and name != path.name:
                    with suppress(OSError):  # still mapped, where the system minds: swept up later
                        path.with_name(name).unlink()

    # Reading

    def ask(self, question: Callable[[EditArrays], _Answer]) -> _Answer:
        """The answer to a question about the arrays as they are now, which do not change meanwhile.

        It is asked again of a new file where the one it was asked of turns out to be broken.
        """

        def answer() -> _Answer:
            with self._lock:
                self._load()
                with sane():
                    found = question(self._arrays)
                if self._arrays.are_large:  # what is done with the answer needs memory, too
                    self._arrays.let_go(for_long=False)
                return found

        return self._guarded(answer)

    def read(self, question: Callable[[sqlite3.Connection], _Answer]) -> _Answer:
        """What a question to ``ask`` reads in the tables."""
        with self._database.reading() as connection:
            return question(connection)

    def let_go(self, *, for_long: bool = True) -> None:
        """Let go of what was read of the files that are mapped; see ``EditArrays.let_go``."""
        with self._lock:
            self._arrays.let_go(for_long=for_long)

    @property
    def is_huge(self) -> bool:
        """Whether a part of its files is held mapped until there is a pause."""
        return self._arrays.are_huge

    def version(self) -> object:
        """Equal to what it was before as long as nothing was stored."""
        return self.ask(lambda arrays: (arrays.generation, len(arrays), self._version))

    # Keeping up with the file

    def _new_arrays(self, generation: str) -> EditArrays:
        return EditArrays(self._matrix(generation), None if self.path is None else self.path.parent, generation)

    def _matrix(self, generation: str) -> Matrix:
        path = beside(self.path, generation, VECTORS) if self.path is not None and generation else None
        copied = beside(self._copied, generation, VECTORS) if self._copied is not None and generation else None
        return Matrix(path, self._identity.edit_size, generation, copied=copied)

    def _refresh(self) -> None:
        """Bring the arrays up to what is in the file, whoever wrote it."""
        self._guarded(self._load)

    def _load(self) -> None:
        if self._database.replaced():
            self._forget()
            self._database.close()
            self._database = self._opened_again()
        if not self._arrays.is_whole():
            self._forget()
        version = self._database.version()
        if version == self._version:
            return
        for patient in (True, True, False):
            try:
                with self._database.reading() as connection:
                    generation = generation_of(connection)
                    if generation != self._arrays.generation:
                        self._arrays = self._new_arrays(generation)
                    self._arrays.load(connection, patient=patient)
                break
            except Stale:
                self._forget()
            except BaseException:
                self._forget()
                raise
        self._version = version

    def _forget(self) -> None:
        self._arrays = self._new_arrays("")
        self._version = None

    def _opened(self) -> Database:
        try:
            return Database(self.path, self._identity, self._copied)
        except Damaged as error:
            if self.path is None:
                raise
            reason = str(error)
        except sqlite3.DatabaseError as error:
            if self.path is None or not is_damage(error):
                raise
            reason = str(error)
        self._rename(reason)
        return Database(self.path, self._identity)

    def _opened_again(self) -> Database:
        """``_opened``, while the log is in use: where its folder went away for good, it goes on in memory."""
        try:
            return self._opened()
        except OSError as error:
            reason = error.strerror or str(error)
        except sqlite3.OperationalError as error:
            if not is_unwritable(error):
                raise
            reason = str(error)
        self.notice(
            f"The index {self.path} was removed and cannot be created again ({reason}). It is kept in memory from "
            "now on. Make its folder writable, then restart."
        )
        self.path = None
        self._writer_lock.forget_file()
        self._forget()
        return Database(None, self._identity)

    def _guarded(self, action: Callable[[], _Answer]) -> _Answer:
        """Run what touches the file; when that turns out to be broken, set it aside, begin a new one and try again."""
        for attempt in (1, 2):
            try:
                return action()
            except OSError as error:
                raise explained(error, self.path) from error
            except (Damaged, sqlite3.DatabaseError) as error:
                if attempt == 1 and isinstance(error, sqlite3.ProgrammingError):
                    continue  # another thread has just opened the file anew
                damaged = isinstance(error, Damaged) or is_damage(error)
                if attempt == 2 or not damaged or self.path is None:
                    if isinstance(error, sqlite3.Error):
                        raise explained(error, self.path) from error
                    raise IndexStoreError(f"The index {self.path} cannot be used: {error}. Delete it.") from error
                with self._lock:
                    self._set_aside(str(error))
        raise AssertionError("two attempts end in an answer or an error")

    def _set_aside(self, reason: str) -> None:
        replaced = self._database.replaced()  # another process was quicker
        self._forget()
        self._database.close()
        if not replaced:
            self._rename(reason)
        self._database = self._opened_again()

    def _rename(self, reason: str) -> None:
        assert self.path is not None
        aside = set_aside(self.path)
        self.notice(f"The index {self.path} was damaged ({reason}). It was renamed to {aside.name} and is rebuilt.")


def _settled(repository: int | None) -> str:
    return "settled" if repository is None else f"settled {repository}"

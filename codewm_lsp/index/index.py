"""The index of one repository's edits: what is stored, and the questions it answers."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Container, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Concatenate, Final, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.errors import IndexStoreError
from codewm_lsp.folders import NO_FOLDER, cache_folder
from codewm_lsp.history import LAST_DATE, Commit, CommitEdits, Edit, EditKind
from codewm_lsp.index import earlier, sweeping
from codewm_lsp.index.blend import Blend, Scores
from codewm_lsp.index.dismissals import Dismissal, Dismissals, Scope
from codewm_lsp.index.matrix import Matrix
from codewm_lsp.index.memory import Memory, Query, SearchRange, Stale, listing_of, sane
from codewm_lsp.index.statistics import History
from codewm_lsp.index.store import (
    LOG,
    VECTORS,
    Damaged,
    Database,
    Identity,
    WriterLock,
    beside,
    explained,
    from_sql,
    is_damage,
    set_aside,
    to_sql,
)
from codewm_lsp.index.whitening import Whitening, sample
from codewm_lsp.index.words import counts, place_words, terms, words_of_edit
from codewm_lsp.index.writing import Entry, entries, generation_of, insert
from codewm_lsp.source import VOCABULARY_HASH, DefinitionKind

LIKE: Final = 0.8
"""Cosine of two edit vectors from which one is "like" the other for a dismissal."""

_UNAVAILABLE: Final = frozenset({"shallow", "missing"})  # reasons to skip a commit that may go away by themselves
_VERIFIED: Final = 1000  # rows of an answer whose checksums are looked at
_ROWS_AT_ONCE: Final = 500  # ids in one statement
_LAST_LINE: Final = 1 << 31
_Answer = TypeVar("_Answer")
_Asked = ParamSpec("_Asked")


def _mended(question: Callable[Concatenate[Index, _Asked], _Answer]) -> Callable[Concatenate[Index, _Asked], _Answer]:
    """A question that is asked again of a new index when the file turns out to be broken."""

    @wraps(question)
    def ask(index: Index, /, *arguments: _Asked.args, **options: _Asked.kwargs) -> _Answer:
        return index._guarded(lambda: question(index, *arguments, **options))

    return ask


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


@dataclass(frozen=True, slots=True)
class Hit:
    """A past edit with its score and the three parts of it (before their weights), each at most 1."""

    edit: PastEdit
    score: float
    meaning: float
    words: float
    path: float


class Index:
    """The edits of one repository under one model, in a file of the cache folder; see ``open``.

    One process indexes at a time (``writer``), any number read, also while it grows. Threads may share an ``Index``.
    Close it, or use it as a context manager.
    """

    def __init__(self, identity: Identity, path: Path | None, blend: Blend) -> None:
        self.path = path
        self.blend = blend
        self.notices: list[str] = []
        """What went wrong and was put right when the index was opened or used, one sentence each; also logged once."""
        self._identity = identity
        self._lock = threading.RLock()  # guards the arrays
        self._database = self._opened()
        self._writer_lock = WriterLock(path)
        self._dismissals = Dismissals(None if path is None else path.parent / "dismissed.sqlite3")
        self._unavailable: set[str] = set()
        self._memory = self._new_memory("")
        self._version: object = None
        self._hidden: tuple[object, NDArray[np.int64]] | None = None
        self._history: tuple[SearchRange, History] | None = None
        self._whitening: tuple[str, NDArray[np.int64], Whitening] | None = None
        self._places: list[tuple[str, str]] = []
        self._renames: tuple[object, list[tuple[int, str, str]]] | None = None

    def _new_memory(self, generation: str) -> Memory:
        return Memory(self._matrix(generation), None if self.path is None else self.path.parent, generation)

    def _matrix(self, generation: str) -> Matrix:
        path = beside(self.path, generation, VECTORS) if self.path is not None and generation else None
        return Matrix(path, self._identity.edit_size, generation)

    @classmethod
    def open(
        cls,
        repository_key: str,
        model_hash: str,
        *,
        folder: Path | None = None,
        edit_size: int,
        blend: Blend | None = None,
    ) -> Index:
        """Open the index of a repository under a model, making it where there is none.

        ``folder``: the cache folder (default: the user's, for this program). Where it cannot be written, the index is
        kept in memory, and ``notices`` says so; a broken or foreign file is set aside and begun anew, likewise. Raises
        ``IndexStoreError`` when the file is locked for good or the disk is full.
        """
        identity = Identity(repository_key, model_hash, VOCABULARY_HASH, edit_size)
        folder = folder or cache_folder()
        if folder is None:
            index = cls(identity, None, blend or Blend())
            index._notice(
                f"The index is kept in memory and made again at every start, because {NO_FOLDER}. Or name a folder in "
                "CODEWM_CACHE."
            )
            return index
        path = folder / identity.file_name()
        reason: str
        try:
            index = cls(identity, path, blend or Blend())
            index._take_over(folder / identity.file_name(earlier.LAYOUT))
            sweeping.sweep(path)
            return index
        except sqlite3.OperationalError as error:
            if not any(sign in str(error) for sign in ("readonly", "unable to open")):
                raise explained(error, path) from error
            reason = str(error)
        except OSError as error:
            reason = error.strerror or str(error)
        index = cls(identity, None, blend or Blend())
        index._notice(
            f"The cache folder {folder} cannot be written ({reason}): the index is kept in memory and made again at "
            "every start. Make the folder writable for you, or choose another one."
        )
        return index

    def _take_over(self, old: Path) -> None:
        """Go on with the edits of an index that an earlier version made, if there is one; then delete it."""
        if not old.exists() or not self.acquire_writer():
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
                self._notice(
                    f"The index {old} of an earlier version was broken ({error}): what is missing is made again."
                )
                settled = None
            if settled is not None:
                self.settle(*settled)
            if sweeping.delete_index(old):
                taken = self.size() - before
                self._notice(
                    f"An earlier version of CodeWM made the index {old}: its {taken:,} edits were taken over into "
                    f"{self.path}, and the old file was deleted."
                )
        finally:
            self.release_writer()

    def _notice(self, text: str) -> None:
        self.notices.append(text)
        LOG.warning("%s", text)

    def _opened(self) -> Database:
        try:
            return Database(self.path, self._identity)
        except Damaged as error:
            reason = str(error)
        except sqlite3.DatabaseError as error:
            if self.path is None or not is_damage(error):
                raise
            reason = str(error)
        assert self.path is not None
        aside = set_aside(self.path)
        self._notice(f"The index {self.path} was broken ({reason}). It is kept as {aside.name} and made anew.")
        return Database(self.path, self._identity)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def __enter__(self) -> Index:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def state(self) -> object:
        """Equal to what it was before as long as the same questions have the same answers."""
        with self._lock:
            self._refresh()
            return self._dismissals.all(), self._memory.generation, len(self._memory), self._version

    # What is stored

    def known(self) -> set[str]:
        """Shas of the commits that are done, those without edits and skipped ones included."""
        with self._lock:
            self._refresh()
            return self._memory.known | self._unavailable

    @property
    def edit_size(self) -> int:
        """Numbers in a vector."""
        return self._identity.edit_size

    def unavailable(self) -> frozenset[str]:
        """Shas of the commits that could not be looked into; the next process tries them again."""
        return frozenset(self._unavailable)

    def settled(self, repository: int | None = None) -> tuple[str, int] | None:
        """The last commit noted by ``settle``, and how many commits it reaches, itself included."""

        def read() -> tuple[str, int] | None:
            with self._database.reading() as connection:
                row = connection.execute("SELECT value FROM meta WHERE key = ?", (_settled(repository),)).fetchone()
            sha, _, count = row[0].partition(" ") if row else ("", "", "")
            return (sha, int(count)) if row else None

        with self._lock:
            self._refresh()
            return self._guarded(read)

    def settle(self, sha: str, count: int, repository: int | None = None) -> None:
        """Note that every commit ``sha`` reaches is done, so that the next update need not walk over them."""

        def write() -> None:
            with self._database.writing() as connection:
                row = (_settled(repository), f"{sha} {count}")
                connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", row)

        self._guarded(write)
        self._seal()

    def size(self) -> int:
        """How many edits there are."""
        with self._lock:
            self._refresh()
            return len(self._memory)

    def add(self, batch: Sequence[tuple[CommitEdits, NDArray[np.float32]]], *, repository: int | None = None) -> None:
        """Store commits with the vectors (edits, edit_size) of their edits: all of the batch, or nothing.

        ``repository``: its number in an index of several (see ``register``). A commit that is there already is left as
        it is. One that could not be looked into (beyond the end of a shallow
        history, objects missing) is passed over and counts as known in this process only. Raises ``IndexStoreError``
        when the disk is full or the file is locked.
        """
        for commit_edits, vectors in batch:
            if vectors.shape != (len(commit_edits.edits), self._identity.edit_size):
                raise ValueError(f"vectors of shape {vectors.shape} for {len(commit_edits.edits)} edits")
        with self._lock:
            self._unavailable.update(item.commit.sha for item, _ in batch if item.skipped in _UNAVAILABLE)
            self._refresh()  # a file that was deleted meanwhile is made anew before it is written to
        self.store([Entry.of(item, vectors, repository) for item, vectors in batch if item.skipped not in _UNAVAILABLE])

    def store(self, commits: Sequence[Entry]) -> None:
        """Store commits as they are stored elsewhere; see ``add``."""

        def write() -> None:
            with self._database.writing() as connection:
                insert(connection, self._matrix_of(connection), commits)

        self._guarded(write)
        self._seal()

    def _matrix_of(self, connection: sqlite3.Connection) -> Matrix:
        generation = generation_of(connection)
        return self._memory.matrix if generation == self._memory.generation else self._matrix(generation)

    def _seal(self) -> None:
        """Make a part of the newest edits when they are many."""
        with self._lock:
            self._refresh()
            if not self._memory.ripe():
                return
            plan, generation = self._memory.plan(), self._memory.generation
        part = plan.part()  # not under the lock: searching goes on
        if self.path is None:
            with self._lock:
                self._memory.keep(part, plan.kept)
            return
        path = beside(self.path, generation, f"{part.first_row}-{part.rows.stop}.part")
        try:
            part.save(path, generation)
        except OSError as error:
            LOG.warning("A part of the index %s cannot be written (%s): searching is slower", self.path, error)
            return

        def publish() -> bool:
            with self._database.writing() as connection:
                if generation_of(connection) != generation or listing_of(connection) != plan.listing:
                    return False
                connection.execute("DELETE FROM parts WHERE first_row >= ?", (part.first_row,))
                numbers = (part.first_row, len(part), part.first_commit, len(part.sizes))
                row = (path.name, *numbers, part.first_place, len(part.places))
                connection.execute("INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?, ?, ?)", row)
                return True

        if self._guarded(publish):
            for name, first, *_ in plan.listing:
                if first >= part.first_row and name != path.name:
                    with suppress(OSError):  # still mapped, where the system minds: swept up later
                        path.with_name(name).unlink()

    def register(self, source: Source) -> int:
        """The number of a repository in an index of several; its name is the one given last."""

        def write() -> int:
            with self._database.writing() as connection:
                connection.execute(
                    "INSERT INTO repositories (key, name) VALUES (?, ?) "
                    "ON CONFLICT (key) DO UPDATE SET name = excluded.name",
                    (source.key, to_sql(source.name)),
                )
                row = connection.execute("SELECT id FROM repositories WHERE key = ?", (source.key,)).fetchone()
                return int(row[0])

        return self._guarded(write)

    @_mended
    def repositories(self) -> dict[int, Source]:
        """The repositories of an index of several, by number."""
        with sane(), self._database.reading() as connection:
            rows = connection.execute("SELECT id, key, name FROM repositories ORDER BY id").fetchall()
            return {number: Source(key, from_sql(name)) for number, key, name in rows}

    def acquire_writer(self) -> bool:
        """Take the right to index, at once or not at all. ``release_writer`` or the process's end gives it back."""
        return self._writer_lock.acquire()

    def release_writer(self) -> None:
        """Give the right to index back."""
        self._writer_lock.release()

    @_mended
    @_mended
    def entries(self) -> list[Entry]:
        """Everything that is stored, to be put into another index (``store``) without being embedded again."""
        with self._lock:
            self._refresh()
            with self._database.reading() as connection, sane():
                return list(entries(connection, self._memory.matrix))

    # Questions

    def scores(self, edit: Edit, vector: NDArray[np.float32], *, within: Container[str] | None = None) -> Scores:
        """The parts of the score of every edit of the index, computed exactly.

        ``within`` is the collection that words are weighed in; edits outside of it get scores too.
        """
        with self._lock:
            self._refresh()
            with sane():
                asked = self._memory.range(within)
                return self._memory.scores(self._query(edit, vector, asked), asked)

    def _query(self, edit: Edit, vector: NDArray[np.float32], asked: SearchRange) -> Query:
        if vector.shape != (self._identity.edit_size,):
            raise ValueError(f"a vector of shape {vector.shape} asked of {self._identity.edit_size} numbers")
        words = words_of_edit(edit)
        place = place_words(edit.path, edit.definition)
        with self._database.reading() as connection:
            return Query(
                vector=self._whitened(np.ascontiguousarray(vector, dtype=np.float32), asked),
                words=self._memory.terms(connection, terms(words), counts(words)),
                place=self._memory.terms(connection, terms(place), counts(place)),
            )

    def _whitened(self, vector: NDArray[np.float32], asked: SearchRange) -> NDArray[np.float32]:
        """An edit vector in the measure of the edits that are in range."""
        inside = None if asked.inside is None else np.flatnonzero(asked.inside)
        rows = sample(len(self._memory) if inside is None else len(inside))
        if not len(rows):
            return vector
        rows = rows if inside is None else inside[rows]
        generation, kept = self._memory.generation, self._whitening
        if kept is None or kept[0] != generation or not np.array_equal(kept[1], rows):
            with sane():
                kept = self._whitening = generation, rows, Whitening.of(self._memory.matrix.floats(rows))
        return kept[2].query(vector)

    @_mended
    def search(
        self,
        edit: Edit,
        vector: NDArray[np.float32],
        *,
        k: int,
        within: Container[str] | None = None,
        exclude_definition: tuple[str, str] | None = None,
    ) -> list[Hit]:
        """The ``k`` past edits most like ``edit``, best first (0: all of them).

        ``vector``: its embedding, (edit_size,). ``within``: the commits allowed. ``exclude_definition``: (path,
        definition) whose own edits are left out, under the older paths of the file too. What was dismissed is left out.
        """
        with self._lock:
            self._refresh()
            if not len(self._memory):
                return []
            with sane():
                asked = self._memory.range(within)
                query = self._query(edit, vector, asked)
                rows, scores = self._memory.best(query, k, self.blend, asked, self._allowed(asked, exclude_definition))
                self._memory.matrix.verify(rows[:_VERIFIED])
            blended, words = scores.blended(self.blend), scores.words(self.blend)
            edits = self._past_edits([row + 1 for row in rows.tolist()])
            return [
                Hit(
                    past,
                    float(blended[at]),
                    min(1.0, float(scores.meaning[at])),
                    float(words[at]),
                    float(scores.place[at]),
                )
                for at, past in enumerate(edits)
            ]

    @_mended
    def nearest(
        self,
        vectors: NDArray[np.float32],
        *,
        k: int,
        within: Container[str] | None = None,
        exclude_definition: tuple[str, str] | None = None,
    ) -> list[list[Hit]]:
        """For each of (Q, edit_size) unit vectors the ``k`` past edits nearest to it, best first.

        For predicted edits, which have no words: the score is the cosine alone. Many queries cost little more than one.
        """
        with self._lock:
            self._refresh()
            if not len(self._memory):
                return [[] for _ in vectors]
            with sane():
                allowed = self._allowed(self._memory.range(within), exclude_definition)
                chosen = self._memory.nearest(np.asarray(vectors, dtype=np.float32), k, allowed)
                found_rows = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *(rows for rows, _ in chosen)]))
                self._memory.matrix.verify(found_rows[:_VERIFIED])
            found = {edit.id: edit for edit in self._past_edits((found_rows + 1).tolist())}
            return [
                [
                    Hit(found[row + 1], product, product, 0.0, 0.0)
                    for row, product in zip(rows.tolist(), products.tolist(), strict=True)
                ]
                for rows, products in chosen
            ]

    @_mended
    def history(self, within: Container[str] | None = None) -> History:
        """The counts of the commits in range. The last answer is kept."""
        with self._lock:
            self._refresh()
            return self._history_of(self._memory.range(within))

    def _history_of(self, asked: SearchRange) -> History:
        if self._history is None or self._history[0] is not asked:
            self._history = (asked, self._count(asked.commits))
        return self._history[1]

    def _count(self, commits: NDArray[np.bool_]) -> History:
        memory = self._memory
        chosen = np.flatnonzero(commits)
        # Newest first; of commits of the same second the one indexed first, since indexing goes backwards.
        order = chosen[np.lexsort((chosen, -memory.dates.values[chosen]))].tolist()
        positions = {row: position for position, row in enumerate(order)}
        with sane(), self._database.reading() as connection:
            if len(self._places) < memory.place_count:
                query = "SELECT path, definition FROM places WHERE id > ? ORDER BY id"
                self._places.extend(
                    (from_sql(path), from_sql(definition))
                    for path, definition in connection.execute(query, (len(self._places),))
                )
        renames = [(positions[row], old, new) for row, old, new in self._all_renames() if row in positions]
        return History.of([memory.rows_of(row) for row in order], self._places, memory.place_of.values, renames)

    def _allowed(self, asked: SearchRange, exclude_definition: tuple[str, str] | None) -> NDArray[np.bool_] | None:
        """The edits that may be shown; None: all of them."""
        hidden = self._dismissed_rows()
        if exclude_definition is not None:
            hidden = np.concatenate([hidden, self._own_rows(asked, *exclude_definition)])
        if asked.inside is None and not len(hidden):
            return None
        allowed = np.ones(len(self._memory), dtype=np.bool_) if asked.inside is None else asked.inside.copy()
        allowed[hidden] = False
        return allowed

    def _own_rows(self, asked: SearchRange, path: str, definition: str) -> NDArray[np.int64]:
        """The edits of a definition, under the older paths of its file too."""
        memory = self._memory
        names = {path}
        renames = [row for row in self._all_renames() if asked.commits[row[0]]]
        while grown := {old for _, old, new in renames if new in names} - names:
            names |= grown
        dates = memory.dates.values
        # Newest first, as in ``_count``: what a rename says holds for the commits before it.
        steps = sorted((row for row in renames if row[1] in names), key=lambda row: (-int(dates[row[0]]), row[0]))
        newest: dict[str, str] = {}
        spans: dict[str, list[tuple[int, bool]]] = {name: [(-1, name == path)] for name in names}
        for commit, old, new in steps:
            newest[old] = newest.get(new, new)
            spans[old].append((commit, newest[old] == path))
        found: list[NDArray[np.int64]] = [np.zeros(0, dtype=np.int64)]
        with self._database.reading() as connection:
            for name in names:
                place = (to_sql(name), to_sql(definition))
                row = connection.execute("SELECT id FROM places WHERE path = ? AND definition = ?", place).fetchone()
                if row is None:
                    continue
                rows = np.flatnonzero(memory.place_of.values == row[0] - 1)
                if len(spans[name]) == 1:
                    found.append(rows[:] if spans[name][0][1] else rows[:0])
                    continue
                for edit in rows.tolist():
                    commit = int(memory.commit_of.values[edit])
                    own = (-int(dates[commit]), commit)
                    said = [says for at, says in spans[name] if at < 0 or (-int(dates[at]), at) < own]
                    if said[-1]:
                        found.append(np.array([edit], dtype=np.int64))
        return np.concatenate(found)

    def _all_renames(self) -> list[tuple[int, str, str]]:
        """Row of the commit, old and new path of every rename."""
        if self._renames is None or self._renames[0] != self._version:
            with sane(), self._database.reading() as connection:
                size = len(self._memory.dates.values)
                renames = [
                    (commit - 1, from_sql(old), from_sql(new))
                    for commit, old, new in connection.execute("SELECT commit_id, old, new FROM renames ORDER BY rowid")
                    if 0 < commit <= size
                ]
            self._renames = (self._version, renames)
        return self._renames[1]

    def _rows_of_commits(self, shas: Iterable[str]) -> dict[str, int]:
        wanted = list(dict.fromkeys(shas))
        found: dict[str, int] = {}
        with sane(), self._database.reading() as connection:
            for begin in range(0, len(wanted), _ROWS_AT_ONCE):
                some = wanted[begin : begin + _ROWS_AT_ONCE]
                query = f"SELECT sha, id - 1 FROM commits WHERE sha IN ({','.join('?' * len(some))})"
                found.update(connection.execute(query, some).fetchall())
        return {sha: row for sha, row in found.items() if 0 <= row < len(self._memory.dates.values)}

    def _past_edits(self, ids: Sequence[int]) -> list[PastEdit]:
        """Edits by id, in the order of the ids."""
        found: dict[int, PastEdit] = {}
        commits: dict[int, Commit] = {}
        of_commit: dict[int, Source] = {}
        sources: dict[int, Source] = {}
        with sane(), self._database.reading() as connection:
            for begin in range(0, len(ids), _ROWS_AT_ONCE):
                some = ids[begin : begin + _ROWS_AT_ONCE]
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
                        sources = sources or self.repositories()
                        of_commit[commit_id] = sources[number]
                    commits[commit_id] = Commit(sha, from_sql(author), date, from_sql(subject), parent)
                for id_, commit_id, path, definition, definition_kind, kind, line in rows:
                    if not (isinstance(line, int) and 0 <= line <= _LAST_LINE):
                        raise ValueError(f"edit {id_} is on no line")
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
        with sane():
            return [found[id_] for id_ in ids]

    # Dismissals

    def dismiss_hint(self, key: str) -> Dismissal:
        """Remember that a hint of the caller's own making (such as a prediction) is unwanted."""
        dismissal = Dismissal(Scope.HINT, key)
        self._dismissals.add(dismissal)
        return dismissal

    def hide(self, dismissal: Dismissal) -> None:
        """Remember a dismissal that names its edit by commit, path and definition."""
        self._dismissals.add(dismissal)

    def restore(self, dismissal: Dismissal) -> None:
        """Take a dismissal back."""
        self._dismissals.remove(dismissal)

    def dismissed(self) -> frozenset[Dismissal]:
        """Everything dismissed in this repository, under any model."""
        return self._dismissals.all()

    def _dismissed_rows(self) -> NDArray[np.int64]:
        dismissed = frozenset(item for item in self._dismissals.all() if item.scope is not Scope.HINT)
        memory = self._memory
        key = (dismissed, len(memory), self._version)
        if self._hidden is not None and self._hidden[0] == key:
            return self._hidden[1]
        hidden = [np.zeros(0, dtype=np.int64)]
        alike: list[int] = []
        commits = self._rows_of_commits(item.sha for item in dismissed)
        for item in dismissed:
            if item.sha not in commits:
                continue
            rows = memory.rows_of(commits[item.sha])
            if item.scope is Scope.COMMIT:
                hidden.append(np.arange(rows.start, rows.stop))
                continue
            for past in self._past_edits([row + 1 for row in rows]):
                if (past.path, past.definition) == (item.path, item.definition):
                    hidden.append(np.array([past.id - 1]))
                    if item.scope is Scope.LIKE:
                        alike.append(past.id - 1)
        if alike:
            hidden.append(memory.at_least(memory.matrix.floats(np.array(alike, dtype=np.int64)), LIKE))
        result = np.unique(np.concatenate(hidden))
        self._hidden = (key, result)
        return result

    # Keeping up with the file

    def _refresh(self) -> None:
        """Bring the arrays up to what is in the file, whoever wrote it."""
        self._guarded(self._load)

    def _load(self) -> None:
        if self._database.replaced():
            self._reopen()
        version = self._database.version()
        if version == self._version:
            return
        for patient in (True, True, False):
            try:
                with self._database.reading() as connection:
                    generation = generation_of(connection)
                    if generation != self._memory.generation:
                        self._forget()
                        self._memory = self._new_memory(generation)
                    self._memory.load(connection, patient=patient)
                break
            except Stale:
                self._forget()
            except BaseException:
                self._forget()
                raise
        self._version = version

    def _forget(self) -> None:
        self._memory = self._new_memory("")
        self._version = self._hidden = self._history = self._renames = None
        self._places = []

    def _reopen(self) -> None:
        self._forget()
        self._database.close()
        self._database = self._opened()

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
        assert self.path is not None
        replaced = self._database.replaced()  # another process was quicker
        self._forget()
        self._database.close()
        if not replaced:
            aside = set_aside(self.path)
            self._notice(f"The index {self.path} was broken ({reason}). It is kept as {aside.name} and made anew.")
        self._database = self._opened()


def _settled(repository: int | None) -> str:
    return "settled" if repository is None else f"settled {repository}"

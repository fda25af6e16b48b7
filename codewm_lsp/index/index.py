"""The index of one repository's edits: what is stored, and the questions it answers."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Concatenate, Final, ParamSpec, TypeVar

import numpy as np
import platformdirs
from numpy.typing import NDArray

from codewm_lsp.errors import IndexStoreError
from codewm_lsp.history import Commit, CommitEdits, Edit, EditKind
from codewm_lsp.index.blend import Blend, Scores
from codewm_lsp.index.dismissals import Dismissal, Dismissals, Scope
from codewm_lsp.index.memory import Memory, Range, sane
from codewm_lsp.index.statistics import History
from codewm_lsp.index.store import (
    LOG,
    Damaged,
    Database,
    Identity,
    WriterLock,
    explained,
    from_sql,
    is_damage,
    set_aside,
    to_sql,
)
from codewm_lsp.index.vectors import quantise
from codewm_lsp.index.words import counts, place_words, terms, words_of_edit
from codewm_lsp.source import VOCABULARY_HASH, DefinitionKind

LIKE: Final = 0.8
"""Cosine of two edit vectors from which one is "like" the other for a dismissal."""

_UNAVAILABLE: Final = frozenset({"shallow", "missing"})  # reasons to skip a commit that may go away by themselves
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
class PastEdit:
    """An edit of the index. Its texts are not stored: ``Repository.edits_of(commit.sha)`` reads them again."""

    id: int
    commit: Commit
    path: str
    definition: str
    definition_kind: DefinitionKind
    kind: EditKind
    line: int


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
        self._memory = Memory(identity.edit_size)
        self._version: object = None
        self._hidden: tuple[object, NDArray[np.bool_]] | None = None
        self._history: tuple[Range, History] | None = None
        self._places: list[tuple[str, str]] = []

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
        folder = Path(platformdirs.user_cache_dir("codewm", appauthor=False)) if folder is None else folder
        path = folder / identity.file_name()
        reason: str
        try:
            return cls(identity, path, blend or Blend())
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

    def settled(self) -> tuple[str, int] | None:
        """The last commit noted by ``settle``, and how many commits it reaches, itself included."""

        def read() -> tuple[str, int] | None:
            with self._database.reading() as connection:
                row = connection.execute("SELECT value FROM meta WHERE key = 'settled'").fetchone()
            sha, _, count = row[0].partition(" ") if row else ("", "", "")
            return (sha, int(count)) if row else None

        with self._lock:
            self._refresh()
            return self._guarded(read)

    def settle(self, sha: str, count: int) -> None:
        """Note that every commit ``sha`` reaches is done, so that the next update need not walk over them."""

        def write() -> None:
            with self._database.writing() as connection:
                connection.execute("INSERT OR REPLACE INTO meta VALUES ('settled', ?)", (f"{sha} {count}",))

        self._guarded(write)

    def size(self) -> int:
        """How many edits there are."""
        with self._lock:
            self._refresh()
            return len(self._memory)

    def add(self, batch: Sequence[tuple[CommitEdits, NDArray[np.float32]]]) -> None:
        """Store commits with the vectors (edits, edit_size) of their edits: all of the batch, or nothing.

        A commit that is there already is left as it is. One that could not be looked into (beyond the end of a shallow
        history, objects missing) is passed over and counts as known in this process only. Raises ``IndexStoreError``
        when the disk is full or the file is locked.
        """
        for commit_edits, vectors in batch:
            if vectors.shape != (len(commit_edits.edits), self._identity.edit_size):
                raise ValueError(f"vectors of shape {vectors.shape} for {len(commit_edits.edits)} edits")
        with self._lock:
            self._unavailable.update(item.commit.sha for item, _ in batch if item.skipped in _UNAVAILABLE)
            self._refresh()  # a file that was deleted meanwhile is made anew before it is written to
        payloads = [
            (item, _Payload.of(item.edits, vectors)) for item, vectors in batch if item.skipped not in _UNAVAILABLE
        ]

        def write() -> None:
            with self._database.writing() as connection:
                for item, payload in payloads:
                    _insert(connection, item, payload)

        self._guarded(write)

    def clear(self) -> None:
        """Forget every edit, to index again from scratch. What was dismissed stays dismissed."""

        def write() -> None:
            with self._database.writing() as connection:
                for table in ("payloads", "renames", "edits", "places", "commits"):
                    connection.execute(f"DELETE FROM {table}")
                connection.execute("DELETE FROM meta WHERE key = 'settled'")
                connection.execute("UPDATE meta SET value = hex(randomblob(8)) WHERE key = 'generation'")

        self._guarded(write)

    def acquire_writer(self) -> bool:
        """Take the right to index, at once or not at all. ``release_writer`` or the process's end gives it back."""
        return self._writer_lock.acquire()

    def release_writer(self) -> None:
        """Give the right to index back."""
        self._writer_lock.release()

    # Questions

    def scores(self, edit: Edit, vector: NDArray[np.float32], *, within: Container[str] | None = None) -> Scores:
        """The parts of the score of every edit of the index, computed exactly.

        ``within`` is the collection that words are weighed in; edits outside of it get scores too.
        """
        with self._lock:
            self._refresh()
            return self._scores(edit, vector, self._memory.range(within))

    def _scores(self, edit: Edit, vector: NDArray[np.float32], asked: Range) -> Scores:
        memory = self._memory
        words = words_of_edit(edit)
        signed, unsigned = asked.words.cosines(terms(words), counts(words))
        place = place_words(edit.path, edit.definition)
        _, near = asked.places.cosines(terms(place), counts(place))
        return Scores(
            meaning=memory.vectors.products(np.asarray(vector, dtype=np.float32).reshape(1, -1))[0],
            signed=signed,
            unsigned=unsigned,
            place=near[memory.place_of.values] if len(memory) else near[:0],
        )

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
            asked = self._memory.range(within)
            scores = self._scores(edit, vector, asked)
            blended = scores.blended(self.blend)
            words = scores.words(self.blend)
            allowed = self._allowed(asked, exclude_definition)
            rows = _best(blended, allowed, k)
            edits = self._past_edits([row + 1 for row in rows.tolist()])
            return [
                Hit(
                    past,
                    float(blended[row]),
                    float(scores.meaning[row]),
                    float(words[row]),
                    float(scores.place[row]),
                )
                for past, row in zip(edits, rows.tolist(), strict=True)
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
            products = self._memory.vectors.products(np.asarray(vectors, dtype=np.float32))
            allowed = self._allowed(self._memory.range(within), exclude_definition)
            chosen = [_best(row, allowed, k) for row in products]
            found = {edit.id: edit for edit in self._past_edits(sorted({int(r) + 1 for rows in chosen for r in rows}))}
            return [
                [Hit(found[int(r) + 1], float(row[r]), float(row[r]), 0.0, 0.0) for r in rows]
                for row, rows in zip(products, chosen, strict=True)
            ]

    @_mended
    def past_edits(
        self,
        *,
        path: str | None = None,
        definition: str | None = None,
        within: Container[str] | None = None,
        limit: int | None = None,
    ) -> list[PastEdit]:
        """Edits of the past, newest first: of a file, of one of its definitions, or all. Renames are followed."""
        with self._lock:
            history = self.history(within)
            ids = history.edits(path, definition)
            return self._past_edits(ids if limit is None else ids[:limit])

    @_mended
    def edits_of_commits(self, shas: Iterable[str]) -> list[PastEdit]:
        """The edits of the given commits, in the order of the commits; commits that are not there have none."""
        with self._lock:
            self._refresh()
            rows = {sha: row for row, sha in enumerate(self._memory.shas)}
            ids = [row + 1 for sha in shas if sha in rows for row in self._memory.rows_of(rows[sha])]
            return self._past_edits(ids)

    def vectors(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """The embeddings of edits by id, (len(ids), edit_size), to a precision of 1/127 of the largest number."""
        with self._lock:
            self._refresh()
            return self._memory.vectors[np.asarray(ids, dtype=np.int64) - 1]

    @_mended
    def history(self, within: Container[str] | None = None) -> History:
        """The counts of the commits in range. The last answer is kept."""
        with self._lock:
            self._refresh()
            return self._history_of(self._memory.range(within))

    def _history_of(self, asked: Range) -> History:
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
            renames = [
                (positions[commit - 1], from_sql(old), from_sql(new))
                for commit, old, new in connection.execute("SELECT commit_id, old, new FROM renames")
                if commit - 1 in positions
            ]
        dates = memory.dates.values
        return History(
            [(int(dates[row]), memory.rows_of(row)) for row in order], self._places, memory.place_of.values, renames
        )

    def _allowed(self, asked: Range, exclude_definition: tuple[str, str] | None) -> NDArray[np.bool_]:
        allowed = asked.inside & ~self._dismissed_rows()
        if exclude_definition is not None:
            own = np.array(self._history_of(asked).edits(*exclude_definition), dtype=np.int64) - 1
            allowed[own] = False
        return allowed

    def _past_edits(self, ids: Sequence[int]) -> list[PastEdit]:
        """Edits by id, in the order of the ids."""
        found: dict[int, PastEdit] = {}
        commits: dict[int, Commit] = {}
        with sane(), self._database.reading() as connection:
            for begin in range(0, len(ids), _ROWS_AT_ONCE):
                some = ids[begin : begin + _ROWS_AT_ONCE]
                query = f"""
                    SELECT e.id, e.commit_id, p.path, p.definition, e.definition_kind, e.kind, e.line
                    FROM edits e JOIN places p ON p.id = e.place WHERE e.id IN ({",".join("?" * len(some))})"""
                rows = connection.execute(query, some).fetchall()
                missing = sorted({row[1] for row in rows} - commits.keys())
                query = f"""
                    SELECT id, sha, author, date, subject, parent FROM commits
                    WHERE id IN ({",".join("?" * len(missing))})"""
                for commit_id, sha, author, date, subject, parent in connection.execute(query, missing):
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
                    )
        with sane():
            return [found[id_] for id_ in ids]

    # Dismissals

    def dismiss(self, edit: PastEdit, *, scope: Scope = Scope.EDIT) -> Dismissal:
        """Hide a past edit from now on; with ``Scope.LIKE`` also those like it, with ``Scope.COMMIT`` its commit's."""
        if scope is Scope.COMMIT:
            dismissal = Dismissal(scope, edit.commit.sha)
        else:
            dismissal = Dismissal(scope, edit.commit.sha, edit.path, edit.definition)
        self._dismissals.add(dismissal)
        return dismissal

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

    def _dismissed_rows(self) -> NDArray[np.bool_]:
        dismissed = frozenset(item for item in self._dismissals.all() if item.scope is not Scope.HINT)
        memory = self._memory
        key = (dismissed, len(memory), self._version)
        if self._hidden is not None and self._hidden[0] == key:
            return self._hidden[1]
        hidden = np.zeros(len(memory), dtype=np.bool_)
        if dismissed:
            commits = {sha: row for row, sha in enumerate(memory.shas)}
            alike: list[int] = []
            for item in dismissed:
                if item.sha not in commits:
                    continue
                rows = memory.rows_of(commits[item.sha])
                if item.scope is Scope.COMMIT:
                    hidden[rows.start : rows.stop] = True
                    continue
                for past in self._past_edits([row + 1 for row in rows]):
                    if (past.path, past.definition) == (item.path, item.definition):
                        hidden[past.id - 1] = True
                        if item.scope is Scope.LIKE:
                            alike.append(past.id - 1)
            if alike:
                queries = memory.vectors[np.array(alike, dtype=np.int64)]
                hidden |= (memory.vectors.products(queries) >= LIKE).any(axis=0)
        self._hidden = (key, hidden)
        return hidden

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
        with self._database.reading() as connection:
            (generation,) = connection.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()
            if generation != self._memory.generation:
                self._forget()
                self._memory.generation = generation
            try:
                self._memory.load(connection)
            except BaseException:
                self._forget()
                raise
        self._version = version

    def _forget(self) -> None:
        self._memory = Memory(self._identity.edit_size)
        self._version = self._hidden = self._history = None
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


@dataclass(frozen=True, slots=True)
class _Payload:
    """The edits of a commit, packed: numbers little-endian, one after the other."""

    vectors: bytes
    scales: bytes
    lengths: bytes
    terms: bytes
    counts: bytes

    @staticmethod
    def of(edits: Sequence[Edit], vectors: NDArray[np.float32]) -> _Payload:
        words = [words_of_edit(edit) for edit in edits]
        rows, scales = quantise(vectors)
        return _Payload(
            vectors=rows.tobytes(),
            scales=scales.astype("<f4").tobytes(),
            lengths=np.array([len(word) for word in words], dtype="<u4").tobytes(),
            terms=b"".join(terms(word).astype("<u8").tobytes() for word in words),
            counts=b"".join(counts(word).tobytes() for word in words),
        )


def _insert(connection: sqlite3.Connection, item: CommitEdits, payload: _Payload) -> None:
    commit = item.commit
    (commit_id,) = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM commits").fetchone()
    added = connection.execute(
        "INSERT OR IGNORE INTO commits VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            commit_id,
            commit.sha,
            commit.parent,
            to_sql(commit.author),
            commit.date,
            to_sql(commit.subject),
            item.skipped,
            len(item.edits),
        ),
    )
    if not added.rowcount:
        return
    for old, new in item.renames:
        connection.execute("INSERT INTO renames VALUES (?, ?, ?)", (commit_id, to_sql(old), to_sql(new)))
    if not item.edits:
        return
    (edit_id,) = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM edits").fetchone()
    places: list[int] = []
    for edit in item.edits:
        place = (to_sql(edit.path), to_sql(edit.definition))
        found = connection.execute("SELECT id FROM places WHERE path = ? AND definition = ?", place).fetchone()
        if found is None:
            (new_id,) = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM places").fetchone()
            connection.execute("INSERT INTO places VALUES (?, ?, ?)", (new_id, *place))
            found = (new_id,)
        places.append(found[0])
    connection.executemany(
        "INSERT INTO edits VALUES (?, ?, ?, ?, ?, ?)",
        [
            (edit_id + offset, commit_id, place, edit.definition_kind.value, edit.kind.value, edit.line)
            for offset, (edit, place) in enumerate(zip(item.edits, places, strict=True))
        ],
    )
    connection.execute(
        "INSERT INTO payloads VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            commit_id,
            np.array(places, dtype="<i4").tobytes(),
            payload.vectors,
            payload.scales,
            payload.lengths,
            payload.terms,
            payload.counts,
        ),
    )


def _best(scores: NDArray[np.float32], allowed: NDArray[np.bool_], k: int) -> NDArray[np.int64]:
    """Rows of the ``k`` best scores (0: all) among those allowed, best first; of equal ones the one indexed first."""
    rows = np.flatnonzero(allowed)
    if 0 < k < len(rows):
        own = scores[rows]
        threshold = np.partition(own, len(own) - k)[len(own) - k]
        rows = rows[own >= threshold]
    order = np.argsort(-scores[rows], kind="stable")
    return rows[order][:k] if k else rows[order]

"""The index of one repository's edits: the questions it answers."""

from __future__ import annotations

import sqlite3
from collections.abc import Container, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.distinct import distinct
from codewm_lsp.errors import IndexStoreError
from codewm_lsp.folders import NO_FOLDER, cache_folder
from codewm_lsp.history import Edit, EditKind, NewestPaths, Repository
from codewm_lsp.index import earlier, related, search, sweeping
from codewm_lsp.index.arrays import EditArrays, SearchRange
from codewm_lsp.index.blend import Blend, Scores
from codewm_lsp.index.commit_ranking import learnt_commits
from codewm_lsp.index.dismissals import Dismissals, Scope, adopt
from codewm_lsp.index.edit_log import EditLog
from codewm_lsp.index.edit_words import MAX_COUNT, counts, place_words, terms, words_of_edit
from codewm_lsp.index.expectation import expected
from codewm_lsp.index.overlap import Overlap
from codewm_lsp.index.reading import PastEdit, commit_rows, names_of_places, past_edits, places_and_kinds, same_name
from codewm_lsp.index.related import AskedPlace, CurrentEdit, KnownPlace, Related, Window, by_term
from codewm_lsp.index.reranker import CONSIDERED, PlaceParts, following, learnt, relations
from codewm_lsp.index.search import Query
from codewm_lsp.index.statistics import History
from codewm_lsp.index.store import DISMISSED, MEASURE, Damaged, Identity, explained, is_unwritable, to_sql
from codewm_lsp.index.text_search import FieldWeights, TextIndex
from codewm_lsp.index.whitening import Whitening, sample
from codewm_lsp.records import dataclass
from codewm_lsp.source import VOCABULARY_HASH, tokenize, word_counts

LIKE: Final = 0.8
"""Cosine of two edit vectors from which one is "like" the other for a dismissal."""

_HOW: Final = "CODEWM_CACHE, or --cache on the command line"
_PLACES: Final = 20_000  # that are kept in memory, taken apart
FEW_WORDS: Final = 10  # that an edit changed of which others may differ in their values alone
_OWN: Final = 200  # newest edits of a definition that are looked at for what an edit of it repeats
_REPEATED: Final = 6  # of these that are read
_SOON_READ: Final = 60  # edits of a commit
_MOVED: Final = 0.5  # share of its words with which a definition is the same elsewhere, as with files in Git
_VERIFIED: Final = 1000  # rows of an answer whose checksums are looked at


@dataclass(frozen=True, slots=True)
class Hit:
    """A past edit with its score, and three parts of it (before they are put together), each at most 1.

    ``score``: how likely it is that the past edit fits (``reranker``). ``overlap``: what both changed alike, of the
    first ones of an answer.
    """

    edit: PastEdit
    score: float
    meaning: float
    words: float
    path: float
    overlap: Overlap | None = None


@dataclass(frozen=True, slots=True)
class PredictedPlace:
    """A definition that may be edited next: where it is, its text, and the edit predicted for it, (edit_size,)."""

    path: str
    definition: str
    text: str
    predicted: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Ranked:
    """Rows of past edits, best first, with their chances and the parts of their scores."""

    rows: NDArray[np.int64]
    chances: NDArray[np.float64]
    scores: Scores
    query: Query
    asked: SearchRange


class Index:
    """The edits of one repository under one model, in a file of the cache folder; see ``open``.

    ``log`` is what is filled, ``dismissals`` what is not to be shown. Threads may share an ``Index``. Close it, or use
    it as a context manager.
    """

    def __init__(self, log: EditLog, dismissals: Dismissals, blend: Blend) -> None:
        self.log = log
        self.dismissals = dismissals
        self.blend = blend
        self.reranker = learnt().reranker
        if learnt().problem:
            log.notice(learnt().problem)
        if learnt_commits().problem:
            log.notice(learnt_commits().problem)
        self.unkept = ""
        """Why what is indexed is kept in memory only, and what to do about it; "" where it is not."""
        self._hidden: tuple[object, NDArray[np.int64]] = (None, np.zeros(0, dtype=np.int64))
        self._places: tuple[str, dict[int, PlaceParts]] = ("", {})  # of this generation, by number
        self._history: tuple[SearchRange, History] | None = None
        self._text: TextIndex | None = None
        self._whitening: tuple[EditArrays, NDArray[np.int64], Whitening] | None = None
        self._window: tuple[SearchRange, NDArray[np.int64], Window] | None = None

    @classmethod
    def of(cls, repository: Repository, model_hash: str, *, folder: Path | None = None, edit_size: int) -> Index:
        """Open the index of this repository, by whatever path it is reached; see ``open``."""
        return cls.open(
            repository.key,
            model_hash,
            folder=folder,
            edit_size=edit_size,
            former=repository.path_key,
            shared=repository.address_key or "",
        )

    @classmethod
    def open(
        cls,
        repository_key: str,
        model_hash: str,
        *,
        folder: Path | None = None,
        edit_size: int,
        blend: Blend | None = None,
        former: str = "",
        shared: str = "",
    ) -> Index:
        """Open the index of a repository under a model, making it where there is none.

        ``folder``: the cache folder (default: the user's, for this program). Where it cannot be written, the index is
        kept in memory, beginning with what can be read there, and ``notices`` says so; a broken or foreign file is set
        aside and begun anew, likewise.
        ``former``: what this clone of the repository may have been called; ``shared``: what others may have been, too.
        See ``adopt``. Raises ``IndexStoreError`` when the
        file is locked for good or the disk is full.
        """
        identity = Identity(repository_key, model_hash, VOCABULARY_HASH, edit_size, former)
        blend = blend or Blend()
        folder = folder or cache_folder()
        if folder is None:
            return cls._in_memory(identity, blend, f"{NO_FOLDER}. You can also choose a folder ({_HOW}).")
        path = folder / identity.file_name()
        reason: str
        try:
            dismissals = Dismissals(path.parent / DISMISSED)
            adopt(folder, identity, dismissals, shared)
            log = EditLog(identity, path)
            log.take_over(folder / identity.file_name(earlier.LAYOUT))
            sweeping.sweep(path)
            return cls(log, dismissals, blend)
        except sqlite3.OperationalError as error:
            if not is_unwritable(error):
                raise explained(error, path) from error
            reason = str(error)
        except OSError as error:
            reason = error.strerror or str(error)
        why = (
            f"the cache folder {folder} cannot be written ({reason}). Make it writable, or choose another one ({_HOW})."
        )
        try:
            log = EditLog(identity, None, copied=path)
            log.size()  # its vectors are there, too
        except (Damaged, IndexStoreError, sqlite3.Error, OSError):
            return cls._in_memory(identity, blend, why)
        log.notice(f"The index is read, but what is new is kept in memory only, because {why}")
        found = cls(log, Dismissals.copied(path.parent / DISMISSED), blend)
        found.unkept = why
        return found

    @classmethod
    def _in_memory(cls, identity: Identity, blend: Blend, why: str) -> Index:
        log = EditLog(identity, None)
        log.notice(f"The index is kept in memory and rebuilt at every start, because {why}")
        found = cls(log, Dismissals(None), blend)
        found.unkept = why
        return found

    @property
    def path(self) -> Path | None:
        """The file; None where the index is kept in memory."""
        return self.log.path

    @property
    def notices(self) -> list[str]:
        """What went wrong and was put right when the index was opened or used, one sentence each; also logged once."""
        return self.log.notices

    def let_go(self, *, for_long: bool = True) -> None:
        """Let go of what was read of the files that are mapped: there is nothing to be answered for a while, or
        (not ``for_long``) for now, when a huge index holds its sketches."""
        self.log.let_go(for_long=for_long)

    def close(self) -> None:
        """Close the file."""
        self.log.close()

    def __enter__(self) -> Index:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def state(self) -> object:
        """Equal to what it was before as long as the same questions have the same answers."""
        return self.dismissals.all(), self.log.version()

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
        self._require(vector)
        said = words_of_edit(edit), place_words(edit.path, edit.definition)

        def answer(arrays: EditArrays) -> list[Hit]:
            if not len(arrays):
                return []
            found = self._ranked(arrays, edit, said, vector, k, within, exclude_definition)
            arrays.matrix.verify(found.rows[:_VERIFIED])
            return self._hits(arrays, found)

        return self.log.ask(answer)

    def find(self, text: str, *, k: int, within: Container[str] | None = None) -> list[tuple[PastEdit, float]]:
        """The ``k`` past edits that these words describe best, best first (0: all), with their scores.

        They are looked for in subjects, paths, names and changed words; see ``text_search``. What was dismissed is left
        out.
        """

        def answer(arrays: EditArrays) -> list[tuple[PastEdit, float]]:
            if not len(arrays):
                return []
            asked = arrays.range(within)
            index = self._text_index(arrays)
            scores = self.log.read(lambda connection: index.scores(connection, text, asked.commits))
            found = index.best(scores, self._allowed(arrays, asked, None), k)
            edits = self.log.read(partial(past_edits, ids=(found.rows + 1).tolist()))
            return list(zip(edits, found.scores.tolist(), strict=True))

        return self.log.ask(answer)

    def text_scores(self, text: str, weights: FieldWeights) -> NDArray[np.float64]:
        """The score by ``find`` of every edit of the index, (N,), under these weights."""

        def answer(arrays: EditArrays) -> NDArray[np.float64]:
            every = np.ones(len(arrays.dates.values), dtype=np.bool_)
            index = self._text_index(arrays)
            return self.log.read(lambda connection: index.scores(connection, text, every, weights=weights))

        return self.log.ask(answer)

    def text_relations(self, text: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What ``find`` weighs of each commit of the index for a text, and their shapes: (C, relations), (C, shape)."""

        def answer(arrays: EditArrays) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            every = np.ones(len(arrays.dates.values), dtype=np.bool_)
            index = self._text_index(arrays)
            return self.log.read(lambda connection: index.relations(connection, text, every))

        return self.log.ask(answer)

    def _text_index(self, arrays: EditArrays) -> TextIndex:
        if self._text is None or not self._text.is_of(arrays):
            self._text = self.log.read(partial(TextIndex, arrays))
        return self._text

    def nearest(
        self,
        vectors: NDArray[np.float32],
        *,
        k: int,
        within: Container[str] | None = None,
    ) -> list[list[Hit]]:
        """For each of (Q, edit_size) unit vectors the ``k`` past edits nearest to it, best first.

        For predicted edits, which have no words: the score is the cosine alone. Many queries cost little more than one.
        """
        self._require(vectors, len(vectors))

        def answer(arrays: EditArrays) -> list[list[Hit]]:
            if not len(arrays):
                return [[] for _ in vectors]
            allowed = self._allowed(arrays, arrays.range(within), None)
            chosen = search.nearest(arrays, np.asarray(vectors, dtype=np.float32), k, allowed)
            rows = distinct(np.concatenate([np.zeros(0, dtype=np.int64), *(rows for rows, _ in chosen)]))
            arrays.matrix.verify(rows[:_VERIFIED])
            edits = self.log.read(partial(past_edits, ids=(rows + 1).tolist()))
            found = dict(zip(rows.tolist(), edits, strict=True))
            return [
                [
                    Hit(found[row], product, product, 0.0, 0.0)
                    for row, product in zip(rows.tolist(), products.tolist(), strict=True)
                ]
                for rows, products in chosen
            ]

        return self.log.ask(answer)

    def edits_of_definition(
        self, path: str, definition: str, *, within: Container[str] | None = None
    ) -> list[PastEdit]:
        """The edits of one definition, newest first, under the older paths of its file too."""

        def answer(arrays: EditArrays) -> list[PastEdit]:
            if not len(arrays):
                return []
            asked = arrays.range(within)
            rows = self._own_rows(arrays, asked, path, definition)
            rows = rows if asked.inside is None else rows[asked.inside[rows]]
            dates = arrays.dates.values[arrays.commit_of.values[rows]]
            ids = (rows[np.lexsort((rows, -dates))] + 1).tolist()
            return self.log.read(partial(past_edits, ids=ids))

        return self.log.ask(answer)

    def possibly_repeated(
        self, edit: Edit, path: str, definition: str, *, within: Container[str] | None = None
    ) -> list[PastEdit]:
        """Those edits of a definition that one of it may repeat or take back, newest first: they changed the same
        words, or both changed few. Of the newest and of commits that are soon read.
        """
        said = words_of_edit(edit)

        def answer(arrays: EditArrays) -> list[PastEdit]:
            if not len(arrays) or not said:
                return []
            asked = arrays.range(within)
            rows = self._own_rows(arrays, asked, path, definition)
            allowed = self._allowed(arrays, asked, None)
            rows = self._soon_read(arrays, rows if allowed is None else rows[allowed[rows]])[:_OWN]
            numbers = self.log.read(lambda connection: arrays.terms(connection, terms(said), counts(said))).numbers
            own = dict(zip(numbers.tolist(), said.values(), strict=True))
            undone = {number: -count for number, count in own.items()}
            few = len(said) <= FEW_WORDS
            chosen = [
                row
                for row, words in zip(rows.tolist(), search.words_of(arrays, rows), strict=True)
                if words and ((few and len(words) <= FEW_WORDS) or words in (own, undone))
            ]
            return self.log.read(partial(past_edits, ids=[row + 1 for row in chosen[:_REPEATED]]))

        return self.log.ask(answer)

    def own_edits(
        self,
        edit: Edit,
        vector: NDArray[np.float32],
        *,
        k: int,
        within: Container[str] | None = None,
    ) -> list[Hit]:
        """The ``k`` newest edits that modified the definition of ``edit``, of commits that are soon read, newest first.

        Their scores are those of other definitions' edits, which alone the re-ranker was taught on.
        """
        self._require(vector)
        said = words_of_edit(edit), place_words(edit.path, edit.definition)

        def answer(arrays: EditArrays) -> list[Hit]:
            if not len(arrays) or not said[0]:
                return []
            asked = arrays.range(within)
            rows = self._own_rows(arrays, asked, edit.path, edit.definition)
            allowed = self._allowed(arrays, asked, None)
            rows = self._soon_read(arrays, rows if allowed is None else rows[allowed[rows]])[:_OWN]
            edits = self.log.read(partial(past_edits, ids=(rows + 1).tolist()))
            modified = np.array([past.kind is EditKind.MODIFIED for past in edits], dtype=np.bool_)
            rows = rows[modified][:k]
            if not len(rows):
                return []
            query = self._query(arrays, *said, vector, asked)
            found = search.scores(arrays, query, asked, rows)
            relations = self._relations(arrays, edit, len(said[0]), query, asked, rows, found)
            chances = 1 / (1 + np.exp(-self.reranker.odds(relations)))
            return self._hits(arrays, _Ranked(rows, chances, found, query, asked))

        return self.log.ask(answer)

    def soon_read(self, edits: Sequence[PastEdit]) -> list[PastEdit]:
        """Those of them whose commits are soon read, as they changed little else."""
        sizes = self.log.ask(lambda arrays: np.diff(np.append(arrays.first_rows.values, len(arrays))))
        rows = self.log.ask(lambda arrays: arrays.commit_of.values[[edit.row for edit in edits]])
        return [edit for edit, row in zip(edits, rows.tolist(), strict=True) if sizes[row] <= _SOON_READ]

    def moved(self, edits: Sequence[PastEdit]) -> set[int]:
        """The ids of those by which a definition only went elsewhere: in the same commit one of its name came, or went,
        with half of the words or more."""

        def is_moved(arrays: EditArrays, edit: PastEdit) -> bool:
            other = EditKind.ADDED if edit.kind is EditKind.REMOVED else EditKind.REMOVED
            own = arrays.rows_of(int(arrays.commit_of.values[edit.row]))
            rows = self.log.read(partial(same_name, rows=own, definition=edit.definition, kind=other))
            if not rows:
                return False
            words, *others = search.words_of(arrays, np.array([edit.row, *rows], dtype=np.int64))
            return any(_shared_words(words, other) >= _MOVED for other in others)

        changed = [edit for edit in edits if edit.kind is not EditKind.MODIFIED]
        return self.log.ask(lambda arrays: {edit.id for edit in changed if is_moved(arrays, edit)})

    def _hits(self, arrays: EditArrays, ranked: _Ranked) -> list[Hit]:
        alike = search.overlaps(arrays, ranked.query, ranked.asked, ranked.rows[:CONSIDERED])
        words = ranked.scores.words(self.blend)
        edits = self.log.read(partial(past_edits, ids=(ranked.rows + 1).tolist()))
        return [
            Hit(
                past,
                float(ranked.chances[at]),
                min(1.0, float(ranked.scores.meaning[at])),
                float(words[at]),
                float(ranked.scores.place[at]),
                alike[at] if at < len(alike) else None,
            )
            for at, past in enumerate(edits)
        ]

    def _soon_read(self, arrays: EditArrays, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of commits that are soon read, newest first."""
        commits = arrays.commit_of.values[rows]
        sizes = np.diff(np.append(arrays.first_rows.values, len(arrays)))[commits]
        order = np.lexsort((rows, -arrays.dates.values[commits]))
        return rows[order[sizes[order] <= _SOON_READ]]

    def related(
        self,
        edit: Edit,
        vector: NDArray[np.float32],
        places: Sequence[PredictedPlace],
        *,
        editing: Sequence[tuple[str, str]],
        within: Container[str] | None = None,
    ) -> list[Related]:
        """For each place the past edits that may stand behind it, and how they are related to it and to ``edit``.

        ``vector``: the embedding of ``edit``. ``editing``: (path, definition) of all that is being edited. What was
        dismissed is left out.
        """
        self._require(vector)

        def answer(arrays: EditArrays) -> list[Related]:
            asked = arrays.range(within)
            window = self._newest(arrays, asked)
            commits = [arrays.commit_of.values[self._own_rows(arrays, asked, *one)].astype(np.int64) for one in editing]
            asked_edit = CurrentEdit(
                words=self._by_term(arrays, words_of_edit(edit), asked.words),
                name=self._by_term(arrays, place_words(edit.path, edit.definition), asked.places),
                vector=vector,
                whitened=self._whitened(arrays, vector, asked),
                commits=commits,
            )
            predicted = np.array([place.predicted for place in places], np.float32).reshape(-1, len(vector))
            asked_places = [
                AskedPlace(
                    known=window.known(
                        (place.path, place.definition, place.text),
                        partial(self._known_place, arrays, asked, window, place),
                    ),
                    predicted=prediction,
                    whitened=self._whitened(arrays, prediction, asked),
                )
                for place, prediction in zip(places, self._expected(arrays, asked, predicted, vector), strict=True)
            ]
            return related.relate(window, asked_edit, asked_places, self.blend)

        return self.log.ask(answer)

    def expected(
        self,
        predicted: NDArray[np.float32],
        vector: NDArray[np.float32],
        within: Container[str] | None = None,
    ) -> NDArray[np.float32]:
        """What to expect where the model predicts (n, D) after the edit of ``vector``, (D,): see ``expectation``."""
        self._require(vector)

        def answer(arrays: EditArrays) -> NDArray[np.float32]:
            return self._expected(arrays, arrays.range(within), predicted, vector)

        return self.log.ask(answer)

    def _expected(
        self, arrays: EditArrays, asked: SearchRange, predicted: NDArray[np.float32], vector: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        measure = self._measure(arrays, asked)
        return expected(predicted, vector, None if measure is None else measure.mean)

    def _known_place(self, arrays: EditArrays, asked: SearchRange, window: Window, place: PredictedPlace) -> KnownPlace:
        words = {word: min(count, MAX_COUNT) for word, count in word_counts(tokenize(place.text).leaves).items()}
        return KnownPlace.of(
            window,
            text=self._by_term(arrays, words, asked.words),
            name=self._by_term(arrays, place_words(place.path, place.definition), asked.places),
            words=len(words),
            own=self._own_rows(arrays, asked, place.path, place.definition),
        )

    def newest(self, within: Container[str] | None = None) -> NDArray[np.int64]:
        """Rows of the edits of the commits in range, (E,), in the order of the events of ``history``."""

        def answer(arrays: EditArrays) -> NDArray[np.int64]:
            rows = map(arrays.rows_of, _order(arrays, arrays.range(within).commits))
            return np.fromiter(chain.from_iterable(rows), dtype=np.int64)

        return self.log.ask(answer)

    def vectors(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The embeddings of past edits by row, (rows, edit_size)."""
        return self.log.ask(lambda arrays: arrays.matrix.floats(rows))

    def edits(self, rows: Sequence[int]) -> list[PastEdit]:
        """Past edits by row."""

        def answer(arrays: EditArrays) -> list[PastEdit]:
            arrays.matrix.verify(np.array(rows[:_VERIFIED], dtype=np.int64))
            return self.log.read(partial(past_edits, ids=[row + 1 for row in rows]))

        return self.log.ask(answer)

    def scores(self, edit: Edit, vector: NDArray[np.float32], *, within: Container[str] | None = None) -> Scores:
        """The parts of the score of every edit of the index, computed exactly.

        ``within`` is the collection that words are weighed in; edits outside of it get scores too.
        """
        self._require(vector)
        said = words_of_edit(edit), place_words(edit.path, edit.definition)

        def answer(arrays: EditArrays) -> Scores:
            asked = arrays.range(within)
            return search.scores(arrays, self._query(arrays, *said, vector, asked), asked)

        return self.log.ask(answer)

    def chances(
        self, edit: Edit, vector: NDArray[np.float32], *, exclude_definition: tuple[str, str] | None = None
    ) -> NDArray[np.float64]:
        """The score by ``search`` of every edit of the index, (N,); -1 for those that it leaves out."""
        self._require(vector)
        said = words_of_edit(edit), place_words(edit.path, edit.definition)

        def answer(arrays: EditArrays) -> NDArray[np.float64]:
            found = self._ranked(arrays, edit, said, vector, 0, None, exclude_definition)
            chances = np.full(len(arrays), -1.0)
            chances[found.rows] = found.chances
            return chances

        return self.log.ask(answer)

    def compared(
        self, edit: Edit, vector: NDArray[np.float32], *, exclude_definition: tuple[str, str] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rows of the past edits that ``search`` ranks anew, and their relations to ``edit``: (n,), (n, R)."""
        self._require(vector)
        said = words_of_edit(edit), place_words(edit.path, edit.definition)

        def answer(arrays: EditArrays) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
            asked = arrays.range(None)
            query = self._query(arrays, *said, vector, asked)
            allowed = self._allowed(arrays, asked, exclude_definition)
            rows, scores = search.best(arrays, query, CONSIDERED, self.blend, asked, allowed)
            return rows, self._relations(arrays, edit, len(said[0]), query, asked, rows, scores)

        return self.log.ask(answer)

    def history(self, within: Container[str] | None = None) -> History:
        """The counts of the commits in range. The last answer is kept."""

        def answer(arrays: EditArrays) -> History:
            asked = arrays.range(within)
            if self._history is None or self._history[0] is not asked:
                self._history = (asked, self._count(arrays, asked))
            return self._history[1]

        return self.log.ask(answer)

    def _ranked(
        self,
        arrays: EditArrays,
        edit: Edit,
        said: tuple[Mapping[str, int], Mapping[str, int]],
        vector: NDArray[np.float32],
        k: int,
        within: Container[str] | None,
        exclude_definition: tuple[str, str] | None,
    ) -> _Ranked:
        """The ``k`` likeliest past edits (0: all). Those that are not considered follow in the order of the blend."""
        asked = arrays.range(within)
        query = self._query(arrays, *said, vector, asked)
        allowed = self._allowed(arrays, asked, exclude_definition)
        rows, scores = search.best(arrays, query, max(k, CONSIDERED) if k else 0, self.blend, asked, allowed)
        first = rows[:CONSIDERED]
        odds = self.reranker.for_edit(edit, self.blend).odds(
            self._relations(arrays, edit, len(said[0]), query, asked, first, scores.at(slice(CONSIDERED)))
        )
        chances = following(odds, scores.blended(self.blend))
        dates = arrays.dates.values[arrays.commit_of.values[first]]
        order = np.concatenate([np.lexsort((first, -dates, -odds)), np.arange(len(first), len(rows))])
        order = order[:k] if k else order
        return _Ranked(rows[order], chances[order], scores.at(order), query, asked)

    def _relations(
        self,
        arrays: EditArrays,
        edit: Edit,
        words: int,
        query: Query,
        asked: SearchRange,
        rows: NDArray[np.int64],
        scores: Scores,
    ) -> NDArray[np.float32]:
        past = self.log.read(partial(places_and_kinds, ids=(rows + 1).tolist()))
        if self._places[0] != arrays.generation or len(self._places[1]) > _PLACES:
            self._places = arrays.generation, {}
        known = self._places[1]
        missing = {place for place, _ in past} - known.keys()
        if missing:
            names = self.log.read(partial(names_of_places, numbers=sorted(missing)))
            known.update((place, PlaceParts.of(*name)) for place, name in names.items())
        places, kinds = [known[place] for place, _ in past], [kind for _, kind in past]
        return relations(edit, words, scores, search.compared(arrays, query, asked, rows), places, kinds)

    def _require(self, vectors: NDArray[np.float32], *rows: int) -> None:
        """What is asked is looked at before it is asked: whatever fails after that, it is for what the files hold."""
        if vectors.shape != (*rows, self.log.edit_size):
            raise ValueError(f"vectors of shape {vectors.shape} asked of {self.log.edit_size} numbers")

    def _query(
        self,
        arrays: EditArrays,
        words: Mapping[str, int],
        place: Mapping[str, int],
        vector: NDArray[np.float32],
        asked: SearchRange,
    ) -> Query:
        looked_up = self._whitened(arrays, np.ascontiguousarray(vector, dtype=np.float32), asked)
        return self.log.read(
            lambda connection: Query(
                vector=looked_up,
                words=arrays.terms(connection, terms(words), counts(words)),
                place=arrays.terms(connection, terms(place), counts(place)),
            )
        )

    def _by_term(self, arrays: EditArrays, words: Mapping[str, int], idf: NDArray[np.float32]) -> NDArray[np.float32]:
        found = self.log.read(lambda connection: arrays.terms(connection, terms(words), counts(words)))
        return by_term(found, idf)

    def _newest(self, arrays: EditArrays, asked: SearchRange) -> Window:
        """The newest edits in range that were not dismissed. The last answer is kept."""
        hidden = self._dismissed_rows(arrays)
        kept = self._window
        if kept is None or kept[0] is not asked or kept[1] is not hidden:
            allowed = self._allowed(arrays, asked, None)
            kept = self._window = asked, hidden, Window.of(arrays, asked, allowed)
        return kept[2]

    def _whitened(self, arrays: EditArrays, vector: NDArray[np.float32], asked: SearchRange) -> NDArray[np.float32]:
        """An edit vector in the measure of the edits that are in range."""
        measure = self._measure(arrays, asked)
        return vector if measure is None else measure.query(vector)

    def _measure(self, arrays: EditArrays, asked: SearchRange) -> Whitening | None:
        """The measure of the edits that are in range; None where they are too few or too many for one."""
        inside = None if asked.inside is None else np.flatnonzero(asked.inside)
        rows = sample(len(arrays) if inside is None else len(inside))
        if not len(rows):
            return None
        rows = rows if inside is None else inside[rows]
        kept = self._whitening
        if kept is None or kept[0] is not arrays or not np.array_equal(kept[1], rows):
            file = None if self.log.path is None else self.log.path.with_name(MEASURE)
            key = arrays.generation.encode() + rows.astype("<i8").tobytes()
            kept = self._whitening = arrays, rows, Whitening.kept(file, key, lambda: arrays.matrix.floats(rows))
        return kept[2]

    def _count(self, arrays: EditArrays, asked: SearchRange) -> History:
        order = _order(arrays, asked.commits)
        positions = {row: position for position, row in enumerate(order)}
        places, renames = self.log.read(lambda connection: (arrays.places(connection), arrays.renames(connection)))
        return History.of(
            [arrays.rows_of(row) for row in order],
            places,
            arrays.place_of.values,
            [(positions[row], old, new) for row, old, new in renames if row in positions],
        )

    def _allowed(
        self, arrays: EditArrays, asked: SearchRange, exclude_definition: tuple[str, str] | None
    ) -> NDArray[np.bool_] | None:
        """The edits that may be shown; None: all of them."""
        hidden = self._dismissed_rows(arrays)
        if exclude_definition is not None:
            hidden = np.concatenate([hidden, self._own_rows(arrays, asked, *exclude_definition)])
        if asked.inside is None and not len(hidden):
            return None
        allowed = np.ones(len(arrays), dtype=np.bool_) if asked.inside is None else asked.inside.copy()
        allowed[hidden] = False
        return allowed

    def _own_rows(self, arrays: EditArrays, asked: SearchRange, path: str, definition: str) -> NDArray[np.int64]:
        """The edits of a definition, under the older paths of its file too."""
        names = {path}
        renames = [row for row in self.log.read(arrays.renames) if asked.commits[row[0]]]
        while grown := {old for _, old, new in renames if new in names} - names:
            names |= grown
        dates = arrays.dates.values
        # Newest first, as in ``_count``: what a rename says holds for the commits before it.
        steps = sorted((row for row in renames if row[1] in names), key=lambda row: (-int(dates[row[0]]), row[0]))
        paths = NewestPaths()
        spans: dict[str, list[tuple[int, bool]]] = {name: [(-1, name == path)] for name in names}
        for commit, old, new in steps:
            paths.add([(old, new)])
            spans[old].append((commit, paths.of(old) == path))
        found: list[NDArray[np.int64]] = [np.zeros(0, dtype=np.int64)]
        for name, place in self.log.read(lambda connection: _places_of(connection, names, definition)):
            rows = np.flatnonzero(arrays.place_of.values == place - 1)
            if len(spans[name]) == 1:
                found.append(rows[:] if spans[name][0][1] else rows[:0])
                continue
            for edit in rows.tolist():
                commit = int(arrays.commit_of.values[edit])
                own = (-int(dates[commit]), commit)
                said = [says for at, says in spans[name] if at < 0 or (-int(dates[at]), at) < own]
                if said[-1]:
                    found.append(np.array([edit], dtype=np.int64))
        return np.concatenate(found)

    def _dismissed_rows(self, arrays: EditArrays) -> NDArray[np.int64]:
        dismissed = frozenset(item for item in self.dismissals.all() if item.scope is not Scope.HINT)
        size = len(arrays.dates.values)
        key = (dismissed, arrays.generation, size)
        if self._hidden[0] == key:
            return self._hidden[1]
        hidden = [np.zeros(0, dtype=np.int64)]
        alike: list[int] = []
        commits = self.log.read(lambda connection: commit_rows(connection, (item.sha for item in dismissed), size))
        for item in dismissed:
            if item.sha not in commits:
                continue
            rows = arrays.rows_of(commits[item.sha])
            if item.scope in (
                Scope.COMMIT,
                Scope.LIKE,
            ):
                hidden.append(np.arange(rows.start, rows.stop))
            if item.scope is Scope.COMMIT:
                continue
            for past in self.log.read(partial(past_edits, ids=[row + 1 for row in rows])):
                if (past.path, past.definition) == (item.path, item.definition):
                    hidden.append(np.array([past.row]))
                    if item.scope is Scope.LIKE:
                        alike.append(past.row)
        if alike:
            vectors = arrays.matrix.floats(np.array(alike, dtype=np.int64))
            hidden.append(search.at_least(arrays, vectors, LIKE))
        result = distinct(np.concatenate(hidden))
        self._hidden = (key, result)
        return result


def _shared_words(gone: Mapping[int, int], come: Mapping[int, int]) -> float:
    """The share of words, of the larger one's, that one edit took out and the other put in, or the other way round."""
    shared = sum(min(abs(count), abs(come[term])) for term, count in gone.items() if count * come.get(term, 0) < 0)
    return shared / max(1, sum(map(abs, gone.values())), sum(map(abs, come.values())))


def _order(arrays: EditArrays, commits: NDArray[np.bool_]) -> list[int]:
    """Rows of these commits, newest first; of commits of the same second the one indexed first, since indexing goes
    backwards."""
    chosen = np.flatnonzero(commits)
    order: list[int] = chosen[np.lexsort((chosen, -arrays.dates.values[chosen]))].tolist()
    return order


def _places_of(connection: sqlite3.Connection, paths: set[str], definition: str) -> list[tuple[str, int]]:
    """The places of a definition under several paths, by path."""
    found = []
    for path in paths:
        place = (to_sql(path), to_sql(definition))
        row = connection.execute("SELECT id FROM places WHERE path = ? AND definition = ?", place).fetchone()
        if row is not None:
            found.append((path, int(row[0])))
    return found

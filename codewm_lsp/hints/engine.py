"""Repository, model and index → answers: similar past edits, what is edited next, and the hints of a file."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.errors import RepositoryError
from codewm_lsp.hints.answers import Hint, HintKind, Prediction, SimilarEdit, reasons_similar
from codewm_lsp.hints.snapshot import Contents, Snapshots
from codewm_lsp.hints.wording import likely, next_title, similar_title
from codewm_lsp.history import Edit, Repository
from codewm_lsp.index import History, Hit, Index
from codewm_lsp.ranking.co_change import Changes
from codewm_lsp.ranking.ranker import Ranking, Weights, ordered, rank, shipped_weights
from codewm_lsp.ranking.reasons import reasons_next
from codewm_lsp.ranking.state import State
from codewm_lsp.ranking.values import MOST_EDITS
from codewm_lsp.source import Definition

EVIDENCE: Final = 3  # past edits shown behind a prediction
BEHIND_A_LENS: Final = 10  # past edits behind a lens on a changed definition
WORDED: Final = 100  # predictions of one answer that are given wording and evidence
_LIKENED: Final = 64  # edits in progress whose past edits are remembered
FORESEEN: Final = 0.5  # how much the prediction counts beside the edit in progress, where past edits are shown for it
CLOSE: Final = 0.9  # share of the best score from which a further past edit counts in a title


class Others(Protocol):
    """Past edits of other repositories. ``state`` is equal to what it was as long as the answers are."""

    def state(self) -> object: ...
    def search(self, edit: Edit, vector: NDArray[np.float32], model: str, k: int) -> list[Hit]: ...


class Predicted(Protocol):
    """The predictor's answer: for N definitions, their next edits, and logits and actions of these."""

    @property
    def edits(self) -> NDArray[np.float32]: ...
    @property
    def logits(self) -> NDArray[np.float32]: ...
    @property
    def actions(self) -> NDArray[np.float32]: ...


class Model(Protocol):
    """What the engine needs of a world model. ``hash`` names it."""

    @property
    def hash(self) -> str: ...
    def embed_edits(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]: ...
    def predict_next(self, sources: Sequence[str], recent: NDArray[np.float32]) -> Predicted: ...


@dataclass(frozen=True, slots=True)
class HintOptions:
    """Which hints of a file are shown.

    ``threshold``: the least score, 0 to 1, of a definition predicted to be next; the default is the one at which at
    least half of those shown were really changed (docs). ``similar_threshold``: the least score of the best past edit
    behind a lens on a changed definition. ``limit``: lenses a file.
    """

    threshold: float = shipped_weights().threshold
    limit: int = 8
    kinds: frozenset[HintKind] = frozenset(HintKind)
    similar_threshold: float = 0.25


@dataclass(frozen=True, slots=True)
class _Opinion:
    """What the world model says of a definition: its next edit, how likely that is, and its rich action."""

    source: Definition
    edit: NDArray[np.float32]
    logit: float
    action: NDArray[np.float32]


@dataclass(slots=True)
class _Question:
    """A ranking, the commits that count as its past, and the world model's opinions by row, as far as it was asked."""

    state: State
    ranking: Ranking
    past: frozenset[str]
    contents: Contents
    all_read: bool  # else the state is of a part of the repository
    recent: NDArray[np.float32] | None = None
    opinions: dict[int, _Opinion] = field(default_factory=dict)


def evidence_of(predicted: NDArray[np.float32], revealed: NDArray[np.float32]) -> NDArray[np.float32]:
    """What past edits are looked for by behind predictions: (N, D) of these and (D,) of the edit in progress → (N, D).

    Both together find edits more like the one that comes than either alone (docs/experiments.md). Rows of length 1.
    """
    both = FORESEEN * predicted + revealed
    length = np.linalg.norm(both, axis=1, keepdims=True)
    return np.asarray(both / np.maximum(length, 1e-9), dtype=np.float32)


class Engine:
    """Answers questions about one repository. Not to be used from two threads at once."""

    def __init__(
        self,
        repository: Repository,
        model: Model,
        index: Index,
        *,
        weights: Weights | None = None,
        others: Others | None = None,
    ) -> None:
        """``others``: where past edits like one in progress are looked for besides."""
        self._repository = repository
        self._model = model
        self._index = index
        self._weights = weights or shipped_weights()
        self._others = others
        self._snapshots = Snapshots(repository)
        self.unfinished = False
        """Whether the last ``hints`` ran out of patience."""
        self._ancestors: tuple[str, frozenset[str]] = ("", frozenset())
        self._before: tuple[frozenset[str], frozenset[str], frozenset[str]] = (frozenset(),) * 3
        self._changes: tuple[History, Changes] | None = None
        self._state: State | None = None
        self._ranked: tuple[State, tuple[Edit, ...], Ranking] | None = None
        self._likened: tuple[object, dict[Edit, list[SimilarEdit]]] = (None, {})

    def similar(self, edit: Edit, *, k: int = 10, at: str | None = None) -> list[SimilarEdit]:
        """The ``k`` past edits most like ``edit``, best first (0: all), of the commits that ``at`` (HEAD) reaches.

        Edits of the very same definition are left out. Those of other repositories stand among them by their scores.
        """
        vector = self._model.embed_edits([(edit.before, edit.after)])[0]
        hits = self._index.search(
            edit, vector, k=k, within=self._reached(at), exclude_definition=(edit.path, edit.definition)
        )
        if self._others is not None and (more := self._others.search(edit, vector, self._model.hash, k)):
            hits = sorted([*hits, *more], key=lambda hit: -hit.score)
            hits = hits[:k] if k else hits
        return [SimilarEdit(hit.edit, hit.score, reasons_similar(hit)) for hit in hits]

    def next(
        self,
        editing: Sequence[Edit],
        *,
        k: int = 10,
        at: str | None = None,
        unsaved: Mapping[str, str] | None = None,
        paths: Sequence[str] | None = None,
    ) -> list[Prediction]:
        """The ``k`` definitions most likely to be edited next, best first (0: all), given the edits in progress.

        ``editing``: newest first. Candidates are all definitions of the Python files at the commit ``at``, or of the
        working tree with ``unsaved`` text, those being edited left out; ``paths`` keeps those of these files alone.
        Where edits of a commit stand for edits in progress, that commit is no part of the past: it could but be its own
        evidence. Evidence and wording of a very long answer are worked out for its first hundred only.
        """
        if not editing:
            return []
        question = self._question(editing, at, unsaved or {}, None)
        rows, probabilities = self._ordered(question, self._candidates(question.state, editing, paths))
        if k:
            rows, probabilities = rows[:k], probabilities[:k]
        return self._predictions(question, rows, probabilities)

    def hints(
        self,
        path: str,
        text: str,
        *,
        unsaved: Mapping[str, str] | None = None,
        options: HintOptions | None = None,
        patience: float | None = None,
    ) -> list[Hint]:
        """The hints of one file as it stands in the editor, by line, one at most on a definition.

        On a changed definition: the past edits like its own. On another: that it is likely to be next. When there are
        more than ``options.limit``, the changed definitions come first, then the likeliest.

        ``patience``: where reading the repository for the first time takes more seconds than that, what is likely next
        is said from the files around this one, and ``unfinished`` is set: the next call goes on with the reading.
        """
        deadline = None if patience is None else time.monotonic() + patience
        self.unfinished = False
        options = options or HintOptions()
        texts = {**(unsaved or {}), path: text}
        editing, changed = self._repository.working(texts)
        if not editing or options.limit <= 0:
            return []
        now = time.time()
        found: list[Hint] = []
        own = [edit for edit in editing if edit.path == path and edit.after]
        if HintKind.SIMILAR in options.kinds:
            for edit in own[: options.limit]:
                found.extend(self._similar_hint(edit, options, now))
        if HintKind.NEXT in options.kinds and len(found) < options.limit:
            # The file being looked at says most: its edits count as the newest.
            asked = sorted(editing, key=lambda edit: edit.path != path)
            question = self._question(asked, None, texts, changed, deadline, path)
            self.unfinished = not question.all_read
            found.extend(self._next_hints(path, editing, question, options, options.limit - len(found), now))
        return sorted(found, key=lambda hint: hint.line)

    def _similar_again(self, edit: Edit) -> list[SimilarEdit]:
        """``similar`` of an edit that may have been asked about before: of several, typing changes one."""
        state = (self._reached(None), self._index.state(), self._others and self._others.state())
        if self._likened[0] != state:
            self._likened = (state, {})
        known = self._likened[1]
        if edit not in known:
            if len(known) >= _LIKENED:
                known.clear()
            known[edit] = self.similar(edit, k=BEHIND_A_LENS)
        return known[edit]

    def _similar_hint(self, edit: Edit, options: HintOptions, now: float) -> list[Hint]:
        similar = self._similar_again(edit)
        if not similar or similar[0].score < options.similar_threshold:
            return []
        close = [one for one in similar if one.score >= CLOSE * similar[0].score]
        return [
            Hint(
                kind=HintKind.SIMILAR,
                path=edit.path,
                definition=edit.definition,
                line=edit.line,
                title=similar_title(close, now),
                score=similar[0].score,
                edit_ids=tuple(one.edit.id for one in similar),
            )
        ]

    def _next_hints(
        self, path: str, editing: Sequence[Edit], question: _Question, options: HintOptions, limit: int, now: float
    ) -> list[Hint]:
        rows, probabilities = self._ordered(question, self._candidates(question.state, editing, [path]))
        shown = probabilities >= options.threshold
        rows, probabilities = rows[shown][:limit], probabilities[shown][:limit]
        return [
            Hint(
                kind=HintKind.NEXT,
                path=path,
                definition=prediction.definition,
                line=prediction.line,
                title=next_title(
                    prediction.likely,
                    prediction.evidence,
                    prediction.reasons[0].words if prediction.reasons else "",
                    now,
                ),
                score=prediction.score,
                edit_ids=tuple(one.edit.id for one in prediction.evidence),
            )
            for prediction in self._predictions(question, rows, probabilities)
        ]

    def _reached(self, at: str | None) -> frozenset[str]:
        """The commits that count as past."""
        try:
            head = at if at is not None else self._repository.head()
        except RepositoryError:
            return frozenset()  # before the first commit
        if self._ancestors[0] != head:
            self._ancestors = (head, frozenset(self._repository.ancestors(head)))
        return self._ancestors[1]

    def _past(self, at: str | None, editing: Sequence[Edit]) -> frozenset[str]:
        """The same, without the commits that are being asked about."""
        reached = self._reached(at)
        asked = frozenset(edit.commit.sha for edit in editing if edit.commit is not None)
        if not asked & reached:
            return reached
        if self._before[:2] != (reached, asked):
            self._before = (reached, asked, reached - asked)
        return self._before[2]

    def _question(
        self,
        editing: Sequence[Edit],
        at: str | None,
        unsaved: Mapping[str, str],
        changed: Mapping[str, str | None] | None,
        deadline: float | None = None,
        near: str = "",
    ) -> _Question:
        """Of the files around ``near`` alone, where the repository cannot be read until the deadline."""
        corpus, contents, all_read = self._snapshots.corpus(at, unsaved, changed, deadline, near)
        past = self._past(at, editing)
        history = self._index.history(past)
        if self._changes is None or self._changes[0] is not history:
            self._changes = (history, Changes(history.definitions, *history.events))
        changes = self._changes[1]
        if self._state is None or self._state.corpus is not corpus or self._state.changes is not changes:
            self._state = State.of(corpus, changes)
        return _Question(self._state, self._rank(self._state, editing), past, contents, all_read)

    def _rank(self, state: State, editing: Sequence[Edit]) -> Ranking:
        asked = tuple(editing[:MOST_EDITS])
        if self._ranked is None or self._ranked[0] is not state or self._ranked[1] != asked:
            self._ranked = (state, asked, rank(state, asked, self._weights))
        return self._ranked[2]

    def _ordered(self, question: _Question, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Rows by falling probability, and these probabilities."""

        def logits(asked: list[int]) -> NDArray[np.float32]:
            self._ask_model(question, asked)
            return np.array([question.opinions[row].logit for row in asked], dtype=np.float32)

        return ordered(question.ranking, rows, self._weights, self._model.hash, logits)

    def _ask_model(self, question: _Question, rows: Sequence[int]) -> None:
        """Have the world model's opinion of these definitions, each asked about once."""
        missing = [row for row in rows if row not in question.opinions]
        if not missing:
            return
        if question.recent is None:
            told = [(edit.before, edit.after) for edit, _, _ in question.ranking.asked]
            question.recent = self._model.embed_edits(told)
        sources = self._sources(question, missing)
        predicted = self._model.predict_next([sources[row].source for row in missing], question.recent)
        for row, edit, logit, action in zip(missing, predicted.edits, predicted.logits, predicted.actions, strict=True):
            question.opinions[row] = _Opinion(sources[row], edit, float(logit), action)

    def _candidates(self, state: State, editing: Sequence[Edit], paths: Sequence[str] | None) -> NDArray[np.int64]:
        corpus = state.corpus
        wanted = np.ones(len(corpus), dtype=bool)
        if paths is not None:
            wanted[:] = False
            for path in paths:
                number = corpus.number.get(path)
                if number is not None:
                    wanted[corpus.first[number] : corpus.first[number + 1]] = True
        edited = {(path, edit.definition) for edit in editing for path in (edit.path, edit.previous_path) if path}
        for number in {corpus.number[path] for path, _ in edited if path in corpus.number}:
            for row in range(int(corpus.first[number]), int(corpus.first[number + 1])):
                if (corpus.paths[number], corpus.names[row]) in edited:
                    wanted[row] = False
        return np.flatnonzero(wanted)

    def _predictions(
        self, question: _Question, rows: NDArray[np.int64], probabilities: NDArray[np.float64]
    ) -> list[Prediction]:
        state, ranking = question.state, question.ranking
        corpus = state.corpus
        worded = rows[:WORDED].tolist()
        self._ask_model(question, worded)
        opinions = [question.opinions[row] for row in worded]
        logits = np.array([one.logit for one in opinions], dtype=np.float32)
        added = self._weights.opinion.added(logits, self._model.hash) * ranking.own[worded] if opinions else logits
        evidence: list[tuple[SimilarEdit, ...]] = []
        if opinions:
            assert question.recent is not None, "the model was asked"
            wanted = evidence_of(np.stack([one.edit for one in opinions]), question.recent[0])
            nearest = self._index.nearest(wanted, k=EVIDENCE, within=question.past)
            evidence = [
                tuple(SimilarEdit(hit.edit, hit.score, reasons_similar(hit)) for hit in hits) for hits in nearest
            ]
        predictions = []
        for place, row in enumerate(rows.tolist()):
            _, signals, _ = max(ranking.asked, key=lambda one: float(one[2][row]))
            opinion = opinions[place] if place < len(opinions) else None
            predictions.append(
                Prediction(
                    path=corpus.paths[corpus.file[row]],
                    definition=corpus.names[row],
                    line=int(corpus.line[row]),
                    score=float(probabilities[place]),
                    likely=likely(opinion.action, opinion.source.kind, opinion.source.source) if opinion else (),
                    reasons=reasons_next(signals, row, self._weights, float(added[place])) if opinion else (),
                    evidence=evidence[place] if opinion else (),
                )
            )
        return predictions

    def _sources(self, question: _Question, rows: Sequence[int]) -> dict[int, Definition]:
        """The texts of some definitions, their files read once."""
        corpus = question.state.corpus
        files = sorted({int(corpus.file[row]) for row in rows})
        parsed = {file: self._snapshots.definitions(corpus.paths[file], question.contents) for file in files}
        return {row: parsed[int(corpus.file[row])][row - int(corpus.first[corpus.file[row]])] for row in rows}

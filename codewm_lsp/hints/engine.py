"""Repository, model and index → answers: similar past edits, what is edited next, and the hints of a file."""

from __future__ import annotations

import time
from collections.abc import Container, Mapping, Sequence
from dataclasses import field, replace
from functools import partial
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.hints.answers import (
    REFERENCE,
    Hint,
    HintKind,
    Prediction,
    SimilarEdit,
    reasons_similar,
    repeated,
    same_kind,
)
from codewm_lsp.hints.broken_places import line_in_file
from codewm_lsp.hints.derived import Derived, Known
from codewm_lsp.hints.excerpts import beginning, excerpt
from codewm_lsp.hints.fading import faded
from codewm_lsp.hints.fitting import fitting, likeness_of_kinds, own_chance
from codewm_lsp.hints.repeats import CHANCES, OF_TWINS, repeat_of
from codewm_lsp.hints.snapshot import Snapshot
from codewm_lsp.hints.stand_in import AFTER_COMMIT, CleanTree
from codewm_lsp.hints.supporting import SupportingEdits
from codewm_lsp.hints.unlike import IMPORTS, UNLIKE, imports_changed, other_meaning, without_imports_alike
from codewm_lsp.hints.wording import changed_title, likely, next_title, similar_title
from codewm_lsp.history import Edit, EditKind, Repository
from codewm_lsp.index import Hit, Index, PastEdit, PredictedPlace
from codewm_lsp.index.edit_words import words_of_edit
from codewm_lsp.index.index import FEW_WORDS
from codewm_lsp.memo import Kind
from codewm_lsp.ranking.corpus import KINDS, Corpus
from codewm_lsp.ranking.evidence_scorer import EvidenceScorer, shipped_scorer
from codewm_lsp.ranking.ranker import Ranker, Ranking, lens_scores, ordered
from codewm_lsp.ranking.ranker_file import shipped_ranker
from codewm_lsp.ranking.reasons import MOST, Reason, reasons_next
from codewm_lsp.ranking.references import ForcedChange, References, led
from codewm_lsp.records import dataclass
from codewm_lsp.source import Definition, DefinitionKind, kinds_of_change

BEHIND_A_LENS: Final = 10  # past edits behind a lens on a changed definition
WORDED: Final = 100  # predictions of one answer that are given wording and evidence
FOLLOWING: Final = 50  # lenses of a file on definitions that must follow the edits, however few are wanted otherwise
FEWEST_COMMITS: Final = 2  # with fewer, nothing is known of what changes together: only what must follow has a lens
PRECEDENTS: Final = 8  # newest edits of a definition that are looked at for one of the same kind
TWINS: Final = 6  # small past edits of other definitions whose lines are compared with those of a small edit
COMPARED: Final = 24  # of these at most, those that turn out to mean something else among them
LOOKED_AT: Final = 40  # past edits of which it is asked whether they only moved a definition
LEADING: Final = 6  # of those of large commits, which take longer to read, as many are looked into
NEAR_EQUALS: Final = 10  # further past edits that may come before some that fit as well but are old
CLOSE: Final = 0.9  # share of the best score from which a further past edit counts in a title


class Others(Protocol):
    """Past edits of other repositories. ``state`` is equal to what it was as long as the answers are."""

    def state(self) -> object: ...
    def search(self, edit: Edit, vector: NDArray[np.float32], model: str, k: int) -> list[Hit]: ...


class NextEdits(Protocol):
    """The predictor's answer: for N definitions, their next edits, and the actions of these."""

    @property
    def edits(self) -> NDArray[np.float32]: ...
    @property
    def actions(self) -> NDArray[np.float32]: ...


class Model(Protocol):
    """What the engine needs of a world model. ``hash`` names it."""

    @property
    def hash(self) -> str: ...
    def embed_edits(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]: ...
    def predict_next(self, sources: Sequence[str], recent: NDArray[np.float32]) -> NextEdits: ...


@dataclass(frozen=True, slots=True)
class HintOptions:
    """Which hints of a file are shown.

    ``threshold``: the least probability of a definition predicted to be next; further ones of the file, and the code
    outside of all definitions, have to be surer (``lens_scores``). At the default nearly two in three of those shown
    were really changed (docs). ``similar_threshold``: the least score of the best past edit
    behind a lens on a changed definition, and of others counted beside it; at the default nearly two in three fit, and
    just below it fewer than every second (docs). ``limit``: lenses a file; those on definitions that must follow the
    edits (users of a name that is gone, callers that no longer fit) are shown beyond it. ``clean_tree``: whether there
    are any while nothing is being edited.
    """

    threshold: float = 0.38
    limit: int = 8
    kinds: frozenset[HintKind] = frozenset(HintKind)
    similar_threshold: float = 0.45
    clean_tree: bool = True


@dataclass(frozen=True, slots=True)
class Hints:
    """The hints of a file, by line. Not ``complete``: the repository is still being read, and there may be others."""

    items: tuple[Hint, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class _NextEdit:
    """What the world model says of a definition: its next edit, and the rich action of that."""

    source: Definition
    edit: NDArray[np.float32]
    action: NDArray[np.float32]


@dataclass(slots=True)
class _Ranked:
    """What a question is answered from, the ranking, the definitions that must follow, and the next edits by row, as
    far as the world model was asked. ``complete``: whether asking again gives the same."""

    snapshot: Snapshot
    editing: Sequence[Edit]
    known: Known
    ranking: Ranking
    references: References
    complete: bool
    recent: NDArray[np.float32] | None = None
    next_edits: dict[int, _NextEdit] = field(default_factory=dict)

    @property
    def corpus(self) -> Corpus:
        return self.known.state.corpus

    def must(self, rows: NDArray[np.int64]) -> int:
        """How many of these must follow the edits, those left out that a linter names anyway."""
        return sum(row in self.references and not self.references[row].linted for row in rows.tolist())


_MEANWHILE: Final = Kind[list[Hint]]("what is likely next by the files around one", 8)
_LIKENED: Final = Kind[list[SimilarEdit]]("similar edits", 64)


class Engine:
    """Answers questions about the snapshots of one repository. Not to be used from two threads at once."""

    def __init__(
        self,
        repository: Repository,
        model: Model,
        index: Index,
        *,
        ranker: Ranker | None = None,
        scorer: EvidenceScorer | None = None,
        others: Others | None = None,
    ) -> None:
        """``ranker``: the shipped one where left out, likewise ``scorer``, that of the past edits behind a prediction.
        ``others``: where past edits like one in progress are looked for besides."""
        self._model = model
        self._index = index
        self._ranker = ranker or shipped_ranker()
        self._supporting = SupportingEdits(index, scorer or shipped_scorer())
        self._others = others
        self.derived = Derived(repository, index, self._ranker)

    def similar(self, snapshot: Snapshot, edit: Edit, *, k: int = 10) -> list[SimilarEdit]:
        """The ``k`` past edits most like ``edit``, best first (0: all), of the commits that the snapshot's reaches.

        Of the very same definition those are among them that ``edit`` makes again or takes back (``repeats``), or that
        made the same kind of change. Those of its own commit, where it has one, are left out. Those of other
        repositories stand among them by their scores; between near equals the newer ones come first (``fading``).
        """
        edit = excerpt(edit)
        vector = self._model.embed_edits([(edit.before, edit.after)])[0]
        past = self.derived.past(snapshot, [edit])
        more = k + NEAR_EQUALS if k else 0
        own = edit.path, edit.definition
        found = [_without_copies(self._index.search(edit, vector, k=more, within=past, exclude_definition=own))]
        if self._others is not None:
            found.append(self._others.search(edit, vector, self._model.hash, more))
        hits = [hit for several in found for hit in (fitting(several) if edit.definition else several)]
        now = time.time()
        similar = [SimilarEdit(hit.edit, faded(hit, edit, now), reasons_similar(hit)) for hit in hits]
        similar = self._with_twins(edit, hits, similar)
        similar += self._own(edit, vector, past, now)
        similar = self._without_lone_imports(edit, similar)
        similar.sort(key=lambda one: (-one.score, -one.edit.commit.date))
        similar = self._without_moves(edit, similar)
        similar = _under_one_name(similar)
        return similar[:k] if k else similar

    def _with_twins(self, edit: Edit, hits: Sequence[Hit], similar: Sequence[SimilarEdit]) -> list[SimilarEdit]:
        """The same, where a small edit makes one of another definition again, with the same values or others."""
        small = [
            hit.edit
            for hit in hits
            if hit.overlap is not None
            and hit.overlap.changed <= FEW_WORDS
            and hit.edit.source is None
            and hit.edit.kind is EditKind.MODIFIED
            and DefinitionKind.MODULE not in (hit.edit.definition_kind, edit.definition_kind)
        ]
        if not small or edit.kind is not EditKind.MODIFIED or len(words_of_edit(edit)) > FEW_WORDS:
            return list(similar)
        now = edit.before, edit.after
        like = 0
        twins: dict[int, SimilarEdit] = {}
        unlike: set[int] = set()
        soon = self._index.soon_read(small)
        for past in soon[:COMPARED]:
            texts = self.derived.texts_of(past)
            if texts is not None and other_meaning(now, texts):
                unlike.add(past.id)  # as many others of its commit may be: it takes no other's place
                continue
            is_same_kind = past.definition_kind is edit.definition_kind
            repeat = repeat_of(now, texts) if texts is not None and is_same_kind else None
            if repeat in OF_TWINS:
                twins[past.id] = SimilarEdit(past, OF_TWINS[repeat], (repeated(repeat, "another definition"),))
            like += 1
            if like == TWINS:
                break
        unlike |= self._unlike_of_large_commits(now, small, {past.id for past in soon})
        found = []
        for one in similar:
            if one.edit.source is None and one.edit.id in unlike:
                one = replace(one, score=UNLIKE * one.score)
            elif one.edit.source is None and one.edit.id in twins:
                one = max(one, twins[one.edit.id], key=lambda some: some.score)
            found.append(one)
        return found

    def _unlike_of_large_commits(self, now: tuple[str, str], small: Sequence[PastEdit], soon: set[int]) -> set[int]:
        """Those of commits that are not soon read which mean something else, by the first few: where all of these do
        that are of one commit, the others of it are taken to."""
        later = [past for past in small if past.id not in soon]
        means: dict[str, bool] = {}
        for past in later[:LEADING]:
            texts = self.derived.texts_of(past)
            unlike = texts is not None and other_meaning(now, texts)
            means[past.commit.sha] = means.get(past.commit.sha, True) and unlike
        return {past.id for past in later if means.get(past.commit.sha)}

    def _without_lone_imports(self, edit: Edit, similar: Sequence[SimilarEdit]) -> list[SimilarEdit]:
        """The same without those of imports alone that have no more than one import in common with the edit.

        An edit of nothing but imports has something in common with one of the same imports, of two at least; any other
        edit has nothing in common with an import of a name that it uses. Past edits are looked into as far as they are
        soon read; of an edit of a single import none is left.
        """
        ours: frozenset[tuple[bool, str]] = frozenset()
        alone = False
        if edit.definition_kind is DefinitionKind.MODULE and edit.kind is EditKind.MODIFIED:
            ours = imports_changed(edit.path, edit.before, edit.after)
            alone = bool(ours) and without_imports_alike(edit.path, edit.before, edit.after)
        if alone and len(ours) < IMPORTS:
            return []
        if alone:
            similar = [one for one in similar if one.edit.definition_kind is edit.definition_kind]
        theirs = [one.edit for one in similar if one.edit.source is None]
        theirs = [past for past in theirs if past.definition_kind is DefinitionKind.MODULE]
        without: set[int] = set()
        for past in self._index.soon_read(theirs)[:TWINS] if theirs else ():
            texts = self.derived.texts_of(past)
            if texts is None:
                continue
            changed = imports_changed(past.path, *texts)
            lone = alone or (bool(changed) and without_imports_alike(past.path, *texts))
            if lone and len(ours & changed) < IMPORTS:
                without.add(past.id)
        return [one for one in similar if one.edit.source is not None or one.edit.id not in without]

    def _without_moves(self, edit: Edit, similar: Sequence[SimilarEdit]) -> list[SimilarEdit]:
        """The same, best first, without those by which a definition only went elsewhere: whoever edits one that stays
        learns nothing from them. Looked at are the first ones."""
        if edit.kind is not EditKind.MODIFIED:
            return list(similar)
        first = [one.edit for one in similar[:LOOKED_AT] if one.edit.source is None]
        moved = self._index.moved(first) if first else set()
        return [one for one in similar if one.edit.source is not None or one.edit.id not in moved]

    def _own(self, edit: Edit, vector: NDArray[np.float32], past: Container[str], now: float) -> list[SimilarEdit]:
        """The earlier edits of the same definition that an edit makes again or takes back, or that were of its kind."""
        if edit.kind is not EditKind.MODIFIED or not edit.definition:
            return []
        texts = edit.before, edit.after
        found: dict[int, SimilarEdit] = {}
        for one in self._index.possibly_repeated(edit, edit.path, edit.definition, within=past):
            earlier = self.derived.texts_of(one)
            repeat = None if earlier is None else repeat_of(texts, earlier)
            if repeat is not None:
                found[one.id] = SimilarEdit(one, CHANCES[repeat], (repeated(repeat),), fact=True)
        if kinds := kinds_of_change(*texts):
            for hit in self._index.own_edits(edit, vector, k=PRECEDENTS, within=past):
                earlier = None if hit.edit.id in found else self.derived.texts_of(hit.edit)
                theirs = kinds_of_change(*earlier) if earlier is not None else frozenset()
                if kinds & theirs:
                    hit = replace(hit, score=own_chance(hit, likeness_of_kinds(kinds, theirs)))
                    reasons = same_kind(kinds & theirs), *reasons_similar(hit)
                    found[hit.edit.id] = SimilarEdit(hit.edit, faded(hit, edit, now), reasons)
        return list(found.values())

    def search(self, snapshot: Snapshot, text: str, *, k: int = 10) -> list[SimilarEdit]:
        """The ``k`` past edits that these words describe best, best first (0: all), of the commits that the snapshot's
        reaches. Their scores have no upper limit.
        """
        found = self._index.find(text, k=k, within=self.derived.ancestors(snapshot))
        return [SimilarEdit(edit, score, ()) for edit, score in found]

    def next(
        self,
        snapshot: Snapshot,
        editing: Sequence[Edit],
        *,
        k: int = 10,
        paths: Sequence[str] | None = None,
        patience: float | None = None,
    ) -> list[Prediction]:
        """The ``k`` definitions most likely to be edited next, best first (0: all), given the edits in progress.

        ``editing``: newest first. Candidates are all definitions of the snapshot, those being edited left out;
        ``paths`` keeps those of these files alone. Where edits of a commit stand for edits in progress, that commit is
        no part of the past: it could but be its own evidence. Evidence and wording of a very long answer are worked out
        for its first hundred only.

        ``patience``: as in ``hints``. Where reading the repository takes longer, the answer is from the files around
        the newest edit, and ``has_read`` says so.
        """
        if not editing:
            return []
        editing = tuple(map(excerpt, editing))
        deadline = None if patience is None else time.monotonic() + patience
        if paths is not None and len(paths) == 1:
            ranked = self._ranked_in_file(snapshot, editing, deadline, paths[0])
        else:
            ranked = self._ranked(snapshot, editing, deadline, paths[0] if paths else editing[0].path)
        calibration = AFTER_COMMIT if editing[0].commit is not None and snapshot.stand_in is not None else None
        rows, probabilities = self._ordered(ranked, self._candidates(ranked, paths), calibration)
        if k:
            rows, probabilities = rows[:k], probabilities[:k]
        return self._predictions(ranked, rows, probabilities)

    def has_read(self, snapshot: Snapshot) -> bool:
        """Whether all files of the state are known: if not, answers are from those around the one looked at."""
        return self.derived.has_read(snapshot)

    def hints(
        self,
        snapshot: Snapshot,
        path: str,
        *,
        options: HintOptions | None = None,
        patience: float | None = None,
        soon: bool = False,
    ) -> Hints:
        """The hints of one file, one at most on a definition.

        On a changed definition: the past edits like its own. On another: that it is likely to be next, and why. Up to
        ``FOLLOWING`` definitions that must follow the edits have theirs, whatever ``options.limit`` says (but for those
        that a linter names anyway). Of the others the changed ones come first, then the likeliest.

        While nothing is being edited, those that the snapshot's stand-in changed have a hint that says so, and none is
        said to be next, of no kind of which one in two is right then (docs/experiments.md), but what still imports
        files that were moved or removed. A definition that this commit
        changed keeps its hint once it is edited, until its own edit has one.

        ``patience``: where reading the repository for the first time takes more seconds than that, what is likely next
        is said from the files around this one, and the answer is not complete: the next call goes on with the reading.

        ``soon``: where it takes long to say what edits of other files say of this one, what they said last stands in
        for that, and the answer is not complete, either: ask again without it.
        """
        deadline = None if patience is None else time.monotonic() + patience
        options = options or HintOptions()
        editing = snapshot.editing(path)
        if not editing or options.limit <= 0 or (snapshot.is_clean and not options.clean_tree):
            return Hints((), complete=True)
        now = time.time()
        found: list[Hint] = []
        complete = True
        committed = self._committed(snapshot, path) if options.clean_tree else {}
        if snapshot.is_clean:
            own = list(committed.values())
        else:
            own = [edit for edit in editing if edit.path == path and edit.after]
        ranked: _Ranked | None = None
        if HintKind.NEXT in options.kinds and (not snapshot.is_clean or self.derived.absent(snapshot)):
            ranked = self._ranked_in_file(snapshot, editing, deadline, path, soon=soon)
        must = 0
        if ranked is not None:
            complete = ranked.complete
            candidates = self._candidates(ranked, [path])
            if snapshot.is_clean:
                candidates = candidates[[row in ranked.references for row in candidates.tolist()]]
            must = ranked.must(candidates)
        if HintKind.SIMILAR in options.kinds:
            for edit in own[: max(0, options.limit - must)]:
                shown = self._shown(snapshot, edit, committed, options)
                found.extend(self._similar_hint(snapshot, shown, options, now))
        if ranked is not None:
            limit = max(options.limit - len(found), min(must, FOLLOWING))
            following = partial(self._next_hints, path, candidates, ranked, options, limit, now)
            if complete:
                found.extend(following())
            else:  # the same until everything is read
                key = (ranked.known.key, tuple(editing), path, options, limit)
                meanwhile: list[Hint] = self.derived.memo.get(_MEANWHILE, key, following)
                found.extend(meanwhile)
        return Hints(tuple(sorted(found, key=lambda hint: hint.line)), complete)

    def edit_behind(self, snapshot: Snapshot, path: str, definition: str, options: HintOptions) -> Edit | None:
        """The edit that the hint on a changed definition is about; None where it is no changed one."""
        committed = self._committed(snapshot, path)
        if snapshot.is_clean:
            return committed.get(definition)
        for edit in snapshot.edits:
            if (edit.path, edit.definition) == (path, definition):
                return self._shown(snapshot, edit, committed if options.clean_tree else {}, options)
        return None

    def _shown(self, snapshot: Snapshot, edit: Edit, committed: Mapping[str, Edit], options: HintOptions) -> Edit:
        """An edit, or the committed one of its definition while it has no past edit that is good enough to show."""
        earlier = committed.get(edit.definition)
        if earlier is None or earlier is edit or self._good_enough(snapshot, edit, options):
            return edit
        return earlier

    def _committed(self, snapshot: Snapshot, path: str) -> dict[str, Edit]:
        """What the snapshot's stand-in changed in a file, by definition, on the lines where these are now."""
        stand_in = snapshot.stand_in
        edits = [edit for edit in stand_in.edits if edit.path == path and edit.after] if stand_in is not None else []
        if not edits:
            return {}
        lines = {one.name: one.line for one in self.derived.definitions(snapshot, [path])[path]}
        return {
            edit.definition: replace(edit, line=lines[edit.definition]) for edit in edits if edit.definition in lines
        }

    def _similar_hint(self, snapshot: Snapshot, edit: Edit, options: HintOptions, now: float) -> list[Hint]:
        similar = self._good_enough(snapshot, edit, options)
        if not similar:
            return []
        least = max(options.similar_threshold, CLOSE * similar[0].score)
        close = [one for one in similar if one.score >= least]
        return [
            Hint(
                kind=HintKind.SIMILAR,
                path=edit.path,
                definition=edit.definition,
                line=edit.line,
                title=similar_title(close, now) if edit.commit is None else changed_title(close[0], edit.commit, now),
                score=similar[0].score,
                edit_ids=tuple(one.edit.id for one in similar),
            )
        ]

    def _good_enough(self, snapshot: Snapshot, edit: Edit, options: HintOptions) -> list[SimilarEdit]:
        """The past edits like an edit, where the best of them is one to show."""
        key = (snapshot.head, snapshot.revision, self._others and self._others.state(), edit)
        similar = self.derived.memo.get(_LIKENED, key, lambda: self.similar(snapshot, edit, k=BEHIND_A_LENS))
        return similar if similar and similar[0].score >= options.similar_threshold else []

    def _next_hints(
        self, path: str, rows: NDArray[np.int64], ranked: _Ranked, options: HintOptions, limit: int, now: float
    ) -> list[Hint]:
        rows, probabilities = self._ordered(ranked, rows)
        must = np.array([row in ranked.references for row in rows.tolist()], bool)
        module_level = ranked.corpus.kinds[rows] == KINDS.index(DefinitionKind.MODULE)
        shown = lens_scores(probabilities, module_level, must, self._ranker.surer) >= options.threshold
        if len(self.derived.ancestors(ranked.snapshot)) < FEWEST_COMMITS:
            shown &= must
        rows, probabilities = rows[shown], probabilities[shown]
        linted = np.array([row in ranked.references and ranked.references[row].linted for row in rows.tolist()], bool)
        last = np.argsort(linted, kind="stable")[:limit]  # those that a linter names take no other's place
        rows, probabilities = rows[last], probabilities[last]
        return [
            Hint(
                kind=HintKind.NEXT,
                path=path,
                definition=prediction.definition,
                line=prediction.line,
                title=next_title(prediction, now),
                score=prediction.score,
                edit_ids=tuple(one.edit.id for one in prediction.evidence),
            )
            for prediction in self._predictions(ranked, rows, probabilities)
            if prediction.says_why
        ]

    def _ranked(
        self, snapshot: Snapshot, editing: Sequence[Edit], deadline: float | None = None, near: str = ""
    ) -> _Ranked:
        """``near``: the file looked at. Of the files around it alone, where the repository cannot be read until the
        deadline."""
        known = self.derived.known(snapshot, editing, deadline, near)
        must = self.derived.references(known, snapshot, editing)
        return _Ranked(snapshot, editing, known, self.derived.ranking(known, editing, near), must, known.complete)

    def _ranked_in_file(
        self, snapshot: Snapshot, editing: Sequence[Edit], deadline: float | None, path: str, *, soon: bool = False
    ) -> _Ranked:
        """The same for questions about one file."""
        known = self.derived.known(snapshot, editing, deadline, path)
        must = self.derived.references(known, snapshot, editing)
        ranking, holds = self.derived.ranking_in_file(known, editing, path, soon=soon)
        return _Ranked(snapshot, editing, known, ranking, must, known.complete and holds)

    def _candidates(self, ranked: _Ranked, paths: Sequence[str] | None) -> NDArray[np.int64]:
        """The definitions of these files (None: of all) that are not being edited. Those that a commit edited which
        stands for edits in progress are among them where they import what is gone since."""
        rows = _candidates(ranked.corpus, ranked.editing, paths)
        if not (ranked.snapshot.is_after_commit and self.derived.absent(ranked.snapshot)):
            return rows
        wanted = [
            row for row in ranked.references if paths is None or ranked.corpus.paths[ranked.corpus.file[row]] in paths
        ]
        return np.union1d(rows, np.array(wanted, np.int64))

    def _ordered(
        self, ranked: _Ranked, rows: NDArray[np.int64], calibration: CleanTree | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Rows by falling probability, and these probabilities. Those that must follow the edits come first."""
        rows, probabilities = ordered(ranked.ranking, rows)
        if calibration is not None:
            probabilities = calibration.chances(probabilities)
        return led(ranked.references, ranked.corpus, rows, probabilities)

    def _ask_model(self, ranked: _Ranked, rows: Sequence[int]) -> None:
        """Have the world model predict an edit of each of these definitions, each asked about once."""
        missing = [row for row in rows if row not in ranked.next_edits]
        if not missing:
            return
        if ranked.recent is None:
            told = [(edit.before, edit.after) for edit, _ in ranked.ranking.asked]
            ranked.recent = self._model.embed_edits(told)
        sources = self._sources(ranked, missing)
        predicted = self._model.predict_next([beginning(sources[row].source) for row in missing], ranked.recent)
        for row, edit, action in zip(missing, predicted.edits, predicted.actions, strict=True):
            ranked.next_edits[row] = _NextEdit(sources[row], edit, action)

    def _predictions(
        self, ranked: _Ranked, rows: NDArray[np.int64], probabilities: NDArray[np.float64]
    ) -> list[Prediction]:
        corpus = ranked.corpus
        worded = rows[:WORDED].tolist()
        self._ask_model(ranked, worded)
        following = [ranked.next_edits[row] for row in worded]
        evidence: list[tuple[SimilarEdit, ...]] = []
        if following:
            assert ranked.recent is not None, "the model was asked"
            places = [
                PredictedPlace(
                    corpus.paths[corpus.file[row]], corpus.names[row], beginning(one.source.source), one.edit
                )
                for row, one in zip(worded, following, strict=True)
            ]
            asked = [edit for edit, _ in ranked.ranking.asked]
            evidence = self._supporting.behind(places, asked, ranked.recent[0], ranked.known.past)
        reasons = self._reasons(ranked, worded)
        predictions = []
        for place, row in enumerate(rows.tolist()):
            foreseen = following[place] if place < len(following) else None
            predictions.append(
                Prediction(
                    path=corpus.paths[corpus.file[row]],
                    definition=corpus.names[row],
                    line=self._line(ranked, row),
                    score=float(probabilities[place]),
                    likely=_likely(foreseen, ranked.references.get(row)) if foreseen else (),
                    reasons=reasons[row] if foreseen else (),
                    evidence=evidence[place] if foreseen else (),
                )
            )
        return predictions

    def _line(self, ranked: _Ranked, row: int) -> int:
        """The line to look at: that of a definition, and of the code outside of all the one that must follow."""
        corpus, must = ranked.corpus, ranked.references.get(row)
        if must is None or must.line is None or corpus.kinds[row] != KINDS.index(DefinitionKind.MODULE):
            return int(corpus.line[row])
        path = corpus.paths[corpus.file[row]]
        text = self.derived.text(ranked.snapshot, path)
        definitions = self.derived.definitions(ranked.snapshot, [path])[path]
        return int(corpus.line[row]) if text is None else line_in_file(must.line, text, definitions, corpus.names[row])

    def _reasons(self, ranked: _Ranked, rows: Sequence[int]) -> dict[int, tuple[Reason, ...]]:
        """Why each of these rows: what the edit says that speaks most for it. Edit by edit, as signals are many."""
        speaker = np.argmax(ranked.ranking.after_each(rows), 0) if len(rows) else []
        found: dict[int, tuple[Reason, ...]] = {}
        corpus = ranked.corpus
        alone = ranked.snapshot.is_after_commit  # what the edits of an earlier commit say has nothing to do with it
        for number in sorted(set(map(int, speaker))):
            edit, _ = ranked.ranking.asked[number]
            moved = _moved(edit, ranked.editing)
            places = np.flatnonzero(np.equal(speaker, number)).tolist()
            files = sorted({int(corpus.file[rows[place]]) for place in places})
            signals = self.derived.part(ranked.known, edit, files)
            for place in places:
                row, file = rows[place], files.index(int(corpus.file[rows[place]]))
                here = int(signals.edit.corpus.first[file]) + row - int(corpus.first[files[file]])
                text = ranked.next_edits[row].source.source
                found[row] = reasons_next(signals, here, self._ranker, text, moved)
                must = ranked.references.get(row)
                if must is not None:
                    others = (reason for reason in found[row] if not must.name or must.name not in reason.words.split())
                    found[row] = (Reason(REFERENCE, must.score, must.words), *list(others)[: 0 if alone else MOST - 1])
        return found

    def _sources(self, ranked: _Ranked, rows: Sequence[int]) -> dict[int, Definition]:
        """The texts of some definitions, their files read once."""
        corpus = ranked.corpus
        paths = {row: corpus.paths[corpus.file[row]] for row in rows}
        parsed = self.derived.definitions(ranked.snapshot, sorted(set(paths.values())))
        return {row: parsed[paths[row]][row - int(corpus.first[corpus.file[row]])] for row in rows}


def _without_copies(hits: Sequence[Hit]) -> list[Hit]:
    """The same without further ones of the very same edit of a definition, as a backport is."""
    kept: dict[tuple[object, ...], Hit] = {}
    for hit in hits:
        edit = hit.edit
        said = (round(part, 5) for part in (hit.meaning, hit.words, hit.path))
        same = (edit.path, edit.definition, edit.kind, *said)
        known = kept.get(same)
        if known is None or edit.commit.date < known.edit.commit.date:
            kept[same] = hit
    return list(kept.values())


def _under_one_name(found: Sequence[SimilarEdit]) -> list[SimilarEdit]:
    """The same without the second of two that a commit made by giving a definition another name: what it removed from
    a file or class, and what it added there."""
    kept: list[SimilarEdit] = []
    seen: set[tuple[str, str, str, EditKind]] = set()
    for one in found:
        edit = one.edit
        place = edit.commit.sha, edit.path, edit.definition.rpartition(".")[0]
        other = {EditKind.ADDED: EditKind.REMOVED, EditKind.REMOVED: EditKind.ADDED}.get(edit.kind)
        if other is None or (*place, other) not in seen:
            kept.append(one)
            seen.add((*place, edit.kind))
    return kept


def _likely(foreseen: _NextEdit, must: ForcedChange | None) -> tuple[str, ...]:
    """What is changed in a definition: of one that must follow what the syntax says, else what the model foresees."""
    whole = foreseen.source.kind in (DefinitionKind.MODULE, DefinitionKind.CLASS)
    if must is not None and must.changes and not whole:
        return (must.changes,)
    return likely(foreseen.action, foreseen.source.kind, foreseen.source.source)


def _moved(edit: Edit, editing: Sequence[Edit]) -> str:
    """What other edits put in, where this one removes a definition, or took out, where it adds one."""
    if edit.kind is EditKind.REMOVED:
        return "\n".join(other.after for other in editing if other.kind is EditKind.ADDED)
    if edit.kind is EditKind.ADDED:
        return "\n".join(other.before for other in editing if other.kind is EditKind.REMOVED)
    return ""


def _candidates(corpus: Corpus, editing: Sequence[Edit], paths: Sequence[str] | None) -> NDArray[np.int64]:
    """The definitions of these files (None: of all) that are not being edited."""
    wanted = np.full(len(corpus), paths is None)
    for path in paths or ():
        number = corpus.number.get(path)
        if number is not None:
            wanted[corpus.first[number] : corpus.first[number + 1]] = True
    edited = {(path, edit.definition) for edit in editing for path in (edit.path, edit.previous_path) if path}
    for number in {corpus.number[path] for path, _ in edited if path in corpus.number}:
        for row in range(int(corpus.first[number]), int(corpus.first[number + 1])):
            if (corpus.paths[number], corpus.names[row]) in edited:
                wanted[row] = False
    return np.flatnonzero(wanted)

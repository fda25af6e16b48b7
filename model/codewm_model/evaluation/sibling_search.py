"""E4: of one edit of a commit, are its siblings found among the repository's other edits, and while it is typed?"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.history import CommitEdits, Edit, EditKind
from codewm_lsp.index import LEXICAL, Index
from codewm_lsp.index.edit_words import words_of_edit
from codewm_lsp.world_model.actions import beside_actions
from codewm_model.evaluation import galleries
from codewm_model.evaluation.bags import SENTENCES, Bags, Score, bags_of, bm25, by_vectors, cosine, sentences
from codewm_model.evaluation.cache import Cache
from codewm_model.evaluation.galleries import Draw, Gallery, rounded
from codewm_model.evaluation.half_typed import half_typed
from codewm_model.evaluation.measurement import (
    RANDOM,
    Clone,
    EvaluatedModel,
    Figure,
    Outcome,
    Progress,
    Reference,
    Role,
    Settings,
)
from codewm_model.evaluation.models import embed
from codewm_model.evaluation.released_weights import deltas, mended
from codewm_model.evaluation.repositories import newest_commits, newest_files, span
from codewm_model.evaluation.text_baselines import text_scores

LARGEST: Final = 3_000
EARLIER: Final = range(2, 33)  # sizes of the commits of an earlier table, found by what its plain baselines had
SMALL: Final = Draw("definitions, newest 300", 300, 32)
DEFINITIONS: Final = (
    SMALL,
    Draw("definitions, newest 3,000", LARGEST),
    Draw("definitions, newest 300 of commits of 2 to 32", 300, commits=EARLIER),
)
FILES: Final = (Draw("files, newest 400", 400), Draw("files, newest 400, commits of 2 to 32", 400, commits=EARLIER))
QUERIES: Final = 1_000  # of a repository in one setting
TYPED: Final = 150  # of a kind of edit, in a setting, that are asked about half typed as well
TO_COME: Final = "share of the words to come"
EARLIER_BLEND: Final = "blend of 0.1.0 with {}"
SLOW_IN: Final = 1_000  # largest gallery for what takes 40 ms an edit or more: sentence encoder, released weights
TOKENS, TOKENS_IDF = "AST tokens, signed", "AST tokens, signed, idf"
WORDS, BM25 = "changed words, signed, idf", "changed words, BM25"
BAR: Final = "words signed 0.4 + unsigned 0.4 + path 0.2"
BASELINES: Final = {"tokens": TOKENS, "tokens-idf": TOKENS_IDF, "words": WORDS, "bm25": BM25, "bar": BAR}
"""Those that need nothing more installed, by the name that ``--baselines`` knows."""

BAGS: Final = frozenset({"tokens", "tokens-idf", "words", "bm25"})


def wanted(settings: Settings) -> set[str]:
    """The names of the baselines to measure."""
    return set(BASELINES) if settings.baselines is None else set(settings.baselines)


def bag_scores(bags: Mapping[str, Bags], names: Iterable[str]) -> dict[str, Score]:
    """The scores of those baselines that are bags."""
    makers = {
        TOKENS: lambda: cosine(bags["syntax"], idf=False),
        TOKENS_IDF: lambda: cosine(bags["syntax"], idf=True),
        WORDS: lambda: cosine(bags["words"], idf=True),
        BM25: lambda: bm25(bags["words"]),
    }
    return {label: makers[label]() for name, label in BASELINES.items() if name in names and label in makers}


def by_chance(count: int, seed: int) -> Score:
    """Scores that know nothing."""
    random = np.random.default_rng(seed)
    return lambda row: random.random(count, np.float32)


@dataclasses.dataclass(frozen=True, slots=True)
class _Question:
    """What is asked in a gallery: its name in the tables and the rows that ask, each by what is told of it.

    ``typed``: what there is of an edit, by row; empty where all of it is there.
    """

    setting: str
    rows: NDArray[np.int64]
    typed: Mapping[int, Edit] = dataclasses.field(default_factory=dict)


Answers = dict[int, NDArray[np.float32]]
"""The scores of every edit of a gallery, by the row that asks."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Engine:
    """What the product's index says of each query against each edit of a gallery.

    ``ranked``: as the editor has it; ``blended``: by the plain sum that it had in version 0.1.0.
    """

    ranked: Answers = dataclasses.field(default_factory=dict)
    blended: Answers = dataclasses.field(default_factory=dict)
    meaning: Answers = dataclasses.field(default_factory=dict)
    bar: Answers = dataclasses.field(default_factory=dict)


def _asked(index: Index, asked: Mapping[int, tuple[Edit, NDArray[np.float32]]]) -> _Engine:
    """Ask an index as the product does it, for each row by its edit and the vector of that."""
    found = _Engine()
    for row, (edit, vector) in asked.items():
        scores = index.scores(edit, vector)
        found.meaning[row] = scores.meaning
        found.blended[row] = scores.blended(index.blend)
        found.bar[row] = scores.blended(LEXICAL)
        chances = index.chances(edit, vector, exclude_definition=(edit.path, edit.definition))
        found.ranked[row] = chances.astype(np.float32)
    return found


@contextmanager
def filled(
    commits: Sequence[CommitEdits], edits: Sequence[Sequence[Edit]], vectors: NDArray[np.float32]
) -> Iterator[Index]:
    """An index of a gallery, filled as the product does it."""
    known = {commit.commit.sha: commit for commit in commits}
    batch = []
    start = 0
    for own in edits:
        commit = own[0].commit
        assert commit is not None
        batch.append((dataclasses.replace(known[commit.sha], edits=tuple(own)), vectors[start : start + len(own)]))
        start += len(own)
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        Index.open("gallery", "evaluation", folder=Path(folder), edit_size=vectors.shape[1]) as index,
    ):
        index.log.add(batch)
        yield index


def words_to_come(edit: Edit, typed: Edit) -> set[str]:
    """The words that an edit adds and its typed part does not, yet."""
    there = words_of_edit(typed)
    return {word for word, count in words_of_edit(edit).items() if count > 0 and there.get(word, 0) <= 0}


def share_to_come(
    gallery: Gallery, question: _Question, edits: Sequence[Edit], answers: Answers, ties: NDArray[np.float64]
) -> tuple[float, int]:
    """The mean share of the words still to come that the best past edit adds, and over how many queries."""
    shares = []
    for row, typed in question.typed.items():
        wanted = words_to_come(edits[row], typed)
        others = np.flatnonzero(gallery.definition != gallery.definition[row])
        if not wanted or not len(others):
            continue
        best = others[np.lexsort((ties[others], -rounded(answers[row][others])))[0]]
        shown = {word for word, count in words_of_edit(edits[best]).items() if count > 0}
        shares.append(len(wanted & shown) / len(wanted))
    return float(np.mean(shares)) if shares else 0.0, len(shares)


def fewest(commits: Sequence[CommitEdits]) -> list[CommitEdits]:
    """As many of the newest commits as the smallest gallery is made of."""
    kept, _ = galleries.newest(commits, SMALL)
    return list(commits[: len(kept)])


class _Pool:
    """All edits of some commits, from which the galleries take theirs: counted and embedded once."""

    def __init__(
        self, clone: Clone, commits: Sequence[CommitEdits], cache: Cache, progress: Progress, *, files: bool = False
    ) -> None:
        """``files``: these are of whole files."""
        self.files = files
        self.clone, self.commits, self.cache, self.progress = clone, commits, cache, progress
        self.edits = [edit for commit in commits for edit in commit.edits]
        self._row = {id(edit): row for row, edit in enumerate(self.edits)}

    def rows(self, edits: Sequence[Edit]) -> NDArray[np.int64]:
        """Where some of the edits stand."""
        return np.array([self._row[id(edit)] for edit in edits], np.int64)

    def bags(self, rows: NDArray[np.int64]) -> dict[str, Bags]:
        """Their words and syntax tokens."""
        found = bags_of(self.clone, self.edits, self.cache, self.progress)
        return {name: bags.pick(rows) for name, bags in found.items()}

    def vectors(self, model: EvaluatedModel, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Their embeddings by a model."""
        pairs = [(edit.before, edit.after) for edit in self.edits]
        return embed(model, self.clone, pairs, self.cache, self.progress)[rows]

    def embedded(self, model: EvaluatedModel, edits: Sequence[Edit]) -> NDArray[np.float32]:
        """The embeddings of other edits than these."""
        return embed(model, self.clone, [(edit.before, edit.after) for edit in edits], self.cache, self.progress)

    def sentences(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Their embeddings by the sentence encoder, which is slow: of these alone."""
        return sentences(self.clone, self.pairs(rows), self.cache, self.progress)

    def deltas(self, reference: Reference, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Their changes of state by released weights, which are slow as well."""
        pairs = self.pairs(rows)
        if not self.files:
            pairs = [(mended(before), mended(after)) for before, after in pairs]
        return deltas(reference, self.clone, pairs, self.cache, self.progress)

    def pairs(self, rows: NDArray[np.int64]) -> list[tuple[str, str]]:
        return [(self.edits[row].before, self.edits[row].after) for row in rows.tolist()]


class SiblingSearch:
    """E4."""

    name = "e4"
    title = "E4: sibling retrieval"
    apart = True
    better: Mapping[str, bool | None] = dict.fromkeys((*galleries.METRICS, TO_COME), True)

    def __init__(self, *, large: bool = True) -> None:
        """``large``: with the gallery of the newest 3,000 definitions."""
        self.large = large

    def run(
        self, repositories: Sequence[Clone], models: Sequence[EvaluatedModel], settings: Settings, progress: Progress
    ) -> Outcome:
        """Measure each repository for itself."""
        outcome = Outcome(explanation=_EXPLANATION, roles={RANDOM: Role.CHANCE})
        cache = Cache(settings.cache)
        for clone in repositories:
            before = len(outcome.figures)
            progress(f"{clone.name}: reading edits", 0, 1)
            commits = newest_commits(clone, LARGEST, cache)
            if not self.large:
                commits = fewest(commits)
            definitions = _Pool(clone, commits, cache, progress)
            for draw in DEFINITIONS if self.large else (SMALL,):
                self._setting(draw, definitions, models, settings, outcome)
            files = _Pool(clone, newest_files(clone, FILES[0].size, cache), cache, progress, files=True)
            for draw in FILES:
                self._setting(draw, files, models, settings, outcome)
            if len(outcome.figures) == before:
                outcome.left_out[clone.name] = (
                    f"no commit with 2 to 20 edits of Python definitions among its newest {LARGEST:,} edits"
                )
            else:
                outcome.ranges[clone.name] = span(commits)
        return outcome

    def _setting(
        self,
        draw: Draw,
        pool: _Pool,
        models: Sequence[EvaluatedModel],
        settings: Settings,
        outcome: Outcome,
    ) -> None:
        edits, gallery = galleries.newest(pool.commits, draw)
        queries = gallery.sample(settings.limit or QUERIES, settings.seeds[0])
        if not len(queries):
            return
        flat = [edit for own in edits for edit in own]
        rows = pool.rows(flat)
        clone = pool.clone
        whole = [_Question(draw.name, queries)]
        typed: list[_Question] = []
        if not pool.files and draw.commits is None:
            for kind in EditKind:
                asking = np.array([row for row in queries.tolist() if flat[row].kind is kind], np.int64)
                whole.append(_Question(f"{draw.name}, {kind.value}", asking))
                if kind is not EditKind.REMOVED:
                    typed.extend(_half_typed(f"{draw.name}, {kind.value}", flat, asking))

        def note(system: str, role: Role, score: Score, questions: Sequence[_Question] = whole) -> None:
            pool.progress(f"{clone.name}: {draw.name}, {system}", 0, 1)
            outcome.roles[system] = role
            answers = {row: score(row) for row in questions[0].rows.tolist()} if len(questions[0].rows) else {}
            for question in questions:
                if not len(question.rows):
                    continue
                for seed, ranks in zip(
                    settings.seeds, gallery.ranks(question.rows, answers.__getitem__, settings.seeds), strict=True
                ):
                    found = ranks.metrics()
                    if question.typed:
                        ties = np.random.default_rng([seed, len(gallery)]).random(len(gallery))
                        found[TO_COME] = share_to_come(gallery, question, flat, answers, ties)
                    outcome.figures.extend(
                        Figure(self.name, metric, question.setting, system, clone.name, value, count, seed)
                        for metric, (value, count) in found.items()
                        if count
                    )

        names = wanted(settings)
        note(RANDOM, Role.CHANCE, by_chance(len(rows), settings.seeds[0]))
        if names & BAGS:
            for label, score in bag_scores(pool.bags(rows), names).items():
                note(label, Role.BASELINE, score)
        if "minilm" in names and draw.size <= SLOW_IN:
            note(SENTENCES, Role.BASELINE, by_vectors(pool.sentences(rows)))
        for label, score in text_scores(pool.pairs(rows), names).items():
            note(label, Role.BASELINE, score)
        for reference in settings.references if draw.size <= SLOW_IN else ():
            note(reference.system, Role.BASELINE, by_vectors(pool.deltas(reference, rows)))
        for number, model in enumerate(models):
            vectors = pool.vectors(model, rows)
            beside = beside_actions(vectors, pool.pairs(rows))
            note(f"{model.name}, with actions", Role.MODEL, by_vectors(beside))
            with filled(pool.commits, edits, vectors) as index:
                for questions in (whole, *([question] for question in typed if len(question.rows))):
                    told = {row: (flat[row], vectors[row]) for row in questions[0].rows.tolist()}
                    if questions[0].typed:
                        made = list(questions[0].typed.values())
                        embedded = zip(made, pool.embedded(model, made), strict=True)
                        told = dict(zip(questions[0].typed, embedded, strict=True))
                    engine = _asked(index, told)
                    if number == 0 and "bar" in names:
                        note(BAR, Role.BAR, engine.bar.__getitem__, questions)
                    alone = {row: vectors @ vector for row, (_, vector) in told.items()}
                    note(model.name, Role.MODEL, alone.__getitem__, questions)
                    note(model.whitened, Role.MODEL, engine.meaning.__getitem__, questions)
                    note(EARLIER_BLEND.format(model.name), Role.BLEND, engine.blended.__getitem__, questions)
                    note(model.blend, Role.BLEND, engine.ranked.__getitem__, questions)


def _half_typed(setting: str, edits: Sequence[Edit], asking: NDArray[np.int64]) -> list[_Question]:
    """Some of these, whole, half typed, and with their first changed line alone."""
    made = {row: parts for row in asking.tolist() if (parts := half_typed(edits[row])) is not None}
    kept = np.sort(np.random.default_rng(0).permutation(sorted(made))[:TYPED]).astype(np.int64).tolist()
    rows = np.array(kept, np.int64)
    return [
        _Question(f"{setting}, those of four lines or more", rows),
        _Question(f"{setting}, half typed", rows, {row: made[row][0] for row in kept}),
        _Question(f"{setting}, first line", rows, {row: made[row][1] for row in kept}),
    ]


_EXPLANATION = """\
Among the newest edits of one repository, each edit of a commit with 2 to 20 edits is a query for the others of its
commit, in a gallery of all edits except those of its own definition. *Definitions*: one changed function, method, class
header or module remainder; the newest 3,000, and, to compare with earlier tables, the newest 300 with at most 32 of a
commit. *Files*: pairs of whole files, the newest 400. At most 1,000 queries per repository and setting, drawn at
random. Ties are broken at random. *Sibling in another file*: edits in the query's own file are removed from the
gallery. *All siblings in other files*: only queries without a sibling in their own file. *Every commit alike*: the mean
over commits of the mean over their edits. R@k: a sibling is among the first k. *Commits of 2 to 32*: the gallery holds
no other commits, and all of its edits are queries. In an earlier table, plain words with idf scored 0.788 on
definitions, 0.625 with all siblings in other files and 0.650 on files. Drawn this way they score about the same here,
so the other figures of that table are comparable. A model alone is the cosine of its edit vectors; *whitened*: relative
to the gallery's own edits, as in the product's index; the blend is that index, queried the way the editor does, and the
*blend of 0.1.0* the plain sum of its parts by which version 0.1.0 ranked; *with actions* is the form of `codewm embed
--edits --parts edit,action`, which E3 is about. *Added, modified, removed*: queries of one kind. *Half typed*: the
query has only the first half of its changed lines (*first line*: only the first). This uses at most 150 edits of a kind
that change four lines or more; the same edits are also measured whole. *Share of the words to come*: of the words that
such an edit adds and the query lacks, how many the first past edit adds. The sentence encoder and the paper's own
weights, if requested, are measured in the smaller galleries only. The paper's weights encode each side (512 tokens), as
in their training, and the edit is the change of that state; only for them, a definition that does not parse outside its
file (a decorated method, a class that has only methods) is adapted so that it does.
"""

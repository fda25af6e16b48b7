"""E5, where next: one edit of a commit is revealed; which definitions, and which files, did the commit change besides?

Histories are asked again as ``codewm_model.data.replay`` says, by the code that the product runs: ``rank``, and
``references``, which lead. The same questions tell which lenses a user would have seen, and how often they were right.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.history import Edit, Repository
from codewm_lsp.ranking.corpus import KINDS
from codewm_lsp.ranking.ranker import Ranker, lens_scores, ordered, rank, weighed
from codewm_lsp.ranking.ranker_file import ranker_of, shipped_ranker
from codewm_lsp.ranking.references import References, led, references
from codewm_lsp.ranking.state import State, best_of_files
from codewm_lsp.ranking.values import MOST_EDITS, SignalValues, signals_of
from codewm_lsp.source import DefinitionKind
from codewm_model.data.gathering import LIST
from codewm_model.data.replay import (
    EXAMPLES,
    Example,
    Sources,
    changed_soon,
    examples,
    labels,
    left_over,
    read_past,
)
from codewm_model.evaluation.measurement import RANDOM, Clone, EvaluatedModel, Figure, Outcome, Progress, Role, Settings

Floats = NDArray[np.float64]

DEFINITIONS: Final = "(a) next definition in the file"
FILES: Final = "(b) next file"
LENSES: Final = "lenses at the default threshold"
PLAIN: Final = "plain blend"
_PLAIN_BLEND: Final = Path(__file__).with_name("plain_blend.json")
PRODUCT: Final = "the product"
NO_REFERENCES: Final = "the ranker alone"
SHOWN: Final = 8  # lenses a file
BINS: Final = (0.0, 0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
PROGRESS: Final = ("one edit", "two edits", "three or more")
METRICS: Final = ("MRR", "R@1", "R@3")
_signals_of: Final = lru_cache(maxsize=MOST_EDITS)(signals_of)  # the same edits are revealed with others

Definition = Callable[[SignalValues], Floats]

DEFINITION_BASELINES: Final[Mapping[str, Definition]] = {
    "distance in lines": lambda signals: _of(signals, "distance"),
    "most recently changed": lambda signals: _of(signals, "recency"),
    "most often changed": lambda signals: _of(signals, "frequency"),
    "change coupling": lambda signals: _of(signals, "coupling"),
    "words of the edit, idf": lambda signals: 2 * _of(signals, "gone_amount") + _of(signals, "fresh_amount"),
    "text similarity": lambda signals: _of(signals, "similarity"),
    "size": lambda signals: _of(signals, "size"),
}
FILE_BASELINES: Final[Mapping[str, Callable[[State, SignalValues], Floats]]] = {
    "most recently changed": lambda state, signals: _of_file(signals, "recency"),
    "most often changed": lambda state, signals: _of_file(signals, "frequency"),
    "change coupling": lambda state, signals: _of_file(signals, "coupling"),
    "words of the edit, idf": lambda state, signals: (
        2 * _best(state, signals, "gone_amount") + _best(state, signals, "fresh_amount")
    ),
    "text similarity": lambda state, signals: _best(state, signals, "similarity"),
    "size": lambda state, signals: _of_file(signals, "definitions"),
    "same directory": lambda state, signals: _of_file(signals, "same_folder"),
    "test counterpart": lambda state, signals: _of_file(signals, "counterpart"),
}


def _of(signals: SignalValues, name: str) -> Floats:
    return np.asarray(signals.definitions[name], dtype=np.float64)


def _of_file(signals: SignalValues, name: str) -> Floats:
    return np.asarray(signals.files[name], dtype=np.float64)


def _best(state: State, signals: SignalValues, name: str) -> Floats:
    return best_of_files(state, signals.definitions[name])


@dataclass(slots=True)
class Looks:
    """What a user would have seen looking at the file of the newest edit in progress.

    ``shown``: for each look, by number of edits in progress (0: one …), the ``lens_scores`` of the likeliest
    definitions, and whether the commit or one of the author's next five changed them. ``bins``: of all definitions of
    these files, by number of edits and bin of probability: how many, the sum of the probabilities, how many changed.
    """

    shown: list[tuple[int, list[float], list[bool]]] = field(default_factory=list)
    bins: NDArray[np.float64] = field(default_factory=lambda: np.zeros((len(PROGRESS), len(BINS) - 1, 3)))

    def add(self, edits: int, likely: Floats, scores: Floats, soon: NDArray[np.bool_], limit: int) -> None:
        """One look at a file: its definitions by falling probability, with their ``lens_scores``."""
        kind = min(edits, len(PROGRESS)) - 1
        self.shown.append((kind, np.round(scores[:limit], 4).tolist(), soon[:limit].tolist()))
        at = np.clip(np.searchsorted(BINS, likely, side="right") - 1, 0, len(BINS) - 2)
        for column, values in enumerate((np.ones(len(likely)), likely, soon.astype(np.float64))):
            np.add.at(self.bins[kind, :, column], at, values)

    def at(self, threshold: float, kinds: Iterable[int] = range(len(PROGRESS))) -> tuple[int, int, int, int]:
        """Looks, looks with a lens, lenses, and how many of these were right."""
        wanted = frozenset(kinds)
        looks = some = lenses = right = 0
        for kind, scores, soon in self.shown:
            if kind in wanted:
                above = [answer for score, answer in zip(scores, soon, strict=True) if score >= threshold]
                looks, some = looks + 1, some + bool(above)
                lenses, right = lenses + len(above), right + sum(above)
        return looks, some, lenses, right


@dataclass(slots=True)
class Replayed:
    """``found``: for (setting, system, seed) the (1 / rank of the first relevant, first?, among three?) of each query.

    ``looks``: by system. ``range``: newest and oldest commit looked at.
    """

    range: tuple[str, str]
    found: dict[tuple[str, str, int], list[tuple[float, float, float]]] = field(default_factory=dict)
    looks: dict[str, Looks] = field(default_factory=dict)


def replay(
    repository: Repository,
    rankers: Mapping[str, Ranker],
    *,
    plain: Mapping[str, Mapping[str, float]],
    seeds: Sequence[int] = (0,),
    count: int = EXAMPLES,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Replayed:
    """Ask every example of a history. ``rankers``: by the system that the product is with each; ``plain``: the plain
    blend."""
    past = read_past(repository, examples=count)
    done = Replayed(past.range)
    for number, example in enumerate(examples(repository, past)):
        progress(number, len(past.examples))
        for seed in seeds:
            order = example.shuffled(seed)
            if (shown := example.revealing(order[:1])) is not None:
                must = _must(repository, *shown)
                _ask_ranks(done, shown[0], shown[1][0], must, rankers, plain, seed)
            chance = np.random.default_rng([seed, example.position])
            several = int(chance.integers(2, max(3, min(len(order), MOST_EDITS + 1))))
            for size in (1, several) if len(order) > 2 else (1,):
                if (shown := example.revealing(order[:size])) is not None:
                    must = _must(repository, *shown)
                    _look(done, shown[0], shown[1], must, rankers, changed_soon(past, shown[0]))
    return done


def _must(repository: Repository, example: Example, revealed: list[Edit]) -> References:
    """The definitions that must follow the edits in progress."""
    in_progress = [replace(edit, commit=None) for edit in revealed]
    return references(example.state.corpus, in_progress, Sources(repository, example).__getitem__)


def _ask_ranks(
    done: Replayed,
    example: Example,
    edit: Edit,
    must: References,
    rankers: Mapping[str, Ranker],
    plain: Mapping[str, Mapping[str, float]],
    seed: int,
) -> None:
    state = example.state
    corpus = state.corpus
    changed, changed_files = labels(example)
    own = corpus.number.get(edit.path, -1)
    rows = np.flatnonzero(left_over(example, [edit]))
    here = rows[corpus.file[rows] == own]
    full = np.flatnonzero((np.diff(corpus.first) > 0) & (np.arange(len(corpus.paths)) != own))
    definitions = len(here) >= LIST and bool(changed[here].any())
    files = bool(changed_files[full].any())
    if not definitions and not files:
        return
    chance = np.random.default_rng([seed, example.position, 1])
    signals = _signals_of(state, edit)

    def note(setting: str, system: str, scores: Floats, relevant: NDArray[np.bool_]) -> None:
        done.found.setdefault((setting, system, seed), []).append(first_relevant(scores, relevant, chance))

    def note_files(system: str, score: Floats) -> None:
        note(FILES, system, score[full], changed_files[full])

    if definitions:
        note(DEFINITIONS, RANDOM, np.zeros(len(here)), changed[here])
        for name, of_definition in DEFINITION_BASELINES.items():
            note(DEFINITIONS, name, of_definition(signals)[here], changed[here])
        blended = weighed(signals.definitions, plain["definition"], len(corpus))
        note(DEFINITIONS, PLAIN, blended[here], changed[here])
    if files:
        note_files(RANDOM, np.zeros(len(corpus.paths)))
        for name, of_file in FILE_BASELINES.items():
            note_files(name, of_file(state, signals))
        note_files(PLAIN, file_plain(state, signals, plain["file"]))
    for name, ranker in rankers.items():
        ranking = rank(state, [edit], ranker, _signals_of)
        systems = {name: must, NO_REFERENCES: {}} if name == PRODUCT else {name: must}
        for system, leading in systems.items():
            order, _ = led(leading, corpus, *ordered(ranking, rows))
            scores = np.zeros(len(corpus))
            scores[order] = np.arange(len(order), 0, -1)
            if definitions:
                note(DEFINITIONS, system, scores[here], changed[here])
            if files:
                note_files(system, best_of_files(state, scores))


def _look(
    done: Replayed,
    example: Example,
    revealed: list[Edit],
    references: References,
    rankers: Mapping[str, Ranker],
    soon: NDArray[np.bool_],
) -> None:
    """At the file of the newest edit, with these in progress."""
    corpus = example.state.corpus
    own = corpus.number.get(revealed[0].path)
    if own is None:
        return
    rows = np.flatnonzero(left_over(example, revealed))
    rows = rows[corpus.file[rows] == own]
    limit = max(0, SHOWN - sum(edit.path == revealed[0].path for edit in revealed))
    for name, ranker in rankers.items():
        ranking = rank(example.state, revealed, ranker, _signals_of)
        systems = {name: references, NO_REFERENCES: {}} if name == PRODUCT else {name: references}
        for system, leading in systems.items():
            order, likely = led(leading, corpus, *ordered(ranking, rows))
            must = np.array([row in leading for row in order.tolist()], bool)
            module_level = corpus.kinds[order] == KINDS.index(DefinitionKind.MODULE)
            scores = lens_scores(likely, module_level, must, ranker.surer)
            done.looks.setdefault(system, Looks()).add(len(revealed), likely, scores, soon[order], limit)


def plain_blend() -> Mapping[str, Mapping[str, float]]:
    """The weights of the plain blend, of definitions and of files, learnt with the shipped ranker."""
    blend: dict[str, dict[str, float]] = json.loads(_PLAIN_BLEND.read_text(encoding="utf-8"))
    return blend


def file_plain(state: State, signals: SignalValues, weights: Mapping[str, float]) -> Floats:
    """The plain blend of files; ``best:`` names the best of a file's definitions."""
    total = weighed(signals.files, weights, len(state.corpus.paths))
    for name, weight in weights.items():
        if name.startswith("best:"):
            total += weight * best_of_files(state, signals.definitions[name[5:]])
    return total


def first_relevant(
    scores: NDArray[Any], relevant: NDArray[np.bool_], chance: np.random.Generator
) -> tuple[float, float, float]:
    """(1 / rank of the first relevant, first?, among three?); ties at random."""
    order = np.lexsort((chance.random(len(scores)), -scores))
    place = int(np.flatnonzero(relevant[order])[0])
    return 1 / (1 + place), float(place < 1), float(place < 3)


def reliability(looks: Looks) -> list[dict[str, Any]]:
    """Rows of a table: what was said, and what came true."""
    rows = []
    for kind, name in enumerate(PROGRESS):
        for at, (low, high) in enumerate(pairwise(BINS)):
            count, said, true = looks.bins[kind, at].tolist()
            if count:
                rows.append(
                    {
                        "in progress": name,
                        "from": low,
                        "to": high,
                        "n": int(count),
                        "said": round(said / count, 4),
                        "came true": round(true / count, 4),
                    }
                )
    return rows


THRESHOLDS: Final = tuple(round(0.02 * step, 2) for step in range(1, 46))


def curve(looks: Looks) -> list[dict[str, float]]:
    """By threshold: looks, looks with a lens, lenses, and right ones; all, and with several edits in progress."""
    rows = []
    for threshold in THRESHOLDS:
        row: dict[str, float] = {"threshold": threshold}
        for label, kinds in (("", range(len(PROGRESS))), (", one edit", [0]), (", several", [1, 2])):
            found = looks.at(threshold, kinds)
            row |= dict(
                zip((f"looks{label}", f"with a lens{label}", f"lenses{label}", f"right{label}"), found, strict=True)
            )
        rows.append(row)
    return rows


EXPLANATION: Final = """\
For each commit with 2 to 20 changed definitions in the newest fifth of a history (at most 150 per repository, with a
past of 1,500 commits before them), one changed definition, drawn by the seed, is revealed as the edit in progress. The
files are those of the commit's parent with that edit applied, as in a working tree; the past is that of the parent. (a)
ranks the other definitions in its file (at least 8, one of them changed); (b) ranks the other Python files of the
repository. The *plain blend* is a logistic blend of nine of the baselines' quantities, trained on the train
repositories. *The product* is what `codewm next` answers: first the definitions that must follow the edit (users of
what is gone, callers that no longer match), then the ranker's order. *The ranker alone* is shown for comparison. No
model is used. *Blend with* a model: the same with the model's own ranker, if it has a different one.

Lenses: a look is the file of the revealed edit, with one edit in progress and, in larger commits, with several. A lens
is *right* when the commit, or one of the author's next five, changed its definition.
"""


class WhereNext:
    """E5."""

    name = "e5"
    title = "E5: where next"
    apart = True
    better: Mapping[str, bool | None] = {
        "MRR": True,
        "R@1": True,
        "R@3": True,
        "lenses right": True,
        "looks with a lens": None,
        "lenses a look": None,
    }

    def run(
        self, repositories: Sequence[Clone], models: Sequence[EvaluatedModel], settings: Settings, progress: Progress
    ) -> Outcome:
        """See ``EvaluationProtocol``."""
        ranker = shipped_ranker()
        rankers = {PRODUCT: ranker}
        rankers |= {one.blend: own for one in models if (own := ranker_of(one.world.bundle)) != ranker}
        outcome = Outcome(explanation=EXPLANATION)
        outcome.roles = {RANDOM: Role.CHANCE, PLAIN: Role.BAR, NO_REFERENCES: Role.BOUND}
        outcome.roles |= dict.fromkeys([*DEFINITION_BASELINES, *FILE_BASELINES], Role.BASELINE)
        outcome.roles |= dict.fromkeys(rankers, Role.BLEND)
        for clone in repositories:
            with Repository.open(clone.folder) as repository:
                done = replay(
                    repository,
                    rankers,
                    plain=plain_blend(),
                    seeds=settings.seeds,
                    count=min(EXAMPLES, settings.limit or EXAMPLES),
                    progress=partial(progress, f"where next: {clone.name}"),
                )
            if not done.found:
                outcome.left_out[clone.name] = (
                    "no commit of 2 to 20 changed definitions in its newest fifth that leaves something to find"
                )
                continue
            outcome.ranges[clone.name] = done.range
            outcome.figures += self._figures(clone.name, done, rankers, settings.seeds)
            extra = {
                "threshold": ranker.threshold,
                "curve": {name: curve(looks) for name, looks in done.looks.items()},
                "reliability": {name: reliability(looks) for name, looks in done.looks.items()},
            }
            outcome.extra |= extra if len(repositories) == 1 else {clone.name: extra}
        return outcome

    def _figures(self, name: str, done: Replayed, rankers: Mapping[str, Ranker], seeds: Sequence[int]) -> list[Figure]:
        figures = []
        for (setting, system, seed), found in done.found.items():
            for metric, value in zip(METRICS, np.mean(found, 0).tolist(), strict=True):
                figures.append(Figure(self.name, metric, setting, system, name, value, len(found), seed))
        for system, looks in done.looks.items():
            count, some, lenses, right = looks.at(rankers.get(system, rankers[PRODUCT]).threshold)
            values = {"looks with a lens": (some / count, count), "lenses a look": (lenses / count, count)}
            if lenses:
                values["lenses right"] = (right / lenses, lenses)
            for metric, (value, n) in values.items():
                figures.append(Figure(self.name, metric, LENSES, system, name, value, n, seeds[0]))
        return figures

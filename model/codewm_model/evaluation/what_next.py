"""E6, what next: from a definition as it stands and the recent edits, which edit will be made of it?

One edit of a commit is revealed, as in E5; every other definition that the commit changes is asked about. The predicted
edit is compared with the true one, and ranked with it among older edits of other commits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.hints.supporting import SupportingEdits, wanted_of
from codewm_lsp.history import Edit, Repository
from codewm_lsp.ranking import ranker_of, scorer_of
from codewm_lsp.world_model import WorldModel
from codewm_model.data.replay import EXAMPLES, Past, read_past
from codewm_model.evaluation.asked_places import AskedCommit, HistoryGallery
from codewm_model.evaluation.likeness import Likeness
from codewm_model.evaluation.measurement import RANDOM, Clone, EvaluatedModel, Figure, Outcome, Progress, Role, Settings
from codewm_model.evaluation.shown_edits import (
    METRICS,
    OWN_CITATION,
    SAID,
    SHOWN,
    Citations,
    Pool,
    Seen,
    cite,
    qualities,
)

Matrix = NDArray[np.float32]

SEEN: Final = "past edits shown to the user"
EXISTED: Final = "past edits shown, places that existed"
CITED: Final = "five likeliest places"
DISTRACTORS: Final = 1_000
RESAMPLES: Final = 1_000

ALONE: Final = "the model's prediction alone"
TOLD: Final = "the same, told the newest past edits as well (0.1.0)"
COPY: Final = "copy of the revealed edit"
REPLAY: Final = "revealed edit replayed as text"
OWN: Final = "its own last edit"
MEAN: Final = "mean edit"
RECENT: Final = "most recent edits"
ORACLE: Final = "oracle"
PRODUCT: Final = "product"
NEAREST: Final = "nearest to prediction and edit together (0.1.0)"
ELSEWHERE: Final = "oracle of another repository"


_TOKEN: Final = re.compile(r"\w+|[^\w\s]")


def replayed(edit: Edit, text: str) -> str:
    """``text`` after the replacements, insertions and removals that lead from ``edit.before`` to ``edit.after``.

    Each is applied wherever its old words (of an insertion: the two before it) stand.
    """
    old, new = list(_TOKEN.finditer(edit.before)), list(_TOKEN.finditer(edit.after))
    matcher = SequenceMatcher(None, [m.group() for m in old], [m.group() for m in new], autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            continue
        before = 0 if kind == "replace" else 2  # an insertion or a removal is recognised by the words before it
        wanted = [m.group() for m in old[max(0, a - before) : b]]
        if not wanted or not any(re.match(r"\w", word) for word in wanted):
            continue
        keep = [m.group() for m in old[max(0, a - before) : a]]
        put = edit.after[new[c].start() : new[d - 1].end()] if d > c else ""
        pattern = r"\s*".join(re.escape(word) for word in wanted)
        edges = (r"(?<!\w)" if re.match(r"\w", wanted[0]) else "", r"(?!\w)" if re.match(r"\w", wanted[-1]) else "")
        replacement = "".join(keep) + put if not before else _spaced(keep, put)
        text = re.sub(edges[0] + pattern + edges[1], lambda _, by=replacement: by, text)  # type: ignore[misc]
    return text


def _spaced(words: Sequence[str], put: str) -> str:
    return " ".join([*words, put] if put else words)


@dataclass(slots=True)
class Predictions:
    """What was found on one repository: for each system the (cosine, 1 / rank, first?, among ten?) of each query.

    ``commit``: of each query, for resampling. ``seen``: the past edits shown; ``cited``: those of the likeliest places.
    """

    range: tuple[str, str]
    found: dict[str, list[tuple[float, float, float, float]]] = field(default_factory=dict)
    commit: list[int] = field(default_factory=list)
    seen: Seen = field(default_factory=Seen)
    cited: Citations = field(default_factory=Citations)


def predict(
    repository: Repository,
    models: Mapping[str, WorldModel],
    *,
    seed: int,
    count: int,
    progress: Callable[[int, int], None],
    distractors: int = DISTRACTORS,
    elsewhere: HistoryGallery | None = None,
    citing: bool = True,
) -> dict[str, Predictions]:
    """By model: its own predictions, and the nulls in its space. Nothing where there are too few older edits.

    ``elsewhere``: edits of another repository, for a null. ``citing``: whether the likeliest places are asked about.
    """
    past = read_past(repository, examples=count)
    if not past.examples:
        return {}
    gallery = HistoryGallery.of(past, past.examples[0])
    asked = [position for position in past.examples if len(gallery.older(position)) >= distractors]
    if not asked:
        return {}
    last = _last_edits(past)
    words = Likeness(gallery.edits)
    others = Likeness(elsewhere.edits, measure=words) if elsewhere is not None else None
    results = {}
    for name, model in models.items():
        own = Pool(gallery, _embedded(model, gallery), words)
        foreign = Pool(elsewhere, _embedded(model, elsewhere), others) if elsewhere and others else None
        result = results[name] = Predictions(past.range)
        with gallery.index(past, own.vectors) as index:
            evidence = SupportingEdits(index, scorer_of(model.bundle))
            for number, position in enumerate(asked):
                progress(number, len(asked))
                _ask(result, name, model, past, position, own, foreign, evidence, last, seed, distractors)
            if citing:
                result.cited = cite(
                    repository,
                    past,
                    asked,
                    gallery,
                    own.vectors,
                    model,
                    ranker_of(model.bundle),
                    evidence,
                    seed=seed,
                    systems=(PRODUCT, NEAREST),
                )
    return results


def _embedded(model: WorldModel, gallery: HistoryGallery) -> Matrix:
    return model.embed_edits([(edit.before, edit.after) for edit in gallery.edits])


def _last_edits(past: Past) -> dict[tuple[str, str], list[tuple[int, Edit]]]:
    """The edits of each definition with the positions of their commits, newest first."""
    found: dict[tuple[str, str], list[tuple[int, Edit]]] = {}
    for position, (_, edits) in enumerate(past.commits):
        for edit in edits:
            key = (past.renamed[position].get(edit.path, edit.path), edit.definition)
            found.setdefault(key, []).append((position, edit))
    return found


def _ask(
    result: Predictions,
    name: str,
    model: WorldModel,
    past: Past,
    position: int,
    own: Pool,
    foreign: Pool | None,
    evidence: SupportingEdits,
    last: Mapping[tuple[str, str], list[tuple[int, Edit]]],
    seed: int,
    distractors: int,
) -> None:
    """The queries of one commit."""
    asked = AskedCommit.of(past, position, own.gallery, model, seed)
    others, truth = asked.others, asked.truth
    older = own.gallery.older(position)
    vectors = own.vectors
    chance = np.random.default_rng([seed, position])
    rivals = vectors[chance.choice(older, distractors, replace=False)]
    now = past.renamed[position]
    before: list[tuple[str, str]] = []
    for edit in others:
        known = last.get((now.get(edit.path, edit.path), edit.definition), [])
        before.append(next(((one.before, one.after) for at, one in known if at > position), ("", "")))
    again = [replayed(asked.revealed, edit.before) if edit.before else "" for edit in others]
    pairs = [*before, *((edit.before, text) for edit, text in zip(others, again, strict=True))]
    own_vectors, again_vectors = np.split(model.embed_edits(pairs), [len(others)])
    alone = np.stack([place.predicted for place in asked.places])
    copied = np.repeat(asked.told[:1], len(others), 0)
    moved = np.linalg.norm(again_vectors, axis=1) > 0.5
    guesses = {
        name: evidence.index.expected(alone, asked.told[0], asked.within),
        ALONE: alone,
        TOLD: model.predict_next([edit.before for edit in others], asked.told).edits,
        COPY: copied,
        REPLAY: np.where(moved[:, None], again_vectors, copied),  # where nothing of it stands: the copy
        OWN: own_vectors,
        MEAN: np.repeat(_unit(vectors[older].mean(0, keepdims=True)), len(others), 0),
        RANDOM: vectors[chance.choice(older, len(others))],
    }
    visible = np.linalg.norm(truth, axis=1) > 0.5  # the tokeniser sees a difference
    result.commit += [position] * int(visible.sum())
    for system, guess in guesses.items():
        right = (guess * truth).sum(1)
        scores = guess @ rivals.T
        ties = chance.random(len(others))
        ranks = (scores > right[:, None]).sum(1) + np.floor(ties * (1 + (scores == right[:, None]).sum(1)))
        result.found.setdefault(system, []).extend(
            (float(cosine), 1 / (1 + float(rank)), float(rank < 1), float(rank < 10))
            for cosine, rank, seen in zip(right, ranks, visible, strict=True)
            if seen
        )
    foreseen = np.stack([place.predicted for place in asked.places])
    nearest = {
        system: older[np.argsort(-(wanted @ vectors[older].T), axis=1, kind="stable")[:, :SHOWN]]
        for system, wanted in (
            (name, foreseen),
            (COPY, copied),
            (NEAREST, wanted_of(foreseen, asked.told[0])),
        )
    }
    behind = evidence.behind(asked.places, [asked.revealed], asked.told[0], asked.within)
    beside = own.beside(asked.revealed)
    elsewhere = foreign.beside(asked.revealed) if foreign is not None else None
    result.seen.existed += asked.existed.tolist()
    for number, edit in enumerate(others):
        like = own.like(edit, truth[number])
        for system, rows in (
            *((system, found[number]) for system, found in nearest.items()),
            (PRODUCT, np.array([one.edit.row for one in behind[number]], dtype=np.int64)),
            (RECENT, older[:SHOWN]),
            (RANDOM, chance.choice(older, SHOWN, replace=False)),
            (ORACLE, older[np.argsort(-like[older, 0], kind="stable")[:SHOWN]]),
        ):
            result.seen.found.setdefault(system, []).append(qualities(rows, like, beside))
        if foreign is not None and elsewhere is not None:
            far = foreign.like(edit, truth[number])
            best = np.argsort(-far[: len(older), 0], kind="stable")[:SHOWN]
            result.seen.found.setdefault(ELSEWHERE, []).append(qualities(best, far, elsewhere))


def _unit(rows: Matrix) -> Matrix:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9), dtype=np.float32)


def bootstrap(values: NDArray[np.float64], commits: Sequence[int], seed: int) -> tuple[float, float]:
    """95 % interval of the mean, whole commits drawn again."""
    _, group = np.unique(commits, return_inverse=True)
    sums, counts = np.bincount(group, weights=values), np.bincount(group)
    chance = np.random.default_rng(seed)
    drawn = chance.integers(0, len(sums), (RESAMPLES, len(sums)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


EXPLANATION: Final = """\
The commits are those of E5. One edit is revealed. For each other definition that the commit changes, its edit is
predicted from the definition before the change and the revealed edit. As in the product, what the edits of the
repository share is then taken off and a little of the revealed edit added; the model's prediction alone, and the same
told the newest past edits as well (as 0.1.0 was measured), have rows of their own. The figures are the cosine of the
prediction with the true edit's vector, and the rank of the true edit among 1,000 edits of older commits, drawn by the
seed from the newest 3,000 of the history. Nulls, in the same space: the revealed edit's own vector (copy), that edit
replayed on the definition's text (the copy where nothing of it stands there), the definition's last edit, the mean
edit, a random one. The vectors of two models are not comparable, so each has its own nulls.

Past edits shown: the product's three (the blend; it may show fewer, and each one missing counts as 0) against the three
nearest to the prediction alone, to the revealed edit (copy), and to both together, as 0.1.0 showed. Their similarity to
the true edit is measured in three ways: by changed words (signed bags, idf), by the same without signs, and by vectors,
since what is best by one can be bad by the others. The oracle shows the three most similar to the truth by signed
words; an oracle over as many edits of another repository shows how much of that is chance. *Like it, of a like commit*:
one of those shown scores 0.3 or more, and its commit changed something else that is as similar to the revealed edit.
The same is measured for places that existed before the commit.

Five likeliest places: of the newest commits, by the product's own ranking after the revealed edit. The share of them
with a first past edit that is shown first for none of the other four; a place with none does not count as one.
"""


class WhatNext:
    """E6. ``distractors``: older edits that a true one is ranked among."""

    name = "e6"
    title = "E6: what next"
    apart = False  # another repository is a null
    better: Mapping[str, bool | None] = {
        "MRR": True,
        "R@1": True,
        "R@10": True,
        "cosine": True,
        **dict.fromkeys(METRICS, True),
        SAID: None,
        OWN_CITATION: True,
    }

    def __init__(self, distractors: int = DISTRACTORS) -> None:
        self.distractors = distractors

    @property
    def ranking(self) -> str:
        """The setting of the ranks."""
        return f"true edit among {self.distractors:,} older ones"

    def run(
        self, repositories: Sequence[Clone], models: Sequence[EvaluatedModel], settings: Settings, progress: Progress
    ) -> Outcome:
        """See ``EvaluationProtocol``."""
        outcome = Outcome(explanation=EXPLANATION)
        nulls = {COPY: Role.BASELINE, REPLAY: Role.BASELINE, OWN: Role.BASELINE, MEAN: Role.BASELINE}
        several = len(models) > 1
        by_name = {one.name: one for one in models}
        for one in models:
            outcome.roles[one.name] = Role.MODEL
            outcome.roles[one.blend] = Role.BLEND
            for system, role in (nulls | {RANDOM: Role.CHANCE}).items():
                outcome.roles[_named(system, one.name, several)] = role
                outcome.roles[_named(NEAREST, one.name, several)] = Role.BAR
        outcome.roles |= {RECENT: Role.BASELINE, RANDOM: Role.CHANCE}
        outcome.roles |= {ORACLE: Role.BOUND, ELSEWHERE: Role.BOUND}
        galleries: dict[str, HistoryGallery] = {}
        for place, clone in enumerate(repositories):
            other = repositories[(place + 1) % len(repositories)]
            if other is not clone and other.name not in galleries:
                with Repository.open(other.folder) as repository:
                    galleries = {other.name: HistoryGallery.newest(repository)}
            extra: dict[str, Any] = {}
            for seed in settings.seeds:
                with Repository.open(clone.folder) as repository:
                    results = predict(
                        repository,
                        {one.name: one.world for one in models},
                        seed=seed,
                        count=min(EXAMPLES, settings.limit or EXAMPLES),
                        progress=partial(progress, f"what next: {clone.name}"),
                        distractors=self.distractors,
                        elsewhere=galleries.get(other.name),
                        citing=seed == settings.seeds[0],
                    )
                if not results:
                    outcome.left_out[clone.name] = f"fewer than {self.distractors:,} edits before its newest commits"
                    break
                for number, (model, result) in enumerate(results.items()):
                    outcome.ranges[clone.name] = result.range
                    outcome.figures += self._figures(clone.name, by_name[model], result, seed, several, number == 0)
                    extra.setdefault(model, {})[str(seed)] = intervals(model, result, seed)
            if extra and len(repositories) == 1:
                outcome.extra |= extra
            elif extra:
                outcome.extra[clone.name] = extra
        return outcome

    def _figures(
        self, repository: str, model: EvaluatedModel, result: Predictions, seed: int, several: bool, first: bool
    ) -> list[Figure]:
        figures = []
        for system, found in result.found.items():
            label = system if system == model.name else _named(system, model.name, several)
            means = dict(zip(("cosine", "MRR", "R@1", "R@10"), np.mean(found, 0).tolist(), strict=True))
            for metric in ("MRR", "R@1", "R@10", "cosine"):
                figures.append(
                    Figure(self.name, metric, self.ranking, label, repository, means[metric], len(found), seed)
                )
        own = {
            model.name: model.name,
            PRODUCT: model.blend,
            **{system: _named(system, model.name, several) for system in (COPY, NEAREST)},
        }
        existed = np.array(result.seen.existed)
        for system, qualities_of in result.seen.found.items():
            if system in own or first:  # by words the others are the same for every model
                values = np.array(qualities_of)
                for setting, some in ((SEEN, values), (EXISTED, values[existed])):
                    if len(some):
                        figures += [
                            Figure(
                                self.name, metric, setting, own.get(system, system), repository, value, len(some), seed
                            )
                            for metric, value in zip(METRICS, some.mean(0).tolist(), strict=True)
                        ]
        for system, cited in result.cited.found.items():
            figures += [
                Figure(self.name, metric, CITED, own[system], repository, value, len(cited), seed)
                for metric, value in zip((OWN_CITATION, SAID), np.mean(cited, 0).tolist(), strict=True)
            ]
        return figures


def _named(system: str, model: str, several: bool) -> str:
    """A null, by the space it is in where there are several."""
    return f"{system} ({model})" if several else system


def intervals(model: str, result: Predictions, seed: int) -> dict[str, Any]:
    """Cosine of each system with its 95 % interval over commits, and how far the model is above the nulls."""
    cosines = {system: np.array(found)[:, 0] for system, found in result.found.items()}
    report: dict[str, Any] = {}
    for system, values in cosines.items():
        low, high = bootstrap(values, result.commit, seed)
        report[system] = {"cosine": round(float(values.mean()), 4), "95 %": [round(low, 4), round(high, 4)]}
        if system != model:
            low, high = bootstrap(cosines[model] - values, result.commit, seed)
            above = float((cosines[model] - values).mean())
            report[system] |= {"model above it": round(above, 4), "95 % of that": [round(low, 4), round(high, 4)]}
    return report

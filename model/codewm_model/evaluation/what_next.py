"""E6, what next: from a definition as it stands and the recent edits, which edit will be made of it?

One edit of a commit is revealed, as in E5; every other definition that the commit changes is asked about. The predicted
edit is compared with the true one, and ranked with it among older edits of other commits.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.hints.engine import evidence_of
from codewm_lsp.history import Edit, EditKind, Repository, as_before
from codewm_lsp.index.words import words_of_edit
from codewm_lsp.world_model import WorldModel
from codewm_model.data.replay import EXAMPLES, Past, read_past, recent_edits, shuffled
from codewm_model.evaluation.measurement import RANDOM, Clone, EvaluatedModel, Figure, Outcome, Progress, Role, Settings

Matrix = NDArray[np.float32]

SEEN: Final = "past edits shown to the user"
SHOWN: Final = 3  # past edits behind a prediction
GALLERY: Final = 3_000  # edits of a repository that are embedded, the newest
PER_COMMIT: Final = 32  # of one commit
DISTRACTORS: Final = 1_000
RESAMPLES: Final = 1_000

COPY: Final = "copy of the revealed edit"
REPLAY: Final = "revealed edit replayed as text"
OWN: Final = "its own last edit"
MEAN: Final = "mean edit"
RECENT: Final = "most recent edits"
ORACLE: Final = "oracle"
PRODUCT: Final = "product"  # the prediction and the revealed edit together


@dataclass(frozen=True, slots=True)
class HistoryGallery:
    """The newest edits of a history, newest first, and the position of each one's commit."""

    edits: tuple[Edit, ...]
    position: NDArray[np.int64]

    @classmethod
    def of(cls, past: Past, first: int) -> HistoryGallery:
        """From the commit at position ``first`` on."""
        edits: list[Edit] = []
        position: list[int] = []
        for at, (_, some) in enumerate(past.commits[first:], first):
            edits.extend(some[:PER_COMMIT])
            position.extend([at] * len(some[:PER_COMMIT]))
            if len(edits) >= GALLERY:
                break
        return cls(tuple(edits), np.array(position, dtype=np.int64))

    def row(self, position: int, edit: Edit, older: NDArray[np.int64]) -> int | None:
        """Where an edit of the commit at ``position`` stands among ``older``; None where the gallery lacks it."""
        found = [row for row in np.flatnonzero(self.position[older] == position) if self.edits[older[row]] is edit]
        return int(found[0]) if found else None

    def older(self, position: int) -> NDArray[np.int64]:
        """The edits of the commits before."""
        return np.flatnonzero(self.position > position)


class Likeness:
    """How like two edits are by the words they changed: cosine of signed bags, idf over the gallery."""

    def __init__(self, edits: Sequence[Edit]) -> None:
        bags = [words_of_edit(edit) for edit in edits]
        frequency = Counter(word for bag in bags for word in bag)
        self._idf = {word: float(np.log((len(bags) + 1) / (count + 0.5))) for word, count in frequency.items()}
        self._rarest = float(np.log((len(bags) + 1) / 0.5))
        postings: dict[str, tuple[list[int], list[float]]] = {}
        for number, bag in enumerate(bags):
            for word, weight in self._weighed(bag).items():
                rows, weights = postings.setdefault(word, ([], []))
                rows.append(number)
                weights.append(weight)
        self._postings = {word: (np.array(rows), np.array(weights)) for word, (rows, weights) in postings.items()}
        self._count = len(bags)

    def _weighed(self, bag: Mapping[str, int]) -> dict[str, float]:
        weights = {
            word: float(np.sign(count) * np.log1p(abs(count))) * self._idf.get(word, self._rarest)
            for word, count in bag.items()
        }
        length = float(np.sqrt(sum(weight**2 for weight in weights.values()))) or 1.0
        return {word: weight / length for word, weight in weights.items()}

    def to(self, edit: Edit) -> NDArray[np.float64]:
        """Of every edit of the gallery with this one."""
        scores = np.zeros(self._count)
        for word, weight in self._weighed(words_of_edit(edit)).items():
            if word in self._postings:
                rows, weights = self._postings[word]
                scores[rows] += weight * weights
        return scores


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

    ``commit``: of each query, for resampling. ``seen``: (mean, best) likeness of the past edits shown.
    """

    range: tuple[str, str]
    found: dict[str, list[tuple[float, float, float, float]]] = field(default_factory=dict)
    seen: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    commit: list[int] = field(default_factory=list)


def predict(
    repository: Repository,
    models: Mapping[str, WorldModel],
    *,
    seed: int,
    count: int,
    progress: Callable[[int, int], None],
    distractors: int = DISTRACTORS,
) -> dict[str, Predictions]:
    """By model: its own predictions, and the nulls in its space. Nothing where there are too few older edits."""
    past = read_past(repository, examples=count)
    if not past.examples:
        return {}
    gallery = HistoryGallery.of(past, past.examples[0])
    asked = [position for position in past.examples if len(gallery.older(position)) >= distractors]
    if not asked:
        return {}
    likeness = Likeness(gallery.edits)
    last = _last_edits(past)
    results = {}
    for name, model in models.items():
        vectors = model.embed_edits([(edit.before, edit.after) for edit in gallery.edits])
        result = results[name] = Predictions(past.range)
        for number, position in enumerate(asked):
            progress(number, len(asked))
            _ask(result, name, model, past, position, gallery, vectors, likeness, last, seed, distractors)
    return results


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
    gallery: HistoryGallery,
    vectors: Matrix,
    likeness: Likeness,
    last: Mapping[tuple[str, str], list[tuple[int, Edit]]],
    seed: int,
    distractors: int,
) -> None:
    """The queries of one commit."""
    commit, edits = past.commits[position]
    order = shuffled([as_before(edit) for edit in edits], commit.sha, seed)
    revealed, others = order[0], order[1:]
    older = gallery.older(position)
    chance = np.random.default_rng([seed, position])
    rivals = vectors[chance.choice(older, distractors, replace=False)]
    now = past.renamed[position]
    own: list[tuple[str, str] | None] = []
    for edit in others:
        known = last.get((now.get(edit.path, edit.path), edit.definition), [])
        before = next((one for at, one in known if at > position), None)
        own.append((before.before, before.after) if before is not None else None)
    again = [replayed(revealed, edit.before) if edit.before else "" for edit in others]
    told = recent_edits(past, position, [revealed])
    pairs = [(edit.before, edit.after) for edit in (*told, *others)]
    pairs += [pair or ("", "") for pair in own]
    pairs += [(edit.before, text) for edit, text in zip(others, again, strict=True)]
    embedded = model.embed_edits(pairs)
    recent, truth, own_vectors, again_vectors = np.split(
        embedded, [len(told), len(told) + len(others), len(told) + 2 * len(others)]
    )
    copied = np.repeat(recent[:1], len(others), 0)
    moved = np.linalg.norm(again_vectors, axis=1) > 0.5
    guesses = {
        name: model.predict_next([edit.before for edit in others], recent).edits,
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
    nearest = {
        system: np.argsort(-(wanted @ vectors[older].T), axis=1, kind="stable")[:, :SHOWN]
        for system, wanted in (
            (name, guesses[name]),
            (COPY, copied),
            (PRODUCT, evidence_of(guesses[name], recent[0])),
        )
    }
    joint = [_changed_together(last, position, now, edit, revealed) for edit in others]
    nearest[PRODUCT] = np.stack(
        [
            with_joint(gallery.row(one[0], one[1], older) if one is not None else None, rows)
            for one, rows in zip(joint, nearest[PRODUCT], strict=True)
        ]
    )
    for number, edit in enumerate(others):
        like = likeness.to(edit)[older]
        for system, rows in (
            *((system, found[number]) for system, found in nearest.items()),
            (RECENT, np.arange(SHOWN)),
            (RANDOM, chance.choice(len(older), SHOWN, replace=False)),
            (ORACLE, np.argsort(-like, kind="stable")[:SHOWN]),
        ):
            result.seen.setdefault(system, []).append((float(like[rows].mean()), float(like[rows].max())))


def _changed_together(
    last: Mapping[tuple[str, str], list[tuple[int, Edit]]],
    position: int,
    now: Mapping[str, str],
    one: Edit,
    other: Edit,
) -> tuple[int, Edit] | None:
    """The newest edit of a definition, with its position, in an older commit that changed another one as well."""

    def before(edit: Edit) -> list[tuple[int, Edit]]:
        return [
            known for known in last.get((now.get(edit.path, edit.path), edit.definition), []) if known[0] > position
        ]

    with_other = {at for at, _ in before(other)}
    joint = (known for known in before(one) if known[0] in with_other)
    return next((known for known in joint if known[1].kind is not EditKind.ADDED), None)


def with_joint(row: int | None, nearest: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows shown behind a prediction, as the product orders them: the joint change first, where there is one."""
    if row is None:
        return nearest
    return np.concatenate([[row], nearest[nearest != row]])[: len(nearest)]


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
Commits as in E5. One edit is revealed; for each other definition that the commit changes, its edit is predicted from
the definition before it and the recent edits (the revealed one, then the newest of the past). Cosine of the prediction
with the true edit's vector, and the rank of the true edit among 1,000 edits of older commits, drawn by the seed from
the newest 3,000 of the history. Nulls, in the same space: the revealed edit's own vector (copy), that edit replayed on
the definition's text (the copy where nothing of it stands there), the definition's last edit, the mean edit, a random
one. The vectors of two models are not comparable: each has nulls of its own.

Past edits shown: the three nearest to the prediction, by the likeness of their changed words (signed bags, idf) to
those of the edit that really came; against the three nearest to the revealed edit (copy), the three most recent ones,
and the three most like it (oracle). The blend is what the product shows: those nearest to both together.
"""


class WhatNext:
    """E6. ``distractors``: older edits that a true one is ranked among."""

    name = "e6"
    title = "E6: what next"
    apart = True
    better: Mapping[str, bool | None] = {
        "MRR": True,
        "R@1": True,
        "R@10": True,
        "cosine": True,
        "likeness, mean of 3": True,
        "likeness, best of 3": True,
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
        outcome.roles |= {RECENT: Role.BASELINE, ORACLE: Role.BOUND, RANDOM: Role.CHANCE}
        for clone in repositories:
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
        for system, seen in result.seen.items():
            own = {model.name: model.name, PRODUCT: model.blend, COPY: _named(COPY, model.name, several)}
            if system in own or first:  # the others are the same for every model
                for metric, value in zip(
                    ("likeness, mean of 3", "likeness, best of 3"), np.mean(seen, 0).tolist(), strict=True
                ):
                    label = own.get(system, system)
                    figures.append(Figure(self.name, metric, SEEN, label, repository, value, len(seen), seed))
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

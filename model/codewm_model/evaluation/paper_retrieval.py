"""E3: the paper's retrieval, over whole files and a coarse label. Reported because the paper does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.history import Edit
from codewm_lsp.world_model.actions import beside_actions
from codewm_model.evaluation.bags import SENTENCES, Score, bags_of, by_vectors, joined, sentences
from codewm_model.evaluation.cache import Cache
from codewm_model.evaluation.galleries import DEPTH, reciprocal, rounded
from codewm_model.evaluation.measurement import (
    RANDOM,
    Clone,
    EvaluatedModel,
    Figure,
    Outcome,
    Progress,
    Role,
    Settings,
)
from codewm_model.evaluation.models import embed
from codewm_model.evaluation.released_weights import deltas, label
from codewm_model.evaluation.repositories import newest_files, span
from codewm_model.evaluation.sibling_search import BAGS, bag_scores, by_chance, wanted
from codewm_model.evaluation.text_baselines import text_scores

PAIRS: Final = 200  # of a repository (paper 1)
MINED: Final = 400  # what E4 asks for as well, so that both share one file of the cache
NEGATIVES: Final = 9
PRIOR: Final = "class prior (expected)"
SETTING: Final = "file pairs, leave one repository out"
HARD: Final = "hard negatives, 1 + 9"


class PaperRetrieval:
    """E3."""

    name = "e3"
    title = "E3: retrieval by edit type and scope, as in the paper"
    apart = False
    better: Mapping[str, bool | None] = {"MRR@10": True, "MRR": True}

    def run(
        self, repositories: Sequence[Clone], models: Sequence[EvaluatedModel], settings: Settings, progress: Progress
    ) -> Outcome:
        """Measure all repositories against each other."""
        outcome = Outcome(explanation=_EXPLANATION, roles={RANDOM: Role.CHANCE, PRIOR: Role.CHANCE})
        cache = Cache(settings.cache)
        used: list[Clone] = []
        own: list[list[Edit]] = []  # all that was mined; the first PAIRS count
        labels: list[NDArray[np.int64]] = []
        for number, clone in enumerate(repositories):
            progress(f"{clone.name}: reading edits", number, len(repositories))
            commits = newest_files(clone, MINED, cache)
            edits = [edit for commit in commits for edit in commit.edits]
            if not edits:
                outcome.left_out[clone.name] = "no commit that changes a Python file of at most 50,000 characters"
                continue
            used.append(clone)
            own.append(edits)
            labels.append(_labels(clone, edits[:PAIRS], cache))
            outcome.ranges[clone.name] = span(commits)
        if len(used) < 2:
            outcome.left_out |= {clone.name: "this protocol needs two repositories at least" for clone in used}
            return outcome
        label = np.concatenate(labels)
        repository = np.repeat(np.arange(len(used)), [len(one) for one in labels])
        bench = _Bench(label, repository, [clone.name for clone in used], settings, outcome, progress)
        names = wanted(settings)
        bench.prior()
        bench.note(RANDOM, Role.CHANCE, by_chance(len(label), settings.seeds[0]))
        if names & BAGS:
            parts = [
                {name: bags.pick(np.arange(min(PAIRS, len(bags)))) for name, bags in found.items()}
                for found in (bags_of(c, e, cache, progress) for c, e in zip(used, own, strict=True))
            ]
            together = {name: joined([part[name] for part in parts]) for name in parts[0]}
            for system, score in bag_scores(together, names).items():
                bench.note(system, Role.BASELINE, score)
        pairs = [[(edit.before, edit.after) for edit in edits] for edits in own]
        if "minilm" in names:
            found = [sentences(c, p[:PAIRS], cache, progress) for c, p in zip(used, pairs, strict=True)]
            bench.note(SENTENCES, Role.BASELINE, by_vectors(np.concatenate(found)))
        for system, score in text_scores([pair for p in pairs for pair in p[:PAIRS]], names).items():
            bench.note(system, Role.BASELINE, score)
        for reference in settings.references:
            found = [deltas(reference, c, p[:PAIRS], cache, progress) for c, p in zip(used, pairs, strict=True)]
            bench.note(reference.system, Role.BASELINE, by_vectors(np.concatenate(found)))
        for model in models:
            found = [embed(model, c, p, cache, progress)[:PAIRS] for c, p in zip(used, pairs, strict=True)]
            bench.note(model.name, Role.MODEL, by_vectors(np.concatenate(found)))
            both = [beside_actions(vectors, p[:PAIRS]) for vectors, p in zip(found, pairs, strict=True)]
            bench.note(f"{model.name}, with actions", Role.MODEL, by_vectors(np.concatenate(both)))
        outcome.extra["labels"] = {
            _label_name(value): int(count) for value, count in zip(*np.unique(label, return_counts=True), strict=True)
        }
        return outcome


class _Bench:
    """The queries, the same for every system."""

    def __init__(
        self,
        label: NDArray[np.int64],
        repository: NDArray[np.int64],
        names: list[str],
        settings: Settings,
        outcome: Outcome,
        progress: Progress,
    ) -> None:
        self.label, self.repository, self.names = label, repository, names
        self.settings, self.outcome, self.progress = settings, outcome, progress
        possible = [row for row in range(len(label)) if self._relevant(row).any()]
        rows: list[int] = []
        for number in range(len(names)):
            own = [row for row in possible if repository[row] == number]
            rows.extend(own[: settings.limit])
        self.queries = np.array(rows, np.int64)
        self.hard: dict[int, dict[int, NDArray[np.int64]]] = {seed: {} for seed in settings.seeds}
        for seed in settings.seeds:
            random = np.random.default_rng([seed, len(label)])
            for row in rows:
                others = np.flatnonzero((repository != repository[row]) & (label != label[row]))
                alike = np.flatnonzero((repository == repository[row]) & (label == label[row]))
                alike = alike[alike != row]
                if len(alike) and len(others) >= NEGATIVES:
                    positive = random.choice(alike, 1)
                    negatives = random.choice(others, NEGATIVES, replace=False)
                    self.hard[seed][row] = np.concatenate([positive, negatives])

    def _relevant(self, row: int) -> NDArray[np.bool_]:
        relevant: NDArray[np.bool_] = (self.repository != self.repository[row]) & (self.label == self.label[row])
        return relevant

    def prior(self) -> None:
        """What a ranking that knows only how common each label is can expect: MRR@10 of a random order, exactly."""
        gains = []
        for row in self.queries.tolist():
            others = int((self.repository != self.repository[row]).sum())
            relevant = int(self._relevant(row).sum())
            none, gain = 1.0, 0.0
            for place in range(min(DEPTH, others)):
                here = relevant / (others - place)
                gain += none * min(1.0, here) / (place + 1)
                none *= max(0.0, 1 - here)
            gains.append(gain)
        self._figures("MRR@10", SETTING, PRIOR, np.array(gains), self.queries, self.settings.seeds[0])

    def note(self, system: str, role: Role, score: Score) -> None:
        """Ask a score everything, and keep the figures."""
        self.outcome.roles[system] = role
        seeds = self.settings.seeds
        noise = {seed: np.random.default_rng([seed, 1]).random(len(self.label)) for seed in seeds}
        ranks = {seed: np.zeros(len(self.queries), np.int64) for seed in seeds}
        hard = {seed: np.full(len(self.queries), -1, np.int64) for seed in seeds}
        for number, row in enumerate(self.queries.tolist()):
            if number % 200 == 0:
                self.progress(f"E3: {system}", number, len(self.queries))
            scores = rounded(score(row))
            relevant = self._relevant(row)
            rivals = (self.repository != self.repository[row]) & ~relevant
            best = scores[relevant].max()
            top = relevant & (scores == best)
            above = rivals & (scores > best)
            level = rivals & (scores == best)
            for seed in seeds:
                lot = noise[seed][top].max()
                ranks[seed][number] = int(above.sum() + (level & (noise[seed] > lot)).sum())
                candidates = self.hard[seed].get(row)
                if candidates is not None:
                    few, lots = scores[candidates], noise[seed][candidates]
                    before = (few[1:] > few[0]) | ((few[1:] == few[0]) & (lots[1:] > lots[0]))
                    hard[seed][number] = int(before.sum())
        for seed in seeds:
            self._figures("MRR@10", SETTING, system, reciprocal(ranks[seed]), self.queries, seed)
            asked = hard[seed] >= 0
            self._figures("MRR", HARD, system, 1 / (hard[seed][asked] + 1.0), self.queries[asked], seed)

    def _figures(
        self,
        metric: str,
        setting: str,
        system: str,
        gains: NDArray[np.float64],
        queries: NDArray[np.int64],
        seed: int,
    ) -> None:
        for number, name in enumerate(self.names):
            own = self.repository[queries] == number
            if own.any():
                figure = Figure("e3", metric, setting, system, name, float(gains[own].mean()), int(own.sum()), seed)
                self.outcome.figures.append(figure)


def _labels(clone: Clone, edits: Sequence[Edit], cache: Cache) -> NDArray[np.int64]:
    """Edit type × scope of each pair, 0 to 8."""
    shas = [f"{edit.commit.sha if edit.commit else ''} {edit.path}" for edit in edits]
    file = cache.file("labels", clone.name, (*shas, "of the release"), ".json.gz")
    kept = cache.read_json(file)
    labels: list[int] = kept if isinstance(kept, list) else [label(edit.before, edit.after) for edit in edits]
    if kept is None:
        cache.write_json(file, labels)
    return np.array(labels, np.int64)


def _label_name(value: int) -> str:
    return f"{('add', 'delete', 'modify')[value // 3]} {('function', 'class', 'module')[value % 3]}"


_EXPLANATION = """\
Pairs of whole files before and after a commit, at most 50,000 characters a side, the newest 200 of each repository.
Each is a query for pairs *of other repositories* with the same label. The label is that of the authors' published
tools: the edit type (add or delete: there is no file before or after; else modify) and the scope (function: the names
of functions or the sizes of their bodies differ; class: the names of classes; else module). *Hard negatives* are drawn
for each seed as those tools draw them: one pair of the same label *and the same repository* among nine of other labels
and repositories. Ties are broken at random (in the tools, a vector of zeros wins). *Class prior*: what a random order
scores because some labels are common. The label is coarse and part of a model's input, so nothing is chosen by these
figures except how much the action weighs in the row *with actions* (`codewm embed --parts edit,action`), on the
validation repositories. The paper reports 0.8131, and 0.677 with hard negatives.
"""

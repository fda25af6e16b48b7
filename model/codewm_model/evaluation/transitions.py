"""E1: does the predicted state point to the true next one, by the paper's measure and by an honest one?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from codewm_lsp.history import Edit
from codewm_lsp.world_model import rich_action
from codewm_model.artifacts.training_log import LOG, read_log
from codewm_model.evaluation.cache import Cache
from codewm_model.evaluation.diagnostics import effective_rank
from codewm_model.evaluation.measurement import (
    EVERYWHERE,
    RANDOM,
    Clone,
    EvaluatedModel,
    Figure,
    Outcome,
    Progress,
    Role,
    Settings,
)
from codewm_model.evaluation.repositories import newest_commits, span
from codewm_model.evaluation.targets import Matrix, Transitioning, targets_of

GALLERY: Final = 5_000
MINED: Final = 3_000
KS: Final = (1, 5, 10, 50)
EVALUATIONS: Final = 5
_PAPER, _HONEST, _COPY = "transition cosine, paper's", "transition cosine, honest", "copy indicator"
_TURNED = "transition cosine, paper's, online states turned"
_RANKS: Final = ("effective rank, online", "effective rank, target", "effective rank, predicted")
_LOGGED: Final = "paper's, last five evaluations of training"
ALL, MODIFIED = "all edits", "modifications alone"


class Transitions:
    """E1."""

    name = "e1"
    title = "E1: one transition"
    apart = False
    better: Mapping[str, bool | None] = {
        _HONEST: True,
        _PAPER: None,
        _TURNED: None,
        **{f"KNN@{k}": True for k in KS},
        _COPY: None,
        **dict.fromkeys(_RANKS),
        _LOGGED: None,
    }

    def run(
        self, repositories: Sequence[Clone], models: Sequence[EvaluatedModel], settings: Settings, progress: Progress
    ) -> Outcome:
        """Measure on the newest edits of all repositories together: the gallery is that of all."""
        outcome = Outcome(explanation=_EXPLANATION, roles={RANDOM: Role.CHANCE})
        cache = Cache(settings.cache)
        each = settings.limit or -(-GALLERY * 6 // 5 // len(repositories))
        edits: list[Edit] = []
        names: list[str] = []
        for number, clone in enumerate(repositories):
            progress(f"{clone.name}: reading edits", number, len(repositories))
            commits = newest_commits(clone, MINED, cache)
            own = [edit for commit in commits for edit in commit.edits if edit.before != edit.after]
            if not own:
                outcome.left_out[clone.name] = "no edit of a Python definition"
                continue
            random = np.random.default_rng([settings.seeds[0], len(own)])
            rows = np.sort(random.choice(len(own), min(each, len(own)), replace=False))
            edits.extend(own[row] for row in rows.tolist())
            names.extend([clone.name] * len(rows))
            outcome.ranges[clone.name] = span(commits)
        if not edits:
            return outcome
        where = np.array(names)
        actions = np.stack([rich_action(e.before, e.after, e.definition_kind) for e in edits]).astype(np.float32)
        modified = np.array([bool(edit.before and edit.after) for edit in edits])
        measured, notes = targets_of(models, settings.references)
        outcome.explanation += notes
        for model in measured:
            target = model.target
            outcome.roles[model.name] = model.role
            outcome.extra[model.name] = {"target": target.source}
            progress(f"states of {model.name}", 0, 3)
            before, after = [e.before for e in edits], [e.after for e in edits]
            online = model.states(before)
            progress(f"target states of {model.name}", 1, 3)
            target_before, target_after = target.states(before), target.states(after)
            predicted = model.advance(online, actions)
            progress(f"neighbours of the predictions of {model.name}", 2, 3)
            moved = np.linalg.norm(target_after - target_before, axis=1) > 1e-6
            for setting, chosen in ((ALL, moved), (MODIFIED, moved & modified)):
                self._setting(
                    setting,
                    model.name,
                    where[chosen],
                    online[chosen],
                    target_before[chosen],
                    target_after[chosen],
                    predicted[chosen],
                    settings,
                    outcome,
                )
            self._logged(model, outcome, settings)
        return outcome

    def _setting(
        self,
        setting: str,
        model: str,
        where: NDArray[np.str_],
        online: Matrix,
        before: Matrix,
        after: Matrix,
        predicted: Matrix,
        settings: Settings,
        outcome: Outcome,
    ) -> None:
        if len(where) < 2:
            return
        seed = settings.seeds[0]
        copied, mean = f"copy of the state before ({model})", f"mean change ({model})"
        outcome.roles |= {copied: Role.BASELINE, mean: Role.BASELINE}
        change = after - before
        average = np.broadcast_to(change.mean(0), change.shape)
        values: list[tuple[str, str, NDArray[np.float64]]] = [
            (_HONEST, model, cosines(predicted - before, change)),
            (_PAPER, model, cosines(predicted - online, after - online)),
            (_COPY, model, cosines(before, after)),
            (_HONEST, mean, cosines(average, change)),
            (_PAPER, mean, cosines(np.broadcast_to((after - online).mean(0), change.shape), after - online)),
            (_PAPER, copied, cosines(before - online, after - online)),
        ]
        turned = online @ turn(online.shape[1])
        values += [
            (_TURNED, model, cosines(predicted - turned, after - turned)),
            (_TURNED, mean, cosines(before + average - turned, after - turned)),
            (_TURNED, copied, cosines(before - turned, after - turned)),
        ]
        random = np.random.default_rng(seed)
        ties = random.random(len(after))
        for system, rows in ((model, predicted), (copied, before), (mean, before + average)):
            ranks = neighbour_ranks(rows, after, ties)
            values += [(f"KNN@{k}", system, (ranks < k).astype(np.float64)) for k in KS]
        values += [(f"KNN@{k}", RANDOM, np.full(len(after), min(1.0, k / len(after)))) for k in KS]
        for metric, system, own in values:
            for name in dict.fromkeys(where.tolist()):
                chosen = where == name
                outcome.figures.append(
                    Figure(self.name, metric, setting, system, name, float(own[chosen].mean()), int(chosen.sum()), seed)
                )
        for metric, rows in zip(_RANKS, (online, after, predicted), strict=True):
            rank = effective_rank(torch.from_numpy(np.ascontiguousarray(rows)))
            outcome.figures.append(Figure(self.name, metric, setting, model, EVERYWHERE, rank, len(rows), seed))

    def _logged(self, model: Transitioning, outcome: Outcome, settings: Settings) -> None:
        if model.run is None:
            return
        found = [
            float(record["transition_cosine_paper"])
            for record in read_log(model.run / LOG)
            if record.get("evaluation") and record["stage"] == "transition" and "transition_cosine_paper" in record
        ][-EVALUATIONS:]
        if found:
            value = float(np.mean(found))
            outcome.figures.append(
                Figure(self.name, _LOGGED, ALL, model.name, EVERYWHERE, value, len(found), settings.seeds[0])
            )


def cosines(left: Matrix, right: Matrix) -> NDArray[np.float64]:
    """Cosine of each row with its counterpart; 0 where one is zero."""
    product = (left.astype(np.float64) * right).sum(1)
    length = np.linalg.norm(left.astype(np.float64), axis=1) * np.linalg.norm(right.astype(np.float64), axis=1)
    found: NDArray[np.float64] = np.divide(product, length, out=np.zeros_like(product), where=length > 1e-12)
    return found


def turn(size: int) -> Matrix:
    """A turn (size, size) of the space of states, the same each time: an orthogonal matrix."""
    turned, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((size, size)))
    return turned.astype(np.float32)


def neighbour_ranks(rows: Matrix, gallery: Matrix, ties: NDArray[np.float64]) -> NDArray[np.int64]:
    """The 0-based rank of gallery row i among all of the gallery by its cosine with row i; equal ones at random."""
    left = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    right = gallery / np.maximum(np.linalg.norm(gallery, axis=1, keepdims=True), 1e-12)
    ranks = np.zeros(len(rows), np.int64)
    for start in range(0, len(rows), 512):
        part = np.arange(start, min(start + 512, len(rows)))
        scores = np.around(left[part] @ right.T, 6)
        own = scores[np.arange(len(part)), part][:, None]
        ranks[part] = ((scores > own) | ((scores == own) & (ties > ties[part][:, None]))).sum(1)
    return ranks


_EXPLANATION = """\
The next state of a definition is predicted from its state and the action on it, for the newest edits of all
repositories together (at least 5,000 if there are that many). *The paper's cosine* compares (predicted − online before)
with (target after − online before). The two ends of the true change lie in different spaces, so a large part of it is
the translation between them, which all edits share; the rows *mean change* and *copy* show how far that part alone
goes. If a model's target is its own state encoder, both ends lie in the same space. *Online states turned*: the paper's
measure again, with the online states turned by a fixed rotation. That adds no information, yet the figure rises to the
paper's, for a copy as well as for the model. *The honest cosine* keeps both ends in the target's space: it compares
(predicted − target before) with (target after − target before). *KNN@k*: how often the true next state is among the k
states nearest to the prediction, in a gallery of the next states of all edits; ties are broken at random. *Copy
indicator*: the cosine of the target states before and after; close to 1, the target has collapsed. Effective ranks are
of 128. *Last five evaluations of training*: their mean, from the log of the run, on the repositories it was validated
on. Edits that do not change the target state are left out. *Modifications alone* leaves out additions and removals,
which have no text at one end.
"""

"""E2: predictions of three steps in a row, each held against what could come about without understanding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.history import Chain, Edit, EditKind, chains
from codewm_lsp.world_model import rich_action
from codewm_model.evaluation.cache import Cache
from codewm_model.evaluation.measurement import Clone, EvaluatedModel, Figure, Outcome, Progress, Role, Settings
from codewm_model.evaluation.repositories import newest_commits, span
from codewm_model.evaluation.targets import Matrix, Transitioning, targets_of
from codewm_model.evaluation.transitions import MINED, cosines, turn

STEPS: Final = 3
WINDOWS: Final = 300  # of a repository
LEAST: Final = 5
FORCED, FREE = "teacher-forced", "free-running"
HONEST, PAPER, TURNED = "honest", "paper's", "paper's, online states turned"
NULLS: Final = ("shuffled actions", "random trajectory", "mean change", "own change before", "identity")
MODEL: Final = "model"
METRICS: Final = tuple(f"delta cosine, {form}, {mode}" for form in (HONEST, PAPER, TURNED) for mode in (FORCED, FREE))


class Composition:
    """E2."""

    name = "e2"
    title = "E2: three steps in a row"
    apart = True
    better: Mapping[str, bool | None] = dict.fromkeys(METRICS, True)

    def run(
        self, repositories: Sequence[Clone], models: Sequence[EvaluatedModel], settings: Settings, progress: Progress
    ) -> Outcome:
        """Roll out on the chains of each repository."""
        measured, notes = targets_of(models, settings.references)
        outcome = Outcome(explanation=_EXPLANATION + notes)
        cache = Cache(settings.cache)
        for clone in repositories:
            progress(f"{clone.name}: reading edits", 0, 1)
            commits = newest_commits(clone, MINED, cache)
            windows = [found for chain in chains(commits) if (found := window(chain)) is not None]
            windows = windows[: settings.limit or WINDOWS]
            if len(windows) < LEAST:
                outcome.left_out[clone.name] = (
                    f"{len(windows)} definitions with {STEPS + 1} versions in a row among its newest {MINED:,} edits, "
                    f"{LEAST} are needed"
                )
                continue
            outcome.ranges[clone.name] = span(commits)
            for model in measured:
                progress(f"{clone.name}: rolling out with {model.name}", 0, 1)
                self._model(clone, model, windows, settings, outcome, several=len(measured) > 1)
        return outcome

    def _model(
        self,
        clone: Clone,
        model: Transitioning,
        windows: Sequence[Sequence[Edit]],
        settings: Settings,
        outcome: Outcome,
        *,
        several: bool,
    ) -> None:
        versions = [[own[0].before, *(edit.after for edit in own)] for own in windows]
        online = [model.states([own[step] for own in versions]) for step in range(STEPS + 1)]
        true = [model.target.states([own[step] for own in versions]) for step in range(STEPS + 1)]
        actions = [
            np.stack([rich_action(e.before, e.after, e.definition_kind) for e in (own[step] for own in windows)])
            for step in range(STEPS)
        ]
        moved = np.all([np.linalg.norm(true[s + 1] - true[s], axis=1) > 1e-6 for s in range(STEPS)], axis=0)
        if moved.sum() < LEAST:
            outcome.left_out[clone.name] = f"fewer than {LEAST} roll-outs of which every step changes the target state"
            return
        online, true, actions = ([rows[moved] for rows in own] for own in (online, true, actions))
        outcome.roles[model.name] = model.role
        label = {null: f"{null} ({model.name})" if several else null for null in NULLS} | {MODEL: model.name}
        outcome.roles |= {label[null]: Role.BASELINE for null in NULLS}
        for seed in settings.seeds:
            for form, mode, system, steps in composed(online, true, actions, model.advance, seed):
                self._note(outcome, f"delta cosine, {form}, {mode}", label[system], clone.name, steps, seed)

    def _note(
        self,
        outcome: Outcome,
        metric: str,
        system: str,
        repository: str,
        steps: Sequence[NDArray[np.float64]],
        seed: int,
    ) -> None:
        settings = [("three steps together", np.concatenate(steps))]
        settings += [(f"step {number + 1}", values) for number, values in enumerate(steps)]
        for setting, values in settings:
            outcome.figures.append(
                Figure(self.name, metric, setting, system, repository, float(values.mean()), len(steps[0]), seed)
            )


def window(chain: Chain) -> tuple[Edit, ...] | None:
    """The newest ``STEPS`` modifications in a row of a chain; None where there are not so many."""
    run: list[Edit] = []
    for edit in reversed(chain.edits):
        if edit.kind is EditKind.MODIFIED:
            run.append(edit)
            if len(run) == STEPS:
                return tuple(reversed(run))
        else:
            run.clear()
    return None


def composed(
    online: Sequence[Matrix],
    true: Sequence[Matrix],
    actions: Sequence[Matrix],
    advance: Callable[[Matrix, Matrix], Matrix],
    seed: int,
) -> Iterator[tuple[str, str, str, list[NDArray[np.float64]]]]:
    """Form, mode, ``MODEL`` or one of ``NULLS``, and its cosine at each step of each roll-out.

    ``online`` and ``true``: the states before the first step and after each, by the online and by the target encoder.
    """
    random = np.random.default_rng([seed, len(true[0])])
    others = _derangement(len(true[0]), random)
    turned = turn(online[0].shape[1])
    origins = {HONEST: true, PAPER: online, TURNED: [rows @ turned for rows in online]}
    for mode in (FORCED, FREE):
        predicted = _rolled(advance, online, actions, free=mode == FREE)
        shuffled = _rolled(advance, online, [rows[others] for rows in actions], free=mode == FREE)
        for form, origin in origins.items():
            found: dict[str, list[NDArray[np.float64]]] = {}
            for step in range(STEPS):
                start, end = origin[step], true[step + 1]
                change = end - start
                guess = predicted[step] - start
                beside = (true[step] - origin[step - 1]) if step else (true[2] - origin[1])
                for system, value in (
                    (MODEL, cosines(guess, change)),
                    ("shuffled actions", cosines(shuffled[step] - start, change)),
                    ("random trajectory", cosines(guess, change[others])),
                    ("mean change", cosines(np.broadcast_to(change.mean(0), change.shape), change)),
                    ("own change before", cosines(beside, change)),
                    ("identity", cosines(true[step] - start, change)),
                ):
                    found.setdefault(system, []).append(value)
            for system, steps in found.items():
                yield form, mode, system, steps


def _rolled(
    advance: Callable[[Matrix, Matrix], Matrix], online: Sequence[Matrix], actions: Sequence[Matrix], *, free: bool
) -> list[Matrix]:
    """The predicted state after each step: from the true state before it, or from the prediction before it."""
    states: list[Matrix] = []
    for step, action in enumerate(actions):
        start = states[-1] if free and states else online[step]
        states.append(advance(start, action))
    return states


def _derangement(count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """A random order in which nothing stays in its place: a cycle through all."""
    cycle = random.permutation(count)
    out = np.empty(count, np.int64)
    out[cycle] = np.roll(cycle, 1)
    return out


_EXPLANATION = """\
The newest three consecutive modifications of each definition with at least four versions. *Teacher-forced*: each step
is predicted from the true (online) state before it; *free-running*: from the prediction before it. For each step, the
figure is the cosine of the predicted and the true change of state. *Honest*: both start at the target state before the
step; *paper's*: both start at the online state before the step. If a model's target is its own state encoder, the two
are the same. *Online states turned*: the paper's measure with the online states turned by a fixed rotation, which adds
no information. Five nulls, each by the same measure: the actions of another chain (*shuffled actions*); the true change
of another chain (*random trajectory*); the mean of all true changes of the repository (*mean change*); the chain's own
previous change again, at the first step the one after it (*own change before*: how consistent a chain is with itself);
the target state before, copied (*identity*: under the honest measure no change at all, and 0; under the paper's measure
it is the translation between the two spaces alone). Windows with a step that does not change the target state are left
out.
"""

"""From scores to probabilities: what is learnt once weights and trees are.

That is the joint weights, how several edits in progress combine, and the threshold from which on a lens is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.errors import TrainingError
from codewm_lsp.ranking.ranker import UNSAID, Joint, Several, lens_scores, probabilities, together, unsaid
from codewm_model.data.gathering import Gathered, Groups, Lists
from codewm_model.evaluation.where_next_protocol import SHOWN, THRESHOLDS, Looks
from codewm_model.ranking.boosting import SEED, scores_of
from codewm_model.ranking.linear_fit import Doubles, Fit, fit_lists, log_loss, logistic, with_trees

Floats = NDArray[np.float32]

RIGHT: Final = 0.65  # share of the lenses that are to be right
SURER: Final = (1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.2, 2.4, 2.8, 3.2)
LEVELS: Final = ("definitions", "files")


@dataclass(frozen=True, slots=True)
class Joined:
    """What the joint weights are learnt from: a row for each candidate after each edit of a group."""

    inside: NDArray[np.bool_]
    definition: Doubles  # logit
    log_sum: Doubles  # log of the sum of the exponentials of the logits in the same file
    file: Doubles  # logit, 0 inside
    behind: Doubles


def joined(groups: Groups, definition: Fit, file: Fit) -> Joined:
    """See the class."""
    lists = groups.lists
    list_of = np.repeat(np.arange(len(lists)), np.diff(lists.start))
    inside = groups.file < 0
    logits = definition.linear(lists)
    if inside.any():
        logits[inside] += scores_of(definition.trees, lists, definition.names)[inside]
    file_logits = np.zeros(len(list_of))
    if len(groups.files):
        owner = np.zeros(len(groups.files), dtype=np.int64)
        owner[groups.file[~inside]] = list_of[~inside]
        file_logits[~inside] = file.scores(_each_alone(groups.files, lists.cases[owner]))[groups.file[~inside]]
    _, place = np.unique(np.where(inside, len(groups.files) + list_of, groups.file), return_inverse=True)
    best = np.full(place.max(initial=-1) + 1, -np.inf)
    np.maximum.at(best, place, logits)
    total = np.zeros(len(best))
    np.add.at(total, place, np.exp(logits - best[place]))
    log_sum = best + np.log(total)
    return Joined(inside, logits, log_sum[place], file_logits, logits - best[place])


def _each_alone(rows: Floats, cases: NDArray[np.bool_]) -> Lists:
    """Rows as lists of one row each, of these cases."""
    count = len(rows)
    nothing, numbers = np.zeros(count, dtype=bool), np.zeros(count, dtype=np.int64)
    return Lists(
        signals=rows,
        relevant=nothing,
        soon=nothing,
        weight=np.ones(count, dtype=np.float32),
        start=np.arange(count + 1),
        cases=cases,
        reveal=numbers,
    )


def rows_of(lists: Lists, wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The rows of some of the lists."""
    return np.repeat(wanted, np.diff(lists.start))


def out_of_fold(
    learnt: Sequence[Gathered], penalties: Mapping[str, float], rounds: int, seed: int = SEED
) -> dict[str, list[Fit]]:
    """For each repository, by level, the model learnt on the other half of them.

    What probabilities mean is learnt from these: of the repositories that a model was learnt on it is too sure.
    """
    found: dict[str, list[Fit]] = {}
    for level in LEVELS:
        halves = []
        for half in (0, 1):
            others = [one for number, one in enumerate(learnt) if number % 2 != half] or list(learnt)
            lists = [getattr(one, level) for one in others]
            linear = fit_lists(lists, penalty=penalties[level])
            halves.append(with_trees(linear, lists, names_of(learnt[0], level), rounds, seed))
        found[level] = [halves[number % 2] for number in range(len(learnt))]
    return found


def names_of(one: Gathered, level: str) -> tuple[str, ...]:
    """The names of the signals of definitions, or of files."""
    return one.definition_names if level == "definitions" else one.file_names


def fit_joint(train: Sequence[Gathered], fitted: Sequence[tuple[Fit, Fit]]) -> Joint:
    """Two logistic regressions of "changed, now or soon": one in the file of the edit, one in the others.

    ``fitted``: for each repository the models of definitions and files.
    """
    here: list[Doubles] = []
    there: list[Doubles] = []
    answers: tuple[list[NDArray[np.bool_]], list[NDArray[np.bool_]]] = ([], [])
    heavy: tuple[list[Doubles], list[Doubles]] = ([], [])
    for one, (definition, file) in zip(train, fitted, strict=True):
        lists = one.groups.lists
        alone = np.bincount(one.groups.group)[one.groups.group] == 1
        if not alone.any():
            continue
        columns = joined(one.groups, definition, file)
        picked = rows_of(lists, alone)
        weight = lists.weight.astype(np.float64) / alone.sum() ** 0.5
        for number, (rows, values) in enumerate(
            (
                (here, np.stack([np.ones(len(picked)), columns.definition, columns.log_sum], 1)),
                (there, np.stack([np.ones(len(picked)), columns.file, columns.behind], 1)),
            )
        ):
            chosen = picked & (columns.inside == (number == 0))
            rows.append(values[chosen])
            answers[number].append(lists.soon[chosen])
            heavy[number].append(weight[chosen])
    own, of_definition, log_sum = logistic(
        np.concatenate(here), np.concatenate(answers[0]), np.concatenate(heavy[0])
    ).tolist()
    bias, of_file, lead = logistic(np.concatenate(there), np.concatenate(answers[1]), np.concatenate(heavy[1])).tolist()
    return Joint(*(round(value, 5) for value in (own, of_definition, log_sum, bias, of_file, lead)))


def odds_of(groups: Groups, definition: Fit, file: Fit, joint: Joint) -> Doubles:
    """The log-odds that each edit alone gives to each row, as ``log_odds`` of the product."""
    columns = joined(groups, definition, file)
    signals = groups.lists.signals
    less = np.log(UNSAID) * unsaid(lambda name: signals[:, definition.names.index(name)])
    inside = joint.own + joint.definition * columns.definition + joint.log_sum * columns.log_sum - less
    outside = joint.other + joint.file * columns.file + joint.behind * columns.behind
    return np.where(columns.inside, inside, outside)


@dataclass(frozen=True, slots=True)
class Group:
    """The candidates of one group: log-odds after each edit (n, C), answers and weights.

    ``own``: those of the newest edit's file; ``module_level``: the code outside of all definitions of a file.
    """

    odds: Doubles
    soon: NDArray[np.bool_]
    weight: Doubles
    own: NDArray[np.bool_]
    module_level: NDArray[np.bool_]


def groups_of(one: Gathered, odds: Doubles) -> list[Group]:
    """The groups of a repository; ``odds`` has a number for each row of their lists."""
    lists = one.groups.lists
    module_level = lists.signals[:, one.definition_names.index("is_module")] > 0
    found = []
    for group in np.unique(one.groups.group).tolist():
        numbers = np.flatnonzero(one.groups.group == group)
        spans = [slice(int(lists.start[number]), int(lists.start[number + 1])) for number in numbers]
        newest = spans[0]
        found.append(
            Group(
                odds=np.stack([odds[span] for span in spans]),
                soon=lists.soon[newest],
                weight=lists.weight[newest].astype(np.float64),
                own=one.groups.file[newest] < 0,
                module_level=module_level[newest],
            )
        )
    return found


def fit_several(train: Sequence[Gathered], odds: Sequence[Doubles]) -> Several:
    """How the evidence of several edits combines, learnt where several were revealed."""
    groups: list[tuple[Group, float]] = []
    for one, some in zip(train, odds, strict=True):
        several = [group for group in groups_of(one, some) if len(group.odds) > 1]
        groups += [(group, len(several) ** -0.5) for group in several]
    if not groups:
        return Several()
    answers = np.concatenate([group.soon for group, _ in groups])
    weights = np.concatenate([group.weight * share for group, share in groups])
    logs = np.concatenate([np.full(group.odds.shape[1], np.log(len(group.odds))) for group, _ in groups])
    best: tuple[float, Several] | None = None
    for sharpness in (0.1, 0.25, 0.5, 1.0, 2.0, 4.0):
        for older in (0.6, 0.8, 1.0):
            plain = Several(sharpness, older, less=np.inf)
            mean = np.concatenate([together(group.odds, plain) for group, _ in groups])
            count, slope = logistic(np.stack([logs, logs * mean], 1), answers, weights, mean)
            loss = log_loss(mean + logs * (count + slope * mean), answers, weights)
            if best is None or loss < best[0]:
                best = (loss, Several(sharpness, older, round(float(count), 5), round(float(slope), 5)))
    assert best is not None
    return best[1]


def looks_of(one: Gathered, odds: Doubles, several: Several, surer: float) -> Looks:
    """The lenses that would be seen in the file of the newest edit, by the weights as they are."""
    looks = Looks()
    for group in groups_of(one, odds):
        if group.own.any():
            combined = together(group.odds, several)[group.own]
            order = np.argsort(-combined, kind="stable")
            limit = max(0, SHOWN - len(group.odds))
            likely = probabilities(combined[order])
            scores = lens_scores(likely, group.module_level[group.own][order], np.zeros(len(order), bool), surer)
            looks.add(len(group.odds), likely, scores, group.soon[group.own][order], limit)
    return looks


def lenses_of(
    looks: Callable[[float], Sequence[Mapping[str, Looks]]],
) -> tuple[float, float, dict[str, tuple[float, float]]]:
    """How much surer than the first further lenses have to be, the threshold that goes with it, and of every factor
    tried its threshold and the share of looks with a lens.

    ``looks``: the sets of repositories under a factor. Chosen is the factor with which most looks have a lens, in the
    set where it is the fewest, as long as ``RIGHT`` of the lenses are right.
    """
    tried: dict[float, tuple[float, float]] = {}
    for surer in SURER:
        sets = looks(surer)
        try:
            threshold = threshold_of(*sets)
        except TrainingError:
            continue
        found = [all_looks(one).at(threshold) for one in sets]
        tried[surer] = threshold, min(some / max(count, 1) for count, some, _, _ in found)
    if not tried:
        raise TrainingError("No threshold is right often enough where it shows something. Gather more commits.")
    best = max(tried, key=lambda surer: (tried[surer][1], -surer))
    return best, tried[best][0], {f"{surer:g}": (at, round(share, 4)) for surer, (at, share) in tried.items()}


def threshold_of(*sets: Mapping[str, Looks]) -> float:
    """The lowest threshold at which ``RIGHT`` of the lenses are right, in each of these sets of repositories.

    At it half of them have to be right with one edit in progress, with several, and in the mean repository. Raises
    TrainingError where there is none.
    """
    for threshold in THRESHOLDS:
        if all(_right_enough(looks, threshold) for looks in sets):
            return threshold
    raise TrainingError("No threshold is right often enough where it shows something. Gather more commits.")


def _right_enough(looks: Mapping[str, Looks], threshold: float) -> bool:
    everything = all_looks(looks)
    if not everything.at(threshold)[2]:
        return False
    for kinds, share in (([0, 1, 2], RIGHT), ([0], 0.5), ([1, 2], 0.5)):
        _, _, lenses, right = everything.at(threshold, kinds)
        if right < share * lenses:
            return False
    found = np.array([one.at(threshold) for one in looks.values()], dtype=np.float64)
    some = found[found[:, 2] >= 5]
    return not len(some) or bool((some[:, 3] / some[:, 2]).mean() >= 0.5)


def all_looks(looks: Mapping[str, Looks]) -> Looks:
    """Those of all repositories together."""
    whole = Looks()
    for one in looks.values():
        whole.shown += one.shown
        whole.bins += one.bins
    return whole

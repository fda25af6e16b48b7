"""Learns the blend of ``codewm_lsp.ranking.ranker`` on the histories of other repositories.

    python -m codewm_model.ranking.where_next_fit --repos CLONES --cache FOLDER --output codewm_lsp/ranking/weights.json

``CLONES`` holds one clone per ``owner+name`` (or ``owner+name/repo``), bare or not; they are only read. What is
gathered from a repository is kept in the cache and does not depend on a model: to fit the weights to a new one
(``--model``), the same command takes minutes. Weights are learnt on the train repositories, choices made on the
validation repositories; the test repositories are never opened. What the weights are worth is measured by E5 of
``codewm eval``, which runs the product's own code.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from codewm_lsp.errors import TrainingError
from codewm_lsp.ranking.ranker import CASES, MODEL_ASKED, Joint, Opinion, Several, probabilities, together
from codewm_lsp.ranking.trees import NO_TREES, Trees
from codewm_lsp.world_model import WorldModel
from codewm_model.data.gathering import Asking, Gathered, Groups, Lists, gathered
from codewm_model.data.replay import clone_of
from codewm_model.evaluation.where_next_protocol import SHOWN, THRESHOLDS, Looks, curve, first_relevant, reliability
from codewm_model.ranking.boosting import ROUNDS, fit_trees, scores_of

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

TRAIN: Final = (
    "psf/black",
    "celery/celery",
    "pallets/werkzeug",
    "pallets/jinja",
    "tornadoweb/tornado",
    "sphinx-doc/sphinx",
    "python-poetry/poetry",
    "pylint-dev/pylint",
    "mitmproxy/mitmproxy",
    "httpie/cli",
    "redis/redis-py",
    "sqlalchemy/sqlalchemy",
    "borgbackup/borg",
    "scikit-image/scikit-image",
    "aio-libs/aiohttp",
    "pypa/pip",
    "pypa/setuptools",
    "pypa/virtualenv",
    "python/mypy",
    "PyCQA/flake8",
    "certbot/certbot",
    "buildbot/buildbot",
    "boto/botocore",
    "twisted/twisted",
    "conan-io/conan",
    "Textualize/textual",
    "nltk/nltk",
    "pydata/xarray",
    "HypothesisWorks/hypothesis",
    "gitpython-developers/GitPython",
    "ipython/ipython",
    "jupyterhub/jupyterhub",
    "streamlink/streamlink",
    "yt-dlp/yt-dlp",
    "beetbox/beets",
    "wagtail/wagtail",
    "encode/django-rest-framework",
    "django/django",
    "scikit-learn/scikit-learn",
    "astropy/astropy",
)
VALIDATION: Final = ("tox-dev/tox", "encode/uvicorn", "PyCQA/isort", "urllib3/urllib3", "encode/starlette")


PLAIN_DEFINITION: Final = (
    "gone_amount",
    "fresh_amount",
    "shared_words",
    "similarity",
    "coupling",
    "distance",
    "recency",
    "frequency",
    "size",
)
PLAIN_FILE: Final = (
    "coupling",
    "recency",
    "frequency",
    "same_folder",
    "counterpart",
    "definitions",
    "best:gone_amount",
    "best:fresh_amount",
    "best:similarity",
)
SURE: Final = 0.55  # precision asked for on validation, so that half holds elsewhere
PARTS: Final = ("definitions", "files")
OPINIONS: Final = 30  # lists of a repository about which the world model is asked, to learn what its logit is worth
LOUDER: Final = (0.0, 0.5, 1.0, 2.0, 3.0)  # how loud its opinion may be, beside what was learnt: validation chooses
LOOKS: Final = 100  # groups of a repository about which it is asked, to choose the threshold


# The two models, each a linear one and trees


@dataclass(frozen=True, slots=True)
class Fit:
    """Weights of raw signals: always, and added in each case, (1 + CASES, K); trees over the same, by ``names``."""

    weights: NDArray[np.float64]
    trees: Trees = NO_TREES
    names: tuple[str, ...] = ()

    def linear(self, lists: Lists) -> NDArray[np.float64]:
        """What the weights alone say of every row."""
        held = np.concatenate([np.ones((len(lists), 1)), lists.cases], 1)
        each = held @ self.weights  # (lists, K)
        per_row = np.repeat(each, np.diff(lists.start), axis=0)
        return np.asarray((lists.signals * per_row).sum(1))

    def scores(self, lists: Lists) -> NDArray[np.float64]:
        """The score of every row."""
        return self.linear(lists) + scores_of(self.trees, lists, self.names)

    def mixed(self, shares: tuple[float, float]) -> Fit:
        """Weights and trees multiplied by their shares."""
        return Fit(shares[0] * self.weights, self.trees.times(shares[1]), self.names)


def with_trees(linear: Fit, train: Sequence[Lists], names: tuple[str, ...], rounds: int) -> Fit:
    """A linear model and trees, each learnt for itself; ``shares_of`` says how they are to be added up."""
    return Fit(linear.weights, fit_trees(train, names, rounds) if rounds else NO_TREES, names)


def shares_of(held: Sequence[Lists], strangers: Sequence[Fit]) -> tuple[float, float]:
    """How much the weights and the trees count, learnt on lists that neither has seen (one of ``strangers`` each)."""
    both = []
    for lists, fitted in zip(held, strangers, strict=True):
        if not len(lists):
            continue
        said = np.stack([fitted.linear(lists), scores_of(fitted.trees, lists, fitted.names)], 1)
        both.append(replace(lists, signals=said.astype(np.float32)))
    found = fit_lists(both, penalty=1e-4, cases=False).weights[0]
    return max(0.0, float(found[0])), max(0.0, float(found[1]))


def _thinned(lists: Lists) -> Lists:
    """One in three of the rows that stand for others, each for three times as many."""
    sampled = np.flatnonzero(lists.weight > 1)
    keep = lists.weight <= 1
    keep[sampled[::3]] = True
    counts = np.add.reduceat(keep.astype(np.int64), lists.start[:-1]) if len(lists) else np.zeros(0, dtype=np.int64)
    return replace(
        lists,
        signals=lists.signals[keep],
        relevant=lists.relevant[keep],
        soon=lists.soon[keep],
        weight=np.where(lists.weight > 1, 3 * lists.weight, lists.weight)[keep],
        text=lists.text[keep],
        start=np.concatenate([[0], np.cumsum(counts)]),
    )


def fit_lists(
    train: Sequence[Lists], *, penalty: float, cases: bool = True, columns: Sequence[int] | None = None
) -> Fit:
    """Conditional logistic regression: of a list, the relevant rows are drawn by a softmax over weighed signals.

    Each repository weighs as the square root of its lists. ``penalty``: of squared weights of standardised signals.
    """
    used = [_thinned(lists) for lists in train if len(lists)]
    width = used[0].signals.shape[1]
    chosen = np.arange(width) if columns is None else np.asarray(columns)
    every = np.concatenate([lists.signals[:, chosen] for lists in used])
    spread = every.std(0) + 1e-6
    groups = 1 + (len(CASES) if cases else 0)
    rows = torch.from_numpy(((every - every.mean(0)) / spread).clip(-8, 8))
    held = np.concatenate([np.concatenate([np.ones((len(one), 1)), one.cases], 1)[:, :groups] for one in used])
    held[:, 1:] *= 0.5  # what is particular to a case has to earn its weight
    lengths = np.concatenate([np.diff(one.start) for one in used])
    total = len(lengths)
    list_of = torch.from_numpy(np.repeat(np.arange(total), lengths))
    row_cases = torch.from_numpy(held.astype(np.float32))[list_of]
    relevant = torch.from_numpy(np.concatenate([one.relevant for one in used]).astype(np.float32))
    log_weight = torch.from_numpy(np.log(np.concatenate([one.weight for one in used])))
    heaviness = np.concatenate([np.full(len(one), len(one) ** -0.5) for one in used])
    importance = torch.from_numpy(heaviness.astype(np.float32))
    number = torch.zeros(total).index_add(0, list_of, relevant)
    weights = torch.zeros((groups, len(chosen)), requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=80, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        score = ((rows @ weights.T) * row_cases).sum(1)
        shifted = score + log_weight
        top = torch.full((total,), -1e9).scatter_reduce(0, list_of, shifted.detach(), "amax")
        sums = torch.zeros(total).index_add(0, list_of, torch.exp(shifted - top[list_of]))
        gain = torch.zeros(total).index_add(0, list_of, relevant * (score - (torch.log(sums) + top)[list_of])) / number
        value = -(importance * gain).sum() / importance.sum() + penalty * (weights**2).sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    found = weights.detach().numpy().astype(np.float64)
    found[1:] *= 0.5
    result = np.zeros((1 + len(CASES), width))
    result[:groups, chosen] = found / spread
    return Fit(result)


# From scores to probabilities


def logistic(rows: Doubles, answers: NDArray[np.bool_], weights: Doubles, offset: Doubles | None = None) -> Doubles:
    """Coefficients of a logistic regression, by Newton's method with a trace of a penalty."""
    base = np.zeros(len(rows)) if offset is None else offset
    found = np.zeros(rows.shape[1])
    for _ in range(50):
        said = probabilities(base + rows @ found)
        gradient = rows.T @ (weights * (answers - said)) - 1e-3 * found
        bend = (rows * (weights * said * (1 - said))[:, None]).T @ rows + 1e-3 * np.eye(len(found))
        step = np.linalg.solve(bend, gradient)
        found += step
        if np.abs(step).max() < 1e-8:
            break
    return np.asarray(found)


def surprise(odds: Doubles, answers: NDArray[np.bool_], weights: Doubles) -> float:
    """Mean log loss."""
    loss = np.logaddexp(0, np.where(answers, -odds, odds))
    return float((loss * weights).sum() / weights.sum())


@dataclass(frozen=True, slots=True)
class _Joined:
    """What the joint weights are learnt from: a row for each candidate after each edit of a group."""

    inside: NDArray[np.bool_]
    definition: Doubles  # logit
    crowd: Doubles  # log of the sum of the exponentials of the logits in the same file
    file: Doubles  # logit, 0 inside
    lead: Doubles


def _joined(groups: Groups, definition: Fit, file: Fit) -> _Joined:
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
    crowd = best + np.log(total)
    return _Joined(inside, logits, crowd[place], file_logits, logits - best[place])


def _each_alone(rows: Floats, cases: NDArray[np.bool_]) -> Lists:
    """Rows as lists of one row each, of these cases."""
    count = len(rows)
    nothing, numbers = np.zeros(count, dtype=bool), np.zeros(count, dtype=np.int64)
    return Lists(
        signals=rows,
        relevant=nothing,
        soon=nothing,
        weight=np.ones(count, dtype=np.float32),
        text=numbers - 1,
        start=np.arange(count + 1),
        cases=cases,
        reveal=numbers,
        edit=numbers,
    )


def _rows_of(lists: Lists, wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.repeat(wanted, np.diff(lists.start))


def _strangers(learnt: Sequence[Gathered], penalties: Mapping[str, float], rounds: int) -> dict[str, list[Fit]]:
    """For each repository, by part, the model learnt on the other half of them.

    What probabilities mean is learnt from these: of the repositories that a model was learnt on it is too sure.
    """
    found: dict[str, list[Fit]] = {}
    for part in PARTS:
        halves = []
        for half in (0, 1):
            others = [one for number, one in enumerate(learnt) if number % 2 != half] or list(learnt)
            lists = [getattr(one, part) for one in others]
            linear = fit_lists(lists, penalty=penalties[part])
            halves.append(with_trees(linear, lists, names_of(learnt[0], part), rounds))
        found[part] = [halves[number % 2] for number in range(len(learnt))]
    return found


def names_of(one: Gathered, part: str) -> tuple[str, ...]:
    """The names of the signals of definitions, or of files."""
    return one.definition_names if part == "definitions" else one.file_names


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
        columns = _joined(one.groups, definition, file)
        picked = _rows_of(lists, alone)
        weight = lists.weight.astype(np.float64) / alone.sum() ** 0.5
        for number, (rows, values) in enumerate(
            (
                (here, np.stack([np.ones(len(picked)), columns.definition, columns.crowd], 1)),
                (there, np.stack([np.ones(len(picked)), columns.file, columns.lead], 1)),
            )
        ):
            chosen = picked & (columns.inside == (number == 0))
            rows.append(values[chosen])
            answers[number].append(lists.soon[chosen])
            heavy[number].append(weight[chosen])
    own, of_definition, crowd = logistic(
        np.concatenate(here), np.concatenate(answers[0]), np.concatenate(heavy[0])
    ).tolist()
    bias, of_file, lead = logistic(np.concatenate(there), np.concatenate(answers[1]), np.concatenate(heavy[1])).tolist()
    return Joint(*(round(value, 5) for value in (own, of_definition, crowd, bias, of_file, lead)))


def odds_of(groups: Groups, definition: Fit, file: Fit, joint: Joint) -> Doubles:
    """The log-odds that each edit alone gives to each row, as ``log_odds`` of the product."""
    columns = _joined(groups, definition, file)
    inside = joint.own + joint.definition * columns.definition + joint.crowd * columns.crowd
    outside = joint.bias + joint.file * columns.file + joint.lead * columns.lead
    return np.where(columns.inside, inside, outside)


@dataclass(frozen=True, slots=True)
class _Group:
    """The candidates of one group: log-odds after each edit (n, C), answers and weights; ``rows`` of the newest.

    ``own``: those of the newest edit's file. ``edits``: numbers of the edits in progress.
    """

    odds: Doubles
    soon: NDArray[np.bool_]
    weight: Doubles
    rows: slice
    own: NDArray[np.bool_]
    edits: tuple[int, ...]


def _groups(one: Gathered, odds: Doubles) -> list[_Group]:
    lists = one.groups.lists
    found = []
    for group in np.unique(one.groups.group).tolist():
        numbers = np.flatnonzero(one.groups.group == group)
        spans = [slice(int(lists.start[number]), int(lists.start[number + 1])) for number in numbers]
        newest = spans[0]
        found.append(
            _Group(
                odds=np.stack([odds[span] for span in spans]),
                soon=lists.soon[newest],
                weight=lists.weight[newest].astype(np.float64),
                rows=newest,
                own=one.groups.file[newest] < 0,
                edits=tuple(lists.edit[numbers].tolist()),
            )
        )
    return found


def fit_several(train: Sequence[Gathered], odds: Sequence[Doubles]) -> Several:
    """How the evidence of several edits combines, learnt where several were revealed."""
    groups: list[tuple[_Group, float]] = []
    for one, some in zip(train, odds, strict=True):
        several = [group for group in _groups(one, some) if len(group.odds) > 1]
        groups += [(group, len(several) ** -0.5) for group in several]
    if not groups:
        return Several()
    answers = np.concatenate([group.soon for group, _ in groups])
    weights = np.concatenate([group.weight * share for group, share in groups])
    logs = np.concatenate([np.full(group.odds.shape[1], np.log(len(group.odds))) for group, _ in groups])
    best: tuple[float, Several] | None = None
    for sharpness in (0.1, 0.25, 0.5, 1.0, 2.0, 4.0):
        for older in (0.6, 0.8, 1.0):
            plain = Several(sharpness, older)
            mean = np.concatenate([together(group.odds, plain) for group, _ in groups])
            count, slope = logistic(np.stack([logs, logs * mean], 1), answers, weights, mean)
            loss = surprise(mean + logs * (count + slope * mean), answers, weights)
            if best is None or loss < best[0]:
                best = (loss, Several(sharpness, older, round(float(count), 5), round(float(slope), 5)))
    assert best is not None
    return best[1]


@dataclass(frozen=True, slots=True)
class _Told:
    """The likeliest definitions of lists, with what the world model says of them."""

    odds: Doubles
    logits: Doubles
    relevant: NDArray[np.bool_]
    soon: NDArray[np.bool_]
    start: NDArray[np.int64]
    weight: Doubles  # of each list


def _told(train: Sequence[Gathered], asking: Sequence[Asking], fitted: Sequence[Fit], joint: Joint) -> _Told:
    parts: list[tuple[Doubles, Doubles, NDArray[np.bool_], NDArray[np.bool_]]] = []
    weights: list[float] = []
    for one, ask, definition in zip(train, asking, fitted, strict=True):
        lists = one.definitions
        scores = definition.scores(lists)
        for number in range(min(len(lists), OPINIONS)):
            span = slice(int(lists.start[number]), int(lists.start[number + 1]))
            odds = _own_odds(scores[span], joint)
            likely = np.argsort(-odds, kind="stable")[:MODEL_ASKED]
            logits = ask([int(lists.edit[number])], lists.text[span][likely].tolist()).astype(np.float64)
            parts.append((odds[likely], logits, lists.relevant[span][likely], lists.soon[span][likely]))
            weights.append(len(lists) ** -0.5)
    odds, logits, relevant, soon = (np.concatenate(column) for column in zip(*parts, strict=True))
    start = np.cumsum([0, *(len(part[0]) for part in parts)])
    return _Told(odds, logits, relevant, soon, start, np.array(weights))


def fit_opinion(told: _Told, model: str, louder: float = 1.0) -> Opinion:
    """What the world model's logit adds for the likeliest definitions of the revealed edit's file.

    How much it counts beside the log-odds is learnt from the order within lists; ``louder`` multiplies it. Then both
    are scaled together, so that they mean probabilities.
    """
    mean, spread = float(told.logits.mean()), float(told.logits.std()) + 1e-6
    said = np.clip((told.logits - mean) / spread, -3, 3)
    lists = Lists(
        signals=np.stack([told.odds, said], 1).astype(np.float32),
        relevant=told.relevant,
        soon=told.soon,
        weight=np.ones(len(said), dtype=np.float32),
        text=np.full(len(said), -1),
        start=told.start,
        cases=np.zeros((len(told.start) - 1, len(CASES)), dtype=bool),
        reveal=np.zeros(len(told.start) - 1, dtype=np.int64),
        edit=np.zeros(len(told.start) - 1, dtype=np.int64),
    )
    found = fit_lists([_answerable(lists)], penalty=1e-4, cases=False).weights[0]
    share = louder * max(0.0, float(found[1])) / max(1e-6, float(found[0]))
    rows = told.odds + share * said
    heavy = np.repeat(told.weight, np.diff(told.start))
    _, kept = logistic(np.stack([np.ones(len(rows)), rows], 1), told.soon, heavy).tolist()
    # These lists all hold something relevant: how likely that is has been learnt, and must stay, from the groups.
    bias = _bias(kept * rows, float(np.average(probabilities(told.odds), weights=heavy)), heavy)
    return Opinion(
        weight=round(kept * share, 5),
        kept=round(kept, 5),
        bias=round(bias, 5),
        mean=round(mean, 5),
        spread=round(spread, 5),
        model=model,
    )


def _bias(odds: Doubles, wanted: float, weights: Doubles) -> float:
    """What has to be added to log-odds for the mean of the probabilities to be ``wanted``."""
    low, high = -20.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        if np.average(probabilities(odds + middle), weights=weights) < wanted:
            low = middle
        else:
            high = middle
    return low


def _answerable(lists: Lists) -> Lists:
    """Those lists that hold something relevant, and something that is not."""
    counts = np.diff(lists.start)
    right = np.add.reduceat(lists.relevant.astype(np.int64), lists.start[:-1])
    keep = (right > 0) & (right < counts)
    rows = np.repeat(keep, counts)
    return replace(
        lists,
        signals=lists.signals[rows],
        relevant=lists.relevant[rows],
        soon=lists.soon[rows],
        weight=lists.weight[rows],
        text=lists.text[rows],
        start=np.concatenate([[0], np.cumsum(counts[keep])]),
        cases=lists.cases[keep],
        reveal=lists.reveal[keep],
        edit=lists.edit[keep],
    )


def _own_odds(scores: Doubles, joint: Joint) -> Doubles:
    crowd = float(np.logaddexp.reduce(scores))
    return np.asarray(joint.own + joint.definition * scores + joint.crowd * crowd)


def looks_of(one: Gathered, odds: Doubles, several: Several, opinion: Opinion, ask: Asking | None) -> Looks:
    """The lenses that would be seen in the file of the newest edit, by the weights as they are."""
    looks = Looks()
    lists = one.groups.lists
    for group in _groups(one, odds)[: None if ask is None else LOOKS]:
        if not group.own.any():
            continue
        combined = together(group.odds, several)[group.own]
        order = np.argsort(-combined, kind="stable")
        combined = combined[order]
        if ask is not None:
            likely = lists.text[group.rows][group.own][order][:MODEL_ASKED].tolist()
            asked = opinion.of(combined[: len(likely)], ask(group.edits, likely), opinion.model)
            again = np.argsort(-asked, kind="stable")
            order[: len(likely)] = order[: len(likely)][again]
            combined = np.concatenate([asked[again], np.minimum(combined[len(likely) :], asked.min())])
        limit = max(0, SHOWN - len(group.odds))
        looks.add(len(group.odds), probabilities(combined), group.soon[group.own][order], limit)
    return looks


def threshold_of(looks: Mapping[str, Looks]) -> float:
    """The lowest threshold from which on lenses are right often enough.

    ``SURE`` of them all together, and half of them with one edit in progress, with several, and in the mean repository.
    """
    whole = _all(looks)
    for threshold in THRESHOLDS:
        found = np.array([one.at(threshold) for one in looks.values()], dtype=np.float64)
        some = found[found[:, 2] >= 5]
        _, _, lenses, right = whole.at(threshold)
        parts = [whole.at(threshold, kinds) for kinds in ([0], [1, 2])]
        enough = [part[3] >= part[2] / 2 for part in parts] + [not len(some) or (some[:, 3] / some[:, 2]).mean() >= 0.5]
        if lenses and right >= SURE * lenses and all(enough):
            return threshold
    raise TrainingError("No threshold is right often enough on the validation repositories. Gather more commits.")


# The command


def main(arguments: Sequence[str] | None = None) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        prog="python -m codewm_model.ranking.where_next_fit", description="Fit the where-next blend."
    )
    parser.add_argument("--repos", type=Path, required=True, help="folder of local clones, one per owner+name")
    parser.add_argument("--cache", type=Path, required=True, help="folder for what is gathered from them")
    parser.add_argument("--model", type=Path, help="bundle whose logit the weights are fitted to; the shipped one")
    parser.add_argument("--output", type=Path, help="weights.json to write")
    parser.add_argument("--report", type=Path, help="JSON report to write")
    parser.add_argument("--curve", type=Path, help="folder for pictures of the lens curve")
    parser.add_argument("--train", nargs="*", default=list(TRAIN), help="owner/name of the repositories learnt on")
    parser.add_argument("--commits", type=int, default=150, help="newest commits asked about, of a held-out repository")
    parser.add_argument("--train-commits", type=int, default=60, help="the same, of a repository learnt on")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="trees of each part; 0: the linear models alone")
    parser.add_argument("--penalties", type=float, nargs="*", default=[3e-2, 1e-1])
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    model = WorldModel.load(options.model)
    validation = _gather_all(
        options, VALIDATION, commits=options.commits, reveals=1, groups=options.commits, all_files=True
    )
    train = _gather_all(options, options.train, commits=options.train_commits, reveals=2, groups=40, all_files=False)
    record, report = fit(train, validation, model, options)
    if options.output:
        options.output.write_text(_written(record), encoding="utf-8")
    if options.report:
        options.report.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if options.curve:
        from codewm_model.ranking.lens_curve import draw

        draw(report["lenses"]["curve"], record["threshold"], options.curve)
    print(json.dumps({name: value for name, value in report.items() if name != "lenses"}, indent=1))


def _written(record: Mapping[str, Any]) -> str:
    """JSON that can be read and compared: a line for each weight, and one for each tree."""
    apart = {name: record[name]["trees"] for name in record if name.endswith("_trees")}
    short = {
        **record,
        **{name: {**record[name], "trees": [f"{name} {i}" for i in range(len(apart[name]))]} for name in apart},
    }
    text = json.dumps(short, indent=1) + "\n"
    for name, trees in apart.items():
        for number, tree in enumerate(trees):
            text = text.replace(f'"{name} {number}"', json.dumps(tree, separators=(",", ":")), 1)
    return text


def _gather_all(options: argparse.Namespace, names: Sequence[str], **settings: Any) -> dict[str, tuple[Gathered, str]]:
    found: dict[str, tuple[Gathered, str]] = {}
    for name in names:
        folder = clone_of(options.repos, name)
        if folder is None:
            print(f"{name}: no clone in {options.repos}; left out", file=sys.stderr)
            continue
        found[name] = gathered(folder, options.cache, name, **settings)
        one = found[name][0]
        said = f"{name}: {len(one.definitions)} lists of definitions, {len(one.files)} of files"
        print(said, file=sys.stderr, flush=True)
    if not found:
        raise TrainingError(f"{options.repos} holds none of the repositories: clone them there as owner+name.")
    return found


def fit(
    train: Mapping[str, tuple[Gathered, str]],
    validation: Mapping[str, tuple[Gathered, str]],
    model: WorldModel,
    options: argparse.Namespace,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The record of ``weights.json``, and a report on the validation repositories."""
    learnt, held = [one for one, _ in train.values()], [one for one, _ in validation.values()]
    names = {part: names_of(learnt[0], part) for part in PARTS}
    report: dict[str, Any] = {"MRR, R@1, R@3": {}, "penalties": {}, "shares": {}, "with the model": {}}
    fits: dict[str, Fit] = {}
    plain: dict[str, Fit] = {}
    for part, few in zip(PARTS, (PLAIN_DEFINITION, PLAIN_FILE), strict=True):
        lists: list[Lists] = [getattr(one, part) for one in learnt]
        others: list[Lists] = [getattr(one, part) for one in held]
        columns = [names[part].index(name) for name in few]
        plain[part] = fit_lists(lists, penalty=1e-4, cases=False, columns=columns)
        tried = {penalty: fit_lists(lists, penalty=penalty) for penalty in options.penalties}
        scores = {penalty: _mean(tried[penalty], others)[0] for penalty in tried}
        best = max(scores, key=lambda penalty: scores[penalty])
        fits[part] = with_trees(tried[best], lists, names[part], options.rounds)
        report["penalties"][f"{part} chosen"] = best
        report["penalties"][part] = {f"{penalty:g}": round(score, 4) for penalty, score in scores.items()}
        report["MRR, R@1, R@3"][part] = {
            "random": _rounded(_mean(None, others)),
            "plain blend": _rounded(_mean(plain[part], others)),
            "linear alone": _rounded(_mean(tried[best], others)),
        }
    apart = _strangers(learnt, {part: report["penalties"][f"{part} chosen"] for part in PARTS}, options.rounds)
    for part in PARTS:
        lists, others = [getattr(one, part) for one in learnt], [getattr(one, part) for one in held]
        shares = shares_of(lists, apart[part])
        report["shares"][part] = dict(zip(("linear", "trees"), shares, strict=True))
        apart[part] = [fitted.mixed(shares) for fitted in apart[part]]
        mixed = fits[part].mixed(shares)
        report["MRR, R@1, R@3"][part] |= {
            "trees alone": _rounded(_mean(fits[part].mixed((0.0, 1.0)), others)),
            "blend": _rounded(_mean(mixed, others)),
            "blend, on the train repositories": _rounded(_mean(mixed, lists)),
            "blend, on the other half of them": _rounded(_each_by_its_own(apart[part], lists)),
        }
        fits[part] = mixed
    strangers = list(zip(apart["definitions"], apart["files"], strict=True))
    joint = fit_joint(learnt, strangers)
    odds = [odds_of(one.groups, *fitted, joint) for one, fitted in zip(learnt, strangers, strict=True)]
    several = fit_several(learnt, odds)
    asking = [Asking(one, key, model, options.cache) for one, key in train.values()]
    told = _told(learnt, asking, [fitted[0] for fitted in strangers], joint)
    asking_held = {name: Asking(one, key, model, options.cache) for name, (one, key) in validation.items()}
    asking += asking_held.values()
    tried_opinions = {louder: fit_opinion(told, model.hash, louder) for louder in LOUDER}
    heard: dict[float, dict[str, Any]] = {
        louder: {
            name: _with_model(one, asking_held[name], fits["definitions"], joint, opinion)
            for name, (one, _) in validation.items()
            if len(one.definitions)
        }
        for louder, opinion in tried_opinions.items()
    }
    means = {louder: float(np.mean([one["with"][0] for one in found.values()])) for louder, found in heard.items()}
    louder = max(LOUDER, key=lambda one: means[one])
    opinion = tried_opinions[louder]
    report["with the model"] = {
        "by how loud it is": {f"{one:g}": round(value, 4) for one, value in means.items()},
        "repositories": {
            name: {system: _rounded(values) for system, values in found.items()}
            for name, found in heard[louder].items()
        },
    }
    looks: dict[str, Looks] = {}
    bare: dict[str, Looks] = {}
    for name, (one, _) in validation.items():
        some = odds_of(one.groups, fits["definitions"], fits["files"], joint)
        looks[name] = looks_of(one, some, several, opinion, asking_held[name])
        bare[name] = looks_of(one, some, several, opinion, None)
    for ask in asking:
        ask.save()
    threshold = threshold_of(looks)
    everything, without = _all(looks), _all(bare)
    report["joint"], report["several"], report["opinion"] = asdict(joint), asdict(several), asdict(opinion)
    report["threshold"] = threshold
    at = ("looks", "looks with a lens", "lenses", "right")
    report["at the threshold"] = {
        name: dict(zip(at, one.at(threshold), strict=True)) for name, one in {**looks, "all": everything}.items()
    }
    report["lenses"] = {
        "curve": {name: curve(one) for name, one in {**looks, "all": everything}.items()},
        "reliability": reliability(everything),
        "reliability without a model": reliability(without),
    }
    record = {
        "definition": _record(fits["definitions"], names["definitions"]),
        "file": _record(fits["files"], names["files"]),
        "definition_trees": fits["definitions"].trees.record(),
        "file_trees": fits["files"].trees.record(),
        "joint": asdict(joint),
        "several": asdict(several),
        "opinion": asdict(opinion),
        "threshold": threshold,
        "plain": {
            name: _record(plain[part], names[part])["always"]
            for name, part in zip(("definition", "file"), PARTS, strict=True)
        },
        "provenance": {
            "model": model.name,
            "train": {name: one.heads[0] for name, (one, _) in sorted(train.items())},
            "validation": {name: one.heads[0] for name, (one, _) in sorted(validation.items())},
            "lists": {part: sum(len(getattr(one, part)) for one in learnt) for part in PARTS},
            "commits": [options.train_commits, options.commits],
            "validation_mrr": {part: report["MRR, R@1, R@3"][part]["blend"][0] for part in PARTS},
            "command": "python -m codewm_model.ranking.where_next_fit --repos CLONES --cache FOLDER "
            "--output codewm_lsp/ranking/weights.json"
            f" --train-commits {options.train_commits} --commits {options.commits} --train {' '.join(train)}",
        },
    }
    return record, report


def _all(looks: Mapping[str, Looks]) -> Looks:
    whole = Looks()
    for one in looks.values():
        whole.shown += one.shown
        whole.bins += one.bins
    return whole


def _with_model(
    one: Gathered, ask: Asking, definition: Fit, joint: Joint, opinion: Opinion
) -> dict[str, NDArray[np.float64]]:
    """MRR, R@1 and R@3 of a repository's lists about which the model was asked: without it, and with it."""
    lists = one.definitions
    scores = definition.scores(lists)
    chance = np.random.default_rng(0)
    found: dict[str, list[tuple[float, float, float]]] = {"without": [], "with": []}
    for number in range(min(len(lists), LOOKS)):
        span = slice(int(lists.start[number]), int(lists.start[number + 1]))
        odds = _own_odds(scores[span], joint)
        found["without"].append(first_relevant(odds, lists.relevant[span], chance))
        likely = np.argsort(-odds, kind="stable")[:MODEL_ASKED]
        logits = ask([int(lists.edit[number])], lists.text[span][likely].tolist())
        asked = opinion.of(odds[likely], logits, opinion.model)
        odds = odds - odds.max() + asked.min() - 1
        odds[likely] = asked
        found["with"].append(first_relevant(odds, lists.relevant[span], chance))
    return {name: np.mean(values, 0) for name, values in found.items() if values}


def _ranks(scores: NDArray[Any], lists: Lists) -> Doubles:
    """For each list (1 / rank of the first relevant row, found first?, found among three?), ties at random."""
    chance = np.random.default_rng(0)
    spans = [slice(int(low), int(high)) for low, high in zip(lists.start[:-1], lists.start[1:], strict=True)]
    return np.array([first_relevant(scores[span], lists.relevant[span], chance) for span in spans])


def _mean(fitted: Fit | None, held: Sequence[Lists]) -> Doubles:
    """Mean over repositories of the means over their lists."""
    each = [
        _ranks(np.zeros(len(lists.relevant)) if fitted is None else fitted.scores(lists), lists).mean(0)
        for lists in held
        if len(lists)
    ]
    return np.asarray(np.mean(each, 0))


def _each_by_its_own(fitted: Sequence[Fit], held: Sequence[Lists]) -> Doubles:
    """As ``_mean``, each repository by the model that stands beside it."""
    each = [_mean(one, [lists]) for one, lists in zip(fitted, held, strict=True) if len(lists)]
    return np.asarray(np.mean(each, 0))


def _record(fitted: Fit, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """The weights by case and name, those that move nothing left out."""
    record: dict[str, dict[str, float]] = {}
    for case, row in zip(("always", *CASES), fitted.weights, strict=True):
        record[case] = {
            name: float(f"{weight:.4g}") for name, weight in zip(names, row, strict=True) if abs(weight) > 1e-5
        }
    return record


def _rounded(values: NDArray[Any]) -> list[float]:
    return [round(float(value), 4) for value in values]


if __name__ == "__main__":
    main()

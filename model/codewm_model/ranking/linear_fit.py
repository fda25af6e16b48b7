"""Weights for signals, learnt from lists of candidates: which of them the commit changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from codewm_lsp.ranking.boosted_trees import NO_TREES, Trees
from codewm_lsp.ranking.ranker import CASES, Case, probabilities
from codewm_model.data.gathering import Lists
from codewm_model.ranking.boosting import SEED, fit_trees, scores_of

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fit:
    """Weights of raw signals: always, and added in each case, (1 + CASES, K); trees over the same, by ``names``."""

    weights: NDArray[np.float64]
    trees: Trees = NO_TREES
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, weights: Mapping[str, Case], trees: Trees, names: tuple[str, ...]) -> Fit:
        """The model of one level of a ranker, over signals of these names."""
        table = [[weights.get(case, {}).get(name, 0.0) for name in names] for case in ("always", *CASES)]
        return cls(np.array(table, dtype=np.float64), trees, names)

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


def with_trees(linear: Fit, train: Sequence[Lists], names: tuple[str, ...], rounds: int, seed: int = SEED) -> Fit:
    """A linear model and trees, each learnt for itself; ``shares_of`` says how they are to be added up."""
    return Fit(linear.weights, fit_trees(train, names, rounds, seed) if rounds else NO_TREES, names)


def shares_of(held: Sequence[Lists], out_of_fold: Sequence[Fit]) -> tuple[float, float]:
    """How much the weights and the trees count, learnt on lists that neither has seen (one of ``out_of_fold`` each)."""
    both = []
    for lists, fitted in zip(held, out_of_fold, strict=True):
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


def log_loss(odds: Doubles, answers: NDArray[np.bool_], weights: Doubles) -> float:
    """Mean log loss."""
    loss = np.logaddexp(0, np.where(answers, -odds, odds))
    return float((loss * weights).sum() / weights.sum())

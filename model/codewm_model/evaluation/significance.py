"""Figures → means over repositories, their intervals, and paired tests against the best baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap, permutation_test

from codewm_model.evaluation.measurement import Figure, Role

RESAMPLES: Final = 10_000
PERMUTATIONS: Final = 100_000  # with up to 16 repositories all changes of sign are fewer, and all are tried


@dataclass(frozen=True, slots=True)
class Comparison:
    """A system against another, repository by repository: the mean difference, its interval, and a p-value.

    ``p`` is that of the two-sided sign-flip permutation test; with few repositories it cannot be small
    (5 of them: at least 0.0625).
    """

    other: str
    difference: float
    low: float
    high: float
    p: float
    repositories: int


@dataclass(frozen=True, slots=True)
class Summary:
    """One cell: the mean over repositories (of the mean over seeds), its 95 % bootstrap interval over repositories.

    ``n``: queries in all, of one seed. ``spread``: standard deviation over seeds of the mean over repositories.
    """

    mean: float
    low: float
    high: float
    n: int
    seeds: tuple[int, ...]
    spread: float
    by_repository: Mapping[str, float]
    against: Comparison | None = None


Cells = dict[str, dict[str, dict[str, Summary]]]
"""setting → metric → system → summary."""


def summarise(
    figures: Sequence[Figure], roles: Mapping[str, Role], better: Mapping[str, bool | None], *, seed: int = 0
) -> Cells:
    """All cells of a protocol, models and blends compared with the best of what they have to clear."""
    values: dict[tuple[str, str, str], dict[str, dict[int, tuple[float, int]]]] = {}
    for figure in figures:
        cell = values.setdefault((figure.setting, figure.metric, figure.system), {})
        cell.setdefault(figure.repository, {})[figure.seed] = figure.value, figure.n
    cells: Cells = {}
    for (setting, metric, system), found in values.items():
        cells.setdefault(setting, {}).setdefault(metric, {})[system] = _summary(found, seed)
    for metrics in cells.values():
        for metric, systems in metrics.items():
            more = better.get(metric)
            if more is None:
                continue
            for system, summary in list(systems.items()):
                other = _rival(system, systems, roles, more)
                if other is not None:
                    systems[system] = _compared(summary, systems[other], other, seed)
    return cells


def _summary(found: Mapping[str, Mapping[int, tuple[float, int]]], seed: int) -> Summary:
    by_repository = {name: float(np.mean([v for v, _ in seeds.values()])) for name, seeds in found.items()}
    low, high = interval(np.array(list(by_repository.values())), seed)
    seeds = sorted({one for own in found.values() for one in own})
    by_seed = [float(np.mean([own[one][0] for own in found.values() if one in own])) for one in seeds]
    return Summary(
        mean=float(np.mean(list(by_repository.values()))),
        low=low,
        high=high,
        n=sum(max(n for _, n in own.values()) for own in found.values()),
        seeds=tuple(seeds),
        spread=float(np.std(by_seed, ddof=1)) if len(by_seed) > 1 else 0.0,
        by_repository=by_repository,
    )


def _rival(system: str, systems: Mapping[str, Summary], roles: Mapping[str, Role], more: bool) -> str | None:
    """The best of what a system has to clear; not what is named as another system's own: "copy (other)"."""
    role = roles.get(system, Role.BOUND)
    kinds = {Role.MODEL: (Role.BASELINE,), Role.BLEND: (Role.BASELINE, Role.BAR)}.get(role)
    if kinds is None:
        return None
    foreign = tuple(f"({other})" for other in systems if other != system)
    rivals = [name for name in systems if roles.get(name) in kinds and not name.endswith(foreign)]
    if not rivals:
        return None
    return (max if more else min)(rivals, key=lambda name: systems[name].mean)


def _compared(summary: Summary, other: Summary, name: str, seed: int) -> Summary:
    shared = [one for one in summary.by_repository if one in other.by_repository]
    differences = np.array([summary.by_repository[one] - other.by_repository[one] for one in shared])
    if not len(differences):
        return summary
    low, high = interval(differences, seed)
    comparison = Comparison(name, float(differences.mean()), low, high, sign_flips(differences, seed), len(differences))
    return Summary(
        summary.mean,
        summary.low,
        summary.high,
        summary.n,
        summary.seeds,
        summary.spread,
        summary.by_repository,
        comparison,
    )


def interval(values: NDArray[np.float64], seed: int, share: float = 0.95) -> tuple[float, float]:
    """Percentile bootstrap of the mean, repositories being drawn."""
    if len(values) < 2:
        return (float(values[0]), float(values[0])) if len(values) else (float("nan"), float("nan"))
    found = bootstrap(
        (values,),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=share,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(found.low), float(found.high)


def sign_flips(differences: NDArray[np.float64], seed: int) -> float:
    """Two-sided p-value of the mean difference when each repository's sign might as well be the other."""
    if len(differences) < 2:
        return 1.0  # either sign of a single one is as far from nothing
    found = permutation_test(
        (differences,),
        np.mean,
        permutation_type="samples",  # of one sample: its signs
        n_resamples=PERMUTATIONS,
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue)

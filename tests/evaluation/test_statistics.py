"""Means over repositories, their intervals, and what a model is compared with."""

from __future__ import annotations

import numpy as np
import pytest

from codewm_model.evaluation.measurement import Figure, Role
from codewm_model.evaluation.significance import interval, sign_flips, summarise


def figure(system: str, repository: str, value: float, seed: int = 0) -> Figure:
    return Figure("e4", "MRR@10", "files", system, repository, value, 10, seed)


ROLES = {"random": Role.CHANCE, "plain": Role.BASELINE, "good": Role.BASELINE, "bar": Role.BAR, "m": Role.MODEL,
         "b": Role.BLEND}  # fmt: skip


def test_the_mean_is_over_repositories_and_within_one_over_seeds() -> None:
    figures = [figure("m", "a", 0.2, 0), figure("m", "a", 0.4, 1), figure("m", "b", 0.9, 0), figure("m", "b", 0.9, 1)]
    summary = summarise(figures, ROLES, {"MRR@10": True})["files"]["MRR@10"]["m"]
    assert summary.mean == pytest.approx(0.6)
    assert summary.by_repository == pytest.approx({"a": 0.3, "b": 0.9})
    assert summary.seeds == (0, 1)
    assert summary.n == 20
    assert summary.spread == pytest.approx(np.std([0.55, 0.65], ddof=1))


def test_a_model_is_held_against_the_best_baseline_and_a_blend_against_the_bar_too() -> None:
    values = {"random": 0.95, "plain": 0.3, "good": 0.5, "bar": 0.6, "m": 0.55, "b": 0.7}
    figures = [figure(system, name, value) for system, value in values.items() for name in "abc"]
    cells = summarise(figures, ROLES, {"MRR@10": True})["files"]["MRR@10"]
    model, blend = cells["m"].against, cells["b"].against
    assert model is not None
    assert blend is not None
    assert (model.other, blend.other) == ("good", "bar")
    assert model.difference == pytest.approx(0.05)
    assert blend.difference == pytest.approx(0.1)
    assert cells["good"].against is None


def test_where_less_is_better_the_best_baseline_has_least() -> None:
    figures = [figure(system, "a", value) for system, value in {"plain": 0.3, "good": 0.5, "m": 0.2}.items()]
    against = summarise(figures, ROLES, {"MRR@10": False})["files"]["MRR@10"]["m"].against
    assert against is not None
    assert against.other == "plain"


def test_a_baseline_of_another_model_s_own_is_no_rival() -> None:
    roles = {"m": Role.MODEL, "n": Role.MODEL, "copy (m)": Role.BASELINE, "copy (n)": Role.BASELINE}
    values = {"m": 0.5, "n": 0.5, "copy (m)": 0.4, "copy (n)": 0.9}
    cells = summarise([figure(s, "a", v) for s, v in values.items()], roles, {"MRR@10": True})["files"]["MRR@10"]
    assert {name: cells[name].against and cells[name].against.other for name in "mn"} == {
        "m": "copy (m)",
        "n": "copy (n)",
    }


def test_an_interval_holds_the_mean_and_narrows_with_more_repositories() -> None:
    few = np.random.default_rng(0).normal(0.5, 0.1, 6)
    many = np.tile(few, 16)
    for values in (few, many):
        low, high = interval(values, 0)
        assert low < values.mean() < high
    assert np.diff(interval(many, 0)) < np.diff(interval(few, 0)) / 2


def test_the_test_of_signs_is_exact_for_few_repositories() -> None:
    assert sign_flips(np.array([0.1, 0.2, 0.1, 0.3, 0.2]), 0) == pytest.approx(2 / 32)
    assert sign_flips(np.array([0.1, -0.1]), 0) == 1.0
    assert sign_flips(np.full(40, 0.1), 0) < 0.001

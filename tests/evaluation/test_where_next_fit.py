"""The fit of the where-next blend: what it learns, and that it means by its formulas what the product means."""

from __future__ import annotations

from pathlib import Path

import lightgbm
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from codewm_lsp.errors import TrainingError
from codewm_lsp.history import Repository
from codewm_lsp.ranking.ranker import CASES, probabilities, rank
from codewm_lsp.ranking.ranker_file import shipped_ranker
from codewm_model.data.gathering import Lists, gathered
from codewm_model.data.replay import examples, left_over, read_past
from codewm_model.evaluation.where_next_protocol import Looks
from codewm_model.ranking.boosting import SETTINGS, fit_trees, scores_of, table
from codewm_model.ranking.lens_curve import draw
from codewm_model.ranking.linear_fit import Fit, fit_lists, logistic, shares_of, with_trees
from codewm_model.ranking.probability_fit import RIGHT, SURER, fit_several, lenses_of, odds_of, threshold_of


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_the_fit_and_the_product_give_the_same_odds(clones: Path, tmp_path: Path) -> None:
    folder = clones / "alpha+orders"
    settings = {"commits": 4, "reveals": 1, "groups": 4, "all_files": True}
    one = gathered(folder, tmp_path, "alpha/orders", **settings)
    ranker = shipped_ranker()
    definition = Fit.of(ranker.definition, ranker.definition_trees, one.definition_names)
    file = Fit.of(ranker.file, ranker.file_trees, one.file_names)
    odds = odds_of(one.groups, definition, file, ranker.joint)
    first = odds[one.groups.lists.start[0] : one.groups.lists.start[1]]
    with Repository.open(folder) as repository:
        example = next(iter(examples(repository, read_past(repository, examples=4))))
        shown = example.revealing(example.shuffled(0)[:1])
        assert shown is not None
        expected = rank(shown[0].state, shown[1], ranker).odds[left_over(*shown)]
    assert len(first) == len(expected)
    assert np.sort(first) == pytest.approx(np.sort(expected), abs=1e-3)
    again = gathered(folder, tmp_path, "alpha/orders", **settings)
    assert (again.groups.lists.signals == one.groups.lists.signals).all()


def lists(signals: NDArray[np.float32], relevant: NDArray[np.bool_], length: int) -> Lists:
    count = len(signals) // length
    return Lists(
        signals=signals,
        relevant=relevant,
        soon=relevant,
        weight=np.ones(len(signals), dtype=np.float32),
        start=np.arange(count + 1) * length,
        cases=np.zeros((count, len(CASES)), dtype=bool),
        reveal=np.zeros(count, dtype=np.int64),
    )


def test_the_signal_that_tells_gets_the_weight() -> None:
    chance = np.random.default_rng(0)
    signals = chance.normal(size=(2_000, 3)).astype(np.float32)
    score = 2 * signals[:, 1] + chance.gumbel(size=2_000)
    relevant = np.zeros(2_000, dtype=bool)
    relevant[np.arange(0, 2_000, 10) + score.reshape(-1, 10).argmax(1)] = True
    found = fit_lists([lists(signals, relevant, 10)], penalty=1e-4).weights
    assert found[0, 1] == pytest.approx(2, abs=0.4)
    assert abs(found[0, [0, 2]]).max() < 0.3
    assert np.allclose(found[1:], 0, atol=1e-6)
    few = fit_lists([lists(signals, relevant, 10)], penalty=1e-4, cases=False, columns=[0, 2]).weights
    assert few[0, 1] == 0


def test_logistic_regression_finds_what_made_the_answers() -> None:
    chance = np.random.default_rng(0)
    rows = np.stack([np.ones(20_000), chance.normal(size=20_000)], 1)
    answers = chance.random(20_000) < probabilities(rows @ np.array([-1.0, 0.7]))
    found = logistic(rows, answers, np.ones(20_000))
    assert found == pytest.approx([-1.0, 0.7], abs=0.06)
    rest = logistic(rows, answers, np.ones(20_000), rows @ np.array([-1.0, 0.7]))
    assert rest == pytest.approx([0, 0], abs=0.06)


def test_without_several_edits_there_is_nothing_to_combine() -> None:
    assert fit_several([], []).count == 0


def test_the_threshold_is_the_lowest_at_which_enough_lenses_are_right(tmp_path: Path) -> None:
    looks, wrong = Looks(), Looks()

    def look(of: Looks, edits: int, score: float, right: bool) -> None:
        of.add(edits, np.array([score]), np.array([score]), np.array([right]), 8)

    for score in np.repeat(np.arange(0.05, 0.95, 0.05), 20):
        for number in range(10):
            look(looks, 1 + number % 2, score, number < 10 * score)
            look(wrong, 1 + number % 2, score, number < 10 * score - 1.5)
    threshold = threshold_of({"one": looks, "two": looks})
    _, _, lenses, right = looks.at(threshold)
    assert right >= RIGHT * lenses
    _, _, lenses, right = looks.at(threshold - 0.06)
    assert right < RIGHT * lenses
    assert threshold_of({"one": looks}, {"two": wrong}) == threshold_of({"two": wrong}) > threshold
    never = Looks()
    for _ in range(8):
        look(never, 1, 0.9, right=False)
    with pytest.raises(TrainingError, match="Gather more commits"):
        threshold_of({"one": never})
    from codewm_model.evaluation.where_next_protocol import curve

    draw({"one": curve(looks), "all": curve(looks)}, threshold, tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"lens-curve.svg", "lens-curve.png"}


def test_further_lenses_have_to_be_as_much_surer_as_lets_most_looks_have_one() -> None:
    """Of two definitions the likelier one is right in three of four looks, the other, which says as much, hardly."""

    def seen(surer: float) -> tuple[dict[str, Looks], dict[str, Looks]]:
        looks = Looks()
        for number in range(400):
            likely = 0.3 + 0.001 * number
            scores = np.array([likely, likely - 0.05])
            odds = scores / (1 - scores) / np.array([1, surer])
            looks.add(1 + number % 2, scores, odds / (1 + odds), np.array([number % 4 > 0, number % 8 == 0]), 8)
        return {"one": looks}, {"two": looks}

    surer, threshold, tried = lenses_of(seen)
    assert surer > 1
    _, some, lenses, right = seen(surer)[0]["one"].at(threshold)
    assert right >= RIGHT * lenses
    assert tried[f"{surer:g}"] == (threshold, some / 400)
    assert all(share <= some / 400 for _, share in tried.values())
    assert {*tried} <= {f"{one:g}" for one in SURER}

    with pytest.raises(TrainingError, match="Gather more commits"):
        lenses_of(lambda surer: ({"none": Looks()},))


def uneven(count: int, seed: int) -> Lists:
    """Lists in which the candidate with much of the first signal is right, but only where it has little of the second.

    No weights can say that.
    """
    random = np.random.default_rng(seed)
    signals = random.random((count * 12, 3)).astype(np.float32)
    worth = np.where(signals[:, 1] < 0.5, signals[:, 0], 1 - signals[:, 0]).reshape(count, 12)
    relevant = (worth == worth.max(1, keepdims=True)).reshape(-1)
    return lists(signals, relevant, 12)


def right(fitted: Fit, asked: Lists) -> float:
    best = fitted.scores(asked).reshape(-1, 12).argmax(1)
    return float(asked.relevant.reshape(-1, 12)[np.arange(len(best)), best].mean())


def test_trees_learn_what_weights_cannot_say_and_count_for_it() -> None:
    learnt, seen, asked = uneven(300, 1), uneven(100, 2), uneven(100, 3)
    fitted = with_trees(fit_lists([learnt], penalty=1e-3), [learnt], ("first", "second", "third"), rounds=60)
    linear, trees = shares_of([seen], [fitted])
    assert trees > linear
    mixed = fitted.mixed((linear, trees))
    assert right(mixed, asked) > right(Fit(fitted.weights), asked) + 0.2


def test_another_seed_grows_other_trees_and_the_same_seed_the_same() -> None:
    learnt, names = uneven(200, 1), ("first", "second", "third")
    assert fit_trees([learnt], names, rounds=5, seed=2) == fit_trees([learnt], names, rounds=5, seed=2)
    assert fit_trees([learnt], names, rounds=5, seed=2) != fit_trees([learnt], names, rounds=5)


def test_trees_leave_the_library_as_they_were_learnt() -> None:
    learnt = uneven(200, 1)
    names = ("first", "second", "third")
    found = fit_trees([learnt], names, rounds=20)
    data = lightgbm.Dataset(table(learnt), learnt.relevant.astype(int), group=np.diff(learnt.start))
    theirs = lightgbm.train(SETTINGS, data, 20).predict(table(learnt))
    assert scores_of(found, learnt, names) == pytest.approx(theirs, abs=1e-9)
    assert set(found.signals) <= set(names)
    assert (Fit(np.zeros((1 + len(CASES), 3)), found, names).scores(learnt) == scores_of(found, learnt, names)).all()

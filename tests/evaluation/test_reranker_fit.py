"""The fit of the re-ranker: what it learns from real histories, and that it means what the product means."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from codewm_lsp.index.reranker import RELATIONS, STEP, learnt
from codewm_model.evaluation.sibling_search import LARGEST
from codewm_model.evaluation.smoke import make_repositories
from codewm_model.ranking import reranker_fit
from codewm_model.ranking.reranker_fit import (
    FIRST,
    FITTING,
    HALF,
    WHOLE,
    Asked,
    by_reranker,
    calibrated,
    curve,
    fit,
    fits,
    main,
    measured,
    raw_odds,
    reciprocal_rank,
    shown,
    use,
)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def made(seed: int, what: str = WHOLE, gallery: int = LARGEST) -> Asked:
    """A question of which those past edits are siblings that agree in the added words, unless the place agrees."""
    random = np.random.default_rng(seed)
    relations = random.uniform(0, 1, (30, len(RELATIONS))).astype(np.float32)
    told = relations[:, RELATIONS.index("added")] - relations[:, RELATIONS.index("place")]
    siblings = told > np.sort(told)[-4]
    nothing = np.full(30, np.nan, np.float32)
    return Asked(gallery, what, "modified", True, relations, siblings, siblings, ~siblings, nothing)


def with_siblings_alone(seed: int) -> Asked:
    """The same without an older commit."""
    one = made(seed)
    return replace(one, older=np.zeros_like(one.older))


def typed(seed: int) -> Asked:
    """A half-typed one of which those past edits add what is to come whose removed words agree; a few have siblings."""
    one = made(seed, HALF)
    to_come = (one.relations[:, RELATIONS.index("removed")] > 0.9).astype(np.float32)
    few = seed % 10 == 0
    return replace(one, to_come=to_come, few=few)


def test_what_siblings_have_in_common_is_learnt() -> None:
    learning, held = [with_siblings_alone(seed) for seed in range(200)], [made(seed) for seed in range(200, 230)]
    found = fit(learning, hidden=4, epochs=120)
    assert measured(held, by_reranker(found))["3,000 whole"] > 0.9
    assert fit(learning, hidden=4, epochs=120).to_bytes() == found.to_bytes()


def test_of_older_commits_alone_what_is_of_use_is_learnt() -> None:
    learning, held = [typed(seed) for seed in range(200)], [typed(seed) for seed in range(200, 240)]
    figures = measured(held, by_reranker(fit(learning, hidden=8, epochs=60)))
    past = RELATIONS.index("meaning")
    by_chance = measured(held, lambda one: one.relations[:, past])
    assert figures["3,000 half typed, past: use"] > by_chance["3,000 half typed, past: use"] + 0.3
    assert figures["3,000 half typed"] > by_chance["3,000 half typed"] + 0.3, "siblings are found as well"


def test_half_of_the_likeness_counts_where_words_are_still_to_come() -> None:
    signed = RELATIONS.index("signed")
    one = typed(1)
    assert use(one) == pytest.approx(one.relations[:, signed] / 2 + one.to_come)
    whole = made(1)
    assert use(whole) == pytest.approx(whole.relations[:, signed])
    assert (fits(one) == ((one.relations[:, signed] >= FITTING) | (one.to_come >= FITTING))).all()


def test_what_it_is_not_told_has_no_say() -> None:
    asked = [with_siblings_alone(seed) for seed in range(100)]
    found = fit(asked, hidden=4, epochs=40, without=["added", "place"])
    other = asked[0].relations.copy()
    other[:, [RELATIONS.index("added"), RELATIONS.index("place")]] = 9
    assert (found.odds(other) == found.odds(asked[0].relations)).all()
    assert (
        measured(asked, by_reranker(found))["3,000 whole"]
        < measured(asked, by_reranker(fit(asked, hidden=4, epochs=40)))["3,000 whole"]
    )


def test_calibration_makes_chances_of_log_odds() -> None:
    learning, held = [made(seed) for seed in range(200)], [made(seed) for seed in range(200, 300)]
    found = fit(learning, hidden=4, epochs=20)
    better, slope, _ = calibrated(found, [shown(one, raw_odds(found, one.relations)) for one in held])
    assert slope > 0, "what is likelier fits more often"
    best = [shown(one, raw_odds(better, one.relations)) for one in held]
    chances = 1 / (1 + np.exp(-np.concatenate([odds for odds, _ in best])))
    truth = np.concatenate([fitting for _, fitting in best])
    assert chances.mean() == pytest.approx(truth.mean(), abs=0.02)
    one = held[0]
    assert better.odds(one.relations) == pytest.approx(raw_odds(better, one.relations), abs=0.51 * STEP)


def test_ties_count_half() -> None:
    sought = np.array([True, False, False, False])
    assert reciprocal_rank(np.array([1, 1, 1, 0], np.float32), sought) == pytest.approx(0.5)
    assert reciprocal_rank(np.array([0, 1, 1, 1], np.float32), sought) == pytest.approx(0.25)
    assert reciprocal_rank(np.array([0, 1, 1, 1], np.float32), ~sought & sought) == 0


def test_the_command_learns_from_clones_and_writes_what_the_product_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = make_repositories(tmp_path / "clones") if (tmp_path / "clones").mkdir() is None else []
    sets: dict[str, list[str]] = {"train": names[:2], "validation": [*names[2:], "no/such"], "test": []}
    monkeypatch.setattr(reranker_fit, "sets", lambda: sets)
    monkeypatch.setattr(reranker_fit, "ASKING", 40)
    monkeypatch.setattr(reranker_fit, "TYPED", 10)
    output = tmp_path / "reranker.npz"
    arguments = ["--repos", tmp_path / "clones", "--cache", tmp_path / "cache", "--output", output, "--epochs", 3]
    main([str(argument) for argument in arguments])
    said, errors = capsys.readouterr()
    report: dict[str, Any] = json.loads(said)
    assert "no/such left out" in errors
    found = learnt(output)
    assert found.problem == ""
    assert report["bytes"] == len(output.read_bytes()) <= 10_000
    assert set(report["validation"]) == {"learnt", "blend of 0.1.0", "bar"}
    assert {f"300 {what} modified" for what in (WHOLE, HALF, FIRST)} <= set(report["validation"]["learnt"])
    assert set(report["curve"]) == {"halves", "validation"}
    for rows in report["curve"].values():
        shares = [row["shown"] for row in rows]
        assert shares[0] == 1
        assert shares == sorted(shares, reverse=True)


def test_a_curve_tells_how_many_lenses_fit_that_are_of_the_past_alone() -> None:
    asked = [made(seed) for seed in range(40)]
    learnt_one = fit(asked, hidden=4, epochs=60)
    reranker, _, _ = calibrated(learnt_one, [shown(one, raw_odds(learnt_one, one.relations)) for one in asked])
    rows = curve([(one, reranker) for one in asked])
    assert rows[0]["shown"] == 1
    unsure = replace(reranker, offset=reranker.offset - 99)
    assert [row["shown"] for row in curve([(one, unsure) for one in asked])] == [1, *[0] * (len(rows) - 1)]
    assert curve([(replace(one, older=one.older & fits(one)), reranker) for one in asked])[0]["fit"] == 1
    assert curve([(made(seed, gallery=300), reranker) for seed in range(9)])[0]["shown"] is None, (
        "no history is so short"
    )

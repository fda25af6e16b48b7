"""What the fit of the past edits behind a prediction gathers, learns and writes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from codewm_lsp.errors import TrainingError
from codewm_lsp.index.related import RELATIONS
from codewm_lsp.ranking import EvidenceScorer, scorer_of
from codewm_lsp.world_model import WorldModel, shipped
from codewm_lsp.world_model.bundle import read_bundle
from codewm_model.ranking import evidence_fit
from codewm_model.ranking.evidence_fit import Firsts, Pairs, fit, fit_telling, main, measure, mined, threshold_of


def pairs(places: int, seed: int) -> Pairs:
    """Forty past edits a place, of which those that replay the edit in progress are like the one that came."""
    chance = np.random.default_rng(seed)
    values = chance.normal(size=(40 * places, len(RELATIONS))).astype(np.float16)
    like = np.repeat(values[:, [RELATIONS.index("replayed")]].astype(np.float32) / 4, 3, axis=1)
    return Pairs(values, like, np.arange(0, 40 * places + 1, 40), np.arange(places))


@pytest.fixture(scope="module")
def scorer() -> EvidenceScorer:
    torch.set_num_threads(1)
    return fit(pairs(150, 0), seed=0, epochs=60)


def test_the_fit_finds_the_relation_that_tells_which_past_edit_is_like_the_one_that_came(
    scorer: EvidenceScorer,
) -> None:
    held = pairs(60, 1)
    found = measure(scorer, held)
    best = np.mean([np.sort(held.like[start : start + 40, 0])[-3:].mean() for start in held.bounds[:-1]])
    assert found["mean signed"] > 0.9 * best


def test_the_same_pairs_and_seed_teach_the_same() -> None:
    one, again, other = (fit(pairs(10, 0), seed=seed, epochs=1).to_bytes() for seed in (0, 0, 1))
    assert one == again != other


def test_below_the_threshold_too_few_of_the_first_citations_fit(scorer: EvidenceScorer) -> None:
    held = pairs(200, 1)
    held.like[held.bounds[0] : held.bounds[50]] = 0  # nothing fits fifty of the places …
    held.values[held.bounds[0] : held.bounds[50]] -= 3  # … and that shows
    threshold, curve = threshold_of(scorer, held)
    scores = scorer.scores(held.values.astype(np.float32))
    best = np.array([scores[start : start + 40].max() for start in held.bounds[:-1]])
    assert (best[:50] < threshold).mean() > 0.9
    assert (best[50:] >= threshold).mean() > 0.8
    assert curve[0][0] >= threshold
    assert [share for _, share, _ in curve] == sorted(share for _, share, _ in curve)


def test_the_chance_of_agreement_is_learnt_of_what_would_be_named_first(scorer: EvidenceScorer) -> None:
    found = pairs(200, 1)
    found.values[:, [RELATIONS.index(name) for name in ("own", "changed with it")]] = 0
    found.values[5::40, [RELATIONS.index(name) for name in ("own", "changed with it")]] = 1
    found.values[:, RELATIONS.index("commit's size")] = 1
    found.like[:, 0] = found.values[:, RELATIONS.index("commit")] / 4
    firsts = Firsts.of(scorer, found)
    assert firsts.joint.sum() == 200, "one of each place, beside its best"
    assert len(firsts.values) == 400
    learnt = fit_telling(firsts, firsts)
    assert max(learnt["weights"], key=learnt["weights"].__getitem__) == "commit"
    first, last = learnt["curve"][0], learnt["curve"][-1]
    assert last["joint named"] < first["joint named"]
    assert last["joint agree"] > first["joint agree"] > learnt["all"]["joint agree"]


def test_histories_are_mined_once_and_a_scorer_is_put_into_a_bundle(
    clones: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence_fit, "FEWEST", 30)
    model = WorldModel.load()
    cache = tmp_path / "cache"
    found = mined(clones / "alpha+orders", cache, "alpha/orders", model, commits=60)
    assert found is not None
    assert len(found) > 0
    assert found.values.shape == (found.bounds[-1], len(RELATIONS))
    assert np.isfinite(found.values).all()
    assert np.abs(found.like).max() <= 1 + 1e-3
    monkeypatch.setattr(evidence_fit, "mine", lambda *_, **__: pytest.fail("mined again"))
    again = mined(clones / "alpha+orders", cache, "alpha/orders", model, commits=60)
    assert again is not None
    assert np.array_equal(again.values, found.values)
    monkeypatch.undo()

    monkeypatch.setattr(evidence_fit, "FEWEST", 30)
    monkeypatch.setattr(evidence_fit, "sets", lambda: {"train": [], "validation": ["gamma/library"]})
    bundle = Path(shutil.copytree(shipped(), tmp_path / "bundle"))
    report = tmp_path / "report.json"
    arguments = ["--repos", str(clones), "--cache", str(cache), "--train", "alpha/orders", "beta/sensors"]
    main(
        [*arguments, "--output", str(bundle), "--report", str(report), "--units", "4", "--epochs", "1", "--seeds", "0"]
    )
    written = read_bundle(bundle)
    assert written.hash == model.hash
    assert len(scorer_of(written).first_bias) == 4
    assert written.metadata["evidence"]["train"] == ["alpha/orders", "beta/sensors"]
    said = json.loads(report.read_text())
    assert said["bytes"] == len(written.evidence or b"")
    card = (bundle / "README.md").read_text(encoding="utf-8")
    assert f"learnt on {said['places'][0]:,} places of {len(said['train'])} repositories" in card
    assert "`ranker.npz` ranks what is edited next" in card
    assert list(said["by one relation"]) == ["prediction and edit", "prediction", "words, signed"]

    with pytest.raises(TrainingError, match="holds none of the repositories"):
        main(["--repos", str(tmp_path), "--cache", str(cache), "--train", "alpha/orders"])

"""The stage of training that fits the ranker to a new model: what it reports, and when it is kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from codewm_export.onnx_bundle import describe_bundle
from codewm_lsp.ranking import ranker_of
from codewm_lsp.ranking.ranker import Calibration
from codewm_lsp.ranking.ranker_file import unfitted_ranker
from codewm_lsp.world_model import WorldModel, shipped
from codewm_model.ranking import ranker_stage
from codewm_model.ranking.ranker_stage import fit_ranker


@pytest.fixture
def clone(clones: Path) -> Path:
    return clones / "alpha+orders"


def test_a_fit_is_measured_on_commits_it_did_not_see_and_kept_where_it_is_better(
    clone: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(ranker_stage, "FEWEST", 1)
    model = WorldModel.load()
    found = fit_ranker(model, [clone], newest=1.0)
    report = found.report
    assert report["lists learnt on"] > 0
    assert report["lists measured on"] > 0
    assert report["gain"] == (report["log loss"]["fitted"] < report["log loss"]["shipped ranker"])
    assert (found.ranker is not None) == report["gain"]

    sure = Calibration(weight=1e-9, slope=40.0, intercept=30.0)
    monkeypatch.setattr(ranker_stage, "fit_calibration", lambda rows: sure)
    worse = fit_ranker(model, [clone], newest=1.0)
    assert worse.ranker is None
    assert worse.file() is None
    assert "NOT better" in worse.report["verdict"]

    def ideal(rows: object) -> Calibration:
        return Calibration(weight=1e-9, slope=1.0, intercept=-0.3)

    monkeypatch.setattr(ranker_stage, "_measured", lambda ranker, held, asking: (1.0 - ranker.calibration.fitted, 0.5))
    monkeypatch.setattr(ranker_stage, "fit_calibration", ideal)
    better = fit_ranker(model, [clone], newest=1.0)
    assert better.ranker is not None
    assert better.ranker.calibration == ideal(None)
    assert better.ranker.definition_trees == unfitted_ranker().definition_trees
    bundle = Path(shutil.copytree(shipped(), tmp_path / "bundle"))
    describe_bundle(bundle, about={"ranker": better.report}, card="# mine\n", ranker=better.file())
    kept = WorldModel.load(bundle)
    assert kept.hash == model.hash
    assert kept.bundle.metadata["ranker"]["gain"]
    assert ranker_of(kept.bundle).calibration.intercept == -0.3


def test_too_few_commits_leave_the_shipped_ranker(clone: Path) -> None:
    found = fit_ranker(WorldModel.load(), [clone], newest=1.0)
    assert found.ranker is None
    assert "too few past commits" in found.report["verdict"]
    assert fit_ranker(WorldModel.load(), [], newest=1.0).ranker is None


def test_no_more_time_is_spent_than_there_is(clone: Path) -> None:
    found = fit_ranker(WorldModel.load(), [clone], newest=1.0, seconds=0.0)
    assert found.report["lists learnt on"] + found.report["lists measured on"] <= 1

"""The fit of when a past edit is shown: it means what the product means, and learns from real histories."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from codewm_lsp.hints.fitting import OTHERS, OWN
from codewm_model.evaluation.smoke import make_repositories
from codewm_model.ranking import shown_fit
from codewm_model.ranking.shown_fit import MEASURES, Shown, chances, curve, fit, main


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def made(count: int = 400) -> Shown:
    """Past edits that fit where they have much of what is asked in common."""
    random = np.random.default_rng(0)
    names = tuple(dict.fromkeys([*OTHERS, *OWN]))
    values = random.uniform(0, 1, (count, len(names)))
    values[:, names.index("bias")] = 1
    fits = values[:, names.index("asked")] + random.normal(0, 0.2, count) > 0.5
    measures = np.tile(fits[:, None].astype(float), (1, len(MEASURES)))
    no = np.zeros(count, dtype=np.bool_)
    return Shown(values, measures, no, ~no, random.uniform(0, 1, count))


def test_what_tells_that_past_edits_fit_is_learnt() -> None:
    shown = made()
    weights = dict(zip(OTHERS, fit(shown, tuple(OTHERS)), strict=True))
    assert weights["asked"] == max(weights.values())
    found = curve(shown, chances(shown, tuple(OTHERS), np.array(list(weights.values()))))
    assert found["0.5"]["fit"] > found["0.0"]["fit"]
    before = found["re-ranker, 0.45"]
    (as_many,) = (value for name, value in found.items() if name.startswith("as many"))
    assert as_many["n"] == before["n"]
    assert as_many["fit"] > before["fit"]


def test_the_command_reads_clones_and_writes_one_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clones = tmp_path / "clones"
    clones.mkdir()
    names = make_repositories(clones)
    sets = {"train": names[:2], "validation": names[:1]}
    monkeypatch.setattr(shown_fit, "sets", lambda: sets)
    monkeypatch.setattr(shown_fit, "ASKING", 40)
    main(["--repos", str(clones), "--cache", str(tmp_path / "cache")])
    record = json.loads(capsys.readouterr().out)
    assert record["train"] == names[:2]
    for what, known in (("other definitions", OTHERS), ("the same definition", OWN)):
        assert list(record[what]["weights"]) == list(known)
        assert set(record[what]["validation"]) == {"typed", "finished"}

"""Models are found in folders, and their fp32 weights give what their graphs give."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from codewm_lsp.errors import BundleError, OptionError, TrainingError
from codewm_lsp.source import DefinitionKind
from codewm_lsp.world_model import WorldModel, rich_action, shipped
from codewm_model.evaluation.cache import Cache
from codewm_model.evaluation.measurement import Clone
from codewm_model.evaluation.models import FullPrecision, embed, in_full_precision, load, training_seeds
from codewm_model.evaluation.targets import target_of, targets_of

PAIRS = [
    ("def f(a):\n    return a\n", "def f(a, timeout=3):\n    return a + timeout\n"),
    ("", "class A:\n    x = 1\n"),
    ("def g():\n    pass\n", ""),
    ("x = 1\n", "x = 1\n"),
]


def test_weights_in_full_precision_give_what_the_graphs_give(run: Path) -> None:
    full, graphs = FullPrecision(run), WorldModel.load()
    assert full.embed_edits(PAIRS) == pytest.approx(graphs.embed_edits(PAIRS), abs=2e-3)
    sources = [before for before, _ in PAIRS]
    assert full.embed_states(sources) == pytest.approx(graphs.embed_states(sources), abs=2e-3)
    actions = np.stack([rich_action(*pair, DefinitionKind.FUNCTION) for pair in PAIRS])
    assert full.predict_state(sources, actions) == pytest.approx(graphs.predict_state(sources, actions), abs=2e-2)
    recent = graphs.embed_edits(PAIRS)[:2]
    assert full.predict_next(sources, recent).edits == pytest.approx(
        graphs.predict_next(sources, recent).edits, abs=2e-3
    )


def test_a_folder_with_a_bundle_is_run_as_one_and_knows_its_weights(run: Path) -> None:
    (model,) = load([str(run)])
    assert (model.full, model.run) == (False, run)
    assert model.hash == WorldModel.load().hash
    full = in_full_precision(model)
    assert full is not None
    assert full.full
    (plain,) = load([])
    assert plain.hash == model.hash
    assert in_full_precision(plain) is None


def test_weights_without_a_bundle_are_measured_in_full_precision(run: Path, tmp_path: Path) -> None:
    for name in ("model.safetensors", "config.json", "about.json"):
        shutil.copy(run / name, tmp_path / name)
    (model,) = load([str(tmp_path)])
    assert model.full


def test_what_is_no_model_is_said(tmp_path: Path, run: Path) -> None:
    with pytest.raises(OptionError, match="no such folder"):
        load([str(tmp_path / "nothing")])
    with pytest.raises(OptionError, match="neither a model"):
        load([str(tmp_path)])
    with pytest.raises(OptionError, match="named twice"):
        load(["shipped", str(shipped())])
    shutil.copytree(shipped(), tmp_path / "damaged")
    (tmp_path / "damaged" / "edit.onnx").write_bytes(b"cut")
    with pytest.raises(BundleError, match=r"edit\.onnx is truncated"):
        load([str(tmp_path / "damaged")])
    shutil.copytree(run, tmp_path / "torn", ignore=shutil.ignore_patterns("*.onnx", "model.json"))
    (tmp_path / "torn" / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(TrainingError, match="damaged"):
        load([str(tmp_path / "torn")])


def test_embeddings_are_kept_by_the_texts_they_are_of(tmp_path: Path) -> None:
    (model,) = load([])
    clone, cache = Clone("a/b", tmp_path, "0" * 40), Cache(tmp_path / "cache")
    first = embed(model, clone, PAIRS, cache)
    assert embed(model, clone, PAIRS, cache).tolist() == first.tolist()
    assert embed(model, clone, PAIRS[::-1], cache) == pytest.approx(first[::-1], abs=1e-5)
    for file in (tmp_path / "cache").rglob("*.npz"):
        file.write_bytes(b"cut")
    assert embed(model, clone, PAIRS, cache).tolist() == first.tolist()


def with_settings(run: Path, folder: Path, **settings: object) -> Path:
    """The weights of a run alone, as if it had been trained with other settings."""
    shutil.copytree(run, folder, ignore=shutil.ignore_patterns("*.onnx", "model.json"))
    about = json.loads((folder / "about.json").read_text("utf-8"))
    about["config"]["training"].update(settings)
    (folder / "about.json").write_text(json.dumps(about), encoding="utf-8")
    return folder


def test_a_predictor_trained_last_is_held_against_its_own_encoder(run: Path) -> None:
    (model,) = load([str(run)])
    target = target_of(model)
    texts = [before for before, _ in PAIRS]
    assert "its own state encoder" in target.source
    assert target.states(texts) == pytest.approx(model.world.structure_states(texts), abs=1e-5)
    assert target.states(texts[::-1]) == pytest.approx(target.states(texts)[::-1])


def test_a_frozen_target_is_made_again_from_the_seed(run: Path, tmp_path: Path) -> None:
    (model,) = load([str(with_settings(run, tmp_path / "before", predictor_steps=0))])
    target = target_of(model)
    assert "made again from seed" in target.source
    first = target.states([before for before, _ in PAIRS])
    assert first.shape == (len(PAIRS), model.world.structure_states([""]).shape[1])
    assert target_of(model).states([PAIRS[0][0]])[0] == pytest.approx(first[0], abs=1e-5)


def test_a_model_whose_target_is_lost_is_left_out_and_said(run: Path, tmp_path: Path) -> None:
    folder = with_settings(run, tmp_path / "moved", predictor_steps=0, decay=0.996)
    (model,) = load([str(folder)])
    found, notes = targets_of([model])
    assert found == []
    assert "target.safetensors" in notes
    with pytest.raises(OptionError, match="not at hand"):
        target_of(model)


def test_models_that_differ_in_their_training_seed_alone_belong_together() -> None:
    (model,) = load([])
    assert training_seeds([model]) == []

"""``codewm-train`` on a real history, end to end."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from codewm_export.bundle_weights import weights_of_bundle
from codewm_lsp.history import Repository
from codewm_lsp.world_model import WorldModel
from codewm_model.artifacts.run_folder import read_run
from codewm_model.data.batches import Dataset
from codewm_model.data.repository_corpus import build, common_words, load, use
from codewm_model.networks.code_world_model import set_rounding
from codewm_model.settings.config import PRESETS, Config
from codewm_model.training.inference import all_states, embed_edits
from codewm_model.training.loading import Material
from codewm_model.training.train_from import RunSettings, train_from

Train = Callable[..., "subprocess.CompletedProcess[str]"]
Finished = tuple[Path, str]


def test_a_run_leaves_weights_a_card_a_log_and_a_bundle(finished: Finished) -> None:
    folder, said = finished
    assert {"model.safetensors", "config.json", "log.jsonl", "model.json", "README.md"} <= {
        file.name for file in folder.iterdir()
    }
    records = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    evaluated = {record["stage"] for record in records if record.get("evaluation")}
    assert evaluated == {"transition", "edit", "next", "predictor"}
    assert any("copy_indicator" in record and "rank_predicted" in record for record in records)
    card = (folder / "README.md").read_text()
    assert "repository" in card
    assert "words, idf" in card
    assert "MRR@10" in said
    assert "ranker.npz" not in json.loads((folder / "model.json").read_text())["files"]


def test_the_bundle_embeds_what_the_weights_embed(finished: Finished, history: Path, tmp_path: Path) -> None:
    folder, _ = finished
    model, common, _ = read_run(folder)
    set_rounding(model, True)
    corpus = load(build(history, tmp_path, edits=400))
    use([corpus], common)
    data = Dataset([corpus])
    rows = np.arange(12)
    device = torch.device("cpu")
    vectors = embed_edits(model, data, rows, all_states(model.state, data, device), device)
    with Repository.open(history) as repository:
        pairs = [(e.before, e.after) for c in repository.commits(limit=20) for e in c.edits][:12]
    served = WorldModel.load(folder).embed_edits(pairs)
    assert (vectors * served).sum(1).min() > 0.999  # the corpus keeps its numbers in half precision


def test_the_weights_of_a_bundle_can_be_trained_on(finished: Finished) -> None:
    folder, _ = finished
    trained, common, _ = read_run(folder)
    again, words, _ = weights_of_bundle(folder)
    set_rounding(trained, True)
    state = torch.randint(4, 600, (2, 9)), torch.zeros(2, 9, dtype=torch.long)
    with torch.no_grad():
        assert torch.allclose(trained.state(*state), again.state(*state), atol=1e-3)
    assert np.array_equal(common.hashes, words.hashes)


def test_ten_steps_equal_five_and_a_resumed_five(history: Path, train: Train, tmp_path: Path) -> None:
    from codewm_model.data.repository_corpus import common_words
    from codewm_model.settings.config import PRESETS, Config
    from codewm_model.training.checkpoint import read_checkpoint
    from codewm_model.training.loading import Material
    from codewm_model.training.train_from import RunSettings, train_from
    from codewm_model.training.trainer import Interrupted

    corpus = load(build(history, tmp_path / "corpus", edits=400))

    def run(folder: Path, stop_after: int | None, resume: bool) -> None:
        smoke = PRESETS["smoke"]
        config = Config(smoke.architecture, dataclasses.replace(smoke.training, threads=1))
        folder.mkdir(exist_ok=True)
        material = Material(Dataset([corpus], hold_out=0.1), [], common_words([corpus]), [])
        steps: list[int] = []
        try:
            train_from(
                RunSettings(folder, config, material, checkpoint=read_checkpoint(folder) if resume else None),
                advance=lambda stage, step, total, loss: steps.append(step),
                stop=lambda: stop_after is not None and len(steps) >= stop_after,
            )
        except Interrupted:
            assert stop_after is not None

    run(tmp_path / "whole", None, False)
    run(tmp_path / "parts", 4, False)
    run(tmp_path / "parts", None, True)
    whole, parts = (read_checkpoint(tmp_path / name).model for name in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_a_damaged_checkpoint_is_named_and_nothing_is_started(history: Path, train: Train, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"not a checkpoint")
    done = train(history, "--output", tmp_path, "--preset", "smoke", "--from", "scratch", "--resume")
    assert done.returncode == 1
    assert "checkpoint.pt is damaged" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_setting_is_answered_with_the_nearest_one(history: Path, train: Train, tmp_path: Path) -> None:
    done = train(history, "--output", tmp_path, "--preset", "smoke", edit_step=3)
    assert done.returncode == 2
    assert "'edit_step'" in done.stderr
    assert "'edit_steps'" in done.stderr


def test_a_repository_without_python_cannot_be_trained_on(make_repository, train: Train, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    builder = make_repository()
    builder.commit("Start", {"readme.txt": "nothing here"})
    done = train(builder.path, "--output", tmp_path / "out", "--preset", "smoke", "--from", "scratch")
    assert done.returncode == 1
    assert "no edit of a Python definition" in done.stderr


def test_weights_that_are_never_rounded_are_not_rounded_in_the_last_evaluation(history: Path, tmp_path: Path) -> None:
    corpus = load(build(history, tmp_path, edits=400))
    stages = {"transition_steps": 6, "edit_steps": 0, "next_steps": 0, "predictor_steps": 0}
    last = []
    for quantise_from in (1.0, 2.0):
        folder = tmp_path / str(quantise_from)
        folder.mkdir()
        training = dataclasses.replace(
            PRESETS["smoke"].training, **stages, quantise_from=quantise_from, evaluate_every=3, threads=1
        )
        material = Material(Dataset([corpus]), [], common_words([corpus]), [])
        result = train_from(RunSettings(folder, Config(training=training), material))
        last.append(result.diagnostics())
    assert last[0]
    assert last[0] == last[1]

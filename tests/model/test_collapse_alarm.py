"""The alarm on real training: it sounds early where the target follows fast, and never where it stands still."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, Protocol

import pytest

from codewm_lsp.errors import TrainingError
from codewm_model.data.batches import Dataset
from codewm_model.data.repository_corpus import RepositoryCorpus, build, common_words, load
from codewm_model.settings.config import ArchitectureConfig, Config, TrainingConfig
from codewm_model.training.loading import Material
from codewm_model.training.train_from import RunSettings, train_from


class Train(Protocol):
    """Runs ``codewm-train`` in a process of its own."""

    def __call__(self, *arguments: object, **values: object) -> Any: ...


# the paper's networks and losses, small; the fast target below has a memory of ten steps
NETWORKS = ArchitectureConfig(encoder="reference", predictor="reference", loops=1, predictor_loops=1)
TRAINING = TrainingConfig(
    transition_steps=80,
    edit_steps=0,
    next_steps=0,
    predictor_steps=0,
    transition_batch=16,
    transition_rate=5e-4,
    warmup=15,
    delta_origin="online",
    norm_weight=0.1,
    contrast_weight=0,
    covariance_of="covariances",
    covariance_weight=0.01,
    variance_weight=0,
    sibling_weight=0,
    composition_weight=0,
    quantise_from=1,
    evaluate_every=20,
    checkpoint_every=1_000,
    threads=1,
)


@pytest.fixture(scope="module")
def corpus(history: Path, tmp_path_factory: pytest.TempPathFactory) -> RepositoryCorpus:
    return load(build(history, tmp_path_factory.mktemp("corpus"), edits=400))


def trained(corpus: RepositoryCorpus, folder: Path, **values: Any) -> list[dict[str, Any]]:
    """Train; everything that was reported."""
    folder.mkdir()
    config = Config(NETWORKS, dataclasses.replace(TRAINING, **values))
    records: list[dict[str, Any]] = []
    material = Material(Dataset([corpus]), [], common_words([corpus]), [])
    try:
        train_from(RunSettings(folder, config, material), report=records.append)
    except TrainingError as error:
        records.append({"stopped": str(error)})
    return records


def gap(records: list[dict[str, Any]]) -> float:
    """What is left between the copy indicator and 1, in the last evaluation."""
    return 1 - float([record for record in records if record.get("evaluation")][-1]["copy_indicator"])


@pytest.fixture(scope="module")
def fast(corpus: RepositoryCorpus, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return trained(corpus, tmp_path_factory.mktemp("runs") / "fast", decay=0.9)


@pytest.fixture(scope="module")
def frozen(corpus: RepositoryCorpus, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return trained(corpus, tmp_path_factory.mktemp("runs") / "frozen", decay=1.0)


def test_a_fast_target_sounds_the_alarm_while_the_loss_still_falls(
    fast: list[dict[str, Any]], frozen: list[dict[str, Any]]
) -> None:
    (alarm,) = [record for record in fast if "alarm" in record]
    losses = [record["loss"] for record in fast if "loss" in record]
    assert losses[-1] < losses[0]  # the curve everybody watches looks like success
    assert alarm["step"] < TRAINING.transition_steps - 20
    assert gap(fast) < 0.7 * gap(frozen)
    assert "follows the online one too fast (decay = 0.9)" in alarm["alarm"]
    assert "Set decay = 1.0" in alarm["alarm"]


def test_a_frozen_target_never_sounds_it(frozen: list[dict[str, Any]]) -> None:
    assert [record for record in frozen if record.get("evaluation")]
    assert not [record for record in frozen if "alarm" in record]


def test_a_near_static_target_never_sounds_it(corpus: RepositoryCorpus, tmp_path: Path) -> None:
    records = trained(corpus, tmp_path / "near", decay=0.99999)
    assert not [record for record in records if "alarm" in record]


def test_fixing_puts_the_target_back_to_its_start_and_holds_it(
    corpus: RepositoryCorpus, fast: list[dict[str, Any]], tmp_path: Path
) -> None:
    records = trained(corpus, tmp_path / "fixed", decay=0.9, on_collapse="fix")
    (alarm,) = [record for record in records if "alarm" in record]
    assert [record["step"] for record in records if "fixed" in record] == [alarm["step"]]
    after = [r["copy_indicator"] for r in records if r.get("evaluation") and r["step"] > alarm["step"]]
    assert len(set(after)) == 1  # static from then on
    collapsed = [record for record in fast if record.get("evaluation")][-1]["copy_indicator"]
    assert after[0] < collapsed


def test_without_a_target_network_sigreg_keeps_the_states_apart(corpus: RepositoryCorpus, tmp_path: Path) -> None:
    alone = {"target": "none", "delta_weight": 0.0, "norm_weight": 0.0, "covariance_weight": 0.0}
    held = trained(corpus, tmp_path / "held", sigreg_weight=0.05, **alone)
    let_go = trained(corpus, tmp_path / "let-go", **alone)
    deviation = [[r for r in records if r.get("evaluation")][-1]["feature_std"] for records in (held, let_go)]
    assert deviation[0] > 2 * deviation[1]
    assert not [record for record in held if "alarm" in record]
    (alarm,) = [record for record in let_go if "alarm" in record]
    assert "Raise sigreg_weight" in alarm["alarm"]


def test_the_command_stops_on_collapse_with_cause_and_remedy(history: Path, train: Train, tmp_path: Path) -> None:
    values = {f.name: getattr(NETWORKS, f.name) for f in dataclasses.fields(NETWORKS) if f.name in _SAID}
    values |= {f.name: getattr(TRAINING, f.name) for f in dataclasses.fields(TRAINING)}
    values |= {"decay": 0.9, "on_collapse": "stop"}
    written = {name: json.dumps(value) for name, value in values.items()}
    done = train(history, "--output", tmp_path / "run", "--preset", "smoke", "--from", "scratch", **written)
    assert done.returncode == 1
    said = " ".join(done.stderr.split())
    assert "COLLAPSE at step" in said
    assert "follows the online one too fast" in said
    assert "Traceback" not in said


_SAID = ("encoder", "predictor", "loops", "predictor_loops")

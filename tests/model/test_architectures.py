"""Architectures by name: those that come with CodeWM, and one of an installed package."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from codewm_lsp.errors import OptionError
from codewm_model.artifacts.run_folder import read_run, write_run
from codewm_model.cli.train_app import app
from codewm_model.data.batches import Dataset
from codewm_model.data.repository_corpus import build, common_words, load
from codewm_model.networks.architectures import Architecture, known
from codewm_model.networks.architectures.registry import GROUP, OURS, find
from codewm_model.networks.code_world_model import CodeWorldModel, parameters
from codewm_model.settings.config import PRESETS, ArchitectureConfig
from codewm_model.settings.toml_files import overridden
from codewm_model.training.trainer import train
from codewm_model.training.training_run import Run

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "architecture"
ENCODERS = [name for name in OURS if find(name).encoder]
PREDICTORS = [name for name in OURS if find(name).predictor]


def trained(history: Path, folder: Path, *settings: str) -> Run:
    """A run of two steps of the transition stage."""
    short = ("transition_steps=2", "edit_steps=0", "next_steps=0", "predictor_steps=0", "threads=1", "evaluate_every=2")
    config = overridden(PRESETS["smoke"], [*short, *settings])
    folder.mkdir()
    corpus = load(build(history, folder / "corpus", edits=200))
    torch.manual_seed(config.training.seed)
    model = CodeWorldModel(config.architecture)
    run = Run(model, config, common_words([corpus]), Dataset([corpus]), [], folder, report=lambda record: None)
    train(run)
    return run


def moved(run: Run, part: str) -> bool:
    """Whether training has changed the weights of a network."""
    torch.manual_seed(run.config.training.seed)
    before = CodeWorldModel(run.config.architecture).state_dict()
    after = run.model.state_dict()
    return any(not torch.equal(before[name], after[name]) for name in before if name.startswith(f"{part}."))


@pytest.mark.parametrize(
    ("encoder", "predictor"),
    [(e, PREDICTORS[i % len(PREDICTORS)]) for i, e in enumerate(ENCODERS)]
    + [(ENCODERS[0], p) for p in PREDICTORS[len(ENCODERS) :]],
)
def test_what_comes_with_codewm_trains(encoder: str, predictor: str, history: Path, tmp_path: Path) -> None:
    run = trained(history, tmp_path / "run", f"encoder={encoder}", f"predictor={predictor}")
    assert moved(run, "state")
    assert moved(run, "transition")


@pytest.mark.parametrize("encoder", ENCODERS)
def test_an_encoder_does_not_see_the_padding(encoder: str) -> None:
    torch.manual_seed(0)
    model = CodeWorldModel(ArchitectureConfig(encoder=encoder)).state
    ids, depths = torch.randint(4, 600, (1, 9)), torch.randint(0, 9, (1, 9))
    more = torch.nn.functional.pad(ids, (0, 5)), torch.nn.functional.pad(depths, (0, 5))
    with torch.no_grad():
        torch.testing.assert_close(model(*more), model(ids, depths), atol=1e-4, rtol=1e-4)


def test_a_koopman_operator_is_affine_in_the_state_and_differs_by_action() -> None:
    torch.manual_seed(0)
    predictor = CodeWorldModel(ArchitectureConfig(predictor="koopman")).transition
    a, b = torch.randn(1, 128), torch.randn(1, 128)
    action, other = torch.randn(1, 15), torch.randn(1, 15)
    with torch.no_grad():
        zero = predictor(torch.zeros(1, 128), action)
        together = predictor(a + b, action)
        apart = predictor(a, action) + predictor(b, action) - zero
        torch.testing.assert_close(together, apart, atol=1e-4, rtol=1e-4)
        linear, differently = predictor(a, action) - zero, predictor(a, other) - predictor(torch.zeros(1, 128), other)
    assert float((linear - differently).abs().max()) > 1e-3


def test_a_mini_transformer_pays_for_every_layer_and_a_loop_does_not() -> None:
    def size(**settings: object) -> int:
        return parameters(CodeWorldModel(ArchitectureConfig(**settings)).state)  # type: ignore[arg-type]

    assert size(encoder="looped", loops=4) == size(encoder="looped", loops=1)
    assert size(encoder="mini-transformer", layers=4) > size(encoder="mini-transformer", layers=1)


def test_an_unknown_architecture_is_answered_with_the_nearest_and_a_missing_half_with_others() -> None:
    with pytest.raises(OptionError, match="did you mean 'koopman'"):
        CodeWorldModel(ArchitectureConfig(predictor="kopman"))
    with pytest.raises(OptionError, match="'koopman' has no encoder"):
        CodeWorldModel(ArchitectureConfig(encoder="koopman"))


def install(target: Path, entries: dict[str, str] | None = None, name: str = "codewm-translation") -> None:
    """What ``pip install --target`` leaves of the example: its module and its metadata."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    entries = entries or project["entry-points"][GROUP]
    if not (target / "codewm_translation").exists():
        shutil.copytree(EXAMPLE / "codewm_translation", target / "codewm_translation")
    metadata = target / f"{name.replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {project['version']}\n")
    listed = "".join(f"{key} = {value}\n" for key, value in entries.items())
    (metadata / "entry_points.txt").write_text(f"[{GROUP}]\n{listed}")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path, as of installed packages."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "codewm_translation", raising=False)
    return folder


def test_an_installed_package_adds_an_architecture(site: Path, history: Path, tmp_path: Path) -> None:
    install(site)
    assert known()["translation"] == "codewm-translation"
    listed = CliRunner().invoke(app, ["config", "architectures"])
    assert "translation: predictor, from codewm-translation" in listed.stdout
    run = trained(history, tmp_path / "run", "predictor=translation", "architecture.options.hidden=24")
    assert moved(run, "transition")
    assert run.model.transition.state_dict()["up.weight"].shape == (15, 24)
    write_run(run.folder, run.model, run.common, run.config, {})
    again, _, _ = read_run(run.folder)
    state, action = torch.randn(3, 128), torch.randn(3, 15)
    with torch.no_grad():
        assert torch.equal(again.transition(state, action), run.model.transition(state, action))


def test_a_package_is_told_of_a_wrong_option_of_its_own(site: Path) -> None:
    install(site)
    with pytest.raises(OptionError, match=r"'translation' cannot be made: .*options\.hidden must be a whole number"):
        CodeWorldModel(ArchitectureConfig(predictor="translation", options={"hidden": "wide"}))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("codewm_translation:MISSING", "cannot be loaded"),
        ("codewm_nowhere:ARCHITECTURE", "cannot be loaded"),
        ("codewm_translation:TranslationPredictor", "is not a codewm_model.networks.architectures.Architecture"),
    ],
)
def test_a_package_that_does_not_keep_its_word_is_named(site: Path, entry: str, said: str) -> None:
    install(site, {"broken": entry})
    with pytest.raises(OptionError, match=said) as failure:
        CodeWorldModel(ArchitectureConfig(predictor="broken"))
    assert "codewm-translation" in str(failure.value)


def test_two_packages_with_one_name_are_both_named(site: Path) -> None:
    install(site)
    install(site, {"translation": "codewm_elsewhere:ARCHITECTURE"}, name="codewm-elsewhere")
    with pytest.raises(OptionError, match="both offer an architecture 'translation'") as failure:
        known()
    assert "codewm-elsewhere" in str(failure.value)


def test_a_predictor_of_the_wrong_size_is_refused(site: Path) -> None:
    class Narrow(find("koopman").predictor):  # type: ignore[misc]
        def forward(self, state: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
            return super().forward(state, action)[:, :7]

    install(site)
    module = __import__("codewm_translation")
    module.ARCHITECTURE = Architecture("too narrow", predictor=Narrow)
    with pytest.raises(OptionError, match=r"gives \(2, 7\) for a batch of two, instead of \(2, 128\)"):
        CodeWorldModel(ArchitectureConfig(predictor="translation"))

"""Configurations: TOML files, overrides, and what is said of a wrong one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from typer.testing import CliRunner

from codewm_lsp.errors import OptionError
from codewm_model.cli.train_app import app
from codewm_model.networks.architectures import settings_of
from codewm_model.settings.config import FORMAT, PRESETS, SECTIONS, Config, reason
from codewm_model.settings.toml_files import as_toml, configured, overridden


def written(folder: Path, text: str) -> Path:
    file = folder / "training.toml"
    file.write_text(text, encoding="utf-8")
    return file


def shown(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["config", "show", *arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize("preset", PRESETS)
def test_what_is_shown_can_be_trained_with_again(preset: str, tmp_path: Path) -> None:
    file = written(tmp_path, shown("--preset", preset, "--set", "architecture.options.depth=3", "--set", "clip=2"))
    _, config = configured(None, file, ())
    assert config == overridden(PRESETS[preset], ["training.clip=2.0", "architecture.options.depth=3"])


def test_every_setting_has_a_reason_for_its_default() -> None:
    text = shown()
    for section, kind in SECTIONS.items():
        for field in dataclasses.fields(kind):
            assert reason(kind, field.name), f"{section}.{field.name}"
            assert f"{field.name} = " in text
            assert reason(kind, field.name) in text


def test_a_file_goes_over_its_preset_and_the_command_line_over_the_file(tmp_path: Path) -> None:
    file = written(
        tmp_path, 'preset = "smoke"\n[training]\nedit_steps = 7\nclip = 3\n[architecture]\nencoder = "mlp"\n'
    )
    name, config = configured(None, file, ["training.clip=0.5", "predictor=koopman"])
    assert name == "smoke"
    assert (config.training.edit_steps, config.training.next_steps) == (7, PRESETS["smoke"].training.next_steps)
    assert config.training.clip == 0.5
    assert (config.architecture.encoder, config.architecture.predictor) == ("mlp", "koopman")
    assert configured("base", file, ())[1].training.next_steps == PRESETS["base"].training.next_steps


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[training]\nedit_steps = 'many'", "training.edit_steps in {file} must be a whole number, not 'many'"),
        ("[training]\nedit_steps = 1.5", "training.edit_steps in {file} must be a whole number"),
        ("[training]\nbf16 = 1", "training.bf16 in {file} must be true or false, not 1"),
        ("[training]\nclip = true", "training.clip in {file} must be a number, not True"),
        ("[training]\non_collapse = 'cry'", "training.on_collapse in {file} must be one of 'warn', 'stop'"),
        ("[training]\nedit_batch = 0", "training.edit_batch in {file} is 0: it must be at least 4"),
        ("[training]\nclip = nan", "training.clip in {file} must be a finite number, not nan"),
        (
            "[training]\nedit_step = 3",
            "unknown setting 'edit_step' of [training] in {file}; did you mean 'edit_steps'?",
        ),
        ("[trainin]\nseed = 3", "unknown section 'trainin' in {file}; did you mean 'training'?"),
        ("training = 3", "training in {file} must be a table"),
        ("[architecture]\nheads = 3", "architecture.heads in {file} is 3: it must divide state_size (128)"),
        ("[architecture.options]\na = [1]", "architecture.options in {file} must be a table of texts, numbers"),
        (f"format = {FORMAT + 1}", "{file} has format 2 and comes from a newer version of CodeWM"),
        ("format = 'x'", "format of {file} is 'x'"),
        ("preset = 'huge'", "unknown preset 'huge': choose one of"),
        ("[training", "{file} is not valid TOML"),
    ],
)
def test_a_wrong_file_is_answered_in_one_line(text: str, said: str, tmp_path: Path) -> None:
    file = written(tmp_path, text)
    done = CliRunner().invoke(app, ["config", "show", "--config", str(file)])
    assert done.exit_code == 2
    assert said.format(file=file) in done.stderr
    assert done.stderr.strip().count("\n") == 0


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("edit_step=3", "unknown setting 'edit_step' in --set; did you mean 'edit_steps'?"),
        ("training.edit_step=3", "did you mean 'edit_steps'?"),
        ("trainin.clip=3", "did you mean 'training'?"),
        ("edit_steps=many", "must be a whole number, not 'many'"),
        ("edit_steps", "write NAME=VALUE"),
    ],
)
def test_a_wrong_override_is_answered_with_what_was_expected(setting: str, said: str) -> None:
    with pytest.raises(OptionError) as failure:
        overridden(Config(), [setting])
    assert said in str(failure.value)


def test_a_configuration_without_later_settings_still_loads() -> None:
    early = {"architecture": {"state_size": 128, "loops": 3}, "training": {"seed": 7}}
    config = Config.from_dict(early)
    assert config.architecture.encoder == "looped"
    assert config.training.seed == 7
    assert as_toml(config).startswith(f"format = {FORMAT}")


def test_a_papers_networks_come_with_its_losses_and_leave_the_length_alone() -> None:
    base = PRESETS["base"].training
    first, second = (configured("base", None, (), settings_of(name))[1] for name in ("paper1", "paper2"))
    assert (first.architecture.loops, first.architecture.predictor) == (6, "paper1")
    assert (second.architecture.loops, second.training.loop_weight, second.training.variance_weight) == (3, 0.3, 0.1)
    for config in (first, second):
        assert config.training.decay == 0.99999
        assert (config.training.sibling_weight, config.training.contrast_weight) == (0, 0)
        assert config.training.transition_steps == base.transition_steps
    assert "loops = 3" in shown("--preset", "base", "--architecture", "paper2")


def test_an_architecture_brings_what_it_has_and_the_file_goes_over_it(tmp_path: Path) -> None:
    config = configured("base", None, (), settings_of("koopman"))[1]
    assert (config.architecture.encoder, config.architecture.predictor) == ("looped", "koopman")
    file = written(tmp_path, "[architecture]\nloops = 2\n")
    assert configured("base", file, (), settings_of("paper1"))[1].architecture.loops == 2
    with pytest.raises(OptionError, match="unknown architecture 'paper3'; did you mean 'paper"):
        settings_of("paper3")


def test_networks_of_ones_own_choice_start_from_scratch(tmp_path: Path) -> None:
    for also in ([], ["--from", "scratch", "--resume"]):
        done = CliRunner().invoke(
            app, ["run", str(tmp_path), "-o", str(tmp_path / "o"), "--architecture", "mlp", *also]
        )
        assert done.exit_code == 2
        assert "--architecture is for a new model" in done.stderr

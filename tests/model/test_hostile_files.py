"""Settings, runs, checkpoints and corpora that nobody sane would write: one line each, in bounded time and memory."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from codewm_lsp.errors import CodewmError, OptionError, TrainingError
from codewm_model.artifacts.bundle_format import bundle_format
from codewm_model.artifacts.run_folder import read_run
from codewm_model.artifacts.training_log import read_log
from codewm_model.cli.train_app import app
from codewm_model.data.repository_corpus import build, load
from codewm_model.settings.config import Config
from codewm_model.settings.toml_files import overridden, read_toml
from codewm_model.training.checkpoint import read_checkpoint
from codewm_model.training.sweep_file import read_sweep

DEEP = 100_000


def pipe(file: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes in folders")
    file.unlink(missing_ok=True)
    os.mkfifo(file)


def folder(file: Path) -> None:
    file.unlink(missing_ok=True)
    file.mkdir()


def endless(file: Path) -> None:
    """A terabyte on paper."""
    file.unlink(missing_ok=True)
    with file.open("wb") as opened:
        opened.truncate(1 << 40)


def nested(file: Path) -> None:
    file.write_text('{"a":' * DEEP + "1" + "}" * DEEP, encoding="utf-8")


NO_FILES = [pipe, folder, endless]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[training]\nclip = inf", "training.clip in {file} must be a finite number, not inf"),
        ("[training]\nclip = -1", "training.clip in {file} is -1.0: it must be at least 0"),
        (f"[training]\nclip = 1{'0' * 400}", "training.clip in {file} must be a finite number"),
        (f"[training]\nseed = 0x{'f' * 100_000}", "training.seed in {file} is"),
        (f"[training]\nseed = {'9' * 100_000}", "{file} is not valid TOML"),
        ("[architecture]\nstate_size = 1000000000", "state_size in {file} is 1000000000: it must be at most 1024"),
        ("[architecture]\nloops = 100000", "architecture.loops in {file} is 100000: it must be at most 64"),
        ("[training]\nthreads = 1000000", "training.threads in {file} is 1000000: it must be at most 1024"),
        ("[training]\nedit_batch = 1000000", "training.edit_batch in {file} is 1000000: it must be at most 16384"),
        (f"[architecture]\nencoder = '{'x' * 100_000}'", "must be a text of at most 4,096 characters"),
        (f"[training]\nclip = {'[' * DEEP}", "nested more than 16 deep"),
        (f"[{'.'.join(['a'] * DEEP)}]", "nested more than 16 deep"),
        (f"{'.'.join(['a'] * DEEP)} = 1", "nested more than 16 deep"),
        (" . ".join(['"="'] * 20_000) + " = 1", "nested more than 16 deep"),
        ("a = " + "{a = " * 20_000 + "1" + "}" * 20_000, "nested more than 16 deep"),
        ("[architecture.options]\na = nan", "architecture.options in {file} must be a table of texts, numbers"),
        ("#" * (1 << 20), "{file} cannot be read (it has 1,048,576 bytes, more than 262,144)"),
        ("\udcff".encode("utf-8", "surrogateescape").decode("latin-1"), "{file} is not valid TOML"),
    ],
    ids=range(18),
)
def test_settings_are_bounded(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "training.toml"
    file.write_text(text, encoding="utf-8")
    done = CliRunner().invoke(app, ["config", "show", "--config", str(file)])
    assert done.exit_code == 2, done.output
    assert said.format(file=file) in done.stderr
    assert done.stderr.strip().count("\n") == 0
    assert len(done.stderr) < 1_000


@pytest.mark.parametrize("spoil", NO_FILES)
def test_a_configuration_that_is_no_file_is_named(spoil: Callable[[Path], None], tmp_path: Path) -> None:
    spoil(tmp_path / "training.toml")
    with pytest.raises(OptionError, match=r"training.toml cannot be read"):
        read_toml(tmp_path / "training.toml")


def test_an_override_may_be_anything() -> None:
    for value in ("[" * DEEP, "1" * DEEP, "{a=" * DEEP, ".".join("a" * DEEP), "1e999", "nan"):
        with pytest.raises(OptionError) as failure:
            overridden(Config(), [f"clip={value}"])
        assert len(str(failure.value)) < 500


SWEEP = """
trials = 2
metric = "transition/copy_indicator"
sampler = "{sampler}"
[data]
corpus = "c"
[settings]
[search]
{search}
"""


@pytest.mark.parametrize(
    ("sampler", "search", "said"),
    [
        ("grid", "\n".join(f"training.{s}_steps = {list(range(60))}" for s in ("edit", "next", "predictor")), "than"),
        ("tpe", "architecture.encoder = {low = 'a', high = 'b'}", "low and high must be numbers"),
        ("tpe", "training.clip = {low = 1, high = inf}", "must be a number"),
        ("tpe", "training.clip = [[1]]", "must be a number"),
        ("tpe", f"training{'.a' * 10} = 1", "write a list of values"),
    ],
)
def test_a_sweep_is_bounded(sampler: str, search: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "sweep.toml"
    file.write_text(SWEEP.format(sampler=sampler, search=search), encoding="utf-8")
    with pytest.raises(OptionError, match=said):
        read_sweep(file)


@pytest.fixture
def run_copy(finished: tuple[Path, str], tmp_path: Path) -> Path:
    """A finished run, to be spoilt."""
    shutil.copytree(finished[0], tmp_path / "run", ignore=shutil.ignore_patterns("corpus"))
    return tmp_path / "run"


@pytest.mark.parametrize("name", ["config.json", "about.json", "model.safetensors"])
@pytest.mark.parametrize("spoil", NO_FILES)
def test_a_run_whose_file_is_none_is_damaged(name: str, spoil: Callable[[Path], None], run_copy: Path) -> None:
    spoil(run_copy / name)
    with pytest.raises(TrainingError, match=r"is damaged|is missing"):
        read_run(run_copy)


@pytest.mark.parametrize("name", ["config.json", "about.json"])
def test_a_run_that_says_too_deep_things_is_damaged(name: str, run_copy: Path) -> None:
    nested(run_copy / name)
    with pytest.raises(TrainingError, match="is damaged"):
        read_run(run_copy)


@pytest.mark.parametrize(
    "about",
    [[], {"trained_on": 3}, {"trained_on": ["x"]}, {"trained_on": [{"name": 1, "head": "", "edits": 2}]}],
)
def test_a_run_of_an_unlikely_origin_is_damaged(about: Any, run_copy: Path) -> None:
    (run_copy / "about.json").write_text(json.dumps(about), encoding="utf-8")
    with pytest.raises(TrainingError, match="is damaged"):
        read_run(run_copy)


def test_a_run_that_claims_huge_networks_makes_none(run_copy: Path) -> None:
    config = json.loads((run_copy / "config.json").read_text(encoding="utf-8"))
    config["architecture"]["state_size"] = 1 << 40
    (run_copy / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(OptionError, match="it must be at most 1024"):
        read_run(run_copy)


def test_weights_of_other_shapes_are_said_in_one_line(run_copy: Path) -> None:
    tensors = load_file(run_copy / "model.safetensors")
    name = next(name for name in tensors if name != "common_words")
    save_file(tensors | {name: torch.zeros(1, 1, 1)}, run_copy / "model.safetensors")
    with pytest.raises(TrainingError, match="does not fit config") as failure:
        read_run(run_copy)
    assert "\n" not in str(failure.value)
    del tensors["common_words"]
    save_file(tensors, run_copy / "model.safetensors")
    with pytest.raises(TrainingError, match="is damaged"):
        read_run(run_copy)


@pytest.mark.parametrize("spoil", NO_FILES)
def test_a_checkpoint_that_is_no_file_is_damaged(spoil: Callable[[Path], None], run_copy: Path) -> None:
    spoil(run_copy / "checkpoint.pt")
    with pytest.raises(TrainingError, match=r"checkpoint.pt is damaged .* Delete it to start a new run"):
        read_checkpoint(run_copy)


def test_a_compressed_checkpoint_is_damaged(run_copy: Path) -> None:
    file = run_copy / "checkpoint.pt"
    with zipfile.ZipFile(file) as whole:
        parts = {part: whole.read(part) for part in whole.namelist()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as small:
        for name, data in parts.items():
            small.writestr(name, data)
    with pytest.raises(TrainingError, match="it is compressed"):
        read_checkpoint(run_copy)


@pytest.mark.parametrize(
    "change",
    [
        {"step": -1},
        {"step": "3"},
        {"stage": "dreaming"},
        {"finished": 1},
        {"common": torch.zeros(3, 3)},
        {"common": 4},
        {"model": [1]},
        {"optimiser": 3},
        {"begun": {"minutes": float("nan")}},
        {"begun": {"hours": 3}},
        {"target": {"rows": torch.zeros(1).expand(1 << 20, 1 << 20)}},
    ],
)
def test_a_checkpoint_of_absurd_contents_is_damaged(change: dict[str, Any], run_copy: Path) -> None:
    file = run_copy / "checkpoint.pt"
    torch.save(torch.load(file, weights_only=True) | change, file)
    with pytest.raises(TrainingError, match=r"checkpoint.pt is damaged"):
        read_checkpoint(run_copy)


@pytest.mark.parametrize("what", ["rows", "moments", "encoder"])
def test_a_checkpoint_that_does_not_fit_is_said_before_a_step(
    what: str, history: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from codewm_model.settings.config import PRESETS
    from codewm_model.training.loading import of_clones
    from codewm_model.training.train_from import RunSettings, train_from
    from codewm_model.training.trainer import Interrupted

    config = overridden(PRESETS["smoke"], ["threads=1"])
    material = of_clones([load(build(history, tmp_path / "corpus", edits=200))], [], None)
    steps: list[int] = []
    with pytest.raises(Interrupted):
        train_from(
            RunSettings(tmp_path, config, material),
            advance=lambda stage, step, total, loss: steps.append(step),
            stop=lambda: len(steps) >= 3,
        )
    file = tmp_path / "checkpoint.pt"
    state = torch.load(file, weights_only=True)
    if what == "rows":
        state["target"]["rows"] = torch.tensor([10**9])
    elif what == "encoder":
        state["target"]["encoder"] = {}
    else:
        state["optimiser"]["state"][0]["exp_avg"] = torch.zeros(3, 3)
    torch.save(state, file)
    with pytest.raises(TrainingError, match=r"checkpoint.pt is damaged"):
        train_from(RunSettings(tmp_path, config, material, checkpoint=read_checkpoint(tmp_path)))


@pytest.mark.parametrize("spoil", [pipe, folder, endless])
def test_a_log_that_is_no_file_is_named(spoil: Callable[[Path], None], tmp_path: Path) -> None:
    spoil(tmp_path / "log.jsonl")
    with pytest.raises(TrainingError, match=r"log.jsonl is not the log of a run"):
        read_log(tmp_path / "log.jsonl")


def test_a_bundle_of_an_unlikely_origin_is_not_trained_from(finished: tuple[Path, str], tmp_path: Path) -> None:
    shutil.copytree(finished[0], tmp_path / "run", ignore=shutil.ignore_patterns("corpus"))
    file = tmp_path / "run" / "model.json"
    metadata = json.loads(file.read_text(encoding="utf-8"))
    for change in ({"trained_on": [3]}, {"config": {"architecture": {"word_size": 32}}}, {"diagnostics": []}):
        file.write_text(json.dumps(metadata | change), encoding="utf-8")
        with pytest.raises(CodewmError, match="cannot be trained from"):
            bundle_format().read(tmp_path / "run")


@pytest.mark.parametrize("spoil", [*NO_FILES, nested])
def test_a_corpus_whose_description_is_none_is_damaged(
    spoil: Callable[[Path], None], history: Path, tmp_path: Path
) -> None:
    made = build(history, tmp_path, edits=200)
    spoil(made / "repository.json")
    with pytest.raises(TrainingError, match=r"repository.json is damaged"):
        load(made)


def test_a_part_of_absurd_rows_is_damaged(history: Path, tmp_path: Path) -> None:
    made = build(history, tmp_path, edits=200)
    file = made / "edits-00000.parquet"
    table = pq.read_table(file)
    outside = pa.array([1 << 30] * len(table), table.schema.field("after").type)
    pq.write_table(table.set_column(table.schema.get_field_index("after"), "after", outside), file)
    with pytest.raises(TrainingError, match="is damaged"):
        load(made)
    pipe(file)
    with pytest.raises(TrainingError, match="is damaged"):
        load(made)


def test_a_part_that_would_fill_the_memory_is_not_read(history: Path, tmp_path: Path) -> None:
    made = build(history, tmp_path, edits=200)
    file = made / "states-00000.parquet"
    zeros = pa.table({"hash": pa.array([0] * 1_000_000, pa.int64())})
    with pq.ParquetWriter(file, zeros.schema, compression="zstd") as writer:
        for _ in range(150):
            writer.write_table(zeros)
    assert file.stat().st_size < 1_000_000
    with pytest.raises(TrainingError, match="in memory"):
        load(made)


def test_a_start_that_is_nothing_is_named(history: Path, tmp_path: Path) -> None:
    (tmp_path / "start").mkdir()
    arguments = [
        str(history),
        "--output",
        str(tmp_path / "out"),
        "--preset",
        "smoke",
        "--from",
        str(tmp_path / "start"),
    ]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 1
    assert f"{tmp_path / 'start'} is not a model" in done.stderr
    assert isinstance(done.exception, SystemExit)

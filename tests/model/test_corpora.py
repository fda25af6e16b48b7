"""Corpora on disk: parts, what a manifest says, and training from more than memory holds."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from typer.testing import CliRunner

from codewm_lsp.errors import OptionError, TrainingError
from codewm_lsp.source import TOKENISER_VERSION, VOCABULARY_HASH
from codewm_model.cli.train_app import app
from codewm_model.data.repository_corpus import build, common_words, load, newest_edits, versions
from codewm_model.data.shards import MANIFEST, MEGABYTE, Stream, one_by_one, read_shards
from codewm_model.settings.config import PRESETS, Config
from codewm_model.settings.toml_files import overridden
from codewm_model.training.checkpoint import read_checkpoint
from codewm_model.training.loading import of_clones, of_corpus
from codewm_model.training.train_from import RunSettings, train_from
from codewm_model.training.trainer import Interrupted

SHARDS = ("edits", "states", "places")


@pytest.fixture(scope="module")
def corpus(history: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of one repository in several shards, made by the command."""
    folder = tmp_path_factory.mktemp("corpus") / "corpus"
    done = CliRunner().invoke(app, ["corpus", "build", str(history), "--output", str(folder), "--shard-edits", "30"])
    assert done.exit_code == 0, done.output
    assert "edits of 1 repository in" in done.stdout
    return folder


def assert_same(first: Any, second: Any) -> None:
    for field in dataclasses.fields(first):
        a, b = getattr(first, field.name), getattr(second, field.name)
        if dataclasses.is_dataclass(a):
            assert_same(a, b)
        elif isinstance(a, np.ndarray):
            assert a.dtype == b.dtype, field.name
            assert np.array_equal(a, b), field.name
        else:
            assert a == b, field.name


def test_parts_joined_are_the_repository_mined_whole(history: Path, tmp_path: Path) -> None:
    whole = load(build(history, tmp_path, edits=0))
    parts = build(history, tmp_path, edits=0, part_edits=25)
    assert len(list(parts.glob("edits-*.parquet"))) > 2
    assert_same(load(parts), whole)


def test_the_newest_edits_keep_their_states_and_words(history: Path, tmp_path: Path) -> None:
    whole = load(build(history, tmp_path, edits=0))
    newest = newest_edits(whole, 10)
    assert len(newest) == 10
    assert newest.states_count < whole.states_count
    for row in range(10):
        for corpus in (whole, newest):
            state = int(corpus.states[row, 1])
            start, end = corpus.structure_offsets[state : state + 2]
            if corpus is whole:
                ids = corpus.structure_ids[start:end]
            else:
                assert np.array_equal(ids, corpus.structure_ids[start:end])


def test_the_manifest_says_what_the_corpus_was_made_with_and_of(corpus: Path, history: Path) -> None:
    manifest = json.loads((corpus / MANIFEST).read_text(encoding="utf-8"))
    assert manifest["tokeniser_version"] == TOKENISER_VERSION
    assert manifest["vocabulary_hash"] == VOCABULARY_HASH
    (entry,) = manifest["repositories"]
    whole = load(build(history, corpus, edits=4_000, part_edits=30))
    assert (entry["name"], entry["head"], entry["edits"]) == (history.name, whole.head, len(whole))
    rows = sum(pq.read_metadata(file).num_rows for file in (corpus / entry["folder"]).glob("edits-*.parquet"))
    assert rows == len(whole)


def test_a_repository_is_mined_once(history: Path, tmp_path: Path) -> None:
    def stamps() -> list[int]:
        return [file.stat().st_mtime_ns for file in sorted(tmp_path.rglob("*.parquet"))]

    build(history, tmp_path, edits=50)
    before = stamps()
    build(history, tmp_path, edits=50)
    assert stamps() == before


def test_processes_mine_the_same_and_a_clone_that_cannot_be_mined_stops_no_other(
    corpus: Path, history: Path, tmp_path: Path
) -> None:
    file = tmp_path / "clones.txt"
    file.write_text(f"nowhere\n{history}\n", encoding="utf-8")
    command = [
        "corpus",
        "build",
        str(file),
        "--processes",
        "2",
        "--output",
        str(tmp_path / "made"),
        "--shard-edits",
        "30",
    ]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 1, done.output
    assert "nowhere: " in done.output
    assert "1 of 2 clones could not be mined" in " ".join(done.output.split())
    first, second = (
        json.loads((folder / MANIFEST).read_text(encoding="utf-8")) for folder in (corpus, tmp_path / "made")
    )
    assert second == first
    made, expected = ([shard.load() for shard in read_shards(folder)] for folder in (tmp_path / "made", corpus))
    for one, other in zip(made, expected, strict=True):
        assert_same(one, other)


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install 'codewm[ray]'")
@pytest.mark.skipif(os.name == "nt", reason="Ray's processes are ended by their group")
def test_a_ray_cluster_mines_the_same(corpus: Path, history: Path, tmp_path: Path) -> None:
    file = tmp_path / "clones.txt"
    file.write_text(f"nowhere\n{history}\n", encoding="utf-8")
    made = tmp_path / "made"
    program = [sys.executable, "-c", "from codewm_model.cli import main; main()"]
    process = subprocess.Popen(
        [*program, "corpus", "build", str(file), "--ray", "local", "--output", str(made), "--shard-edits", "30"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        told, _ = process.communicate(timeout=180)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert process.returncode == 1, told
    assert "1 of 2 clones could not be mined" in " ".join(told.split())
    assert json.loads((made / MANIFEST).read_text(encoding="utf-8")) == json.loads(
        (corpus / MANIFEST).read_text(encoding="utf-8")
    )
    for one, other in zip(read_shards(made), read_shards(corpus), strict=True):
        assert_same(one.load(), other.load())


@pytest.mark.parametrize("table", SHARDS)
@pytest.mark.parametrize("how", ["cut", "missing", "other"])
def test_a_damaged_shard_is_named_with_the_remedy(history: Path, tmp_path: Path, table: str, how: str) -> None:
    folder = build(history, tmp_path, edits=40)
    file = folder / f"{table}-00000.parquet"
    if how == "cut":
        file.write_bytes(file.read_bytes()[:-20])
    elif how == "missing":
        file.unlink()
    else:
        file.write_bytes((folder / f"{'states' if table == 'edits' else 'edits'}-00000.parquet").read_bytes())
    with pytest.raises(TrainingError, match="build the corpus again") as failure:
        load(folder)
    assert str(folder) in str(failure.value)


def test_a_corpus_of_another_tokeniser_is_refused(history: Path, tmp_path: Path) -> None:
    CliRunner().invoke(app, ["corpus", "build", str(history), "--output", str(tmp_path), "--edits", "40"])
    manifest = json.loads((tmp_path / MANIFEST).read_text(encoding="utf-8"))
    for change, said in (
        ({"tokeniser_version": 999}, "tokeniser version 999"),
        ({"format": 9}, "newer version of CodeWM"),
    ):
        (tmp_path / MANIFEST).write_text(json.dumps(manifest | change), encoding="utf-8")
        with pytest.raises((TrainingError, OptionError), match=said):
            read_shards(tmp_path)
    assert manifest.items() >= versions().items()


def test_a_folder_without_manifest_is_no_corpus(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="codewm-train corpus build"):
        read_shards(tmp_path)


def test_a_history_of_one_commit_teaches_nothing(make_repository: Callable[..., Any], tmp_path: Path) -> None:
    builder = make_repository()
    builder.commit("Start", {"a.py": "def f(x):\n    return x\n\n\ndef g(x):\n    return x + 1\n"})
    with pytest.raises(TrainingError, match="only one commit"):
        build(builder.path, tmp_path / "corpus", edits=100)
    assert not list((tmp_path / "corpus").iterdir())


def small(*settings: str) -> Config:
    fixed = ("training.resident_mb=1", "training.turn_steps=2", "training.threads=1", "training.evaluate_every=4")
    return overridden(PRESETS["smoke"], [*fixed, *settings])


def tight(corpus: Path, monkeypatch: pytest.MonkeyPatch, shards: int) -> None:
    """A megabyte holds so many of the corpus's shards, which are too small for whole megabytes."""
    largest = max(shard.bytes for shard in read_shards(corpus))
    assert largest < MEGABYTE
    monkeypatch.setattr("codewm_model.data.shards.MEGABYTE", shards * largest)


def test_every_shard_has_its_turn_and_no_more_than_fit_are_in_memory(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tight(corpus, monkeypatch, 2)
    training = small().training
    shards = read_shards(corpus)
    assert len(shards) > 3
    stream = Stream(shards, training, common_words(one_by_one(shards)), hold_out=0.0)
    seen: list[str] = []
    for turn in range(len(stream.shards)):
        stream.dataset("edit", turn)
        assert 1 <= len(stream.resident) <= 2
        chosen = [shard.name for shard in stream.shards_of("edit", turn)]
        assert set(stream.resident) == set(chosen)
        seen += chosen
        if len(seen) == len(stream.shards):
            break
    assert sorted(seen) == sorted(shard.name for shard in stream.shards)
    again = Stream(shards, training, stream.common, hold_out=0.0)
    assert again.shards_of("edit", 3) == stream.shards_of("edit", 3)


def test_a_corpus_that_fits_is_trained_on_as_the_repository_would_be(
    corpus: Path, history: Path, tmp_path: Path
) -> None:
    material = of_corpus(corpus, PRESETS["smoke"].training, [], None)
    assert material.stream is None
    direct = of_clones([load(build(history, tmp_path, edits=4_000))], [], None)
    assert_same(material.data.corpora[0], direct.data.corpora[0])
    assert np.array_equal(material.data.held_out, direct.data.held_out)
    assert material.trained_on == direct.trained_on


def test_a_shard_larger_than_the_memory_is_named(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codewm_model.data.shards.MEGABYTE", 1_000)
    shards = read_shards(corpus)
    with pytest.raises(OptionError, match=r"resident_mb is 1, and shard .* alone takes"):
        Stream(shards, small().training, common_words(one_by_one(shards)), hold_out=0.0)


def test_training_in_turns_is_deterministic_and_resumes_to_the_last_bit(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tight(corpus, monkeypatch, 2)

    def run(folder: Path, stop_after: int | None, resume: bool) -> list[dict[str, Any]]:
        config = small()
        folder.mkdir(exist_ok=True)
        material = of_corpus(corpus, config.training, [], None)
        assert material.stream
        steps: list[int] = []
        records: list[dict[str, Any]] = []
        try:
            train_from(
                RunSettings(folder, config, material, checkpoint=read_checkpoint(folder) if resume else None),
                report=records.append,
                advance=lambda stage, step, total, loss: steps.append(step),
                stop=lambda: stop_after is not None and len(steps) >= stop_after,
            )
        except Interrupted:
            assert stop_after is not None
        return records

    records = run(tmp_path / "whole", None, False)
    turns = [record for record in records if "turn" in record]
    assert max(record["resident"] for record in turns) <= 2
    assert {record["stage"] for record in turns} == {"transition", "edit", "next", "predictor"}
    assert len({record["shards"] for record in turns}) > 1
    assert any("e4/300/mrr" in record for record in records)  # on what was held out
    run(tmp_path / "parts", 3, False)  # within a turn of the first stage
    run(tmp_path / "parts", 7, True)
    run(tmp_path / "parts", None, True)
    whole, parts = (read_checkpoint(tmp_path / name).model for name in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def commit_lines(count: int, path: str = "shop/client.py") -> list[dict[str, str]]:
    """Records like CommitPack's, each of which changes two functions."""
    text = (
        "def fetch(url):\n    return get(url, limit={0})\n\n\ndef send(url, data):\n    return post(url, data, {0})\n"
    )
    return [
        {
            "commit": f"{number:040x}",
            "old_file": path,
            "new_file": path,
            "old_contents": text.format(number),
            "new_contents": text.format(number + 1),
            "subject": f"Raise the limit to {number + 1}",
            "lang": "Python",
            "repos": "ada/shop",
        }
        for number in reversed(range(count))
    ]


def test_a_file_of_commits_becomes_a_corpus_that_is_trained_from(tmp_path: Path) -> None:
    file = tmp_path / "sample.jsonl"
    records = [*commit_lines(12), *commit_lines(3, "notes.md")]
    file.write_text("\n".join(map(json.dumps, records)) + "\n", encoding="utf-8")
    folder = tmp_path / "corpus"
    done = CliRunner().invoke(app, ["corpus", "build", "--commits", str(file), "--output", str(folder)])
    assert done.exit_code == 0, done.output
    assert "24 edits of 1 repository" in done.stdout
    (shard,) = read_shards(folder)
    assert shard.repository == "sample"
    loaded = load(shard.folder)
    assert len(loaded.commits) == 12
    assert loaded.commits[0] == f"{11:040x}", "the first line is the newest"
    assert (loaded.states[2:, 1] == loaded.states[:-2, 0]).all(), "what one commit leaves, the next begins with"
    config = overridden(PRESETS["smoke"], ["threads=1", "edit_steps=0", "next_steps=0", "predictor_steps=0"])
    result = train_from(RunSettings(tmp_path, config, of_corpus(folder, config.training, [], None)))
    assert any("loss" in record for record in result.records)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "sample.jsonl:2 is not JSON"),
        ("[1]", "sample.jsonl:2 is not an object"),
        ('{"commit": "a", "old_file": 3}', "sample.jsonl:2 has no text for old_file"),
        ('"' + "x" * (1 << 22) + '"', "sample.jsonl:2 has more than 4 MiB"),
    ],
    ids=["cut short", "a list", "a number", "too long"],
)
def test_a_line_that_is_no_commit_is_named(line: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "sample.jsonl"
    file.write_text(json.dumps(commit_lines(1)[0]) + "\n" + line + "\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["corpus", "build", "--commits", str(file), "--output", str(tmp_path / "corpus")])
    assert done.exit_code == 1
    assert said in " ".join(done.stderr.split())
    assert not list((tmp_path / "corpus").glob("sample-*"))


def test_a_corpus_is_built_of_something(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["corpus", "build", "--output", str(tmp_path / "corpus")])
    assert done.exit_code == 2
    assert "--commits FILE" in done.stderr

"""What commands write to: an empty folder or one they made themselves, and nothing of anyone else's."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from codewm_lsp.errors import OptionError
from codewm_lsp.output_folder import MARKER, claim
from codewm_model.cli.train_app import app

SMOKE = ("--preset", "smoke", "--from", "scratch")
FOREIGN = {
    "README.md": "My own readme.",
    "log.jsonl": "my own log",
    "config.json": "{}",
    "about.json": "{}",
    "model.json": "{}",
    "report.json": "{}",
    "report.md": "mine",
    "manifest.txt": "mine",
    "corpus/notes.txt": "mine",
}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A folder with a person's own files, some called like those of a run."""
    folder = tmp_path / "mine"
    for name, text in FOREIGN.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def exported(run: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from codewm_export.cli import main; main()", str(run), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize(
    "arguments",
    [
        ("{repository}", *SMOKE),
        ("{repository}", *SMOKE, "--overwrite"),
        ("{repository}", "--resume"),
        ("corpus", "build", "{repository}"),
        ("study", "collapse", "{repository}", "--validate", "{repository}", "--setting", "smoke"),
    ],
    ids=["run", "overwrite", "resume", "corpus", "study"],
)
def test_a_folder_with_other_files_is_left_as_it_was(arguments: tuple[str, ...], history: Path, foreign: Path) -> None:
    before = contents(foreign)
    given = [argument.format(repository=history) for argument in arguments]
    done = CliRunner().invoke(app, [*given, "--output", str(foreign)])
    assert done.exit_code == 2
    assert f"--output {foreign} holds files that codewm-train" in done.stderr
    assert "Choose a new or an empty folder" in done.stderr
    assert contents(foreign) == before


def test_an_export_leaves_other_files_as_they_were(finished: tuple[Path, str], foreign: Path) -> None:
    before = contents(foreign)
    done = exported(finished[0], "--output", foreign, "--overwrite")
    assert done.returncode == 2
    assert "holds files that codewm-export did not write" in done.stderr
    assert contents(foreign) == before


def test_a_neighbour_called_partial_is_left_as_it_was(finished: tuple[Path, str], tmp_path: Path) -> None:
    beside = tmp_path / "bundle.partial"
    beside.mkdir()
    (beside / "thesis.txt").write_text("unrelated work", encoding="utf-8")
    done = exported(finished[0], "--output", tmp_path / "bundle")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # nothing that nobody can act on
    assert contents(beside) == {"thesis.txt": b"unrelated work"}
    assert {"model.json", "README.md", MARKER} <= set(contents(tmp_path / "bundle"))


def test_a_finished_run_is_replaced_only_when_that_is_asked_for(
    finished: tuple[Path, str], history: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished[0], folder)
    (folder / "notes.txt").write_text("my own", encoding="utf-8")
    before = contents(folder)
    again = [str(history), "--output", str(folder), *SMOKE, "--cache", str(folder / "corpus"), "--no-export"]
    done = CliRunner().invoke(app, again)
    assert done.exit_code == 2
    assert "holds a finished result of codewm-train" in done.stderr
    assert "--overwrite" in done.stderr
    assert contents(folder) == before
    done = CliRunner().invoke(app, [*again, "--overwrite", "--set", "seed=7"])
    assert done.exit_code == 0, done.output
    after = contents(folder)
    assert after["model.safetensors"] != before["model.safetensors"]
    assert "model.json" not in after  # the bundle was of the run before
    assert after["notes.txt"] == b"my own"


def test_a_run_that_was_stopped_is_not_begun_anew_by_mistake(
    finished: tuple[Path, str], history: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    for name in (MARKER, "checkpoint.pt", "log.jsonl"):
        shutil.copy(finished[0] / name, folder / name)
    before = contents(folder)
    done = CliRunner().invoke(app, [str(history), "--output", str(folder), *SMOKE])
    assert done.exit_code == 2
    assert "Continue it with --resume, or replace it with --overwrite" in done.stderr
    assert contents(folder) == before


def test_a_run_of_a_version_without_marks_goes_on(finished: tuple[Path, str], history: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished[0], folder)
    (folder / MARKER).unlink()
    done = CliRunner().invoke(app, [str(history), "--output", str(folder), "--resume", "--no-export"])
    assert done.exit_code == 0, done.output
    assert (folder / MARKER).exists()


def test_the_folder_one_stands_in_will_do(
    history: Path, finished: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    done = CliRunner().invoke(app, [str(history), "--output", ".", *SMOKE])
    assert done.exit_code == 0, done.output
    assert {"model.safetensors", "model.json", "README.md"} <= set(contents(here))
    assert [entry.name for entry in tmp_path.iterdir()] == ["here"]
    assert not [entry for entry in here.iterdir() if entry.name.startswith(".codewm-export-")]


def test_a_bundle_is_replaced_only_when_that_is_asked_for(finished: tuple[Path, str], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished[0], folder)
    before = contents(folder)
    done = exported(folder)
    assert done.returncode == 2
    assert "--overwrite" in done.stderr
    assert contents(folder) == before
    done = exported(folder, "--overwrite", "--name", "another")
    assert done.returncode == 0, done.stderr
    assert b'"name":"another"' in (folder / "model.json").read_bytes()


def test_a_folder_of_another_command_is_refused(tmp_path: Path) -> None:
    claim(tmp_path / "out", "codewm eval")
    with pytest.raises(OptionError, match="belongs to codewm eval, not to codewm-train"):
        claim(tmp_path / "out", "codewm-train")


def test_a_mark_that_is_none_says_nothing(tmp_path: Path) -> None:
    (tmp_path / MARKER).write_bytes(b"[" * 100_000)
    with pytest.raises(OptionError, match="--output"):
        claim(tmp_path, "codewm-train")
    (tmp_path / MARKER).write_bytes(b"{}")
    with pytest.raises(OptionError, match="did not write"):
        claim(tmp_path, "codewm-train")


def test_what_a_file_manager_leaves_makes_no_folder_anyone_s(tmp_path: Path) -> None:
    (tmp_path / ".DS_Store").write_bytes(b"\x00")
    claim(tmp_path, "codewm-train")
    assert (tmp_path / MARKER).exists()


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("in the way", encoding="utf-8")
    with pytest.raises(OptionError, match=r"--output .*out cannot be written to"):
        claim(tmp_path / "out", "codewm-train")


def test_an_export_of_a_run_of_unknown_origin_is_refused_before_anything_is_written(
    finished: tuple[Path, str], tmp_path: Path
) -> None:
    shutil.copytree(finished[0], tmp_path / "run", ignore=shutil.ignore_patterns("corpus"))
    (tmp_path / "run" / "about.json").write_text("{}", encoding="utf-8")
    done = exported(tmp_path / "run", "--output", tmp_path / "bundle")
    assert done.returncode == 1
    assert "about.json is damaged" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "bundle").exists()

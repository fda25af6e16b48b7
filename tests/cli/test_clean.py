"""What CodeWM writes lies in the two folders that are named, and `codewm clean` removes all of it and nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codewm_lsp.index import store

PROGRAM = "from codewm_lsp.cli import main; main()"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with something in each folder that is not ours."""
    folder = tmp_path / "home"
    for place in (".cache/other", ".local/state", "Library/Caches", "AppData"):
        (folder / place).mkdir(parents=True)
        (folder / place / "mine.txt").write_text("mine")
    (folder / "temporary").mkdir()
    return folder


@pytest.fixture
def codewm(home: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`codewm` with that home and no other folder named."""

    def run(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("XDG_", "CODEWM_"))}
        places = {"HOME": home, "LOCALAPPDATA": home / "AppData", "TMPDIR": home / "temporary"}
        return subprocess.run(
            [sys.executable, "-c", PROGRAM, *map(str, arguments)],
            input=stdin,
            env={**kept, **{name: str(place) for name, place in places.items()}, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )

    return run


def everything(folder: Path) -> dict[str, bytes | None]:
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def test_only_the_cache_and_the_log_folder_are_written_and_clean_removes_all(
    history: Any, home: Path, codewm: Callable[..., Any]
) -> None:
    before, repository = everything(home), everything(history.path)
    assert codewm("index", history.path).returncode == 0
    assert codewm("hints", "--diff", history.path).returncode == 0
    assert codewm("embed", "--states", stdin='{"source": "x = 1"}\n').returncode == 0
    assert codewm("doctor", history.path).returncode == 0
    assert everything(history.path) == repository
    written = everything(home).keys() - before.keys()
    assert written
    assert all("codewm" in name for name in written), written

    listed = codewm("clean", "--dry-run")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "indexes and hidden edits" in listed.stdout
    assert everything(home).keys() - before.keys() == written
    asked = codewm("clean")
    assert asked.returncode == 2
    assert "codewm clean --yes" in asked.stderr
    assert everything(home).keys() - before.keys() == written

    done = codewm("clean", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert everything(home) == before
    assert codewm("clean", "--yes").stdout == "Nothing to remove.\n"


def test_all_that_commands_keep_of_a_repository_is_removed(
    coupled: Any, home: Path, codewm: Callable[..., Any]
) -> None:
    coupled.commit("Add modules", {f"part_{number}.py": f"def f{number}():\n    return 1\n" for number in range(20)})
    coupled.write("core.py", "a = -1\n")
    for command in (["index"], ["hints"], ["next"], ["forgotten"], ["explore", "--no-open"]):
        done = codewm(command[0], coupled.path, *command[1:])
        assert done.returncode == 0, done.stderr
    assert codewm("forgotten", "--never-needed", "docs/core.rst", coupled.path).returncode == 0
    cache = next(path for path in home.rglob("codewm*") if list(path.rglob("*.sqlite3")))
    kept = {path.name for path in cache.rglob("*") if path.is_file()}
    assert {*store.MADE_AGAIN, store.DISMISSED} <= kept, "each file that an index may have beside it is there"
    assert codewm("clean", "--yes").returncode == 0
    assert not list(home.rglob("*.npz"))
    assert not cache.exists()


def test_git_hooks_that_stay_are_named(history: Any, make_repository: Any, codewm: Callable[..., Any]) -> None:
    other = make_repository("other")
    for repository in (history, other):
        assert codewm("forgotten", "--install-hook", repository.path).returncode == 0
        assert codewm("forgotten", "--install-hook", repository.path).returncode == 0, "noted once"
    alone, shared = (one.path / ".git" / "hooks" / "pre-commit" for one in (history, other))
    shared.write_bytes(shared.read_bytes() + "# für alle\nmake lint\n".encode("latin-1"))
    listed = codewm("clean", "--dry-run").stdout
    assert f"  delete {alone}\n" in listed
    assert f"  delete the line with `codewm forgotten` from {shared}\n" in listed
    alone.unlink()
    done = codewm("clean", "--yes")
    assert str(alone) not in done.stdout
    assert str(shared) in done.stdout
    assert shared.exists()
    assert codewm("clean", "--yes").stdout == "Nothing to remove.\n"


def test_every_name_beside_an_index_is_cleaned_in_its_other_versions_too() -> None:
    constants = [value for name, value in vars(store).items() if name.isupper() and isinstance(value, str)]
    names = [name for name in constants if re.search(r"\.\w+$", name) and "|" not in name]
    assert {*names} == {*store.MADE_AGAIN, store.DISMISSED}
    assert all(store.is_own_name(name) for name in names)
    assert store.is_own_name("parsed-files-v12.npz.4711")
    assert store.is_own_name(f"{store.DISMISSED}-journal")
    assert not any(map(store.is_own_name, ("notes.txt", "notes.sqlite3", "my-parsed-files-v1.npz", "parsed-files.npz")))


def test_other_files_in_a_folder_of_ours_are_left(
    history: Any, home: Path, codewm: Callable[..., Any], tmp_path: Path
) -> None:
    chosen = tmp_path / "chosen"
    assert codewm("index", "--cache", chosen, history.path).returncode == 0
    (index,) = chosen.iterdir()
    mine = [
        chosen / "notes.sqlite3",
        index / "notes.txt",
        chosen / "0123456789abcdef",
        chosen / "evaluation/bags/a.npz",
    ]
    for file in mine:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("mine")
    done = codewm("clean", "--yes", "--cache", chosen)
    assert done.returncode == 0, done.stderr
    assert {path for path in chosen.rglob("*") if path.is_file()} == set(mine)


def test_it_is_said_why_the_usual_folder_is_listed_beside_a_chosen_one(
    history: Any, home: Path, codewm: Callable[..., Any], tmp_path: Path
) -> None:
    def listed() -> list[str]:
        done = codewm("clean", "--dry-run", "--cache", chosen)
        assert done.returncode == 0, done.stderr
        return [line for line in done.stdout.splitlines() if "because" in line]

    chosen = tmp_path / "chosen"
    assert codewm("index", "--cache", chosen, history.path).returncode == 0
    assert listed() == []
    assert codewm("index", history.path).returncode == 0
    (why,) = listed()
    assert why.endswith(" is listed because CodeWM keeps indexes there without CODEWM_CACHE and --cache.")
    assert Path(why.partition(" is listed")[0]).is_relative_to(home)


def test_a_link_in_place_of_a_folder_is_not_followed(history: Any, codewm: Callable[..., Any], tmp_path: Path) -> None:
    chosen = tmp_path / "chosen"
    assert codewm("index", "--cache", chosen, history.path).returncode == 0
    (index,) = chosen.iterdir()
    index.rename(tmp_path / "elsewhere")
    try:
        index.symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    except OSError:
        pytest.skip("no links here")
    kept = everything(tmp_path / "elsewhere")
    codewm("clean", "--yes", "--cache", chosen)
    assert everything(tmp_path / "elsewhere") == kept

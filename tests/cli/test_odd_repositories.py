"""Repositories as they are found: each is answered from, or one message says why not."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import codewm_lsp

Codewm = Callable[..., subprocess.CompletedProcess[str]]


def hints(codewm: Codewm, path: Path, *arguments: str) -> dict[str, Any]:
    done = codewm("hints", "--json", "-C", path, *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def refused(codewm: Codewm, code: int, *arguments: str | Path) -> str:
    done = codewm(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("codewm: ")
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_a_worktree_a_submodule_a_bare_and_a_detached_repository_are_answered_from(
    history: Any, make_repository: Any, codewm: Codewm
) -> None:
    beside = history.path.parent / "work tree"
    history.git("worktree", "add", "--quiet", "--detach", str(beside), "HEAD~1")
    assert hints(codewm, beside)["at"] == history.head("HEAD~1")

    outer = make_repository("outer")
    outer.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(history.path), "inner")
    assert hints(codewm, outer.path / "inner")["at"] == history.head()

    bare = make_repository("bare.git", "--bare")
    bare.git("fetch", "--quiet", str(history.path), "main:main")
    assert hints(codewm, bare.path)["edits"]


def test_another_history_that_was_merged_in_ends_no_answer(history: Any, codewm: Codewm) -> None:
    """As ``git subtree add`` does: the newest commit is the first one of the other history."""
    before = history.git("log", "-1", "--format=%h %s")
    history.git("checkout", "--quiet", "--orphan", "other")
    history.commit("Begin another one", {"other.py": "def other():\n    return 1\n"})
    history.git("checkout", "--quiet", "main")
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    history.git(*who, "merge", "--quiet", "--allow-unrelated-histories", "-m", "Add it", "other")
    for command in ("hints", "next", "similar"):
        done = codewm(command, "-C", history.path)
        assert done.returncode == 0, done.stderr
        assert before.split(" ", 1)[1] in done.stdout


def test_a_history_that_was_rewritten_is_answered_from_as_it_is_now(history: Any, codewm: Codewm) -> None:
    gone = {edit["commit"] for edit in hints(codewm, history.path, "-k", "0")["edits"]}
    history.git("checkout", "--quiet", "--orphan", "again")
    history.commit("All at once")
    text = (history.path / "client.py").read_text()
    history.commit("Wait longer", {"client.py": text.replace("timeout=30", "timeout=60")})
    history.write("client.py", text.replace("timeout=30", "timeout=90"))
    now = set(history.git("rev-list", "HEAD").split())
    found = {edit["commit"] for edit in hints(codewm, history.path, "-k", "0")["edits"]}
    assert found
    assert found <= now
    assert not found & gone


def test_odd_files_do_no_harm(history: Any, codewm: Codewm) -> None:
    history.write("with space.py", "def spaced():\n    return 1\n")
    history.write("latin.py", "# -*- coding: latin-1 -*-\ndef caf\xe9():\n    return '\xe9'\n".encode("latin-1"))
    history.write("nul.py", b"def nul():\n    return '\0'\n")
    history.write("brackets.py", "x = " + "(" * 20_000 + ")" * 20_000 + "\n\n\ndef after():\n    return 1\n")
    history.write("long.py", "x = '" + "y" * 10_000_000 + "'\n\n\ndef after():\n    return 1\n")
    history.write("broken.py", "def broken(:\n    return (\n\n\ndef whole():\n    return 1\n")
    if sys.platform != "win32":
        history.write("new\nline.py", "def lined():\n    return 1\n")
        (history.path / "loop.py").symlink_to("loop.py")
    history.commit("Add odd files")
    for name in ("with space.py", "latin.py", "broken.py", "brackets.py"):
        file = history.path / name
        file.write_bytes(file.read_bytes().replace(b"return 1", b"return 2").replace(b"'\xe9'", b"'\xe8'"))
    answer = hints(codewm, history.path, "-k", "0")
    edited = {edit["path"] for edit in answer["query"]["editing"]}
    assert {"with space.py", "latin.py", "broken.py"} <= edited
    assert ("broken.py", "broken") in {(one["path"], one["definition"]) for one in answer["predictions"]}


def test_a_folder_that_is_no_repository_is_said_to_be_none(codewm: Codewm, tmp_path: Path) -> None:
    assert "not inside a Git repository" in refused(codewm, 2, "hints", "-C", tmp_path)


@pytest.mark.parametrize("command", ["hints", "similar", "next", "index", "doctor", "explore", "forgotten", "backtest"])
def test_a_path_that_does_not_exist_is_said_not_to(history: Any, codewm: Codewm, tmp_path: Path, command: str) -> None:
    for path in ("nosuch.py", "nowhere/at/all.py"):
        assert refused(codewm, 2, command, path, "-C", history.path) == (
            f"codewm: {history.path / path} does not exist.\n"
        )
    outside = tmp_path / "nowhere"
    assert refused(codewm, 2, command, outside) == f"codewm: {outside} does not exist.\n"
    assert refused(codewm, 2, command, "-C", outside) == f"codewm: {outside} does not exist.\n"


@pytest.mark.parametrize(
    "command", [["hints"], ["similar"], ["next"], ["index"], ["search", "word"], ["explore"], ["backtest"]]
)
def test_a_repository_without_commits_has_nothing_to_answer_from(
    make_repository: Any, codewm: Codewm, command: list[str]
) -> None:
    assert "no commits" in refused(codewm, 1, *command, "-C", make_repository("empty").path)


def test_a_shallow_clone_of_one_commit_says_how_to_get_the_rest(
    history: Any, make_repository: Any, codewm: Codewm
) -> None:
    shallow = make_repository("shallow")
    shallow.git("fetch", "--quiet", "--depth=1", history.path.as_uri(), "main")
    shallow.git("checkout", "--quiet", "FETCH_HEAD")
    assert "unshallow" in refused(codewm, 1, "similar", "-C", shallow.path)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A copy of the shipped model."""
    models = Path(codewm_lsp.__file__).parent / "models"
    (shipped,) = (folder for folder in models.iterdir() if (folder / "model.json").is_file())
    return Path(shutil.copytree(shipped, tmp_path / "bundle"))


def test_a_bundle_that_was_cut_short_or_altered_is_refused_by_name(history: Any, codewm: Codewm, bundle: Path) -> None:
    asked = ("similar", "-C", history.path, "--model", bundle)
    assert codewm(*asked).returncode == 0
    graph = next(iter(sorted(bundle.glob("*.onnx"))))
    whole = graph.read_bytes()
    for content in (whole[: len(whole) // 2], whole[:-8] + bytes(8), b""):
        graph.write_bytes(content)
        assert graph.name in refused(codewm, 2, *asked)
    graph.unlink()
    assert graph.name in refused(codewm, 2, *asked)
    (bundle / "model.json").write_text("{}")
    assert str(bundle) in refused(codewm, 2, *asked)


def test_an_index_that_another_program_holds_is_said_to_be_locked(history: Any, codewm: Codewm, tmp_path: Path) -> None:
    assert codewm("index", "-C", history.path).returncode == 0
    (file,) = (tmp_path / "cache").rglob("*.sqlite3")
    holder = sqlite3.connect(file, isolation_level=None)
    try:
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        history.commit("Wait longer", {"new.py": "def new():\n    return 1\n"})
        done = codewm("index", "-C", history.path)
        assert done.returncode in (0, 1)
        if done.returncode:
            assert "locked" in done.stderr
    finally:
        holder.close()
    assert codewm("index", "-C", history.path).returncode == 0

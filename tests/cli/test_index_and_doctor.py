"""`codewm index` and `codewm doctor`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

Codewm = Callable[..., subprocess.CompletedProcess[str]]


def findings(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, str]]:
    return {one["name"]: one for one in json.loads(done.stdout)["findings"]}


def test_a_history_is_indexed_once(history: Any, codewm: Codewm) -> None:
    first = json.loads(codewm("index", "--json", "-C", history.path).stdout)
    assert (first["at"], first["commits"], first["of"]) == (history.head(), 7, 7)
    assert first["edits"] == first["added"] > 10
    second = json.loads(codewm("index", "--json", "-C", history.path).stdout)
    assert (second["edits"], second["added"]) == (first["edits"], 0)
    history.commit("One more", {"new.py": "def new(): return 1\n"})
    third = json.loads(codewm("index", "--json", "-C", history.path).stdout)
    assert (third["edits"], third["added"]) == (first["edits"] + 1, 1)


def test_indexing_can_be_limited_to_the_newest_commits(history: Any, codewm: Codewm) -> None:
    done = codewm("index", "--limit", "2", "-C", history.path)
    assert done.returncode == 0
    assert done.stdout.startswith("2 of 2 commits indexed")
    assert done.stderr == ""


def test_without_commits_there_is_nothing_to_index(make_repository: Any, codewm: Codewm) -> None:
    done = codewm("index", "-C", make_repository("empty").path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no commits" in done.stderr


def test_the_doctor_finds_everything_well(history: Any, codewm: Codewm) -> None:
    codewm("index", "-C", history.path)
    done = codewm("doctor", "--json", "-C", history.path)
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["healthy"] is True
    found = findings(done)
    assert {one["state"] for one in found.values()} <= {"ok", "note"}
    assert "verified" in found["model"]["detail"]
    assert "7 commits, 2 Python files" in found["repository"]["detail"]
    assert "7 of 7 commits" in found["index"]["detail"]
    shown = codewm("doctor", "-C", history.path)
    assert shown.returncode == 0
    assert all(name in shown.stdout for name in found)


def test_the_doctor_works_outside_of_a_repository(codewm: Codewm) -> None:
    done = codewm("doctor", "--json")
    assert done.returncode == 0, done.stdout
    assert findings(done)["repository"]["state"] == "note"


def test_the_doctor_names_each_problem_and_its_remedy(history: Any, codewm: Codewm, tmp_path: Path) -> None:
    no_git = tmp_path / "no-git"
    no_git.mkdir()
    cases = [
        ({"PATH": str(no_git)}, (), "git"),
        ({}, ("--model", str(no_git)), "model"),
        ({}, ("-C", str(no_git)), "repository"),
        ({"CODEWM_CACHE": str(history.write("file", "not a folder"))}, ("-C", str(history.path)), "index"),
    ]
    for environment, arguments, name in cases:
        done = codewm("doctor", "--json", *arguments, **environment)
        assert done.returncode == 1, (name, done.stdout, done.stderr)
        assert json.loads(done.stdout)["healthy"] is False
        assert findings(done)[name]["state"] == "problem"
        assert findings(done)[name]["remedy"]


def test_a_broken_index_is_set_aside_and_made_anew(history: Any, codewm: Codewm, tmp_path: Path) -> None:
    codewm("index", "-C", history.path)
    (file,) = (tmp_path / "cache").rglob("*.sqlite3")
    file.write_bytes(b"not an index " * 1000)
    done = codewm("similar", "--json", "-C", history.path)
    assert done.returncode == 0
    assert json.loads(done.stdout)["edits"]
    assert done.stderr.count("was broken") == 1


def test_the_version_is_told(codewm: Codewm) -> None:
    import codewm_lsp

    assert codewm("--version").stdout == f"codewm {codewm_lsp.__version__}\n"


def test_help_names_every_command(codewm: Codewm) -> None:
    shown = codewm("--help").stdout
    assert all(name in shown for name in ("index", "similar", "next", "hints", "embed", "doctor"))
    assert "Exit codes" in shown

"""`codewm index` and `codewm doctor`."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from codewm_lsp.cli import opened
from codewm_lsp.hints import HintOptions

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
    assert ["ok", "hidden", "edits", "none"] in [line.split() for line in shown.stdout.splitlines()]


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


def test_the_doctor_says_once_that_a_repository_is_empty(make_repository: Any, codewm: Codewm) -> None:
    empty = make_repository("empty")
    shown = codewm("doctor", empty.path).stdout
    assert shown.count(str(empty.path)) == 1
    assert shown.lower().count("commit something") + shown.lower().count("make a commit") == 1


def test_nothing_is_indexed_where_it_could_not_be_kept(history: Any, codewm: Codewm, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for more in ((), ("--json",)):
        done = codewm("index", "--cache", tmp_path / "file", history.path, *more)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert str(tmp_path / "file") in done.stderr
        assert "--cache" in done.stderr
    assert codewm("hints", "--cache", tmp_path / "file", history.path).returncode == 0


def test_no_more_is_indexed_after_an_answer_where_it_could_not_be_kept(
    history: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    indexed: list[str] = []
    monkeypatch.setattr(opened, "updated", lambda *_, **__: indexed.append("more"))
    for cache, wanted in ((tmp_path / "file", []), (tmp_path / "cache", ["more"])):
        with opened.open_all(history.path, None, cache) as asked, suppress(AttributeError):
            opened.go_on(asked, history.head(), Console(file=io.StringIO(), force_terminal=True))
        assert indexed == wanted


def test_an_index_that_cannot_be_written_is_read(history: Any, codewm: Codewm, tmp_path: Path) -> None:
    if not hasattr(os, "geteuid"):
        pytest.skip("needs POSIX permissions")
    as_anybody: list[str] = []
    if os.geteuid() == 0:  # root may write anywhere, but for a process that has given that right up
        if shutil.which("setpriv") is None:
            pytest.skip("root without setpriv: nothing is forbidden")
        as_anybody = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
    cache = tmp_path / "cache"
    assert codewm("index", history.path).returncode == 0
    wanted = codewm("similar", "--json", "--no-index", history.path).stdout
    edit = json.loads(wanted)["edits"][0]
    everything = (cache, *cache.rglob("*"))
    before = {path.name: path.read_bytes() for path in everything if path.is_file()}
    for path in everything:
        path.chmod(0o500 if path.is_dir() else 0o400)
    try:
        program = [sys.executable, "-c", "from codewm_lsp.cli import main; main()"]
        for command, code in ((["similar", "--json", "--no-index"], 0), (["hints"], 0), (["index"], 1)):
            done = subprocess.run(
                [*as_anybody, *program, *command, history.path],
                env={**os.environ, "CODEWM_CACHE": str(cache), "XDG_STATE_HOME": str(tmp_path / "state")},
                capture_output=True,
                text=True,
                timeout=120,
            )
            assert done.returncode == code, done.stderr
            assert done.stderr.count("\n") == 1
            assert f"the cache folder {cache} cannot be written" in done.stderr
            if "--no-index" in command:
                assert done.stdout == wanted
                assert edit["commit"] in done.stdout
    finally:
        for path in everything:
            path.chmod(0o700)
    assert {path.name: path.read_bytes() for path in cache.rglob("*") if path.is_file()} == before


def test_a_broken_index_is_set_aside_and_made_anew(history: Any, codewm: Codewm, tmp_path: Path) -> None:
    codewm("index", "-C", history.path)
    (file,) = (tmp_path / "cache").rglob("*.sqlite3")
    file.write_bytes(b"not an index " * 1000)
    done = codewm("similar", "--json", "-C", history.path)
    assert done.returncode == 0
    assert json.loads(done.stdout)["edits"]
    assert done.stderr.count("was damaged") == 1


def test_the_version_is_told(codewm: Codewm) -> None:
    import codewm_lsp

    assert codewm("--version").stdout == f"codewm {codewm_lsp.__version__}\n"


def test_help_names_every_command(codewm: Codewm) -> None:
    shown = codewm("--help").stdout
    assert all(name in shown for name in ("index", "similar", "next", "hints", "embed", "doctor"))
    assert "Exit codes" in shown


def long_history(repository: Any, commits: int) -> None:
    """Each commit changes one function; written at once, since a hundred ``git commit`` take their time."""
    parts = []
    for number in range(commits):
        text = "".join(f"def f{at}(x):\n    return x + {number if at == number % 9 else 0}\n\n\n" for at in range(9))
        who = f"Ada <ada@example.org> {1_700_000_000 + number} +0000"
        subject = f"Change f{number % 9}"
        parts.append(f"commit refs/heads/main\ncommitter {who}\ndata {len(subject)}\n{subject}\n")
        parts.append(f"M 100644 inline f.py\ndata {len(text)}\n{text}\n")
    repository.git("fast-import", "--quiet", stdin="".join(parts).encode())
    repository.git("reset", "--quiet", "--hard", "main")


def test_once_enough_is_known_only_what_is_new_is_indexed_before_an_answer(
    make_repository: Any, codewm: Codewm
) -> None:
    repository = make_repository("long")
    long_history(repository, 180)
    assert codewm("index", "--limit", "120", "-C", repository.path).returncode == 0
    repository.write("f.py", (repository.path / "f.py").read_text().replace("return x", "return 2 * x"))
    done = codewm("similar", "--json", "-k", "0", "-C", repository.path)
    assert done.returncode == 0
    assert done.stderr == "Using the newest 120 of 180 commits; run `codewm index` for all.\n"
    repository.commit("Twice")
    done = codewm("similar", "--json", "-k", "0", "-C", repository.path, "--at", "HEAD~1")
    newest = {edit["commit"] for edit in json.loads(done.stdout)["edits"]}
    assert repository.head("HEAD~2") in newest


def test_while_little_of_the_history_is_known_no_poor_past_edit_is_listed(make_repository: Any, codewm: Codewm) -> None:
    repository = make_repository("long")
    long_history(repository, 60)
    assert codewm("index", "--limit", "3", "-C", repository.path).returncode == 0
    text = (repository.path / "f.py").read_text()
    repository.write("f.py", text.replace("def f1(x):\n", "def f1(x):\n    colour = blend(x)\n    paint(colour)\n"))
    done = codewm("similar", "-C", repository.path, "--no-index")
    assert done.returncode == 0
    assert "None likely to fit in the 3 commits indexed so far." in done.stdout
    assert " % " not in done.stdout
    edits = json.loads(codewm("similar", "--json", "-C", repository.path, "--no-index").stdout)["edits"]
    assert edits, "a program gets them with their chances"
    assert all(edit["score"] < HintOptions().similar_threshold for edit in edits)

    done = codewm("similar", "-C", repository.path)
    assert "indexed so far" not in done.stdout
    assert "  None is likely to fit (the highest chance is " in done.stdout
    assert " % " in codewm("similar", "-k", "10", "-C", repository.path).stdout


def test_while_nothing_is_edited_an_answer_waits_for_more_of_the_history(make_repository: Any, codewm: Codewm) -> None:
    repository = make_repository("long")
    long_history(repository, 180)
    assert codewm("index", "--limit", "120", "-C", repository.path).returncode == 0
    done = codewm("similar", "-C", repository.path)
    assert done.returncode == 0
    assert "newest 120 of 180" not in done.stderr, "more of it was read before the answer"


def test_each_answer_is_followed_by_more_of_the_index_until_all_is_there(make_repository: Any, codewm: Codewm) -> None:
    repository = make_repository("long")
    long_history(repository, 180)
    assert codewm("index", "--limit", "120", "-C", repository.path).returncode == 0

    def known() -> str:
        return findings(codewm("doctor", "--json", "-C", repository.path))["index"]["detail"]

    for told in (("--no-index",), ("--index-seconds", "0")):
        said = codewm("similar", "-C", repository.path, *told).stderr
        assert said.startswith("Using the newest 120 of 180 commits;")
        assert "120 of 180 commits" in known()  # the same numbers
    for _ in range(60):  # a few seconds each, however slow the machine is
        done = codewm("hints", "--json", "-C", repository.path)
        assert json.loads(done.stdout)["edits"]
        if not done.stderr:
            break
        assert done.stderr.startswith("Using the newest ")
    assert "180 of 180 commits" in known()


def test_the_time_for_the_index_can_be_named(make_repository: Any, codewm: Codewm) -> None:
    repository = make_repository("long")
    long_history(repository, 180)
    assert codewm("similar", "-C", repository.path, "--index-seconds", "600").stderr == ""


def test_the_doctor_lists_what_is_hidden(history: Any, codewm: Codewm, tmp_path: Path) -> None:
    from codewm_lsp.history import Repository
    from codewm_lsp.index import Dismissal, Index, Scope
    from codewm_lsp.world_model import WorldModel

    model = WorldModel.load()
    assert findings(codewm("doctor", "--json", "-C", history.path))["hidden"]["detail"] == "none"
    with (
        Repository.open(history.path) as repository,
        Index.open(repository.key, model.hash, folder=tmp_path / "cache", edit_size=model.edit_size) as index,
    ):
        index.dismissals.add(Dismissal(Scope.COMMIT, history.head()))
        index.dismissals.add(Dismissal(Scope.EDIT, history.head("HEAD~1"), "client.py", "get"))
    found = findings(codewm("doctor", "--json", "-C", history.path))["hidden"]["detail"]
    assert found == f"2: all of commit {history.head()[:7]}, client.py::get in {history.head('HEAD~1')[:7]}"


def test_a_program_that_comes_and_goes_takes_nothing_from_one_that_has_the_index_open(
    history: Any, codewm: Codewm, tmp_path: Path
) -> None:
    from codewm_lsp.history import Repository
    from codewm_lsp.index import Index, update
    from codewm_lsp.world_model import WorldModel

    model = WorldModel.load()
    assert codewm("index", "--limit", "1", history.path).returncode == 0
    cache = tmp_path / "cache"
    with (
        Repository.open(history.path) as repository,
        Index.of(repository, model.hash, folder=cache, edit_size=model.edit_size) as index,
    ):
        assert index.path is not None
        log = index.path.with_name(f"{index.path.name}-wal")
        for _ in range(2):
            assert codewm("search", "timeout", "--no-index", "-C", history.path).returncode == 0
            assert log.exists(), "the last to close the index deletes it, and that was another program"
        update(repository, model, index.log)
        commits = len(repository.ancestors("HEAD"))
        known = findings(codewm("doctor", "--json", "-C", history.path))["index"]["detail"]
        assert f"{commits} of {commits} commits" in known, "what was written is seen at once"


def test_what_is_not_needed_is_not_loaded(history: Any, codewm: Codewm, tmp_path: Path) -> None:
    codewm("index", history.path)
    program = (
        "import atexit, sys; from codewm_lsp.cli import main; "
        "heavy = {'numpy.ma', 'onnxruntime', 'rich'}; "
        "atexit.register(lambda: print(*sorted(sys.modules.keys() & heavy))); main()"
    )
    for command, loaded in (("index", ""), ("hints", "onnxruntime")):
        done = subprocess.run(
            [sys.executable, "-c", program, command, "-C", str(history.path), "--cache", str(tmp_path / "cache")],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.splitlines()[-1] == loaded


def test_indexes_that_will_not_be_read_again_are_named_and_removed(
    history: Any, codewm: Codewm, tmp_path: Path
) -> None:
    codewm("index", history.path)
    (index,) = (tmp_path / "cache").rglob("*-v*.sqlite3")
    model = index.name.split("-")[0]
    old = index.with_name(index.name.replace(model, "0" * len(model)))
    old.write_bytes(index.read_bytes())
    then = time.time() - 86_400
    os.utime(old, (then, then))
    found = findings(codewm("doctor", "--json", history.path))
    assert found["unused"]["state"] == "note"
    assert f"{old} (of another model)" in found["unused"]["detail"]
    listed = codewm("clean", "--unused", "--dry-run")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert old.name in listed.stdout.replace("\n", "")
    assert old.exists()
    assert codewm("clean", "--unused").returncode == 0
    assert not old.exists()
    assert index.exists()
    assert codewm("clean", "--unused").stdout == "Nothing to remove: every index is in use.\n"


def test_a_terminal_is_told_how_far_the_index_is_after_an_answer(
    make_repository: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = make_repository("long")
    long_history(repository, 500)
    terminal = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=100)
    pipe = Console(file=io.StringIO())
    with opened.open_all(repository.path, None, tmp_path / "cache") as answering:
        opened.bring_up_to_date(answering, "HEAD", pipe, seconds=None, limit=120)
        for console in (pipe, terminal):
            monkeypatch.setattr(opened, "AFTERWARDS", 0.0)
            opened.go_on(answering, "HEAD", console)
        monkeypatch.setattr(opened, "AFTERWARDS", 1e6)
        opened.go_on(answering, "HEAD", terminal)
    assert pipe.file.getvalue() == ""
    told = re.findall(
        r"(All|\d+ of) (\d+) commits are indexed now; the next answer uses them(.*)\.", terminal.file.getvalue()
    )
    assert [(many.lstrip("0123456789"), total, more) for many, total, more in told] == [
        (" of", "500", " and indexes more"),
        ("All", "500", ""),
    ]

"""`codewm forgotten`: what it prints for people, programs, code scanning and GitHub, and what it exits with."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Codewm = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def changed(coupled: Any) -> Any:
    """``core.py`` is changed and staged; ``docs/core.rst``, which always changes with it, is not."""
    coupled.write("core.py", "a = -1\n")
    coupled.git("add", "core.py")
    return coupled


def test_a_person_reads_what_is_missing_why_and_in_which_commits(changed: Any, codewm: Codewm) -> None:
    done = codewm("forgotten", changed.path)
    assert done.returncode == 0, done.stderr
    first, _, chance, reason, *evidence, _, last = done.stdout.splitlines()
    assert first == "Usually changes with the staged files, but is not staged (based on 120 commits):"
    assert chance.split() == [chance.split()[0], "%", "docs/core.rst"]
    assert reason.strip() == "changed in 61 of the last 61 commits to core.py"
    assert [line.split("  ")[-1] for line in evidence] == [f"Change number {n}" for n in (119, 117, 115)]
    assert last == "Not needed? codewm forgotten --not-needed docs/core.rst (or --never-needed)"
    assert done.stderr == ""


def test_silence_says_how_much_history_stands_behind_it(coupled: Any, codewm: Codewm) -> None:
    coupled.write("tools.py", "b = -1\n")
    done = codewm("forgotten", "-C", coupled.path)
    assert done.stdout == "No file seems to be missing from the working tree (based on 120 commits).\n"
    assert codewm("forgotten", coupled.path, "--quiet").stdout == ""


def test_a_hook_hears_only_what_is_missing_from_what_is_staged(changed: Any, codewm: Codewm) -> None:
    assert "docs/core.rst" in codewm("forgotten", changed.path, "--staged", "--quiet").stdout
    changed.git("reset", "--quiet")
    assert codewm("forgotten", changed.path, "--staged", "--quiet").stdout == ""
    assert codewm("forgotten", changed.path, "--staged").stdout == "There are no changes to check.\n"


def test_programs_read_json(changed: Any, codewm: Codewm) -> None:
    answer = json.loads(codewm("forgotten", changed.path, "--json").stdout)
    assert answer["asked"] == "what is staged"
    assert (answer["changed"], answer["commits"], answer["shallow"], answer["silent"]) == (["core.py"], 120, False, "")
    (one,) = answer["missing"]
    assert one["path"] == "docs/core.rst"
    assert 0.5 < one["chance"] < 1
    assert (one["beside"], one["together"], one["of"]) == ("core.py", 61, 61)
    assert one["evidence"][0] == {
        "commit": changed.head(),
        "author": "Ada Lovelace",
        "date": "2023-11-19T22:13:20+00:00",
        "subject": "Change number 119",
    }


def test_code_scanning_reads_sarif(changed: Any, codewm: Codewm) -> None:
    log = json.loads(codewm("forgotten", changed.path, "--sarif").stdout)
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    (result,) = run["results"]
    assert result["ruleId"] == run["tool"]["driver"]["rules"][0]["id"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "docs/core.rst"
    assert "61 of the last 61 commits to core.py" in result["message"]["text"]
    changed.git("reset", "--quiet", "--hard")
    (run,) = json.loads(codewm("forgotten", changed.path, "--format", "sarif").stdout)["runs"]
    assert run["results"] == []
    assert run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"] == "There are no changes to check."


def test_github_reads_annotations_that_no_file_name_can_break_out_of(make_repository: Any, codewm: Codewm) -> None:
    repository = make_repository()
    odd = "docs/50%, a:b.rst"
    repository.commit_many(
        [(f"Change {n}", {"core.py": f"core = {n}\n", odd: f"The value of core is {n}.\n"}) for n in range(90)]
    )
    repository.write("core.py", "core = -1\n")
    out = codewm("forgotten", repository.path, "--format", "github", "--threshold", "0.5").stdout
    assert out.startswith(
        "::warning file=docs/50%25%2C a%3Ab.rst,title=codewm forgotten::docs/50%25, a:b.rst is likely"
    )
    assert out.count("\n") == 1
    repository.git("checkout", "--quiet", ".")
    out = codewm("forgotten", repository.path, "--format", "github").stdout
    assert out == "::notice title=codewm forgotten::There are no changes to check.\n"


def test_nobody_is_asked_to_hide_what_a_change_breaks(changed: Any, codewm: Codewm) -> None:
    helper = "def send(url):\n    return url\n"
    changed.git("reset", "--quiet", "--hard")
    changed.commit("Help", {"helper.py": helper, "user.py": "from helper import send\n\nsend(1)\n"})
    changed.write("helper.py", helper.replace("def send", "def post"))
    out = codewm("forgotten", changed.path, "--no-index").stdout
    assert "still uses `send`, which was renamed to `post`" in out
    assert "--not-needed" not in out


def test_the_heading_is_true_of_what_a_change_breaks_and_of_what_usually_changes_with_it(
    changed: Any, codewm: Codewm
) -> None:
    """A file that has changed may still use what is gone, and no commit says that it usually changes."""
    changed.git("reset", "--quiet", "--hard")
    helper, user = "def send(url):\n    return url\n", "from helper import send\n\n\ndef use():\n    return send(1)\n"
    changed.commit("Help", {"helper.py": helper})
    changed.commit("Use", {"user.py": user})
    changed.write("helper.py", helper.replace("def send", "def post"))
    changed.write("user.py", f"{user}\n\nA = 1\n")
    out = codewm("forgotten", changed.path, "--no-index").stdout
    assert out.startswith("Needs updating to match the changes in the working tree:\n\n  95 %  user.py\n")
    changed.write("core.py", "a = -1\n")
    out = codewm("forgotten", changed.path, "--no-index", "--threshold", "0.3").stdout
    assert out.startswith("Likely to need updating with the changes in the working tree (based on 122 commits):\n")
    assert "user.py" in out
    assert out.endswith("Not needed? codewm forgotten --not-needed docs/core.rst (or --never-needed)\n")


def test_a_conflict_marker_that_was_left_is_named_to_people_hooks_and_programs(changed: Any, codewm: Codewm) -> None:
    (changed.path / "notes.txt").write_text("one\n<<<<<<< HEAD\ntwo\n=======\nthree\n>>>>>>> theirs\n")
    changed.git("add", "notes.txt")
    warned = "notes.txt contains conflict markers.\n"
    assert codewm("forgotten", changed.path, "--staged").stdout.startswith(warned)
    assert codewm("forgotten", changed.path, "--staged", "--quiet").stdout.startswith(warned)
    assert json.loads(codewm("forgotten", changed.path, "--staged", "--json").stdout)["conflicts"] == ["notes.txt"]
    out = codewm("forgotten", changed.path, "--staged", "--format", "github").stdout
    assert out.startswith(f"::warning file=notes.txt,title=codewm forgotten::{warned}")


def test_what_is_not_listed_is_counted(make_repository: Any, codewm: Codewm) -> None:
    repository = make_repository()
    pages = [f"docs/page{n}.rst" for n in range(4)]
    repository.commit_many(
        [(f"Change {n}", {"core.py": f"a = {n}\n", **dict.fromkeys(pages, f"{n}\n")}) for n in range(80)]
    )
    repository.write("core.py", "a = -1\n")
    assert "\n  and 1 more file\n" in codewm("forgotten", repository.path).stdout
    assert json.loads(codewm("forgotten", repository.path, "--json").stdout)["more"] == 1
    out = codewm("forgotten", repository.path, "--format", "github").stdout
    assert out.endswith("::notice title=codewm forgotten::and 1 more file\n")


def test_the_exit_code_says_that_a_file_is_missing_only_where_that_is_asked(changed: Any, codewm: Codewm) -> None:
    assert codewm("forgotten", changed.path).returncode == 0
    assert codewm("forgotten", changed.path, "--fail-over", "0.5").returncode == 3
    assert codewm("forgotten", changed.path, "--fail-over", "1").returncode == 0
    wrong = codewm("forgotten", changed.path, "--fail-over", "2")
    assert wrong.returncode == 2
    assert "is not a probability from 0 to 1" in wrong.stderr


def test_not_needed_once_for_good_and_taken_back(changed: Any, codewm: Codewm) -> None:
    def named() -> bool:
        return "docs/core.rst" in codewm("forgotten", changed.path).stdout

    assert "docs/core.rst" not in codewm("forgotten", changed.path, "--not-needed", "docs/core.rst").stdout
    assert not named()
    changed.commit("As it is")
    changed.write("core.py", "a = -2\n")
    assert "changed in 61 of the last 62 commits to core.py" in codewm("forgotten", changed.path).stdout
    codewm("forgotten", changed.path, "--never-needed", "docs/core.rst")
    assert not named()
    doctor = codewm("doctor", changed.path).stdout
    assert "2: docs/core.rst as forgotten, docs/core.rst as forgotten in one change" in doctor
    assert "codewm forgotten --needed FILE" in doctor
    back = codewm("forgotten", changed.path, "--needed", "docs/core.rst").stdout
    assert "docs/core.rst" in back
    assert named()
    again = codewm("forgotten", changed.path, "--needed", "docs/core.rst")
    assert again.returncode == 2
    assert again.stderr == (
        "codewm: docs/core.rst is not marked as not needed. `codewm doctor` lists the files that are.\n"
    )


def test_files_missing_from_a_range_are_said_to_belong_to_its_files(changed: Any, codewm: Codewm) -> None:
    changed.commit("Change the code alone")
    first = codewm("forgotten", changed.path, "--diff", "HEAD~1...HEAD").stdout.splitlines()[0]
    assert first == "Usually changes with the files in HEAD~1...HEAD, but did not (based on 120 commits):"


@pytest.mark.parametrize("option", ["--not-needed", "--never-needed"])
def test_what_is_dismissed_is_a_file_of_the_repository_and_is_confirmed(
    changed: Any, codewm: Codewm, option: str
) -> None:
    changed.write("untracked.rst", "new\n")
    for path in ("nope.md", "untracked.rst", "../core.py", "./core.py"):
        done = codewm("forgotten", changed.path, option, path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"codewm: {path} is not a file of the last commit.")
        assert done.stderr.count("\n") == 1
    done = codewm("forgotten", changed.path, option, "docs/core.rst", "--json")
    assert json.loads(done.stdout)["missing"] == []
    assert done.stderr.startswith("codewm: docs/core.rst will not be listed again")
    assert "`codewm forgotten --needed docs/core.rst`" in done.stderr


def test_nothing_is_hidden_for_a_change_that_is_none(coupled: Any, codewm: Codewm) -> None:
    coupled.write(".git/MERGE_HEAD", f"{coupled.head()}\n")
    done = codewm("forgotten", coupled.path, "--not-needed", "docs/core.rst")
    assert done.returncode == 2
    assert done.stderr.startswith("codewm: A merge is in progress")
    assert (
        codewm("forgotten", coupled.path).stdout == "A merge is in progress. The changes it brings are not checked.\n"
    )


def test_nothing_is_hidden_for_a_change_while_nothing_has_changed(coupled: Any, codewm: Codewm) -> None:
    coupled.git("reset", "--quiet", "--hard")
    done = codewm("forgotten", coupled.path, "--not-needed", "docs/core.rst")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "codewm: There are no changes to check. Use --not-needed once there are some, or --never-needed to hide the "
        "file for good.\n"
    )


def test_an_index_makes_the_history_known_and_clean_removes_it(changed: Any, codewm: Codewm, tmp_path: Path) -> None:
    codewm("forgotten", changed.path)
    assert not list(tmp_path.glob("cache/*/changed-files*"))
    codewm("index", changed.path)
    plain = codewm("forgotten", changed.path, "--json").stdout
    assert list(tmp_path.glob("cache/*/changed-files*"))
    assert codewm("forgotten", changed.path, "--json").stdout == plain
    codewm("clean", "--yes")
    assert not list(tmp_path.glob("cache/*/*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--diff", "main"], "'main' is not of the form BASE...HEAD, such as origin/main...HEAD."),
        (["--diff", "nowhere...HEAD"], "'nowhere' is not a commit of"),
        (["--diff", "main...HEAD", "--staged"], "--staged and --diff are about different changes. Name one of them."),
        (["--format", "xml"], "Argument --format: invalid choice"),
    ],
)
def test_what_makes_no_sense_gets_one_line(coupled: Any, codewm: Codewm, arguments: list[str], message: str) -> None:
    done = codewm("forgotten", coupled.path, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_folder_that_is_no_repository_gets_one_line(codewm: Codewm, tmp_path: Path) -> None:
    done = codewm("forgotten", tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1

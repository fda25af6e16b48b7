"""A path as argument, and the sentence that says what an answer is about when nothing is being edited."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Codewm = Callable[..., subprocess.CompletedProcess[str]]


def edited(done: subprocess.CompletedProcess[str]) -> set[str]:
    assert done.returncode == 0, done.stderr
    return {one["path"] for one in json.loads(done.stdout)["query"]["editing"]}


@pytest.mark.parametrize("command", ["similar", "next", "hints"])
def test_a_folder_as_argument_is_as_good_as_the_option(command: str, history: Any, codewm: Codewm) -> None:
    def listed(*arguments: str | Path, **options: Path) -> list[tuple[str, str]]:
        done = codewm(command, "--json", *arguments, **options)
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        return [(one["path"], one["definition"]) for key in ("edits", "predictions") for one in answer.get(key, [])]

    told = listed("-C", history.path)
    assert told
    assert listed(history.path) == told
    assert listed(".", cwd=history.path) == told
    assert listed("history", "-C", history.path.parent) == told


def test_index_and_doctor_take_a_folder(history: Any, codewm: Codewm) -> None:
    done = codewm("index", ".", cwd=history.path)
    assert done.stdout.startswith("7 of 7 commits indexed")
    assert json.loads(codewm("doctor", history.path, "--json").stdout)["healthy"]


def test_a_file_as_argument_is_asked_about_alone(history: Any, codewm: Codewm) -> None:
    history.write("client.py", (history.path / "client.py").read_text().replace("timeout=30", "timeout=60"))
    history.write("server.py", (history.path / "server.py").read_text().replace("limit = 10", "limit = 20"))
    assert edited(codewm("similar", "--json", history.path)) == {"client.py", "server.py"}
    assert edited(codewm("similar", "--json", history.path / "server.py")) == {"server.py"}
    assert edited(codewm("hints", "--json", "client.py", cwd=history.path)) == {"client.py"}
    history.remove("server.py")
    assert edited(codewm("similar", "--json", "server.py", "-C", history.path)) == {"server.py"}


def test_a_file_that_is_not_edited_is_asked_about_by_its_newest_change(history: Any, codewm: Codewm) -> None:
    history.write("server.py", (history.path / "server.py").read_text().replace("limit = 10", "limit = 20"))
    history.commit("Handle more", {})
    done = codewm("similar", "client.py", cwd=history.path)
    assert done.returncode == 0, done.stderr
    newest = history.head("HEAD~1")[:7]
    said = done.stdout.splitlines()[0]
    assert said.startswith(
        f"No uncommitted changes to client.py; using its newest change, {newest} 'Add a timeout to delete()'"
    )


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("notes.txt", "notes.txt is not a Python file. CodeWM reads .py, .pyi and .pyw files."),
        ("analysis.ipynb", "analysis.ipynb is a notebook. CodeWM reads .py, .pyi and .pyw files."),
        ("none", "none does not exist.\n"),
        ("HEAD~1", "HEAD~1 does not exist. To ask about that commit, use --at HEAD~1."),
        ("../x.py", "x.py does not exist.\n"),
    ],
)
def test_a_path_that_cannot_be_asked_about_is_named(path: str, says: str, history: Any, codewm: Codewm) -> None:
    history.write("analysis.ipynb", "{}")
    done = codewm("hints", path, cwd=history.path)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr


def test_a_clean_tree_is_said_to_be_so_with_the_commit_that_stands_in(history: Any, codewm: Codewm) -> None:
    said = codewm("hints", history.path).stdout.splitlines()
    newest = f"{history.head()[:7]} 'Add a timeout to delete()' by "
    assert said[0].startswith(f"No uncommitted changes to Python code; using the last commit {newest}")
    assert said[0].endswith(" ago.")
    assert "--at REV" in said[1]
    place = said.index("Likely to change next")
    assert said[place + 1] == ""
    assert said[place + 2].startswith("Nothing is likely enough to list (the highest chance is ")
    said = codewm("next", history.path, "-k", "3").stdout.splitlines()
    assert said[1].startswith("Edit something")
    place = said.index("Likely to change next:")
    assert said[place + 1] == "The chances are for the author's next five commits."

    before = history.head()[:7]
    history.commit("Write notes", {"notes.txt": "new\n"})
    said = codewm("hints", history.path).stdout.splitlines()
    stands_in = f"the last commit that changes Python, {before} "
    assert said[0].startswith(f"No uncommitted changes to Python code; using {stands_in}")

    history.write("client.py", (history.path / "client.py").read_text().replace("timeout=30", "timeout=60"))
    said = codewm("hints", history.path).stdout.splitlines()
    assert said[0] == "Your uncommitted changes:"
    said = codewm("next", history.path, "--at", "HEAD~1").stdout.splitlines()
    assert said[0].startswith("About commit ")


@pytest.mark.parametrize("command", ["hints", "next", "similar"])
def test_an_edit_of_comments_alone_is_said_to_be_one_and_no_commit_is_answered_from(
    command: str, history: Any, codewm: Codewm
) -> None:
    history.write("client.py", "# why\n" + (history.path / "client.py").read_text().replace("\n\n\n", "\n\n\n\n"))
    words = "hold no code (only comments or white space). Change some code, or ask about a commit with --at.\n"
    for arguments, about in (([], ""), (["--json"], ""), ([history.path / "client.py"], " to client.py")):
        done = codewm(command, "-C", history.path, *arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"codewm: The uncommitted changes{about} {words}"
    assert codewm(command, "-C", history.path, history.path / "server.py").stdout.startswith(
        "No uncommitted changes to"
    )
    assert codewm(command, "-C", history.path, "--at", "HEAD").stdout.startswith("About commit ")
    history.write("server.py", (history.path / "server.py").read_text().replace("limit = 10", "limit = 20"))
    assert codewm(command, "-C", history.path).stdout.startswith("Your uncommitted changes:")


@pytest.mark.parametrize("staged", [False, True])
def test_a_file_that_is_too_large_to_be_read_is_said_to_be(staged: bool, history: Any, codewm: Codewm) -> None:
    unread = "huge.py is too large to be read (more than 1,048,576 bytes)."
    history.write("huge.py", "x = 1\n" * 600_000)
    if staged:
        history.git("add", "huge.py")
    said = codewm("hints", history.path).stdout.splitlines()
    assert said[0] == unread
    assert said[1].startswith("No other uncommitted changes to Python code; using the last commit ")
    done = codewm("hints", history.path / "huge.py")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"codewm: {unread}\n")
    history.write("client.py", (history.path / "client.py").read_text().replace("timeout=30", "timeout=60"))
    said = codewm("hints", history.path).stdout.splitlines()
    assert said[:2] == [unread, "Your uncommitted changes:"]
    history.commit("Grow", {})
    done = codewm("next", history.path / "huge.py")
    assert (done.returncode, done.stderr) == (1, f"codewm: {unread}\n")
    assert codewm("hints", history.path).stdout.startswith(
        "No uncommitted changes to Python code; using the last commit "
    )


def test_a_file_that_was_only_renamed_is_said_to_be(history: Any, codewm: Codewm) -> None:
    history.git("mv", "client.py", "clients.py")
    now = "client.py is now clients.py"
    said = codewm("hints", history.path).stdout.splitlines()
    assert said[0].startswith(
        f"No uncommitted changes to Python code, only renamed files ({now}); using the last commit "
    )
    hint = "To see which files still import the old names, run `codewm forgotten`."
    assert hint not in said
    assert codewm("similar", history.path).stdout.splitlines()[2] == hint
    newest = history.head()[:7]
    said = codewm("similar", history.path / "clients.py").stdout.splitlines()
    assert said[0].startswith(
        "clients.py was renamed from client.py, and none of its definitions has changed; using its newest change, "
        f"{newest} 'Add a timeout to delete()'"
    )
    history.write("server.py", (history.path / "server.py").read_text().replace("limit = 10", "limit = 10  # ten"))
    said = codewm("hints", history.path).stdout.splitlines()
    assert said[0].startswith(f"No uncommitted changes to Python code, only renamed files ({now});")


def test_a_syntax_error_that_hides_an_edit_is_said(history: Any, codewm: Codewm) -> None:
    hidden = "client.py has a syntax error in get, so its change cannot be read."
    text = (history.path / "client.py").read_text().replace("answer.ok:", "bool(answer.ok):")
    history.commit("Ask for a truth value", {"client.py": text})
    broken = text.replace("bool(answer.ok):", "bool(answer.ok:", 1)
    history.write("client.py", broken)
    done = codewm("next", history.path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"codewm: {hidden} Fix the error, or ask about a commit with --at.\n"
    history.write("server.py", (history.path / "server.py").read_text().replace("limit = 10", "limit = 20"))
    assert hidden in codewm("next", history.path).stderr.splitlines()
    assert hidden not in codewm("next", history.path / "server.py").stderr
    history.write("client.py", broken + "\n\ndef options(url):\n    return url\n")
    done = codewm("next", history.path)
    assert hidden in done.stderr.splitlines(), "another definition of the file has changed, too"
    assert "client.py:" in done.stdout
    history.write("client.py", text.replace("bool(answer.ok):", "bool(answer.ok:"))
    several = "client.py has a syntax error in get and 3 more definitions, so their changes cannot be read."
    assert several in codewm("next", history.path).stderr.splitlines()
    history.write("client.py", text.replace("raise ServerError(answer)", "raise ServerError(answer"))
    assert hidden not in codewm("next", history.path).stderr


def test_a_revision_that_changes_no_python_is_said_to_be_answered_by_an_earlier_one(
    history: Any, codewm: Codewm
) -> None:
    before = history.head()[:7]
    history.commit("Write notes", {"notes.txt": "new\n"})
    history.commit("Write more", {"notes.txt": "newer\n"})
    said = codewm("similar", history.path, "--at", "HEAD~1").stdout.splitlines()
    assert said[0] == "HEAD~1 does not change Python code; using the newest commit before it that changes Python code."
    assert said[1].startswith(f"About commit {before} 'Add a timeout to delete()', ")
    history.branch("side", "HEAD~1")
    history.commit("Aside", {"aside.txt": "new\n"})
    history.checkout("main")
    history.merge("side")
    merged = codewm("similar", history.path, "--at", "HEAD").stdout.splitlines()
    assert merged[0] == "HEAD is a merge; using the newest commit before it that changes Python code."
    assert said[1].endswith(" ago:")


def test_an_edit_outside_definitions_is_told_by_the_line_that_changed(history: Any, codewm: Codewm) -> None:
    text = (history.path / "client.py").read_text()
    history.commit("Add limits", {"client.py": f"{text}\n\nFIRST = 1\nLAST = 2\n"})
    line = text.count("\n") + 4
    history.write("client.py", f"{text}\n\nFIRST = 1\nLAST = 3\n")
    assert f"  modified  client.py:{line}  module level" in codewm("hints", history.path).stdout.splitlines()
    history.commit("Raise the limit")
    assert f"  modified  client.py:{line}  module level" in codewm("hints", history.path).stdout.splitlines()


def test_a_rename_has_one_name_in_a_list_of_past_edits(history: Any, codewm: Codewm) -> None:
    text = (history.path / "client.py").read_text()
    history.write("client.py", text.replace("def put", "def replace"))
    history.write("server.py", (history.path / "server.py").read_text().replace("limit = 10", "limit = 20"))
    said = codewm("similar", history.path, "-k", "0").stdout
    assert "put to replace" in said
    assert "like the change to replace" in said
    assert "like the change to put" not in said


def test_guesses_are_listed_only_if_a_number_is_asked_for(history: Any, codewm: Codewm) -> None:
    history.write("client.py", (history.path / "client.py").read_text().replace("timeout=30", "timeout=60"))

    def chances(*arguments: str) -> tuple[list[int], str]:
        done = codewm("next", history.path, *arguments)
        assert done.returncode == 0, done.stderr
        shown = [line.split() for line in done.stdout.splitlines()]
        return [int(words[1]) for words in shown if words[2:3] == ["%"]], done.stdout

    def listed_as_asked() -> tuple[list[int], list[int]]:
        everything, said = chances("-k", "10")
        assert "likely places" not in said
        assert "likely enough" not in said
        unasked, said = chances()
        assert ("Less likely places are not listed; use -k N to list more." in said) == (
            0 < len(unasked) < len(everything)
        )
        assert ("Nothing is likely enough to list (the highest chance is " in said) == (not unasked)
        asked = json.loads(codewm("next", history.path, "--json").stdout)
        assert len(asked["predictions"]) + len(asked["files"]) == len(everything), "programs get all"
        return everything, unasked

    everything, unasked = listed_as_asked()
    assert unasked == ([one for one in everything if one >= 20] or [one for one in everything[:3] if one >= 10])
    assert unasked
    history.commit("Wait longer", {})
    everything, unasked = listed_as_asked()
    assert everything
    assert unasked == [one for one in everything[:3] if one >= 15]


def test_past_edits_that_are_unlikely_to_fit_are_listed_only_if_a_number_is_asked_for(
    history: Any, codewm: Codewm
) -> None:
    def listed_as_asked() -> int:
        everything = json.loads(codewm("similar", history.path, "--json").stdout)["edits"]
        likely = [one for one in everything if one.get("fact") or one["score"] >= 0.2]
        likely = likely or [one for one in everything[:3] if one["score"] >= 0.1]
        said = codewm("similar", history.path).stdout
        assert said.count(" ago\n") == len(likely)
        assert ("  None is likely to fit (the highest chance is " in said) == (not likely)
        less = "\nLess likely past edits are not listed; use -k N to list more.\n"
        assert said.endswith(less) == (0 < len(likely) < len(everything))
        assert codewm("similar", history.path, "-k", "10").stdout.count(" ago\n") == len(everything)
        return len(likely)

    history.write("client.py", (history.path / "client.py").read_text().replace("timeout=30", "timeout=60"))
    assert not listed_as_asked()
    history.git("checkout", "--quiet", ".")
    history.git("reset", "--quiet", "HEAD~1")
    assert listed_as_asked()


@pytest.mark.parametrize("command", ["hints", "similar", "next", "index", "embed", "doctor", "clean"])
def test_each_command_has_help_with_an_example(command: str, codewm: Codewm) -> None:
    done = codewm(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"usage: codewm {command} " in done.stdout
    assert "codewm " + command in done.stdout.partition("example:")[2]
    assert codewm(command, "-h").stdout == done.stdout
    assert command in codewm("--help").stdout


@pytest.mark.parametrize("command", ["hints", "similar", "next"])
def test_what_lists_guesses_only_if_asked_says_so(command: str, codewm: Codewm) -> None:
    said = " ".join(codewm(command, "--help").stdout.split())
    assert re.search(r"Maximum results, 0 for all \[default: \d+, and only likely ones\]", said)


def test_what_commands_share_may_stand_before_the_command_as_with_git(
    history: Any, codewm: Codewm, tmp_path: Path
) -> None:
    wanted = codewm("similar", "--json", "-C", history.path)
    assert json.loads(wanted.stdout)["edits"]
    for before in (["-C", history.path], [f"-C{history.path}"], [f"--repository={history.path}"]):
        assert codewm(*before, "similar", "--json").stdout == wanted.stdout
    other = tmp_path / "other"
    assert codewm("--cache", other, "-C", history.path, "index").returncode == 0
    assert list(other.iterdir())
    nested = codewm("-C", history.path.parent, "similar", "--json", "-C", history.path)
    assert nested.stdout == wanted.stdout, "what is said last holds"
    for arguments, says in (
        (["-C", history.path, "similr"], "Unknown command 'similr'. Did you mean 'similar'?"),
        (["-C"], "expected one argument"),
        (["-C", history.path], "No command is given."),
        (["-C", history.path, "embed", "--states"], "-C"),
    ):
        done = codewm(*arguments)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert says in done.stderr


def test_a_misspelt_command_or_option_is_one_line(codewm: Codewm) -> None:
    done = codewm("similr")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "codewm: Unknown command 'similr'. Did you mean 'similar'? Run `codewm --help` for a list.\n"
    done = codewm("similar", "--dif")  # options are not abbreviated: a new one must not change what an old script says
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "--dif" in done.stderr
    assert "codewm similar --help" in done.stderr

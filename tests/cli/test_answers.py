"""`codewm similar`, `next` and `hints` on a real repository, in JSON and in words."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from codewm_lsp.index.store import PARSED_FILES
from codewm_lsp.ranking.kept_files import FEWEST

Codewm = Callable[..., subprocess.CompletedProcess[str]]
EDIT_KEYS = ["commit", "author", "date", "subject", "path", "definition", "kind", "score"]
PREDICTION_KEYS = ["path", "definition", "line", "score", "likely", "evidence"]


def answered(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    return json.loads(done.stdout)


def test_similar_gives_past_edits_best_first_in_the_fixed_shape(history: Any, codewm: Codewm) -> None:
    answer = answered(codewm("similar", "--json", "-C", history.path, "--at", "HEAD", "--editing", "client.py::delete"))
    assert list(answer) == ["query", "edits"]
    edits = answer["edits"]
    assert edits
    assert all(list(edit) == EDIT_KEYS for edit in edits)
    assert [edit["score"] for edit in edits] == sorted((edit["score"] for edit in edits), reverse=True)
    assert {edit["kind"] for edit in edits} <= {"added", "modified", "removed"}
    best = edits[0]
    assert re.fullmatch(r"[0-9a-f]{40}", best["commit"])
    assert best["author"] == "Ada Lovelace"
    assert re.fullmatch(r"Add a timeout to (get|post|put)\(\)", best["subject"])
    assert (best["path"], best["definition"]) in {("client.py", name) for name in ("get", "post", "put")}
    committed = int(history.git("show", "-s", "--format=%ct", best["commit"]))
    assert datetime.fromisoformat(best["date"]) == datetime.fromtimestamp(committed, tz=timezone.utc)


def test_next_gives_definitions_with_line_words_and_evidence_in_the_fixed_shape(history: Any, codewm: Codewm) -> None:
    how = ("--at", "HEAD", "--editing", "client.py::delete")
    answer = answered(codewm("next", "--json", "-k", "0", "-C", history.path, *how))
    assert list(answer) == ["at", "predictions", "files"]
    assert answer["at"] == history.head()
    found = answer["predictions"]
    assert all(list(one) == PREDICTION_KEYS for one in found)
    assert [one["score"] for one in found] == sorted((one["score"] for one in found), reverse=True)
    places = [(one["path"], one["definition"]) for one in found]
    assert len(set(places)) == len(places)
    assert ("client.py", "delete") not in places
    assert {("client.py", "get"), ("server.py", "Handler.on_delete"), ("server.py", "Handler")} <= set(places)
    lines = history.git("show", "HEAD~1:server.py").split("\n")
    (on_delete,) = (one for one in found if one["definition"] == "Handler.on_delete")
    assert lines[on_delete["line"] - 1].strip() == "def on_delete(self, request):"
    assert all(isinstance(word, str) for one in found for word in one["likely"])
    evidence = [edit for one in found for edit in one["evidence"]]
    assert evidence
    assert all(list(edit) == EDIT_KEYS for edit in evidence)


def test_a_version_that_is_raised_once_more_is_like_the_last_time(make_repository: Any, codewm: Codewm) -> None:
    repository = make_repository("releases")
    text = "import os\n\n__version__ = '1.{0}.0'\n\n\ndef name():\n    return os.name\n"
    for minor in range(4):
        repository.commit(f"Release 1.{minor}.0", {"shop/__init__.py": text.format(minor)})
    repository.write("shop/__init__.py", text.format(4))
    assert codewm("index", "-C", repository.path).returncode == 0
    edits = answered(codewm("similar", "--json", "-C", repository.path))["edits"]
    assert [edit["subject"] for edit in edits[:3]] == ["Release 1.3.0", "Release 1.2.0", "Release 1.1.0"]
    assert {(edit["path"], edit["definition"]) for edit in edits[:3]} == {("shop/__init__.py", "<module>")}
    assert [edit.get("fact") for edit in edits[:3]] == [True, True, True]
    said = codewm("hints", "-C", repository.path).stdout
    assert re.search(r"\n +1 +shop/__init__.py +module level +modified\n.*Release 1.3.0", said), said
    assert "the same lines, with other values" in said


def test_nothing_of_the_revision_asked_about_or_after_it_is_known(history: Any, codewm: Codewm) -> None:
    assert codewm("index", "-C", history.path).returncode == 0  # all of it is in the index
    at = history.head("HEAD~4")  # "Add a timeout to post()", with three commits after it
    past = set(history.git("rev-list", f"{at}~1").split())
    for command in ("similar", "next"):
        answer = answered(
            codewm(command, "--json", "-k", "0", "-C", history.path, "--at", at, "--editing", "client.py::post")
        )
        edits = answer.get("edits") or [edit for one in answer["predictions"] for edit in one["evidence"]]
        assert {edit["commit"] for edit in edits} <= past


def test_k_bounds_the_lists_and_zero_gives_all(history: Any, codewm: Codewm) -> None:
    def counts(k: int) -> tuple[int, int]:
        answer = answered(codewm("hints", "--json", "-k", str(k), "-C", history.path))
        return len(answer["edits"]), len(answer["predictions"])

    assert counts(1) == (1, 1)
    assert counts(2) == (2, 2)
    assert min(counts(0)) > 2


def test_the_working_tree_is_asked_about_when_it_has_changes(history: Any, codewm: Codewm) -> None:
    history.write("client.py", (history.path / "client.py").read_text().replace("timeout=30", "timeout=60"))
    answer = answered(codewm("similar", "--json", "-C", history.path))
    assert answer["query"] == {
        "at": history.head(),
        "editing": [
            {"path": "client.py", "definition": name, "kind": "modified"} for name in ("get", "post", "put", "delete")
        ],
    }


def test_a_diff_is_added_on_demand(history: Any, codewm: Codewm) -> None:
    how = ("-C", history.path, "--at", "HEAD", "--editing", "client.py::delete", "-k", "1")
    (edit,) = answered(codewm("similar", "--json", "--diff", *how))["edits"]
    assert list(edit) == [*EDIT_KEYS, "diff"]
    assert "\n-" in edit["diff"]
    assert re.search(r"^\+.*timeout", edit["diff"], re.MULTILINE)
    shown = codewm("similar", "--diff", *how)
    assert shown.returncode == 0
    assert all(line in shown.stdout for line in edit["diff"].split("\n") if line.strip())
    assert "\n-" not in codewm("similar", *how).stdout


def test_people_see_score_commit_author_age_path_and_definition(history: Any, codewm: Codewm) -> None:
    done = codewm("hints", "-C", history.path)
    assert done.returncode == 0, done.stderr
    best = answered(codewm("similar", "--json", "-C", history.path))["edits"][0]
    assert f"{100 * best['score']:.0f} %  {best['path']}  {best['definition']}" in done.stdout
    assert f"{best['commit'][:7]}  {best['subject']}  Ada Lovelace · " in done.stdout
    assert re.search(r"\d+ (year|month|week|day)s? ago", done.stdout)
    assert "Likely to change next" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr  # no terminal, no colours


def test_hints_in_json_hold_both_lists(history: Any, codewm: Codewm) -> None:
    answer = answered(codewm("hints", "--json", "-C", history.path))
    assert list(answer) == ["query", "edits", "at", "predictions", "files"]


def test_what_a_commit_says_cannot_drive_the_terminal(history: Any, codewm: Codewm) -> None:
    text = (history.path / "client.py").read_text()
    history.commit("Evil \x1b[31m\x07 [bold]subject[/bold] \u202e", {"client.py": text.replace("30", "40")})
    history.write("client.py", text.replace("30", "50"))
    done = codewm("similar", "-k", "0", "-C", history.path)
    assert done.returncode == 0, done.stderr
    assert "[bold]subject[/bold]" in done.stdout
    assert not {"\x1b", "\x07", "\u202e"} & set(done.stdout)
    assert answered(codewm("similar", "--json", "-C", history.path))


def test_a_repository_without_python_has_nothing_to_answer_from(make_repository: Any, codewm: Codewm) -> None:
    prose = make_repository("prose")
    prose.commit("Write", {"notes.txt": "a\n"})
    for command in ("similar", "next", "hints"):
        done = codewm(command, "--json", "-C", prose.path)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("codewm: The only commit at")
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("-C", "{tmp}"), "not inside a Git repository"),
        (("-C", "{history}", "--at", "nowhere"), "nowhere"),
        (("-C", "{history}", "--editing", "client.py"), "PATH::DEFINITION"),
        (("-C", "{history}", "--model", "{tmp}"), "model"),
        (("-C", "{history}", "-k", "-1"), "-k"),
        (("-C", "{history}", "--no-such-option"), "--no-such-option"),
    ],
)
def test_wrong_use_is_said_once_and_ends_with_2(
    history: Any, codewm: Codewm, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    given = [argument.format(tmp=tmp_path, history=history.path) for argument in arguments]
    done = codewm("similar", "--json", *given)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_has_enough_is_no_error(history: Any, tmp_path: Path) -> None:
    program = "from codewm_lsp.cli import main; main()"
    for extra in ((), ("--json",)):
        with subprocess.Popen(
            [sys.executable, "-c", program, "hints", "-C", history.path, "--cache", tmp_path / "cache", *extra],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            said = process.stderr.read()
        assert (process.returncode, said) == (0, b"")


def test_an_index_that_is_not_complete_is_said_to_be_so(history: Any, codewm: Codewm) -> None:
    done = codewm("similar", "--no-index", "-C", history.path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "codewm index" in done.stderr
    assert codewm("index", "-C", history.path).returncode == 0
    assert codewm("similar", "--no-index", "-C", history.path).returncode == 0


def test_files_that_an_earlier_command_parsed_are_not_parsed_again_and_change_no_answer(
    history: Any, codewm: Codewm, tmp_path: Path
) -> None:
    history.commit("Add parts", {f"part{n}.py": f"def part{n}(x):\n    return get(x, {n})\n" for n in range(FEWEST)})
    history.write("client.py", (history.path / "client.py").read_text().replace("timeout", "limit"))

    def answer() -> str:
        return codewm("hints", "--json", "-C", history.path).stdout

    first = answer()
    (kept,) = (tmp_path / "cache").glob(f"*/{PARSED_FILES}")
    written = kept.stat().st_mtime_ns
    assert answer() == first
    assert kept.stat().st_mtime_ns == written
    for n in range(FEWEST):  # what is not committed is parsed each time, and is no reason to keep anything
        history.write(f"part{n}.py", f"def part{n}(x):\n    return get(x, timeout={n})\n")
    edited = answer()
    assert kept.stat().st_mtime_ns == written
    kept.unlink()
    assert answer() == edited != first


def test_a_renamed_definition_is_said_to_be_renamed(history: Any, codewm: Codewm) -> None:
    history.write("client.py", (history.path / "client.py").read_text().replace("def delete(", "def erase("))
    done = codewm("similar", "-C", history.path)
    assert done.returncode == 0, done.stderr
    head = done.stdout.partition("\n\n")[0]
    assert re.search(r"renamed  client.py:\d+  delete to erase", head), head
    assert "added" not in head
    assert "removed" not in head


def test_a_second_definition_of_a_name_is_said_to_be_one(history: Any, codewm: Codewm) -> None:
    again = '\n\ndef get(url):\n    """Once more."""\n    return transport.send("get", url)\n'
    text = (history.path / "client.py").read_text()
    history.commit("Define get again", {"client.py": text + again})
    history.write("client.py", text + again.replace("return", "answer ="))
    said = codewm("hints", "--diff", "-C", history.path)
    assert said.returncode == 0, said.stderr
    assert "get (2nd definition)" in said.stdout.partition("\n\n")[0]
    assert "#2" not in said.stdout
    asked = answered(codewm("similar", "--json", "-C", history.path))["query"]["editing"]
    assert [edit["definition"] for edit in asked] == ["get#2"], "programs are told the name that they can ask about"
    of = codewm("similar", "-C", history.path, "--at", "HEAD", "--editing", "client.py::get#2")
    assert "get (2nd definition) in commit" in of.stdout, of.stderr
    missed = codewm("similar", "-C", history.path, "--at", "HEAD", "--editing", "client.py::put")
    assert "client.py::get#2  get (2nd definition)\n" in missed.stderr


def test_of_a_conflict_the_own_side_is_read_and_its_file_is_named(history: Any, codewm: Codewm) -> None:
    text = (history.path / "client.py").read_text()
    ours, theirs = (text.replace("def delete(url", f"def delete({how}, url") for how in ("mine", "theirs"))
    history.git("checkout", "--quiet", "-b", "side")
    history.commit("Theirs", {"client.py": theirs})
    history.git("checkout", "--quiet", "-")
    history.commit("Ours", {"client.py": ours})
    merged = subprocess.run(("git", "-C", history.path, "merge", "--quiet", "side"), capture_output=True, check=False)
    assert merged.returncode == 1
    conflict = (history.path / "client.py").read_text().replace("def get(", "def obtain(")
    assert conflict.count("<<<<<<<") == 1
    history.write("client.py", conflict)
    done = codewm("hints", "--diff", "-C", history.path)
    assert "client.py contains conflict markers." in done.stderr
    assert "definition)" not in done.stdout
    lines = re.sub(r"(?ms)^=======.*^>>>>>>>[^\n]*$", lambda theirs: "\n" * theirs[0].count("\n"), conflict)
    history.write("client.py", re.sub(r"(?m)^<<<<<<<.*$", "", lines))
    resolved = codewm("hints", "--diff", "-C", history.path)
    assert resolved.stdout == done.stdout
    assert "conflict" not in resolved.stderr


def test_what_must_follow_is_said_once_and_code_outside_definitions_in_words(history: Any, codewm: Codewm) -> None:
    again = (history.path / "client.py").read_text() + "\n\nfetch = get\n"
    history.commit(
        "Use it", {"client.py": again, "uses.py": "import client\n\n\ndef use():\n    return client.get(1)\n"}
    )
    history.write("client.py", again.replace("def get(", "def obtain("))
    said = codewm("hints", "-C", history.path).stdout
    _, _, following = said.partition("Likely to change next")
    lines = [line for line in following.split("\n") if "`get`" in line]
    assert lines, said
    for line in lines:
        assert not {"uses get", "still mentions get"} & {reason.strip() for reason in line.split(";")}
    assert "module level" in said
    assert "<module>" not in said

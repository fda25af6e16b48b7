"""`codewm search`: past edits by words, or by two versions of a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Codewm = Callable[..., subprocess.CompletedProcess[str]]


def found(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    edits: list[dict[str, Any]] = json.loads(done.stdout)["edits"]
    return edits


@pytest.mark.parametrize("words", [("timeout", "post"), ("timeouts", "posting")])
def test_words_find_the_commit_whose_subject_has_them_in_any_form(
    history: Any, codewm: Codewm, words: tuple[str, ...]
) -> None:
    edits = found(codewm("search", *words, "--json", "-C", history.path))
    assert edits[0]["subject"] == "Add a timeout to post()"
    assert edits[0]["definition"] in ("post", "Handler.on_post")


def test_changed_words_find_an_edit_whose_subject_has_none_of_them(make_repository: Any, codewm: Codewm) -> None:
    repository = make_repository("plain")
    repository.commit("Begin", {"a.py": "def f():\n    return 1\n\n\ndef g():\n    return 2\n"})
    repository.commit("Try again", {"a.py": "def f():\n    return backoff(1)\n\n\ndef g():\n    return 2\n"})
    edits = found(codewm("search", "backoff", "--json", "-C", repository.path))
    assert [(edit["definition"], edit["subject"]) for edit in edits][:1] == [("f", "Try again")]


def test_at_most_two_edits_of_a_commit_are_listed_unless_all_are_asked_for(
    make_repository: Any, codewm: Codewm
) -> None:
    repository = make_repository("many")
    repository.commit("Add numbers", {"a.py": "".join(f"def f{n}():\n    return {n}\n\n\n" for n in range(5))})
    assert len(found(codewm("search", "numbers", "--json", "-C", repository.path))) == 2
    assert len(found(codewm("search", "numbers", "-k", "0", "--json", "-C", repository.path))) == 5


def test_a_revision_knows_nothing_of_what_came_later(history: Any, codewm: Codewm) -> None:
    later = found(codewm("search", "timeout", "-k", "0", "--json", "-C", history.path))
    earlier = found(codewm("search", "timeout", "-k", "0", "--json", "-C", history.path, "--at", "HEAD~1"))
    assert history.head() in {edit["commit"] for edit in later}
    assert earlier
    assert history.head() not in {edit["commit"] for edit in earlier}


def test_two_versions_of_a_file_find_edits_like_the_one_between_them(
    history: Any, codewm: Codewm, tmp_path: Path
) -> None:
    before, after = tmp_path / "before.py", tmp_path / "after.py"
    before.write_text("def head(url):\n    answer = transport.send('head', url)\n    return answer\n")
    after.write_text(
        "def head(url, timeout=30):\n    answer = transport.send('head', url, timeout=timeout)\n    return answer\n"
    )
    edits = found(codewm("search", "--before", before, "--after", after, "--json", "-C", history.path))
    assert edits[0]["subject"].startswith("Add a timeout")
    assert edits[0]["kind"] == "modified"


def test_a_diff_from_stdin_finds_edits_like_its_own(history: Any, codewm: Codewm) -> None:
    text = history.git("show", "HEAD~6:client.py") + "\n"  # none has a timeout yet
    history.commit("Talk to another server", {"other.py": text})
    history.write(
        "other.py",
        text.replace("put(url)", "put(url, timeout=30)").replace("'put', url", "'put', url, timeout=timeout"),
    )
    diff = history.git("diff") + "\n"
    edits = found(codewm("search", "--patch", "-", "--json", "-C", history.path, stdin=diff))
    assert edits[0]["kind"] == "modified"
    assert edits[0]["subject"].startswith("Add a timeout")
    done = codewm("search", "--patch", "-", "-C", history.path, stdin="no diff\n")
    assert done.returncode == 2
    assert done.stderr == "codewm: The diff changes no Python file. Send a unified diff, as git diff writes it.\n"


def test_words_are_searched_for_without_what_the_model_needs(history: Any, codewm: Codewm, tmp_path: Path) -> None:
    assert codewm("index", "-C", history.path).returncode == 0
    program = """
import sys
from codewm_lsp.cli.app import main
try:
    main()
finally:
    print([name for name in ("onnxruntime", "codewm_lsp.hints", "codewm_lsp.ranking") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", program, "search", "timeout", "-C", history.path],
        capture_output=True,
        text=True,
        env={**os.environ, "CODEWM_CACHE": str(tmp_path / "cache")},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Add a timeout" in done.stdout
    assert done.stdout.endswith("\n[]\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Say what to search for"),
        (("retry", "--before", "a.py"), "Say what to search for"),
        (("retry", "--patch", "-"), "Say what to search for"),
        (("--before", "a.py"), "together"),
        (("--before", "missing.py", "--after", "missing.py"), "missing.py"),
        (("retry", "--at", "nowhere"), "nowhere"),
    ],
)
def test_what_cannot_be_searched_for_is_one_clear_line(
    history: Any, codewm: Codewm, arguments: tuple[str, ...], words: str
) -> None:
    done = codewm("search", *arguments, "-C", history.path)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_words_that_no_edit_has_find_nothing(history: Any, codewm: Codewm) -> None:
    done = codewm("search", "xylophone", "-C", history.path)
    assert done.returncode == 1
    assert "xylophone" in done.stderr


def test_a_question_of_many_pages_is_not_repeated(history: Any, codewm: Codewm) -> None:
    done = codewm("search", "xylophone " * 2_000, "-C", history.path)
    assert done.returncode == 1
    assert "xylophone" in done.stderr
    assert len(done.stderr) < 300


def test_words_that_nothing_matches_are_named(history: Any, codewm: Codewm) -> None:
    done = codewm("search", "timeout", "backof", "-C", history.path)
    assert done.returncode == 0
    assert "Nothing matches 'backof'." in done.stderr
    assert "timeout" in done.stdout
    assert "Nothing matches" not in codewm("search", "timeout", "get", "-C", history.path).stderr

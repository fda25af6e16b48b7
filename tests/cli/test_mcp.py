"""`codewm mcp`, asked over real stdio by the client of the official SDK."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

DIFF = """--- a/client.py
+++ b/client.py
@@ -20,3 +20,3 @@ def head(url):
-def head(url):
-    answer = transport.send('head', url)
+def head(url, timeout=30):
+    answer = transport.send('head', url, timeout=timeout)
     return answer
"""
PROGRAM = ["-c", "from codewm_lsp.cli.app import main; main()", "mcp"]
Ask = Callable[..., list[tuple[bool, str]]]


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "CODEWM_CACHE": str(folder / "cache")}


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Asks one server several questions in turn; whether each failed, and what was said.

    What is no question is called between them."""

    def run(folder: Path, *questions: tuple[str, dict[str, Any]] | Callable[[], object]) -> list[tuple[bool, str]]:
        async def converse() -> list[tuple[bool, str]]:
            server = StdioServerParameters(
                command=sys.executable, args=[*PROGRAM, "-C", str(folder)], env=environment(tmp_path)
            )
            async with Client(server) as client:
                names = {tool.name for tool in (await client.list_tools()).tools}
                assert names == {"search", "similar_edits", "next_edits", "forgotten", "how_was_this_changed_before"}
                found = []
                for question in questions:
                    if callable(question):
                        await asyncio.to_thread(question)
                        continue
                    answer = await client.call_tool(*question)
                    found.append((bool(answer.is_error), "\n".join(part.text for part in answer.content)))
                return found

        return asyncio.run(converse())

    return run


def test_every_tool_answers_from_the_history_and_cites_commits(history: Any, ask: Ask) -> None:
    answers = ask(
        history.path,
        ("search", {"words": "timeout post"}),
        ("similar_edits", {"diff": DIFF}),
        ("similar_edits", {"definition": "client.py::delete", "intent": "add a timeout"}),
        ("next_edits", {"at": "HEAD", "editing": "client.py::delete"}),
        ("how_was_this_changed_before", {"path": "client.py", "definition": "delete"}),
    )
    assert not any(failed for failed, _ in answers), answers
    searched, like, meant, following, past = (text for _, text in answers)
    assert "Add a timeout to post()" in searched.split("\n")[0]
    assert "Add a timeout to" in like
    assert "+def " in like
    assert "Add a timeout to" in meant
    assert "server.py" in following
    assert past.startswith(history.head()[:7])
    assert "timeout=30" in past


def test_an_answer_keeps_to_its_budget_and_says_that_it_was_cut(history: Any, ask: Ask) -> None:
    how = {"path": "client.py", "definition": "delete"}
    (_, short), (_, long) = ask(
        history.path,
        ("how_was_this_changed_before", {**how, "max_tokens": 100}),
        ("how_was_this_changed_before", {**how, "max_tokens": 5000}),
    )
    assert len(short) <= 100 * 3.5
    assert "max_tokens=100" in short
    assert "Cut at" not in long


def test_a_revision_knows_nothing_of_what_came_later(history: Any, ask: Ask) -> None:
    head = history.head()[:7]
    how = {"path": "client.py", "definition": "delete", "max_tokens": 5000}
    (_, now), (_, before) = ask(
        history.path,
        ("how_was_this_changed_before", how),
        ("how_was_this_changed_before", {**how, "at": "HEAD~1"}),
    )
    assert head in now
    assert head not in before


def test_what_makes_no_sense_is_one_error_and_the_server_goes_on(history: Any, ask: Ask, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    answers = ask(
        history.path,
        ("search", {"words": "timeout", "repository": str(outside)}),
        ("search", {"words": "timeout", "repository": "nul\0byte"}),
        ("search", {"words": "timeout", "repository": "~no-such-user/project"}),
        ("search", {"words": "timeout", "repository": "a/" * 100_000}),
        ("search", {"words": "timeout", "repository": "x" * 3_000}),
        ("search", {"words": "timeout", "max_tokens": 10**12}),
        ("search", {"words": "timeout", "max_tokens": -1}),
        ("search", {"words": " "}),
        ("search", {"words": "timeout " * 100_000}),
        ("search", {"words": "timeout", "at": "nowhere"}),
        ("search", {"words": "timeout", "at": "--output=pwned"}),
        ("search", {"words": "timeout", "at": "HEAD\n--all"}),
        ("search", {"words": "timeout", "at": "HEAD\0"}),
        ("search", {"words": "timeout", "at": "HEAD:client.py"}),
        ("search", {"words": "timeout", "at": "f" * 10_000}),
        ("similar_edits", {"diff": "+x\n" * 200_000}),
        ("similar_edits", {"diff": "not a diff \ufffd"}),
        ("similar_edits", {}),
        ("similar_edits", {"definition": "client.py::delete", "intent": "retry " * 100_000}),
        ("similar_edits", {"definition": "x" * 100_000, "intent": "retry"}),
        ("next_edits", {"editing": "client.py"}),
        ("next_edits", {"editing": "../" * 100_000 + "client.py::delete"}),
        ("how_was_this_changed_before", {"path": "../../etc/passwd", "definition": "root"}),
        ("how_was_this_changed_before", {"path": "client.py", "definition": "x" * 100_000}),
        ("search", {}),
        ("no_such_tool", {}),
        ("search", {"words": "timeout"}),
    )
    assert [failed for failed, _ in answers] == [True] * (len(answers) - 1) + [False], answers
    assert all(text.strip() and len(text) < 6_000 and "Traceback" not in text for _, text in answers)
    assert not list(tmp_path.rglob("pwned"))


def test_an_agent_hears_what_the_command_says_was_forgotten(
    coupled: Any, ask: Ask, codewm: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    coupled.write("core.py", "a = -1\n")
    edited, clean, before = ask(
        coupled.path,
        ("forgotten", {}),
        ("forgotten", {"diff": "HEAD~3...HEAD"}),
        ("forgotten", {"at": "HEAD~1", "diff": "HEAD~3...HEAD"}),
    )
    told = codewm("forgotten", "-C", coupled.path).stdout.splitlines()
    headline, row = edited[1].split("\n")
    assert headline == told[0]
    assert "docs/core.rst is likely to need a change, too" in row
    assert "changed in 61 of the last 61 commits to core.py" in row
    assert not clean[0]
    assert clean[1] == codewm("forgotten", "--diff", "HEAD~3...HEAD", coupled.path).stdout.strip()
    assert before[0]


def test_what_happens_between_two_questions_is_known_to_the_second(history: Any, ask: Ask) -> None:
    path = history.path

    def commit() -> None:
        history.commit("Log the xylophone", {"client.py": (path / "client.py").read_text() + "\n\nlog = print\n"})

    def edit() -> None:
        text = (path / "server.py").read_text()
        history.write("server.py", text.replace("self.reply(request, request.timeout)", "self.reply(request, 1)", 1))

    before, after, clean, edited = ask(
        path,
        ("search", {"words": "xylophone"}),
        commit,
        ("search", {"words": "xylophone"}),
        ("next_edits", {}),
        edit,
        ("next_edits", {}),
    )
    assert before[0]
    assert "Log the xylophone" in after[1]
    assert clean[1].startswith("After commit")
    assert edited[1].startswith("After your uncommitted changes")


def test_a_repository_made_anew_at_the_same_place_is_another_one(make_repository: Any, ask: Ask) -> None:
    old = make_repository("project")
    old.commit("Whistle", {"a.py": "def whistle():\n    return 1\n"})

    def make_anew() -> None:
        shutil.rmtree(old.path)
        new = make_repository("project")
        new.commit("Sing", {"a.py": "def sing():\n    return 1\n"})

    before, gone, after = ask(
        old.path,
        ("search", {"words": "whistle"}),
        make_anew,
        ("search", {"words": "whistle"}),
        ("search", {"words": "sing"}),
    )
    assert "Whistle" in before[1]
    assert gone[0]
    assert "Sing" in after[1]


def test_each_of_many_repositories_answers_for_itself(make_repository: Any, ask: Ask) -> None:
    words = ["apple", "pear", "plum", "cherry", "quince", "medlar"]
    repositories = {word: make_repository(word) for word in words}
    for word, repository in repositories.items():
        repository.commit(f"Grow the {word}", {"a.py": f"def {word}():\n    return 1\n"})
    questions = [("search", {"words": "grow", "repository": str(repositories[word].path)}) for word in words * 2]
    answers = ask(repositories["apple"].path, *questions)
    for word, (failed, text) in zip(words * 2, answers, strict=True):
        assert not failed, text
        assert [other for other in words if other in text] == [word]


def test_an_answer_from_a_part_of_the_history_says_so_and_the_rest_is_indexed_meanwhile(
    make_repository: Any, ask: Ask, codewm: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    repository = make_repository("long")
    repository.commit_many([(f"Return number {n}", {"a.py": f"def number():\n    return {n}\n"}) for n in range(160)])
    assert codewm("index", "--limit", "110", "-C", repository.path).returncode == 0

    def until_all_is_indexed() -> None:
        deadline = time.monotonic() + 60
        while True:
            done = codewm("search", "number", "--no-index", "-C", repository.path)
            if "Using the newest" not in done.stderr:
                return
            assert time.monotonic() < deadline, done.stderr

    first, second = ask(
        repository.path, ("search", {"words": "number"}), until_all_is_indexed, ("search", {"words": "number"})
    )
    assert first[1].startswith("(From the newest 110 of 160 commits; the rest is being indexed.)")
    assert not second[1].startswith("(")


@pytest.mark.parametrize("closed", ["stdin", "stdin and stdout", "stdout"])
def test_a_client_that_vanishes_ends_the_server_without_a_word(history: Any, tmp_path: Path, closed: str) -> None:
    with subprocess.Popen(
        [sys.executable, *PROGRAM, "-C", history.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(tmp_path),
        text=True,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        assert server.stderr is not None

        def send(method: str, **rest: object) -> None:
            assert server.stdin is not None
            server.stdin.write(json.dumps({"jsonrpc": "2.0", "method": method, **rest}) + "\n")
            server.stdin.flush()

        who = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "agent", "version": "1"}}
        send("initialize", id=1, params=who)
        assert "serverInfo" in server.stdout.readline()
        send("notifications/initialized")
        if "stdout" in closed:
            server.stdout.close()
        send("tools/call", id=2, params={"name": "search", "arguments": {"words": "timeout"}})
        if "stdin" in closed:
            server.stdin.close()
        deadline = time.monotonic() + 60
        while server.poll() is None and time.monotonic() < deadline:
            with suppress(OSError, ValueError):  # a server that cannot answer notices it when it is asked once more
                send("tools/call", id=3, params={"name": "search", "arguments": {"words": "timeout"}})
            time.sleep(0.05)
        assert server.poll() == 0
        assert server.stderr.read() == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_disk_behind_the_output_is_said_in_one_line(history: Any, tmp_path: Path) -> None:
    who = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "agent", "version": "1"}}
    asked = json.dumps({"jsonrpc": "2.0", "method": "initialize", "id": 1, "params": who})
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, *PROGRAM, "-C", history.path],
            input=f"{asked}\n",
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment(tmp_path),
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == (
        "codewm: Cannot write the answer: No space left on device. Free some space, or redirect it elsewhere.\n"
    )

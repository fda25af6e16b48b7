"""`codewm mcp`, asked over real stdio by the client of the official SDK."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
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
Ask = Callable[..., list[tuple[bool, str]]]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Asks one server several questions in turn; whether each failed, and what was said."""

    def run(folder: Path, *questions: tuple[str, dict[str, Any]]) -> list[tuple[bool, str]]:
        async def converse() -> list[tuple[bool, str]]:
            server = StdioServerParameters(
                command=sys.executable,
                args=["-c", "from codewm_lsp.cli.app import main; main()", "mcp", "-C", str(folder)],
                env={**os.environ, "CODEWM_CACHE": str(tmp_path / "cache")},
            )
            async with Client(server) as client:
                names = {tool.name for tool in (await client.list_tools()).tools}
                assert names == {"search", "similar_edits", "next_edits", "how_was_this_changed_before"}
                found = []
                for name, arguments in questions:
                    answer = await client.call_tool(name, arguments)
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
    assert past.startswith(history.head()[:10])
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
    head = history.head()[:10]
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
        ("search", {"words": "timeout", "max_tokens": 10**12}),
        ("search", {"words": "timeout", "max_tokens": -1}),
        ("search", {"words": " "}),
        ("search", {"words": "timeout", "at": "nowhere"}),
        ("similar_edits", {"diff": "+x\n" * 200_000}),
        ("similar_edits", {"diff": "not a diff \ufffd"}),
        ("similar_edits", {}),
        ("how_was_this_changed_before", {"path": "../../etc/passwd", "definition": "root"}),
        ("search", {"words": "timeout"}),
    )
    assert [failed for failed, _ in answers] == [True] * 10 + [False], answers
    assert all(text.strip() for _, text in answers)

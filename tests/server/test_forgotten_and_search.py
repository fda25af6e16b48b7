"""What an editor asks before a commit, and what it searches for: the same answers as the terminal's and an agent's."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pygls.exceptions import JsonRpcException

from codewm_lsp.cli.agent_answers import TOKENS, Agent
from tests.server.conftest import StartEditor, write_history


async def codewm(environment: dict[str, str], *arguments: str) -> Any:
    """The answer of the command in JSON."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", "from codewm_lsp.cli import main; main()", *arguments, "--json"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def changed(coupled: Any) -> Any:
    """``core.py`` is changed; ``docs/core.rst``, which always changes with it, is not."""
    coupled.write("core.py", "a = -1\n")
    return coupled


async def test_the_terminal_the_editor_and_an_agent_get_the_same_answer(
    changed: Any,
    start_editor: StartEditor,
    server_environment: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", server_environment["HOME"])  # whose change it is counts, and Git's configuration says
    helper = "def send(url):\n    return url\n"
    user = "from helper import send\n\n\ndef fetch():\n    return send(1)\n"
    changed.git("stash")
    changed.commit("Help", {"helper.py": helper, "user.py": user})
    changed.git("stash", "pop")
    changed.write("helper.py", helper.replace("(url)", "(url, timeout)"))
    async with start_editor(changed.path) as editor:
        for stage in (False, True):
            if stage:
                changed.git("add", "core.py", "helper.py")
            told = await editor.run("codewm.forgotten", {"uri": changed.path.as_uri()})
            record = await codewm(server_environment, "forgotten", "-C", str(changed.path))
            assert told["root"] == changed.path.as_uri()
            named = {one["path"]: one for one in told["missing"]}
            assert named["user.py"]["uri"] == (changed.path / "user.py").as_uri()
            assert [(one["definition"], one["line"]) for one in named["user.py"]["definitions"]] == [("fetch", 5)]
            sentences = [one["sentence"] for one in told["missing"]]
            alike = {key: told[key] for key in record if key != "missing"}
            alike["missing"] = [{key: one[key] for key in record["missing"][0]} for one in told["missing"]]
            assert alike == record
            assert record["asked"] == ("what is staged" if stage else "the working tree")
            agent = Agent(None, tmp_path / "cache")
            said = await asyncio.to_thread(agent.forgotten, str(changed.path), None, None, TOKENS)
            agent.close()
            assert said == "\n".join([told["headline"], *sentences])


async def test_what_is_not_needed_is_not_named_again_anywhere(
    changed: Any, start_editor: StartEditor, server_environment: dict[str, str]
) -> None:
    async with start_editor(changed.path) as editor:
        told = await editor.run("codewm.forgotten")
        assert [one["path"] for one in told["missing"]] == ["docs/core.rst"]
        this = {"root": told["root"], "path": "docs/core.rst", "change": told["change"]}
        assert await editor.run("codewm.notNeeded", this) == {"dismissed": True}
        assert (await editor.run("codewm.forgotten"))["missing"] == []
        assert (await codewm(server_environment, "forgotten", "-C", str(changed.path)))["missing"] == []
        assert await editor.run("codewm.notNeeded", {**this, "restore": True}) == {"dismissed": False}
        assert len((await editor.run("codewm.forgotten"))["missing"]) == 1
        assert await editor.run("codewm.notNeeded", this) == {"dismissed": True}
        changed.commit("Change core alone")
        changed.write("core.py", "a = -3\n")
        (again,) = (await editor.run("codewm.forgotten"))["missing"]
        reason = "changed in 61 of the last 62 commits to core.py, but not in the last one"
        assert again["reason"] == reason, "of that change only"
        await editor.run("codewm.notNeeded", {"root": told["root"], "path": "docs/core.rst"})
        assert (await editor.run("codewm.forgotten"))["missing"] == []
        changed.commit("Change core alone again")
        changed.write("core.py", "a = -2\n")
        assert (await editor.run("codewm.forgotten"))["missing"] == [], "for good"


async def test_too_little_history_is_said_and_not_taken_for_all_well(
    make_repository: Any, start_editor: StartEditor
) -> None:
    repository = make_repository()
    write_history(repository)
    repository.write("helper.py", "def upper(text):\n    return text\n")
    async with start_editor(repository.path) as editor:
        told = await editor.run("codewm.forgotten")
        assert told["missing"] == []
        assert told["headline"] == told["silent"]
        assert told["silent"].startswith("Too little history")
        with pytest.raises(JsonRpcException):
            await editor.run("codewm.forgotten", {"uri": "untitled:1"})
        with pytest.raises(JsonRpcException):
            await editor.run("codewm.forgotten", {"uri": Path(repository.path.anchor).as_uri()})


async def test_a_search_in_the_editor_finds_what_the_command_finds(
    make_repository: Any, start_editor: StartEditor, server_environment: dict[str, str]
) -> None:
    repository = make_repository()
    write_history(repository)
    async with start_editor(repository.path) as editor:

        async def found() -> Any:
            return await editor.run("codewm.search", {"words": "timeout", "show": False})

        while not (answer := await found())["edits"]:
            await asyncio.sleep(0.05)
        told = await codewm(server_environment, "search", "timeout", "-k", "10", "-C", str(repository.path))
        answer = await found()
        assert answer["query"]["kind"] == "search"
        assert answer["query"]["words"] == "timeout"
        assert [(one["commit"], one["definition"]) for one in answer["edits"]] == [
            (one["commit"], one["definition"]) for one in told["edits"]
        ]
        assert answer["edits"][0]["diff"]
        assert editor.client.shown_documents == []
        assert (await editor.run("codewm.search", {"words": "timeout"}))["edits"]
        await editor.until(lambda: editor.client.shown_documents)
        assert (await editor.run("codewm.search", {"words": "xylophone", "show": False}))["edits"] == []
        for wrong in ("", "  ", "x" * 5_000):
            with pytest.raises(JsonRpcException):
                await editor.run("codewm.search", {"words": wrong})

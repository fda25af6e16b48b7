"""Commands answer in JSON, and show the evidence in editors that have no view of their own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.uris import to_fs_path

from tests.server.conftest import LAST, LAST_DEFINITION, Editor, StartEditor, service, target_of, write_history


@pytest.fixture
def repository(make_repository: Callable[..., Any]) -> Any:
    """A history, and its last service just given its time-out too."""
    repository = make_repository()
    write_history(repository)
    repository.write(LAST, service("sessions", timeout=True))
    return repository


def shown(editor: Editor) -> Path:
    """The file that the editor was last asked to show."""
    path = to_fs_path(editor.client.shown_documents[-1].uri)
    assert path is not None
    return Path(path)


async def test_running_a_lens_shows_the_past_diffs_with_their_commits(
    repository: Any, start_editor: StartEditor
) -> None:
    async with start_editor(repository.path) as editor:
        uri = editor.open(LAST)
        provider = editor.result.capabilities.execute_command_provider
        assert provider is not None
        assert sorted(provider.commands) == [
            "codewm.commitEdits",
            "codewm.dismiss",
            "codewm.dismissEdit",
            "codewm.fileAt",
            "codewm.forgotten",
            "codewm.notNeeded",
            "codewm.reindex",
            "codewm.search",
            "codewm.showNextEdits",
            "codewm.showSimilarEdits",
            "codewm.snooze",
            "codewm.status",
            "codewm.toggle",
        ]

        # a client with a view of its own gets the answer alone
        target = target_of(await editor.lens(uri))
        quiet = await editor.run("codewm.showSimilarEdits", {**target, "show": False})
        assert quiet["edits"]
        assert editor.client.shown_documents == []
        assert editor.messages() == []

        answer = await editor.run("codewm.showSimilarEdits", target)
        assert answer == quiet
        await editor.until(lambda: editor.client.shown_documents)
        assert answer["query"]["definition"] == LAST_DEFINITION
        first = answer["edits"][0]
        assert {"commit", "author", "date", "subject", "path", "definition", "kind", "score"} <= first.keys()
        assert first["commit"] in repository.git("rev-list", "HEAD").split()
        assert first["subject"].startswith("Add timeout to fetch_")
        assert first["author"] == "Ada Lovelace"
        assert first["kind"] == "modified"
        assert "\n+def fetch_" in first["diff"]

        file = shown(editor)
        text = file.read_text(encoding="utf-8")
        assert file.suffix == ".diff"
        assert not os.access(file, os.W_OK) or os.geteuid() == 0
        assert f"commit {first['commit']}\nAuthor: Ada Lovelace\nDate:   2023-11-" in text
        assert first["subject"] in text
        assert first["diff"] in text
    assert not file.exists()


async def test_a_client_that_cannot_show_documents_is_told_where_the_diff_is(
    repository: Any, start_editor: StartEditor
) -> None:
    def without(capabilities: types.ClientCapabilities) -> None:
        assert capabilities.window is not None
        capabilities.window.show_document = None

    async with start_editor(repository.path, change=without) as editor:
        uri = editor.open(LAST)
        await editor.lens(uri)
        await editor.run("codewm.showSimilarEdits", {"uri": uri, "definition": LAST_DEFINITION})
        await editor.until(editor.messages)
        (message,) = editor.messages()
        assert "Add timeout to fetch_" in message
        assert Path(message.rpartition("The diff is in ")[2]).read_text(encoding="utf-8").count("commit ") >= 1


async def test_next_edits_are_predicted_over_the_repository_and_wrong_arguments_refused(
    repository: Any, start_editor: StartEditor
) -> None:
    wrong: list[tuple[str, tuple[Any, ...]]] = [
        ("codewm.showSimilarEdits", ()),
        ("codewm.showSimilarEdits", ("file:///a.py",)),
        ("codewm.showSimilarEdits", ({"definition": "f"},)),
        ("codewm.showSimilarEdits", ({"uri": "untitled:Untitled-1", "definition": "f"},)),
        ("codewm.showNextEdits", (7,)),
        ("codewm.toggle", ("on",)),
        ("codewm.toggle", (True, False)),
        ("codewm.snooze", ("long",)),
        ("codewm.nothing", ()),
    ]
    async with start_editor(repository.path) as editor:
        uri = editor.open(LAST)
        await editor.lens(uri)
        answer = await editor.run("codewm.showNextEdits", {"uri": uri})
        assert answer["predictions"]
        for prediction in answer["predictions"]:
            assert (prediction["path"], prediction["definition"]) != (LAST, LAST_DEFINITION)
            assert prediction["uri"] == editor.uri(prediction["path"])
        await editor.until(lambda: editor.client.shown_documents)
        first = answer["predictions"][0]
        assert f"{first['path']}:{first['line'] + 1} {first['definition']}" in shown(editor).read_text(encoding="utf-8")
        assert (await editor.run("codewm.showNextEdits"))["predictions"]

        for command, arguments in wrong:
            with pytest.raises(JsonRpcException, match=r"."):
                await editor.run(command, *arguments)
        assert await editor.run("codewm.toggle", True) == {"enabled": True}
        assert editor.messages() == []


async def test_toggle_and_snooze_switch_lenses_off_and_on(repository: Any, start_editor: StartEditor) -> None:
    async with start_editor(repository.path) as editor:
        uri = editor.open(LAST)
        await editor.lens(uri)
        refreshes = editor.refreshes
        assert await editor.run("codewm.toggle") == {"enabled": False}
        assert await editor.lenses(uri) == []
        await editor.until(lambda: editor.refreshes > refreshes)
        editor.insert(uri, 0, 0, "\n")
        await asyncio.sleep(0.5)
        assert await editor.lenses(uri) == []
        assert await editor.run("codewm.toggle", False) == {"enabled": False}
        assert await editor.run("codewm.toggle") == {"enabled": True}
        assert await editor.lens(uri)

        assert await editor.run("codewm.snooze", 0.01) == {"minutes": 0.01}
        assert await editor.lenses(uri) == []
        assert await editor.lens(uri)  # it ends by itself
        assert await editor.run("codewm.snooze") == {"minutes": 10.0}
        assert await editor.lenses(uri) == []
        assert await editor.run("codewm.snooze", 0) == {"minutes": 0.0}
        assert await editor.lens(uri)


async def test_a_dismissed_hint_never_comes_back(repository: Any, start_editor: StartEditor) -> None:
    async with start_editor(repository.path) as editor:
        uri = editor.open(LAST)
        await editor.lens(uri)
        answer = await editor.run("codewm.dismiss", {"uri": uri, "definition": LAST_DEFINITION})
        assert answer == {"dismissed": 1}
        again = {"uri": uri, "definition": LAST_DEFINITION, "restore": True}
        assert await editor.run("codewm.dismiss", again) == {"dismissed": 0}
        await editor.lens(uri)
        assert await editor.run("codewm.dismiss", {"uri": uri, "definition": LAST_DEFINITION}) == {"dismissed": 1}
        assert LAST_DEFINITION not in await definitions(editor, uri)
        editor.insert(uri, 0, 0, "\n")
        await asyncio.sleep(0.5)
        assert LAST_DEFINITION not in await definitions(editor, uri)
    async with start_editor(repository.path) as editor:
        uri = editor.open(LAST)
        await asyncio.sleep(1.0)
        assert LAST_DEFINITION not in await definitions(editor, uri)


async def definitions(editor: Editor, uri: str) -> list[str]:
    return [target_of(lens)["definition"] for lens in await editor.lenses(uri)]

"""Options come from the start and from changes, apply live, and bad ones are named once."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from codewm_lsp.world_model import shipped
from tests.server.conftest import LAST, LAST_DEFINITION, StartEditor, service, target_of, write_history
from tests.server.raw_client import CAPABILITIES, RawClient


@pytest.fixture
def repository(make_repository: Callable[..., Any]) -> Any:
    """A history, and its last service just given its time-out too."""
    repository = make_repository()
    write_history(repository)
    repository.write(LAST, service("sessions", timeout=True))
    return repository


async def test_options_of_the_start_are_used_and_changes_apply_live(
    repository: Any, start_editor: StartEditor, tmp_path: Path
) -> None:
    async with start_editor(repository.path, settings={"enable": False}) as editor:
        uri = editor.open(LAST)
        await asyncio.sleep(0.5)
        assert await editor.lenses(uri) == []
        assert not list((tmp_path / "cache").rglob("*.sqlite3"))  # off means off

        editor.configure({"codewm": {"enable": True}})
        assert await editor.lens(uri)
        editor.configure({"codewm": {"enable": True, "lensesPerFile": 0}})
        assert await editor.lenses_when(uri, lambda lenses: lenses == []) == []
        editor.configure({"codewm": {"enable": True, "exclude": ["sess*.py"]}})
        await asyncio.sleep(0.5)
        assert await editor.lenses(uri) == []
        editor.configure({"codewm": {"enable": True, "kinds": {"next": False}}})
        assert [target_of(lens)["definition"] for lens in await editor.lenses_when(uri)] == [LAST_DEFINITION]

        # a client that sends none is asked
        editor.client.set_configuration({"enable": True, "display": "off"}, section="codewm")
        editor.configure(None)
        assert await editor.lenses_when(uri, lambda lenses: lenses == []) == []
        assert editor.messages() == []


async def test_hints_can_be_shown_on_hovering_instead(repository: Any, start_editor: StartEditor) -> None:
    async with start_editor(repository.path) as editor:
        uri = editor.open(LAST)
        lens = await editor.lens(uri)
        params = types.HoverParams(types.TextDocumentIdentifier(uri), types.Position(lens.range.start.line, 9))
        assert await editor.client.text_document_hover_async(params) is None
        editor.configure({"codewm": {"display": "hover"}})
        assert await editor.lenses_when(uri, lambda lenses: lenses == []) == []
        hover = await editor.client.text_document_hover_async(params)
        assert hover is not None
        assert isinstance(hover.contents, types.MarkupContent)
        assert "Add timeout to fetch_" in hover.contents.value
        elsewhere = types.HoverParams(types.TextDocumentIdentifier(uri), types.Position(lens.range.start.line + 1, 0))
        assert await editor.client.text_document_hover_async(elsewhere) is None


async def test_hints_can_be_shown_at_the_ends_of_lines_instead(repository: Any, start_editor: StartEditor) -> None:
    def can_refresh(capabilities: types.ClientCapabilities) -> None:
        assert capabilities.workspace is not None
        capabilities.workspace.inlay_hint = types.InlayHintWorkspaceClientCapabilities(refresh_support=True)

    async with start_editor(repository.path, change=can_refresh) as editor:
        text = service("sessions", timeout=True).replace("url, timeout=30):", "url, timeout=30):  # 🕰 später")
        uri = editor.open(LAST, text)
        lens = await editor.lens(uri)
        line = lens.range.start.line

        async def inlays(first: int = 0, last: int = 99) -> list[types.InlayHint]:
            span = types.Range(types.Position(first, 0), types.Position(last, 0))
            params = types.InlayHintParams(types.TextDocumentIdentifier(uri), span)
            return list(await editor.client.text_document_inlay_hint_async(params) or ())

        asked: list[str] = []
        editor.client.feature(types.WORKSPACE_INLAY_HINT_REFRESH)(lambda *_: asked.append("inlays"))
        assert await inlays() == []
        for display in ("inlay", "activeLine"):
            editor.configure({"codewm": {"display": display}})
            assert await editor.lenses_when(uri, lambda lenses: lenses == []) == []
            (hint,) = [one for one in await inlays() if one.position.line == line]
            (part,) = hint.label
            assert isinstance(part, types.InlayHintLabelPart)
            assert lens.command is not None
            assert (part.value, part.command) == (lens.command.title, lens.command)
            written = text.split("\n")[line]
            assert hint.position.character == len(written.encode("utf-16-le")) // 2
            assert await inlays(line + 1, line + 1) == []
        await editor.until(lambda: asked)
        editor.configure({"codewm": {"display": "codeLens"}})
        assert await inlays() == []
        await editor.lens(uri)


async def test_the_toggle_says_that_it_does_not_switch_on_what_the_setting_switched_off(
    repository: Any, start_editor: StartEditor
) -> None:
    async with start_editor(repository.path, settings={"enable": False}) as editor:
        uri = editor.open(LAST)
        for arguments in ((), (True,)):
            with pytest.raises(JsonRpcException, match=r"The setting codewm\.enable is false"):
                await editor.run("codewm.toggle", *arguments)
        assert await editor.run("codewm.toggle", False) == {"enabled": False}
        assert await editor.lenses(uri) == []
        editor.configure({"codewm": {"enable": True}})
        await editor.lens(uri)


async def test_each_bad_setting_is_named_once_and_the_default_is_used(
    repository: Any, start_editor: StartEditor, tmp_path: Path
) -> None:
    truncated = tmp_path / "a model"
    shutil.copytree(shipped(), truncated)
    graph = truncated / "edit.onnx"
    graph.write_bytes(graph.read_bytes()[:-1000])
    settings = {"threshold": "high", "colour": "blue", "model": str(truncated)}
    async with start_editor(repository.path, settings=settings) as editor:
        uri = editor.open(LAST)
        assert await editor.lens(uri)
        editor.configure({"codewm": {"threshold": "high", "colour": "blue"}})
        assert await editor.lens(uri)
        threshold, colour, model = editor.messages()
        assert "codewm.threshold" in threshold
        assert "codewm.colour" in colour
        assert "codewm.model" in model
        assert str(truncated) in model

        # live: another bundle, that is not there
        editor.configure({"codewm": {"model": str(tmp_path / "none")}})
        await editor.until(lambda: len(editor.messages()) == 4)
        assert str(tmp_path / "none") in editor.messages()[3]
        assert await editor.lens(uri)


def test_what_says_nothing_of_codewm_changes_nothing_and_is_not_complained_about(
    repository: Any, server_environment: dict[str, str]
) -> None:
    answers: Iterator[Any] = iter(([], [None], None, [[]], "nonsense", [{"pylsp": {}}], [[], []]))
    fetches = {**CAPABILITIES, "workspace": {**CAPABILITIES["workspace"], "configuration": True}}
    for capabilities in (CAPABILITIES, fetches):
        with RawClient(server_environment) as client:
            client.reply = lambda request: next(answers) if request["method"] == "workspace/configuration" else None
            others = {"pylsp": {"plugins": {}}, "gopls": {"staticcheck": True}}
            client.initialize(repository.path, capabilities=capabilities, initializationOptions=others)
            uri = (repository.path / LAST).as_uri()
            client.open(uri)
            client.lenses_when(uri)
            client.notify("workspace/didChangeConfiguration", {"settings": {"codewm": {"display": "off"}}})
            client.lenses_when(uri, lambda lenses: not lenses)
            for sent in (None, [], {}, others, {"codewm": None}, {"codewm": []}, {"settings": {}}):
                client.notify("workspace/didChangeConfiguration", {"settings": sent})
            if capabilities is fetches:
                client.until(lambda: len(client.asked) >= 7)
            assert client.lenses(uri) == []
            assert client.run("codewm.status")["problems"] == []
            client.notify("workspace/didChangeConfiguration", {"settings": {"codewm": {}}})
            client.lenses_when(uri)
            assert client.messages() == []

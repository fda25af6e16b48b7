"""A real ``codewm-lsp`` process over stdio, driven by a client with an editor's own capabilities."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pytest_lsp import LanguageClient, client_capabilities, make_test_lsp_client

VSCODE = "visual_studio_code"
NEOVIM = "neovim@v0.7"
PATIENCE = 60.0  # seconds until a test gives up; nothing is asserted about time

SERVICES = ("users", "orders", "invoices", "reports", "sessions")


def service(name: str, *, timeout: bool = False) -> str:
    """A module of three definitions; with ``timeout``, as it is after the change that every service goes through."""
    parameter = ", timeout=30" if timeout else ""
    argument = ", timeout=timeout" if timeout else ""
    return (
        f"import http\n\n\nclass {name.title()}Client:\n"
        f'    """Talks to the {name} service."""\n\n'
        f"    def fetch_{name}(self, url{parameter}):\n"
        f'        response = http.get(url + "/{name}"{argument})\n'
        "        return response.json()\n\n"
        f"    def count_{name}(self, items):\n"
        "        total = 0\n"
        "        for item in items:\n"
        "            total += item.size\n"
        "        return total\n"
    )


def write_history(repository: Any) -> None:
    """A history in which four of five services were given a time-out, one commit each, among other commits."""
    repository.commit("Begin", {f"{name}.py": service(name) for name in SERVICES})
    repository.commit("Write down what this is", {"README.md": "Services.\n"})
    for name in SERVICES[:-1]:
        repository.commit(f"Add timeout to fetch_{name}", {f"{name}.py": service(name, timeout=True)})
    repository.commit("Add a helper", {"helper.py": "def upper(text):\n    return text.upper()\n"})


LAST = f"{SERVICES[-1]}.py"
LAST_DEFINITION = f"{SERVICES[-1].title()}Client.fetch_{SERVICES[-1]}"


def target_of(lens: types.CodeLens) -> Any:
    """What a lens is about: the only argument of its command."""
    assert lens.command is not None
    assert lens.command.command == "codewm.showSimilarEdits"
    (target,) = lens.command.arguments or ()
    return target


class Editor:
    """An editor as the server sees it."""

    def __init__(self, client: LanguageClient, folder: Path) -> None:
        self.client = client
        self.folder = folder
        self.refreshes = 0
        self.ended: list[types.WorkDoneProgressEnd] = []
        self.versions: dict[str, int] = {}

        @client.feature(types.WORKSPACE_CODE_LENS_REFRESH)
        def refresh(params: None) -> None:
            self.refreshes += 1

        @client.feature(types.CLIENT_REGISTER_CAPABILITY)
        def register(params: types.RegistrationParams) -> None:
            self.registrations = params.registrations

    registrations: Any = ()

    def uri(self, path: str) -> str:
        return (self.folder / path).as_uri()

    def open(self, path: str, text: str | None = None, *, uri: str | None = None, language: str = "python") -> str:
        uri = uri or self.uri(path)
        if text is None:
            text = (self.folder / path).read_text(encoding="utf-8")
        self.versions[uri] = 1
        item = types.TextDocumentItem(uri=uri, language_id=language, version=1, text=text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
        return uri

    def replace(self, uri: str, text: str) -> None:
        """The whole text anew."""
        self._change(uri, types.TextDocumentContentChangeWholeDocument(text))

    def insert(self, uri: str, line: int, character: int, text: str) -> None:
        """Type ``text``."""
        position = types.Position(line, character)
        self._change(uri, types.TextDocumentContentChangePartial(text=text, range=types.Range(position, position)))

    def _change(self, uri: str, change: Any) -> None:
        self.versions[uri] += 1
        identifier = types.VersionedTextDocumentIdentifier(version=self.versions[uri], uri=uri)
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(identifier, [change]))

    def save(self, uri: str) -> None:
        self.client.text_document_did_save(types.DidSaveTextDocumentParams(types.TextDocumentIdentifier(uri)))

    async def lenses(self, uri: str) -> list[types.CodeLens]:
        """Ask once."""
        params = types.CodeLensParams(types.TextDocumentIdentifier(uri))
        answer = await asyncio.wait_for(self.client.text_document_code_lens_async(params), PATIENCE)
        assert answer is not None
        return list(answer)

    async def lenses_when(
        self, uri: str, wanted: Callable[[list[types.CodeLens]], bool] = bool
    ) -> list[types.CodeLens]:
        """Ask until the answer is ``wanted``."""
        end = time.monotonic() + PATIENCE
        while not wanted(lenses := await self.lenses(uri)):
            assert time.monotonic() < end, f"lenses stayed {lenses}; messages: {self.messages()}"
            await asyncio.sleep(0.05)
        return lenses

    async def lens(self, uri: str, definition: str = LAST_DEFINITION) -> types.CodeLens:
        """Ask until there is a lens on a definition."""

        def on_it(lens: types.CodeLens) -> bool:
            return target_of(lens) == {"uri": uri, "definition": definition}

        lenses = await self.lenses_when(uri, lambda lenses: any(map(on_it, lenses)))
        (lens,) = filter(on_it, lenses)
        return lens

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something has come true."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, f"it did not come true; messages: {self.messages()}"
            await asyncio.sleep(0.02)

    async def run(self, command: str, *arguments: Any) -> Any:
        params = types.ExecuteCommandParams(command, list(arguments))
        return await asyncio.wait_for(self.client.workspace_execute_command_async(params), PATIENCE)

    def configure(self, settings: Any) -> None:
        self.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(settings))

    def messages(self) -> list[str]:
        """What the user was shown."""
        return [message.message for message in self.client.messages]

    def log(self) -> list[str]:
        """What went to the editor's log."""
        return [message.message for message in self.client.log_messages]


StartEditor = Callable[..., AbstractAsyncContextManager[Editor]]


@pytest.fixture
def server_environment(tmp_path: Path) -> dict[str, str]:
    """The server's environment: a cache folder of its own, on every system."""
    cache = tmp_path / "cache"
    return {
        **os.environ,
        "XDG_CACHE_HOME": str(cache),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "LOCALAPPDATA": str(cache),
        "HOME": str(tmp_path / "home"),
        "PYTHONWARNINGS": "error",
    }


SERVER = (sys.executable, "-m", "codewm_lsp.server", "--stdio")


@pytest.fixture
def start_editor(server_environment: dict[str, str]) -> StartEditor:
    """``async with start_editor(folder) as editor``: a client and a server, initialised; both gone afterwards."""

    @asynccontextmanager
    async def start(
        folder: Path,
        *,
        profile: str = VSCODE,
        settings: Any = None,
        folders: list[Path] | None = None,
        change: Callable[[types.ClientCapabilities], None] = lambda capabilities: None,
        server: tuple[str, ...] = SERVER,
    ) -> AsyncIterator[Editor]:
        client = make_test_lsp_client()
        assert isinstance(client, LanguageClient)
        editor = Editor(client, folder)
        await client.start_io(*server, env=server_environment)
        capabilities = client_capabilities(profile)
        change(capabilities)
        workspace = [types.WorkspaceFolder(uri=path.as_uri(), name=path.name) for path in folders or [folder]]
        params = types.InitializeParams(
            capabilities=capabilities, initialization_options=settings, workspace_folders=workspace
        )
        try:
            editor.result = await asyncio.wait_for(client.initialize_session(params), PATIENCE)
            yield editor
        finally:
            await asyncio.wait_for(client.shutdown_session(), PATIENCE)
            await client.stop()

    return start

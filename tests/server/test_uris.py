"""URIs name files of this machine, however they are written; what names none is left alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codewm_lsp.server.uris import file_of, uri_of
from tests.server.conftest import LAST, LAST_DEFINITION, write_history
from tests.server.raw_client import RawClient

POSIX = pytest.mark.skipif(os.name == "nt", reason="paths are written in another way on Windows")


@POSIX
@pytest.mark.parametrize(
    "uri",
    ["file:///a%20b/c%2Bd.py", "file://localhost/a%20b/c+d.py", "FILE://LOCALHOST/a b/c+d.py", "file:/a%20b/%63+d.py"],
)
def test_one_file_has_many_names(uri: str) -> None:
    assert file_of(uri) == Path("/a b/c+d.py")


@POSIX
def test_names_that_are_not_utf8_are_kept() -> None:
    file = file_of("file:///a/%FF.py")
    assert file is not None
    assert os.fsencode(file) == b"/a/\xff.py"
    assert uri_of(file) == "file:///a/%FF.py"


@POSIX
@pytest.mark.parametrize(
    "uri",
    [
        *("", "a.py", "/a.py", "file:", "file://", "file:a.py", "file:///%00.py", "file://server/share/a.py"),
        *("file://[/a.py", "file://[::1/a.py", "untitled:Untitled-1", "untitled:/a.py", "git:/a.py?{}"),
        *("vscode-notebook-cell:/a.ipynb#W0sZmlsZQ", "vscode-vfs://github/a/b.py", "http://localhost/a.py", "\ud83d"),
    ],
)
def test_what_is_no_file_here_names_none(uri: str) -> None:
    assert file_of(uri) is None


@POSIX
def test_a_workspace_on_localhost_gets_lenses_and_odd_names_get_none(
    make_repository: Callable[..., Any], server_environment: dict[str, str]
) -> None:
    repository = make_repository()
    write_history(repository)
    folder = repository.path.as_uri().replace("file://", "file://localhost")
    with RawClient(server_environment) as client:
        client.initialize(repository.path, workspaceFolders=[{"uri": folder, "name": "here"}])
        for odd in ("file://[/a.py", "file:a.py", "untitled:1", "vscode-notebook-cell:/a.ipynb#1", "git:/a.py", ""):
            client.open(odd)
            assert client.lenses(odd) == []
            answer = client.ask(
                "workspace/executeCommand", {"command": "codewm.showSimilarEdits", "arguments": [{"uri": odd}]}
            )
            assert answer["error"]["code"] == -32602
        uri = f"{folder}/{LAST}"
        client.open(uri)
        assert LAST_DEFINITION in client.lenses_when(uri)
        # half a character, as in the middle of typing it
        for version, text in ((2, "\ud83d"), (3, "\udc0d")):
            at = {"line": 0, "character": version - 2}
            change = {"range": {"start": at, "end": at}, "text": f"#{text}" if version == 2 else text}
            client.notify(
                "textDocument/didChange", {"textDocument": {"uri": uri, "version": version}, "contentChanges": [change]}
            )
            assert LAST_DEFINITION in client.lenses_when(uri)
        assert client.messages() == []

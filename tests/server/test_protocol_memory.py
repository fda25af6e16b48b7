"""A day of typing is a hundred thousand notifications: nothing is kept of one that is done."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from codewm_lsp.server.handlers import SERVER
from tests.server.conftest import LAST, write_history


class Sink:
    """The client's end; what arrives there is counted."""

    def __init__(self) -> None:
        self.messages = 0

    def write(self, data: bytes) -> None:
        self.messages += 1

    def close(self) -> None:
        """There is nothing to close."""


async def test_handlers_that_are_done_are_forgotten(make_repository: Callable[..., Any]) -> None:
    repository = make_repository()
    write_history(repository)
    uri = (repository.path / LAST).as_uri()
    protocol, sink = SERVER.protocol, Sink()
    protocol.set_writer(sink)  # type: ignore[arg-type]

    def send(method: str, params: Any, number: int | None = None) -> None:
        data = {"jsonrpc": "2.0", "method": method, "params": params}
        protocol.receive(json.dumps(data if number is None else {**data, "id": number}).encode())

    send("initialize", {"processId": None, "rootUri": None, "capabilities": {}}, 0)
    send("textDocument/didOpen", {"textDocument": {"uri": uri, "languageId": "python", "version": 1, "text": "x\n"}})
    for version in range(2, 200):
        change = {"range": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}}, "text": "a"}
        send(
            "textDocument/didChange",
            {"textDocument": {"uri": uri, "version": version}, "contentChanges": [change]},
        )
    commands = [("codewm.toggle", []), ("codewm.status", []), ("codewm.snooze", ["wrong"]), ("codewm.none", [])]
    for number, (command, arguments) in enumerate(commands, 1):
        send("workspace/executeCommand", {"command": command, "arguments": arguments}, number)
    missing = [{"root": uri, "commit": "0" * 40}]
    send("workspace/executeCommand", {"command": "codewm.commitEdits", "arguments": missing}, 9)
    for _ in range(2000):
        if sink.messages >= 6 and not protocol._request_futures:
            break
        await asyncio.sleep(0.01)
    assert protocol._request_futures == {}
    assert sink.messages >= 6
    SERVER.active.close(5)

"""Before ``initialize`` and after ``shutdown`` requests are refused; what is senseless is refused at any time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.server.conftest import LAST, PATIENCE, service, write_history
from tests.server.raw_client import RawClient

STATUS = {"command": "codewm.status", "arguments": []}
INVALID_REQUEST, NOT_INITIALIZED, PARSE_ERROR, INVALID_PARAMS, NO_METHOD = -32600, -32002, -32700, -32602, -32601


@pytest.fixture
def repository(make_repository: Callable[..., Any]) -> Any:
    repository = make_repository()
    write_history(repository)
    return repository


def test_requests_out_of_order_are_refused(repository: Any, server_environment: dict[str, str]) -> None:
    with RawClient(server_environment) as client:
        assert client.ask("workspace/executeCommand", STATUS)["error"]["code"] == NOT_INITIALIZED
        client.open((repository.path / LAST).as_uri())  # dropped
        assert client.ask("shutdown")["error"]["code"] == NOT_INITIALIZED
        assert client.ask("initialize", {"capabilities": 7})["error"]["code"] == INVALID_PARAMS

        uri = client.begin(repository.path)
        again = client.ask("initialize", {"processId": None, "capabilities": {}, "rootUri": None})
        assert again["error"]["code"] == INVALID_REQUEST
        assert client.lenses(uri)

        assert client.ask("shutdown")["result"] is None
        for method, params in (("workspace/executeCommand", STATUS), ("initialize", {}), ("shutdown", None)):
            assert client.ask(method, params)["error"]["code"] == INVALID_REQUEST
        client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
        client.notify("exit")
        assert client.process.wait(PATIENCE) == 0
        assert client.messages() == []


def test_what_is_no_message_is_refused(repository: Any, server_environment: dict[str, str]) -> None:
    with RawClient(server_environment) as client:
        uri = client.begin(repository.path)
        for body, code in (
            (b"{not json", PARSE_ERROR),
            (b"[" * 100_000, PARSE_ERROR),
            (b"\xff\xfe\xfd", PARSE_ERROR),
            (b'{"jsonrpc": "2.0", "id": %s, "method": "shutdown"}' % (b"9" * 5000), PARSE_ERROR),
            (b"null", INVALID_REQUEST),
            (b"[1]", INVALID_REQUEST),
            (b'"text"', INVALID_REQUEST),
            (b"{}", INVALID_REQUEST),
            (b'{"jsonrpc": "1.0", "id": 1, "method": "shutdown"}', INVALID_REQUEST),
            (b'{"jsonrpc": "2.0", "id": null, "method": "shutdown"}', INVALID_REQUEST),
            (b'{"jsonrpc": "2.0", "id": true, "method": "shutdown"}', INVALID_REQUEST),
            (b'{"jsonrpc": "2.0", "id": [], "method": "shutdown"}', INVALID_REQUEST),
            (b'{"jsonrpc": "2.0", "method": 7}', INVALID_REQUEST),
        ):
            client.raw(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            client.until(lambda: None in client.answers)
            assert client.answers.pop(None)["error"]["code"] == code, body[:50]
        for answer in ({"id": [], "result": 1}, {"id": "none", "result": 1}, {"id": None, "error": 7}):
            client.send({"jsonrpc": "2.0", **answer})
        assert client.lenses(uri)
        assert client.messages() == []


def test_what_is_asked_wrongly_is_answered_without_a_message_to_the_user(
    repository: Any, server_environment: dict[str, str]
) -> None:
    with RawClient(server_environment) as client:
        uri = client.begin(repository.path)
        nowhere = {"root": repository.path.as_uri(), "commit": "0" * 40}
        for method, params, code in (
            ("textDocument/definition", {"textDocument": {"uri": uri}, "position": 7}, INVALID_PARAMS),
            ("textDocument/definition", {"textDocument": {"uri": uri}, "position": {"line": 0, "character": 0}}, None),
            ("codewm/none", {}, NO_METHOD),
            ("$/none", {}, NO_METHOD),
            ("workspace/executeCommand", {"command": "codewm.none"}, INVALID_PARAMS),
            ("workspace/executeCommand", {"command": "codewm.snooze", "arguments": ["soon"]}, None),
            ("workspace/executeCommand", {"command": "codewm.commitEdits", "arguments": [nowhere]}, None),
        ):
            error = client.ask(method, params)["error"]
            assert code is None or error["code"] == code, error
        client.notify("$/none", {})
        client.notify("codewm/none", [])
        assert client.lenses(uri)
        assert client.messages() == []


def test_a_command_without_its_arguments_is_refused_however_they_are_missing(
    repository: Any, server_environment: dict[str, str]
) -> None:
    with RawClient(server_environment) as client:
        client.begin(repository.path)
        for command in ("codewm.dismiss", "codewm.showSimilarEdits"):
            for missing in ({}, {"arguments": None}, {"arguments": []}):
                answer = client.ask("workspace/executeCommand", {"command": command, **missing})
                assert answer["error"]["code"] == INVALID_PARAMS, missing
        assert client.ask("workspace/executeCommand", {"command": "codewm.status", "arguments": None})["result"]
        assert client.messages() == []


def test_documents_may_be_closed_twice_changed_before_they_are_open_and_opened_again(
    repository: Any, server_environment: dict[str, str]
) -> None:
    with RawClient(server_environment) as client:
        uri = client.begin(repository.path)
        other = (repository.path / "users.py").as_uri()
        change = {"range": {"start": {"line": 9, "character": 0}, "end": {"line": 0, "character": 9}}, "text": "x"}
        client.notify(
            "textDocument/didChange", {"textDocument": {"uri": other, "version": 2}, "contentChanges": [change]}
        )
        client.notify("textDocument/didSave", {"textDocument": {"uri": other}})
        for _ in range(2):
            client.notify("textDocument/didClose", {"textDocument": {"uri": other}})
            client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
        assert client.lenses(uri) == []
        client.open(uri)
        client.open(uri, service("sessions"))
        client.open(uri)
        assert client.lenses_when(uri)
        assert client.messages() == []

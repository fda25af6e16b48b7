"""Messages are found in whatever bytes an editor sends."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest

from codewm_lsp.server.transport import LARGEST_MESSAGE, bodies
from tests.server.conftest import write_history
from tests.server.raw_client import RawClient

GOOD = b"Content-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize(
    "header",
    [
        b"content-length:2\r\n\r\n",
        b"CONTENT-LENGTH:  2 \r\n\r\n",
        b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: 2\r\n\r\n",
        b"Content-Length: 2\r\nContent-Type: x\r\n\r\n",
        b"Content-Length: 2\n\n",
        b"Content-Length: 9\r\nContent-Length: 2\r\n\r\n",
        b"\r\n\r\nContent-Length: 2\r\n\r\n",
    ],
)
def test_a_header_may_be_written_in_many_ways(header: bytes) -> None:
    assert list(bodies(io.BytesIO(header + b"{}" + GOOD))) == [b"{}", b"{}"]


@pytest.mark.parametrize(
    "garbage",
    [
        b"Content-Length: abc\r\n\r\n",
        b"Content-Length: -5\r\n\r\n",
        b"Content-Length: 0\r\n\r\n",
        b"Content-Length: \r\n\r\n",
        b"Content-Length: 1e3\r\n\r\n",
        b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"Content-Length: 99999999999999999999999\r\n\r\n",
        b"Content-Length: 9000000000000000\r\n\r\n",
        b"Content-Length: %d\r\n\r\n" % (LARGEST_MESSAGE + 1),
        b"Content-Length: 999999999999\r\n\r\n{never mind}",
        b"x" * 300_000,
        b"\0\xff\r\n",
    ],
)
def test_after_garbage_the_next_message_is_found(garbage: bytes) -> None:
    assert list(bodies(io.BytesIO(GOOD + garbage + GOOD))) == [b"{}", b"{}"]


def test_a_message_cut_short_is_none() -> None:
    assert list(bodies(io.BytesIO(GOOD + b"Content-Length: 100\r\n\r\n{"))) == [b"{}"]


def test_absurd_lengths_do_not_end_the_server(
    make_repository: Callable[..., Any], server_environment: dict[str, str]
) -> None:
    repository = make_repository()
    write_history(repository)
    with RawClient(server_environment) as client:
        uri = client.begin(repository.path)
        for length in (b"abc", b"-5", b"0", b"9" * 5000, b"9" * 23, b"9000000000000000", b"9999999999"):
            client.raw(b"Content-Length: " + length + b"\r\n\r\n")
            assert client.lenses(uri)
        assert client.messages() == []

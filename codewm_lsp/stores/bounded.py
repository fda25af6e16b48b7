"""HTTP to a server that may answer anything: so many bytes and seconds and no more, and nothing that is compressed."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Final

import httpcore
import httpx

MOST: Final = 16 * 1024 * 1024  # bytes of one answer; as text of JSON it takes some thirty times as much in memory
TOO_SLOW: Final = "it takes too long to answer"


class AnswerRefusedError(Exception):
    """The server's answer is too long, too slow or compressed; the text says which."""


class _Allowance:
    """What one request may still take."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.until = 0.0
        self.whole: float | None = None
        self.left = 0

    def begin(self) -> None:
        self.until = time.monotonic() + self.seconds
        if self.whole is not None:
            self.until = min(self.until, self.whole)
        self.left = MOST

    def wait(self, timeout: float | None) -> float:
        """How long a call of the network may take."""
        remaining = self.until - time.monotonic()
        if remaining <= 0:
            raise AnswerRefusedError(TOO_SLOW)
        return remaining if timeout is None else min(remaining, timeout)

    def take(self, received: bytes) -> bytes:
        """Count what came."""
        self.left -= len(received)
        if self.left < 0:
            raise AnswerRefusedError(f"it answers with more than {MOST // 1024 // 1024} MB at once")
        return received


class _Stream(httpcore.NetworkStream):
    """A connection on which every wait and every byte counts: those of headers and of a handshake as well."""

    def __init__(self, stream: httpcore.NetworkStream, allowance: _Allowance) -> None:
        self._stream = stream
        self._allowance = allowance

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._allowance.take(self._stream.read(max_bytes, self._allowance.wait(timeout)))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._allowance.wait(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        wait = self._allowance.wait(timeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, wait), self._allowance)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Network(httpcore.SyncBackend):
    def __init__(self, allowance: _Allowance) -> None:
        self._allowance = allowance

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        wait = self._allowance.wait(timeout)
        return _Stream(super().connect_tcp(host, port, wait, local_address, socket_options), self._allowance)


class BoundedTransport(httpx.BaseTransport):
    """A transport for httpx whose answers are read at once, each within ``seconds`` and ``MOST`` bytes.

    Raises ``AnswerRefusedError`` where they are not, and the errors of httpcore where there is no connection.
    """

    def __init__(self, seconds: float, *, keep_alive: bool) -> None:
        self._allowance = _Allowance(seconds)
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=1,
            max_keepalive_connections=1 if keep_alive else 0,
            network_backend=_Network(self._allowance),
        )

    def allow(self, seconds: float | None) -> None:
        """Give all requests from now on so many seconds together; None: each its own."""
        self._allowance.whole = None if seconds is None else time.monotonic() + seconds

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        self._allowance.begin()
        request.headers["Accept-Encoding"] = "identity"
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        sent = httpcore.Request(
            request.method, url, headers=request.headers.raw, content=request.stream, extensions=request.extensions
        )
        try:
            answer = self._pool.handle_request(sent)
            try:
                headers = httpx.Headers(answer.headers)
                if headers.get("Content-Encoding", "identity") != "identity":
                    raise AnswerRefusedError("its answer is compressed, which was not requested")
                assert isinstance(answer.stream, Iterable)
                content = b"".join(answer.stream)
            finally:
                answer.close()
        except (httpcore.ReadTimeout, httpcore.WriteTimeout) as error:
            raise AnswerRefusedError(TOO_SLOW) from error
        # Neither matters any more, and the client library ends in an error of its own over an odd time to wait.
        for name in ("Transfer-Encoding", "Retry-After"):
            headers.pop(name, None)
        return httpx.Response(answer.status, headers=headers, content=content)

    def close(self) -> None:
        """Close the connection."""
        self._pool.close()

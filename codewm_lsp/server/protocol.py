"""Where the server departs from pygls: it keeps the documents itself, and it shuts down with requests in flight.

pygls splits lines at form feeds and other characters that the protocol does not count as line ends, and walks through
a whole line letter by letter for each key stroke. It also keeps what it did with each notification for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeVar

from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams
from pygls.protocol import LanguageServerProtocol
from pygls.protocol.language_server import lsp_method

Wanted = TypeVar("Wanted")


class CodewmProtocol(LanguageServerProtocol):
    """pygls's protocol with documents and shutdown of our own."""

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: types.DidOpenTextDocumentParams) -> Generator[Any, Any, None]:
        """Left to the server's own handler."""
        yield self.fm.features[types.TEXT_DOCUMENT_DID_OPEN], (params,), None

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: types.DidChangeTextDocumentParams) -> Generator[Any, Any, None]:
        """Left to the server's own handler."""
        yield self.fm.features[types.TEXT_DOCUMENT_DID_CHANGE], (params,), None

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: types.DidCloseTextDocumentParams) -> Generator[Any, Any, None]:
        """Left to the server's own handler."""
        yield self.fm.features[types.TEXT_DOCUMENT_DID_CLOSE], (params,), None

    @lsp_method(types.SHUTDOWN)
    def lsp_shutdown(self, *args: Any) -> Generator[Any, Any, None]:
        """Cancel what is in flight (a copy of the list: each one takes itself out) and remember the shutdown."""
        if (handler := self.fm.features.get(types.SHUTDOWN)) is not None:
            yield handler, args, None
        current = self.msg_id
        for number, future in list(self._request_futures.items()):
            if number != current and not future.done():
                future.cancel()
        self._shutdown = True

    def _execute_handler(
        self,
        msg_id: int | str,
        handler: Callable[..., Any],
        callback: Callable[..., Any],
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        """Run a handler, and forget its future when that is done: only those of requests are forgotten by pygls."""
        super()._execute_handler(msg_id, handler, callback, args, kwargs)
        future = self._request_futures.get(msg_id)

        def forget(done: object) -> None:
            if self._request_futures.get(msg_id) is future:
                del self._request_futures[msg_id]

        if future is not None:
            future.add_done_callback(forget)

    def structure_message(self, data: dict[str, Any]) -> Any:
        """JSON as a message. A request that is malformed gets its error: pygls only logs it, and the client waits."""
        try:
            return super().structure_message(data)
        except JsonRpcException as error:
            if isinstance(data.get("method"), str) and isinstance(data.get("id"), (int, str)):
                self._send_response(data["id"], error=error.to_response_error())
            raise

    def structured(self, value: object, wanted: type[Wanted]) -> Wanted:
        """JSON as a ``wanted``. Raises JsonRpcInvalidParams."""
        try:
            return self._converter.structure(value, wanted)
        except Exception as error:
            raise JsonRpcInvalidParams.of(error) from error

    @property
    def was_shut_down(self) -> bool:
        """Whether the client asked for the shutdown."""
        return self._shutdown

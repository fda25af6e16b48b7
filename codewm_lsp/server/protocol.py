"""Where the server departs from pygls: it keeps the documents itself, and it shuts down with requests in flight.

pygls splits lines at form feeds and other characters that the protocol does not count as line ends, and walks through
a whole line letter by letter for each key stroke. It also keeps what it did with each notification for ever.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Generator
from typing import Any, Final, TypeVar

from lsprotocol import types
from pygls.exceptions import (
    JsonRpcException,
    JsonRpcInvalidParams,
    JsonRpcInvalidRequest,
    JsonRpcParseError,
    JsonRpcServerNotInitialized,
)
from pygls.protocol import LanguageServerProtocol
from pygls.protocol.json_rpc import JsonRPCNotification, JsonRPCRequestMessage, JsonRPCResponseMessage
from pygls.protocol.language_server import lsp_method

_log = logging.getLogger(__name__)
_NO_ANSWER: Final = types.ErrorCodes.InvalidRequest.value
_MOST_IGNORED: Final = 100  # methods
_NAMING: Final = {types.WINDOW_WORK_DONE_PROGRESS_CANCEL: "token", types.CANCEL_REQUEST: "id"}
"""What these messages call by a number or a word, which lsprotocol would let be anything."""
Wanted = TypeVar("Wanted")


class CodewmProtocol(LanguageServerProtocol):
    """pygls's protocol with documents and an end of our own, and an answer to every request."""

    _initialized = False
    _begun = False

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._ignored: set[str] = set()  # methods of notifications

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

    @lsp_method(types.EXIT)
    def lsp_exit(self, *args: Any) -> None:  # type: ignore[override]
        """Close the connection: the process ends with it."""
        assert self.writer is not None
        self.writer.close()

    def receive(self, body: bytes) -> None:
        """Take in one message, whatever it is. A request that makes no sense is refused, never left unanswered."""
        try:
            data = json.loads(body)
        except (ValueError, RecursionError) as error:
            _log.error("a message is not JSON: %s: %s", type(error).__name__, error)
            self._refuse(None, JsonRpcParseError("The message is not JSON."))
            return
        if not isinstance(data, dict) or data.get("jsonrpc") != self.VERSION:
            self._refuse(None, JsonRpcInvalidRequest("The message is not a JSON-RPC 2.0 object."))
            return
        number, method = data.get("id"), data.get("method")
        if isinstance(number, bool) or not isinstance(number, (int, str)):
            number = None
        if "method" not in data:
            self._take_answer(number, data)
        elif not isinstance(method, str) or ("id" in data and number is None):
            self._refuse(number, JsonRpcInvalidRequest("A request needs a method and an id."))
        elif refusal := self._refusal(method):
            if number is not None:
                self._refuse(number, refusal)
        else:
            self._take(number, method, data)

    def _take(self, number: int | str | None, method: str, data: dict[str, Any]) -> None:
        params = data.get("params")
        if method == types.WORKSPACE_EXECUTE_COMMAND and isinstance(params, dict) and params.get("arguments") is None:
            data = {**data, "params": {**params, "arguments": []}}  # pygls would call the command without a look
        try:
            message = self.structure_message(data)
        except JsonRpcException as error:
            if number is not None:
                self._refuse(number, error)
            elif method not in self._ignored and len(self._ignored) < _MOST_IGNORED:
                self._ignored.add(method)
                _log.warning("ignored %s: its parameters are invalid; said once", method)
            return
        if method == types.INITIALIZED:
            if self._begun:
                return
            self._begun = True
        elif method == types.INITIALIZE:
            self._initialized = True
        self.handle_message(message)

    def _take_answer(self, number: int | str | None, data: dict[str, Any]) -> None:
        """What the editor answers. Where that makes no sense, it counts as a refusal."""
        if number is None:
            return
        if "error" in data:
            self._result_types.pop(number, None)
        try:
            message = self.structure_message(data)
        except JsonRpcException as error:
            _log.warning("the editor's answer is invalid: %s", error)
            self._handle_response(number, error=types.ResponseError(code=_NO_ANSWER, message="an invalid answer"))
        else:
            self.handle_message(message)

    def _refusal(self, method: str) -> JsonRpcException | None:
        """Why a message of this method is not taken now."""
        if method == types.EXIT:
            return None
        if self._shutdown:
            return JsonRpcInvalidRequest("The server was shut down.")
        if method == types.INITIALIZE:
            return JsonRpcInvalidRequest("The server is initialised already.") if self._initialized else None
        return None if self._initialized else JsonRpcServerNotInitialized("The server is not initialised.")

    def _refuse(self, number: int | str | None, error: JsonRpcException) -> None:
        _log.info("refused: %s", error)
        answer = {"code": error.code, "message": error.message}
        self._send_data({"jsonrpc": self.VERSION, "id": number, "error": answer})  # pygls would leave a null out

    def structure_message(self, data: dict[str, Any]) -> Any:
        """A message as its type has it. Raises JsonRpcInvalidParams, without the trace that pygls logs for each."""
        kind: Any
        if "method" in data:
            plain = JsonRPCRequestMessage if "id" in data else JsonRPCNotification
            kind = self.get_message_type(data["method"]) or plain
            params, named = data.get("params"), _NAMING.get(data["method"])
            if named and isinstance(params, dict) and not isinstance(params.get(named), (int, str)):
                raise JsonRpcInvalidParams(f"The {named} must be a number or a string.")
        elif "error" in data:
            kind = types.ResponseErrorMessage
        else:
            kind = self._result_types.pop(data["id"], None) or JsonRPCResponseMessage
        return self.structured(data, kind)

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

"""A server that answers anything at all: one message, in bounded time and memory, and the repository's own answers."""

from __future__ import annotations

import base64
import http.server
import json
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

import pytest

from codewm_lsp.errors import StoreFailedError
from codewm_lsp.source import VOCABULARY_HASH
from codewm_lsp.stores import open_store
from tests.index.indexing_process import EDIT_SIZE, MODEL_HASH

pytest.importorskip("qdrant_client")

Answer = Callable[["_Handler", str], None]
FLOOD = 200 * 1024 * 1024
PATIENCE = 60.0  # for all that ends by itself
SOON = 2.0  # for what would not


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        """Be quiet."""

    def any(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.close_connection = True
        with suppress(OSError):
            self.server.answer(self, self.path)  # type: ignore[attr-defined]

    do_GET = do_POST = do_PUT = any

    def say(self, body: bytes, *, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content_Type": "application/json", "Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def result(self, result: object) -> None:
        self.say(json.dumps({"result": result, "status": "ok", "time": 0.0}).encode())


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    answer: Answer


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], str]]:
    """``serve(answer)`` → the address of a collection whose requests are answered so."""
    server = _Server(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    def start(answer: Answer) -> str:
        server.answer = answer
        return f"http://127.0.0.1:{server.server_address[1]}/edits"

    yield start
    server.shutdown()
    server.server_close()
    thread.join()


def html(request: _Handler, path: str) -> None:
    request.say(b"<html>Please log in</html>", Content_Type="text/html")


def garbage(request: _Handler, path: str) -> None:
    request.say(bytes(range(256)) * 100)


def no_http(request: _Handler, path: str) -> None:
    request.wfile.write(b"\x00SSH-2.0-nothing of the kind\r\n" * 100)


def redirect(request: _Handler, path: str) -> None:
    request.say(b"", status=302, Location="http://192.0.2.1/elsewhere")


def refused(request: _Handler, path: str) -> None:
    request.say(b'{"status": {"error": "Must provide an API key"}}', status=401)


def busy(request: _Handler, path: str) -> None:
    request.say(b"{}", status=429, Retry_After="soon")


def nested(request: _Handler, path: str) -> None:
    request.say(b"[" * 200_000)


def flood(request: _Handler, path: str) -> None:
    request.send_response(200)
    request.end_headers()
    for _ in range(FLOOD // (1024 * 1024)):
        request.wfile.write(b" " * 1024 * 1024)


def chunks(request: _Handler, path: str) -> None:
    request.send_response(200)
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    for _ in range(FLOOD // (1024 * 1024)):
        request.wfile.write(b"100000\r\n" + b" " * 1024 * 1024 + b"\r\n")


def headers(request: _Handler, path: str) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(FLOOD // 1024):
        request.wfile.write(b"X-%d: %s\r\n" % (number, b"x" * 1000))


def promised(request: _Handler, path: str) -> None:
    request.say(b"{}", Content_Length=str(1 << 60))


def _compressed() -> bytes:
    packing = zlib.compressobj(wbits=31)
    return b"".join(packing.compress(b" " * 1024 * 1024) for _ in range(FLOOD // 1024**2)) + packing.flush()


BOMB = _compressed()


def bomb(request: _Handler, path: str) -> None:
    request.say(BOMB, Content_Encoding="gzip")


def drip(request: _Handler, path: str) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "100000")
    request.end_headers()
    while True:
        request.wfile.write(b" ")
        time.sleep(0.1)


def drip_of_headers(request: _Handler, path: str) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        request.wfile.write(b"x")
        time.sleep(0.1)


def silence(request: _Handler, path: str) -> None:
    time.sleep(20 * SOON)


def shapes(request: _Handler, path: str) -> None:
    request.result([1, None, {"a": []}])


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (html, "does not answer as a Qdrant server"),
        (garbage, "does not answer as a Qdrant server"),
        (no_http, "cannot be reached"),
        (redirect, "refused: 302"),
        (refused, "QDRANT_API_KEY"),
        (busy, "refused"),
        (nested, "does not answer as a Qdrant server"),
        (flood, "more than 16 MB"),
        (chunks, "more than 16 MB"),
        (headers, "(more than 16 MB|cannot be reached)"),
        (promised, "(cannot be reached|takes too long)"),
        (bomb, "compressed"),
        (drip, "takes too long"),
        (drip_of_headers, "takes too long"),
        (silence, "(takes too long|cannot be reached)"),
        (shapes, "does not answer as a Qdrant server"),
    ],
)
def test_whatever_a_server_answers_is_one_message_in_time(
    answer: Answer, says: str, serve: Callable[[Answer], str]
) -> None:
    address = serve(answer)
    patience = SOON if answer in (drip, drip_of_headers, silence, promised) else PATIENCE
    with pytest.raises(StoreFailedError, match=says) as caught:
        open_store(address, model_hash=MODEL_HASH, edit_size=EDIT_SIZE, create=False, patience=patience)
    assert address in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_flood_is_not_taken_into_memory(serve: Callable[[Answer], str]) -> None:
    for answer in (flood, bomb):
        address = serve(answer)
        with suppress(StoreFailedError):
            open_store(address, model_hash=MODEL_HASH, edit_size=EDIT_SIZE, create=False, patience=PATIENCE)
        tracemalloc.start()
        with pytest.raises(StoreFailedError):
            open_store(address, model_hash=MODEL_HASH, edit_size=EDIT_SIZE, create=False, patience=PATIENCE)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < FLOOD / 4


ABOUT = {"type": "about", "model": MODEL_HASH, "tokeniser": VOCABULARY_HASH, "size": EDIT_SIZE, "layout": 1}
ID = "6f0a1c1e-58c5-4d55-9a3e-0c0de0c0de01"


class Liar:
    """A server that has a collection of CodeWM, and lies about what is in it."""

    def __init__(self, **lies: Any) -> None:
        self.lies = lies

    def __call__(self, request: _Handler, path: str) -> None:
        if path.endswith("/exists"):
            request.result({"exists": True})
        elif path.endswith("/count"):
            request.result({"count": self.lies.get("count", 500)})
        elif path.endswith("/scroll"):
            request.result(self.lies.get("scroll", {"points": [], "next_page_offset": None}))
        elif path.endswith("/batch"):
            request.result(self.lies.get("batch", [{"points": []}] * 3))
        else:
            request.result(self.lies.get("retrieve", [{"id": ID, "payload": ABOUT}]))


def points(vector: object, **payload: object) -> list[dict[str, object]]:
    return [{"id": ID, "version": 1, "score": 1.0, "payload": payload, "vector": {"meaning": vector}}]


EDIT = {
    "commit": "0" * 40,
    "author": "A",
    "date": 1,
    "subject": "S",
    "parent": None,
    "path": "a.py",
    "definition": "f",
    "definition_kind": "function",
    "kind": "modified",
    "line": 1,
    "repository": "r",
    "name": "n",
    "terms": [],
    "counts": [],
}


@pytest.mark.parametrize(
    "lies",
    [
        {"retrieve": [{"id": ID, "payload": None}]},
        {"scroll": {"points": points([1.0] * 3), "next_page_offset": None}},
        {"scroll": {"points": points([1.0] * 3) * 300, "next_page_offset": ID}},
        {"scroll": {"points": points("text"), "next_page_offset": None}},
        {"scroll": {"points": points([1.0] * EDIT_SIZE, edits="many", words="", places=""), "next_page_offset": None}},
        {"scroll": {"points": points([1.0] * EDIT_SIZE, edits=1, words="%%%", places=""), "next_page_offset": None}},
        {"count": "many"},
    ],
    ids=["no payload", "short vectors", "endless list", "no vector", "no number", "no counts", "no count"],
)
def test_an_answer_of_another_shape_is_one_message(
    lies: dict[str, Any], serve: Callable[[Answer], str], question: tuple[Any, Any]
) -> None:
    edit, vector = question
    address = serve(Liar(**lies))

    def ask() -> None:
        with closing(
            open_store(address, model_hash=MODEL_HASH, edit_size=EDIT_SIZE, create=False, patience=PATIENCE)
        ) as store:
            store.search(edit, vector, k=3, accept=lambda past: True)

    with pytest.raises(StoreFailedError, match=r"(does not answer as|takes too long)"):
        ask()


@pytest.mark.parametrize(
    "batch",
    [
        [{"points": points([1.0] * 3, **EDIT)}] * 3,
        [{"points": points([1.0] * EDIT_SIZE, **{**EDIT, "date": "yesterday"})}] * 3,
        [{"points": points([1.0] * EDIT_SIZE, **{**EDIT, "subject": {"a": 1}})}] * 3,
        [{"points": points([1.0] * EDIT_SIZE, **{**EDIT, "terms": [1, 2]})}] * 3,
        [{"points": points([1.0] * EDIT_SIZE)}] * 3,
    ],
    ids=["short vector", "date", "subject", "terms", "nothing"],
)
def test_an_edit_that_makes_no_sense_is_passed_over(
    batch: list[Any], serve: Callable[[Answer], str], question: tuple[Any, Any]
) -> None:
    edit, vector = question
    store = open_store(
        serve(Liar(count=10, batch=batch)), model_hash=MODEL_HASH, edit_size=EDIT_SIZE, create=False, patience=PATIENCE
    )
    assert store.search(edit, vector, k=3, accept=lambda past: True) == []
    store.close()


def test_words_that_unpack_to_far_more_are_refused(serve: Callable[[Answer], str], question: tuple[Any, Any]) -> None:
    packed = base64.b64encode(zlib.compress(b"\0" * FLOOD)).decode()
    scroll = {"points": points(None, edits=1, words=packed, places=""), "next_page_offset": None}
    edit, vector = question
    store = open_store(
        serve(Liar(count=10, scroll=scroll)),
        model_hash=MODEL_HASH,
        edit_size=EDIT_SIZE,
        create=False,
        patience=PATIENCE,
    )
    with pytest.raises(StoreFailedError, match="does not answer as"):
        store.search(edit, vector, k=3, accept=lambda past: True)
    store.close()


@pytest.fixture
def question(make_repository: Callable[..., Any]) -> tuple[Any, Any]:
    """An edit with its vector."""
    from codewm_lsp.history import Repository
    from tests.index.indexing_process import WordEncoder

    made = make_repository("asking")
    made.commit("Begin", {"a.py": "def f(x):\n    return x\n"})
    with Repository.open(made.path) as repository:
        edit = repository.edits_of(repository.head()).edits[0]
    return edit, WordEncoder().embed_edits([(edit.before, edit.after)])[0]

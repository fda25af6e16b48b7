"""A small language client: it starts ``codewm-lsp`` and talks to it over stdio as an editor does."""

from __future__ import annotations

import itertools
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any


class LanguageClient:
    """One server process. Requests are answered one at a time; notifications are kept with their time."""

    def __init__(self, root: Path, environment: Mapping[str, str], options: Mapping[str, Any]) -> None:
        self.root = root
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "codewm_lsp.server", "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environment),
            cwd=root.parent,  # in a clone of CodeWM itself, Python would take that for the server
        )
        self._ids = itertools.count(1)
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self.refreshes: queue.Queue[float] = queue.Queue()
        self._write_lock = threading.Lock()
        threading.Thread(target=self._read, daemon=True).start()
        capabilities = {
            "workspace": {"codeLens": {"refreshSupport": True}, "workspaceFolders": True},
            "textDocument": {"codeLens": {}},
            "window": {"workDoneProgress": False},
        }
        self.request(
            "initialize",
            {
                "processId": None,
                "rootUri": root.as_uri(),
                "workspaceFolders": [{"uri": root.as_uri(), "name": root.name}],
                "capabilities": capabilities,
                "initializationOptions": dict(options),
            },
        )
        self.notify("initialized", {})

    def request(self, method: str, params: Any, seconds: float = 120.0) -> Any:
        """Ask, and wait for the answer. Raises TimeoutError or RuntimeError."""
        number = next(self._ids)
        self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        limit = time.monotonic() + seconds
        while True:
            try:
                answer = self._answers.get(timeout=max(0.0, limit - time.monotonic()))
            except queue.Empty:
                raise TimeoutError(f"{method} was not answered in {seconds} s") from None
            if answer["id"] == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer.get("result")

    def notify(self, method: str, params: Any) -> None:
        """Tell the server something."""
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def open(self, file: Path) -> str:
        """Open a document; its URI."""
        uri = file.as_uri()
        text = file.read_text(encoding="utf-8")
        document = {"uri": uri, "languageId": "python", "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})
        return uri

    def change(self, uri: str, version: int, start: int, end: int, text: str) -> None:
        """Put ``text`` in the place of the lines from ``start`` up to ``end``."""
        self.edit(uri, version, (start, 0), (end, 0), text)

    def edit(self, uri: str, version: int, start: tuple[int, int], end: tuple[int, int], text: str) -> None:
        """Put ``text`` in the place of what is between two positions (line, character)."""
        place = {side: {"line": at[0], "character": at[1]} for side, at in (("start", start), ("end", end))}
        self.notify(
            "textDocument/didChange",
            {"textDocument": {"uri": uri, "version": version}, "contentChanges": [{"range": place, "text": text}]},
        )

    def lenses(self, uri: str) -> list[dict[str, Any]]:
        """The lenses of a document."""
        return self.request("textDocument/codeLens", {"textDocument": {"uri": uri}}) or []

    def save(self, uri: str, file: Path, text: str) -> None:
        """Write a document to its file."""
        file.write_text(text, encoding="utf-8")
        self.notify("textDocument/didSave", {"textDocument": {"uri": uri}})

    def wait_for_lenses(self, uri: str, seconds: float) -> tuple[list[dict[str, Any]], float]:
        """Ask whenever the server says so, until there are lenses; with the moment at which they came."""
        limit = time.monotonic() + seconds
        while True:
            found = self.lenses(uri)
            if found or time.monotonic() > limit:
                return found, time.perf_counter()
            try:
                self.refreshes.get(timeout=0.25)
            except queue.Empty:
                continue

    def close(self) -> None:
        """Shut the server down in order."""
        try:
            self.request("shutdown", None, 20)
            self.notify("exit", None)
            self.process.wait(20)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()

    def __enter__(self) -> LanguageClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, message: Mapping[str, Any]) -> None:
        body = json.dumps(message).encode()
        assert self.process.stdin is not None
        with self._write_lock:
            self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
            self.process.stdin.flush()

    def _read(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        while True:
            length = 0
            while line := stream.readline().strip():
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            if not length:
                return
            message = json.loads(stream.read(length))
            if "method" not in message:
                self._answers.put(message)
                continue
            if message["method"] == "workspace/codeLens/refresh":
                self.refreshes.put(time.perf_counter())
            if "id" in message:
                result: Any = (
                    [{}] * len(message["params"]["items"]) if message["method"].endswith("configuration") else None
                )
                self._send({"jsonrpc": "2.0", "id": message["id"], "result": result})

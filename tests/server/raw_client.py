"""An editor that writes bytes: what no library would let a client send."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from tests.server.conftest import LAST, PATIENCE, SERVER, service

CAPABILITIES = {"workspace": {"codeLens": {"refreshSupport": True}, "workspaceFolders": True}}


class RawClient:
    """A server process, and what it says."""

    def __init__(self, environment: dict[str, str], server: tuple[str, ...] = SERVER) -> None:
        self.process = subprocess.Popen(
            server, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
        )
        self.news = threading.Condition()
        self.answers: dict[Any, dict[str, Any]] = {}
        self.told: list[dict[str, Any]] = []  # notifications
        self.asked: list[dict[str, Any]] = []  # requests of the server
        self.reply: Callable[[dict[str, Any]], Any] = lambda request: None
        self.gone = False
        self.number = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self.reads = threading.Event()
        self.reads.set()
        self._reader.start()

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)
        self.reads.set()
        self._reader.join(PATIENCE)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            with contextlib.suppress(OSError):  # what was never read
                stream.close()

    # ---- bytes and messages

    def raw(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, message: Any) -> None:
        data = json.dumps(message).encode()
        self.raw(b"Content-Length: %d\r\n\r\n%s" % (len(data), data))

    def notify(self, method: str, params: Any = None) -> None:
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def ask(self, method: str, params: Any = None) -> dict[str, Any]:
        """The whole answer."""
        self.number += 1
        self.send({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params})
        self.until(lambda: self.number in self.answers)
        return self.answers.pop(self.number)

    def run(self, command: str, *arguments: Any) -> Any:
        return self.ask("workspace/executeCommand", {"command": command, "arguments": list(arguments)})["result"]

    def until(self, condition: Callable[[], object]) -> None:
        """Wait until something has come true."""
        with self.news:
            done = self.news.wait_for(lambda: condition() or self.gone, PATIENCE)
        assert done, f"it did not come true; said: {self.told[-3:]}"
        assert condition(), f"the server ended with {self.process.wait(PATIENCE)}"

    # ---- a session

    def initialize(self, folder: Path, **params: Any) -> dict[str, Any]:
        folders = [{"uri": folder.as_uri(), "name": folder.name}]
        always = {"processId": None, "capabilities": CAPABILITIES, "workspaceFolders": folders}
        answer = self.ask("initialize", {**always, **params})
        self.notify("initialized", {})
        return answer

    def open(self, uri: str, text: str | None = None) -> None:
        text = service("sessions", timeout=True) if text is None else text
        item = {"uri": uri, "languageId": "python", "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def lenses(self, uri: str) -> list[str]:
        """The definitions that lenses are on."""
        answer = self.ask("textDocument/codeLens", {"textDocument": {"uri": uri}})
        return [lens["command"]["arguments"][0]["definition"] for lens in answer["result"]]

    def lenses_when(self, uri: str, wanted: Callable[[list[str]], bool] = bool) -> list[str]:
        """Ask until the answer is ``wanted``."""
        for _ in range(int(PATIENCE * 20)):
            if wanted(lenses := self.lenses(uri)):
                return lenses
            threading.Event().wait(0.05)
        raise AssertionError(f"lenses stayed {lenses}; said: {self.told[-3:]}")

    def begin(self, folder: Path) -> str:
        """Up to the first lens."""
        self.initialize(folder)
        uri = (folder / LAST).as_uri()
        self.open(uri)
        self.lenses_when(uri)
        return uri

    def messages(self) -> list[str]:
        """What the user was shown."""
        return [note["params"]["message"] for note in self.told if note["method"] == "window/showMessage"]

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def _read(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        try:
            while self.reads.wait():
                length = 0
                while (line := stream.readline()) != b"\r\n":
                    if not line:
                        return
                    name, _, value = line.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                self._take(json.loads(stream.read(length)))
        finally:
            with self.news:
                self.gone = True
                self.news.notify_all()

    def _take(self, message: dict[str, Any]) -> None:
        with self.news:
            if "method" not in message:
                self.answers[message["id"]] = message
            elif "id" in message:
                self.asked.append(message)
            else:
                self.told.append(message)
            self.news.notify_all()
        if "method" in message and "id" in message:
            threading.Thread(target=self._reply, args=(message,), daemon=True).start()

    def _reply(self, message: dict[str, Any]) -> None:
        result = self.reply(message)
        try:
            self.send({"jsonrpc": "2.0", "id": message["id"], "result": result})
        except (OSError, ValueError):
            return  # the server, or the test, has ended

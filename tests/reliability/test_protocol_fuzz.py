"""Thousands of messages that no sane editor sends: afterwards the server answers as ever, and has kept nothing."""

from __future__ import annotations

import contextlib
import json
import queue
import random
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from tests.server.conftest import LAST, LAST_DEFINITION, PATIENCE, SERVER, service, write_history

MESSAGES = 400
THOROUGH = 20_000
BURST = 50  # messages sent before the answers to earlier ones are waited for
SNAKE = "\U0001f40d"

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1 << 31, 1 << 63, 1e308, 0.5, "", "x", SNAKE, "\ud83d", "\0", "file:///", "🙂" * 100),
    *([], {}, [None], {"uri": None}, {"uri": 7}, [[[[]]]], {"a": {"b": {"c": {}}}}, "a" * 10_000),
)


class Fuzzer:
    """One editor gone mad."""

    def __init__(self, folder: Path, environment: dict[str, str], seed: int, server: tuple[str, ...] = SERVER) -> None:
        self.chance = random.Random(seed)
        self.folder = folder
        self.process = subprocess.Popen(
            server, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
        self.answers: Counter[int] = Counter()
        self.results: dict[int, dict[str, Any]] = {}
        self.asked: set[int] = set()
        self.doubled: set[int] = set()
        self.number = 0
        self.ended = threading.Event()
        self._outgoing: queue.Queue[bytes | None] = queue.Queue()
        self._news = threading.Condition()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._read, self._write)]
        for thread in self._threads:
            thread.start()
        self.uris = [
            *((folder / name).as_uri() for name in ("a.py", "b.py", LAST, "users.py", "no such folder/x.py")),
            *("untitled:1", "", "file://", "http://evil.example/a.py", "file:///%00.py", (folder / SNAKE).as_uri()),
        ]
        self.versions: Counter[str] = Counter()

    def close(self) -> None:
        """End everything."""
        self.process.kill()
        self._outgoing.put(None)
        for thread in self._threads:
            thread.join()
        self.process.communicate()

    def _write(self) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            while (data := self._outgoing.get()) is not None:
                self.process.stdin.write(data)
                self.process.stdin.flush()

    def _read(self) -> None:
        assert self.process.stdout is not None
        stream = self.process.stdout
        try:
            while True:
                length = 0
                while (line := stream.readline()) not in (b"\r\n", b""):
                    name, _, value = line.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                if not length:
                    return
                self._take(json.loads(stream.read(length)))
        finally:
            self.ended.set()

    def _take(self, message: dict[str, Any]) -> None:
        if "method" in message and "id" in message:
            if (answer := self.reply()) is not None:
                self.send({"id": message["id"], **answer})
        elif isinstance(message.get("id"), int):
            with self._news:
                self.answers[message["id"]] += 1
                self.results[message["id"]] = message
                self._news.notify_all()

    def reply(self) -> dict[str, Any] | None:
        """What the server asks is answered, refused or ignored."""
        return self.chance.choice(
            ({"result": None}, {"error": {"code": -32601, "message": "no"}}, {"result": SNAKE}, None)
        )

    def send(self, message: Any) -> None:
        body = message if isinstance(message, bytes) else json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._outgoing.put(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def request(self, method: str, params: Any) -> int:
        self.number += 1
        self.asked.add(self.number)
        self.send({"id": self.number, "method": method, "params": params})
        return self.number

    def ask(self, method: str, params: Any) -> Any:
        """A request whose answer is waited for."""
        number = self.request(method, params)
        self.wait({number})
        message = self.results[number]
        assert "error" not in message, message
        return message["result"]

    def wait(self, numbers: set[int]) -> None:
        """Until all of these are answered."""
        numbers = numbers - self.doubled
        with self._news:
            done = self._news.wait_for(lambda: numbers <= self.answers.keys() or self.ended.is_set(), PATIENCE * 3)
        assert not self.ended.is_set(), f"the server ended with {self.process.wait(10)}"
        assert done, f"no answer to {sorted(numbers - self.answers.keys())[:10]}"

    # ---- what it says

    def text(self) -> str:
        base = service(self.chance.choice(("users", "sessions")), timeout=self.chance.random() < 0.5)
        kind = self.chance.randrange(8)
        if kind == 0:
            return "x = '" + SNAKE * self.chance.choice((1, 1000, 300_000)) + "'\n"
        if kind == 1:
            return "".join(self.chance.choice("ab\n\r \t:()\u2028\x0c\0" + SNAKE) for _ in range(200))
        return base.replace("url", SNAKE) if kind == 2 else base

    def position(self) -> Any:
        if self.chance.random() < 0.05:
            return self.chance.choice(VALUES)
        pick = self.chance.choice
        return {"line": pick((0, 1, 6, 7, 12, 400, -1, 1 << 31)), "character": pick((0, 1, 4, 17, 5000, -3, 1 << 31))}

    def document(self) -> dict[str, Any]:
        uri = self.chance.choice(self.uris)
        self.versions[uri] += self.chance.choice((1, 1, 1, 1, 0, -1, 5))
        return {"uri": uri, "version": self.versions[uri], "languageId": "python"}

    def step(self) -> int | None:
        """Send one message; the number of the request when an answer is due."""
        chance, document = self.chance, self.document()
        kind = chance.randrange(20)
        if kind <= 1:
            self.send({"method": "textDocument/didOpen", "params": {"textDocument": {**document, "text": self.text()}}})
        elif kind == 2:
            self.send({"method": "textDocument/didClose", "params": {"textDocument": {"uri": document["uri"]}}})
        elif kind <= 7:
            changes: list[Any] = []
            for _ in range(chance.choice((0, 1, 1, 1, 3))):
                change: dict[str, Any] = {"text": chance.choice(("", "a", "\n", SNAKE, "def f(:\n", self.text()))}
                if chance.random() < 0.8:
                    change["range"] = {"start": self.position(), "end": self.position()}
                changes.append(change)
            self.send(
                {"method": "textDocument/didChange", "params": {"textDocument": document, "contentChanges": changes}}
            )
        elif kind == 8:
            self.send({"method": "textDocument/didSave", "params": {"textDocument": {"uri": document["uri"]}}})
        elif kind <= 11:
            return self.request("textDocument/codeLens", {"textDocument": {"uri": document["uri"]}})
        elif kind == 12:
            return self.request("textDocument/hover", {"textDocument": document, "position": self.position()})
        elif kind == 13:
            names = "showSimilarEdits showNextEdits toggle snooze dismiss dismissEdit commitEdits fileAt status none"
            target = {"uri": document["uri"], "definition": chance.choice((LAST_DEFINITION, "f", SNAKE)), "show": False}
            file = {"root": self.folder.as_uri(), "commit": chance.choice(("HEAD", "0" * 40, "-x")), "path": LAST}
            arguments = chance.choice(([], [target], [file], [chance.choice(VALUES)], [target, target], None))
            name = f"codewm.{chance.choice(names.split(' '))}"
            return self.request("workspace/executeCommand", {"command": name, "arguments": arguments})
        elif kind == 14:
            self.send(
                {"method": "$/cancelRequest", "params": {"id": chance.choice((self.number, 1, -7, "x", 1 << 40))}}
            )
        elif kind == 15:
            keys = (
                "threshold",
                "display",
                "lensesPerFile",
                "exclude",
                "kinds",
                "eagerness",
                "nonsense",
                "historyDepth",
            )
            settings = {chance.choice(keys): chance.choice(VALUES) for _ in range(2)}
            self.send({"method": "workspace/didChangeConfiguration", "params": {"settings": {"codewm": settings}}})
        elif kind == 16:
            name = chance.choice(("nothing", "$/nothing", "initialized", "textDocument/definition", "", SNAKE))
            if name == "initialized" or chance.random() < 0.5:
                self.send({"method": name, "params": chance.choice(VALUES)})
            else:
                return self.request(name, {})
        elif kind == 17:  # parameters of any shape for methods that have one
            method = chance.choice(("didOpen", "didChange", "didClose", "didSave", "codeLens", "hover"))
            self.send({"method": f"textDocument/{method}", "params": chance.choice(VALUES)})
        elif kind == 18:
            garbage = (
                b"",
                b"{",
                b"null",
                b"[]",
                b"\xff\xfe",
                b'"a"',
                b"[" * 500,
                b'{"jsonrpc":"1.0","method":"x"}',
                b"{}",
            )
            self.send(chance.choice(garbage))
        else:  # two requests of one number: which of them is answered is left open
            self.doubled.add(self.number)
            self.send({"id": self.number, "method": "textDocument/codeLens", "params": {"textDocument": document}})
        return None


def used(process: psutil.Process) -> tuple[int, int, int]:
    """Threads, open files and child processes."""
    return process.num_threads(), process.num_fds() if hasattr(process, "num_fds") else 0, len(process.children())


def test_the_server_survives_and_keeps_nothing(
    make_repository: Callable[..., Any], server_environment: dict[str, str], thorough: bool
) -> None:
    repository = make_repository()
    write_history(repository)
    fuzzer = Fuzzer(repository.path, server_environment, seed=5)
    process = psutil.Process(fuzzer.process.pid)
    try:
        capabilities = {"workspace": {"codeLens": {"refreshSupport": True}}, "window": {"workDoneProgress": True}}
        fuzzer.ask("initialize", {"processId": None, "rootUri": repository.path.as_uri(), "capabilities": capabilities})
        fuzzer.send({"method": "initialized", "params": {}})
        due: set[int] = set()
        count = THOROUGH if thorough else MESSAGES
        middle = 0
        for number in range(count):
            answered = fuzzer.step()
            if answered is not None:
                due.add(answered)
            if number % BURST == BURST - 1:
                fuzzer.wait(due)
                due.clear()
            if thorough and number % 1000 == 999:
                print(f"{number + 1:,} messages, {process.memory_info().rss >> 20} MB", flush=True)
            if number == count // 2:
                middle = process.memory_info().rss
        fuzzer.wait(due)

        # sane again
        for uri in fuzzer.uris:
            fuzzer.send({"method": "textDocument/didClose", "params": {"textDocument": {"uri": uri}}})
        fuzzer.send(
            {"method": "workspace/didChangeConfiguration", "params": {"settings": {"codewm": {"display": "codeLens"}}}}
        )
        assert fuzzer.ask("workspace/executeCommand", {"command": "codewm.toggle", "arguments": [True]}) == {
            "enabled": True
        }
        settled = used(process)
        settled_memory = process.memory_info().rss

        # every question was answered once
        assert [number for number in fuzzer.asked - fuzzer.doubled if fuzzer.answers[number] < 1] == []

        # and the answer to a good one is right
        uri = (repository.path / LAST).as_uri()
        item = {"uri": uri, "languageId": "python", "version": 1, "text": service("sessions", timeout=True)}
        fuzzer.send({"method": "textDocument/didOpen", "params": {"textDocument": item}})
        end = time.monotonic() + PATIENCE * 3
        found: list[Any] = []
        while not found:  # while the history is being indexed, other places may have one before it
            assert time.monotonic() < end, "no lens"
            time.sleep(0.05)
            lenses = fuzzer.ask("textDocument/codeLens", {"textDocument": {"uri": uri}})
            found = [one for one in lenses if one["command"]["arguments"][0]["definition"] == LAST_DEFINITION]
        (own,) = found
        assert own["range"]["start"]["line"] == 6
        assert "Add timeout to fetch_" in own["command"]["title"]

        end = time.monotonic() + PATIENCE
        while used(process)[0] > settled[0] + 2 and time.monotonic() < end:  # a thread at its work ends soon
            time.sleep(0.1)
        threads, files, children = used(process)
        assert threads <= settled[0] + 2
        assert files <= settled[1] + 12
        assert children <= 4  # Git, twice or thrice, and no more
        assert settled[2] <= 4
        if thorough:
            growth = f"{count:,} messages, {fuzzer.number:,} requests: {middle >> 20} → {settled_memory >> 20} MB"
            print(growth)
            assert settled_memory - middle < 80 << 20, growth
        fuzzer.ask("shutdown", None)
        fuzzer.send({"method": "exit"})
        assert fuzzer.process.wait(PATIENCE) == 0
    finally:
        fuzzer.close()

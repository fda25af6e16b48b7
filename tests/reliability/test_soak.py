"""A day of editing on a fast clock: memory stays flat, nothing stays open, the answers are right in the evening."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from tests.reliability.test_protocol_fuzz import Fuzzer, used
from tests.server.conftest import LAST, LAST_DEFINITION, PATIENCE, SERVICES, service, write_history

SPEED = 360.0
HOURS, DAY = 0.75, 24.0  # by the fast clock: with every change, and with --thorough
SERVER = (sys.executable, str(Path(__file__).with_name("fast_clock_server.py")), str(SPEED), "--stdio")
GROWTH = 10 << 20  # bytes by which the afternoon may need more than the morning


class Person(Fuzzer):
    """Somebody who edits the services all day, in an editor that answers everything."""

    def __init__(self, repository: Any, environment: dict[str, str]) -> None:
        super().__init__(repository.path, environment, seed=24, server=SERVER)
        self.repository = repository
        self.begun = time.monotonic()
        self.texts: dict[str, str] = {}
        self.commits = self.strokes = self.looks = 0
        self.lenses = 0

    def reply(self) -> dict[str, Any]:
        """As a good editor."""
        return {"result": None}

    @property
    def hour(self) -> float:
        """By the fast clock."""
        return (time.monotonic() - self.begun) * SPEED / 3600

    def uri(self, name: str) -> str:
        return (self.folder / name).as_uri()

    def open_file(self, name: str, text: str | None = None) -> None:
        self.texts[name] = (self.folder / name).read_text(encoding="utf-8") if text is None else text
        item = {"uri": self.uri(name), "languageId": "python", "version": 1, "text": self.texts[name]}
        self.versions[name] = 1
        self.send({"method": "textDocument/didOpen", "params": {"textDocument": item}})

    def close_file(self, name: str) -> None:
        del self.texts[name]
        self.send({"method": "textDocument/didClose", "params": {"textDocument": {"uri": self.uri(name)}}})

    def type(self, name: str) -> None:
        """A comment into the body of the first method, letter by letter, and away again."""
        line = self.texts[name].split("\n").index(next(x for x in self.texts[name].split("\n") if "response =" in x))
        words = f"        # {self.chance.choice(SERVICES)} {self.chance.randrange(10**6)}\n"
        for column, letter in enumerate(words):
            place = {"line": line, "character": column}
            self._change(name, {"range": {"start": place, "end": place}, "text": letter})
            self.strokes += 1
        end = {"line": line + 1, "character": 0}
        self._change(name, {"range": {"start": {"line": line, "character": 0}, "end": end}, "text": ""})

    def rewrite(self, name: str, *, timeout: bool, save: bool) -> None:
        self.texts[name] = service(name.removesuffix(".py"), timeout=timeout)
        self._change(name, {"text": self.texts[name]})
        if save:
            (self.folder / name).write_text(self.texts[name], encoding="utf-8", newline="\n")
            self.send({"method": "textDocument/didSave", "params": {"textDocument": {"uri": self.uri(name)}}})

    def _change(self, name: str, change: dict[str, Any]) -> None:
        self.versions[name] += 1
        where = {"uri": self.uri(name), "version": self.versions[name]}
        params = {"textDocument": where, "contentChanges": [change]}
        self.send({"method": "textDocument/didChange", "params": params})

    def look(self, name: str) -> list[Any]:
        """Ask for the lenses of a file after a moment."""
        time.sleep(2 / SPEED)
        self.looks += 1
        found: list[Any] = self.ask("textDocument/codeLens", {"textDocument": {"uri": self.uri(name)}})
        self.lenses += len(found)
        return found

    def command(self, name: str, *arguments: Any) -> Any:
        return self.ask("workspace/executeCommand", {"command": f"codewm.{name}", "arguments": list(arguments)})

    def do_something(self) -> None:
        """Minutes of a day."""
        chance = self.chance.randrange(100)
        name = self.chance.choice(sorted(self.texts)) if self.texts else LAST
        if not self.texts or (chance < 8 and len(self.texts) < 5):
            self.open_file(next(f"{one}.py" for one in SERVICES if f"{one}.py" not in self.texts))
        elif chance < 14 and len(self.texts) > 1:
            self.close_file(name)
        elif chance < 60:
            self.type(name)
            self.look(name)
        elif chance < 78:
            self.rewrite(name, timeout=self.chance.random() < 0.5, save=self.chance.random() < 0.5)
            self.look(name)
        elif chance < 84:
            self.repository.commit(f"Work number {self.commits}")
            self.commits += 1
            files = [{"uri": (self.folder / ".git" / "logs" / "HEAD").as_uri(), "type": 2}]
            self.send({"method": "workspace/didChangeWatchedFiles", "params": {"changes": files}})
        elif chance < 92:
            target = {"uri": self.uri(name), "definition": "", "line": 6, "show": False}
            self.command(self.chance.choice(("showSimilarEdits", "showNextEdits")), target)
        elif chance < 95:
            self.command("snooze", self.chance.choice((1, 5, 10)))
        elif chance < 97:
            self.command("snooze", 0)
        elif chance < 98:
            self.command("toggle")
            self.command("toggle", True)
        else:
            self.send(
                {
                    "method": "workspace/didChangeConfiguration",
                    "params": {"settings": {"codewm": {"threshold": self.chance.choice((0.2, 0.4, 0.6))}}},
                }
            )


def test_a_day_of_editing_leaves_nothing_behind(
    make_repository: Callable[..., Any], server_environment: dict[str, str], thorough: bool
) -> None:
    repository = make_repository()
    write_history(repository)
    person = Person(repository, server_environment)
    process = psutil.Process(person.process.pid)
    memory: list[tuple[float, int]] = []
    try:
        capabilities = {"workspace": {"codeLens": {"refreshSupport": True}}, "window": {"workDoneProgress": True}}
        person.ask("initialize", {"processId": None, "rootUri": repository.path.as_uri(), "capabilities": capabilities})
        person.send({"method": "initialized", "params": {}})
        length, told = (DAY if thorough else HOURS), 0
        opened = 0
        while (hour := person.hour) < length:
            person.do_something()
            memory.append((hour, process.memory_info().rss))
            opened = max(opened, used(process)[1])
            if thorough and int(hour) > told:
                told = int(hour)
                print(
                    f"hour {told}: {memory[-1][1] / 2**20:.1f} MB, {person.strokes:,} strokes, {person.looks:,} looks, "
                    f"{person.lenses:,} lenses, {person.commits} commits",
                    flush=True,
                )

        # in the evening everything is as it was
        person.command("toggle", True)
        person.command("snooze", 0)
        for name in sorted(person.texts):
            person.close_file(name)
        repository.commit("Go home", {LAST: service("sessions")})
        person.open_file(LAST, service("sessions", timeout=True))
        settings = {"settings": {"codewm": {"threshold": 0.4}}}
        person.send({"method": "workspace/didChangeConfiguration", "params": settings})
        end = time.monotonic() + PATIENCE * 2
        own: list[Any] = []
        while not own:
            assert time.monotonic() < end, "no lens"
            own = [one for one in person.look(LAST) if one["command"]["arguments"][0]["definition"] == LAST_DEFINITION]
        assert own[0]["range"]["start"]["line"] == 6

        threads, files, children = used(process)
        assert threads <= 12
        assert files <= 40
        assert children <= 4
        if thorough:
            assert person.commits
            quarter = length / 4
            morning, evening = (
                statistics.median(rss for hour, rss in memory if low <= hour < low + quarter)
                for low in (quarter, 3 * quarter)
            )
            growth = f"{morning / 2**20:.1f} → {evening / 2**20:.1f} MB, at most {opened} files open"
            print(f"{person.strokes:,} strokes, {person.looks:,} looks, {person.commits} commits: {growth}")
            assert evening - morning < GROWTH, growth
        person.ask("shutdown", None)
        person.send({"method": "exit"})
        assert person.process.wait(PATIENCE) == 0
    finally:
        person.close()

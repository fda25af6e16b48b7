"""``python -m benchmarks.session REPOSITORY...``: a recorded hour at the keyboard in a minute, on the real server.

Each repository is cloned. The server is started over stdio without an index and asked for its first lenses; its index
is made; it is started again; and the session is replayed: statements typed key by key with the pauses of a person,
undone, other files opened and left, saved, committed. The editor asks for lenses after every key, as editors do.

``--against DIR`` measures the server of another checkout besides, such as that of the last release, each repository
with both in turn.
"""

from __future__ import annotations

import argparse
import os
import queue
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final

import psutil

from benchmarks.editor import IDLE_SECONDS, bodies, change, typical, wait_until_idle
from benchmarks.language_client import LanguageClient
from benchmarks.rows import Row, number, percentile
from codewm_lsp.history import Repository
from codewm_lsp.source import Definition

GAPS: Final = (0.11, 0.09, 0.16, 0.08, 0.13, 0.10, 0.21, 0.09, 0.12, 0.15, 0.07, 0.28, 0.10, 0.12)  # between two keys
TYPED: Final = ("log.debug('timeout %s', timeout)", "if timeout is None:", "self.retries = retries + 1")
UNDONE: Final = 6  # characters taken back by one press
PAUSE: Final = 1.0  # when a definition is done
ROUNDS: Final = 4  # definitions typed into, in each of two files


@dataclass(slots=True)
class Page:
    """An open document as the editor holds it."""

    client: LanguageClient
    file: Path
    uri: str
    lines: list[str]
    version: int = 1
    answers: list[float] = field(default_factory=list)

    @classmethod
    def open(cls, client: LanguageClient, file: Path) -> Page:
        """Open a file."""
        return cls(client, file, client.open(file), file.read_text(encoding="utf-8").split("\n"))

    def press(self, line: int, column: int, end: int, text: str) -> None:
        """Replace a part of a line, and ask for the lenses."""
        row = self.lines[line]
        self.lines[line] = row[:column] + text + row[end:]
        self._tell((line, column), (line, end), text)

    def break_before(self, line: int) -> None:
        """An empty line more."""
        self.lines.insert(line, "")
        self._tell((line, 0), (line, 0), "\n")

    def join(self, line: int) -> None:
        """An empty line less."""
        del self.lines[line]
        self._tell((line, 0), (line + 1, 0), "")

    def save(self) -> None:
        """Write it."""
        self.client.save(self.uri, self.file, "\n".join(self.lines))
        self.ask()

    def ask(self) -> int:
        """Ask for the lenses; how many there are."""
        started = time.perf_counter()
        found = self.client.lenses(self.uri)
        self.answers.append(time.perf_counter() - started)
        return len(found)

    def _tell(self, start: tuple[int, int], end: tuple[int, int], text: str) -> None:
        self.version += 1
        self.client.edit(self.uri, self.version, start, end, text)
        self.ask()


class Peak:
    """The most memory that a process had while it was looked at."""

    def __init__(self, pid: int) -> None:
        self.bytes = 0
        self._process = psutil.Process(pid)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while not self._end.wait(0.05):
            try:
                self.bytes = max(self.bytes, self._process.memory_info().rss)
            except psutil.Error:
                return

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()


def rows(path: Path, depth: int, index_seconds: float, source: Path | None = None) -> list[Row]:
    """Replay the session on a clone of one repository, of which the newest ``depth`` commits are indexed, with the
    server of the checkout ``source`` (None: this one)."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", "--shared", str(path), str(clone)], check=True, capture_output=True)
        commits, versions = _versions(clone, depth)
        files = [typical(clone)]
        files.append(typical(clone, other_than=files[0]))
        change(files[0])
        cache = {name: str(Path(folder) / "cache") for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "CODEWM_CACHE")}
        environment = {**os.environ, **cache, "HOME": folder}
        if source is not None:
            environment["PYTHONPATH"] = os.pathsep.join(
                [str(source), *environment.get("PYTHONPATH", "").split(os.pathsep)]
            )
        options = {"threshold": 0.0, "pauseWhenBusy": False, "historyDepth": depth}
        found: list[Row] = [Row("commits indexed", commits, ""), Row("file versions in them", versions, "")]
        with LanguageClient(clone, environment, options) as client, Peak(client.process.pid) as peak:
            process = psutil.Process(client.process.pid)
            _, moment = client.wait_for_lenses(client.open(files[0]), 300)
            found.append(Row("first lenses, no index", moment - client.started, "s", 3.0))
            found.append(Row("the same, processor time", sum(process.cpu_times()[:2]), "s"))
            wait_until_idle(client.process.pid, index_seconds)
            used = sum(process.cpu_times()[:2])
            found.append(Row("file versions indexed a second of processor time", versions / used, "/s"))
        found.append(Row("peak memory, indexing", peak.bytes / 2**20, "MiB"))
        with LanguageClient(clone, environment, options) as client, Peak(client.process.pid) as peak:
            page = Page.open(client, files[0])
            _, moment = client.wait_for_lenses(page.uri, 300)
            found.append(Row("first lenses, indexed", moment - client.started, "s", 3.0))
            wait_until_idle(client.process.pid, 60)
            process = psutil.Process(client.process.pid)
            before = sum(process.cpu_times()[:2])
            found.extend(_replay(client, clone, page, files[1]))
            found.append(Row("all of the typing, processor time", sum(process.cpu_times()[:2]) - before, "s"))
            wait_until_idle(client.process.pid, 300)  # what a commit brings may take long on busy cores
            found.append(Row("peak memory, editing", peak.bytes / 2**20, "MiB", 250))
            before = sum(process.cpu_times()[:2])
            time.sleep(IDLE_SECONDS)
            used = sum(process.cpu_times()[:2]) - before
            found.append(Row("idle CPU, over a minute", used / IDLE_SECONDS * 100, "%", 0.5))
    return found


def _replay(client: LanguageClient, clone: Path, page: Page, second: Path) -> list[Row]:
    """Type, undo, switch, save, commit."""
    waits: list[float] = []
    pages = [page, Page.open(client, second)]
    for opened in pages:
        opened.ask()
        for turn, one in enumerate(list(reversed(bodies("\n".join(opened.lines))))[:ROUNDS]):
            _type(opened, one, TYPED[turn % len(TYPED)], waits, keep=turn == ROUNDS - 1)
            other = pages[0] if opened is pages[1] else pages[1]
            other.ask()  # a glance at the other file
        opened.save()
    answers = [seconds for opened in pages for seconds in opened.answers]
    found = [
        Row("lens answers while typing, median", statistics.median(answers) * 1e3, "ms"),
        Row("lens answers while typing, 95 %", percentile(answers, 0.95) * 1e3, "ms", 20),
        Row("lens answers while typing, 99 %", percentile(answers, 0.99) * 1e3, "ms"),
    ]
    if waits:
        found.append(Row("typing paused → refreshed lenses, median", statistics.median(waits) * 1e3, "ms", 150))
        found.append(Row("typing paused → refreshed lenses, 95 %", percentile(waits, 0.95) * 1e3, "ms"))
    before = page.ask()
    git = ["git", "-c", "user.name=b", "-c", "user.email=b@example.org"]
    subprocess.run([*git, "commit", "--quiet", "-am", "What was typed"], cwd=clone, check=True, capture_output=True)
    started = time.perf_counter()
    while time.perf_counter() - started < 20:
        if page.ask() != before:
            found.append(Row("committed → indexed, and lenses refreshed", time.perf_counter() - started, "s"))
            break
        time.sleep(0.02)
    return found


def _type(page: Page, one: Definition, text: str, waits: list[float], *, keep: bool) -> None:
    """A statement before the last line of a definition, key by key; and taken back again."""
    line = one.end - 1
    last = page.lines[line]
    indent = last[: len(last) - len(last.lstrip())]
    page.break_before(line)
    page.press(line, 0, 0, indent)
    for place, letter in enumerate(text):
        time.sleep(GAPS[place % len(GAPS)])
        column = len(indent) + place
        page.press(line, column, column, letter)
    _wait(page, waits)
    if keep:
        return
    while page.lines[line]:
        width = len(page.lines[line])
        page.press(line, max(0, width - UNDONE), width, "")
        time.sleep(GAPS[width % len(GAPS)])
    page.join(line)
    _wait(page, waits)


def _wait(page: Page, waits: list[float]) -> None:
    """A pause: how long it takes from the last key to the word that there are other lenses, where there are."""
    pressed = time.perf_counter()
    while not page.client.refreshes.empty():
        page.client.refreshes.get()
    try:
        waits.append(page.client.refreshes.get(timeout=PAUSE) - pressed)
        page.ask()
    except queue.Empty:
        return
    time.sleep(PAUSE)


def _versions(clone: Path, depth: int) -> tuple[int, int]:
    """How many of the newest commits are looked at, and the file versions that are read for them."""
    with Repository.open(clone) as repository:
        commits = versions = 0
        for item in repository.commits(limit=depth):
            commits += 1
            versions += len({edit.path for edit in item.edits})
    return commits, versions


def table(results: dict[str, list[Row]]) -> str:
    """Markdown: a line for each figure, a column for each repository."""
    lines = ["| what | budget | " + " | ".join(results) + " |", "| --- | ---: " + "| ---: " * len(results) + "|"]
    known = {name: {row.what: row for row in some} for name, some in results.items()}
    for what, row in {what: row for some in known.values() for what, row in some.items()}.items():
        cells = []
        for some in known.values():
            one = some.get(what)
            text = "" if one is None else f"{number(one.measured)} {one.unit}".strip()
            cells.append(f"**{text}**" if one is not None and one.kept is False else text)
        budget = "" if row.budget is None else f"≤ {number(row.budget)} {row.unit}"
        lines.append(f"| {what} | {budget} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print one table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.session", description=__doc__)
    parser.add_argument("repositories", type=Path, nargs="+", help="local clones with a history of Python")
    parser.add_argument("--depth", type=int, default=3_000, help="commits that are indexed, newest first")
    parser.add_argument("--index-seconds", type=float, default=900.0, help="the longest wait for the index")
    parser.add_argument("--write", type=Path, metavar="FILE", help="also write the table there")
    parser.add_argument("--against", type=Path, metavar="DIR", help="a checkout of CodeWM whose server is measured too")
    options = parser.parse_args(arguments)
    results: dict[str, list[Row]] = {}
    for path in options.repositories:
        path = path.resolve()
        name = path.parent.name.partition("+")[2] or path.name if path.name == "repo" else path.name
        print(f"measuring: {name} …", file=sys.stderr, flush=True)
        for source in dict.fromkeys((options.against and options.against.resolve(), None)):
            column = name if source is None else f"{name}, {options.against.name}"
            results[column] = rows(path, options.depth, options.index_seconds, source)
            if options.write:  # after each: the next may take long
                options.write.write_text(f"# An editing session\n\n{table(results)}\n", encoding="utf-8")
    print(table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())

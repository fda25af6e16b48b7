"""``python -m benchmarks.workspace``: a large workspace, on the real server.

A repository of so many files is made (nine definitions a file), or one is cloned (``--clone``). The server is asked for
its first lenses without an index; ``--depth`` commits are indexed; and then it is measured what a pause in typing
costs, what Where Next takes, and how much memory it has, with one document open, with fifty files changed on disk, and
with three hundred documents open. What else runs on the machine has little say in times of the processor.

``--source DIR`` measures the server of another checkout, such as that of the last release, in the same way.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from benchmarks.editor import statement, typical, wait_until_idle
from benchmarks.language_client import LanguageClient
from benchmarks.rows import HEADER, Row, line
from benchmarks.session import Peak
from codewm_lsp.source import Definition, parse_definitions

PAUSES: Final = 4
CHANGED: Final = 50  # files on disk
OPEN: Final = 300
AT_LEAST: Final = 2_000  # bytes of a module that is opened
FUNCTIONS: Final = 7  # of a module, beside a class with one method


def path_of(number: int) -> str:
    """Where a module lies."""
    return f"package_{number % 50}/part_{number // 50 % 20}/module_{number}.py"


def module(number: int, version: int) -> str:
    """A module after so many changes."""
    parts = [f"import os, package_{number % 50}\n\n"]
    for place in range(FUNCTIONS):
        count = version if place == version % FUNCTIONS else version // FUNCTIONS
        parts.append(
            f"def handle_{number}_{place}(request, timeout={count}):\n    value = request.get('key_{place}')\n"
            f"    if value is None:\n        raise KeyError({count})\n"
            f"    return call_{(number * FUNCTIONS + place) % 997}(value, {count})\n\n\n"
        )
    parts.append(f"class Model{number}:\n    limit = {version}\n\n    def run(self):\n        return self.limit\n")
    return "".join(parts)


def make(folder: Path, files: int, commits: int) -> None:
    """A repository: a quarter of the commits add the modules, each of the others changes three of them."""
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    process = subprocess.Popen(["git", "fast-import", "--quiet"], cwd=folder, stdin=subprocess.PIPE)
    assert process.stdin is not None
    for number, (subject, changed) in enumerate(_commits(files, commits)):
        head = f"commit refs/heads/main\ncommitter Ada <ada@example.org> {1_600_000_000 + 600 * number} +0000\n"
        process.stdin.write(f"{head}data {len(subject)}\n{subject}\n".encode())
        for path, text in changed:
            process.stdin.write(f"M 100644 inline {path}\ndata {len(text.encode())}\n{text}\n".encode())
    process.stdin.close()
    if process.wait():
        raise RuntimeError("git fast-import failed")
    subprocess.run(["git", "symbolic-ref", "HEAD", "refs/heads/main"], cwd=folder, check=True)
    subprocess.run(["git", "reset", "--quiet", "--hard"], cwd=folder, check=True)


def _commits(files: int, commits: int) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    each = files // max(1, commits // 4) + 1
    added = 0
    versions: dict[int, int] = {}
    for commit in range(commits):
        if added < files:
            new = range(added, min(files, added + each))
            yield f"Add modules from {added}", [(path_of(number), module(number, 0)) for number in new]
            added += each
            continue
        changed = sorted({(commit * 131 + step * 50) % files for step in range(3)})
        for number in changed:
            versions[number] = versions.get(number, 0) + 1
        yield f"Change timeouts {commit}", [(path_of(number), module(number, versions[number])) for number in changed]


@dataclass(frozen=True, slots=True)
class Workspace:
    """What is worked in: a file that is edited, and others to be changed and opened."""

    root: Path
    edited: Path
    others: tuple[Path, ...]
    note: str


def made(folder: Path, files: int, commits: int) -> Workspace:
    """See ``make``."""
    root = folder / "workspace"
    make(root, files, commits)
    edited = root / path_of(53)
    changed = [number + 50 * (number % 20) for number in range(CHANGED)]
    others = [root / path_of(number % files) for number in (*changed, *range(100, 100 + OPEN))]
    return Workspace(root, edited, tuple(others), f"{files:,} files, {commits:,} commits")


def cloned(folder: Path, repository: Path) -> Workspace:
    """A clone. The others are spread evenly over its modules of some length."""
    root = folder / "workspace"
    subprocess.run(["git", "clone", "--quiet", "--shared", str(repository), str(root)], check=True)
    edited = typical(root)
    files = [file for file in sorted(root.rglob("*.py")) if file.stat().st_size >= AT_LEAST and file != edited]
    some = files[:: max(1, len(files) // (2 * (CHANGED + OPEN)))]
    others = [file for file in some if _functions(_text(file))][: CHANGED + OPEN]
    commits = subprocess.run(
        ["git", "rev-list", "--count", "HEAD"], cwd=root, check=True, capture_output=True, text=True
    ).stdout
    note = f"{repository.parent.name if repository.name == 'repo' else repository.name}, {int(commits):,} commits"
    return Workspace(root, edited, tuple(others), note)


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")


def _functions(text: str) -> list[Definition]:
    return [
        one for one in parse_definitions(text) if one.kind.value in ("function", "method") and one.end - one.line > 3
    ]


def _change(file: Path) -> None:
    """Put a statement into the first function of some length."""
    lines = _text(file).split("\n")
    one = _functions("\n".join(lines))[0]
    lines.insert(one.end - 1, statement(lines, one))
    file.write_text("\n".join(lines), encoding="utf-8")


class Typist:
    """Types into one document and waits until the server has done what it does."""

    def __init__(self, client: LanguageClient, file: Path) -> None:
        self.client = client
        self.uri = client.open(file)
        self._process = psutil.Process(client.process.pid)
        self._version = 1
        lines = _text(file).split("\n")
        self._line = _functions("\n".join(lines))[0].end - 1
        self._column = len(lines[self._line]) - len(lines[self._line].lstrip())

    def used(self) -> float:
        """Processor time of the server, and of its Git processes that have ended."""
        times = self._process.cpu_times()
        return float(sum(times[:2]) + times.children_user + times.children_system)

    def type(self) -> None:
        """A key stroke in the first function."""
        self._version += 1
        place = (self._line, self._column)
        self.client.edit(self.uri, self._version, place, place, "x")
        self.client.lenses(self.uri)

    def pause(self, seconds: float = 120.0) -> float:
        """Processor time that a key stroke and the pause after it cost."""
        before = self.used()
        self.type()
        self.quiet(seconds)
        if not self.client.refreshes.empty():
            while not self.client.refreshes.empty():
                self.client.refreshes.get()
            self.client.lenses(self.uri)  # the one document that is shown
        return self.used() - before

    def quiet(self, seconds: float) -> None:
        """Wait until nothing has been computed for a second, and nothing waits to be (which shows on Linux alone)."""
        limit = time.monotonic() + seconds
        still, last = 0, self.used()
        while still < 4 and time.monotonic() < limit:
            time.sleep(0.25)
            now = self.used()
            still, last = (still + 1 if now - last < 0.03 and not self._waits() else 0), now

    def _waits(self) -> bool:
        """Whether a thread of the server would go on if there were a processor for it."""
        threads = Path(f"/proc/{self._process.pid}/task").glob("*/stat")
        try:
            return any(file.read_text().rpartition(")")[2].split()[0] == "R" for file in threads)
        except OSError:  # a thread has just ended
            return True

    def next(self) -> tuple[float, float]:
        """Seconds until Where Next is answered, by the clock and of the processor."""
        before, started = self.used(), time.perf_counter()
        arguments = [{"uri": self.uri, "show": False}]
        request = {"command": "codewm.showNextEdits", "arguments": arguments}
        self.client.request("workspace/executeCommand", request, 300)
        return time.perf_counter() - started, self.used() - before


def rows(workspace: Workspace, folder: Path, options: argparse.Namespace) -> Iterator[Row]:
    """Measure in it, row by row: a large workspace takes long. What the server keeps is kept in ``folder``."""
    cache = {name: str(folder / "cache") for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "CODEWM_CACHE")}
    environment = {**os.environ, **cache, "HOME": str(folder)}
    if options.source:
        environment["PYTHONPATH"] = str(options.source.resolve())
    settings = {"pauseWhenBusy": False, "threshold": 0.0, "historyDepth": options.depth}
    root = workspace.root
    _change(workspace.edited)
    with LanguageClient(root, environment, settings) as client:
        opened = time.perf_counter()
        typist = Typist(client, workspace.edited)
        _, moment = client.wait_for_lenses(typist.uri, 300)
        yield Row("file opened → first lenses, no index", moment - opened, "s", 3.0, note=workspace.note)
        yield Row("the same, processor time", typist.used(), "s", note="start of the server included")
        wait_until_idle(client.process.pid, options.index_seconds)
        yield Row(
            "all read and indexed",
            typist.used(),
            "s of processor",
            note=f"{options.depth:,} commits" if options.depth else "all commits",
        )
    with LanguageClient(root, environment, settings) as client, Peak(client.process.pid) as peak:
        typist = Typist(client, workspace.edited)
        client.wait_for_lenses(typist.uri, 300)
        typist.quiet(300)
        yield _pauses(typist, "a pause, one document open")
        yield from _next(typist, "Where Next, one edit")
        yield Row("peak memory", peak.bytes / 2**20, "MiB", 400, note="one document open")
        for file in workspace.others[:CHANGED]:
            _change(file)
        client.notify("workspace/didChangeWatchedFiles", {"changes": []})
        typist.quiet(300)
        yield _pauses(typist, f"a pause, {CHANGED} files changed on disk")
        yield from _next(typist, f"Where Next, {CHANGED} files changed")
        before = typist.used()
        for file in workspace.others[CHANGED:]:
            client.lenses(client.open(file))  # as an editor asks that shows it, until another is opened over it
        typist.quiet(600)
        count = len(workspace.others[CHANGED:])
        yield Row(f"opening {count} documents", typist.used() - before, "s of processor")
        yield _pauses(typist, f"a pause, {count} documents open besides")
        yield from _next(typist, f"Where Next, {count} documents open besides")
        yield Row("peak memory", peak.bytes / 2**20, "MiB", 700, note=f"{count + 1} documents open")


def _pauses(typist: Typist, what: str) -> Row:
    return Row(what, min(typist.pause() for _ in range(PAUSES)), "s of processor", 0.15, note=f"least of {PAUSES}")


def _next(typist: Typist, what: str) -> list[Row]:
    typist.type()
    seconds, used = typist.next()
    return [Row(what, seconds, "s", 2.0), Row(f"{what}, processor time", used, "s")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Make a large workspace, or clone one, and measure in it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.workspace", description=main.__doc__)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--commits", type=int, default=3_000)
    parser.add_argument("--clone", type=Path, metavar="REPOSITORY", help="work in a clone of it instead")
    parser.add_argument("--depth", type=int, default=0, metavar="N", help="index the newest N commits (0: all)")
    parser.add_argument("--index-seconds", type=float, default=1_800.0, help="how long that may take")
    parser.add_argument("--source", type=Path, metavar="DIR", help="a checkout of CodeWM whose server is measured")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        workspace = cloned(folder, options.clone) if options.clone else made(folder, options.files, options.commits)
        print(HEADER, flush=True)
        for row in rows(workspace, folder, options):
            print(line(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What an editor waits for: lenses of a real server process over stdio, its memory, and its idling."""

from __future__ import annotations

import os
import queue
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from benchmarks.language_client import LanguageClient
from benchmarks.rows import Row, percentile
from codewm_lsp.source import Definition, parse_definitions

ANSWERS = 200
CHANGED = 3  # definitions changed before the editor is opened
TYPED = 8  # and while it is open, one after the other
IDLE_SECONDS = 60.0
LINES = range(600, 1_600)  # "a 1,000-line file"


def rows(path: Path, *, index_seconds: float = 300.0) -> list[Row]:
    """Open a clone of the repository with a few uncommitted changes, twice: without an index, and with one."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", "--shared", str(path), str(clone)], check=True, capture_output=True)
        commits = subprocess.run(["git", "rev-list", "--count", "HEAD"], cwd=clone, check=True, capture_output=True)
        file = typical(clone)
        lines = file.read_text(encoding="utf-8").count("\n")
        note = f"{int(commits.stdout):,} commits; {lines:,} lines"
        change(file)
        cache = {name: str(Path(folder) / "cache") for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "CODEWM_CACHE")}
        environment = {**os.environ, **cache, "HOME": folder}
        options = {"threshold": 0.0, "pauseWhenBusy": False}
        with LanguageClient(clone, environment, options) as client:
            opened = time.perf_counter()
            lenses, moment = client.wait_for_lenses(client.open(file), 120)
            found = [
                Row("editor opened → first lenses, no index", moment - client.started, "s", 3.0, note=note),
                Row("file opened → first lenses, no index", moment - opened, "s", note=f"{len(lenses)} lenses"),
            ]
            if not lenses:
                return found
            wait_until_idle(client.process.pid, index_seconds)
        with LanguageClient(clone, environment, options) as client:
            uri = client.open(file)
            lenses, moment = client.wait_for_lenses(uri, 120)
            found.append(Row("editor opened → first lenses, indexed", moment - client.started, "s", 3.0))
            wait_until_idle(client.process.pid, 60)
            times = []
            for _ in range(ANSWERS):
                started = time.perf_counter()
                client.lenses(uri)
                times.append(time.perf_counter() - started)
            note = f"{ANSWERS} answers, median {statistics.median(times) * 1e3:.1f} ms"
            found.append(Row("warm lens answer, 95th percentile", percentile(times, 0.95) * 1e3, "ms", 20, note=note))
            found.extend(_typing(client, uri, file))
            process = psutil.Process(client.process.pid)
            wait_until_idle(client.process.pid, 60)
            size = process.memory_info().rss / 2**20
            found.append(Row("resident memory of the server", size, "MiB", 250, note=_index_size(Path(folder))))
            before = process.cpu_times()
            time.sleep(IDLE_SECONDS)
            after = process.cpu_times()
            used = after.user + after.system - before.user - before.system
            found.append(
                Row(
                    "idle CPU",
                    used / IDLE_SECONDS * 100,
                    "%",
                    0.5,
                    note=f"over {IDLE_SECONDS:.0f} s; the design says 0",
                )
            )
    return found


def _typing(client: LanguageClient, uri: str, file: Path) -> list[Row]:
    """From the last key stroke, in a definition unchanged so far, to the word that there are other lenses now."""
    times = []
    lines = file.read_text(encoding="utf-8").split("\n")
    version = 1
    for one in list(reversed(bodies("\n".join(lines))))[:TYPED]:
        added = statement(lines, one) + "\n"
        for start, end, text in ((one.end - 1, one.end - 1, added), (one.end - 1, one.end, "")):  # and undone
            while not client.refreshes.empty():
                client.refreshes.get()
            version += 1
            started = time.perf_counter()
            client.change(uri, version, start, end, text)
            try:
                times.append(client.refreshes.get(timeout=5) - started)
            except queue.Empty:
                continue
            client.lenses(uri)
            time.sleep(0.3)
    if not times:
        return []
    note = f"{len(times)} edits; the pause of 100 ms that it waits for is included; median"
    return [Row("typing paused → refreshed lenses", statistics.median(times) * 1e3, "ms", 150, note=note)]


def typical(clone: Path, other_than: Path | None = None) -> Path:
    """The Python file of about a thousand lines with most definitions."""
    best: tuple[int, Path] | None = None
    for file in sorted(clone.rglob("*.py")):
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if file != other_than and text.count("\n") in LINES:
            count = len(parse_definitions(text))
            if best is None or count > best[0]:
                best = (count, file)
    if best is None:
        raise SystemExit(f"{clone} has no Python file of {LINES.start} to {LINES.stop} lines")
    return best[1]


def bodies(text: str) -> list[Definition]:
    """Functions and methods of some length."""
    return [
        one for one in parse_definitions(text) if one.kind.value in ("function", "method") and one.end - one.line > 5
    ]


def statement(lines: Sequence[str], one: Definition) -> str:
    """A statement to stand before the last line of a definition."""
    last = lines[one.end - 1]
    return f"{last[: len(last) - len(last.lstrip())]}log.debug('timeout %s', timeout)"


def change(file: Path) -> None:
    """Change the first few definitions of the file."""
    lines = file.read_text(encoding="utf-8").split("\n")
    for one in reversed(bodies("\n".join(lines))[:CHANGED]):
        lines.insert(one.end - 1, statement(lines, one))
    file.write_text("\n".join(lines), encoding="utf-8")


def wait_until_idle(pid: int, seconds: float) -> None:
    """Until the process has used next to no CPU for two seconds."""
    process = psutil.Process(pid)
    limit = time.monotonic() + seconds
    quiet = 0
    last = sum(process.cpu_times()[:2])
    while quiet < 4 and time.monotonic() < limit:
        time.sleep(0.5)
        now = sum(process.cpu_times()[:2])
        quiet = quiet + 1 if now - last < 0.03 else 0
        last = now


def _index_size(folder: Path) -> str:
    size = sum(file.stat().st_size for file in folder.rglob("*.sqlite3"))
    return f"index of {size / 1e6:,.1f} MB"

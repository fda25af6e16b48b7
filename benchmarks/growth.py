"""How each cost of an index grows with its edits: ``python -m benchmarks.growth REPOSITORY... --work DIR``.

The repositories are indexed as ``codewm index`` does it (kept in DIR, so that a second run need not), and the edits of
all of them are put into one index that is measured, by a process of its own each time, at every size asked for. Where
that is more than there are real edits, the rest are made from these: see ``Pool.made``. The report says how many.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
import psutil
from numpy.typing import NDArray

import codewm_lsp
from benchmarks.rows import number, percentile
from codewm_lsp.history import Commit, CommitEdits, Edit, Repository
from codewm_lsp.index import Index, update
from codewm_lsp.index.edit_words import words_of_edit
from codewm_lsp.index.writing import LoggedCommit
from codewm_lsp.source import DefinitionKind
from codewm_lsp.threads import stay_on_one_core
from codewm_lsp.world_model import WorldModel

SIZES: Final = (10_000, 100_000, 1_000_000)
HELD_OUT: Final = 4  # newest commits of each repository that are asked about, and in no index
QUERIES: Final = 120
CHECKED: Final = 10  # of these are compared with a look at every edit
BATCH: Final = 2_000
KEY: Final = "growth"


def main(arguments: Sequence[str] | None = None) -> int:
    """Build, measure, write the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=main.__doc__)
    parser.add_argument("repositories", type=Path, nargs="*", help="local clones")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="where indexes are kept")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), metavar="N", help="edits")
    parser.add_argument("--commits", type=int, default=6_000, metavar="N", help="newest commits of each repository")
    parser.add_argument("--model", type=Path, metavar="DIR", help="a model bundle (default: the one that is shipped)")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the report and its plots there")
    parser.add_argument("--probe", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    work: Path = options.work.resolve()
    if options.probe:
        print(json.dumps(probe(work)))
        return 0
    work.mkdir(parents=True, exist_ok=True)
    model = WorldModel.load(options.model)
    pool = Pool()
    for path in options.repositories:
        pool.take(path.resolve(), model, work / "repositories", options.commits)
        print(f"{path.parent.name if path.name == 'repo' else path.name}: {pool.edits:,} edits", file=sys.stderr)
    pool.ask(model, work / "queries.npz")
    shutil.rmtree(work / "index", ignore_errors=True)
    figures: list[dict[str, Any]] = []
    with Index.open(KEY, model.hash, folder=work / "index", edit_size=model.edit_size) as index:
        source = pool.commits()
        for size in sorted(options.sizes):
            started = time.perf_counter()
            before = index.log.size()
            count = pool.fill(index, source, size)
            stored = (time.perf_counter() - started) / max(1, count - before)
            command = [sys.executable, "-m", "benchmarks.growth", "--work", str(work), "--probe"]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found = {**json.loads(done.stdout), "stored": stored, "real": min(count, pool.real)}
            figures.append(found)
            print(json.dumps(found), file=sys.stderr, flush=True)
    text = report(figures, pool)
    print(text)
    if options.write:
        options.write.write_text(text, encoding="utf-8")
        plot(figures, options.write.parent / "images" / "growth")
    return 0


class Pool:
    """Real edits of several repositories, to be put into one index."""

    def __init__(self) -> None:
        self.entries: list[LoggedCommit] = []
        self.questions: list[Edit] = []
        self.edits = 0
        self.real = 0
        self.names: list[str] = []

    def take(self, path: Path, model: WorldModel, folder: Path, limit: int) -> None:
        """Index a repository as far as it is not yet, and take its edits."""
        name = path.parent.name if path.name == "repo" else path.name
        with (
            Repository.open(path) as repository,
            Index.open(name, model.hash, folder=folder, edit_size=model.edit_size) as index,
        ):
            if index.log.size() == 0 or len(index.log.known()) < min(limit, len(repository.ancestors(limit=limit))):
                update(repository, model, index.log, limit=limit)
            held = 0
            for entry in index.log.entries():
                if not entry.edits:
                    continue
                if held < HELD_OUT:
                    held += 1
                    self.questions.extend(repository.edits_of(entry.commit.sha).edits[:3])
                    continue
                self.entries.append(entry)
                self.edits += len(entry.edits)
        self.names.append(name.replace("+", "/"))
        self.real = self.edits

    def ask(self, model: WorldModel, path: Path) -> None:
        """Write down what is asked of every index: edits that are in none."""
        chosen = np.random.default_rng(0).permutation(len(self.questions))[:QUERIES]
        asked = [self.questions[at] for at in chosen]
        texts = [[edit.path, edit.definition, edit.before, edit.after] for edit in asked]
        vectors = model.embed_edits([(edit.before, edit.after) for edit in asked])
        np.savez(path, texts=json.dumps(texts), vectors=vectors, model=model.hash)

    def commits(self) -> Iterator[LoggedCommit]:
        """The real ones in random order, then made ones without end."""
        random = np.random.default_rng(1)
        for at in random.permutation(len(self.entries)):
            yield self.entries[at]
        for copy in range(1, 1_000):
            for at in random.permutation(len(self.entries)):
                yield self.made(self.entries[at], copy, random)

    def fill(self, index: Index, source: Iterator[LoggedCommit], size: int) -> int:
        """Store commits of ``source`` until the index has ``size`` edits; how many it has then."""
        batch: list[LoggedCommit] = []
        count = index.log.size()
        while count < size:
            batch.append(next(source))
            count += len(batch[-1].edits)
            if sum(len(one.edits) for one in batch) >= max(BATCH, size // 10) or count >= size:
                index.log.store(batch)
                batch = []
        return count

    def made(self, entry: LoggedCommit, copy: int, random: np.random.Generator) -> LoggedCommit:
        """A commit like a real one, but no copy of it.

        To each vector a difference of two other real ones is added, as long as itself: cosines with the original are
        about 0.7, and the spectrum stays that of real edits. A third of its words are left out, and a third of another
        edit's come in. Its paths stay, the definitions are those of another commit.
        """
        size = len(entry.edits)
        one, two, third = (self._some(size, random) for _ in range(3))
        vectors = entry.vectors * entry.scales[:, None]
        noise = one[0] - two[0]
        noise *= np.linalg.norm(vectors, axis=1, keepdims=True) / np.maximum(
            np.linalg.norm(noise, axis=1, keepdims=True), 1e-6
        )
        mixed = (vectors + noise).astype(np.float32)
        mixed /= np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-6)
        scales = (np.abs(mixed).max(axis=1) / 127).astype(np.float32)
        rows = np.rint(mixed / np.where(scales > 0, scales, 1)[:, None]).astype(np.int8)
        lengths, terms, counts = [], [], []
        ends = np.cumsum(entry.lengths)
        for at in range(size):
            own = np.arange(ends[at] - entry.lengths[at], ends[at])
            own = own[random.random(len(own)) < 2 / 3]
            words, numbers = third[1][at]
            other = random.random(len(words)) < 1 / 3
            found, first = np.unique(np.concatenate([entry.terms[own], words[other]]), return_index=True)
            lengths.append(len(found))
            terms.append(found)
            counts.append(np.concatenate([entry.counts[own], numbers[other]])[first])
        return dataclasses.replace(
            entry,
            commit=dataclasses.replace(
                entry.commit, sha=hashlib.sha1(f"{entry.commit.sha} {copy}".encode()).hexdigest()
            ),
            edits=tuple((edit[0], third[2][at], *edit[2:]) for at, edit in enumerate(entry.edits)),
            vectors=rows,
            scales=scales,
            lengths=np.array(lengths, dtype=np.int64),
            terms=np.concatenate(terms),
            counts=np.concatenate(counts),
        )

    def _some(self, size: int, random: np.random.Generator) -> tuple[Any, list[tuple[Any, Any]], list[str]]:
        vectors, words, names = [], [], []
        for at in random.integers(len(self.entries), size=size):
            entry = self.entries[at]
            edit = int(random.integers(len(entry.edits)))
            vectors.append(entry.vectors[edit] * entry.scales[edit])
            end = int(entry.lengths[: edit + 1].sum())
            own = slice(end - int(entry.lengths[edit]), end)
            words.append((entry.terms[own], entry.counts[own]))
            names.append(entry.edits[edit][1])
        return np.array(vectors), words, names


def questions(path: Path) -> tuple[list[Edit], NDArray[np.float32], str]:
    """What ``Pool.ask`` wrote down: edits, their vectors, and the hash of the model."""
    with np.load(path) as file:
        texts, vectors, model = json.loads(str(file["texts"])), file["vectors"], str(file["model"])
    kind = DefinitionKind.FUNCTION
    edits = [
        Edit(path, definition, kind, _kind(before, after), before, after, 0, None, None)
        for path, definition, before, after in texts
    ]
    for edit in edits:
        words_of_edit(edit)  # tokenised and kept when an edit is embedded, before it is looked up
    return edits, vectors, model


def probe(work: Path) -> dict[str, Any]:
    """Measure the index as it is, in this process."""
    process = psutil.Process()
    edits, vectors, model = questions(work / "queries.npz")
    folder = work / "index"
    with Index.open(KEY, model, folder=folder, edit_size=vectors.shape[1]) as index:
        idle = process.memory_info()
        size = index.log.size()
        first = _timed(lambda: index.search(edits[0], vectors[0], k=10))
        within = frozenset(index.log.known())
        index.search(edits[0], vectors[0], k=10, within=within)
        asked = [
            partial(index.search, edit, vector, k=10, within=within, exclude_definition=(edit.path, edit.definition))
            for edit, vector in zip(edits, vectors, strict=True)
        ]
        times = [_timed(ask) for ask in asked]
        several = [_timed(partial(index.nearest, vectors[at : at + 8], k=3, within=within)) for at in range(0, 40, 8)]
        memory = process.memory_info()
        equal = 0
        for edit, vector in zip(edits[:CHECKED], vectors, strict=False):
            scores = np.sort(index.chances(edit, vector))[::-1][:10]
            found = [hit.score for hit in index.search(edit, vector, k=10)]
            equal += bool(np.allclose(found, scores, atol=1e-5))
        adding = []
        for at in range(5):
            sha = hashlib.sha1(f"added {size} {at}".encode()).hexdigest()
            commit = Commit(sha, "Ada", 1_700_000_000, "One more", None)
            some = tuple(dataclasses.replace(edit, commit=commit) for edit in edits[at * 4 : at * 4 + 4])
            batch = [(CommitEdits(commit, some, None), vectors[at * 4 : at * 4 + 4])]
            adding.append(_timed(partial(index.log.add, batch)))
        after = _timed(lambda: index.search(edits[0], vectors[0], k=10))
    found_times: dict[str, tuple[float, float]] = {
        "first": first,
        "nearest": _median(several),
        "add": _median(adding),
        "after": after,
        "p50": _median(times),
        "p95": (percentile([cpu for cpu, _ in times], 0.95), percentile([wall for _, wall in times], 0.95)),
    }
    return {
        "edits": size,
        **{name: cpu for name, (cpu, _) in found_times.items()},
        **{f"{name} by the clock": wall for name, (_, wall) in found_times.items()},
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0,
        "resident": memory.rss - idle.rss,
        "private": (memory.rss - memory.shared) - (idle.rss - idle.shared),
        "bytes": sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
        "vectors": sum(file.stat().st_size for file in folder.rglob("*.vectors")),
        "segments": sum(file.stat().st_size for file in folder.rglob("*.segment")),
        "equal": equal,
    }


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the processor and by the clock: on a machine with other work only the first can be compared."""
    started, cpu = time.perf_counter(), time.process_time()
    work()
    return time.process_time() - cpu, time.perf_counter() - started


def _median(times: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(cpu for cpu, _ in times), statistics.median(wall for _, wall in times)


def _kind(before: str, after: str) -> Any:
    from codewm_lsp.history import EditKind

    if not before:
        return EditKind.ADDED
    return EditKind.MODIFIED if after else EditKind.REMOVED


HOW: Final = """\
An index consists of a SQLite file with the commits, the locations and the words of edits; a matrix of their vectors
in a file beside it (768 one-byte numbers, a scale and a checksum each); and *segments*, in files that can be rebuilt
from these at any time. The files are memory-mapped, so processes share them. The newest few thousand edits are kept
in memory and belong to no segment. Small segments are merged, so there are never many.

**Search is exact.** For each word of the query, a list holds the edits that contain it; the word and location scores
of every edit are sums over these lists. Up to 100,000 edits, a plain pass multiplies every vector with the query, in
blocks of floats. The most promising edits are then scored in full, as is every edit that may be among the ten best
within rounding.

Above 100,000 edits, a segment also holds a sketch of its vectors: their coordinates along the 320 directions in which
they differ most, one byte each, and the lengths of what remains after the first 128, after 256 and after all. By the
Cauchy–Schwarz inequality, the product with a query is at most the product of the sketches plus the product of both
remaining lengths (plus the known rounding error). A pass over the first 128 directions gives a guess for every edit.
The edits with the best guesses are scored in full, and the least of the best scores so far is what any other edit must
reach. Where more than 200 of 65,536 edits may still reach it, by their bounds, the directions up to 256 are used as
well, and then all. The rest is scored in full, largest bounds first. A test with random indexes, ranges, blends and
hidden edits compares the answers with the scores of every edit, with sketches and without.

ONNX Runtime computes the byte products over sketches with the processor's own instructions (VNNI). For a million rows
of 64 numbers on one thread, it took 2.9 ms as one row times a matrix of columns and 11.9 ms as a matrix of rows times
one column; NumPy took 12.8 ms with bytes converted to floats in blocks, and 14.3 ms with floats kept in memory (at
four times the memory).\
"""

COLUMNS: Final = (
    ("search, median", "p50", 1e3, "ms"),
    ("search, 95 %", "p95", 1e3, "ms"),
    ("first search of a process", "first", 1e3, "ms"),
    ("first search after a commit", "after", 1e3, "ms"),
    ("8 predicted edits looked up at once", "nearest", 1e3, "ms"),
    ("adding a commit of four edits", "add", 1e3, "ms"),
    ("search, median, by the clock", "p50 by the clock", 1e3, "ms"),
    ("first search of a process, by the clock", "first by the clock", 1e3, "ms"),
    ("adding a commit, by the clock", "add by the clock", 1e3, "ms"),
    ("on disk", "bytes", 1e-6, "MB"),
    ("of it vectors", "vectors", 1e-6, "MB"),
    ("of it segments, which can be rebuilt", "segments", 1e-6, "MB"),
    ("memory of the process, added by the index", "resident", 1e-6, "MB"),
    ("of it its own, the rest being mapped files", "private", 1e-6, "MB"),
)


def report(figures: Sequence[dict[str, Any]], pool: Pool) -> str:
    """The figures as a page."""
    sizes = [found["edits"] for found in figures]
    lines = [
        "# How the index grows",
        "",
        HOW,
        "",
        "Written by `python -m benchmarks.growth REPOSITORY... --work DIR --write docs/scale.md`.",
        "",
        f"CodeWM {codewm_lsp.__version__}, Python {platform.python_version()}, ONNX Runtime {onnxruntime.__version__}, "
        f"NumPy {np.__version__}; {platform.system()} on {platform.machine()}, {os.cpu_count()} cores, one thread. "
        "Times are processor time unless marked 'by the clock', as other programs were running (load "
        f"{', '.join(number(found['load']) for found in figures)}).",
        "",
        f"| edits | {' | '.join(f'{size:,}' for size in sizes)} |",
        f"| --- | {' | '.join('---:' for _ in sizes)} |",
    ]
    for words, key, factor, unit in COLUMNS:
        lines.append(f"| {words} | {' | '.join(f'{number(found[key] * factor)} {unit}' for found in figures)} |")
    lines += [
        "",
        "![How each cost grows](images/growth.svg)",
        "",
        f"The pool has {pool.real:,} real edits of {len(pool.names)} repositories ({', '.join(pool.names)}). "
        + _made(figures)
        + f"The queries are {QUERIES} edits of the newest commits, which are not in the index. Each asks for 10 past "
        "edits, with everything in range and its own definition left out. At each size, the answers to "
        f"{CHECKED} queries were compared with the scores of every edit: "
        f"{', '.join(str(found['equal']) for found in figures)} were the same.",
        "",
    ]
    return "\n".join(lines)


def _made(figures: Sequence[dict[str, Any]]) -> str:
    made = [found for found in figures if found["edits"] > found["real"]]
    if not made:
        return ""
    shares = ", ".join(f"{1 - found['real'] / found['edits']:.0%} of the index of {found['edits']:,}" for found in made)
    return (
        f"**Generated are {shares}:** each of these comes from a real edit, with its vector rotated by about 45° along "
        "differences of other real edits, a third of its words exchanged, and another definition. "
    )


def plot(figures: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw them, as SVG and PNG."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    sizes = [found["edits"] for found in figures]
    panels = (
        ("milliseconds", 1e3, (("search, median", "p50"), ("search, 95 %", "p95"), ("first of a process", "first"))),
        ("milliseconds", 1e3, (("adding a commit", "add"), ("first search after it", "after"))),
        ("megabytes", 1e-6, (("on disk", "bytes"), ("resident", "resident"), ("of it private", "private"))),
    )
    figure, axes = plt.subplots(1, len(panels), figsize=(11, 3.4), constrained_layout=True)
    for axis, (unit, factor, curves) in zip(axes, panels, strict=True):
        for label, key in curves:
            axis.plot(sizes, [found[key] * factor for found in figures], marker="o", label=label)
        axis.set(xscale="log", yscale="log", xlabel="edits", ylabel=unit)
        axis.grid(alpha=0.3, which="both", linewidth=0.5)
        axis.legend(frameon=False, fontsize=8)
    axes[0].axhline(30, color="grey", linewidth=0.8, linestyle="--")
    path.parent.mkdir(parents=True, exist_ok=True)
    for suffix in (".svg", ".png"):
        figure.savefig(path.with_suffix(suffix), dpi=150, metadata={"Date": None} if suffix == ".svg" else None)
    plt.close(figure)


if __name__ == "__main__":
    stay_on_one_core()
    sys.exit(main())

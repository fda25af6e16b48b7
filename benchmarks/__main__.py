"""``python -m benchmarks REPOSITORY [--write docs/benchmarks.md]``: measure, and print one table."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnxruntime

import codewm_lsp
from benchmarks import editor, encoding, indexing
from benchmarks.rows import Row, table
from codewm_lsp.history import Repository
from codewm_lsp.world_model import WorldModel

PARTS = ("encode", "index", "search", "editor")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 0 also when budgets are missed: the machine decides about them, the reader judges."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    parser.add_argument("repository", type=Path, help="a local clone with a long history of Python")
    parser.add_argument("--model", type=Path, metavar="DIR", help="a model bundle (default: the one that is shipped)")
    parser.add_argument("--only", choices=PARTS, action="append", help="measure only this part (may be repeated)")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 50_000], help="edits in the indexes searched")
    parser.add_argument("--write", type=Path, metavar="FILE", help="also write the table there")
    options = parser.parse_args(arguments)
    parts = options.only or PARTS
    path = options.repository.resolve()

    model = WorldModel.load(options.model)
    rows = [Row("model bundle", model.bundle.bytes, "bytes", 600_000, note=f"{model.name}, {model.hash}")]

    def measure(name: str, work: Callable[[], list[Row]]) -> None:
        print(f"measuring: {name} …", file=sys.stderr, flush=True)
        started = time.perf_counter()
        rows.extend(work())
        print(f"measured: {name} ({time.perf_counter() - started:.0f} s)", file=sys.stderr, flush=True)

    read, commits = indexing.mining(path)
    if "encode" in parts:
        with Repository.open(path) as repository:
            head = repository.definitions(repository.files().values())
        sources = [one.source for some in head.values() for one in some]
        edits = [edit for item in commits for edit in item.edits]
        measure("encode", lambda: encoding.rows(model, sources, edits))
    if "index" in parts:
        rows.extend(read)
        measure("index", lambda: indexing.indexing(path, model))
    if "search" in parts:
        measure("search", lambda: indexing.searching(commits, model, options.sizes))
    if "editor" in parts:
        measure("editor", lambda: editor.rows(path))
    text = f"{heading(path)}\n\n{table(rows)}\n"
    print(text)
    if options.write:
        options.write.write_text(f"# Benchmarks\n\n{text}", encoding="utf-8")
    return 0


def _load() -> str:
    """What else the machine did."""
    if not hasattr(os, "getloadavg"):
        return "the load of the machine is not known"
    return f"the load of the machine was {os.getloadavg()[2]:.1f} in the last quarter of an hour"


def heading(path: Path) -> str:
    """On what the figures were taken."""
    with Repository.open(path) as repository:
        head = repository.head()
    return (
        f"CodeWM {codewm_lsp.__version__}, Python {platform.python_version()}, ONNX Runtime {onnxruntime.__version__}, "
        f"NumPy {np.__version__}; {platform.system()} on {platform.machine()}, {os.cpu_count()} cores. "
        f"History: {path.name if path.name != 'repo' else path.parent.name} at {head[:10]}. What is computed is timed "
        f"by the processor, what an editor waits for by the clock; {_load()}."
    )


if __name__ == "__main__":
    sys.exit(main())

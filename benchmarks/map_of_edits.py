"""``python -m benchmarks.map_of_edits REPOSITORY [--made 50000]``: what a map of edits keeps, and how long it takes.

Of 500 edits: how many of the ten nearest by the embeddings are among the ten nearest on the map, and how many of the
ten nearest are of the same commit; for two linear directions beside the map. ``--made``: the time alone, of so many
edits that are made out of the repository's by adding noise.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.explore import projection
from codewm_lsp.folders import cache_folder
from codewm_lsp.history import Repository
from codewm_lsp.index import Index
from codewm_lsp.world_model import WorldModel

ASKED = 500
NEAREST = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.map_of_edits", description=main.__doc__)
    parser.add_argument("repository", type=Path, help="a clone that is indexed (codewm index)")
    parser.add_argument("--made", type=int, metavar="N", help="measure the time for N made edits, too")
    options = parser.parse_args(arguments)
    model = WorldModel.load(graphs=())
    with (
        Repository.open(options.repository) as repository,
        Index.of(repository, model.hash, folder=cache_folder(), edit_size=model.edit_size) as index,
    ):
        rows = index.newest()
        commits = np.array([edit.commit.sha for edit in index.edits(rows.tolist())])
        vectors = index.vectors(rows)
    started = time.process_time()
    laid_out = projection.project(vectors)
    seconds = time.process_time() - started
    asked = np.random.default_rng(0).choice(len(vectors), min(ASKED, len(vectors)), replace=False)
    exact = _nearest(-(vectors[asked] @ vectors.T), asked)
    linear = projection.directions(vectors)[:, :2]
    print(f"{len(vectors):,} edits, {seconds:.1f} s of processor time\n")
    print("| ten nearest in | of those by the embeddings | of the same commit |\n| --- | --- | --- |")
    for name, found in (
        ("the embeddings", exact),
        ("two linear directions", _nearest(_apart(linear, asked), asked)),
        ("the map", _nearest(_apart(laid_out.positions, asked), asked)),
    ):
        kept = np.mean([len(set(one) & set(other)) for one, other in zip(exact.tolist(), found.tolist(), strict=True)])
        same = (commits[found] == commits[asked][:, None]).mean()
        print(f"| {name} | {kept / NEAREST:.3f} | {same:.3f} |")
    if options.made:
        generator = np.random.default_rng(0)
        made = vectors[generator.integers(len(vectors), size=options.made)]
        made = made + generator.normal(scale=0.3 / made.shape[1] ** 0.5, size=made.shape).astype(np.float32)
        started = time.process_time()
        projection.project(made)
        print(f"\n{options.made:,} made edits: {time.process_time() - started:.1f} s of processor time")
    return 0


def _apart(points: NDArray[np.float32], asked: NDArray[np.int64]) -> NDArray[np.float32]:
    return np.asarray(((points[asked][:, None] - points[None]) ** 2).sum(2), dtype=np.float32)


def _nearest(apart: NDArray[np.float32], asked: NDArray[np.int64]) -> NDArray[np.int64]:
    apart[np.arange(len(asked)), asked] = np.inf
    return np.argsort(apart, axis=1, kind="stable")[:, :NEAREST]


if __name__ == "__main__":
    raise SystemExit(main())

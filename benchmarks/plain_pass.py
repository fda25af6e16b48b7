"""Are upper bounds worth it? ``python -m benchmarks.plain_pass REPOSITORY... --work DIR``.

The same questions are answered twice, in turn, by the same index in one process: once with sketches of all its
segments, by which most vectors are ruled out, and once without any, by a plain pass over every vector. Both must give
the same edits with the same scores. Indexes are made as by ``benchmarks.growth``, and kept in DIR.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.growth import KEY, Pool, questions
from benchmarks.rows import number
from codewm_lsp.index import Index, Whitening, place_words, search
from codewm_lsp.index.edit_words import words_of_edit
from codewm_lsp.index.sketch import Sketch
from codewm_lsp.threads import stay_on_one_core
from codewm_lsp.world_model import WorldModel

SIZES: Final = (10_000, 100_000, 1_000_000)
K: Final = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """Build what is missing, measure, print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plain_pass", description=main.__doc__)
    parser.add_argument("repositories", type=Path, nargs="*", help="local clones")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="where indexes are kept")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), metavar="N", help="edits")
    parser.add_argument("--commits", type=int, default=6_000, metavar="N", help="newest commits of each repository")
    options = parser.parse_args(arguments)
    work: Path = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    missing = [size for size in options.sizes if not (work / f"index{size}").is_dir()]
    if missing:
        model = WorldModel.load(None)
        pool = Pool()
        for path in options.repositories:
            pool.take(path.resolve(), model, work / "repositories", options.commits)
        pool.ask(model, work / "queries.npz")
        for size in missing:
            with Index.open(KEY, model.hash, folder=work / f"index{size}", edit_size=model.edit_size) as index:
                pool.fill(index, pool.commits(), size)
    print("| edits | measure | with bounds | plain pass | the same by the clock | | ratio | vectors | sketches |")
    print("| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for size in options.sizes:
        for line in measured(work, size):
            print(line, flush=True)
    return 0


def measured(work: Path, size: int) -> list[str]:
    """Rows of the table: with the vectors as they are, and in the measure of a repository's own edits."""
    edits, vectors, model = questions(work / "queries.npz")
    lines = []
    with Index.open(KEY, model, folder=work / f"index{size}", edit_size=vectors.shape[1]) as index:
        arrays = index.log.ask(lambda found: found)
        asked = arrays.range(None)
        sketches = [Sketch.of(arrays.matrix, segment.rows) if len(segment) else None for segment in arrays.segments]
        own = sum(getattr(sketch, name).nbytes for sketch in sketches if sketch for name, _ in Sketch.ARRAYS) / 1e6
        vectors_own = arrays.matrix.rows(range(1))[0].nbytes * len(arrays) / 1e6
        sample = np.linspace(0, len(arrays) - 1, 2_000).astype(np.int64)
        whitening = Whitening.of(arrays.matrix.floats(sample))
        for measure in ("the cosine", "the repository's own"):
            times: dict[str, list[tuple[float, float]]] = {"bounds": [], "plain": []}
            for edit, vector in zip(edits, vectors, strict=True):
                words, place = words_of_edit(edit), place_words(edit.path, edit.definition)
                looked_up = vector if measure == "the cosine" else whitening.query(vector)
                query = dataclasses.replace(index._query(arrays, words, place, vector, asked), vector=looked_up)
                allowed = index._allowed(arrays, asked, (edit.path, edit.definition))
                answers = []
                for name, used in (("bounds", sketches), ("plain", [None] * len(sketches))):
                    for segment, sketch in zip(arrays.segments, used, strict=True):
                        segment.sketch = sketch
                    clock, processor = time.perf_counter(), time.process_time()
                    answers.append(search.best(arrays, query, K, index.blend, asked, allowed))
                    times[name].append((time.process_time() - processor, time.perf_counter() - clock))
                blended = [scores.blended(index.blend) for _, scores in answers]
                if not (np.array_equal(answers[0][0], answers[1][0]) and np.array_equal(blended[0], blended[1])):
                    raise AssertionError(f"other answers about {edit.path}::{edit.definition}")
            figures = [
                statistics.median(of) * 1e3
                for clock in (0, 1)
                for of in ([one[clock] for one in times[name]] for name in ("bounds", "plain"))
            ]
            ratio = figures[1] / figures[0]
            lines.append(
                f"| {len(arrays):,} | {measure} | "
                + " | ".join(f"{number(figure)} ms" for figure in figures)
                + f" | {number(ratio)} | {number(vectors_own)} MB | {number(own)} MB |"
            )
    return lines


if __name__ == "__main__":
    stay_on_one_core()
    sys.exit(main())

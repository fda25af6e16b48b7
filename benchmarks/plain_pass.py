"""Is a search with upper bounds worth it? ``python -m benchmarks.plain_pass REPOSITORY... --work DIR``.

The same questions are answered twice, in turn, by the same index in one process: by the search as it is, and by a plain
pass over every edit. That multiplies all rows with the query in blocks of floats, adds what the lists of the words and
places of the query say, and scores in full whatever may be among the best. Both must give the same edits with the same
scores. Indexes are made as by ``benchmarks.growth``, and kept in DIR.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.growth import KEY, Pool, questions
from benchmarks.rows import number
from codewm_lsp.index import Blend, Index, Scores, Whitening
from codewm_lsp.index.lexicon import WEIGHTS, Lexicon, Weighing
from codewm_lsp.index.memory import Memory, Query, SearchRange
from codewm_lsp.threads import stay_on_one_core
from codewm_lsp.world_model import WorldModel

SIZES: Final = (10_000, 100_000, 1_000_000)
ROUNDING: Final = 2e-5
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
    print("| edits | measure | with bounds | plain pass | with bounds, by the clock | plain pass, by the clock | |")
    print("| ---: | --- | ---: | ---: | ---: | ---: | --- |")
    for size in options.sizes:
        for line in measured(work, size):
            print(line, flush=True)
    return 0


def measured(work: Path, size: int) -> list[str]:
    """Rows of the table: with the vectors as they are, and in the measure of a repository's own edits."""
    edits, vectors, model = questions(work / "queries.npz")
    process = psutil.Process()
    lines = []
    with Index.open(KEY, model, folder=work / f"index{size}", edit_size=vectors.shape[1]) as index:
        index.search(edits[0], vectors[0], k=K)
        before = process.memory_info()
        memory: Memory = index._memory
        asked = memory.range(None)
        plain = PlainPass(memory, asked)
        own = (process.memory_info().rss - before.rss) / 1e6
        sample = np.linspace(0, len(memory) - 1, 2_000).astype(np.int64)
        whitening = Whitening.of(memory.matrix.floats(sample))
        for measure in ("the cosine", "the repository's own"):
            times: dict[str, list[tuple[float, float]]] = {"bounds": [], "plain": []}
            for edit, vector in zip(edits, vectors, strict=True):
                query = index._query(edit, vector, asked)
                looked_up = vector if measure == "the cosine" else whitening.query(vector)
                query = Query(vector=looked_up, words=query.words, place=query.place)
                allowed = index._allowed(asked, (edit.path, edit.definition))
                answers = [
                    timed(times["bounds"], lambda: memory.best(query, K, index.blend, asked, allowed)),  # noqa: B023
                    timed(times["plain"], lambda: plain.best(query, K, index.blend, allowed)),  # noqa: B023
                ]
                blended = [scores.blended(index.blend) for _, scores in answers]
                if not (np.array_equal(answers[0][0], answers[1][0]) and np.array_equal(*blended)):
                    raise AssertionError(f"other answers about {edit.path}::{edit.definition}")
            figures = [
                statistics.median(of) * 1e3
                for clock in (0, 1)
                for of in ([one[clock] for one in times[name]] for name in ("bounds", "plain"))
            ]
            ratio = figures[1] / figures[0]
            lines.append(
                f"| {len(memory):,} | {measure} | "
                + " | ".join(f"{number(figure)} ms" for figure in figures)
                + f" | {number(ratio)} times the time; lists of words: {number(own)} MB |"
            )
    return lines


def timed(into: list[tuple[float, float]], ask: Callable[[], Any]) -> Any:
    """An answer; its processor time and its time by the clock are noted."""
    clock, processor = time.perf_counter(), time.process_time()
    answer = ask()
    into.append((time.process_time() - processor, time.perf_counter() - clock))
    return answer


class PlainPass:
    """The lists of words and places of every edit, and the pass over all of them."""

    def __init__(self, memory: Memory, asked: SearchRange) -> None:
        self._memory, self._asked = memory, asked
        self._words = Lexicon.joined([part.words for part in memory.parts], common=0)
        self._places = Lexicon.joined([part.places for part in memory.parts], common=0)
        self._word_norms = self._words.inverse_lengths(asked.words)
        self._place_norms = self._places.inverse_lengths(asked.places)

    def best(
        self, query: Query, k: int, blend: Blend, allowed: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], Scores]:
        """As ``Memory.best``."""
        memory, asked = self._memory, self._asked
        total = memory.matrix.products(query.vector[None], range(len(memory)))[0]
        total *= np.float32(blend.meaning)
        words = Weighing.of(query.words, asked.words)
        signed, unsigned = _products(self._words, words)
        signed *= np.float32(blend.signed)
        unsigned *= np.float32(blend.unsigned)
        signed += unsigned
        signed *= self._word_norms
        signed *= np.float32(1 / words.length if words.length else 0)
        total += signed
        place = Weighing.of(query.place, asked.places)
        _, near = _products(self._places, place)
        near *= self._place_norms
        near *= np.float32(blend.place / place.length if place.length else 0)
        total += near[memory.place_of.values]
        if allowed is not None:
            total[~allowed] = -np.inf
        least = np.partition(total, len(total) - k)[len(total) - k]
        rows = np.flatnonzero(total >= least - ROUNDING)
        scores = memory.scores(query, asked, rows)
        order = np.lexsort((rows, -scores.blended(blend)))[:k]
        return rows[order], Scores(
            scores.meaning[order], scores.signed[order], scores.unsigned[order], scores.place[order]
        )


def _products(lexicon: Lexicon, query: Weighing) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """For every document the products with the query, with signs and without, not yet divided by the lengths."""
    signed, unsigned = (np.zeros(len(lexicon), dtype=np.float32) for _ in range(2))
    at = np.searchsorted(lexicon.vocabulary, query.numbers)
    for place, term in zip(at.tolist(), query.numbers.tolist(), strict=True):
        if place == len(lexicon.vocabulary) or lexicon.vocabulary[place] != term:
            continue
        own = slice(int(lexicon._lists[place]), int(lexicon._lists[place + 1]))
        added = WEIGHTS[lexicon._weights[own].view(np.uint8)] * query.signed[term]
        documents = lexicon._documents[own]
        signed[documents] += added
        unsigned[documents] += np.abs(added)
    return signed, unsigned


if __name__ == "__main__":
    stay_on_one_core()
    sys.exit(main())

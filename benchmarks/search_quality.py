"""Sibling retrieval (``python -m benchmarks.search_quality``): does asking for one edit of a commit find the others?

Within the newest edits of a repository, each edit of a commit with 2–20 edits asks for the others of its commit, in a
gallery of all edits but those of its own definition. Equal scores are ranked at random: what a score cannot see must
not win. Scored by the index itself, as it answers an editor. The repositories are clones in one folder, ``owner+name``
each, bare or not; the default ones are for choosing weights and thresholds, not for final figures.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.history import CommitEdits, Edit, Repository
from codewm_lsp.index import LEXICAL, Blend, Index, changed_words
from codewm_lsp.world_model import WorldModel

VALIDATION = ("encode/uvicorn", "PyCQA/isort", "urllib3/urllib3", "encode/starlette", "tox-dev/tox")
SETTINGS = ((300, 32), (3_000, None))  # edits in the gallery, and of one commit at most
SIBLINGS = range(2, 21)  # edits of a commit that asks
DEPTH = 10

Score = Callable[[int], NDArray[np.floating]]  # row of an edit → a score for every row


@dataclass(frozen=True, slots=True)
class Quality:
    """What a score achieved in one gallery, means over its queries."""

    queries: int
    mrr: float
    first: float  # share of queries with a sibling in the first place
    ten: float  # … among the first ten
    other_file: float  # MRR where only siblings in another file count
    by_commit: float  # MRR with every commit weighing alike


class Gallery:
    """The newest edits of a repository, in an index of their own."""

    def __init__(self, commits: Sequence[CommitEdits], size: int, most: int | None) -> None:
        self.commits: list[CommitEdits] = []
        self.edits: list[Edit] = []
        self._asking: list[bool] = []
        for commit in commits:
            edits = commit.edits[:most][: size - len(self.edits)]
            if edits:
                self.commits.append(dataclasses.replace(commit, edits=edits))
                self.edits.extend(edits)
                self._asking.extend([len(commit.edits) in SIBLINGS] * len(edits))
        self._commit = np.repeat(np.arange(len(self.commits)), [len(commit.edits) for commit in self.commits])
        self._path = _numbered(edit.path for edit in self.edits)
        self._definition = _numbered((edit.path, edit.definition) for edit in self.edits)

    def quality(self, score: Score, seed: int) -> Quality:
        """Rank the gallery for every edit that asks."""
        random = np.random.default_rng(seed)
        ranks: list[int] = []
        elsewhere: list[int] = []
        askers: list[int] = []
        for row in np.flatnonzero(self._asking):
            others = self._definition != self._definition[row]
            siblings = others & (self._commit == self._commit[row])
            if not siblings.any():
                continue
            order = np.lexsort((random.random(len(self.edits)), -score(int(row))))
            order = order[others[order]]
            ranks.append(int(np.argmax(siblings[order])))
            askers.append(int(self._commit[row]))
            away = siblings & (self._path != self._path[row])
            if away.any():
                elsewhere.append(int(np.argmax(away[order])))
        rank = np.array(ranks)
        gain = _reciprocal(rank)
        by_commit = np.bincount(askers, weights=gain) / np.maximum(np.bincount(askers), 1)
        return Quality(
            queries=len(ranks),
            mrr=float(gain.mean()),
            first=float((rank == 0).mean()),
            ten=float((rank < DEPTH).mean()),
            other_file=float(_reciprocal(np.array(elsewhere)).mean()),
            by_commit=float(by_commit[np.unique(askers)].mean()),
        )


def _reciprocal(ranks: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.where(ranks < DEPTH, 1.0 / (ranks + 1), 0.0)


def _numbered(keys: Iterator[object]) -> NDArray[np.int64]:
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys])


def bm25(edits: Sequence[Edit], k1: float = 1.2, b: float = 0.75) -> Score:
    """BM25 over changed words, a word added and a word removed being different terms."""
    bags = [changed_words(edit.before, edit.after) for edit in edits]
    length = np.array([sum(map(abs, bag.values())) for bag in bags], dtype=float)
    relative = 1 - b + b * length / max(1.0, length.mean())
    postings: dict[tuple[str, bool], list[tuple[int, int]]] = defaultdict(list)
    for row, bag in enumerate(bags):
        for word, count in bag.items():
            postings[word, count > 0].append((row, abs(count)))
    weights = {}
    for term, pairs in postings.items():
        rows, counts = np.array(pairs).T
        idf = np.log(1 + (len(edits) - len(rows) + 0.5) / (len(rows) + 0.5))
        weights[term] = rows, idf * counts * (k1 + 1) / (counts + k1 * relative[rows])

    def score(row: int) -> NDArray[np.floating]:
        total = np.zeros(len(edits))
        for word, count in bags[row].items():
            rows, values = weights[word, count > 0]
            total[rows] += values
        return total

    return score


def scores_of(gallery: Gallery, model: WorldModel | None, seed: int, blends: dict[str, Blend]) -> dict[str, Score]:
    """The scores to compare; those of the index are computed once, before its file goes away."""
    pairs = [(edit.before, edit.after) for edit in gallery.edits]
    vectors = model.embed_edits(pairs) if model is not None else np.zeros((len(pairs), 1), dtype=np.float32)
    ends = np.cumsum([len(commit.edits) for commit in gallery.commits])[:-1]
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        Index.open("gallery", "benchmark", folder=Path(folder), edit_size=vectors.shape[1]) as index,
    ):
        index.log.add(list(zip(gallery.commits, np.split(vectors, ends), strict=True)))
        parts = [index.scores(edit, vector) for edit, vector in zip(gallery.edits, vectors, strict=True)]
    random = np.random.default_rng(seed)

    def blended(blend: Blend) -> Score:
        return lambda row: parts[row].blended(blend)

    def part(name: str) -> Score:
        return lambda row: getattr(parts[row], name)

    found: dict[str, Score] = {
        "random": lambda row: random.random(len(pairs)),
        "path and qualified name, idf": part("place"),
        "BM25 over changed words": bm25(gallery.edits),
        "changed words, signed, idf": part("signed"),
        "changed words, unsigned, idf": part("unsigned"),
        "the bar: signed 0.4 + unsigned 0.4 + place 0.2": blended(LEXICAL),
    }
    if model is not None:
        found["the model alone"] = part("meaning")
    return found | {name: blended(blend) for name, blend in blends.items()}


def newest(repository: Repository, edits: int) -> list[CommitEdits]:
    """The newest commits with at least so many edits between them."""
    found: list[CommitEdits] = []
    count = 0
    for commit in repository.commits():
        if commit.edits:
            found.append(commit)
            count += len(commit.edits)
        if count >= edits:
            break
    return found


def table(results: dict[str, dict[str, dict[str, Quality]]]) -> str:
    """Markdown: a table for each size of the gallery, a line for each score, the mean over the repositories."""
    lines: list[str] = []
    for setting, by_repository in results.items():
        queries = Counter({name: next(iter(found.values())).queries for name, found in by_repository.items()})
        lines += [
            "",
            f"{setting}; {len(by_repository)} repositories, {queries.total():,} queries",
            "",
            "| score | MRR@10 | R@1 | R@10 | sibling in another file | every commit alike | "
            + " | ".join(by_repository)
            + " |",
            "| --- " * (6 + len(by_repository)) + "|",
        ]
        for score in next(iter(by_repository.values())):
            own = [found[score] for found in by_repository.values()]
            means = [
                float(np.mean([getattr(quality, field) for quality in own]))
                for field in ("mrr", "first", "ten", "other_file", "by_commit")
            ]
            figures = [f"{value:.3f}" for value in (*means, *(quality.mrr for quality in own))]
            lines.append(f"| {score} | " + " | ".join(figures) + " |")
    return "\n".join(lines[1:])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search_quality", description=__doc__)
    parser.add_argument("repositories", nargs="*", default=VALIDATION, metavar="OWNER/NAME")
    parser.add_argument("--folder", type=Path, help="where the clones are (default: the variable CODEWM_REPOS)")
    parser.add_argument(
        "--model", metavar="DIR", help="also measure this bundle; 'shipped' for the one that is shipped"
    )
    parser.add_argument(
        "--blend", type=float, nargs=4, action="append", default=[], metavar=("MEANING", "SIGNED", "UNSIGNED", "PLACE")
    )
    parser.add_argument("--seed", type=int, default=0, help="of ties and of the random score")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    options = parser.parse_args(arguments)
    folder = options.folder or (Path(os.environ["CODEWM_REPOS"]) if "CODEWM_REPOS" in os.environ else None)
    if folder is None:
        parser.error("say where the clones are: --folder, or the variable CODEWM_REPOS")
    model = WorldModel.load(None if options.model == "shipped" else Path(options.model)) if options.model else None
    blends = {"blend " + " ".join(map(str, weights)): Blend(*weights) for weights in options.blend}
    if model is not None:
        blends |= {f"the index's own blend {dataclasses.astuple(Blend())}": Blend()}

    results: dict[str, dict[str, dict[str, Quality]]] = {}
    ranges: dict[str, dict[str, str]] = {}
    for name in options.repositories:
        started = time.perf_counter()
        with Repository.open(folder / name.replace("/", "+")) as repository:
            commits = newest(repository, max(size for size, _ in SETTINGS))
        ranges[name] = {"newest": commits[0].commit.sha, "oldest": commits[-1].commit.sha}
        for size, most in SETTINGS:
            gallery = Gallery(commits, size, most)
            setting = f"newest {size:,} edits" + (f", at most {most} of a commit" if most else "")
            scores = scores_of(gallery, model, options.seed, blends)
            results.setdefault(setting, {})[name] = {
                label: gallery.quality(score, options.seed) for label, score in scores.items()
            }
        print(f"measured: {name} ({time.perf_counter() - started:.0f} s)", file=sys.stderr, flush=True)
    print(table(results))
    if options.json:
        report = {
            "seed": options.seed,
            "model": model.hash if model is not None else None,
            "commits": ranges,
            "results": {
                setting: {
                    name: {score: dataclasses.asdict(quality) for score, quality in found.items()}
                    for name, found in by_repository.items()
                }
                for setting, by_repository in results.items()
            },
        }
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

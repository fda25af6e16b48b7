"""How well a commit's subject finds its edits (``python -m codewm_model.evaluation.word_search``).

The newest edits of a repository are in the index, without the subjects of their commits. The subject of one of these
commits is the question. Each system ranks the edits; commits are ranked by their best edit, and the commit asked
about should come first: MRR, the mean over repositories. Clones lie in the folder that CODEWM_REPOS names.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.history import CommitEdits
from codewm_lsp.index import Index, changed_words, place_words
from codewm_lsp.index.text_search import FieldWeights
from codewm_lsp.index.words import terms
from codewm_lsp.source import words_of_text
from codewm_model.evaluation.bags import Bags, bm25_of_terms
from codewm_model.evaluation.cache import Cache
from codewm_model.evaluation.repositories import find, folder_of_clones, newest_commits, sets

OWN: Final = "codewm search"
SYSTEMS: Final[dict[str, FieldWeights]] = {
    OWN: FieldWeights(subject=0),
    "… without the rest of the commit": FieldWeights(subject=0, commit=0),
    "… without path and name for themselves": FieldWeights(subject=0, place=0),
}
Ranking = Callable[[int], NDArray[np.floating]]  # number of a commit → a score for each edit


def bm25(counters: Sequence[Counter[str]]) -> Callable[[str], NDArray[np.float32]]:
    """BM25 of a text against bags of words."""
    bags = Bags(
        np.cumsum([0, *map(len, counters)]).astype(np.int64),
        terms(word for counter in counters for word in counter),
        np.array([count for counter in counters for count in counter.values()], np.float32),
    )
    scores = bm25_of_terms(bags)
    return lambda text: scores(terms(dict.fromkeys(words_of_text(text))))


def reciprocal_ranks(
    commits: Sequence[CommitEdits], asked: Sequence[int], ranking: Ranking, seed: int
) -> NDArray[np.float64]:
    """1 / rank of each commit asked about. Ties are ordered at random."""
    owner = np.repeat(np.arange(len(commits)), [len(commit.edits) for commit in commits])
    random = np.random.default_rng(seed)
    found = []
    for number in asked:
        best = np.full(len(commits), -np.inf)
        np.maximum.at(best, owner, ranking(number))
        order = np.lexsort((random.random(len(commits)), -best))
        found.append(1.0 / (1 + int(np.flatnonzero(order == number)[0])))
    return np.array(found)


def measure(
    commits: Sequence[CommitEdits], limit: int, seed: int, systems: dict[str, FieldWeights] | None = None
) -> dict[str, NDArray[np.float64]]:
    """System → 1 / rank of each commit asked about; ``limit`` commits at most are."""
    edits = [edit for commit in commits for edit in commit.edits]
    sizes = [len(commit.edits) for commit in commits]
    subjects = [commit.commit.subject for commit in commits]
    asked = np.random.default_rng(seed).permutation(len(commits))[:limit].tolist()
    words = [Counter({word: abs(n) for word, n in changed_words(e.before, e.after).items()}) for e in edits]
    named = [bag + Counter(place_words(edit.path, edit.definition)) for bag, edit in zip(words, edits, strict=True)]
    ends = np.cumsum([0, *sizes]).tolist()

    def of_commits(bags: Sequence[Counter[str]]) -> list[Counter[str]]:
        return [sum(bags[a:b], Counter()) for a, b in itertools.pairwise(ends)]

    def plain(bags: Sequence[Counter[str]]) -> Ranking:
        scores = bm25(bags)
        return lambda number: scores(subjects[number])

    def plain_commits(bags: Sequence[Counter[str]]) -> Ranking:
        scores = bm25(of_commits(bags))
        return lambda number: np.repeat(scores(subjects[number]), sizes)

    rankings: dict[str, Ranking] = {
        "random": lambda number: np.zeros(len(edits)),
        "BM25 over changed words": plain(words),
        "BM25 over changed words, of the whole commit": plain_commits(words),
        "BM25 over changed words, paths and names": plain(named),
        "BM25 over changed words, paths and names, of the whole commit": plain_commits(named),
    }
    found = {name: reciprocal_ranks(commits, asked, ranking, seed) for name, ranking in rankings.items()}
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        Index.open("gallery", "word search", folder=Path(folder), edit_size=1) as index,
    ):
        index.log.add([(commit, np.zeros((len(commit.edits), 1), dtype=np.float32)) for commit in commits])
        for name, weights in (systems or SYSTEMS).items():

            def own(number: int, weights: FieldWeights = weights) -> NDArray[np.float64]:
                return index.text_scores(subjects[number], weights)

            found[name] = reciprocal_ranks(commits, asked, own, seed)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m codewm_model.evaluation.word_search", description=__doc__)
    parser.add_argument("--set", default="validation", choices=sorted(sets()), dest="chosen")
    parser.add_argument("--gallery", type=int, default=3_000, metavar="N", help="newest edits of each repository")
    parser.add_argument("--limit", type=int, default=300, metavar="N", help="commits of each that are asked about")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="N")
    parser.add_argument("--cache", type=Path, required=True, metavar="DIR", help="where mined edits are kept")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    options = parser.parse_args(arguments)
    clones, left_out = find(folder_of_clones(), sets()[options.chosen], required=False)
    figures: dict[str, dict[str, float]] = {}
    queries = 0
    for clone in clones:
        commits = newest_commits(clone, options.gallery, Cache(options.cache))
        runs = [measure(commits, options.limit, seed) for seed in options.seeds]
        queries += len(next(iter(runs[0].values())))
        for name in runs[0]:
            figures.setdefault(name, {})[clone.name] = float(np.mean([run[name].mean() for run in runs]))
        print(f"measured {clone.name}", flush=True)
    print(f"\n{len(clones)} repositories, {queries:,} commits asked about a seed, seeds {options.seeds}")
    print("not measured: " + (", ".join(left_out) or "none") + "\n\n| system | MRR |\n| --- | --- |")
    for name, by_repository in figures.items():
        print(f"| {name} | {np.mean(list(by_repository.values())):.3f} |")
    if options.json:
        options.json.write_text(json.dumps({"queries": queries, "mrr": figures}, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

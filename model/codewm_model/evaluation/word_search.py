"""How well a commit's subject finds its edits (``python -m codewm_model.evaluation.word_search``).

The newest edits of a repository are in the index, without the subjects of their commits. The subject of one of these
commits is the question. Each system ranks the edits; commits are ranked by their best edit, and the commit asked
about should come first: MRR, the mean over repositories, with the 95 % interval of a bootstrap over them. Clones lie
in the folder that CODEWM_REPOS names. ``--minilm`` adds a sentence encoder, which takes 40 ms an edit.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.history import CommitEdits, Edit
from codewm_lsp.index import Index, changed_words, place_words
from codewm_lsp.index.edit_words import terms
from codewm_lsp.index.text_search import FieldWeights
from codewm_lsp.source import words_of_text
from codewm_model.evaluation.bags import Bags, bm25_of_terms, diff_lines, sentence_encoder
from codewm_model.evaluation.cache import Cache
from codewm_model.evaluation.measurement import Figure, Role
from codewm_model.evaluation.repositories import find, folder_of_clones, newest_commits, sets
from codewm_model.evaluation.significance import summarise

OWN: Final = "codewm search"
SYSTEMS: Final[dict[str, FieldWeights]] = {
    OWN: FieldWeights(subject=0),
    "… without what is learnt of commits": FieldWeights(subject=0, learnt=False),
    "… nor the rest of the commit": FieldWeights(subject=0, commit=0, learnt=False),
    "… nor path and name for themselves": FieldWeights(subject=0, place=0, learnt=False),
}
RANDOM: Final = "random"
MINILM: Final = "MiniLM over paths, names and changed lines"
LONGEST: Final = 2_000  # characters of an edit that the sentence encoder is given: it reads 256 tokens
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


def minilm(edits: Sequence[Edit], subjects: Sequence[str]) -> Ranking:
    """The cosine of a subject and an edit by all-MiniLM-L6-v2. Raises OptionError where it is not installed."""
    encoder = sentence_encoder()

    def encoded(texts: Sequence[str]) -> NDArray[np.float32]:
        found = encoder.encode(list(texts), batch_size=32, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(found, np.float32)

    texts = (f"{edit.path} {edit.definition}\n{diff_lines(edit.before, edit.after)}" for edit in edits)
    vectors, asked = encoded([text[:LONGEST] for text in texts]), encoded(subjects)
    return lambda number: vectors @ asked[number]


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
    commits: Sequence[CommitEdits],
    limit: int,
    seed: int,
    systems: dict[str, FieldWeights] | None = None,
    further: Mapping[str, Ranking] | None = None,
) -> dict[str, NDArray[np.float64]]:
    """System → 1 / rank of each commit asked about; ``limit`` commits at most are. ``further``: other systems."""
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
        RANDOM: lambda number: np.zeros(len(edits)),
        "BM25 over changed words": plain(words),
        "BM25 over changed words, of the whole commit": plain_commits(words),
        "BM25 over changed words, paths and names": plain(named),
        "BM25 over changed words, paths and names, of the whole commit": plain_commits(named),
        **(further or {}),
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
    parser.add_argument("--minilm", action="store_true", help="also measure all-MiniLM-L6-v2 (the extra minilm)")
    parser.add_argument("--cache", type=Path, required=True, metavar="DIR", help="where mined edits are kept")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    options = parser.parse_args(arguments)
    clones, left_out = find(folder_of_clones(), sets()[options.chosen], required=False)
    figures: list[Figure] = []
    for clone in clones:
        commits = newest_commits(clone, options.gallery, Cache(options.cache))
        edits, subjects = [edit for one in commits for edit in one.edits], [one.commit.subject for one in commits]
        further = {MINILM: minilm(edits, subjects)} if options.minilm else {}
        for seed in options.seeds:
            for name, ranks in measure(commits, options.limit, seed, further=further).items():
                mean, count = float(ranks.mean()), len(ranks)
                figures.append(Figure("search", "MRR", "subjects", name, clone.name, mean, count, seed))
        print(f"measured {clone.name}", flush=True)
    names = dict.fromkeys(figure.system for figure in figures)
    roles = {name: Role.CHANCE if name == RANDOM else Role.BASELINE for name in names}
    roles |= dict.fromkeys(SYSTEMS, Role.BOUND) | {OWN: Role.MODEL}
    rows = summarise(figures, roles, {"MRR": True})["subjects"]["MRR"]
    print(f"\n{len(clones)} repositories, {rows[OWN].n:,} commits asked about a seed, seeds {options.seeds}")
    print(
        "not measured: " + (", ".join(left_out) or "none") + "\n\n| system | MRR | 95 % interval |\n| --- | --- | --- |"
    )
    for name in names:
        row = rows[name]
        print(f"| {name} | {row.mean:.3f} | {row.low:.3f} to {row.high:.3f} |")
    against = rows[OWN].against
    if against is not None:
        by = f"{against.difference:+.3f}, 95 % interval {against.low:+.3f} to {against.high:+.3f}, p {against.p:.3f}"
        print(f"\n{OWN} against {against.other}: {by}")
    if options.json:
        means = {name: dict(rows[name].by_repository) for name in names}
        options.json.write_text(json.dumps({"queries": rows[OWN].n, "mrr": means}, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

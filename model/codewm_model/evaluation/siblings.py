"""E4 on the arrays of a corpus, as training and the model card need it; ``sibling_search`` has the whole protocol."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codewm_model.data.repository_corpus import RepositoryCorpus
from codewm_model.evaluation.bags import Bags, by_vectors, cosine
from codewm_model.evaluation.galleries import Gallery, asking, reciprocal


@dataclass(frozen=True, slots=True)
class Siblings:
    """Result over one repository: mean reciprocal rank at 10, recall at 1 and 10, and the same for other files only.

    ``gains``: the reciprocal rank of each query; ``commits``: the commit of each.
    """

    queries: int
    gallery: int
    mrr: float
    recall_1: float
    recall_10: float
    other_file_queries: int
    other_file_mrr: float
    gains: NDArray[np.float64]
    commits: NDArray[np.int64]


def newest(corpus: RepositoryCorpus, gallery: int, *, per_commit: int | None) -> NDArray[np.int64]:
    """Rows of the newest edits, at most ``per_commit`` of a commit."""
    taken: Counter[int] = Counter()
    rows = []
    for row, commit in enumerate(corpus.commit.tolist()):
        if per_commit is None or taken[commit] < per_commit:
            taken[commit] += 1
            rows.append(row)
        if len(rows) >= gallery:
            break
    return np.array(rows, np.int64)


def sibling_retrieval(
    corpus: RepositoryCorpus,
    rows: NDArray[np.int64],
    score: Callable[[int], NDArray[np.float32]],
    *,
    seed: int,
    queries: int = 1_000,
) -> Siblings:
    """E4 over ``rows``; ``score(i)`` gives the scores of all rows for the query ``rows[i]``. Ties at random."""
    commit, path = corpus.commit[rows].astype(np.int64), corpus.path[rows]
    gallery = Gallery(commit, path, path ^ (corpus.definition[rows] << 1), asking(commit))
    asked = gallery.sample(queries, seed)
    ranks = gallery.ranks(asked, score, [seed])[0]
    found = ranks.metrics()
    counted = ranks.any >= 0
    nothing = (float("nan"), 0)
    mrr, count = found.get("MRR@10", nothing)
    elsewhere, others = found.get("MRR@10, sibling in another file", nothing)
    return Siblings(
        queries=count,
        gallery=len(rows),
        mrr=mrr,
        recall_1=found.get("R@1", nothing)[0],
        recall_10=found.get("R@10", nothing)[0],
        other_file_queries=others,
        other_file_mrr=elsewhere,
        gains=reciprocal(ranks.any[counted]),
        commits=ranks.commits[counted],
    )


def by_words(corpus: RepositoryCorpus, rows: NDArray[np.int64]) -> Callable[[int], NDArray[np.float32]]:
    """The baseline to beat: signed bag of changed words, idf over the same rows."""
    ragged = corpus.changed
    terms: list[NDArray[np.uint64]] = []
    counts: list[NDArray[np.float32]] = []
    for row in rows.tolist():
        span = slice(int(ragged.offsets[row]), int(ragged.offsets[row + 1]))
        keep = (ragged.numbers[span, 4] == 0) & (ragged.net[span] != 0)  # words only, and only what did not cancel
        net = ragged.net[span][keep].astype(np.float32)
        terms.append(ragged.hashes[span][keep])
        counts.append((np.sign(net) * np.expm1(np.abs(net))).astype(np.float32))  # the corpus keeps them damped
    return cosine(
        Bags(
            np.cumsum([0, *(len(one) for one in terms)]).astype(np.int64),
            np.concatenate([np.zeros(0, np.uint64), *terms]),
            np.concatenate([np.zeros(0, np.float32), *counts]),
        ),
        idf=True,
    )


__all__ = ["Siblings", "by_vectors", "by_words", "newest", "sibling_retrieval"]

"""E4, sibling retrieval: of one edit of a commit, are its siblings found among the repository's other edits?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codewm_model.corpus import RepositoryCorpus


@dataclass(frozen=True, slots=True)
class Siblings:
    """Result over one repository: mean reciprocal rank at 10, recall at 1 and 10, and the same for other files only."""

    queries: int
    gallery: int
    mrr: float
    recall_1: float
    recall_10: float
    other_file_queries: int
    other_file_mrr: float


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
    random = np.random.default_rng(seed)
    commit, path = corpus.commit[rows], corpus.path[rows]
    same = path ^ (corpus.definition[rows] << 1)
    counts = Counter(commit.tolist())
    asked = [i for i in range(len(rows)) if 2 <= counts[int(commit[i])] <= 20]
    if len(asked) > queries:
        asked = sorted(random.choice(asked, queries, replace=False).tolist())
    found, elsewhere = [], []
    for i in asked:
        scores = score(i).astype(np.float64) + random.random(len(rows)) * 1e-9
        allowed = same != same[i]
        sibling = (commit == commit[i]) & allowed
        if sibling.any():
            found.append(int((scores[allowed] > scores[sibling].max()).sum()))
        other = sibling & (path != path[i])
        if other.any():
            rivals = allowed & ~(sibling & ~other)
            elsewhere.append(int((scores[rivals] > scores[other].max()).sum()))
    ranks, other_ranks = np.array(found), np.array(elsewhere)

    def mrr(values: NDArray[np.int64]) -> float:
        return float(np.where(values < 10, 1 / (values + 1.0), 0).mean()) if len(values) else float("nan")

    return Siblings(
        queries=len(ranks),
        gallery=len(rows),
        mrr=mrr(ranks),
        recall_1=float((ranks < 1).mean()) if len(ranks) else float("nan"),
        recall_10=float((ranks < 10).mean()) if len(ranks) else float("nan"),
        other_file_queries=len(other_ranks),
        other_file_mrr=mrr(other_ranks),
    )


def by_vectors(vectors: NDArray[np.float32]) -> Callable[[int], NDArray[np.float32]]:
    """Scores by cosine of rows of length 1."""
    return lambda i: vectors @ vectors[i]


def by_words(corpus: RepositoryCorpus, rows: NDArray[np.int64]) -> Callable[[int], NDArray[np.float32]]:
    """The baseline to beat: signed bag of changed words, idf over the same rows."""
    ragged = corpus.changed
    entries: list[tuple[NDArray[np.uint64], NDArray[np.float32]]] = []
    frequency: Counter[int] = Counter()
    for row in rows.tolist():
        span = slice(int(ragged.offsets[row]), int(ragged.offsets[row + 1]))
        keep = (ragged.numbers[span, 4] == 0) & (ragged.net[span] != 0)  # words only, and only what did not cancel
        hashes = ragged.hashes[span][keep]
        entries.append((hashes, ragged.net[span][keep].astype(np.float32)))
        frequency.update(hashes.tolist())
    inverted: dict[int, tuple[list[int], list[float]]] = {}
    for i, (hashes, net) in enumerate(entries):
        idf = np.array([np.log((len(rows) + 1) / (frequency[h] + 1)) for h in hashes.tolist()], np.float32)
        values = net * idf
        length = float(np.linalg.norm(values)) or 1.0
        for h, value in zip(hashes.tolist(), (values / length).tolist(), strict=True):
            entry = inverted.setdefault(h, ([], []))
            entry[0].append(i)
            entry[1].append(value)
    postings = {h: (np.array(d), np.array(w, np.float32)) for h, (d, w) in inverted.items()}
    own: list[dict[int, float]] = [{} for _ in entries]
    for h, (documents, weights) in postings.items():
        for document, value in zip(documents.tolist(), weights.tolist(), strict=True):
            own[document][h] = value

    def score(i: int) -> NDArray[np.float32]:
        scores = np.zeros(len(rows), np.float32)
        for h, value in own[i].items():
            documents, weights = postings[h]
            scores[documents] += value * weights
        return scores

    return score

"""E4 of bundles, as they are shipped, beside its plain baselines: what a model card says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.history import Edit, Repository
from codewm_lsp.world_model import WorldModel
from codewm_model.data.repository_corpus import RepositoryCorpus
from codewm_model.evaluation.siblings import Siblings, by_vectors, by_words, newest, sibling_retrieval

RESAMPLES: Final = 2_000


def edits_of(repository: Repository, commits: Sequence[str]) -> list[Edit]:
    """The texts of the edits of some commits, newest first."""
    return [edit for sha in commits for edit in repository.edits_of(sha).edits]


def measure(
    clones: Sequence[Path],
    corpora: Sequence[RepositoryCorpus],
    models: dict[str, WorldModel],
    *,
    galleries: Sequence[tuple[str, int, int | None]],
    share: float | None = None,
    what: str = "validation repositories",
    queries: int = 1_000,
    seed: int = 0,
    progress: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """E4 on the newest edits of each clone; ``share`` restricts it to the newest part of the corpus (held-out edits).

    ``galleries``: (name, newest edits, at most so many a commit). Returns what ``card`` prints, and ``gain``: how much
    better the last of several models is than the first, in the first gallery.
    """
    largest = max(size for _, size, _ in galleries)
    results: dict[str, dict[str, list[Siblings]]] = {name: {} for name, _, _ in galleries}
    for clone, corpus in zip(clones, corpora, strict=True):
        progress(corpus.name)
        limit = len(corpus) if share is None else int(share * len(corpus))
        rows_of = {
            name: newest(corpus, min(size, limit), per_commit=per_commit) for name, size, per_commit in galleries
        }
        wanted = np.unique(np.concatenate(list(rows_of.values())))
        pairs = _pairs(clone, corpus, wanted, largest)
        vectors = {
            name: {int(row): vector for row, vector in zip(wanted, model.embed_edits(pairs), strict=True)}
            for name, model in models.items()
        }
        for gallery, _, _ in galleries:
            rows = rows_of[gallery]
            scores: dict[str, Callable[[int], NDArray[np.float32]]] = {
                "random": by_chance(len(rows), seed),
                "words": by_words(corpus, rows),
            }
            for name in models:
                scores[name] = by_vectors(np.stack([vectors[name][int(row)] for row in rows]))
            for name, score in scores.items():
                results[gallery].setdefault(name, []).append(
                    sibling_retrieval(corpus, rows, score, seed=seed, queries=queries)
                )
    table = []
    for gallery, found in results.items():
        for suffix, value, count in (
            ("", "mrr", "queries"),
            (", sibling in another file", "other_file_mrr", "other_file_queries"),
        ):
            means = {name: _mean([getattr(s, value) for s in each]) for name, each in found.items()}
            asked = sum(getattr(s, count) for s in found["words"])
            if asked:
                table.append({"what": gallery + suffix, "queries": asked, **means})
    names = tuple(models)
    last = names[-1]
    verdict = "Nothing was measured: no commit among these edits changes several definitions."
    if table:
        first = table[0]
        verdict = (
            f"On the first row *{last}* is {'above' if first[last] > first['words'] else 'NOT above'} the words "
            f"baseline ({first[last]:.3f} against {first['words']:.3f})."
        )
    return {
        "what": what,
        "repositories": [c.name.replace("+", "/") for c in corpora],
        "models": list(models),
        "seed": seed,
        "rows": table,
        "verdict": verdict,
        "gain": gained(*(results[galleries[0][0]][name] for name in (last, names[0]))) if table else None,
    }


def gained(ours: Sequence[Siblings], theirs: Sequence[Siblings], *, seed: int = 0) -> dict[str, float] | None:
    """The mean difference of the reciprocal ranks of the same queries, and its 95 % interval; None for no queries.

    The interval is that of a bootstrap over commits: the queries of a commit are not independent.
    """
    sums: list[NDArray[np.float64]] = []
    sizes: list[NDArray[np.int64]] = []
    for one, other in zip(ours, theirs, strict=True):
        _, commit, count = np.unique(one.commits, return_inverse=True, return_counts=True)
        sums.append(np.bincount(commit, weights=one.gains - other.gains, minlength=len(count)).astype(np.float64))
        sizes.append(count)
    total, size = np.concatenate(sums), np.concatenate(sizes)
    if not len(size):
        return None
    drawn = np.random.default_rng(seed).integers(len(size), size=(RESAMPLES, len(size)))
    low, high = np.percentile(total[drawn].sum(axis=1) / size[drawn].sum(axis=1), (2.5, 97.5))
    mean = float(total.sum() / size.sum())
    return {"mean": mean, "low": float(low), "high": float(high), "queries": int(size.sum()), "commits": len(size)}


def by_chance(count: int, seed: int) -> Callable[[int], NDArray[np.float32]]:
    """Scores that know nothing."""
    random = np.random.default_rng(seed)
    return lambda i: random.random(count, np.float32)


def _mean(values: list[float]) -> float:
    return float(np.nanmean(values)) if not np.all(np.isnan(values)) else float("nan")


def _pairs(clone: Path, corpus: RepositoryCorpus, rows: NDArray[np.int64], most: int) -> list[tuple[str, str]]:
    """Texts of some edits of a corpus, found again in the clone."""
    from codewm_model.data.repository_corpus import stable

    with Repository.open(clone) as repository:
        commits = sorted({int(corpus.commit[row]) for row in rows})
        texts: dict[tuple[int, int, int], tuple[str, str]] = {}
        for commit in commits:
            for edit in repository.edits_of(corpus.commits[commit]).edits:
                texts.setdefault((commit, stable(edit.path), stable(edit.definition)), (edit.before, edit.after))
    return [texts.get((int(corpus.commit[r]), int(corpus.path[r]), int(corpus.definition[r])), ("", "")) for r in rows]

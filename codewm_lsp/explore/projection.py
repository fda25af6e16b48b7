"""Where edits lie on a map: a projection of their vectors into the plane that keeps neighbours together.

Linear directions first (as in ``index.whitening``, those that most edits share count for less), then the nearest
neighbours of each edit among the clusters around it, then a layout in which neighbours attract and all others repel
each other, by the gradient of t-SNE's kernel with sampled repulsion (as in LargeVis, Tang et al., 2016, and UMAP,
McInnes et al., 2018). The same vectors always give the same map, on one machine; how much is computed depends on how
many there are alone.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.records import dataclass

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]

DIRECTIONS: Final = 96
"""Linear directions that neighbours are looked for in."""
NEIGHBOURS: Final = 10
"""Nearest edits that are found for each."""

_SAMPLE: Final = 4_000  # edits that the directions are taken of
_SHARE: Final = 0.05  # of the largest variance, added to each direction's before it is divided by
_NEAR: Final = 12  # clusters around an edit's own that are searched
_CANDIDATES: Final = 4_096  # edits that a cluster's are compared with
_ROUNDS: Final = 6  # of k-means
_REPELLING: Final = 6  # edits sampled for each in a step
_STEPS: Final = 240
_WORK: Final = 6_000_000  # edits times steps
_FEWEST_STEPS: Final = 60
_SPREAD: Final = 10.0  # of the layout when it begins
_FURTHEST: Final = 4.0  # that an edit moves along an axis in one step


@dataclass(frozen=True, slots=True)
class Projected:
    """``positions``: (N, 2), in 0 … 1. ``neighbours``: (N, at most ``NEIGHBOURS``), the nearest rows, in order."""

    positions: Floats
    neighbours: Numbers


def project(vectors: Floats, seed: int = 0) -> Projected:
    """A map of (N, D) vectors. N may be 0."""
    count = len(vectors)
    if count < 3:
        return Projected(np.full((count, 2), 0.5, dtype=np.float32), np.zeros((count, 0), dtype=np.int64))
    generator = np.random.default_rng(seed)
    reduced = directions(vectors)
    neighbours = nearest(reduced, generator)
    flat = reduced[:, :2] if reduced.shape[1] > 1 else np.column_stack([reduced[:, 0], np.zeros(count)])
    start = flat * (_SPREAD / max(float(np.abs(flat).max()), 1e-6))
    start += generator.normal(scale=1e-2, size=start.shape)  # equal edits lie beside each other
    return Projected(_fitted(_settled(start.astype(np.float32), neighbours, generator)), neighbours)


def directions(vectors: Floats) -> Floats:
    """(N, D) vectors in their main directions, (N, at most ``DIRECTIONS``), of length 1."""
    chosen = vectors[np.linspace(0, len(vectors) - 1, min(len(vectors), _SAMPLE)).astype(np.int64)]
    mean = chosen.mean(0, dtype=np.float64).astype(np.float32)
    apart = chosen - mean
    variances, axes = np.linalg.eigh((apart.T @ apart / len(chosen)).astype(np.float64))
    kept = min(DIRECTIONS, len(variances))
    variances, axes = variances[::-1][:kept].clip(min=0), axes[:, ::-1][:, :kept]
    axes = axes * np.where(axes[np.abs(axes).argmax(0), np.arange(kept)] < 0, -1.0, 1.0)  # one sign on every machine
    scaled = (axes / np.sqrt(variances + _SHARE * max(float(variances[0]), 1e-12))).astype(np.float32)
    found = (vectors - mean) @ scaled
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    return np.asarray(found / np.maximum(lengths, 1e-6), dtype=np.float32)


def nearest(points: Floats, generator: np.random.Generator) -> Numbers:
    """The nearest other points of each of (N, D) points of length 1 by cosine, (N, k): exactly among those of the
    clusters around it."""
    count = len(points)
    wanted = min(NEIGHBOURS, count - 1)
    clusters = _clusters(points, max(1, round(count**0.5 / 2)), generator)
    members = np.argsort(clusters.of, kind="stable")
    ends = np.cumsum(np.bincount(clusters.of, minlength=len(clusters.centres)))
    begins = ends - np.bincount(clusters.of, minlength=len(clusters.centres))
    around = np.argsort(-(clusters.centres @ clusters.centres.T), axis=1, kind="stable")
    result = np.zeros((count, wanted), dtype=np.int64)
    for cluster, order in enumerate(around):
        own = members[begins[cluster] : ends[cluster]]
        if not len(own):
            continue
        chosen: list[Numbers] = []
        found = 0
        for number, other in enumerate(order):
            if number >= _NEAR and found > wanted:
                break
            chosen.append(members[begins[other] : ends[other]])
            found += len(chosen[-1])
        near = np.concatenate(chosen)
        if len(near) > _CANDIDATES:
            near = near[np.linspace(0, len(near) - 1, _CANDIDATES).astype(np.int64)]
        for begin in range(0, len(own), 1024):
            some = own[begin : begin + 1024]
            products = points[some] @ points[near].T
            products[some[:, None] == near[None, :]] = -2.0
            best = np.argpartition(-products, wanted - 1, axis=1)[:, :wanted]
            order_of = np.lexsort((near[best], -np.take_along_axis(products, best, 1)), axis=1)
            result[some] = near[np.take_along_axis(best, order_of, 1)]
    return result


@dataclass(frozen=True, slots=True)
class _Clusters:
    of: Numbers  # (N,)
    centres: Floats  # (C, D)


def _clusters(points: Floats, wanted: int, generator: np.random.Generator) -> _Clusters:
    """k-means of points, from points chosen at random."""
    centres = points[generator.choice(len(points), size=wanted, replace=False)]
    of = np.zeros(len(points), dtype=np.int64)
    for _ in range(_ROUNDS):
        weights = 0.5 * (centres**2).sum(1)
        for begin in range(0, len(points), 4096):
            some = points[begin : begin + 4096]
            of[begin : begin + 4096] = (some @ centres.T - weights).argmax(1)
        sizes = np.bincount(of, minlength=wanted).astype(np.float32)
        sums = np.column_stack([np.bincount(of, weights=column, minlength=wanted) for column in points.T])
        centres = np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], centres).astype(np.float32)
    return _Clusters(of, centres)


def _settled(at: Floats, neighbours: Numbers, generator: np.random.Generator) -> Floats:
    """Positions after neighbours attracted and others repelled each other, in ever smaller steps."""
    count, each = neighbours.shape
    steps = max(_FEWEST_STEPS, min(_STEPS, _WORK // count))
    for step in range(steps):
        rate = np.float32(1.0 - step / steps)
        apart = at[neighbours] - at[:, None, :]  # (N, k, 2)
        apart *= (2.0 / (1.0 + (apart**2).sum(2, keepdims=True))).astype(np.float32)
        move = apart.sum(1) * np.float32(2.0 / each)
        for _ in range(_REPELLING):
            other = at[generator.permutation(count)]
            away = at - other
            square = (away**2).sum(1, keepdims=True)
            move += away * (2.0 / ((0.05 + square) * (1.0 + square))).astype(np.float32)
        at = at + rate * np.clip(move, -_FURTHEST, _FURTHEST)
    return at


def _fitted(at: Floats) -> Floats:
    """Positions in 0 … 1, one scale for both axes; those that lie far out are drawn in, in their order."""
    apart = at - np.median(at, axis=0)
    reach = np.abs(apart).max(1, keepdims=True)
    inner = float(np.quantile(reach, 0.95)) or 1.0
    far = reach / inner
    drawn_in = np.where(far <= 1, 0.8 * far, 0.8 + 0.2 * np.tanh((far - 1) / 0.6))
    return np.asarray(0.5 + 0.495 * apart / np.maximum(reach, 1e-9) * drawn_in, dtype=np.float32)


def regions(positions: Floats, count: int, seed: int = 0) -> Numbers:
    """Which of ``count`` regions of the map each position belongs to, (N,)."""
    return _clusters(positions, min(count, len(positions)), np.random.default_rng(seed)).of

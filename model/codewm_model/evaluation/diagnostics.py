"""What tells a healthy representation from a collapsed one. All take (N, D) and return plain numbers."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def effective_rank(rows: Tensor) -> float:
    """Exponential of the entropy of the normalised singular values (Roy and Vetterli, 2007)."""
    centred = (rows - rows.mean(0)).double()
    values = torch.linalg.svdvals(centred)
    share = values / values.sum().clamp_min(1e-12)
    return float(torch.exp(-(share * torch.log(share.clamp_min(1e-12))).sum()))


def copy_indicator(before: Tensor, after: Tensor) -> float:
    """Mean cosine of target(s_t) and target(s_t+1) (paper 1)."""
    return float(F.cosine_similarity(before, after, dim=-1, eps=1e-8).mean())


def feature_deviation(rows: Tensor) -> float:
    """Mean standard deviation of the numbers of a representation."""
    return float(rows.std(0).mean())


def nearest_neighbours(predicted: Tensor, target: Tensor, ks: tuple[int, ...] = (1, 5, 10, 50)) -> dict[str, float]:
    """Share of the predictions whose true next state is among the k nearest of the whole gallery, ties at random."""
    a, b = F.normalize(predicted, dim=-1), F.normalize(target, dim=-1)
    ranks = []
    for start in range(0, len(a), 512):
        similarity = a[start : start + 512] @ b.T
        own = similarity[torch.arange(len(similarity)), torch.arange(start, start + len(similarity))]
        higher = (similarity > own[:, None] + 1e-7).sum(1)
        ties = ((similarity - own[:, None]).abs() <= 1e-7).sum(1) - 1
        ranks.append(higher + (torch.rand(len(higher)).to(ties.device) * (ties + 1)).long())
    rank = torch.cat(ranks)
    return {f"knn@{k}": float((rank < k).float().mean()) for k in ks}

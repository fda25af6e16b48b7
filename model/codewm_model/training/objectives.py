"""The losses, each as the paper or its source writes it. Shapes: B batch, D width."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def prediction_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean square error of the normalised vectors (paper 1): (B, D), (B, D) → scalar."""
    return ((F.normalize(predicted, dim=-1) - F.normalize(target, dim=-1)) ** 2).sum(-1).mean()


def delta_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """1 - cosine of the predicted and the true change of state (paper 1)."""
    return (1 - F.cosine_similarity(predicted, target, dim=-1, eps=1e-6)).mean()


def norm_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Square of the log ratio of the lengths of two changes (paper 1)."""
    ratio = torch.log(predicted.norm(dim=-1) + 1e-4) - torch.log(target.norm(dim=-1) + 1e-4)
    return (ratio**2).mean()


def covariance_loss(rows: Tensor) -> Tensor:
    """Squared off-diagonal correlations, summed and divided by D (VICReg's covariance term, free of scale)."""
    centred = rows - rows.mean(0)
    scaled = centred / (centred.norm(dim=0) + 1e-6)
    correlation = scaled.T @ scaled
    loss: Tensor = ((correlation**2).sum() - (correlation.diagonal() ** 2).sum()) / rows.shape[1]
    return loss


def plain_covariance_loss(rows: Tensor) -> Tensor:
    """Squared off-diagonal covariances, summed and divided by D (paper 1; lowest where all is the same)."""
    centred = rows - rows.mean(0)
    covariance = centred.T @ centred / max(1, len(rows) - 1)
    loss: Tensor = ((covariance**2).sum() - (covariance.diagonal() ** 2).sum()) / rows.shape[1]
    return loss


def variance_loss(rows: Tensor, target: float = 1.0) -> Tensor:
    """Hinge on the standard deviation of every number (VICReg)."""
    return F.relu(target - torch.sqrt(rows.var(0) + 1e-4)).mean()


def contrastive_loss(similarity: Tensor, positive: Tensor, allowed: Tensor, temperature: float) -> Tensor:
    """InfoNCE with several positives: -log of the share that the positives have among the allowed.

    ``similarity`` (B, C); ``positive`` and ``allowed`` boolean of the same shape, positives being allowed. Rows without
    a positive do not count.
    """
    logits = similarity / temperature
    everything = torch.logsumexp(logits.masked_fill(~allowed, -1e4), 1)
    wanted = torch.logsumexp(logits.masked_fill(~positive, -1e4), 1)
    rows = positive.any(1)
    loss = (everything - wanted)[rows]
    return loss.mean() if len(loss) else similarity.sum() * 0


def sigreg_loss(rows: Tensor, directions: Tensor, *, points: int = 17, limit: float = 5.0) -> Tensor:
    """SIGReg: how far ``rows`` are from an isotropic Gaussian (LeJEPA, Balestriero and LeCun, arXiv 2511.08544).

    ``rows`` (B, D) are projected on ``directions`` (M, D); each projection is tested against N(0, 1) with the statistic
    of Epps and Pulley: the squared distance of characteristic functions on [-limit, limit], under a Gaussian window.
    """
    projected = rows @ F.normalize(directions, dim=1).T  # (B, M)
    at = torch.linspace(-limit, limit, points, device=rows.device)
    normal = torch.exp(-0.5 * at**2)  # of N(0, 1): real, and the window as well
    angle = projected[..., None] * at  # (B, M, P)
    error = (torch.cos(angle).mean(0) - normal) ** 2 + torch.sin(angle).mean(0) ** 2
    loss: Tensor = torch.trapezoid(error * normal, at, dim=1).mean() * len(rows)
    return loss


def state_prediction_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean square error of the vectors as they are: where SIGReg sets their scale (LeJEPA)."""
    return ((predicted - target) ** 2).mean()

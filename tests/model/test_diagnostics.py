"""The figures that tell health from collapse."""

from __future__ import annotations

import math

import torch

from codewm_model.evaluation import diagnostics
from codewm_model.training import objectives

RANDOM = torch.Generator().manual_seed(5)


def test_effective_rank_of_spread_rows_is_near_their_size_and_of_a_line_near_one() -> None:
    assert diagnostics.effective_rank(torch.randn(2_000, 32, generator=RANDOM)) > 31
    line = torch.randn(500, 1, generator=RANDOM) @ torch.randn(1, 32, generator=RANDOM)
    assert diagnostics.effective_rank(line) < 1.01


def test_copy_indicator_is_one_when_the_target_sees_no_change() -> None:
    rows = torch.randn(64, 16, generator=RANDOM)
    assert math.isclose(diagnostics.copy_indicator(rows, rows), 1, rel_tol=1e-6)
    assert diagnostics.copy_indicator(rows, -rows) < 0


def test_nearest_neighbours_counts_the_true_next_state_and_breaks_ties_at_random() -> None:
    target = torch.randn(600, 16, generator=RANDOM)
    assert diagnostics.nearest_neighbours(target, target)["knn@1"] == 1
    torch.manual_seed(0)
    same = torch.ones(600, 16)
    assert diagnostics.nearest_neighbours(same, same)["knn@1"] < 0.05  # a collapsed encoder wins nothing


def test_contrast_is_lower_when_siblings_are_nearer() -> None:
    positive = torch.tensor([[False, True, False], [True, False, False], [False, False, False]])
    allowed = ~torch.eye(3, dtype=torch.bool)
    near = torch.tensor([[1.0, 0.9, 0.1], [0.9, 1.0, 0.1], [0.1, 0.1, 1.0]])
    far = torch.tensor([[1.0, 0.1, 0.9], [0.1, 1.0, 0.9], [0.9, 0.9, 1.0]])
    assert objectives.contrastive_loss(near, positive, allowed, 0.1) < objectives.contrastive_loss(
        far, positive, allowed, 0.1
    )


def test_losses_are_zero_for_a_perfect_prediction() -> None:
    rows = torch.randn(32, 8, generator=RANDOM)
    assert float(objectives.prediction_loss(rows, rows)) < 1e-6
    assert float(objectives.delta_loss(rows, rows)) < 1e-5
    assert float(objectives.norm_loss(rows, rows)) < 1e-6
    assert float(objectives.covariance_loss(torch.eye(8).repeat(4, 1))) > 0

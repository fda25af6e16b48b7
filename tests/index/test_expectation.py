"""The edit to expect at a place, against what a repository's own edits have in common."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from codewm_lsp.index.expectation import REPEATED, SHARED, expected


def _axis(*values: float) -> NDArray[np.float32]:
    vector = np.zeros(6, dtype=np.float32)
    vector[: len(values)] = values
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def test_what_all_edits_share_is_taken_off_and_the_edit_in_progress_added() -> None:
    predicted, edit, mean = _axis(1, 1), _axis(0, 0, 1), _axis(1)
    found = expected(predicted[None], edit, 0.2 * mean)[0]
    assert np.linalg.norm(found) == pytest.approx(1)
    assert found[0] < found[1], "the direction of the mean counts less, however short the mean is"
    assert found[2] / found[1] == pytest.approx(REPEATED * edit[2] / predicted[1])
    assert found[0] / found[1] == pytest.approx((predicted[0] - SHARED) / predicted[1])


def test_too_few_edits_for_a_mean_leave_the_prediction_in_place() -> None:
    predicted, edit = _axis(1, 1), _axis(0, 0, 1)
    found = expected(predicted[None], edit, None)[0]
    assert found[0] == found[1]
    assert expected(np.zeros((0, 6), dtype=np.float32), edit, None).shape == (0, 6)

"""Which definitions of a file have a lens: the first one, and others that are surer."""

from __future__ import annotations

import numpy as np
import pytest

from codewm_lsp.ranking.ranker import lens_scores

SURER = 1.6


def scored(likely: list[float], module_level: int | None = None, must: tuple[int, ...] = ()) -> list[float]:
    numbers = np.arange(len(likely))
    found = lens_scores(np.array(likely), numbers == module_level, np.isin(numbers, must), SURER)
    return [float(one) for one in found]


def lesser(probability: float, times: float = SURER) -> float:
    odds = probability / (1 - probability) / times
    return odds / (1 + odds)


def test_a_further_lens_has_to_be_surer_than_the_first() -> None:
    assert scored([0.6, 0.5, 0.4]) == pytest.approx([0.6, lesser(0.5), lesser(0.4)])


def test_so_has_one_on_the_code_outside_of_all_definitions() -> None:
    assert scored([0.6], module_level=0) == pytest.approx([lesser(0.6)])
    assert scored([0.6, 0.55], module_level=0) == pytest.approx([lesser(0.6, SURER**2), 0.55]), "the other is the first"
    assert scored([0.9, 0.5], module_level=0) == pytest.approx([lesser(0.9), lesser(0.5)])


def test_what_must_follow_the_edits_stands_as_it_is_and_others_come_beside_it() -> None:
    assert scored([0.9, 0.8, 0.7], module_level=0, must=(0, 1)) == pytest.approx([0.9, 0.8, lesser(0.7)])


def test_certainty_and_nothing_stay_what_they_are() -> None:
    assert scored([1.0, 1.0, 0.0], module_level=1) == pytest.approx([1, 1, 0])
    assert scored([]) == []

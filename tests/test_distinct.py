"""The distinct numbers of an array, without what ``np.unique`` loads."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from codewm_lsp.distinct import among, distinct

NUMBERS = st.lists(st.integers(-5, 5), max_size=30)


@given(NUMBERS)
def test_each_number_is_given_once_in_ascending_order(numbers: list[int]) -> None:
    for table in (np.array(numbers, np.int64), np.array([numbers, numbers], np.int32)):
        found = distinct(table)
        assert found.tolist() == sorted(set(numbers))
        assert found.dtype == table.dtype


@given(NUMBERS, NUMBERS)
def test_numbers_are_looked_up_among_others(numbers: list[int], wanted: list[int]) -> None:
    found = among(np.array(numbers, np.int64), np.array(sorted(wanted), np.int64))
    assert found.tolist() == [number in wanted for number in numbers]

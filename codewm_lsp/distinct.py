"""The distinct numbers of an array. ``np.unique`` gives the same, but first loads masked arrays, which takes a command
as long as a whole search."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", bound=np.integer)


def distinct(numbers: NDArray[Number]) -> NDArray[Number]:
    """Each number of an array of any shape once, ascending."""
    ordered = np.sort(numbers, axis=None)
    return ordered[np.concatenate(([True], ordered[1:] != ordered[:-1]))] if len(ordered) else ordered


def among(numbers: NDArray[Number], wanted: NDArray[Number]) -> NDArray[np.bool_]:
    """For each number of (N,), whether it is one of ``wanted``, which are ascending."""
    if not len(wanted):
        return np.zeros(len(numbers), np.bool_)
    places = np.minimum(np.searchsorted(wanted, numbers), len(wanted) - 1)
    return np.asarray(wanted[places] == numbers)

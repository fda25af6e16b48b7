"""A signal: one number for every definition, or for every file, that speaks for its being edited next."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.ranking.candidate import Candidate
from codewm_lsp.ranking.edit_context import EditContext, Floats
from codewm_lsp.records import dataclass


class Level(str, Enum):
    """What a signal has a number for."""

    DEFINITION = "definition"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a person is told when the signals that share it spoke for a candidate; ``say`` gives "" for nothing.

    ``plain``: it is plain to see, or about the candidate alone: said after all that has to do with the edit.
    """

    name: str
    say: Callable[[Candidate], str]
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Unexplained:
    """Why a signal is not worth words to a person."""

    because: str

    def __post_init__(self) -> None:
        if not self.because:
            raise ValueError("a signal that is not explained needs a reason for that")


@dataclass(frozen=True, slots=True)
class Signal:
    """``compute`` gives (N,) for the definitions of the corpus, or (M,) for its files, of one edit in progress.

    Signals do not know each other: what several of them need is a property of ``EditContext``.
    """

    level: Level
    name: str
    compute: Callable[[EditContext], NDArray[np.generic]]
    explanation: Explanation | Unexplained

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"{self.name!r} is no name for a signal")
        if not isinstance(self.explanation, (Explanation, Unexplained)):
            raise TypeError(f"the signal {self.name} has no words for a person, nor a reason to go without")

    def values(self, edit: EditContext) -> Floats:
        """Its numbers after an edit in progress."""
        return np.asarray(self.compute(edit), dtype=np.float32)

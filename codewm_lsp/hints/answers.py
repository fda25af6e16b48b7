"""What the engine answers with."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from codewm_lsp.index import PastEdit


@dataclass(frozen=True, slots=True)
class Reason:
    """A quantity that spoke for an answer: its name in the blend, its value, and the same in words."""

    name: str
    value: float
    words: str


@dataclass(frozen=True, slots=True)
class SimilarEdit:
    """A past edit like the one asked about; ``score`` at most 1."""

    edit: PastEdit
    score: float
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Prediction:
    """A definition that may be edited next.

    ``line``: 0-based, of its ``def`` or ``class``. ``score``: the probability that the change in progress touches it.
    ``likely``: what is changed there ("signature", "body"). ``evidence``: past edits like the one predicted.
    """

    path: str
    definition: str
    line: int
    score: float
    likely: tuple[str, ...]
    reasons: tuple[Reason, ...]
    evidence: tuple[SimilarEdit, ...]


class HintKind(str, Enum):
    """Why a hint stands on a definition."""

    SIMILAR = "similar"
    NEXT = "next"


@dataclass(frozen=True, slots=True)
class Hint:
    """One lens: its line (0-based, of the ``def`` or ``class``), its title, and the past edits behind it."""

    kind: HintKind
    path: str
    definition: str
    line: int
    title: str
    score: float
    edit_ids: tuple[int, ...]

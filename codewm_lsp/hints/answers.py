"""What the engine answers with."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from typing import Final

from codewm_lsp.hints.repeats import Repeat
from codewm_lsp.index import Hit, PastEdit
from codewm_lsp.ranking import Reason
from codewm_lsp.ranking.candidate import called
from codewm_lsp.ranking.signals.past import CHANGED_LATELY
from codewm_lsp.records import dataclass


@dataclass(frozen=True, slots=True)
class SimilarEdit:
    """A past edit like the one asked about; ``score``: the chance that it fits. Behind a predicted place it is how
    alike the past edit and the predicted one are, at most 1.

    ``telling``: whether it says enough to be named in one line. Behind a predicted place others are listed as well, for
    whoever asks what was done there. ``fact``: the edit makes this earlier one of its definition again, or takes it
    back; its score is then only its place in the order, and is not shown.
    """

    edit: PastEdit
    score: float
    reasons: tuple[Reason, ...]
    telling: bool = True
    fact: bool = False


@dataclass(frozen=True, slots=True)
class Prediction:
    """A definition that may be edited next.

    ``line``: 0-based, of its ``def`` or ``class``. ``score``: the probability that the change in progress touches it.
    ``likely``: what is changed there ("signature", "body"). ``evidence``: past edits like the one predicted, those
    that are telling first.
    """

    path: str
    definition: str
    line: int
    score: float
    likely: tuple[str, ...]
    reasons: tuple[Reason, ...]
    evidence: tuple[SimilarEdit, ...]

    @property
    def telling(self) -> tuple[SimilarEdit, ...]:
        """The past edits that say enough to be named in one line."""
        return tuple(one for one in self.evidence if one.telling)

    @property
    def says_why(self) -> bool:
        """Whether something that can be told spoke for it, or a past edit does. That it changed lately is no reason to
        change with this edit."""
        return bool(self.telling) or any(
            reason.value > 0 and reason.name != CHANGED_LATELY.name for reason in self.reasons
        )


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


REFERENCE: Final = "reference"  # the reason of a definition that must follow the edits in progress
JOINT: Final = "joint change"  # the reason of a past edit that stands behind a prediction because of its commit


def joint_change(other: tuple[str, str], path: str) -> Reason:
    """The reason of a past edit whose commit also changed this definition (path, name), of a place in ``path``."""
    return Reason(JOINT, 1.0, f"changed with {called(other[1], other[0], path)}")


UNDONE: Final = "undone"  # the reason of a past edit that the edit asked about takes back


def repeated(repeat: Repeat, of: str = "this definition") -> Reason:
    """The reason of an earlier edit that is made again or taken back."""
    if repeat is Repeat.UNDONE:
        return Reason(UNDONE, 1.0, "your edit undoes it")
    words = f"the same edit of {of}" if repeat is Repeat.EXACTLY else "the same lines, with other values"
    return Reason("repeat", 1.0, words)


SAME_KIND: Final = "same kind"  # the reason of an earlier edit of the definition that changed the same kind of thing
_NOUNS: Final = {
    "parameter": "parameter",
    "default": "default",
    "return_type": "return type",
    "annotation": "annotation",
    "branch": "branch",
    "handler": "error handler",
    "decorator": "decorator",
    "base": "base class",
    "keyword": "keyword argument",
    "entry": "entry",
}
"""What the marks of a language are called, what tells most first."""


def same_kind(kinds: Collection[str]) -> Reason:
    """The reason of an earlier edit of the same definition that made these kinds of change as well."""
    marks = list(_NOUNS)
    first = min(kinds, key=lambda kind: (marks.index(kind.split()[0]), kind))
    mark, how = first.split()
    return Reason(SAME_KIND, 1.0, f"{_NOUNS[mark]} {how} here before")


def reasons_similar(hit: Hit) -> tuple[Reason, ...]:
    """The three parts of a similar edit's score."""
    said = {
        "meaning": (hit.meaning, "similar change"),
        "words": (hit.words, "similar words"),
        "path": (hit.path, "similar name"),
    }
    reasons = [Reason(name, round(value, 4), f"{words} ({100 * value:.0f} %)") for name, (value, words) in said.items()]
    return tuple(sorted((reason for reason in reasons if reason.value > 0.2), key=lambda reason: -reason.value))

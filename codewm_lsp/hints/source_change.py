"""A change as the questions about what it leaves behind need it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from codewm_lsp.history import Edit
from codewm_lsp.history.change_at_hand import ChangeAtHand
from codewm_lsp.history.edits import definition_edits
from codewm_lsp.ranking.change_text import ChangedText
from codewm_lsp.records import dataclass
from codewm_lsp.source import parse_definitions
from codewm_lsp.source.languages import is_source


@dataclass(frozen=True, slots=True)
class SourceChange:
    """A change of the files of the revision ``past``.

    ``texts``: of each file that it touches. ``moved``: the path of a file before it moved as it was. ``removed``: the
    files that it takes away. ``edits``: what it does to definitions.
    """

    past: str
    texts: Mapping[str, ChangedText]
    moved: Mapping[str, str]
    removed: frozenset[str]
    edits: tuple[Edit, ...]

    @staticmethod
    def of(past: str, texts: Mapping[str, ChangedText], at_hand: ChangeAtHand) -> SourceChange:
        """The change at hand, or a part of it: that of ``texts``."""
        edits: list[Edit] = []
        for path, text in texts.items():
            if is_source(path):
                edits += _edits_of(path, text.before or "", text.after or "", at_hand.renames.get(path))
        return SourceChange(past, texts, at_hand.renames, at_hand.removed, tuple(edits))


@lru_cache(maxsize=64)
def _edits_of(path: str, before: str, after: str, previous_path: str | None) -> tuple[Edit, ...]:
    """Those of one file; a change is asked about again with one of its files hidden."""
    edits = definition_edits(path, parse_definitions(before), parse_definitions(after), previous_path=previous_path)
    return tuple(edits)

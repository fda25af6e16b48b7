"""The text of past edits, read again from Git: an index keeps none."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from codewm_lsp.cli.report import diff_of

if TYPE_CHECKING:
    from codewm_lsp.history import CommitEdits, Repository
    from codewm_lsp.index import PastEdit


class PastDiffs:
    """Diffs of past edits, each commit read once."""

    def __init__(self, repository: Repository) -> None:
        self._edits_of = lru_cache(maxsize=64)(repository.edits_of)

    def of(self, past: PastEdit) -> str:
        """The edit as a unified diff."""
        changed: CommitEdits = self._edits_of(past.commit.sha)
        for edit in changed.edits:
            if edit.path == past.path and edit.definition == past.definition:
                return diff_of(edit)
        return f"(no longer to be had: commit {past.commit.sha[:10]} is gone or was indexed with other settings)"

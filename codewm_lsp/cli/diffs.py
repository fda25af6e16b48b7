"""The text of past edits, read again from Git: an index keeps none."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from codewm_lsp.cli.report import diff_of
from codewm_lsp.display import short
from codewm_lsp.errors import RepositoryError
from codewm_lsp.history import Repository

if TYPE_CHECKING:
    from codewm_lsp.history import CommitEdits
    from codewm_lsp.index import PastEdit, Source


class PastDiffs:
    """Diffs of past edits, each commit read once."""

    def __init__(self, repository: Repository, elsewhere: Mapping[str, Path] | None = None) -> None:
        """``elsewhere``: where repositories of a store lie on this machine, by their keys."""
        self._repository = repository
        self._elsewhere = elsewhere or {}
        self._edits_of = lru_cache(maxsize=64)(self._read)

    def of(self, past: PastEdit) -> str:
        """The edit as a unified diff."""
        changed: CommitEdits | None = self._edits_of(past.commit.sha, past.source)
        if changed is None:
            name = past.source.name if past.source else "its repository"
            sha = short(past.commit.sha)
            return f"({name} is not on this machine, or no longer has commit {sha}. Clone it to see this edit.)"
        edit = changed.edit_of(past.path, past.definition)
        if edit is not None:
            return diff_of(edit)
        return f"(no longer available: commit {short(past.commit.sha)} is gone or was indexed with other settings)"

    def _read(self, sha: str, source: Source | None) -> CommitEdits | None:
        if source is None:
            return self._repository.edits_of(sha)
        try:
            return self._repository.edits_of(sha)  # a clone or a fork of it, or the very one
        except RepositoryError:
            pass
        path = self._elsewhere.get(source.key)
        if path is None:
            return None
        try:
            with Repository.open(path) as repository:
                return repository.edits_of(sha)
        except RepositoryError:
            return None

"""Which commits of a repository a store has done: what the places of a repository on a server have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.history import UNAVAILABLE, Commit, CommitEdits, Edit
from codewm_lsp.index.edit_words import counts, place_words, terms, words_of_edit
from codewm_lsp.records import dataclass

Batch = Sequence[tuple[CommitEdits, NDArray[np.float32]]]


@dataclass(frozen=True, slots=True)
class CountedEdit:
    """An edit without its texts: their words as ``terms`` with ``counts``, those of its place as ``place``."""

    path: str
    definition: str
    definition_kind: str
    kind: str
    line: int
    vector: NDArray[np.float32]
    terms: NDArray[np.uint64]
    counts: NDArray[np.int8]
    place: NDArray[np.uint64]

    @staticmethod
    def of(edit: Edit, vector: NDArray[np.float32]) -> CountedEdit:
        """What is to be stored of an edit."""
        words = words_of_edit(edit)
        return CountedEdit(
            path=edit.path,
            definition=edit.definition,
            definition_kind=edit.definition_kind.value,
            kind=edit.kind.value,
            line=edit.line,
            vector=vector,
            terms=terms(words),
            counts=counts(words),
            place=terms(place_words(edit.path, edit.definition)),
        )


@dataclass(frozen=True, slots=True)
class CountedCommit:
    """A commit as a server is told of it."""

    commit: Commit
    edits: tuple[CountedEdit, ...]

    @staticmethod
    def of(item: CommitEdits, vectors: NDArray[np.float32]) -> CountedCommit:
        """What is to be stored of a commit."""
        edits = [CountedEdit.of(edit, vector) for edit, vector in zip(item.edits, vectors, strict=True)]
        return CountedCommit(item.commit, tuple(edits))


class CommitsDone:
    """``done``: shas of those that are in the store."""

    def __init__(self, edit_size: int, done: set[str]) -> None:
        self._edit_size = edit_size
        self._done = done
        self._unavailable: set[str] = set()

    @property
    def edit_size(self) -> int:
        """Numbers in a vector."""
        return self._edit_size

    def known(self) -> set[str]:
        """Shas of the commits that are done."""
        return self._done | self._unavailable

    def unavailable(self) -> frozenset[str]:
        """Shas of the commits that could not be looked into."""
        return frozenset(self._unavailable)

    def maker(self) -> Callable[[CommitEdits, NDArray[np.float32]], CountedCommit]:
        """See ``Shelf``."""
        return CountedCommit.of

    def add(self, batch: Batch) -> None:
        """Store commits with the vectors of their edits; what could not be looked into is noted, and not stored."""
        self._unavailable.update(item.commit.sha for item, _ in batch if item.skipped in UNAVAILABLE)
        left_out = self.known()
        self.store([CountedCommit.of(item, vectors) for item, vectors in batch if item.commit.sha not in left_out])

    def store(self, commits: Sequence[CountedCommit]) -> None:
        """Store commits; one that is there already is left as it is."""
        wanted = {one.commit.sha: one for one in commits if one.commit.sha not in self._done}
        if wanted:
            self._write(list(wanted.values()))
            self._done |= wanted.keys()

    def _write(self, commits: Sequence[CountedCommit]) -> None:
        """Write commits that are not there, as far as is known."""
        raise NotImplementedError

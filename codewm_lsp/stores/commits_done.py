"""Which commits of a repository a store has done: what the places of a repository on a server have in common."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.history import UNAVAILABLE, CommitEdits

Batch = Sequence[tuple[CommitEdits, NDArray[np.float32]]]


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

    def _to_store(self, batch: Batch) -> dict[str, tuple[CommitEdits, NDArray[np.float32]]]:
        """By sha, what of a batch is not stored yet; what could not be looked into is noted, and not stored."""
        self._unavailable.update(item.commit.sha for item, _ in batch if item.skipped in UNAVAILABLE)
        left_out = self.known()
        return {item.commit.sha: (item, vectors) for item, vectors in batch if item.commit.sha not in left_out}

"""A store in a folder of this machine: one index, searched exactly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.errors import IndexStoreError
from codewm_lsp.history import CommitEdits, Edit
from codewm_lsp.index import EditLog, Hit, Index, LoggedCommit, PastEdit, Source
from codewm_lsp.index.sweeping import is_index
from codewm_lsp.records import dataclass
from codewm_lsp.stores.interface import accepted

_KEY = "store"


@dataclass(slots=True)
class _Right:
    """The right to write into the one file of all repositories: several of them may be filled under it."""

    log: EditLog
    holders: int = 0

    def acquire(self) -> bool:
        if not self.holders and not self.log.acquire_writer():
            return False
        self.holders += 1
        return True

    def release(self) -> None:
        self.holders -= 1
        if not self.holders:
            self.log.release_writer()


@dataclass(frozen=True, slots=True)
class SqliteShelf:
    """One repository's commits. One that shares them with another (a clone, a fork) does not store them again."""

    log: EditLog
    number: int
    right: _Right

    @property
    def edit_size(self) -> int:
        """Numbers in a vector."""
        return self.log.edit_size

    def known(self) -> set[str]:
        """Shas of the commits that are done."""
        return self.log.known()

    def unavailable(self) -> frozenset[str]:
        """Shas of the commits that could not be looked into."""
        return self.log.unavailable()

    def settled(self) -> tuple[str, int] | None:
        """The last commit noted by ``settle``."""
        return self.log.settled(self.number)

    def settle(self, sha: str, count: int) -> None:
        """Note that every commit ``sha`` reaches is done."""
        self.log.settle(sha, count, self.number)

    def add(self, batch: Sequence[tuple[CommitEdits, NDArray[np.float32]]]) -> None:
        """Store commits with the vectors of their edits."""
        self.log.add(batch, repository=self.number)

    def maker(self) -> Callable[[CommitEdits, NDArray[np.float32]], LoggedCommit]:
        """See ``Shelf``."""
        return LoggedCommit.of

    def store(self, commits: Sequence[LoggedCommit]) -> None:
        """Store commits as they are stored elsewhere."""
        self.log.store([replace(commit, repository=self.number) for commit in commits])

    def acquire_writer(self) -> bool:
        """Take the right to index."""
        return self.right.acquire()

    def release_writer(self) -> None:
        """Give it back."""
        self.right.release()


def _entries(folder: Path) -> list[Path]:
    try:
        return [] if folder.is_symlink() and folder.name == _KEY else list(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise IndexStoreError(f"The store {folder} cannot be read: {error.strerror}.") from error


class SqliteStore:
    """See the top of the file."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self._right = _Right(index.log)

    @staticmethod
    def open(folder: Path, *, model_hash: str, edit_size: int, create: bool) -> SqliteStore:
        """Open the store of a folder. To be filled, a folder must be empty or a store already."""
        inner = folder / _KEY
        remedy = f"codewm index --store {folder} REPOSITORY…"
        if folder.exists() and not folder.is_dir():
            raise IndexStoreError(f"The store {folder} is a file, not a folder. Choose a folder.")
        indexes = [file for file in _entries(inner) if is_index(file)]
        if not create and not indexes:
            raise IndexStoreError(f"There is no store in {folder}. Create one with {remedy}")
        if not indexes and any(entry != inner or _entries(inner) for entry in _entries(folder)):
            raise IndexStoreError(
                f"{folder} is not a store and not empty, so nothing is written there. Choose an empty or a new folder."
            )
        if not create and not any(file.name.startswith(model_hash[:16]) for file in indexes):
            raise IndexStoreError(
                f"The store {folder} was filled with another model than {model_hash}: use that one (--model), or "
                f"fill it again with {remedy}"
            )
        index = Index.open(_KEY, model_hash, folder=folder, edit_size=edit_size)
        if index.path is None:
            reason = " ".join(index.notices)
            index.close()
            raise IndexStoreError(f"The store {folder} cannot be used. {reason}")
        return SqliteStore(index)

    def shelf(self, source: Source) -> SqliteShelf:
        """The place of a repository."""
        return SqliteShelf(self.index.log, self.index.log.register(source), self._right)

    def sources(self) -> list[Source]:
        """The repositories that are in it."""
        return list(self.index.log.repositories().values())

    def size(self) -> int:
        """How many edits there are."""
        return self.index.log.size()

    def search(
        self, edit: Edit, vector: NDArray[np.float32], *, k: int, accept: Callable[[PastEdit], bool]
    ) -> list[Hit]:
        """The ``k`` accepted past edits most like ``edit``, of all there are."""
        return accepted(lambda wanted: self.index.search(edit, vector, k=wanted), k, accept, self.size())

    def close(self) -> None:
        """Close the index."""
        self.index.close()

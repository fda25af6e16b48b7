"""What a store of many repositories' edits can do, whatever it is kept in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.errors import RepositoryError
from codewm_lsp.history import Commit, CommitEdits, Edit, Repository
from codewm_lsp.index import Hit, PastEdit, Source, UpdateTarget

LONGEST: Final = 1_000  # characters of a subject or of somebody's name
LONGEST_PATH: Final = 4_096  # of a path or a definition
MORE: Final = 4  # how many times as many are looked up when too many were not accepted


class CommitToStore(Protocol):
    """A commit as a store keeps it, made in whatever process read it."""

    @property
    def commit(self) -> Commit: ...
    @property
    def edits(self) -> Sequence[object]: ...


class Shelf(UpdateTarget, Protocol):
    """The place of a repository in a store.

    ``add`` is ``store`` of what ``maker`` makes of each commit, and notes those that could not be looked into.
    """

    def maker(self) -> Callable[[CommitEdits, NDArray[np.float32]], CommitToStore]:
        """A function of a module, for other processes: a commit and the vectors of its edits → what is stored of it."""
        ...

    def store(self, commits: Sequence[Any]) -> None:
        """Store what ``maker`` made; a commit that is there already is left as it is."""
        ...


class Store(Protocol):
    """Edits of many repositories under one model. Raises ``IndexStoreError`` when it cannot be used."""

    def shelf(self, source: Source) -> Shelf:
        """The place of a repository, made where there is none."""
        ...

    def sources(self) -> list[Source]:
        """The repositories that are in it."""
        ...

    def size(self) -> int:
        """How many edits there are."""
        ...

    def search(
        self, edit: Edit, vector: NDArray[np.float32], *, k: int, accept: Callable[[PastEdit], bool]
    ) -> list[Hit]:
        """The ``k`` accepted past edits most like ``edit``, best first (0: all), each with its repository."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class StoreOpener(Protocol):
    """Opens a store at a location; see ``codewm_lsp.stores.open_store``."""

    def __call__(self, location: str, *, model_hash: str, edit_size: int, create: bool, patience: float) -> Store: ...


def source_of(repository: Repository) -> Source:
    """A repository under the name it has in a store: the same for every clone of it, on every machine.

    Its key is the oldest commit of its history, so that forks count as the same repository.
    """
    main = repository.git_dir == repository.common_dir  # else it is a worktree, with a name of its own
    folder = repository.root if main and repository.root is not None else repository.common_dir
    name = folder.parent.name if folder.name in (".git", "repo") else folder.name
    history = repository.ancestors()
    return Source(key=history[-1] if history else repository.key, name=name.removesuffix(".git") or "repository")


def is_own(found: PastEdit, own: Source, commits: frozenset[str]) -> bool:
    """Whether a past edit is of the repository at hand: by its key, or as one of its ``commits``, which tell where the
    clone is shallow and its oldest commit another one."""
    return (found.source is not None and found.source.key == own.key) or found.commit.sha in commits


def source_to_fill(repository: Repository) -> Source:
    """``source_of`` a repository that goes into a store. Raises ``RepositoryError`` where its oldest commit is not
    known: it would be another repository each time it is fetched."""
    if repository.is_shallow:
        place = repository.root or repository.git_dir
        raise RepositoryError(
            f"{place} is a shallow clone, which a store cannot tell from another repository. Fetch the whole history "
            "first: git fetch --unshallow (or fetch-depth: 0 of actions/checkout)."
        )
    return source_of(repository)


def accepted(search: Callable[[int], list[Hit]], k: int, accept: Callable[[PastEdit], bool], size: int) -> list[Hit]:
    """The first ``k`` accepted answers of a search that is asked for more and more."""
    wanted = k * MORE if k else 0
    while True:
        hits = search(wanted)
        found = [hit for hit in hits if accept(hit.edit)]
        if not k or len(found) >= k or wanted >= size or len(hits) < wanted:
            return found[:k] if k else found
        wanted *= MORE


def storable(text: object, longest: int = LONGEST) -> str:
    """Text as JSON and databases can hold it, and no longer than it is of use. Raises TypeError: it is no text."""
    if text is not None and not isinstance(text, str):
        raise TypeError("not a text")
    return (text or "")[:longest].replace("\0", "").encode("utf-8", "replace").decode("utf-8")

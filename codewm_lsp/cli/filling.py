"""Filling a store with many repositories, which workers read side by side.

Workers read, embed and count words; only this process writes. A worker is given a slice of a repository: what is not
in the store yet, for half a minute. What it found is written, and the next slice begins there. So a slice whose worker
died is begun again, and nothing is lost or stored twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from codewm_lsp.errors import CodewmError, OptionError, RepositoryError, StoreFailedError
from codewm_lsp.records import dataclass
from codewm_lsp.workers import Failure, Workers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from codewm_lsp.history import CommitEdits
    from codewm_lsp.index import Source, UpdateTarget
    from codewm_lsp.stores import Shelf, Store
    from codewm_lsp.stores.interface import CommitToStore
    from codewm_lsp.world_model import WorldModel

    Batch = Sequence[tuple[CommitEdits, NDArray[np.float32]]]

SLICE_SECONDS: Final = 30.0
SLICE_EDITS: Final = 4_000
REFUSALS: Final = 3  # repositories in a row that a store refuses until nothing more is read for it


@dataclass(frozen=True, slots=True)
class RepositorySlice:
    """What a worker is asked: the commits of ``revision`` that are not ``known``. ``make``: see ``Shelf.maker``."""

    path: Path
    revision: str
    limit: int | None
    model: Path | None
    known: frozenset[str]
    unavailable: frozenset[str]
    settled: tuple[str, int] | None
    make: Callable[[CommitEdits, NDArray[np.float32]], CommitToStore]


@dataclass(frozen=True, slots=True)
class SliceResult:
    """What a worker found: commits as they are stored, and those that could not be looked into. ``settled``: see
    ``UpdateTarget.settle``."""

    commits: tuple[CommitToStore, ...]
    unavailable: tuple[CommitEdits, ...]
    settled: tuple[str, int] | None
    complete: bool
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Filled:
    """A repository that was brought up to date."""

    source: Source
    path: Path
    done: int
    total: int
    added: int
    seconds: float


@dataclass(slots=True)
class _Open:
    path: Path
    revision: str
    source: Source
    shelf: Shelf
    started: float
    added: int = 0


class _Outbox:
    """An ``UpdateTarget`` that keeps what it is given, as it is stored."""

    def __init__(self, asked: RepositorySlice, edit_size: int) -> None:
        self.edit_size = edit_size
        self.commits: list[CommitToStore] = []
        self.skipped: list[CommitEdits] = []
        self.edits = 0
        self.settlement: tuple[str, int] | None = None
        self._asked = asked
        self._known = set(asked.known)
        self._unavailable = set(asked.unavailable)

    def known(self) -> set[str]:
        return self._known

    def unavailable(self) -> frozenset[str]:
        return frozenset(self._unavailable)

    def settled(self) -> tuple[str, int] | None:
        return self._asked.settled

    def settle(self, sha: str, count: int) -> None:
        self.settlement = sha, count

    def add(self, batch: Batch) -> None:
        from codewm_lsp.history import UNAVAILABLE

        for item, vectors in batch:
            self._known.add(item.commit.sha)
            self.edits += len(item.edits)
            if item.skipped in UNAVAILABLE:
                self._unavailable.add(item.commit.sha)
                self.skipped.append(item)
            else:
                self.commits.append(self._asked.make(item, vectors))

    def acquire_writer(self) -> bool:
        return True

    def release_writer(self) -> None:
        pass


def read_slice(asked: RepositorySlice) -> SliceResult:
    """The work of a worker."""
    from codewm_lsp.history import Repository
    from codewm_lsp.index import UpdateOutcome, update

    model = embedder(asked.model)
    outbox = _Outbox(asked, model.edit_size)
    with Repository.open(asked.path) as repository:
        done = update(
            repository,
            model,
            outbox,
            rev=asked.revision,
            limit=asked.limit,
            stop=lambda: outbox.edits >= SLICE_EDITS,
            deadline=time.monotonic() + SLICE_SECONDS,
        )
    complete = done.outcome is UpdateOutcome.COMPLETE
    return SliceResult(tuple(outbox.commits), tuple(outbox.skipped), outbox.settlement, complete, done.done, done.total)


@lru_cache(maxsize=1)
def embedder(folder: Path | None) -> WorldModel:
    """The world model of a worker, with the graphs that embed edits. Raises ``BundleError``."""
    from codewm_lsp.world_model import WorldModel

    return WorldModel.load(folder, graphs=("state", "edit"))


def fill_with(
    store: Store,
    repositories: Sequence[tuple[str, Path]],
    workers: Workers,
    *,
    at: str,
    limit: int | None,
    model: Path | None,
) -> Iterator[Filled | tuple[str, str]]:
    """Bring the store up to date with repositories, each told of when it is done: filled, or a place and why not.

    Raises ``StoreFailedError`` where no repository can be stored any more.
    """
    waiting = list(reversed(repositories))
    named: dict[str, Path] = {}
    under_way: dict[str, _Open] = {}
    refused = 0

    def consider(error: CodewmError) -> None:
        """Raise the error where nothing comes of reading the other repositories either: the store is gone or full."""
        nonlocal refused
        if isinstance(error, StoreFailedError):
            refused += 1
            if refused >= REFUSALS:
                raise error
            try:
                store.size()
            except StoreFailedError:
                raise error from None

    def begin(place: str, one: _Open) -> None:
        shelf = one.shelf
        unavailable = shelf.unavailable()
        known = frozenset(shelf.known())
        asked = RepositorySlice(
            one.path.resolve(), one.revision, limit, model, known, unavailable, shelf.settled(), shelf.maker()
        )
        under_way[place] = one
        workers.start(place, asked)

    try:
        while waiting or under_way:
            while waiting and len(under_way) < workers.capacity():
                place, path = waiting.pop()
                try:
                    begin(place, _opened(store, path, at, named))
                except CodewmError as error:
                    consider(error)
                    yield place, str(error)
            if not under_way:
                continue
            place, found = workers.finished()
            one = under_way.pop(place)
            try:
                if isinstance(found, Failure):
                    one.shelf.release_writer()
                    yield place, found.message
                    continue
                _write(one, found)
                refused = 0 if found.commits else refused
                if not found.complete and (found.commits or found.unavailable):
                    begin(place, one)
                    continue
                one.shelf.release_writer()
            except CodewmError as error:
                consider(error)
                with suppress(CodewmError):
                    one.shelf.release_writer()
                yield place, str(error)
                continue
            seconds = time.monotonic() - one.started
            yield Filled(one.source, one.path, found.done, found.total, one.added, seconds)
    finally:
        for one in under_way.values():
            with suppress(CodewmError):  # the store may be gone
                one.shelf.release_writer()


def _opened(store: Store, path: Path, at: str, named: dict[str, Path]) -> _Open:
    from codewm_lsp.errors import IndexStoreError
    from codewm_lsp.history import Repository
    from codewm_lsp.stores import source_to_fill

    try:
        with Repository.open(path) as repository:
            source = source_to_fill(repository)
            revision = repository.head(at)
    except (OSError, ValueError) as error:  # a path that no system takes
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise RepositoryError(f"{_shown(path)} cannot be read: {reason}.") from error
    if source.key in named:
        raise OptionError(
            f"{path} is the same repository as {named[source.key]} (their histories begin with the same commit)."
        )
    shelf = store.shelf(source)
    if not shelf.acquire_writer():
        raise IndexStoreError(f"Another process is adding {source.name} to the store and will finish it.")
    named[source.key] = path
    return _Open(path, revision, source, shelf, time.monotonic())


def _shown(path: Path) -> str:
    named = str(path)
    return named if len(named) <= 200 else f"{named[:200]}…"


def pass_over(target: UpdateTarget, commits: Sequence[CommitEdits]) -> None:
    """Tell what is filled of commits that could not be looked into."""
    import numpy as np

    if commits:
        target.add([(item, np.zeros((0, target.edit_size), np.float32)) for item in commits])


def _write(one: _Open, found: SliceResult) -> None:
    known = one.shelf.known()
    fresh = [commit for commit in found.commits if commit.commit.sha not in known]
    if fresh:
        one.shelf.store(fresh)
        one.added += sum([len(commit.edits) for commit in fresh])
    pass_over(one.shelf, found.unavailable)
    if found.settled is not None:
        one.shelf.settle(*found.settled)

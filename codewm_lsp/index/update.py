"""Bringing an index up to a revision: newest commits first, in batches, resumable at any point."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterator, Sequence
from enum import Enum
from typing import Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.history import CommitEdits, Repository
from codewm_lsp.records import dataclass

BATCH_EDITS: Final = 64  # what a kill loses at most; their tokens are still remembered when they are embedded
BATCH_SECONDS: Final = 1.0  # a batch is written after this time at the latest, so that searching finds it
EMBEDDED_AT_ONCE: Final = 256  # edits of one batch, before ``stop`` is asked again
ONE_BY_ONE: Final = 16  # up to this many new commits are read singly, without walking the log
_POLL: Final = 0.1


Batch: TypeAlias = "list[tuple[CommitEdits, NDArray[np.float32]]]"
"""Commits with the vectors (edits, edit_size) of their edits."""
Spread: TypeAlias = "Callable[[Sequence[str]], Iterator[tuple[int, int]] | None]"
"""Indexes commits, newest first, in other processes, and says after each step how many commits and edits came with it;
None where that is not worth while."""


class EditEmbedder(Protocol):
    """What indexing needs of the world model."""

    def embed_edits(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        """(before, after) texts → unit rows (len(pairs), edit_size)."""
        ...


class UpdateTarget(Protocol):
    """What is filled: an ``EditLog``, or one repository's part of something larger."""

    @property
    def edit_size(self) -> int: ...
    def known(self) -> set[str]: ...
    def unavailable(self) -> frozenset[str]: ...
    def settled(self) -> tuple[str, int] | None: ...
    def settle(self, sha: str, count: int) -> None: ...
    def add(self, batch: Sequence[tuple[CommitEdits, NDArray[np.float32]]]) -> None: ...
    def acquire_writer(self) -> bool: ...
    def release_writer(self) -> None: ...


class UpdateOutcome(str, Enum):
    """How an update ended."""

    COMPLETE = "complete"  # every commit of the revision is in the index
    STOPPED = "stopped"  # told to
    DEADLINE = "deadline"  # out of time
    BUSY = "busy"  # another process is indexing this repository


@dataclass(frozen=True, slots=True)
class IndexUpdate:
    """``done`` of ``total`` commits of the revision are in the index; ``added`` edits came with this update."""

    outcome: UpdateOutcome
    done: int
    total: int
    added: int


def update(
    repository: Repository,
    model: EditEmbedder,
    index: UpdateTarget,
    *,
    rev: str = "HEAD",
    limit: int | None = None,
    max_files: int = 30,
    progress: Callable[[int, int], None] | None = None,
    stop: Callable[[], bool] | None = None,
    deadline: float | None = None,
    wait: float = 0.0,
    spread: Spread | None = None,
) -> IndexUpdate:
    """Index what is not in the index yet of the newest ``limit`` commits (None: all) that ``rev`` reaches.

    ``progress(done, total)`` is called after each batch; ``stop()`` is asked before each commit, and within
    one of very many edits; ``deadline`` is a
    moment of ``time.monotonic``. When another process is at it, up to ``wait`` seconds are spent waiting for it.
    ``spread``: other processes that read and embed; else it is done here.
    Whatever ends it, kill -9 included, all batches written so far stay, and the next update goes on from there.
    Raises ``RepositoryError`` and ``IndexStoreError``.
    """
    patience = time.monotonic() + wait
    tip = repository.head(rev)
    wanted, before = _wanted(repository, index, tip, limit)
    total = before + len(wanted)

    def missing() -> list[str]:
        known = index.known()
        return [sha for sha in wanted if sha not in known]

    def ended() -> UpdateOutcome | None:
        if stop is not None and stop():
            return UpdateOutcome.STOPPED
        if deadline is not None and time.monotonic() >= deadline:
            return UpdateOutcome.DEADLINE
        return None

    def here(left: Sequence[str]) -> Iterator[tuple[int, int]]:
        commits = _commits(repository, tip, limit, left, index.known(), max_files)
        for batch in embedded(commits, model, index.edit_size, stop=stop, ended=ended):
            index.add(batch)
            yield len(batch), sum([len(item.edits) for item, _ in batch])

    if not missing():
        if limit is None and (wanted or not before) and not index.unavailable():
            index.settle(tip, total)
        return IndexUpdate(UpdateOutcome.COMPLETE, total, total, 0)
    while not index.acquire_writer():
        outcome = ended()
        if outcome is None and time.monotonic() >= patience:
            outcome = UpdateOutcome.BUSY
        if outcome is not None:
            return IndexUpdate(outcome, total - len(missing()), total, 0)
        time.sleep(_POLL)
    added = 0
    try:
        while left := missing():
            done = total - len(left)
            if progress is not None:
                progress(done, total)
            for commits, edits in (spread and spread(left)) or here(left):
                added += edits
                done += commits
                if progress is not None:
                    progress(done, total)
                if ended() is not None:
                    break
            still = missing()
            outcome = ended()
            if still and outcome is not None:
                return IndexUpdate(outcome, total - len(still), total, added)
            if len(still) == len(left):
                break  # the history does not give them: asking again would not end
        still = missing()
        if limit is None and not still and not index.unavailable():
            index.settle(tip, total)
        return IndexUpdate(UpdateOutcome.COMPLETE, total - len(still), total, added)
    finally:
        index.release_writer()


def embedded(
    commits: Iterator[CommitEdits],
    model: EditEmbedder,
    size: int,
    *,
    stop: Callable[[], bool] | None = None,
    ended: Callable[[], object] = lambda: None,
) -> Iterator[Batch]:
    """Commits with their vectors, of ``size`` numbers, in batches by edits and time. After ``ended`` says so, what is
    under way is still a batch; after ``stop`` does, none that is not embedded yet."""
    for batch in _batches(commits, ended):
        vectors = _embedded(model, [(edit.before, edit.after) for item in batch for edit in item.edits], size, stop)
        if vectors is None:
            return
        ends = np.cumsum([len(item.edits) for item in batch])[:-1]
        yield list(zip(batch, np.split(vectors, ends), strict=True))


def _embedded(
    model: EditEmbedder, pairs: Sequence[tuple[str, str]], size: int, stop: Callable[[], bool] | None
) -> NDArray[np.float32] | None:
    """Vectors of edits, (len(pairs), size); None when told to stop before all are embedded: one commit can have
    thousands, and is begun again the next time. A deadline is not heeded: such a commit would never be done."""
    vectors = np.zeros((len(pairs), size), dtype=np.float32)
    for start in range(0, len(pairs), EMBEDDED_AT_ONCE):
        if start and stop is not None and stop():
            return None
        some = slice(start, start + EMBEDDED_AT_ONCE)
        vectors[some] = model.embed_edits(pairs[some])
    return vectors


def reached(repository: Repository, index: UpdateTarget, tip: str) -> frozenset[str]:
    """The commits that ``tip``, a full id, reaches, itself included. Where the index holds just these and what is new,
    the history is not walked over."""
    settled = index.settled()
    new = None if settled is None else repository.since(settled[0], tip)
    if settled is not None and new is not None:
        known = frozenset(index.known()).union(new)
        if len(known) == settled[1] + len(new):  # nothing that was rewritten or is on another branch
            return known
    return frozenset(repository.ancestors(tip))


def _wanted(repository: Repository, index: UpdateTarget, tip: str, limit: int | None) -> tuple[list[str], int]:
    """The commits to look at, newest first, and how many more are known to be done.

    After a first complete update these are the new ones alone: walking a long history takes longer than indexing a
    commit. When the history was rewritten since, everything is walked again.
    """
    settled = index.settled() if limit is None else None
    if settled is not None:
        old, count = settled
        new = [] if old == tip else repository.since(old, tip)
        if new is not None:
            return new, count
    return repository.ancestors(tip, limit), 0


def _commits(
    repository: Repository,
    tip: str,
    limit: int | None,
    missing: Sequence[str],
    skip: Container[str],
    max_files: int,
) -> Iterator[CommitEdits]:
    if len(missing) <= ONE_BY_ONE:
        for sha in missing:
            yield repository.edits_of(sha, max_files=max_files)
    else:
        yield from repository.commits(tip, limit=limit, skip=skip, max_files=max_files)


def _batches(commits: Iterator[CommitEdits], ended: Callable[[], object]) -> Iterator[list[CommitEdits]]:
    """Group commits by edits and time; what is under way when the end comes is still a batch."""
    batch: list[CommitEdits] = []
    edits, begun = 0, time.monotonic()
    for item in commits:
        batch.append(item)
        edits += len(item.edits)
        if ended():
            break
        if edits >= BATCH_EDITS or time.monotonic() - begun >= BATCH_SECONDS:
            yield batch
            batch = []
            edits, begun = 0, time.monotonic()
    if batch:
        yield batch

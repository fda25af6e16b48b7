"""Indexing one repository in several processes: each reads and embeds slices of the commits, and only this one writes.

Slices are stored in the order of the history, so an interrupted run leaves the newest commits, as one process does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from codewm_lsp.cli.filling import embedder, pass_over
from codewm_lsp.errors import RepositoryError
from codewm_lsp.records import dataclass
from codewm_lsp.workers import Failure, Workers

if TYPE_CHECKING:
    from codewm_lsp.history import CommitEdits, Repository
    from codewm_lsp.index import EditLog, LoggedCommit

SLICE: Final = 100  # commits
AHEAD: Final = 4  # slices for each process that may wait for an earlier one
WORTH_WHILE: Final = 500  # missing commits from which on several processes are started unasked
MOST: Final = 4  # processes that are started unasked: each takes some 250 MB


@dataclass(frozen=True, slots=True)
class CommitSlice:
    """What a process is asked: some commits, by their full ids, of the repository at ``path``."""

    path: Path
    model: Path
    commits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CommitsRead:
    """What it found: commits as they are stored, and those that could not be looked into."""

    commits: tuple[LoggedCommit, ...]
    unavailable: tuple[CommitEdits, ...]


def read_commits(asked: CommitSlice) -> CommitsRead:
    """The work of a process. Raises ``RepositoryError`` and ``BundleError``."""
    from codewm_lsp.history import UNAVAILABLE
    from codewm_lsp.index import LoggedCommit
    from codewm_lsp.index.update import embedded

    repository, model = _repository(asked.path), embedder(asked.model)
    commits: list[LoggedCommit] = []
    unavailable: list[CommitEdits] = []
    for batch in embedded(repository.edits_of_each(asked.commits), model, model.edit_size):
        for item, vectors in batch:
            if item.skipped in UNAVAILABLE:
                unavailable.append(item)
            else:
                commits.append(LoggedCommit.of(item, vectors))
    return CommitsRead(tuple(commits), tuple(unavailable))


@lru_cache(maxsize=1)
def _repository(path: Path) -> Repository:
    from codewm_lsp.history import Repository

    return Repository.open(path)


def usable_cores() -> int:
    """The cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows
        return os.cpu_count() or 1


class SideBySide:
    """A ``Spread`` of ``update`` over ``workers``, whose function is ``read_commits``.

    ``least``: where fewer commits are missing, no process is started.
    """

    def __init__(self, workers: Workers, repository: Path, model: Path, log: EditLog, *, least: int) -> None:
        self._workers = workers
        self._repository = repository
        self._model = model
        self._log = log
        self._least = least

    def __call__(self, missing: Sequence[str]) -> Iterator[tuple[int, int]] | None:
        """See ``Spread``."""
        return self._steps(missing) if self._workers.capacity() > 1 and len(missing) >= self._least else None

    def _steps(self, missing: Sequence[str]) -> Iterator[tuple[int, int]]:
        slices = [tuple(missing[start : start + SLICE]) for start in range(0, len(missing), SLICE)]
        capacity = self._workers.capacity()
        read: dict[int, CommitsRead] = {}
        given = stored = 0
        while stored < len(slices):
            under_way = given - stored - len(read)
            if given < len(slices) and under_way < capacity and given - stored < AHEAD * capacity:
                self._workers.start(str(given), CommitSlice(self._repository, self._model, slices[given]))
                given += 1
                continue
            name, found = self._workers.finished()
            if isinstance(found, Failure):
                first, last = slices[int(name)][0], slices[int(name)][-1]
                raise RepositoryError(
                    f"Commits {first[:7]} to {last[:7]} cannot be indexed: {found.message}. The commits indexed so far "
                    "are kept; use --processes 1 to index the others in one process."
                )
            read[int(name)] = found
            while stored in read:
                yield self._store(read.pop(stored))
                stored += 1

    def _store(self, found: CommitsRead) -> tuple[int, int]:
        self._log.store(found.commits)
        pass_over(self._log, found.unavailable)
        return len(found.commits) + len(found.unavailable), sum([len(commit.edits) for commit in found.commits])

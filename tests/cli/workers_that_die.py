"""Functions for workers, some of which do not survive them."""

from __future__ import annotations

import logging
import os
import signal
from pathlib import Path
from typing import Any

from codewm_lsp.cli.filling import RepositorySlice, SliceResult, read_slice
from codewm_lsp.cli.side_by_side import CommitSlice, CommitsRead, read_commits
from codewm_lsp.errors import RepositoryError
from codewm_lsp.history import Repository


def twice(job: int) -> int:
    return 2 * job


def killed_once(asked: RepositorySlice) -> SliceResult:
    """``read_slice`` in a process that is killed with all it has read, the first time it works on a repository."""
    found = read_slice(asked)
    _die_unless_marked(asked.path.with_name(f"{asked.path.name}.killed"))
    return found


def commits_killed_once(asked: CommitSlice) -> CommitsRead:
    """``read_commits`` in a process that is killed with all it has read, the first time."""
    found = read_commits(asked)
    _die_unless_marked(asked.path.with_name("killed"))
    return found


def _die_unless_marked(mark: Path) -> None:
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def commits_killed_always(asked: CommitSlice) -> CommitsRead:
    """The same, in a process that is killed by the commits 201 to 300 whoever reads them."""
    with Repository.open(asked.path) as repository:
        if repository.ancestors()[250] in asked.commits:
            os.kill(os.getpid(), signal.SIGKILL)
    return read_commits(asked)


def deadly(job: Any) -> Any:
    """Kills its process, or raises, or answers."""
    if job == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if job == "raise":
        raise RepositoryError("there is nothing here")
    if job == "break":
        return Path("/")._no_such_thing  # type: ignore[attr-defined]
    return job


def talkative(job: str) -> str:
    """Logs a warning."""
    logging.getLogger("codewm_lsp.history").warning("a commit is skipped: %s", job)
    return job

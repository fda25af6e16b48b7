"""How the server stands, for clients that show it: what is indexed how far, with which model, and what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path

from codewm_lsp.records import dataclass
from codewm_lsp.server.pace import Pause


class Stage(str, Enum):
    """How far a repository's index is. ``HALTED``: the user stopped it."""

    INDEXING = "indexing"
    READY = "ready"
    HALTED = "halted"
    FAILED = "failed"


class Trouble(str, Enum):
    """What a problem is about."""

    REPOSITORY = "repository"
    MODEL = "model"
    INDEX = "index"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class RepositoryStatus:
    """One repository: ``done`` of ``total`` commits are indexed; both are 0 before that is known.

    ``paused``: why indexing waits just now. ``waiting``: while nothing is edited in a file that is open, what is waited
    for, and what is answered from meanwhile.
    """

    root: Path
    stage: Stage
    done: int
    total: int
    paused: Pause = Pause.NONE
    waiting: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a folder gets no hints, or not those that were asked for, in words for the user."""

    folder: Path
    about: Trouble
    message: str


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """The model in use; its name is empty before it is loaded. ``problem``: why it is not the one that was set."""

    name: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """Everything. ``snoozed``: seconds until hints come back by themselves. ``silent``: URIs of open documents that get
    no hints, and why, in a few words."""

    enabled: bool
    snoozed: float
    model: ModelStatus
    repositories: tuple[RepositoryStatus, ...]
    problems: tuple[Problem, ...]
    silent: Mapping[str, str]

    def record(self, uri_of: Callable[[Path], str]) -> dict[str, object]:
        """As JSON, folders as URIs."""
        return {
            "enabled": self.enabled,
            "snoozed": round(self.snoozed, 1),
            "model": {"name": self.model.name, "problem": self.model.problem},
            "repositories": [
                {
                    "root": uri_of(one.root),
                    "stage": one.stage.value,
                    "done": one.done,
                    "total": one.total,
                    "paused": one.paused.value,
                    "waiting": one.waiting,
                }
                for one in self.repositories
            ],
            "problems": [
                {"folder": uri_of(one.folder), "about": one.about.value, "message": one.message}
                for one in self.problems
            ],
            "silent": [{"uri": uri, "reason": reason} for uri, reason in self.silent.items()],
        }

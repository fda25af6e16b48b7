"""How often, how lately and how together definitions and files changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Changes:
    """How often something changed: ``commits`` that did it, date (seconds since 1970) and ``rank`` of the last one.

    ``rank`` counts the commits of the range with edits in them that are newer: 0 is the newest.
    """

    commits: int
    last: int
    rank: int


@dataclass(frozen=True, slots=True)
class Coupling:
    """What two definitions, or two files, have in common.

    ``commits`` changed both. ``weight`` sums 1 / (others changed) over these commits, so that a commit all over the
    place says little.
    """

    commits: int
    weight: float


class History:
    """The edits of a range of commits, counted. A renamed file goes by its newest path throughout.

    It does not change; ask the index for a new one when that has grown.
    """

    def __init__(
        self,
        commits: Sequence[tuple[int, range]],
        places: Sequence[tuple[str, str]],
        place_of: NDArray[np.int32],
        renames: Iterable[tuple[int, str, str]],
    ) -> None:
        """``commits``: (date, rows of its edits), newest first. ``places``: (path, definition) of each place.
        ``place_of``: place of each edit. ``renames``: (position in ``commits``, old path, new path)."""
        renamed: dict[int, list[tuple[str, str]]] = {}
        for position, old, new in renames:
            renamed.setdefault(position, []).append((old, new))
        self._definitions: dict[tuple[str, str], int] = {}
        self._paths: dict[str, int] = {}
        dates: list[int] = []
        rows: list[int] = []
        definitions: list[int] = []
        sizes: list[int] = []
        newest: dict[str, str] = {}  # path, in the commits now looked at → its newest name
        resolved: dict[int, int] = {}  # place → definition, until a rename comes between
        for position, (date, own) in enumerate(commits):
            if own:
                dates.append(date)
                sizes.append(len(own))
                rows.extend(own)
                for place in place_of[own.start : own.stop].tolist():
                    if place not in resolved:
                        path, definition = places[place]
                        key = (newest.get(path, path), definition)
                        resolved[place] = self._definitions.setdefault(key, len(self._definitions))
                    definitions.append(resolved[place])
            if position in renamed:
                for old, new in renamed[position]:
                    newest[old] = newest.get(new, new)
                resolved.clear()
        self._names = list(self._definitions)
        path_of = [self._paths.setdefault(path, len(self._paths)) for path, _ in self._names]
        self._path_names = list(self._paths)
        self._dates = dates
        self._sizes = np.array(sizes, dtype=np.int64)
        self._starts = np.r_[0, np.cumsum(self._sizes)]  # commit → its first event
        self._row = np.array(rows, dtype=np.int64)  # of each event, newest commit first
        self._commit = np.repeat(np.arange(len(sizes)), self._sizes)
        self._definition = np.array(definitions, dtype=np.int64)
        self._path = np.array(path_of, dtype=np.int64)[self._definition] if rows else self._definition
        self._by_definition = _grouped(self._definition, len(self._names))
        self._by_path = _grouped(self._path, len(self._path_names))

    @property
    def commits(self) -> int:
        """How many commits of the range have edits."""
        return len(self._dates)

    @property
    def definitions(self) -> list[tuple[str, str]]:
        """(path, definition) of everything that ever changed, the latest change first."""
        return self._names

    @property
    def events(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """One pair for each edit: the rank of its commit (0: the newest with edits), and which of ``definitions``."""
        return self._commit, self._definition

    def edits(self, path: str | None = None, definition: str | None = None) -> list[int]:
        """Ids of the edits of a definition, of all those of a file, or of all there are; newest first."""
        if path is None:
            return [row + 1 for row in self._row.tolist()]
        return [row + 1 for row in self._row[self._events(path, definition)].tolist()]

    def changes(self, path: str, definition: str | None = None) -> Changes | None:
        """How often and how lately a definition or a file changed; None: never."""
        commits = np.unique(self._commit[self._events(path, definition)])
        if not len(commits):
            return None
        return Changes(len(commits), self._dates[commits[0]], int(commits[0]))

    def together(self, path: str, definition: str) -> dict[tuple[str, str], Coupling]:
        """The definitions that commits changed along with this one."""
        coupled = self._together(self._events(path, definition), self._definition)
        coupled.pop(self._definitions.get((path, definition), -1), None)
        return {self._names[identity]: coupling for identity, coupling in coupled.items()}

    def files_together(self, path: str, definition: str | None = None) -> dict[str, Coupling]:
        """The files that commits changed along with this one, or along with this definition of it."""
        coupled = self._together(self._events(path, definition), self._path)
        coupled.pop(self._paths.get(path, -1), None)
        return {self._path_names[identity]: coupling for identity, coupling in coupled.items()}

    def _events(self, path: str, definition: str | None) -> NDArray[np.int64]:
        if definition is None:
            (order, starts), identity = self._by_path, self._paths.get(path)
        else:
            (order, starts), identity = self._by_definition, self._definitions.get((path, definition))
        return order[:0] if identity is None else order[starts[identity] : starts[identity + 1]]

    def _together(self, events: NDArray[np.int64], identities: NDArray[np.int64]) -> dict[int, Coupling]:
        commits = np.unique(self._commit[events])
        if not len(commits):
            return {}
        pieces = [identities[self._starts[commit] : self._starts[commit + 1]] for commit in commits]
        members = [np.unique(piece) for piece in pieces]
        weights = [np.full(len(member), 1.0 / max(1, len(member) - 1)) for member in members]
        found, inverse, counts = np.unique(np.concatenate(members), return_inverse=True, return_counts=True)
        totals = np.bincount(inverse, weights=np.concatenate(weights))
        return {
            int(identity): Coupling(int(count), float(weight))
            for identity, count, weight in zip(found, counts, totals, strict=True)
        }


def _grouped(identities: NDArray[np.int64], count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Events sorted by identity, in their order within one, and where each identity's begin."""
    order = np.argsort(identities, kind="stable")
    return order, np.searchsorted(identities[order], np.arange(count + 1))

"""Which definitions the commits of a range changed, renamed files under their newest names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.history import NewestPaths
from codewm_lsp.index.place_names import PlaceNames
from codewm_lsp.records import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """The edits of a range of commits, counted. A renamed file goes by its newest path throughout.

    ``definitions``: (path, definition) of everything that ever changed, the latest change first. ``events``: one pair
    for each edit, newest commit first: the rank of its commit (0: the newest with edits), and which of ``definitions``.
    It does not change; ask the index for a new one when that has grown.
    """

    definitions: Sequence[tuple[str, str]]
    events: tuple[NDArray[np.int64], NDArray[np.int64]]

    @staticmethod
    def of(
        commits: Sequence[range],
        places: Sequence[tuple[str, str]],
        place_of: NDArray[np.int32],
        renames: Iterable[tuple[int, str, str]],
    ) -> History:
        """``commits``: the rows of the edits of each, newest first. ``places``: (path, definition) of each place.
        ``place_of``: place of each edit. ``renames``: (position in ``commits``, old path, new path)."""
        renamed: dict[int, list[tuple[str, str]]] = {}
        for position, old, new in renames:
            renamed.setdefault(position, []).append((old, new))
        numbers: dict[tuple[str, str], int] = {}
        definitions: list[int] = []
        sizes: list[int] = []
        paths = NewestPaths()
        resolved: dict[int, int] = {}  # place → definition, until a rename comes between
        for position, own in enumerate(commits):
            if own:
                sizes.append(len(own))
                for place in place_of[own.start : own.stop].tolist():
                    if place not in resolved:
                        path, definition = named = places[place]
                        newest = paths.of(path)
                        key = named if newest == path else (newest, definition)
                        resolved[place] = numbers.setdefault(key, len(numbers))
                    definitions.append(resolved[place])
            if position in renamed:
                paths.add(renamed[position])
                resolved.clear()
        ranks = np.repeat(np.arange(len(sizes)), np.array(sizes, dtype=np.int64))
        return History(PlaceNames(numbers), (ranks, np.array(definitions, dtype=np.int64)))

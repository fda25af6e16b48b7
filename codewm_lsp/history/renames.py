"""What a file of an older commit is called now."""

from __future__ import annotations

from collections.abc import Iterable


class NewestPaths:
    """Follows renames while commits are gone through from the newest to the oldest.

    What a commit renamed holds for the commits before it: add its renames after its own paths were looked up.
    """

    def __init__(self) -> None:
        self._newest: dict[str, str] = {}

    def of(self, path: str) -> str:
        """The newest name of a path of the commits now looked at."""
        return self._newest.get(path, path)

    def add(self, renames: Iterable[tuple[str, str]]) -> None:
        """Go past a commit that renamed these, (old path, new path)."""
        for old, new in renames:
            self._newest[old] = self._newest.get(new, new)

    def now(self) -> dict[str, str]:
        """Paths of the commits now looked at that have another name, and that; a copy."""
        return dict(self._newest)

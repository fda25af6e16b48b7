"""What changed when, and with what: the repository's past as arrays.

Counting is done in commits, not in days: a repository that slept for a year has forgotten nothing.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.distinct import among, distinct
from codewm_lsp.memo import Kind, Memo
from codewm_lsp.ranking.corpus import simple_name
from codewm_lsp.records import dataclass

Ints = NDArray[np.int32]
Numbers = NDArray[np.int64]
Floats = NDArray[np.float32]

NEVER: Final = 1e6  # commits ago, of what has not changed in the known past
HALF_LIFE: Final = 300.0  # in commits
NEAR: Final = 2  # commits before and after


class Changes:
    """The commits of the past, newest first, and what changed in them: definitions, files, and names anywhere.

    Only what is asked about is counted, so that asking again with the newest commits left out (``after``: those up to
    and including that position) costs little.
    """

    def __init__(self, names: Sequence[tuple[str, str]], ages: Numbers, definitions: Numbers) -> None:
        """``names``: (path, definition) of everything that ever changed. ``ages`` and ``definitions``: one pair for
        each change, the position of its commit (0: the newest with a change in it) and which of ``names`` it is."""
        self._files: dict[str, int] = {}
        simple: dict[str, int] = {}
        file_of, simple_of = np.empty(len(names), np.int32), np.empty(len(names), np.int32)
        for number, (path, definition) in enumerate(names):
            file_of[number] = self._files.setdefault(path, len(self._files))
            simple_of[number] = simple.setdefault(simple_name(definition), len(simple))
        self._definitions = _Lookup(names)
        self._simple = _Lookup(simple)
        self.count = int(ages.max()) + 1 if len(ages) else 0
        self._sizes = np.bincount(ages, minlength=self.count)
        self._tables = {
            "definition": _Table(ages, definitions, len(names)),
            "file": _Table(ages, file_of[definitions], len(self._files)),
            "name": _Table(ages, simple_of[definitions], len(simple)),
        }
        self._memo = Memo()

    def definition(self, path: str, name: str) -> int:
        """Number of a definition, -1 when it never changed."""
        return int(self._definitions.each([(path, name)])[0])

    def definitions(self, names: Iterable[tuple[str, str]]) -> Numbers:
        """The same of many (path, name)."""
        return self._definitions.each(names)

    def file(self, path: str) -> int:
        """Number of a file, -1 when it never changed."""
        return self._files.get(path, -1)

    def name(self, name: str) -> int:
        """Number of a simple name, -1 when nothing of that name ever changed."""
        return int(self._simple.each([name])[0])

    def names(self, names: Iterable[str]) -> Numbers:
        """The same of many."""
        return self._simple.each(names)

    def recency(self, table: str, after: int = -1) -> Floats:
        """Commits since each was last changed (0: by the newest), ``NEVER`` where it was not. Past of ``after``."""
        return self._memo.get(_SINGLE, (table, after), lambda: self._tables[table].recency(after))

    def frequency(self, table: str, after: int = -1, half_life: float = 0.0) -> Floats:
        """How many commits changed each, those of long ago counting less when ``half_life`` (in commits) is given."""
        key = (table, after, half_life)
        return self._memo.get(_SINGLE, key, lambda: self._tables[table].frequency(after, half_life))

    def together(self, table: str, asked_in: str, asked: int, after: int = -1) -> Together:
        """How often each of ``table`` changed together with one of ``asked_in`` (a definition, a file or a name).

        The last answers are kept: while somebody types, the same is asked again and again."""
        key = (table, asked_in, asked, after)
        return self._memo.get(_COUNTED, key, lambda: self._count_together(table, asked_in, asked, after))

    def _count_together(self, table: str, asked_in: str, asked: int, after: int) -> Together:
        wanted = self._tables[table]
        commits = self._tables[asked_in].commits_of(asked, after)
        count = np.zeros(wanted.width, dtype=np.float32)
        recent = np.zeros(wanted.width, dtype=np.float32)
        small = np.zeros(wanted.width, dtype=np.float32)
        near = np.zeros(wanted.width, dtype=np.float32)
        for age in commits.tolist():
            members = wanted.members(age)
            count[members] += 1
            recent[members] += 0.5 ** ((age - after - 1) / HALF_LIFE)
            small[members] += 2 / (1 + self._sizes[age])
        around = distinct(commits[:, None] + np.arange(-NEAR, NEAR + 1)) if len(commits) else commits
        around = around[(around > after) & (around < self.count) & ~among(around, commits)]
        for age in around.tolist():
            near[wanted.members(age)] += 1 / (1 + self._sizes[age])
        return Together(len(commits), count, recent, small, near)


@dataclass(frozen=True, slots=True)
class Together:
    """Joint changes with the one asked about, which changed in ``asked`` commits: counted plainly, halved every
    ``HALF_LIFE`` commits, and by the smallness of the commit (2 / (1 + definitions in it))."""

    asked: int
    count: Floats
    recent: Floats
    small: Floats
    near: Floats

    @property
    def nbytes(self) -> int:
        """Of its four arrays."""
        return self.count.nbytes + self.recent.nbytes + self.small.nbytes + self.near.nbytes


_SINGLE: Final = Kind[Floats]("changes of each", 12)  # of definitions and files, for one position in the past
_COUNTED: Final = Kind[Together]("changed together", 1_000, bytes=12 << 20)


class _Lookup:
    """Which of very many keys, numbered from 0 on, one is.

    Kept of each is its hash alone, as a dictionary takes twenty times the memory. It has 64 bits: two of a million keys
    would be taken for one in one of thirty million repositories.
    """

    def __init__(self, keys: Iterable[Hashable]) -> None:
        hashes = np.array([hash(key) for key in keys], dtype=np.int64)
        self._order = np.argsort(hashes, kind="stable").astype(np.int32)
        self._hashes = hashes[self._order]

    def each(self, keys: Iterable[Hashable]) -> Numbers:
        """The number of each key, -1 where it is none."""
        hashes = np.array([hash(key) for key in keys], dtype=np.int64)
        if not len(self._hashes):
            return np.full(len(hashes), -1, dtype=np.int64)
        place = np.minimum(np.searchsorted(self._hashes, hashes), len(self._hashes) - 1)
        return np.where(self._hashes[place] == hashes, self._order[place], -1).astype(np.int64)


class _Table:
    """Distinct pairs (commit, member), by commit and by member."""

    def __init__(self, ages: Numbers, members: NDArray[np.integer], width: int) -> None:
        self.width = width
        pairs = distinct(ages * max(1, width) + members)
        self.ages: Ints = (pairs // max(1, width)).astype(np.int32)
        self._members: Ints = (pairs % max(1, width)).astype(np.int32)
        by_member = np.lexsort((self.ages, self._members))
        self._sorted_ages = self.ages[by_member]
        self._bounds = np.searchsorted(self._members[by_member], np.arange(width + 1)).astype(np.int32)
        last = int(self.ages[-1]) + 1 if len(ages) else 0
        self._starts = np.searchsorted(self.ages, np.arange(last + 1)).tolist()

    def members(self, age: int) -> Ints:
        if age + 1 >= len(self._starts):
            return self._members[:0]
        return self._members[self._starts[age] : self._starts[age + 1]]

    def commits_of(self, member: int, after: int) -> Numbers:
        if member < 0:
            return np.zeros(0, dtype=np.int64)
        ages = self._sorted_ages[self._bounds[member] : self._bounds[member + 1]]
        return ages[ages > after].astype(np.int64)

    def recency(self, after: int) -> Floats:
        recency = np.full(self.width, NEVER, dtype=np.float32)
        low = int(np.searchsorted(self.ages, after, side="right"))
        members, first = np.unique(self._members[low:], return_index=True)
        recency[members] = self.ages[low:][first] - after - 1
        return recency

    def frequency(self, after: int, half_life: float) -> Floats:
        low = int(np.searchsorted(self.ages, after, side="right"))
        ages, members = self.ages[low:], self._members[low:]
        weights = 0.5 ** ((ages - after - 1) / half_life) if half_life else np.ones(len(ages))
        return np.bincount(members, weights=weights, minlength=self.width).astype(np.float32)

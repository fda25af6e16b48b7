"""One state of a repository and its past: what all questions about it share."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.history import Edit
from codewm_lsp.ranking.co_change import NEVER, Changes
from codewm_lsp.ranking.conventions import is_test, module_of, test_stem
from codewm_lsp.ranking.corpus import Corpus, simple_name
from codewm_lsp.source import split_identifier

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Signals:
    """``definitions``: a row for each definition of the corpus; ``files``: one for each of its files.

    ``gone`` and ``fresh`` are the words that the edit took out of its definition and brought into it.
    """

    definitions: Mapping[str, Floats]
    files: Mapping[str, Floats]
    gone: tuple[str, ...]
    fresh: tuple[str, ...]


class State:
    """One state of a repository and its past: what all questions about it share.

    ``after`` leaves the newest commits of ``changes`` out: only those of a greater age count. ``renamed``: what
    ``changes`` calls a path of the corpus, where that is something else (the corpus being that of an older commit).
    """

    def __init__(
        self,
        corpus: Corpus,
        changes: Changes,
        after: int = -1,
        renamed: Mapping[str, str] | None = None,
        like: State | None = None,
    ) -> None:
        """``like``: another state; what it knows of files that are the same here is taken from there."""
        self.corpus = corpus
        self.changes = changes
        self.after = after
        self.renamed = renamed or {}
        self.asked: OrderedDict[Edit, Signals] = OrderedDict()
        """Edits in progress → their signals, kept by ``signals_of``."""
        known = like if like is not None and like.changes is changes and like.renamed == self.renamed else None
        changed = corpus.changed_from(known.corpus) if known is not None else None
        if known is None or changed is None:
            paths = [self.renamed.get(path, path) for path in corpus.paths]
            self.file_ids: NDArray[np.int64] = np.array([changes.file(path) for path in paths], dtype=np.int64)
            everything = range(len(corpus.paths))
            self.definition_ids = _joined([self._definitions_of(file) for file in everything])
            self.simple_ids = _joined([self._names_of(file) for file in everything])
            return
        self.file_ids = known.file_ids
        first = known.corpus.first
        self.definition_ids = _spliced(known.definition_ids, first, changed, self._definitions_of)
        self.simple_ids = _spliced(known.simple_ids, first, changed, self._names_of)
        for name in ("modules", "_tops", "places", "folders"):  # what hangs on the paths alone
            if name in known.__dict__:
                self.__dict__[name] = known.__dict__[name]
        if "_imported" in known.__dict__:
            self.__dict__["_imported"] = imported = list(known._imported)
            for file in changed:
                imported[file] = self._imported_by(file)

    def _names(self, file: int) -> list[str]:
        return self.corpus.names[int(self.corpus.first[file]) : int(self.corpus.first[file + 1])]

    def _definitions_of(self, file: int) -> list[int]:
        if self.file_ids[file] < 0:
            return [-1] * len(self._names(file))
        path = self.renamed.get(self.corpus.paths[file], self.corpus.paths[file])
        return [self.changes.definition(path, name) for name in self._names(file)]

    def _names_of(self, file: int) -> list[int]:
        return [self.changes.name(simple_name(name)) for name in self._names(file)]

    @cached_property
    def recency(self) -> Floats:
        """Commits since each definition changed."""
        return pick(self.changes.recency("definition", self.after), self.definition_ids, NEVER)

    @cached_property
    def frequency(self) -> Floats:
        """Commits that changed each definition."""
        return pick(self.changes.frequency("definition", self.after), self.definition_ids, 0)

    @cached_property
    def activity(self) -> Floats:
        """The same, those of long ago counting less."""
        return pick(self.changes.frequency("definition", self.after, 100), self.definition_ids, 0)

    @cached_property
    def file_recency(self) -> Floats:
        """Commits since each file changed."""
        return pick(self.changes.recency("file", self.after), self.file_ids, NEVER)

    @cached_property
    def file_frequency(self) -> Floats:
        """Commits that changed each file."""
        return pick(self.changes.frequency("file", self.after), self.file_ids, 0)

    @cached_property
    def file_activity(self) -> Floats:
        """The same, those of long ago counting less."""
        return pick(self.changes.frequency("file", self.after, 100), self.file_ids, 0)

    @cached_property
    def owners(self) -> list[str]:
        """For each definition the qualified name it stands in ("" at the margin)."""
        return [name.rpartition(".")[0] for name in self.corpus.names]

    @cached_property
    def modules(self) -> dict[str, int]:
        """Dotted name of a module, and every ending of it → file (the first that has it)."""
        found: dict[str, int] = {}
        for file, path in enumerate(self.corpus.paths):
            parts = module_of(path)
            for start in range(len(parts)):
                found.setdefault(".".join(parts[start:]), file)
        return found

    @cached_property
    def imports(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Pairs (file, file that it imports)."""
        found = self._imported
        sources = np.repeat(np.arange(len(found)), [len(targets) for targets in found])
        return sources, np.array([target for targets in found for target in targets], dtype=np.int64)

    @cached_property
    def _imported(self) -> list[list[int]]:
        """For each file those that it imports."""
        return [self._imported_by(file) for file in range(len(self.corpus.paths))]

    def _imported_by(self, file: int) -> list[int]:
        targets: list[int] = []
        here = self.corpus.paths[file].split("/")
        for name in self.corpus.imports(file):
            if name.startswith("."):
                dots = len(name) - len(name.lstrip("."))
                base = here[: max(0, len(here) - dots)]
                parts = [part for part in (*base, *name.lstrip(".").split(".")) if part]
            else:
                parts = name.split(".")
            target = self._target(parts, absolute=not name.startswith("."))
            if target is not None and target != file:
                targets.append(target)
        return targets

    def _target(self, parts: list[str], absolute: bool) -> int | None:
        if absolute and len(parts) == 1:
            return self.modules.get(parts[0]) if parts[0] in self._tops else None
        return self.modules.get(".".join(parts))

    @cached_property
    def _tops(self) -> frozenset[str]:
        return frozenset(part for path in self.corpus.paths for part in module_of(path)[:2])

    @cached_property
    def places(self) -> list[Place]:
        """What is told of each file by its path alone."""
        return [Place.of(path) for path in self.corpus.paths]

    @cached_property
    def folders(self) -> list[NDArray[np.int64]]:
        """The files of each folder."""
        found: dict[str, list[int]] = {}
        for file, path in enumerate(self.corpus.paths):
            found.setdefault(path.rpartition("/")[0], []).append(file)
        return [np.array(files, dtype=np.int64) for files in found.values()]


@dataclass(frozen=True, slots=True)
class Place:
    """What is told of a file by its path."""

    folder: tuple[str, ...]
    stem: str
    words: frozenset[str]
    testing: bool
    package: bool

    @classmethod
    def of(cls, path: str) -> Place:
        *folder, name = path.split("/")
        stem = test_stem(path)
        return cls(tuple(folder), stem, frozenset(split_identifier(stem)), is_test(path), name == "__init__.py")


def pick(values: Floats, ids: NDArray[np.int64], otherwise: float) -> Floats:
    if not len(values):
        return np.full(len(ids), otherwise, dtype=np.float32)
    return np.where(ids >= 0, values[ids], otherwise).astype(np.float32)


def _joined(parts: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    return np.array([number for part in parts for number in part], dtype=np.int64)


def _spliced(
    known: NDArray[np.int64], first: NDArray[np.int64], changed: Sequence[int], found: Callable[[int], list[int]]
) -> NDArray[np.int64]:
    """A number for each definition: found anew in the changed files (in their order), taken over in all others."""
    parts: list[NDArray[np.int64]] = []
    begin = 0
    for file in changed:
        parts += known[begin : int(first[file])], np.array(found(file), dtype=np.int64)
        begin = int(first[file + 1])
    return np.concatenate([*parts, known[begin:]])

"""One state of a repository and its past: what all questions about it share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.ranking.co_change import NEVER, Changes
from codewm_lsp.ranking.corpus import Corpus, between, scaled, simple_name, spliced
from codewm_lsp.records import dataclass

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]

EVERY: Final = slice(None)


@dataclass(frozen=True, eq=False)
class State:
    """One state of a repository and its past: what all questions about it share.

    ``after`` leaves the newest commits of ``changes`` out: only those of a greater age count. ``renamed``: what
    ``changes`` calls a path of the corpus, where that is something else (the corpus being that of an older commit).
    What ``changes`` calls each file, each definition and the simple name of each is in ``file_ids``,
    ``definition_ids`` and ``simple_ids`` (−1: it never changed); ``imported`` has the files that each file imports.
    """

    corpus: Corpus
    changes: Changes
    after: int
    renamed: Mapping[str, str]
    file_ids: Numbers
    definition_ids: Numbers
    simple_ids: Numbers
    imported: Sequence[tuple[int, ...]]

    @classmethod
    def of(cls, corpus: Corpus, changes: Changes, after: int = -1, renamed: Mapping[str, str] | None = None) -> State:
        """Look up everything of a corpus."""
        renamed = renamed or {}
        everything = range(len(corpus.paths))
        return cls(
            corpus,
            changes,
            after,
            renamed,
            np.array([changes.file(renamed.get(path, path)) for path in corpus.paths], dtype=np.int64),
            _definitions_of(corpus, changes, renamed, everything),
            _simple_names_of(corpus, changes, everything),
            [corpus.layout.imported(file, names) for file, names in enumerate(corpus.imports)],
        )

    def with_corpus(self, corpus: Corpus, changed: Iterable[str]) -> State:
        """The state with another corpus, whose files are the same but for those of the paths ``changed``: only these
        are looked up. The answers are those of ``of``."""
        if corpus.layout is not self.corpus.layout:  # other paths: any import may lead elsewhere
            return State.of(corpus, self.changes, self.after, self.renamed)
        splices = between(self.corpus.paths, corpus.paths, changed)
        rows = scaled(splices, self.corpus.first, corpus.first)
        files = [one.new_low for one in splices if one.new_low < one.new_high]
        imported = list(self.imported)
        for file in files:
            imported[file] = corpus.layout.imported(file, corpus.imports[file])
        return State(
            corpus,
            self.changes,
            self.after,
            self.renamed,
            self.file_ids,
            spliced(self.definition_ids, _definitions_of(corpus, self.changes, self.renamed, files), rows),
            spliced(self.simple_ids, _simple_names_of(corpus, self.changes, files), rows),
            imported,
        )

    def part(self, files: Sequence[int]) -> State:
        """The state of some files alone (ascending); what is said of a definition is the same in both."""
        rows = self.corpus.rows_of(np.array(files, dtype=np.int64))
        return State(
            self.corpus.part(files),
            self.changes,
            self.after,
            self.renamed,
            self.file_ids[list(files)],
            self.definition_ids[rows],
            self.simple_ids[rows],
            [()] * len(files),
        )

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
    def imports(self) -> tuple[Numbers, Numbers]:
        """Pairs (file, file that it imports)."""
        sources = np.repeat(np.arange(len(self.imported)), [len(targets) for targets in self.imported])
        return sources, np.fromiter(chain.from_iterable(self.imported), dtype=np.int64)


def _names(corpus: Corpus, file: int) -> list[str]:
    return corpus.names[int(corpus.first[file]) : int(corpus.first[file + 1])]


def _definitions_of(corpus: Corpus, changes: Changes, renamed: Mapping[str, str], files: Iterable[int]) -> Numbers:
    return changes.definitions(
        (renamed.get(corpus.paths[file], corpus.paths[file]), name) for file in files for name in _names(corpus, file)
    )


def _simple_names_of(corpus: Corpus, changes: Changes, files: Iterable[int]) -> Numbers:
    return changes.names(simple_name(name) for file in files for name in _names(corpus, file))


def pick(values: Floats, ids: Numbers, otherwise: float) -> Floats:
    """The value of each id, and ``otherwise`` where it is negative."""
    if not len(values):
        return np.full(len(ids), otherwise, dtype=np.float32)
    return np.where(ids >= 0, values[ids], otherwise).astype(np.float32)


def best_of_files(state: State, values: NDArray[Any], files: slice | NDArray[np.int64] = EVERY) -> NDArray[np.float64]:
    """The greatest value among the definitions of each of ``files`` (ascending), (F,); 0 in a file without any."""
    corpus = state.corpus
    if isinstance(files, slice):
        starts, ends = corpus.first[:-1][files], corpus.first[1:][files]
    else:
        values = values[corpus.rows_of(files)]
        sizes = np.diff(corpus.first)[files]
        ends = np.cumsum(sizes)
        starts = ends - sizes
    best = np.zeros(len(starts), dtype=np.float64)
    full = starts < ends
    if full.any():  # one file after the other: that the next begins ends each
        best[full] = np.maximum.reduceat(values[: ends[-1]], starts[full])
    return best

"""Histories asked again: every commit as it stood before it was made, with what was known then.

Of a history's newest fifth, the commits that changed 2 to 20 definitions are *examples*: some of their edits are
revealed as edits in progress, and the rest is what a good hint would have pointed at. Files are those of the commit's
parent with the revealed edits made, as in a working tree; the past is what came before the commit. The fit of the
where-next ranker and the protocols E5 and E6 ask the same.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.hints.excerpts import excerpt
from codewm_lsp.history import Commit, Edit, NewestPaths, Repository, alone, as_before
from codewm_lsp.ranking.co_change import Changes
from codewm_lsp.ranking.corpus import Corpus, ParsedFile, Vocabulary, parse_file
from codewm_lsp.ranking.state import State
from codewm_lsp.source import Definition, parse_definitions
from codewm_lsp.world_model.model import RECENT

FEWEST: Final = 2  # changed definitions of an example's commit
MOST: Final = 20
NEWEST: Final = 0.2  # share of a history from which examples are taken
EXAMPLES: Final = 150  # of a repository
PAST: Final = 1_500  # commits read beyond the oldest example
_AT_ONCE: Final = 64  # files read together
NEXT_COMMITS: Final = 5  # of the author, in which a shown definition may still change


@dataclass(frozen=True, slots=True)
class Past:
    """A history, newest first: its commits with edits, their changes, and what a path of each is called now.

    ``examples``: positions in ``commits``. ``range``: the newest and the oldest commit that were read.
    """

    commits: list[tuple[Commit, tuple[Edit, ...]]]
    changes: Changes
    renamed: list[Mapping[str, str]]
    examples: tuple[int, ...]
    range: tuple[str, str]

    def before(self, position: int) -> Iterator[Edit]:
        """The edits of the commits before, newest commit first."""
        for _, edits in self.commits[position + 1 :]:
            yield from edits


def read_past(
    repository: Repository, *, examples: int = EXAMPLES, past: int = PAST, rev: str = "HEAD", newest: float = NEWEST
) -> Past:
    """Read the newest ``examples`` examples, and ``past`` commits beyond; renamed files go by their newest path."""
    window = ceil(len(repository.ancestors(rev)) * newest)
    commits: list[tuple[Commit, tuple[Edit, ...]]] = []
    names: dict[tuple[str, str], int] = {}
    pairs: list[tuple[int, int]] = []
    paths = NewestPaths()
    now: Mapping[str, str] = {}
    renamed: list[Mapping[str, str]] = []
    chosen: list[int] = []
    until = window + past
    first = last = ""
    for walked, item in enumerate(repository.commits(rev)):
        if walked >= until:
            break
        first, last = first or item.commit.sha, item.commit.sha
        for edit in item.edits:
            key = (paths.of(edit.path), edit.definition)
            pairs.append((len(commits), names.setdefault(key, len(names))))
        if item.renames:
            paths.add(item.renames)
            now = paths.now()
        if item.edits:
            if walked < window and FEWEST <= len(item.edits) <= MOST and item.commit.parent and len(chosen) < examples:
                chosen.append(len(commits))
                if len(chosen) == examples:
                    until = walked + 1 + past
            commits.append((item.commit, item.edits))
            renamed.append(now)
    ages, definitions = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return Past(commits, Changes(list(names), ages, definitions), renamed, tuple(chosen), (first, last))


@dataclass(frozen=True, slots=True)
class Example:
    """A commit as it stood before it was made. ``edits`` under the paths of before; ``changed``: (path, definition).

    ``versions``: of each changed file the texts before and after, None where there is none. ``blobs``: the content of
    each path of before; ``texts``: those that edits in progress have changed.
    """

    position: int
    commit: Commit
    state: State
    edits: tuple[Edit, ...]
    changed: frozenset[tuple[str, str]]
    versions: Mapping[str, tuple[str | None, str | None]]
    blobs: Mapping[str, str]
    texts: Mapping[str, str] = field(default_factory=dict)

    def shuffled(self, seed: int) -> list[Edit]:
        """See the function."""
        return shuffled(self.edits, self.commit.sha, seed)

    def revealing(self, edits: Sequence[Edit]) -> tuple[Example, list[Edit]] | None:
        """The example once these edits are in progress, and they as they are found then: as in a working tree, files
        hold them and nothing else of the commit. None where they cannot be made without the rest of it."""
        files: dict[str, ParsedFile | None] = {}
        texts: dict[str, str] = {}
        found: dict[tuple[str, str], Edit] = {}
        for path in dict.fromkeys(edit.path for edit in edits):
            made = alone(*self.versions[path], [edit for edit in edits if edit.path == path])
            if made is None:
                return None
            texts[path] = made.text
            files[path] = parse_file(made.text, self.state.corpus.vocabulary) if made.text else None
            found |= {(path, edit.definition): excerpt(edit) for edit in made.edits}
        corpus = self.state.corpus.with_files(files)
        in_progress = [found[edit.path, edit.definition] for edit in edits]
        return replace(self, state=self.state.with_corpus(corpus, files), texts=texts), in_progress


def shuffled(edits: Sequence[Edit], sha: str, seed: int) -> list[Edit]:
    """The edits of a commit in an order of their own for each seed: the first is the one revealed."""
    order = list(edits)
    random.Random(f"{seed} {sha}").shuffle(order)
    return order


def examples(repository: Repository, past: Past) -> Iterator[Example]:
    """The examples of a history, newest first."""
    vocabulary = Vocabulary()
    corpus = Corpus.of({}, vocabulary)
    known: Mapping[str, str] = {}
    for position in past.examples:
        commit, edits = past.commits[position]
        assert commit.parent is not None
        blobs = repository.files(commit.parent)
        differing = [path for path in blobs if known.get(path) != blobs[path]]
        changed: dict[str, ParsedFile | None] = dict.fromkeys(known.keys() - blobs.keys())
        for some in _parts(differing):
            texts = repository.read_all(list(dict.fromkeys(blobs[path] for path in some)))
            for path in some:
                text = texts[blobs[path]]
                changed[path] = None if text is None else parse_file(text, vocabulary)
        corpus, known = corpus.with_files(changed), blobs
        if not len(corpus):
            continue
        corpus.sort()
        versions: dict[str, tuple[str | None, str | None]] = {}
        for edit in edits:
            was = edit.previous_path or edit.path
            if was not in versions:
                blob = blobs.get(was)
                text = repository.read(blob) if blob is not None else None
                versions[was] = text, repository.text_at(commit.sha, edit.path)
        before = tuple(as_before(edit) for edit in edits)
        yield Example(
            position=position,
            commit=commit,
            state=State.of(corpus, past.changes, position, past.renamed[position]),
            edits=before,
            changed=frozenset((edit.path, edit.definition) for edit in before),
            versions=versions,
            blobs=blobs,
        )


def _parts(paths: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(paths), _AT_ONCE):
        yield paths[start : start + _AT_ONCE]


def labels(example: Example) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which definitions of the corpus the commit changed, and which files."""
    corpus = example.state.corpus
    definitions = np.zeros(len(corpus), dtype=bool)
    files = np.zeros(len(corpus.paths), dtype=bool)
    for path in {path for path, _ in example.changed}:
        file = corpus.number.get(path)
        if file is not None:
            files[file] = True
            for row in range(int(corpus.first[file]), int(corpus.first[file + 1])):
                definitions[row] = (path, corpus.names[row]) in example.changed
    return definitions, files


def changed_soon(past: Past, example: Example) -> NDArray[np.bool_]:
    """Definitions of the corpus that the commit, or one of the author's next five, changes."""
    corpus = example.state.corpus
    author = example.commit.author
    later = [at for at in range(example.position - 1, -1, -1) if past.commits[at][0].author == author][:NEXT_COMMITS]
    changed = {
        (past.renamed[at].get(edit.path, edit.path), edit.definition) for at in later for edit in past.commits[at][1]
    }
    now = past.renamed[example.position]
    changed |= {(now.get(path, path), definition) for path, definition in example.changed}
    paths = [now.get(path, path) for path in corpus.paths]
    return np.array(
        [(paths[file], name) in changed for file, name in zip(corpus.file.tolist(), corpus.names, strict=True)],
        dtype=bool,
    )


def left_over(example: Example, revealed: list[Edit]) -> NDArray[np.bool_]:
    """The definitions of the corpus that are not being edited."""
    corpus = example.state.corpus
    left = np.ones(len(corpus), dtype=bool)
    for edit in revealed:
        file = corpus.number.get(edit.path)
        if file is not None:
            for row in range(int(corpus.first[file]), int(corpus.first[file + 1])):
                left[row] &= corpus.names[row] != edit.definition
    return left


class Sources:
    """The texts of an example's definitions, their files parsed when they are asked for."""

    def __init__(self, repository: Repository, example: Example) -> None:
        self._repository = repository
        self._corpus = example.state.corpus
        self._example = example
        self._parsed: dict[int, tuple[Definition, ...]] = {}

    def __getitem__(self, files: Sequence[int]) -> Mapping[int, Sequence[Definition]]:
        """The definitions of files of the corpus."""
        for file in files:
            if file not in self._parsed:
                path = self._corpus.paths[file]
                if path in self._example.texts:
                    self._parsed[file] = parse_definitions(self._example.texts[path])
                else:
                    blob = self._example.blobs[path]
                    self._parsed[file] = self._repository.definitions([blob])[blob]
        return {file: self._parsed[file] for file in files}


def recent_edits(past: Past, position: int, revealed: list[Edit]) -> list[Edit]:
    """What the world model is told: the edits in progress, then the newest of the past."""
    found = list(revealed[:RECENT])
    for edit in past.before(position):
        if len(found) >= RECENT:
            break
        found.append(edit)
    return found


def clone_of(folder: Path, name: str) -> Path | None:
    """Where ``owner/name`` lies in a folder of clones."""
    place = folder / name.replace("/", "+")
    for candidate in (place / "repo", place):
        if candidate.is_dir():
            return candidate
    return None

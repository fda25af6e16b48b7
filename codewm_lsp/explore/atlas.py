"""What a page about a repository holds: its newest edits on a map, the definitions and files they are of.

No code: paths, names, subjects and authors of commits. The diffs of the edits are added where they are asked for.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.display import clean
from codewm_lsp.explore import projection
from codewm_lsp.explore.file_graph import FileGraph, file_graph
from codewm_lsp.history import Repository
from codewm_lsp.index import Index, PastEdit
from codewm_lsp.index.file_history import file_history
from codewm_lsp.records import dataclass
from codewm_lsp.source import parse_definitions, words_of_text

MOST_EDITS: Final = 50_000
"""Newest edits that are on a map."""
ALIKE: Final = 5
"""Edits that are named as like another one."""
MOST_DIFF_BYTES: Final = 48 << 20
"""Of all diffs together; those of older edits are left out."""
MOST_READ: Final = 2_000
"""Files that are read for what stands in them. In others, whose definitions changed least, nothing counts as there."""
MOST_READ_BYTES: Final = 32 << 20
"""Of all these files together, about."""

_LONGEST: Final = 300  # characters of a text of the repository
_LONGEST_DIFF: Final = 20_000
_REGIONS: Final = 28
_LEAST_OF_REGION: Final = 12  # edits of a region that gets a name
_READ_AT_ONCE: Final = 16  # files


@dataclass(frozen=True, slots=True)
class Region:
    """A part of the map and the words that tell it from the rest; ``x``, ``y`` in 0 … 1."""

    x: float
    y: float
    edits: int
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Atlas:
    """``edits``: newest first. ``places``: (N, 2) in 0 … 1; ``alike``: (N, at most ``ALIKE``) positions in ``edits``.
    ``definitions``: (path, name) by their newest paths; ``of``: (N,) which of them each edit changed.
    ``alive``: whether each definition stands in its file in ``head``. ``in_head``: which of their files, and of those
    of the graph, are there. ``indexed`` of ``commits`` commits are in the index, ``left_out`` edits of theirs are older
    than ``MOST_EDITS`` others."""

    name: str
    head: str
    commits: int
    indexed: int
    left_out: int
    edits: tuple[PastEdit, ...]
    places: NDArray[np.float32]
    alike: NDArray[np.int64]
    definitions: tuple[tuple[str, str], ...]
    of: NDArray[np.int64]
    alive: tuple[bool, ...]
    in_head: frozenset[str]
    regions: tuple[Region, ...]
    files: FileGraph
    diffs: tuple[str, ...] | None


def gather(
    repository: Repository,
    index: Index,
    rev: str,
    *,
    reached: frozenset[str],
    folder: Path | None,
    diff_of: Callable[[PastEdit], str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Atlas:
    """What the index says of the history of ``rev``, whose commits are ``reached``.

    ``folder``: the cache folder. ``diff_of``: the diff of an edit; None: none is wanted. Raises RepositoryError,
    IndexStoreError.
    """
    rows = index.newest(reached)
    history = index.history(reached)
    of = history.events[1][: len(rows)]
    left_out = max(0, len(rows) - MOST_EDITS)
    rows, of = rows[:MOST_EDITS], of[:MOST_EDITS]
    edits = tuple(index.edits(rows.tolist()))
    laid_out = projection.project(index.vectors(rows))
    kept, of = np.unique(of, return_inverse=True)
    definitions = tuple(history.definitions[number] for number in kept.tolist())
    sources = repository.files(rev)
    files = file_graph(file_history(repository, rev, folder))
    in_head = repository.blobs_at(rev, [path for path, _ in files.files])
    return Atlas(
        name=clean((repository.root or repository.git_dir).name, _LONGEST) or "repository",
        head=repository.head(rev),
        commits=len(reached),
        indexed=len(reached & index.log.known()),
        left_out=left_out,
        edits=edits,
        places=laid_out.positions,
        alike=laid_out.neighbours[:, :ALIKE],
        definitions=definitions,
        of=of,
        alive=_alive(repository, sources, of, definitions),
        in_head=frozenset(path for path, _ in definitions if path in sources).union(in_head),
        regions=_regions(edits, laid_out.positions),
        files=files,
        diffs=None if diff_of is None else _diffs(edits, diff_of, progress),
    )


def _alive(
    repository: Repository,
    sources: Mapping[str, str],
    of: NDArray[np.int64],
    definitions: Sequence[tuple[str, str]],
) -> tuple[bool, ...]:
    """Whether each definition stands in its file, of the files ``sources`` (path → blob): those are read in which a
    definition changed most, as many as ``MOST_READ`` and ``MOST_READ_BYTES`` allow."""
    most: dict[str, int] = {}
    for (path, _), edits in zip(definitions, np.bincount(of, minlength=len(definitions)).tolist(), strict=True):
        if path in sources:
            most[path] = max(most.get(path, 0), edits)
    paths = sorted(most, key=lambda path: (-most[path], path))[:MOST_READ]
    standing: set[tuple[str, str]] = set()
    size = 0
    for begin in range(0, len(paths), _READ_AT_ONCE):
        some = paths[begin : begin + _READ_AT_ONCE]
        texts = repository.read_all([sources[path] for path in some])
        for path in some:
            text = texts.get(sources[path])
            if text is not None and size < MOST_READ_BYTES:
                size += len(text)
                standing.update((path, definition.name) for definition in parse_definitions(text))
        if size >= MOST_READ_BYTES:
            break
    return tuple(definition in standing for definition in definitions)


def _regions(edits: Sequence[PastEdit], places: NDArray[np.float32]) -> tuple[Region, ...]:
    """Names for the parts of a map: words of definitions and subjects that are frequent there and not elsewhere."""
    if len(edits) < 2 * _LEAST_OF_REGION:
        return ()
    wanted = min(_REGIONS, len(edits) // _LEAST_OF_REGION)
    of = projection.regions(places, wanted)
    said = [
        {
            word
            for word in (
                *words_of_text(edit.definition),
                *words_of_text(edit.path),
                *words_of_text(edit.commit.subject),
            )
            if len(word) > 2 and word.isalpha()
        }
        for edit in edits
    ]
    everywhere = Counter(word for words in said for word in words)
    found: dict[tuple[str, ...], Region] = {}
    sizes = np.bincount(of, minlength=wanted)
    for number in np.argsort(-sizes, kind="stable").tolist():
        own = np.flatnonzero(of == number)
        if len(own) < _LEAST_OF_REGION:
            break
        here = Counter(word for row in own.tolist() for word in said[row])
        worth = {
            word: count / len(own) * math.log(count / len(own) / (everywhere[word] / len(edits)))
            for word, count in here.items()
            if count >= 3
        }
        words = sorted((word for word in worth if worth[word] > 0.05), key=lambda word: (-worth[word], word))[:3]
        name = next((pair for pair in (tuple(words[:2]), tuple(words[::2])) if pair and pair not in found), None)
        if name is not None:
            x, y = np.median(places[own], axis=0).tolist()
            found[name] = Region(x, y, len(own), tuple(clean(word, 24) for word in name))
    return tuple(found.values())


def _diffs(
    edits: Sequence[PastEdit], diff_of: Callable[[PastEdit], str], progress: Callable[[int, int], None] | None
) -> tuple[str, ...]:
    """The diffs of the newest edits, as many as fit."""
    found = []
    size = 0
    for number, edit in enumerate(edits):
        if progress is not None and not number % 100:
            progress(number, len(edits))
        text = diff_of(edit)
        if len(text) > _LONGEST_DIFF:
            text = text[:_LONGEST_DIFF].rpartition("\n")[0] + "\n…"
        size += len(text)
        if size > MOST_DIFF_BYTES:
            break
        found.append(text)
    return tuple(found)

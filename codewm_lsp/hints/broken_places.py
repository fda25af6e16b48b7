"""Definitions that a change leaves broken: they use a name or import a module that is gone, or call what takes other
arguments now.

Only files in which one of the names stands are read, and the packages above the change, through which they are reached;
so no index is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Final

from codewm_lsp.errors import RepositoryError
from codewm_lsp.hints.moved_imports import lost_imports
from codewm_lsp.hints.source_change import SourceChange
from codewm_lsp.history import Edit, Repository
from codewm_lsp.ranking.breaking import Broken
from codewm_lsp.ranking.corpus import Corpus, Vocabulary, parse_file, scope_above, simple_name
from codewm_lsp.ranking.path_layout import conventions_of, shared_beginning
from codewm_lsp.ranking.references import absent_modules, module_name, references
from codewm_lsp.records import dataclass
from codewm_lsp.source import Definition, parse_definitions
from codewm_lsp.source.languages import is_source

MOST_FILES: Final = 150
"""Files that are looked into, the nearest to the change first."""

_MOST_NAMES: Final = 40
_CERTAIN: Final = 0.95


@dataclass(frozen=True, slots=True)
class BrokenPlace:
    """A definition that must follow a change; ``line``, from 0, that of the first use in it."""

    path: str
    definition: str
    line: int
    chance: float
    reason: str


def broken_places(repository: Repository, change: SourceChange, broken: Broken) -> list[BrokenPlace]:
    """What a change leaves broken, the surest first. ``broken``: by its edits.

    Where the repository cannot tell, as in a partial clone, there is nothing.
    """
    found = _of_others(repository, change, broken)
    for one in lost_imports(repository, change):
        line = line_in_file(one.line, change.texts[one.path].after or "", one.definitions, one.definition)
        found.append(BrokenPlace(one.path, one.definition, line, _CERTAIN, one.reason))
    return sorted(dict.fromkeys(found), key=lambda one: -one.chance)


def _of_others(repository: Repository, change: SourceChange, broken: Broken) -> list[BrokenPlace]:
    """Those that use what the change takes away or alters."""
    sources = {path: text for path, text in change.texts.items() if is_source(path)}
    absent = _absent(change)
    names = list(dict.fromkeys([*_names(broken), *(module_name(path) for path in absent)]))
    if not names:
        return []
    try:
        holding = repository.files_with(change.past, names[:_MOST_NAMES])
        left = [path for path in holding if path not in sources and path not in absent]
        near = _nearest(left, {**sources, **absent})
        blobs = repository.blobs_at(change.past, [*near, *packages_above({**sources, **absent})])
        origins = repository.blobs_at(change.past, [old for new, old in change.moved.items() if is_source(new)])
        blobs |= {new: origins[old] for new, old in change.moved.items() if old in origins}
        read = repository.read_all(sorted(set(blobs.values())))
    except RepositoryError:
        return []
    texts = {path: read[blob] for path, blob in blobs.items()} | {path: text.after for path, text in sources.items()}
    there = {path: text for path, text in texts.items() if text is not None}
    return _found(there | dict.fromkeys(absent, ""), change.edits, absent)


def _absent(change: SourceChange) -> dict[str, str]:
    """The modules that are no longer there, and where each has moved, "" where nowhere."""
    texts = change.texts
    gone = [path for path in change.removed if path in texts and texts[path].after is None]
    moved = {old: new for new, old in change.moved.items() if old not in texts or old in change.removed}
    found = dict.fromkeys(gone, "") | moved
    return absent_modules(found, [*change.moved, *(path for path, text in texts.items() if text.after is not None)])


def _names(broken: Broken) -> list[str]:
    """The words without which no place can be broken."""
    names = [one.name for some in (broken.gone, broken.altered, broken.enlarged) for one in some]
    found = list(map(simple_name, names))
    made = [
        simple_name(scope_above(one.name))
        for one in broken.altered
        if one.member and simple_name(one.name) == conventions_of(one.path).constructor
    ]
    return list(dict.fromkeys([*found, *made]))


def packages_above(changed: Mapping[str, object]) -> list[str]:
    """The files that make packages of the folders above these files: what ``import package`` reaches through them."""
    found: dict[str, None] = {}
    for path in changed:
        folder = path.rpartition("/")[0]
        while folder:
            found[f"{folder}/{conventions_of(path).package}"] = None
            folder = folder.rpartition("/")[0]
    return [path for path in found if path not in changed]


def _nearest(paths: Sequence[str], changed: Mapping[str, object]) -> list[str]:
    folders = [path.split("/") for path in changed]
    nearness = {path: max(shared_beginning(path.split("/"), folder) for folder in folders) for path in paths}
    return sorted(paths, key=lambda path: (-nearness[path], path))[:MOST_FILES]


class ReadFiles:
    """Some files as a corpus, and their definitions, each parsed when it is asked for."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        vocabulary = Vocabulary()
        self.corpus = Corpus.of({path: parse_file(text, vocabulary) for path, text in texts.items()}, vocabulary)
        self._texts = texts
        self._parsed: dict[str, Sequence[Definition]] = {}

    def definitions(self, path: str) -> Sequence[Definition]:
        """Those of a file."""
        if path not in self._parsed:
            self._parsed[path] = parse_definitions(self._texts[path])
        return self._parsed[path]

    def read(self, files: Sequence[int]) -> dict[int, Sequence[Definition]]:
        """Those of files by their numbers in the corpus."""
        return {file: self.definitions(self.corpus.paths[file]) for file in files}


def _found(texts: Mapping[str, str], edits: Sequence[Edit], absent: Mapping[str, str]) -> list[BrokenPlace]:
    files = ReadFiles(texts)
    corpus = files.corpus
    found = [
        BrokenPlace(
            path := corpus.paths[corpus.file[row]],
            name := corpus.names[row],
            line_in_file(why.line, texts[path], files.definitions(path), name),
            why.score,
            why.words,
        )
        for row, why in references(corpus, edits, files.read, absent).items()
        if why.certain
    ]
    testing = dict(zip(corpus.paths, corpus.layout.testing.tolist(), strict=True))
    return sorted(found, key=lambda one: (-one.chance, testing[one.path], one.path, one.line))


def line_in_file(line: int | None, text: str, definitions: Sequence[Definition], name: str) -> int:
    """That of a line of a definition's own text, out of which the definitions inside it are cut; None: its first.

    Blank lines are not counted, since those around what is cut out may be, too.
    """
    [inside] = [one for one in definitions if one.name == name]
    if line is None:
        return inside.line
    nested = [one for one in definitions if one is not inside and inside.start <= one.start and one.end <= inside.end]
    cut = {number for one in nested for number in range(one.start, one.end)}
    lines = text.split("\n")
    before = sum(bool(one.strip()) for one in inside.source.split("\n")[:line])
    own = (n for n in range(inside.start, min(inside.end, len(lines))) if n not in cut and lines[n].strip())
    return next(islice(own, before, None), inside.line)

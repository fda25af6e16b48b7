"""Definitions that a change asks for what they do not have yet, in files that it leaves alone.

Only the modules that the changed definitions import are read, and those through which these reach what is used.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from codewm_lsp.errors import RepositoryError
from codewm_lsp.hints.broken_places import BrokenPlace, ReadFiles, packages_above
from codewm_lsp.hints.source_change import SourceChange
from codewm_lsp.history import Edit, Repository
from codewm_lsp.ranking.change_text import words_in
from codewm_lsp.ranking.lacking import lacking, new_words
from codewm_lsp.ranking.path_layout import conventions_of
from codewm_lsp.ranking.resolution import import_roots
from codewm_lsp.source import MODULE_NAME, Definition, DefinitionKind
from codewm_lsp.source.languages import is_source, language_of

_ALIAS: Final = re.compile(r"(\w+)[ \t]+as[ \t]+(\w+)")
_CHANCE: Final = 0.95
_MOST_FILES: Final = 60  # modules that are read
_MOST_PATHS: Final = 2_000  # that are asked for
_STEPS: Final = 3  # from a changed file over packages that export what others define


def lacking_places(repository: Repository, change: SourceChange) -> list[BrokenPlace]:
    """What a change needs and the other files do not have. Where the repository cannot tell, as in a partial clone,
    there is nothing."""
    edits = change.edits
    if not new_words(edits):
        return []
    texts = {path: text.after for path, text in change.texts.items() if is_source(path) and text.after is not None}
    changed = {*change.texts, *change.moved, *change.moved.values()}
    try:
        texts |= _imported(repository, change.past, texts, changed, edits)
    except RepositoryError:
        return []
    files = ReadFiles(texts)
    return [
        BrokenPlace(one.path, one.name, _line(files.definitions(one.path), one.name), _CHANCE, one.words)
        for one in lacking(files.corpus, edits, files.read, texts, changed)
    ]


def _line(definitions: Sequence[Definition], name: str) -> int:
    return next((one.line for one in definitions if one.name == name and name != MODULE_NAME), 0)


def _imported(
    repository: Repository, past: str, texts: Mapping[str, str], changed: Collection[str], edits: Sequence[Edit]
) -> dict[str, str]:
    """The modules that the changed files import for their edits, and what those import of what is used."""
    used = _used(edits)
    edited = {edit.path for edit in edits}
    wanted = [path for path in packages_above(texts) if path not in changed]
    for path in sorted(edited & texts.keys()):
        wanted += _modules(texts[path], path, used)
    found: dict[str, str] = {}
    asked: set[str] = set()
    for step in range(_STEPS):
        new = [path for path in dict.fromkeys(wanted) if path not in asked and path not in changed][:_MOST_PATHS]
        asked.update(new)
        blobs = repository.blobs_at(past, new) if new else {}
        read = repository.read_all(sorted({blobs[path] for path in list(blobs)[: _MOST_FILES - len(found)]}))
        fresh = {path: text for path, blob in blobs.items() if (text := read.get(blob)) is not None}
        found |= fresh
        wanted = []
        for path, text in fresh.items() if step < _STEPS - 1 else ():
            wanted += _modules(text, path, used)
    return found


def _used(edits: Iterable[Edit]) -> frozenset[str]:
    """The words of edited definitions; of what is outside of all, those of its new lines."""
    found: set[str] = set()
    for edit in edits:
        lines = edit.after.split("\n")
        if edit.definition_kind is DefinitionKind.MODULE:
            known = set(edit.before.split("\n"))
            lines = [line for line in lines if line not in known]
        found.update(word for line in lines for word in words_in(line))
    return frozenset(found)


def _modules(text: str, path: str, used: frozenset[str]) -> list[str]:
    """The paths of the modules from which a text has what is used."""
    conventions, language = conventions_of(path), language_of(path)
    known = used | {name for name, alias in _ALIAS.findall(text) if alias in used}
    names: dict[str, None] = {}
    for dotted in conventions.imports(text):
        above, _, name = dotted.rpartition(".")
        if name in known or dotted.partition(".")[0] in known:
            names |= dict.fromkeys([dotted, above or "." * dotted.count(".")] if "." in dotted else [dotted])
    found: list[str] = []
    for dotted in names:
        parts, absolute = conventions.imported(dotted, path)
        for root in import_roots(path) if absolute else [""]:
            stem = root + "/".join(parts)
            found += [f"{stem}{suffix}" for suffix in language.suffixes] if parts else []
            found.append(f"{stem}/{conventions.package}" if stem else conventions.package)
    return found

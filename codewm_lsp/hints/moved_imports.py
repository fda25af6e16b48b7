"""Imports of a file that has moved which name another module by its place, and are found there no more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from codewm_lsp.display import clean
from codewm_lsp.errors import RepositoryError
from codewm_lsp.hints.source_change import SourceChange
from codewm_lsp.history import Repository
from codewm_lsp.ranking.change_text import ChangedText
from codewm_lsp.ranking.path_layout import conventions_of
from codewm_lsp.records import dataclass
from codewm_lsp.source import Definition, names_of, parse_definitions
from codewm_lsp.source.languages import UseKind, is_source, language_of

_ALIKE: Final = 0.5  # share of lines that a file and the one that it was have in common
_NAME: Final = 80  # characters of a path in words


@dataclass(frozen=True, slots=True)
class LostImport:
    """An import in a definition of ``path``, by the ``line`` of the definition's own text."""

    path: str
    definitions: tuple[Definition, ...]
    definition: str
    line: int
    reason: str


def lost_imports(repository: Repository, change: SourceChange) -> list[LostImport]:
    """Those of a change. Where the repository cannot tell, there is nothing."""
    texts, moved = change.texts, change.moved
    pairs = {new: old for new, old in _moves(texts, moved) if new.rpartition("/")[0] != old.rpartition("/")[0]}
    named: dict[str, dict[str, tuple[list[str], list[str]]]] = {}
    for new, old in pairs.items():
        imports = conventions_of(new).imports(texts[new].after or "")
        near = [name for name in imports if name.startswith(".") and name.strip(".")]
        named[new] = {name: (_paths(name, old), _paths(name, new)) for name in near}
    asked = {path for names in named.values() for both in names.values() for some in both for path in some}
    if not asked:
        return []
    try:
        before = repository.blobs_at(change.past, sorted(asked))
    except RepositoryError:
        return []
    gone = {*change.removed, *moved.values(), *(path for path, text in texts.items() if text.after is None)}
    now = {*moved, *(path for path, text in texts.items() if text.after is not None), *(before.keys() - gone)}
    found: list[LostImport] = []
    for new, names in named.items():
        lost = {
            name: next(path for path in old if path in before)
            for name, (old, there) in names.items()
            if any(path in before for path in old) and not any(path in now for path in there)
        }
        found += _uses(new, texts[new].after or "", lost)
    return found


def _moves(texts: Mapping[str, ChangedText], moved: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each source file that has moved, and where it was: as it was, or much as it was."""
    yield from ((new, old) for new, old in moved.items() if is_source(new) and new in texts)
    gone = {path: Counter((text.before or "").split("\n")) for path, text in texts.items() if text.after is None}
    for new, text in texts.items():
        if new in moved or not is_source(new) or text.before is not None or not text.after:
            continue
        lines = Counter(text.after.split("\n"))
        alike = {old: (lines & was).total() / max(lines.total(), was.total()) for old, was in gone.items()}
        likest = max(alike, key=lambda old: alike[old], default=None)
        if likest is not None and alike[likest] >= _ALIKE:
            yield new, likest


def _paths(name: str, path: str) -> list[str]:
    """The files that an import by its place may mean."""
    conventions = conventions_of(path)
    stem = "/".join(conventions.imported(name, path)[0])
    return [*(f"{stem}{suffix}" for suffix in language_of(path).suffixes), f"{stem}/{conventions.package}"]


def _uses(path: str, text: str, lost: Mapping[str, str]) -> Iterator[LostImport]:
    wanted = frozenset(name.rpartition(".")[2] for name in lost)
    definitions = tuple(parse_definitions(text)) if lost else ()
    for one in definitions:
        for use in names_of(one.source, wanted).uses:
            if use.optional or not use.receiver or use.kind not in (UseKind.MODULE, UseKind.IMPORT):
                continue
            module = use.receiver[0]
            dot = "" if module.endswith(".") else "."
            name = module if use.kind is UseKind.MODULE else f"{module}{dot}{use.name}"
            if name in lost:
                reason = f"imports `{clean(name, _NAME)}`, which was {clean(lost[name], _NAME)} before the move"
                yield LostImport(path, definitions, one.name, use.line, reason)

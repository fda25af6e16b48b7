"""What edits use that is not there yet: names that a module does not have, keywords that a function does not take. The
definition that should have it was left out of the change.

Only what the syntax tells counts: where a name may come from elsewhere, nothing is said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Final

from codewm_lsp.display import clean
from codewm_lsp.history import Edit, EditKind
from codewm_lsp.ranking.change_text import words_in
from codewm_lsp.ranking.corpus import Corpus, scope_above
from codewm_lsp.ranking.path_layout import conventions_of
from codewm_lsp.ranking.resolution import Address, Meaning, Resolver
from codewm_lsp.records import dataclass
from codewm_lsp.source import MODULE_NAME, Definition, names_of
from codewm_lsp.source.languages import Use, UseKind

_NAME: Final = 40  # characters of a name in words
_USER: Final = 120
_MOST_EDITS: Final = 64
_Found = tuple[Address, str, str]
"""What lacks something, what it lacks, and who uses that, in words."""


@dataclass(frozen=True, slots=True)
class Lacking:
    """The definition ``name`` of ``path`` lacks what an edit uses; ``words``: what, and where it is used."""

    path: str
    name: str
    words: str


def new_words(edits: Sequence[Edit]) -> frozenset[str]:
    """The words that edits bring and did not have before."""
    before = frozenset(word for edit in edits for word in words_in(edit.before))
    return frozenset(word for edit in edits for word in words_in(edit.after)) - before


def lacking(
    corpus: Corpus,
    editing: Sequence[Edit],
    read: Callable[[Sequence[int]], Mapping[int, Sequence[Definition]]],
    texts: Mapping[str, str],
    changed: Collection[str],
) -> list[Lacking]:
    """What files that are not ``changed`` lack. The corpus holds the files as they are now; ``texts``: their texts."""
    found: dict[tuple[Address, str], Lacking] = {}
    for place, said, user in _Search(corpus, read, texts, changed).found(editing[:_MOST_EDITS]):
        path, name = corpus.paths[place.file], place.name or MODULE_NAME
        found.setdefault((place, said), Lacking(path, name, f"{said}, which {user}"))
    return list(found.values())


class _Search:
    def __init__(
        self,
        corpus: Corpus,
        read: Callable[[Sequence[int]], Mapping[int, Sequence[Definition]]],
        texts: Mapping[str, str],
        changed: Collection[str],
    ) -> None:
        self._corpus = corpus
        self._texts = texts
        self._changed = changed
        self._added: set[str] = set()
        self._resolver = Resolver(corpus, lambda file: read([file])[file])

    def found(self, editing: Sequence[Edit]) -> Iterator[_Found]:
        new = new_words(editing)
        self._added = {edit.definition for edit in editing if edit.kind is EditKind.ADDED}
        for edit in editing:
            file = self._corpus.number.get(edit.path)
            if file is None or edit.definition not in self._resolver.rows(file):
                continue
            words = frozenset(words_in(edit.after))
            if words & conventions_of(edit.path).expecting:
                continue  # it may be there for what is not
            wanted = words & new
            if any(f"{word}=" in edit.after for word in wanted):
                wanted = words  # a new keyword, of whatever is called
            for use in names_of(edit.after, wanted).uses if edit.kind is not EditKind.REMOVED else ():
                yield from self._without_parameter(file, edit, use, new)
                if use.name in new and not use.name.startswith("__"):
                    yield from self._without_name(file, edit, use)

    def _without_name(self, file: int, edit: Edit, use: Use) -> Iterator[_Found]:
        """Of a module that an edit asks for a name. Of a class and its objects the syntax tells too little."""
        if not use.receiver or use.optional:
            return
        owner: Meaning
        if use.kind is UseKind.ATTRIBUTE:
            if re.search(rf"\.\s*{re.escape(use.name)}\s*(?::[^=\n]*)?=(?!=)", edit.after):
                return  # it is set from outside
            owner = self._resolver.chain(file, edit.definition, use.receiver, outside=use.outside)
        elif use.kind is UseKind.IMPORT:
            module = self._resolver.module(file, ".".join(use.receiver))
            owner = Address(module, "") if module is not None else None
        else:
            return
        if not isinstance(owner, Address) or owner.name or self._corpus.paths[owner.file] in self._changed:
            return
        if self._module_lacks(owner.file, use.name):
            how = "imports" if use.kind is UseKind.IMPORT else "uses"
            yield owner, f"does not define `{clean(use.name, _NAME)}`", _user(edit, how)

    def _module_lacks(self, file: int, name: str) -> bool:
        path = self._corpus.paths[file]
        conventions = conventions_of(path)
        if path.rpartition("/")[2] == conventions.package and name not in self._added:
            return False  # a module of it, which may be compiled, generated or ignored
        beside = f"{path.rpartition('/')[0]}/{name}"
        if any(one.startswith((f"{beside}.", f"{beside}/")) for one in self._changed):
            return False  # it is a module that is new, of whatever kind
        text = self._texts[path]
        if self._resolver.names(file, MODULE_NAME).stars or name in words_in(text):
            return False
        if conventions.maker in text or any(word in text for word in conventions.dynamic):
            return False
        return self._resolver.member(file, name) is None

    def _without_parameter(self, file: int, edit: Edit, use: Use, new: frozenset[str]) -> Iterator[_Found]:
        """Of a function that an edit passes a new keyword."""
        keywords = [word for word in use.call.keywords if word in new] if use.call is not None else []
        meaning: Meaning = None
        if keywords and use.kind is UseKind.NAME:
            meaning = self._resolver.name(file, edit.definition, use.name, outside=use.outside)
        elif keywords and use.kind is UseKind.ATTRIBUTE and use.receiver:
            receiver = self._resolver.chain(file, edit.definition, use.receiver, outside=use.outside)
            is_module = isinstance(receiver, Address) and not receiver.name
            meaning = self._resolver.attribute(receiver, use.name) if is_module else None
        place = meaning if isinstance(meaning, Address) else None
        if place is None or self._corpus.paths[place.file] in self._changed:
            return
        rows = self._resolver.rows(place.file)
        if place.name not in rows or self._resolver.is_class(place) or scope_above(place.name):
            return  # what a constructor or a method takes, another class may say
        parameters = self._resolver.names(place.file, place.name).parameters
        several = sum(name.partition("#")[0] == place.name for name in rows) > 1
        if several or parameters is None or parameters.any_keyword or parameters.wrapped:
            return
        words = frozenset(words_in(self._resolver.source(rows[place.name])))
        for keyword in keywords:
            if keyword not in words:
                yield place, f"does not take `{clean(keyword, _NAME)}`", _user(edit, "passes")


def _user(edit: Edit, how: str) -> str:
    where = edit.path if edit.definition == MODULE_NAME else f"{edit.definition} in {edit.path}"
    return f"{clean(where, _USER)} {how}"

"""Declarations in stubs that no longer say what the code does, and code that does not do what its stub now says.

A stub declares the definitions of the module beside it, and what that module imports from others under the same name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final

import numpy as np

from codewm_lsp.display import clean
from codewm_lsp.history import Edit
from codewm_lsp.ranking.breaking import Altered, Gone
from codewm_lsp.ranking.corpus import Corpus, scope_above, simple_name
from codewm_lsp.ranking.resolution import Address, Resolver
from codewm_lsp.records import dataclass
from codewm_lsp.source import MODULE_NAME, DefinitionKind, names_of
from codewm_lsp.source.languages import Parameters

_NAME: Final = 40  # characters of a name in words


@dataclass(frozen=True, slots=True)
class Declaration:
    """What must follow, and why. ``name``: where a class or module assigns it, what to look for in that. ``certain``:
    whether it must be changed; ``alters``: whether its signature must."""

    row: int
    words: str
    name: str = ""
    certain: bool = True
    alters: bool = False


class Stubs:
    """Compares the stubs of one state of a repository with its code."""

    def __init__(self, corpus: Corpus, resolver: Resolver, editing: Sequence[Edit]) -> None:
        self._corpus = corpus
        self._resolver = resolver
        self._modules = {edit.path: edit for edit in editing if edit.definition_kind is DefinitionKind.MODULE}

    def gone(self, gone: Gone, now: str, all_gone: Collection[Address]) -> Iterator[Declaration]:
        """Of a name that is gone. ``now``: what became of it."""
        place = Address(self._corpus.number[gone.path], gone.name)
        if not self._corpus.layout.stubs or Address(place.file, scope_above(gone.name)) in all_gone:
            return
        told = f"`{clean(gone.name, _NAME)}`"
        for stub in self._declaring(place, gone.renamed, moved=gone.moved):
            for row, name in self._declared(stub, gone.name):
                sure = not name or not gone.member or bool(gone.renamed)  # its objects may have it now
                yield Declaration(row, f"still declares {told}, {now}", name, certain=sure)
        for file in self._declared_by(place):
            for row, name in self._declared(file, gone.name):
                if gone.renamed:
                    yield Declaration(
                        row, f"defines {told}, which its stub now calls `{clean(gone.renamed, _NAME)}`", name
                    )
                else:
                    yield Declaration(row, f"defines {told}, which its stub no longer declares", name, certain=False)

    def altered(self, altered: Altered) -> Iterator[Declaration]:
        """Of a function or method that has other parameters now."""
        file = self._corpus.number.get(altered.path)
        if file is None or not self._corpus.layout.stubs:
            return
        place = Address(file, altered.name)
        told = f"`{clean(altered.name, _NAME)}`"
        sure = not altered.after.wrapped
        for stub in self._declaring(place):
            rows = [row for row, name in self._declared(stub, altered.name) if not name]
            found = [(row, parameters) for row in rows if (parameters := self._parameters(row)) is not None]
            why = _outdated([parameters for _, parameters in found], altered.before, altered.after)
            if why is not None:
                yield Declaration(found[why[0]][0], f"declares {told} {why[1]}", certain=sure, alters=True)
        for implementation in self._declared_by(place):
            rows = [row for row, name in self._declared(implementation, altered.name) if not name]
            own = self._parameters(rows[0]) if len(rows) == 1 else None
            lacks = None if own is None else _lacking(own, altered.before, altered.after)
            if lacks is not None:
                yield Declaration(rows[0], f"defines {told} {lacks}", certain=sure, alters=True)

    def _declaring(self, place: Address, renamed: str = "", *, moved: bool = False) -> list[int]:
        """The stubs that declare a definition: that of its own file, and those of files that import it."""
        stubs = self._corpus.layout.stubs
        top, _, below = place.name.partition(".")
        holding = self._files_with(simple_name(place.name))
        found = []
        for stub in holding & stubs.keys():
            module = stubs[stub]
            if module == place.file or (not moved and self._exports(module, place.file, top, "" if below else renamed)):
                found.append(stub)
        return sorted(found)

    def _exports(self, module: int, file: int, name: str, renamed: str) -> bool:
        """Whether a module has this name from that file, or had it until it was edited."""
        resolver = self._resolver
        here = resolver.member(module, name)
        if here is not None:
            return here == Address(file, name)
        if renamed and resolver.member(module, renamed) == Address(file, renamed):
            return True
        edit = self._modules.get(self._corpus.paths[module])
        was = names_of(edit.before).imports.get(name) if edit is not None else None
        return was is not None and was.name == name and resolver.module(module, was.module) == file

    def _declared_by(self, place: Address) -> list[int]:
        """The file whose definition a stub's is: the module's beside it, or that which this imports."""
        module = self._corpus.layout.stubs.get(place.file)
        if module is None:
            return []
        top = place.name.partition(".")[0]
        meaning = self._resolver.member(module, top)
        return [meaning.file] if isinstance(meaning, Address) and meaning.name == top else []

    def _declared(self, file: int, name: str) -> list[tuple[int, str]]:
        """The definitions of this name in a file, overloads among them; where it is assigned, what does that, and the
        name."""
        rows = self._resolver.rows(file)
        found = [(row, "") for one, row in rows.items() if one.partition("#")[0] == name]
        owner = scope_above(name) or MODULE_NAME
        if not found and owner in rows and simple_name(name) in self._resolver.names(file, owner).members:
            found.append((rows[owner], simple_name(name)))
        return sorted(found)

    def _parameters(self, row: int) -> Parameters | None:
        corpus = self._corpus
        return self._resolver.names(int(corpus.file[row]), corpus.names[row]).parameters

    def _files_with(self, name: str) -> set[int]:
        """The files that define a name, or in which it stands."""
        corpus = self._corpus
        found = corpus.name_words == corpus.vocabulary.ids.get(name, -1)
        weights = corpus.weights({name: 1.0})
        return {*corpus.file[np.flatnonzero(found | (corpus.found(weights) > 0))].tolist()}


def _names(parameters: Parameters) -> list[str]:
    return [one.name for one in parameters.listed]


def _outdated(declared: Sequence[Parameters], before: Parameters, after: Parameters) -> tuple[int, str] | None:
    """Which of these overloads does not say what was changed, and what that is; None where all do, or tell another
    signature anyway."""
    were, are = _names(before), _names(after)
    gone = [name for name in were if name not in are]
    new = [name for name in are if name not in were and not name.startswith("_")]
    for at, one in enumerate(declared):
        for name in gone:
            if name in _names(one):
                put = _instead(name, were, are)
                return at, f"with `{clean(name, _NAME)}`, which " + (
                    f"was renamed to `{clean(put, _NAME)}`" if put else "is no longer a parameter"
                )
    all_named = {name for one in declared for name in _names(one)}
    if not declared or any(one.more or one.any_keyword for one in declared) or not {*were} - {*gone} <= all_named:
        return None
    for name in new:
        if name not in all_named:
            return 0, f"without `{clean(name, _NAME)}`, which is now a parameter"
    return None


def _lacking(own: Parameters, before: Parameters, after: Parameters) -> str | None:
    """What a definition's signature has other than its stub, which was changed; None where nothing."""
    were, are, has = _names(before), _names(after), _names(own)
    for name in were:
        put = "" if name in are else _instead(name, were, are)
        if put and name in has and put not in has:
            return f"with `{clean(name, _NAME)}`, which its stub now calls `{clean(put, _NAME)}`"
    for name in are:
        if name not in were and name not in has and not (own.more or own.any_keyword) and not name.startswith("_"):
            return f"without `{clean(name, _NAME)}`, which its stub now declares"
    return None


def _instead(name: str, were: Sequence[str], are: Sequence[str]) -> str:
    """The new name of a parameter, where only names were changed; "" where it was removed."""
    new = are[were.index(name)] if len(were) == len(are) else ""
    return "" if new in were else new

"""Definitions that must follow the edits in progress: users of what is gone, importers of modules that are gone,
callers that no longer fit, overrides, and the declarations in stubs.

They are computed from the syntax trees, and they lead the ranking. A definition is looked into only where one of the
names stands in it, which the corpus knows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.display import clean
from codewm_lsp.distinct import distinct
from codewm_lsp.history import Edit
from codewm_lsp.ranking.breaking import Altered, Broken, Enlarged, Gone, broken_by, fits, misfit, new_requirements
from codewm_lsp.ranking.candidate import A_LINTER
from codewm_lsp.ranking.corpus import KINDS, Corpus, scope_above, simple_name
from codewm_lsp.ranking.path_layout import conventions_of, shared_beginning
from codewm_lsp.ranking.resolution import EXTERNAL, Address, Instance, Meaning, Resolver
from codewm_lsp.ranking.stubs import Stubs
from codewm_lsp.records import dataclass
from codewm_lsp.source import MODULE_NAME, Definition, DefinitionKind, names_of
from codewm_lsp.source.languages import Call, Import, Names, Use, UseKind, is_source

NONE_ABSENT: Final[Mapping[str, str]] = MappingProxyType({})

MOST: Final = 400
"""Definitions looked into for all names together, the nearest to the edit first."""
MOST_TEXT: Final = 150_000
"""Characters of definitions that are looked into, one that is begun to its end: what bounds the time …"""
MOST_OF_FILES: Final = 600_000
"""… and of all definitions of the files that are read for that."""

_SAME: Final = 50  # methods of the same name that may be those of classes below
_FEW: Final = 32  # definitions with a method's name that are looked into wherever they stand
_FAMILY: Final = 24  # classes below one
_NAME: Final = 40  # characters of a name in words
_USES: Final = 0.95
_FITS: Final = 0.9
_DECLARES: Final = 0.9
_OVERRIDES: Final = 0.85
_LISTS: Final = 0.8
_LIKELY: Final = 0.75  # by the name alone, which nothing else has
_IMPORTS: Final = 0.7
_QUOTED_NAME: Final = re.compile(r"""["']\w+["']""")
_BODY: Final = "body"
_SIGNATURE: Final = "signature"
_DECORATORS: Final = "decorators"


@dataclass(frozen=True, slots=True)
class ForcedChange:
    """Why a definition must follow. ``linted``: whether a linter names the place anyway. ``certain``: whether the
    syntax tells that it uses what is broken; otherwise it has the name in common, or the contract. ``name``: what it
    uses, where it does, and ``line``, from 0, of its own text: where it first does. ``changes``: what of a function or
    method must change, where that is told: its body, its signature or its decorators."""

    score: float
    words: str
    linted: bool = False
    certain: bool = True
    name: str = ""
    line: int | None = None
    changes: str = ""


References = Mapping[int, ForcedChange]
"""By the row of the definition in the corpus."""


def references(
    corpus: Corpus,
    editing: Sequence[Edit],
    texts: Callable[[Sequence[int]], Mapping[int, Sequence[Definition]]],
    absent: Mapping[str, str] = NONE_ABSENT,
) -> References:
    """The definitions that must follow these edits, newest first. ``texts``: reads the definitions of some files.
    ``absent``: files of the corpus that are no longer there, and where each has moved, "" where nowhere."""
    defined: set[tuple[str, str]] = set()
    if any(edit.commit is None for edit in editing):  # otherwise the corpus may be that of before
        files = {edit.path for edit in editing if edit.path in corpus.number}
        defined = {
            (path, corpus.names[row])
            for path in files
            for row in range(*corpus.first[corpus.number[path] : corpus.number[path] + 2].tolist())
        }
    broken = broken_by(editing, defined)
    if not (broken.gone or broken.altered or broken.enlarged or absent):
        return {}
    return _Search(corpus, broken, editing, texts, absent).found()


def module_name(path: str) -> str:
    """The last part of the name by which a file is imported; "" where it has none."""
    parts = conventions_of(path).module(path)
    return parts[-1] if parts else ""


def absent_modules(gone: Mapping[str, str], there: Iterable[str]) -> dict[str, str]:
    """Those of these files that can no longer be imported, and where each has moved, "" where nowhere. One whose name
    another of the files that are ``there`` has, as an extension in C, still can."""
    kept = {PurePosixPath(path).with_suffix("") for path in there}
    return {
        path: now
        for path, now in gone.items()
        if is_source(path) and module_name(path) and PurePosixPath(path).with_suffix("") not in kept
    }


def led(
    references: References, corpus: Corpus, rows: NDArray[np.int64], probabilities: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The same with the definitions that must follow in front, those last that a linter names anyway; none of the
    others is likelier than these. Of equals, what runs comes before what tests it."""
    must = [place for place, row in enumerate(rows.tolist()) if row in references]
    if not must:
        return rows, probabilities
    why = {place: references[int(rows[place])] for place in must}
    testing = corpus.layout.testing[corpus.file[rows]]
    must.sort(key=lambda place: (why[place].linted, -why[place].score, testing[place], place))
    least = min(one.score for one in why.values())
    others = np.ones(len(rows), np.bool_)
    others[must] = False
    rest = np.flatnonzero(others)
    scores = np.minimum.accumulate(np.array([why[place].score for place in must]))
    return (
        np.concatenate([rows[must], rows[rest]]),
        np.concatenate([scores, np.minimum(probabilities[rest], least)]),
    )


def _wanted(broken: Broken, absent: Iterable[str]) -> frozenset[str]:
    """All names whose uses are looked for."""
    places = [*(one.name for one in broken.gone), *(one.name for one in broken.altered)]
    members = [name for one in broken.enlarged for name in (*one.old, *one.new)]
    modules = [module_name(path) for path in absent]
    return frozenset(
        {*members, *modules, *(simple_name(name) for place in places for name in (place, scope_above(place)))}
    )


def _part_of(use: Use) -> str:
    """What of a function a use stands in."""
    if use.decorates:
        return _DECORATORS
    return _SIGNATURE if use.outside else _BODY


class _Search:
    def __init__(
        self,
        corpus: Corpus,
        broken: Broken,
        editing: Sequence[Edit],
        texts: Callable[[Sequence[int]], Mapping[int, Sequence[Definition]]],
        absent: Mapping[str, str],
    ) -> None:
        self._corpus = corpus
        self._broken = broken
        self._read = texts
        self._known: dict[int, Sequence[Definition]] = {}
        number = corpus.number
        self._gone = {Address(number[one.path], one.name): one for one in broken.gone if one.path in number}
        self._absent = absent
        gone_files = frozenset(number[path] for path in absent if path in number)
        self._resolver = Resolver(corpus, self._texts, frozenset(self._gone), _wanted(broken, absent), gone_files)
        self._now_there = Resolver(corpus, self._texts)
        self._stubs = Stubs(corpus, self._resolver, editing)
        self._edits = {(edit.path, edit.definition): edit for edit in editing}
        self._found: dict[int, ForcedChange] = {}
        self._families: dict[Address, tuple[Address, ...]] = {}
        self._left = MOST
        self._read_of_files = 0

    def _texts(self, file: int) -> Sequence[Definition]:
        if file not in self._known:
            found = self._known[file] = self._read([file])[file]
            self._read_of_files += sum(len(one.source) for one in found)
        return self._known[file]

    def found(self) -> References:
        self._declarations()
        for place, gone in self._gone.items():
            self._users(place, gone)
        for path, now in self._absent.items():
            if path in self._corpus.number:
                self._importers(path, now)
        for altered in self._broken.altered:
            if altered.path in self._corpus.number and new_requirements(altered.before, altered.after):
                self._callers(altered)
        for enlarged in self._broken.enlarged:
            if enlarged.path in self._corpus.number and enlarged.old:
                self._lists(enlarged)
        return self._found

    @property
    def _done(self) -> bool:
        return self._resolver.read > MOST_TEXT or self._read_of_files > MOST_OF_FILES

    def _lead(self, row: int, reference: ForcedChange) -> None:
        known = self._found.get(row)
        if known is None or (known.linted, -known.score) > (reference.linted, -reference.score):
            self._found[row] = reference

    def _rows(self, words: Sequence[str]) -> NDArray[np.int64]:
        """The definitions that all of these words stand in."""
        weights = self._corpus.weights(dict.fromkeys(words, 1.0))
        if np.count_nonzero(weights) < len(words):
            return np.zeros(0, dtype=np.int64)
        return np.flatnonzero(self._corpus.found(weights) >= len(words) - 0.5)

    def _standing(self, words: Sequence[str], place: Address, *, member: bool = False) -> list[int]:
        """The definitions that all of these words stand in, the nearest to a place first, as many as are left.

        A method's name that stands in many counts in files alone that know a class of its family, or one above it.
        """
        rows = self._rows(words)
        if member and len(rows) > _FEW:
            owner = Address(place.file, scope_above(place.name))
            known = self._knowing((*self._family(owner), *self._resolver.ancestors(owner)))
            rows = rows[np.isin(self._corpus.file[rows], known)]
        found: list[int] = self._nearest(rows, place.file, self._left).tolist()
        self._left -= len(found)
        return found

    def _nearest(self, rows: NDArray[np.int64], file: int, most: int) -> NDArray[np.int64]:
        """So many of these definitions, those of the file itself first, then those that import it, then by folder."""
        corpus = self._corpus
        path = corpus.paths[file].split("/")

        def distance(other: int) -> tuple[bool, bool, int]:
            imports = file in corpus.layout.imported(other, corpus.imports[other])
            return other != file, not imports, -shared_beginning(corpus.paths[other].split("/"), path)

        files, places = np.unique(corpus.file[rows], return_inverse=True)
        order = sorted(range(len(files)), key=lambda at: distance(int(files[at])))
        rank = np.empty(len(files), dtype=np.int64)
        rank[order] = np.arange(len(files))
        return rows[np.argsort(rank[places], kind="stable")[:most]]

    def _knowing(self, classes: Sequence[Address]) -> NDArray[np.int64]:
        """The files in which the name of one of these classes stands."""
        weights = self._corpus.weights({simple_name(one.name): 1.0 for one in classes})
        return distinct(self._corpus.file[np.flatnonzero(self._corpus.found(weights))]).astype(np.int64)

    def _family(self, owner: Address) -> tuple[Address, ...]:
        """A class and those below it, the nearest first."""
        if owner not in self._families:
            corpus, found = self._corpus, [owner]
            is_class = corpus.kinds == KINDS.index(DefinitionKind.CLASS)
            for one in found:
                rows = self._rows([simple_name(one.name)])
                for row in self._nearest(rows[is_class[rows]], one.file, _FAMILY).tolist():
                    below = Address(*self._where(row))
                    if below not in found and one in self._resolver.bases(below):
                        found.append(below)
                if len(found) > _FAMILY or self._done:
                    break
            self._families[owner] = tuple(found)
        return self._families[owner]

    def _names(self, row: int) -> Names:
        return self._resolver.names(*self._where(row))

    def _uses(self, row: int, wanted: frozenset[str]) -> list[Use]:
        """In the order of their lines: of reasons that are as good, the first is told."""
        return sorted([use for use in self._names(row).uses if use.name in wanted], key=lambda use: use.line)

    def _where(self, row: int) -> tuple[int, str]:
        return int(self._corpus.file[row]), self._corpus.names[row]

    def _meaning(self, row: int, use: Use, resolver: Resolver | None = None) -> Meaning:
        """What a use means; None where the syntax does not tell."""
        file, inside = self._where(row)
        resolver = resolver or self._resolver
        if use.kind is UseKind.MODULE:
            return None
        if use.kind is UseKind.NAME:
            return resolver.name(file, inside, use.name, outside=use.outside)
        if use.kind is UseKind.LISTED:
            return resolver.member(file, use.name)
        if use.kind is UseKind.ATTRIBUTE:
            if use.receiver is None:
                return None
            receiver = resolver.chain(file, inside, use.receiver, outside=use.outside)
            return resolver.attribute(receiver, use.name)
        if not use.receiver:
            return None
        dotted = ".".join(use.receiver)
        module = resolver.module(file, dotted)
        if module is not None:
            return resolver.member(module, use.name)
        if use.kind is UseKind.TEXT and len(use.receiver) > 1:
            module = resolver.module(file, ".".join(use.receiver[:-1]))
            owner = resolver.member(module, use.receiver[-1]) if module is not None else None
            return resolver.attribute(owner, use.name)
        return EXTERNAL

    # Names that are gone

    def _users(self, place: Address, gone: Gone) -> None:
        name = simple_name(gone.name)
        if gone.member and not gone.renamed and self._inherited(place, name):
            return
        rows = self._standing([name], place, member=gone.member)
        wanted = frozenset({name})
        unique = gone.member and self._alone(place, name, rows)
        owner = simple_name(scope_above(gone.name)) if gone.member and not self._only(name) else ""
        quoted = f"`{clean(f'{owner}.{name}' if owner else name, _NAME)}`"
        now = self._now(gone)
        for row in rows:
            if self._done:
                return
            file, inside = self._where(row)
            for use in self._uses(row, wanted):
                meaning = self._meaning(row, use)
                if use.optional or (meaning == place and self._found_elsewhere(row, use, place)):
                    continue
                if meaning == place or self._calls_below(row, use, place):
                    certain = True
                elif unique and meaning is None and use.kind is UseKind.ATTRIBUTE:
                    certain = False
                else:
                    continue
                if gone.moved and use.kind is UseKind.NAME and file != place.file:
                    continue
                if use.kind is UseKind.IMPORT:
                    linted = inside == MODULE_NAME
                    made = ForcedChange(_IMPORTS, f"imports {quoted}, {now} {A_LINTER}", linted, changes=_BODY)
                elif use.kind is UseKind.LISTED:
                    made = ForcedChange(_IMPORTS, f"still lists {quoted} in `__all__`, {now}", True)
                elif use.kind is UseKind.TEXT:
                    made = ForcedChange(_USES, f"names {quoted} in a string, {now}", changes=_BODY)
                else:
                    score = _USES if certain else _LIKELY
                    still = certain and gone.renamed != name  # moved to another class, it may be inherited from there
                    made = ForcedChange(score, f"still uses {quoted}, {now}", certain=still, changes=_part_of(use))
                self._lead(row, replace(made, name=name, line=use.line))
        if gone.member and gone.renamed:
            self._overrides(place, f"which was renamed to `{clean(gone.renamed, _NAME)}`")

    def _importers(self, path: str, now: str) -> None:
        """Those that import a module that is gone, and what is in it."""
        module, resolver = Address(self._corpus.number[path], ""), self._resolver
        name = module_name(path)
        where = f"which has moved to {now}" if now else "which was removed"
        for row in self._standing([name], module):
            if self._done:
                return
            file = int(self._corpus.file[row])
            for use in self._uses(row, frozenset({name})):
                said = "imports"
                if use.optional or not use.receiver:
                    continue
                if use.kind is UseKind.MODULE:
                    dotted = use.receiver[0]
                    hit = resolver.module(file, dotted) == module.file
                elif use.kind is UseKind.IMPORT:
                    dot = "" if use.receiver[0].endswith(".") else "."
                    dotted = f"{use.receiver[0]}{dot}{name}"
                    hit = resolver.imported(file, Import(use.receiver[0], name)) == module
                    of = resolver.module(file, use.receiver[0])
                    hit = hit and (of is None or not self._makes(of, name))
                elif use.kind is UseKind.TEXT and use.further:
                    dotted = ".".join((*use.receiver, name))
                    hit = resolver.module(file, dotted) == module.file and self._had(module.file, now, use.further)
                    said = "names"
                else:
                    continue
                if hit and self._is_name_of(dotted, path):
                    said = f"{said} `{clean(dotted, _NAME)}`{' in a string' if said == 'names' else ''}, {where}"
                    self._lead(row, ForcedChange(_USES, said, name=name, line=use.line, changes=_BODY))
                    break

    def _had(self, file: int, now: str, name: str) -> bool:
        """Whether a module that is gone had this name, or has it where it is ``now``."""
        if Address(file, name) in self._gone:
            return True
        new = self._corpus.number.get(now)
        return new is not None and self._resolver.member(new, name) is not None

    def _is_name_of(self, dotted: str, path: str) -> bool:
        """Whether a file can be imported by this name: an absolute one starts in a folder that is no package itself."""
        if dotted.startswith("."):
            return True
        conventions = conventions_of(path)
        folder = path.split("/")[:-1] if path.endswith(f"/{conventions.package}") else path.split("/")
        above = folder[: len(folder) - dotted.count(".") - 1]
        return not above or "/".join((*above, conventions.package)) not in self._corpus.number

    def _now(self, gone: Gone) -> str:
        if gone.renamed:
            return f"which was renamed to `{clean(gone.renamed, _NAME)}`"
        return "which has moved" if gone.moved else "which was removed"

    def _only(self, name: str) -> bool:
        """Whether a name alone tells which definition is meant: at most one has it, and Python gives it no meaning."""
        number = self._corpus.vocabulary.ids.get(name, -1)
        return not name.startswith("__") and int((self._corpus.name_words == number).sum()) <= 1

    def _found_elsewhere(self, row: int, use: Use, place: Address) -> bool:
        """Whether something else has the name of what is gone now, where it is used: in an outer scope, in a module of
        which everything is imported, or in one that makes its names when they are asked for."""
        meaning = self._meaning(row, use, self._now_there)
        if isinstance(meaning, Address) and meaning != place:
            return True
        return not scope_above(place.name) and self._makes(place.file, place.name)

    def _makes(self, file: int, name: str) -> bool:
        """Whether a module has a function that may make this name when it is asked for."""
        maker = self._resolver.rows(file).get(conventions_of(self._corpus.paths[file]).maker)
        if maker is None:
            return False
        texts = [one.source for one in self._texts(file)]
        quoted = re.compile(rf"""["']{re.escape(name)}["']""")
        return any(map(quoted.search, texts)) or not _QUOTED_NAME.search(self._resolver.source(maker))

    def _inherited(self, place: Address, name: str) -> bool:
        """Whether a class above defines what a class no longer does: its users have that one now."""
        owner = Address(place.file, scope_above(place.name))
        above = self._resolver.ancestors(owner) if self._resolver.is_class(owner) else ()
        found = [self._resolver.in_class(one, name) for one in above if one != owner]
        return any(isinstance(one, Address) and one not in self._gone for one in found)

    def _calls_below(self, row: int, use: Use, place: Address) -> bool:
        """Whether a class above that of a method uses it, as one that classes below define."""
        if use.kind is not UseKind.ATTRIBUTE or use.receiver is None:
            return False
        owner = Address(place.file, scope_above(place.name))
        if not self._resolver.is_class(owner):
            return False
        file, inside = self._where(row)
        receiver = self._resolver.chain(file, inside, use.receiver, outside=use.outside)
        return (
            isinstance(receiver, Instance)
            and receiver.of in self._resolver.ancestors(owner)
            and self._resolver.in_class(receiver.of, use.name) is None
        )

    def _alone(self, place: Address, name: str, rows: Sequence[int]) -> bool:
        """Whether nothing else has an attribute of this name, but for classes below, as far as the definitions tell."""
        corpus = self._corpus
        if name in conventions_of(corpus.paths[place.file]).built_in or name.startswith("__"):
            return False
        number = corpus.vocabulary.ids.get(name, -1)
        named = np.flatnonzero(corpus.name_words == number).tolist()
        if len(named) > _SAME:
            return False
        family = self._family(Address(place.file, scope_above(place.name)))
        for row in named:
            file, other = self._where(row)
            if (file, other) != (place.file, place.name):
                above = Address(file, scope_above(other))
                if KINDS[corpus.kinds[row]] is not DefinitionKind.METHOD or above not in family:
                    return False
        for row in rows:
            if self._done:
                return False
            names = self._names(row)
            if name in names.attributes or (KINDS[corpus.kinds[row]] is DefinitionKind.CLASS and name in names.members):
                return False
        return True

    def _overrides(self, place: Address, what: str) -> None:
        """The methods of the same name in classes above and below, which go by the same contract."""
        name = simple_name(place.name)
        resolver = self._resolver
        if name.startswith("__"):
            return
        owner = Address(place.file, scope_above(place.name))
        called = f"`{clean(f'{simple_name(owner.name)}.{name}', _NAME)}`"
        for words, classes in (("overrides", self._family(owner)), ("is overridden by", resolver.ancestors(owner))):
            for other in classes:
                row = resolver.rows(other.file).get(f"{other.name}.{name}")
                if other != owner and row is not None:
                    self._lead(
                        row, ForcedChange(_OVERRIDES, f"{words} {called}, {what}", certain=False, changes=_SIGNATURE)
                    )

    # Stubs

    def _declarations(self) -> None:
        """What stubs declare of what is gone or altered, and what an edited stub declares."""
        said = [one for gone in self._gone.values() for one in self._stubs.gone(gone, self._now(gone), set(self._gone))]
        said += [one for altered in self._broken.altered for one in self._stubs.altered(altered)]
        for one in said:
            score = _DECLARES if one.certain else _LIKELY
            part = _SIGNATURE if one.alters else ""
            self._lead(one.row, ForcedChange(score, one.words, certain=one.certain, name=one.name, changes=part))

    # Signatures

    def _callers(self, altered: Altered) -> None:
        corpus, resolver = self._corpus, self._resolver
        place = Address(corpus.number[altered.path], altered.name)
        constructor = conventions_of(altered.path).constructor
        name = simple_name(altered.name)
        words = [name]
        owner = Address(place.file, scope_above(altered.name))
        owner_name = simple_name(owner.name)
        if altered.member and name == constructor:
            words.append(simple_name(owner.name))
        for word in words:
            rows = self._standing([word], place, member=altered.member and word == name)
            unique = altered.member and word == name and self._alone(place, name, rows)
            for row in rows:
                if self._done:
                    return
                for use in self._uses(row, frozenset({word})):
                    if use.call is None:
                        continue
                    meaning = self._meaning(row, use)
                    through_class = False
                    if word == name:
                        likely = unique and meaning is None and use.kind is UseKind.ATTRIBUTE
                        if meaning != place and not likely:
                            continue
                        if altered.member and use.receiver is not None:
                            file, inside = self._where(row)
                            on = resolver.chain(file, inside, use.receiver, outside=use.outside)
                            through_class = isinstance(on, Address) and resolver.is_class(on)
                    elif not (isinstance(meaning, Address) and self._constructs(meaning, place)):
                        continue
                    of_object = altered.member and not altered.before.free and not through_class
                    bound = int(of_object or altered.before.of_class)
                    if self._is_updated(row, word, use.call) and fits(use.call, altered.after, bound):
                        continue
                    why = misfit(use.call, altered.before, altered.after, bound)
                    if why:
                        certain = meaning is not None and not altered.after.wrapped
                        told = (
                            word if word != name or not altered.member or self._only(name) else f"{owner_name}.{name}"
                        )
                        said = f"calls `{clean(told, _NAME)}`: {why}"
                        score = _FITS if meaning is not None else _LIKELY
                        self._lead(
                            row, ForcedChange(score, said, certain=certain, line=use.line, changes=_part_of(use))
                        )
                        break
        if altered.member and name != constructor:
            self._overrides(place, "whose signature changed")

    def _is_updated(self, row: int, word: str, call: Call) -> bool:
        """Whether the edits in progress made such a call where it stands: it is as its author means it by now."""
        edit = self._edits.get((self._corpus.paths[int(self._corpus.file[row])], self._corpus.names[row]))
        if edit is None:
            return False
        return all(use.call != call for use in names_of(edit.before, frozenset({word})).uses)

    def _constructs(self, meaning: Address, constructor: Address) -> bool:
        resolver = self._resolver
        if not resolver.is_class(meaning):
            return False
        return resolver.in_class(meaning, simple_name(constructor.name)) == constructor

    # Members

    def _lists(self, enlarged: Enlarged) -> None:
        corpus, resolver = self._corpus, self._resolver
        place = Address(corpus.number[enlarged.path], enlarged.name)
        for row in self._standing([simple_name(enlarged.name), *sorted(enlarged.old)], place):
            if self._done:
                return
            if self._where(row) == (place.file, place.name):
                continue
            used: set[str] = set()
            for use in self._uses(row, enlarged.old | frozenset(enlarged.new)):
                if use.kind is UseKind.ATTRIBUTE and use.receiver is not None and use.name not in used:
                    file, inside = self._where(row)
                    meaning = resolver.chain(file, inside, use.receiver, outside=use.outside)
                    of = meaning.of if isinstance(meaning, Instance) else meaning
                    if of == place:
                        used.add(use.name)
            if len(enlarged.old) > 1 and enlarged.old <= used and not used & set(enlarged.new):
                new, owner = clean(enlarged.new[0], _NAME), clean(simple_name(enlarged.name), _NAME)
                said = f"handles every member of `{owner}` except the new `{new}`"
                self._lead(row, ForcedChange(_LISTS, said, certain=False, changes=_BODY))

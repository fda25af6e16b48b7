"""What a name means at a place of a repository: which definition, class or module, as far as the syntax tells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from codewm_lsp.ranking.corpus import KINDS, Corpus, scope_above
from codewm_lsp.ranking.path_layout import conventions_of
from codewm_lsp.records import dataclass
from codewm_lsp.source import MODULE_NAME, Definition, DefinitionKind, names_of
from codewm_lsp.source.languages import CALLED, Chain, Import, Names, language_of

_DEEPEST: Final = 8
_CLASSES: Final = 64  # above one that are looked at


@dataclass(frozen=True, slots=True)
class Address:
    """A definition by the number of its file and its qualified name; a module, where that is empty."""

    file: int
    name: str


@dataclass(frozen=True, slots=True)
class Instance:
    """An object of a class, or the class itself: their attributes are looked up in the same way."""

    of: Address


class External:
    """What is not of this repository, or has no name in it."""


EXTERNAL: Final = External()
Meaning = Address | Instance | External | None
"""None: the syntax does not tell."""


def import_roots(path: str) -> list[str]:
    """The folders, "" or with a slash at the end, in which what a file imports by its full name may lie."""
    folders = path.split("/")[:-1]
    return ["", "src/", "lib/", *("/".join(folders[:count]) + "/" for count in range(1, len(folders) + 1))]


class Resolver:
    """Looks names up in one state of a repository.

    ``gone``: definitions that count as if they were still there, and ``absent``: files that do where no other is meant.
    ``wanted``: names whose uses are told. ``read``: so
    many characters were looked into.
    """

    def __init__(
        self,
        corpus: Corpus,
        texts: Callable[[int], Sequence[Definition]],
        gone: frozenset[Address] = frozenset(),
        wanted: frozenset[str] = frozenset(),
        absent: frozenset[int] = frozenset(),
    ) -> None:
        self._corpus = corpus
        self._texts = texts
        self._gone = gone
        self._wanted = wanted
        self._absent = absent
        self.read = 0
        self._names: dict[int, Names] = {}
        self._rows: dict[int, dict[str, int]] = {}
        self._ancestors: dict[Address, tuple[Address, ...]] = {}

    def rows(self, file: int) -> dict[str, int]:
        """The definitions of a file by their qualified names."""
        if file not in self._rows:
            low, high = int(self._corpus.first[file]), int(self._corpus.first[file + 1])
            self._rows[file] = {self._corpus.names[row]: row for row in range(low, high)}
        return self._rows[file]

    def source(self, row: int) -> str:
        """The own text of a definition."""
        file = int(self._corpus.file[row])
        definitions = self._texts(file)
        place = row - int(self._corpus.first[file])
        return definitions[place].source if place < len(definitions) else ""

    def names(self, file: int, name: str) -> Names:
        """The names of a definition; none where there is no such."""
        row = self.rows(file).get(name)
        if row is None:
            return Names()
        if row not in self._names:
            source = self.source(row)
            self.read += len(source)
            self._names[row] = names_of(source, self._wanted)
        return self._names[row]

    def kind(self, place: Address) -> DefinitionKind | None:
        """What a definition is."""
        row = self.rows(place.file).get(place.name)
        return KINDS[self._corpus.kinds[row]] if row is not None else None

    def is_class(self, place: Address) -> bool:
        """Whether a definition is a class."""
        return self.kind(place) is DefinitionKind.CLASS

    def owner(self, file: int, name: str) -> Address | None:
        """The innermost class that a definition stands in, itself left out."""
        while name := scope_above(name):
            if self.is_class(Address(file, name)):
                return Address(file, name)
        return None

    # Modules

    def module(self, file: int, dotted: str) -> int | None:
        """The file of a module by the name under which a file imports it; None where it is none of the repository's."""
        path = self._corpus.paths[file]
        parts, absolute = conventions_of(path).imported(dotted, path)
        if not absolute:
            return self._file_of("/".join(parts), path)
        below = "/".join(parts)
        last: int | None = None
        for root in import_roots(path):
            if root and root + conventions_of(path).package in self._corpus.number:
                continue  # what stands in a package is not imported without its name
            found = self._file_of(root + below, path)
            if found is not None and found != file:
                if found not in self._absent:
                    return found
                last = found if last is None else last
        if len(parts) > 1:
            found = self._corpus.layout.modules.get(dotted)
            if found is not None and (last is None or found not in self._absent):
                return found
        return last

    def _file_of(self, stem: str, path: str) -> int | None:
        language = language_of(path)
        number = self._corpus.number
        package = f"{stem}/{language.conventions.package}" if stem else language.conventions.package
        names = (package, *(stem + suffix for suffix in language.suffixes))
        found = [number[name] for name in names if name in number]
        return min(found, key=lambda file: file in self._absent, default=None)

    def _submodule(self, file: int, name: str) -> int | None:
        path = self._corpus.paths[file]
        folder, _, last = path.rpartition("/")
        if last != conventions_of(path).package:
            return None
        return self._file_of(f"{folder}/{name}" if folder else name, path)

    def imported(self, file: int, found: Import, depth: int = 0) -> Meaning:
        """What an import in a file binds a name to; None where that is gone, and the code goes on without."""
        meaning = self._imported(file, found, depth)
        if found.optional and isinstance(meaning, Address):
            gone = meaning in self._gone or (not meaning.name and meaning.file in self._absent)
            return None if gone else meaning
        return meaning

    def _imported(self, file: int, found: Import, depth: int) -> Meaning:
        module = self.module(file, found.module)
        if module is None:
            dot = "" if found.module.endswith(".") else "."
            module = self.module(file, f"{found.module}{dot}{found.name}") if found.name else None
            return EXTERNAL if module is None else Address(module, "")
        if found.name is None:
            return Address(module, "")
        return self.member(module, found.name, depth + 1)

    def member(self, file: int, name: str, depth: int = 0) -> Meaning:
        """What a name means at the level of a module."""
        place = Address(file, name)
        if place in self._gone or name in self.rows(file):
            return place
        if depth > _DEEPEST:
            return None
        names = self.names(file, MODULE_NAME)
        if name in names.imports:
            found = names.imports[name]
            if self.module(file, found.module) != file:
                return self.imported(file, found, depth)
        elif name in names.members:
            return place
        submodule = self._submodule(file, name)
        if submodule is not None:
            return Address(submodule, "")
        for star in names.stars:
            module = self.module(file, star)
            if module is not None and module != file:
                meaning = self.member(module, name, depth + 1)
                if meaning is not None:
                    return meaning
        return None

    # Names and chains

    def name(self, file: int, inside: str, name: str, *, outside: bool = False, depth: int = 0) -> Meaning:
        """What a name by itself means in a definition; ``outside``: in its decorators, annotations and so on."""
        scope = inside.partition("#")[0] if inside != MODULE_NAME else ""
        own = True
        while scope:
            row = Address(file, inside if own else scope)
            is_class = self.is_class(row)
            below = Address(file, f"{scope}.{name}")
            if not (own and outside) and (not is_class or own or (outside and scope == scope_above(inside))):
                if below in self._gone or below.name in self.rows(file):
                    return below
                names = self.names(file, row.name)
                if name in names.imports:
                    return self.imported(file, names.imports[name])
                if name in names.bound:
                    if name in names.values and depth < _DEEPEST:
                        return self._made(file, row.name, names.values[name], depth + 1)
                    return below if is_class else None
            scope, own = scope_above(scope), False
        return self.member(file, name)

    def chain(self, file: int, inside: str, chain: Chain, *, outside: bool = False, depth: int = 0) -> Meaning:
        """What a dotted name means in a definition."""
        if depth > _DEEPEST:
            return None
        conventions = conventions_of(self._corpus.paths[file])
        rest = chain[1:]
        meaning: Meaning
        owner = self.owner(file, inside)
        if chain[0] in conventions.objects and owner is not None:
            meaning = Instance(owner)
            if rest and rest[0] != CALLED:
                made = self._attribute_made(file, inside, owner, chain[0], rest[0], depth)
                if made is not None:
                    meaning, rest = made, rest[1:]
        elif chain[:2] == (conventions.parent, CALLED) and owner is not None:
            above = self.bases(owner)
            meaning, rest = (Instance(above[0]) if above else EXTERNAL), rest[1:]
        else:
            meaning = self.name(file, inside, chain[0], outside=outside, depth=depth)
        for part in rest:
            meaning = self._called(meaning) if part == CALLED else self.attribute(meaning, part)
        return meaning

    def _attribute_made(
        self, file: int, inside: str, owner: Address, itself: str, attribute: str, depth: int
    ) -> Meaning:
        """What an attribute of the object itself is made of, by this definition, the constructor or the class."""
        constructor = conventions_of(self._corpus.paths[file]).constructor
        for place in (inside, f"{owner.name}.{constructor}"):
            made = self.names(file, place).values.get(f"{itself}.{attribute}")
            if made is not None:
                return self._made(file, place, made, depth + 1)
        made = self.names(file, owner.name).values.get(attribute)
        return self._made(file, owner.name, made, depth + 1) if made is not None else None

    def _made(self, file: int, inside: str, made: Chain, depth: int) -> Meaning:
        meaning = self.chain(file, inside, made, depth=depth)
        return meaning if isinstance(meaning, (Instance, External)) else None

    def _called(self, meaning: Meaning) -> Meaning:
        if isinstance(meaning, Address) and self.is_class(meaning):
            return Instance(meaning)
        if isinstance(meaning, Instance):
            return meaning if self.is_class(meaning.of) else None
        return meaning if meaning is EXTERNAL else None

    def attribute(self, meaning: Meaning, name: str) -> Meaning:
        """What an attribute of something means."""
        if isinstance(meaning, Address) and not meaning.name:
            return self.member(meaning.file, name)
        of = meaning.of if isinstance(meaning, Instance) else meaning
        if isinstance(of, Address):
            if self.is_class(of) or isinstance(meaning, Instance):
                return self.in_class(of, name)
            return None
        return of if of is EXTERNAL else None

    # Classes

    def bases(self, place: Address) -> tuple[Address, ...]:
        """The classes of the repository that one is derived from directly."""
        found: list[Address] = []
        for base in self.names(place.file, place.name).bases:
            scope = scope_above(place.name) or MODULE_NAME
            meaning = self.chain(place.file, scope, base) if CALLED not in base else None
            if isinstance(meaning, Address) and meaning != place and (self.is_class(meaning) or meaning in self._gone):
                found.append(meaning)
        return tuple(found)

    def ancestors(self, place: Address) -> tuple[Address, ...]:
        """A class and the classes of the repository above it, the nearest first."""
        if place not in self._ancestors:
            found = [place]
            for one in found:
                found += [base for base in self.bases(one) if base not in found]
                if len(found) > _CLASSES:
                    break
            self._ancestors[place] = tuple(found)
        return self._ancestors[place]

    def in_class(self, place: Address, name: str) -> Meaning:
        """The definition of an attribute that objects of a class have."""
        for one in self.ancestors(place):
            member = Address(one.file, f"{one.name}.{name}")
            if member in self._gone or member.name in self.rows(one.file):
                return member
            if name in self.names(one.file, one.name).members:
                return member
        return None

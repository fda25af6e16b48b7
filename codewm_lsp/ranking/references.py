"""Definitions that must follow the edits in progress: users of what is gone, callers that no longer fit, overrides.

They are computed from the syntax trees, and they lead the ranking. A definition is looked into only where one of the
names stands in it, which the corpus knows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.display import clean
from codewm_lsp.history import Edit
from codewm_lsp.ranking.breaking import Altered, Broken, Enlarged, Gone, broken_by, misfit, new_requirements
from codewm_lsp.ranking.corpus import KINDS, Corpus, scope_above, simple_name
from codewm_lsp.ranking.layout import conventions_of, shared_beginning
from codewm_lsp.ranking.resolution import EXTERNAL, Address, Instance, Meaning, Resolver
from codewm_lsp.source import MODULE_NAME, Definition, DefinitionKind, names_of
from codewm_lsp.source.languages import Use, UseKind

MOST: Final = 400
"""Definitions looked into for all names together, the nearest to the edit first."""

_SAME: Final = 50  # methods of the same name that may be those of classes below
_NAME: Final = 40  # characters of a name in words
_USES: Final = 0.95
_FITS: Final = 0.9
_OVERRIDES: Final = 0.85
_LISTS: Final = 0.8
_LIKELY: Final = 0.75  # by the name alone, which nothing else has
_IMPORTS: Final = 0.7


@dataclass(frozen=True, slots=True)
class ForcedChange:
    """Why a definition must follow. ``linted``: whether a linter names the place anyway."""

    score: float
    words: str
    linted: bool = False


References = Mapping[int, ForcedChange]
"""By the row of the definition in the corpus."""


def references(
    corpus: Corpus, editing: Sequence[Edit], texts: Callable[[Sequence[int]], Mapping[int, Sequence[Definition]]]
) -> References:
    """The definitions that must follow these edits, newest first. ``texts``: reads the definitions of some files."""
    defined: set[tuple[str, str]] = set()
    if any(edit.commit is None for edit in editing):  # otherwise the corpus may be that of before
        files = {edit.path for edit in editing if edit.path in corpus.number}
        defined = {
            (path, corpus.names[row])
            for path in files
            for row in range(*corpus.first[corpus.number[path] : corpus.number[path] + 2].tolist())
        }
    broken = broken_by(editing, defined)
    if not (broken.gone or broken.altered or broken.enlarged):
        return {}
    return _Search(corpus, broken, texts).found()


def led(
    references: References, rows: NDArray[np.int64], probabilities: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The same with the definitions that must follow in front, those last that a linter names anyway; none of the
    others is likelier than these."""
    must = [place for place, row in enumerate(rows.tolist()) if row in references]
    if not must:
        return rows, probabilities
    why = {place: references[int(rows[place])] for place in must}
    must.sort(key=lambda place: (why[place].linted, -why[place].score, place))
    least = min(one.score for one in why.values())
    rest = np.setdiff1d(np.arange(len(rows)), must)
    scores = np.minimum.accumulate(np.array([why[place].score for place in must]))
    return (
        np.concatenate([rows[must], rows[rest]]),
        np.concatenate([scores, np.minimum(probabilities[rest], least)]),
    )


class _Search:
    def __init__(
        self,
        corpus: Corpus,
        broken: Broken,
        texts: Callable[[Sequence[int]], Mapping[int, Sequence[Definition]]],
    ) -> None:
        self._corpus = corpus
        self._broken = broken
        self._read = texts
        self._known: dict[int, Sequence[Definition]] = {}
        number = corpus.number
        self._gone = {Address(number[one.path], one.name): one for one in broken.gone if one.path in number}
        self._resolver = Resolver(corpus, self._texts, frozenset(self._gone))
        self._found: dict[int, ForcedChange] = {}

    def _texts(self, file: int) -> Sequence[Definition]:
        if file not in self._known:
            self._known.update(self._read([file]))
        return self._known[file]

    def found(self) -> References:
        left = MOST
        for place, gone in self._gone.items():
            left -= self._users(place, gone, left)
        for altered in self._broken.altered:
            if altered.path in self._corpus.number and new_requirements(altered.before, altered.after):
                left -= self._callers(altered, left)
        for enlarged in self._broken.enlarged:
            if enlarged.path in self._corpus.number and enlarged.old:
                left -= self._lists(enlarged, left)
        return self._found

    def _lead(self, row: int, reference: ForcedChange) -> None:
        known = self._found.get(row)
        if known is None or (known.linted, -known.score) > (reference.linted, -reference.score):
            self._found[row] = reference

    def _standing(self, words: Sequence[str], path: str, most: int) -> list[int]:
        """The definitions that all of these words stand in, the nearest to a path first; their files are read."""
        weights = self._corpus.weights(dict.fromkeys(words, 1.0))
        if np.count_nonzero(weights) < len(words):
            return []
        rows: NDArray[np.int64] = np.flatnonzero(self._corpus.found(weights) >= len(words) - 0.5)
        paths, near = self._corpus.paths, path.split("/")
        if len(rows) > most > 0:
            files, places = np.unique(self._corpus.file[rows], return_inverse=True)
            distance = np.array([-shared_beginning(paths[file].split("/"), near) for file in files.tolist()])
            rows = np.sort(rows[np.argsort(distance[places], kind="stable")[:most]])
        elif most <= 0:
            rows = rows[:0]
        found: list[int] = rows.tolist()
        self._read_files(found)
        return found

    def _read_files(self, rows: Sequence[int]) -> None:
        """Read the files of these definitions together."""
        missing = sorted({int(self._corpus.file[row]) for row in rows} - self._known.keys())
        if missing:
            self._known.update(self._read(missing))

    def _uses(self, row: int, wanted: frozenset[str]) -> Sequence[Use]:
        return names_of(self._resolver.source(row), wanted).uses

    def _where(self, row: int) -> tuple[int, str]:
        return int(self._corpus.file[row]), self._corpus.names[row]

    def _meaning(self, row: int, use: Use) -> Meaning:
        """What a use means; None where the syntax does not tell."""
        file, inside = self._where(row)
        resolver = self._resolver
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

    def _users(self, place: Address, gone: Gone, most: int) -> int:
        name = simple_name(gone.name)
        rows = self._standing([name], gone.path, most)
        wanted = frozenset({name})
        unique = gone.member and self._alone(place, name, rows)
        quoted = f"`{clean(name, _NAME)}`"
        now = f"renamed to `{clean(gone.renamed, _NAME)}`" if gone.renamed else "moved" if gone.moved else "removed"
        for row in rows:
            file, inside = self._where(row)
            for use in self._uses(row, wanted):
                meaning = self._meaning(row, use)
                if meaning == place or self._calls_below(row, use, place):
                    certain = True
                elif unique and meaning is None and use.kind is UseKind.ATTRIBUTE:
                    certain = False
                else:
                    continue
                if gone.moved and use.kind is UseKind.NAME and file != place.file:
                    continue
                if use.kind is UseKind.IMPORT:
                    made = ForcedChange(_IMPORTS, f"imports {quoted}, {now} (a linter says so)", inside == MODULE_NAME)
                elif use.kind is UseKind.LISTED:
                    made = ForcedChange(_IMPORTS, f"lists {quoted} in what it exports, {now}", True)
                elif use.kind is UseKind.TEXT:
                    made = ForcedChange(_USES, f"names {quoted} in a string, {now}")
                else:
                    made = ForcedChange(_USES if certain else _LIKELY, f"still uses {quoted}, {now}")
                self._lead(row, made)
        if gone.member and gone.renamed:
            self._overrides(place, f"renamed to `{clean(gone.renamed, _NAME)}`")
        return len(rows)

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
        owner = Address(place.file, scope_above(place.name))
        named = np.flatnonzero(corpus.name_words == number).tolist()
        if len(named) > _SAME:
            return False
        for row in named:
            file, other = self._where(row)
            if (file, other) != (place.file, place.name):
                above = self._resolver.ancestors(Address(file, scope_above(other)))
                if KINDS[corpus.kinds[row]] is not DefinitionKind.METHOD or owner not in above:
                    return False
        for row in rows:
            names = names_of(self._resolver.source(row), frozenset({name}))
            if name in names.attributes or (KINDS[corpus.kinds[row]] is DefinitionKind.CLASS and name in names.members):
                return False
        return True

    def _overrides(self, place: Address, what: str) -> None:
        """The methods of the same name in classes above and below, which go by the same contract."""
        name = simple_name(place.name)
        corpus, resolver = self._corpus, self._resolver
        if name.startswith("__"):
            return
        owner = Address(place.file, scope_above(place.name))
        number = corpus.vocabulary.ids.get(name, -1)
        above = resolver.ancestors(owner)
        rows = np.flatnonzero(corpus.name_words == number).tolist()[:MOST]
        self._read_files(rows)
        for row in rows:
            file, inside = self._where(row)
            other = Address(file, scope_above(inside))
            if KINDS[corpus.kinds[row]] is not DefinitionKind.METHOD or other == owner:
                continue
            called = f"`{clean(f'{simple_name(owner.name)}.{name}', _NAME)}`"
            if owner in resolver.ancestors(other):
                self._lead(row, ForcedChange(_OVERRIDES, f"overrides {called}, {what}"))
            elif other in above:
                self._lead(row, ForcedChange(_OVERRIDES, f"is overridden by {called}, {what}"))

    # Signatures

    def _callers(self, altered: Altered, most: int) -> int:
        corpus, resolver = self._corpus, self._resolver
        place = Address(corpus.number[altered.path], altered.name)
        constructor = conventions_of(altered.path).constructor
        name = simple_name(altered.name)
        words = [name]
        owner = Address(place.file, scope_above(altered.name))
        if altered.member and name == constructor:
            words.append(simple_name(owner.name))
        looked = 0
        for word in words:
            rows = self._standing([word], altered.path, most - looked)
            looked += len(rows)
            unique = altered.member and word == name and self._alone(place, name, rows)
            for row in rows:
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
                    why = misfit(use.call, altered.before, altered.after, bound)
                    if why:
                        score = _FITS if meaning is not None else _LIKELY
                        self._lead(row, ForcedChange(score, f"calls `{clean(word, _NAME)}`: {why}"))
                        break
        if altered.member and name != constructor:
            self._overrides(place, "whose signature changed")
        return looked

    def _constructs(self, meaning: Address, constructor: Address) -> bool:
        resolver = self._resolver
        if not resolver.is_class(meaning):
            return False
        return resolver.in_class(meaning, simple_name(constructor.name)) == constructor

    # Members

    def _lists(self, enlarged: Enlarged, most: int) -> int:
        corpus, resolver = self._corpus, self._resolver
        place = Address(corpus.number[enlarged.path], enlarged.name)
        rows = self._standing([simple_name(enlarged.name), *sorted(enlarged.old)], enlarged.path, most)
        for row in rows:
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
                self._lead(row, ForcedChange(_LISTS, f"handles every member of `{owner}` but the new `{new}`"))
        return len(rows)

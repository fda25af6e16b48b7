"""Every definition of one state of a repository, as arrays of words that can be weighed all at once.

A file is parsed once for each content (``ParsedFile``); a ``Corpus`` strings the parsed files of one state together.
A question is a weight for each word; one pass over the arrays answers it for every definition.
"""

from __future__ import annotations

import re
import zlib
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from functools import cached_property
from typing import Any, Final, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.distinct import among
from codewm_lsp.ranking.path_layout import Layout
from codewm_lsp.records import dataclass
from codewm_lsp.source import DefinitionKind, parse_definitions
from codewm_lsp.source.languages import PYTHON
from codewm_lsp.source.words import parts_of_identifier

Ints = NDArray[np.int32]
Floats = NDArray[np.float32]
Bounds = NDArray[np.int64]
_What = Literal["words", "lines", "phrases"]

KINDS: Final = tuple(DefinitionKind)
_TOKEN: Final = re.compile(r"\w+")
_SPACES: Final = {code: " " for code in range(128) if not _TOKEN.match(chr(code))}
_MAX_TOKEN: Final = 64
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX2: Final = np.uint64(0xC2B2AE3D27D4EB4F)
_BOUNDS: Final[Mapping[_What, str]] = {"words": "word_bounds", "lines": "line_bounds", "phrases": "phrase_bounds"}
_OF_DEFINITIONS: Final = ("kinds", "line", "start", "end", "size", "name_words")
_ARRAYS: Final = {
    **{"kinds": "i1", "line": "i4", "start": "i4", "end": "i4", "size": "i4", "name_words": "i4"},
    **{"words": "i4", "counts": "u1", "lines": "u4", "phrases": "u4"},
}
_FEW_FILES: Final = 64  # differing files up to which what stands where is looked up in another state,
_FEW_OF: Final = 50  # and one more for so many files
_FEW_PARTS: Final = 4_096  # parts of new words that are looked through before all are sorted anew
_KEPT_TOKENS: Final = 1 << 20  # of the parts that were looked up last
_ENDS: Final = 0xFFFF
_DAMPED: Final[Floats] = np.concatenate([np.zeros(1, np.float32), 1 + np.log(np.arange(1, 256, dtype=np.float32))])
"""What so many occurrences of a word in a definition weigh."""
_Arrays = TypeVar("_Arrays", bound=np.generic)
_Item = TypeVar("_Item")
_MIN_LINE: Final = 8  # a line of fewer characters (``else:``, ``return``) says nothing


def tokens_of(text: str) -> Counter[str]:
    """How often each identifier, keyword, number or word of a string or comment stands in ``text``."""
    return Counter(running_tokens(text))


def running_tokens(text: str) -> list[str]:
    """Identifiers, keywords, numbers and words of strings and comments, as they stand."""
    return text.translate(_SPACES).split() if text.isascii() else _TOKEN.findall(text)  # the same, three times as fast


def line_hashes(text: str) -> list[int]:
    """One number for each line long enough to be telling, white space at its ends left out."""
    return [
        zlib.crc32(line.encode("utf-8", "surrogatepass"))
        for line in map(str.strip, text.split("\n"))
        if len(line) >= _MIN_LINE
    ]


def code_of(token: str) -> int:
    """The same number for the same word, whatever else is known."""
    return zlib.crc32(token.encode("utf-8", "surrogatepass"))


def phrases_of(codes: Sequence[int] | NDArray[np.uint32]) -> NDArray[np.uint32]:
    """One number for each pair of neighbouring words, given by their codes."""
    if len(codes) < 2:
        return np.zeros(0, dtype=np.uint32)
    array = np.asarray(codes, dtype=np.uint64)
    mixed = (array[:-1] * _MIX + array[1:] * _MIX2) >> np.uint64(17)
    return np.asarray(mixed, dtype=np.uint32)


def simple_name(definition: str) -> str:
    """``Client.get#2`` → ``get``."""
    return definition.rpartition(".")[2].partition("#")[0]


def scope_above(definition: str) -> str:
    """The qualified name that a definition stands in; "" at the margin."""
    return definition.rpartition(".")[0]


class Vocabulary:
    """Numbers for words, in the order in which they are met, and the parts of each (``get_timeout`` → get, timeout)."""

    def __init__(self) -> None:
        self.ids: dict[str, int] = {}
        self._parts: array[int] = array("i")
        self._bounds: array[int] = array("q", [0])
        self._split_until = 0
        self._tokens: list[str] = []
        self.codes: array[int] = array("I")
        self._split: tuple[Ints, Bounds] | None = None
        self._by_part: tuple[int, Ints, Ints] = (0, np.zeros(0, np.int32), np.zeros(0, np.int32))
        self._with_part: dict[int, Ints] = {}

    def __len__(self) -> int:
        return len(self._tokens)

    def add(self, token: str) -> int:
        """Number of ``token``, given to it now if it has none."""
        number = self.ids.get(token)
        if number is None:
            number = self.ids[token] = len(self._tokens)
            self._tokens.append(token)
            self.codes.append(code_of(token))
        return number

    def token(self, number: int) -> str:
        """The word that has this number."""
        return self._tokens[number]

    def split(self) -> tuple[Ints, Bounds]:
        """For every token its lower-case parts, numbered too: (parts, where each token's begin, and the end)."""
        if self._split_until == len(self._tokens) and self._split is not None:
            return self._split
        while self._split_until < len(self._tokens):
            token = self._tokens[self._split_until]
            if len(token) > _MAX_TOKEN:
                pass
            elif token.isalpha() and token.isascii() and token.islower():
                self._parts.append(self._split_until)  # its only part is itself, as of every second word
            else:
                self._parts.extend(dict.fromkeys(map(self.add, parts_of_identifier(token))))
            self._split_until += 1
            self._bounds.append(len(self._parts))
        self._split = np.array(self._parts, dtype=np.int32), np.array(self._bounds, dtype=np.int64)
        return self._split

    def spread(self, parts: Mapping[int, float]) -> Floats:
        """A weight for each part → for each token the sum over its parts."""
        split, bounds = self.split()
        until = self._sort_parts(split)
        asked = np.array(sorted(parts), dtype=np.int32)
        weights = np.array([parts[part] for part in asked.tolist()], dtype=np.float32)
        sums = np.zeros(len(bounds) - 1)
        for part, weight in zip(asked.tolist(), weights, strict=True):
            sums[self._tokens_of(part)] += weight  # it is once among the parts of each
        late = np.flatnonzero(among(split[until:], asked)) + until
        tokens = np.searchsorted(bounds, late, side="right") - 1
        np.add.at(sums, tokens, weights[np.searchsorted(asked, split[late])])
        return sums.astype(np.float32)

    def _sort_parts(self, split: Ints) -> int:
        """Have all parts but the newest sorted, and how many these are: somebody who types adds tokens all the time,
        and what is sorted would be sorted anew."""
        if len(split) - self._by_part[0] > max(_FEW_PARTS, len(split) // 16):
            self._by_part = len(split), np.argsort(split, kind="stable").astype(np.int32), np.sort(split)
            self._with_part.clear()
        return self._by_part[0]

    def _tokens_of(self, part: int) -> Ints:
        """The tokens that a part is of, as far as it is sorted."""
        known = self._with_part.get(part)
        if known is None:
            _, order, numbers = self._by_part
            first, last = np.searchsorted(numbers, np.array([part, part + 1], dtype=np.int32))
            known = (np.searchsorted(self.split()[1], order[first:last], side="right") - 1).astype(np.int32)
            while self._with_part and sum(map(len, self._with_part.values())) + len(known) > _KEPT_TOKENS:
                del self._with_part[next(iter(self._with_part))]
        else:
            del self._with_part[part]
        self._with_part[part] = known  # the one asked for last is the last
        return known


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """The definitions of one file: where they stand and which words and lines they hold.

    ``words[word_bounds[i]:word_bounds[i + 1]]`` are the distinct words of definition ``i``, ``counts`` how often each
    stands in it; ``lines`` likewise. ``imports`` are the dotted modules (and names) that the file imports, relative
    ones with their leading dots.
    """

    names: tuple[str, ...]
    kinds: NDArray[np.int8]
    line: Ints
    start: Ints
    end: Ints
    size: Ints
    name_words: Ints
    words: Ints
    counts: NDArray[np.uint8]
    word_bounds: Ints
    lines: NDArray[np.uint32]
    line_bounds: Ints
    phrases: NDArray[np.uint32]
    phrase_bounds: Ints
    imports: tuple[str, ...]


def parse_file(text: str, vocabulary: Vocabulary) -> ParsedFile:
    """Parse one file; total, like ``parse_definitions``."""
    definitions = parse_definitions(text)
    words: list[int] = []
    counts: list[int] = []
    word_bounds = [0]
    lines: list[int] = []
    line_bounds = [0]
    running: list[int] = []
    bounds = [0]
    add = vocabulary.add
    known = vocabulary.ids
    for definition in definitions:
        numbers = [known[token] if token in known else add(token) for token in running_tokens(definition.source)]
        running += numbers
        bounds.append(len(running))
        found = Counter(numbers)
        words.extend(found)
        counts.extend(found.values())
        word_bounds.append(len(words))
        lines.extend(set(line_hashes(definition.source)))
        line_bounds.append(len(lines))
    sizes = np.diff(np.array(bounds)).astype(np.int32)
    phrases, phrase_bounds = _phrases(np.asarray(vocabulary.codes, dtype=np.uint32)[running], sizes)
    return ParsedFile(
        names=tuple(definition.name for definition in definitions),
        kinds=np.array([KINDS.index(definition.kind) for definition in definitions], dtype=np.int8),
        line=np.array([definition.line for definition in definitions], dtype=np.int32),
        start=np.array([definition.start for definition in definitions], dtype=np.int32),
        end=np.array([definition.end for definition in definitions], dtype=np.int32),
        size=sizes,
        name_words=np.array([add(simple_name(definition.name)) for definition in definitions], dtype=np.int32),
        words=np.array(words, dtype=np.int32),
        counts=np.minimum(np.array(counts, dtype=np.int64), 255).astype(np.uint8),
        word_bounds=np.array(word_bounds, dtype=np.int32),
        lines=np.array(lines, dtype=np.uint32),
        line_bounds=np.array(line_bounds, dtype=np.int32),
        phrases=phrases,
        phrase_bounds=phrase_bounds,
        imports=PYTHON.conventions.imports(text),
    )


def _phrases(codes: NDArray[np.uint32], sizes: Ints) -> tuple[NDArray[np.uint32], Ints]:
    """The distinct ``phrases_of`` definitions of these sizes, whose words follow each other, and their bounds."""
    owners = np.repeat(np.arange(len(sizes), dtype=np.uint64), sizes)
    inside = owners[:-1] == owners[1:]
    both = np.sort((owners[:-1][inside] << np.uint64(32)) | phrases_of(codes)[inside])
    both = both[np.concatenate(([True], both[1:] != both[:-1]))] if len(both) else both
    ends = np.searchsorted(both, np.arange(len(sizes) + 1, dtype=np.uint64) << np.uint64(32))
    return both.astype(np.uint32), ends.astype(np.int32)


@dataclass(frozen=True, slots=True)
class Splice:
    """Files ``old_low`` to ``old_high`` of one corpus are files ``new_low`` to ``new_high`` of another."""

    old_low: int
    old_high: int
    new_low: int
    new_high: int


@dataclass(frozen=True, eq=False)
class Corpus:
    """The definitions of one state of a repository, numbered through all files in the order of the paths.

    The arrays are those of ``ParsedFile``, strung together; ``first`` is the first definition of each file, and the
    end. A corpus does not change: ``with_files`` gives that of the next state.
    """

    vocabulary: Vocabulary
    layout: Layout
    names: list[str]
    kinds: NDArray[np.int8]
    line: Ints
    start: Ints
    end: Ints
    size: Ints
    name_words: Ints
    words: Ints
    counts: NDArray[np.uint8]
    word_bounds: Bounds
    lines: NDArray[np.uint32]
    line_bounds: Bounds
    phrases: NDArray[np.uint32]
    phrase_bounds: Bounds
    imports: list[tuple[str, ...]]
    first: NDArray[np.int64]
    _sorted: _Sorted
    _differing: frozenset[str] = frozenset()
    _whole: Corpus | None = None
    """The paths of files that are not those of the corpus whose words, lines and phrases were ``_sorted``."""

    @classmethod
    def of(cls, files: Mapping[str, ParsedFile], vocabulary: Vocabulary) -> Corpus:
        """These files, by their paths."""
        start = np.zeros(1, dtype=np.int64)
        arrays: dict[str, Any] = {name: np.zeros(0, dtype) for name, dtype in _ARRAYS.items()}
        arrays |= dict.fromkeys(_BOUNDS.values(), start)
        empty = cls(vocabulary, Layout(()), names=[], imports=[], first=start, _sorted=_Sorted(()), **arrays)
        return empty.with_files(files)

    def with_files(self, changed: Mapping[str, ParsedFile | None]) -> Corpus:
        """The corpus with these files in place of those of the same paths, or without them (None).

        Arrays are spliced, and where few files differ from a corpus whose words were sorted, what stands where is
        looked up there: both cost much less than making it anew, and answer the same.
        """
        new = [file for path in sorted(changed) if (file := changed[path]) is not None]
        splices, paths = _splices(self.paths, changed)
        lengths = np.array([len(file.names) for file in new], dtype=np.int64)
        first = _sums(spliced(np.diff(self.first), lengths, splices))
        rows = scaled(splices, self.first, first)

        def joined(name: str, splices: Sequence[Splice]) -> NDArray[Any]:
            old: NDArray[Any] = getattr(self, name)
            return spliced(old, _joined([getattr(file, name) for file in new], old.dtype), splices)

        arrays: dict[str, Any] = {name: joined(name, rows) for name in _OF_DEFINITIONS}
        gone = self.words[:0]
        for what, name in _BOUNDS.items():
            old: Bounds = getattr(self, name)
            sizes = _joined([np.diff(getattr(file, name)) for file in new], old.dtype)
            arrays[name] = _sums(spliced(np.diff(old), sizes, rows))
            places = scaled(splices, old[self.first], arrays[name][first])
            arrays[what] = joined(what, places)
            if what == "words":
                arrays["counts"] = joined("counts", places)
                gone = _taken(self.words, places)
        kept, differing = _Sorted(paths), frozenset[str]()
        if self._sorted.tables.keys() == _BOUNDS.keys():
            since = self._differing | changed.keys()
            if len(since) <= _FEW_FILES + len(paths) // _FEW_OF:
                kept, differing = self._sorted, since
                for path in changed.keys() - self._differing & self.number.keys():
                    kept.replaced.setdefault(path, self._numbers_of(self.number[path]))
        corpus = Corpus(
            self.vocabulary,
            self.layout if paths == self.paths else Layout(paths),
            names=_spliced_list(self.names, [name for file in new for name in file.names], rows),
            imports=_spliced_list(self.imports, [file.imports for file in new], splices),
            first=first,
            _sorted=kept,
            _differing=differing,
            **arrays,
        )
        if "_frequency" in self.__dict__:  # what was counted is not counted again
            size = len(self.vocabulary)
            frequency = np.bincount(_joined([file.words for file in new], gone.dtype), minlength=size)
            frequency -= np.bincount(gone, minlength=size)
            frequency[: len(self._frequency)] += self._frequency
            corpus.__dict__["_frequency"] = frequency
        return corpus

    @property
    def paths(self) -> tuple[str, ...]:
        """Of the files, in their order."""
        return self.layout.paths

    @property
    def number(self) -> Mapping[str, int]:
        """Which file a path is."""
        return self.layout.number

    @cached_property
    def file(self) -> Ints:
        """The file of each definition."""
        return np.repeat(np.arange(len(self.paths), dtype=np.int32), np.diff(self.first))

    def __len__(self) -> int:
        return len(self.names)

    def part(self, files: Sequence[int]) -> Corpus:
        """Some files alone (ascending). Words weigh in it what they weigh in the whole, so that what is said of a
        definition is the same in both."""
        chosen = np.array(files, dtype=np.int64)
        rows = self.rows_of(chosen)
        arrays: dict[str, Any] = {name: getattr(self, name)[rows] for name in _OF_DEFINITIONS}
        for what, name in _BOUNDS.items():
            bounds: Bounds = getattr(self, name)
            arrays[name] = _sums(np.diff(bounds)[rows])
            places = _runs(bounds[self.first[chosen]], bounds[self.first[chosen + 1]])
            arrays[what] = getattr(self, what)[places]
            if what == "words":
                arrays["counts"] = self.counts[places]
        paths = tuple(self.paths[file] for file in files)
        return Corpus(
            self.vocabulary,
            Layout(paths),
            names=[self.names[row] for row in rows.tolist()],
            imports=[self.imports[file] for file in files],
            first=_sums(np.diff(self.first)[chosen]),
            _sorted=_Sorted(()),
            _whole=self,
            **arrays,
        )

    def parsed(self, file: int) -> ParsedFile:
        """One of its files, as it was parsed."""
        low, high = int(self.first[file]), int(self.first[file + 1])
        arrays: dict[str, Any] = {name: getattr(self, name)[low:high] for name in _OF_DEFINITIONS}
        for what, name in _BOUNDS.items():
            bounds: Bounds = getattr(self, name)[low : high + 1]
            arrays[name] = (bounds - bounds[0]).astype(np.int32)
            arrays[what] = getattr(self, what)[bounds[0] : bounds[-1]]
            if what == "words":
                arrays["counts"] = self.counts[bounds[0] : bounds[-1]]
        return ParsedFile(names=tuple(self.names[low:high]), imports=self.imports[file], **arrays)

    def _numbers_of(self, file: int) -> Mapping[_What, NDArray[np.integer]]:
        """Copies of the words, lines and phrases that stand in the definitions of one of its files."""
        low, high = int(self.first[file]), int(self.first[file + 1])
        return {what: getattr(self, what)[slice(*getattr(self, _BOUNDS[what])[[low, high]])].copy() for what in _BOUNDS}

    def rows_of(self, files: NDArray[np.int64]) -> NDArray[np.int64]:
        """The definitions of these files, one file after the other."""
        return _runs(self.first[files], self.first[files + 1])

    @property
    def whole(self) -> Corpus:
        """Where words, lines, phrases and names are counted: the corpus that this is a part of, or itself."""
        return self if self._whole is None else self._whole

    @cached_property
    def _frequency(self) -> NDArray[np.int64]:
        """In how many definitions each word of the vocabulary stands."""
        return np.bincount(self.words, minlength=len(self.vocabulary))

    @cached_property
    def _idf(self) -> Floats:
        return np.asarray(_idf(self._frequency, len(self)), dtype=np.float32)

    @property
    def idf(self) -> Floats:
        """For every word of the vocabulary, log((N + 1) / (n + 0.5)) over the definitions, scaled to at most 1."""
        return self.whole._idf

    def word_frequency(self, words: Sequence[int]) -> NDArray[np.int64]:
        """In how many definitions each of these words of the vocabulary stands."""
        frequency = self.whole._frequency  # a word that came later stands nowhere in here
        return np.array([frequency[word] if word < len(frequency) else 0 for word in words], dtype=np.int64)

    def idf_without_one(self, word: int) -> float:
        """``idf`` of a word, had one of the definitions in which it stands not been there."""
        return float(_idf(np.maximum(self.whole._frequency[word] - 1, 0), len(self.whole)))

    @cached_property
    def _name_frequency(self) -> NDArray[np.int64]:
        return np.bincount(self.name_words, minlength=len(self.vocabulary))

    @property
    def name_frequency(self) -> NDArray[np.int64]:
        """How many definitions have each word of the vocabulary for a name."""
        return self.whole._name_frequency

    @property
    def damped(self) -> Floats:
        """(1 + log count) × idf of each of ``words``."""
        return self._damped if self._whole is not None else _DAMPED[self.counts] * self.idf[self.words]

    @cached_property
    def _damped(self) -> Floats:
        return _DAMPED[self.counts] * self.idf[self.words]

    @cached_property
    def norm(self) -> Floats:
        """Length of each definition's vector of ``damped`` words."""
        return np.asarray(np.sqrt(self._sums_of_words(self.damped**2)) + 1e-6, dtype=np.float32)

    def _sums_of_words(self, values: Floats) -> Floats:
        """A value for each of ``words`` → the sum of each definition. (N,)"""
        rows = self._rows_of_words if self._whole is not None else self._repeated_rows()
        return np.bincount(rows, values, minlength=len(self)).astype(np.float32)

    @cached_property
    def _rows_of_words(self) -> Ints:
        return self._repeated_rows()

    def _repeated_rows(self) -> Ints:
        """The definition that each of ``words`` stands in. Of a part it is kept, of a whole corpus that takes much."""
        return np.repeat(np.arange(len(self), dtype=np.int32), np.diff(self.word_bounds))

    def _standing(self, what: _What) -> _Standing:
        """Where these stand, worked out the first time."""
        if what not in self._standings:
            if self._whole is not None:  # a few definitions, asked about once: looked through, not sorted
                everything = [Splice(0, 0, 0, len(self.paths))]
                nothing = _Table.of(Corpus.of({}, self.vocabulary), what)
                return self._standings.setdefault(what, _Standing(nothing, self, what, everything, ()))
            tables = self._sorted.tables
            if not tables:  # all at once: a corpus that is made of this one needs them all
                tables.update({each: _Table.of(self, each) for each in _BOUNDS})
            splices = between(self._sorted.paths, self.paths, self._differing)
            gone = [numbers[what] for path in self._differing if (numbers := self._sorted.replaced.get(path))]
            self._standings[what] = _Standing(tables[what], self, what, splices, gone)
        return self._standings[what]

    @cached_property
    def _standings(self) -> dict[_What, _Standing]:
        return {}

    def sort(self) -> None:
        """Work out where everything stands, so that corpora made of this one need only look up what differs."""
        for what in _BOUNDS:
            self._standing(what)

    def line_frequency(self, hashes: NDArray[np.uint32]) -> NDArray[np.int64]:
        """In how many definitions each of these lines stands."""
        return self.whole._standing("lines").frequency(hashes)

    def phrase_frequency(self, hashes: NDArray[np.uint32]) -> NDArray[np.int64]:
        """In how many definitions each of these pairs of words stands."""
        return self.whole._standing("phrases").frequency(hashes)

    def found(self, weights: Floats) -> Floats:
        """For each definition, the sum of the weights of the distinct words that stand in it.

        ``weights`` has one number for each word of the vocabulary. Returns (N,).
        """
        if self._whole is not None:  # a few definitions: looked through as they are
            return self._sums_of_words(weights[self.words])
        numbers = np.flatnonzero(weights)
        standing = self._standing("words")
        if standing.at_most(numbers) > len(self.words) // 2:
            return self._sums_of_words(weights[self.words])
        return standing.sums(numbers, weights[numbers])

    def similarity(self, tokens: Mapping[str, float]) -> Floats:
        """Cosine of each definition's ``damped`` words with ``tokens`` (already damped and idf-weighted). (N,)."""
        length = float(np.linalg.norm(list(tokens.values()))) + 1e-6
        weights = self.weights(tokens)
        if self._whole is not None:
            dots = self._sums_of_words(self.damped * weights[self.words])
        else:
            numbers = np.flatnonzero(weights[: len(self.idf)])  # a word that came later stands nowhere in here
            dots = self._standing("words").damped_sums(numbers, self.idf[numbers], weights[numbers])
        return np.asarray(dots / (self.norm * length), dtype=np.float32)

    def lines_found(self, hashes: NDArray[np.uint32], weights: Floats) -> Floats:
        """For each definition, the sum of the weights of these (distinct) lines that stand in it. (N,)."""
        return self._standing("lines").sums(hashes, weights)

    def phrases_found(self, hashes: NDArray[np.uint32], weights: Floats) -> Floats:
        """The same for pairs of words."""
        return self._standing("phrases").sums(hashes, weights)

    def weights(self, tokens: Mapping[str, float]) -> Floats:
        """A weight for every word of the vocabulary: those of ``tokens``, 0 elsewhere."""
        weights = np.zeros(len(self.vocabulary), dtype=np.float32)
        for token, weight in tokens.items():
            number = self.vocabulary.ids.get(token)
            if number is not None:
                weights[number] = weight
        return weights

    def spread(self, parts: Mapping[str, float]) -> Floats:
        """A weight for every word of the vocabulary: the sum of the weights of its lower-case parts."""
        self.vocabulary.split()  # which gives a number to every part
        numbers = self.vocabulary.ids
        return self.vocabulary.spread({numbers[part]: weight for part, weight in parts.items() if part in numbers})


def _idf(frequency: Any, count: int) -> NDArray[np.float64]:
    return np.asarray(np.maximum(np.log((count + 1) / (frequency + 0.5)) / np.log((count + 1) / 0.5), 0))


@dataclass(frozen=True, slots=True)
class _Table:
    """The numbers that stand in a corpus, and the definitions that each stands in; of words how often, too.

    Number ``i`` (they are distinct and sorted) stands in the definitions ``rows[starts[i]:starts[i + 1]]``, once in
    each. ``first`` is the first definition of each file of that corpus.
    """

    first: NDArray[np.int64]
    numbers: NDArray[np.integer]
    starts: Ints
    rows: Ints
    counts: NDArray[np.uint8] | None

    @classmethod
    def of(cls, corpus: Corpus, what: _What) -> _Table:
        numbers: NDArray[np.integer] = getattr(corpus, what)
        order = np.argsort(numbers)
        sorted_numbers = numbers[order]
        starts = np.flatnonzero(np.concatenate(([True], sorted_numbers[1:] != sorted_numbers[:-1])))[: len(numbers)]
        rows = np.repeat(np.arange(len(corpus), dtype=np.int32), np.diff(getattr(corpus, _BOUNDS[what])))
        return cls(
            corpus.first,
            sorted_numbers[starts],
            np.append(starts, len(numbers)).astype(np.int32),
            rows[order],
            corpus.counts[order] if what == "words" else None,
        )

    def ranges(self, numbers: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where the definitions of each of these numbers begin and end."""
        numbers = numbers.astype(self.numbers.dtype, copy=False)  # else it would be the large array that is converted
        place = np.searchsorted(self.numbers, numbers)
        there = place < len(self.numbers)
        there[there] = self.numbers[place[there]] == numbers[there]
        return self.starts[place].astype(np.int64), self.starts[place + there].astype(np.int64)


@dataclass(slots=True)
class _Sorted:
    """The tables of the corpus that had these paths, as far as they were asked for."""

    paths: tuple[str, ...]
    tables: dict[_What, _Table] = field(default_factory=dict)
    replaced: dict[str, Mapping[_What, NDArray[np.integer]]] = field(default_factory=dict)
    """What stood in the files of that corpus in whose place others came since."""


class _Standing:
    """Where a few numbers stand in a corpus, found without looking at all of it: in the ``table`` of a corpus from
    which it differs in the ``splices`` (in files), and in the files that differ."""

    def __init__(
        self,
        table: _Table,
        corpus: Corpus,
        what: _What,
        splices: Sequence[Splice],
        gone: Sequence[NDArray[np.integer]],
    ) -> None:
        """``gone``: the numbers that stand in files of the table's corpus in whose place others are."""
        self._table = table
        self._gone = np.concatenate([table.numbers[:0], *gone])
        self._size = len(corpus)
        self._moved: Ints | None = None  # definition of the table → of this corpus; one too many where it is gone
        rows = scaled(splices, table.first, corpus.first)
        bounds: Bounds = getattr(corpus, _BOUNDS[what])
        places = [Splice(int(bounds[one.new_low]), int(bounds[one.new_high]), 0, 0) for one in rows]
        self._fresh: NDArray[np.integer] = _taken(getattr(corpus, what), places)
        self._fresh_rows = np.concatenate(
            [
                np.zeros(0, np.int32),
                *(
                    np.repeat(
                        np.arange(one.new_low, one.new_high, dtype=np.int32),
                        np.diff(bounds[one.new_low : one.new_high + 1]),
                    )
                    for one in rows
                ),
            ]
        )
        self._fresh_counts = _taken(corpus.counts, places) if what == "words" else None
        if splices:
            kept = np.ones(int(table.first[-1]), dtype=bool)
            shifts = np.zeros(len(kept) + 1, dtype=np.int64)
            for one in rows:
                kept[one.old_low : one.old_high] = False
                shifts[one.old_high] += (one.new_high - one.new_low) - (one.old_high - one.old_low)
            moved = np.arange(len(kept)) + np.cumsum(shifts[:-1])
            self._moved = np.where(kept, moved, self._size).astype(np.int32)

    def at_most(self, numbers: NDArray[np.integer]) -> int:
        """How many places there are at the most; exact where nothing differs."""
        first, last = self._table.ranges(numbers)
        return int((last - first).sum()) + len(self._fresh)

    def frequency(self, numbers: NDArray[np.integer]) -> NDArray[np.int64]:
        """How often each of these (distinct) numbers stands there."""
        first, last = self._table.ranges(numbers)
        count = last - first
        count = count - np.bincount(_among(self._gone, numbers)[1], minlength=len(numbers))
        count += np.bincount(_among(self._fresh, numbers)[1], minlength=len(numbers))
        return count

    def sums(self, numbers: NDArray[np.integer], weights: NDArray[Any]) -> Floats:
        """For each definition, the sum of the weights of these (distinct) numbers that stand in it. (N,)"""
        places, which = self._selected(numbers)
        at, found = _among(self._fresh, numbers)
        return self._added(places, at, np.concatenate([weights[which], weights[found]]))

    def damped_sums(self, numbers: NDArray[np.integer], idf: Floats, weights: Floats) -> Floats:
        """The same of words, each weight times what the word itself weighs in the definition."""
        assert self._table.counts is not None, "words have counts"
        assert self._fresh_counts is not None, "words have counts"
        places, which = self._selected(numbers)
        at, found = _among(self._fresh, numbers)
        which = np.concatenate([which, found])
        counts = np.concatenate([self._table.counts[places], self._fresh_counts[at]])
        return self._added(places, at, _DAMPED[counts] * idf[which] * weights[which])

    def _selected(self, numbers: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where in the table these numbers stand, and which of them."""
        first, last = self._table.ranges(numbers)
        return _runs(first, last), np.repeat(np.arange(len(numbers)), last - first)

    def _added(self, places: NDArray[np.int64], fresh: NDArray[np.int64], values: NDArray[Any]) -> Floats:
        rows = self._table.rows[places]
        if self._moved is not None:
            rows = self._moved[rows]
        rows = np.concatenate([rows, self._fresh_rows[fresh]])
        return np.bincount(rows, values, minlength=self._size + 1)[: self._size].astype(np.float32)


def _among(some: NDArray[np.integer], numbers: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where in ``some`` one of these (distinct) numbers stands, and which of them."""
    if not len(some) or not len(numbers):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    ends = np.zeros(_ENDS + 1, dtype=bool)  # most numbers are told from these by their last bits
    ends[numbers & _ENDS] = True
    maybe = np.flatnonzero(ends[some & _ENDS])
    order = np.argsort(numbers)
    keys = numbers[order].astype(some.dtype, copy=False)
    nearest = np.minimum(np.searchsorted(keys, some[maybe]), len(keys) - 1)
    found = np.flatnonzero(keys[nearest] == some[maybe])
    return maybe[found], order[nearest[found]]


def _runs(starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """The numbers from each start to its end, one run after the other."""
    sizes = ends - starts
    return np.repeat(starts - (np.cumsum(sizes) - sizes), sizes) + np.arange(sizes.sum())


def _taken(values: NDArray[_Arrays], splices: Iterable[Splice]) -> NDArray[_Arrays]:
    """What the splices take out."""
    return np.concatenate([values[:0], *(values[one.old_low : one.old_high] for one in splices)])


def _splices(old: Sequence[str], changed: Mapping[str, ParsedFile | None]) -> tuple[list[Splice], tuple[str, ...]]:
    """Where the paths differ once these files are changed, came or went; and all paths after it."""
    paths: list[str] = []
    splices: list[Splice] = []
    end = 0
    for path in sorted(changed):
        low = bisect_left(old, path, end)
        high = low + 1 if low < len(old) and old[low] == path else low
        paths += old[end:low]
        start = len(paths)
        if changed[path] is not None:
            paths.append(path)
        splices.append(Splice(low, high, start, len(paths)))
        end = high
    paths += old[end:]
    return splices, tuple(paths)


def between(old: Sequence[str], new: Sequence[str], differing: Iterable[str]) -> list[Splice]:
    """The splices from one corpus to another whose files are the same but for the ``differing`` ones."""
    splices: list[Splice] = []
    for path in sorted(differing):
        low, start = bisect_left(old, path), bisect_left(new, path)
        high = low + 1 if low < len(old) and old[low] == path else low
        end = start + 1 if start < len(new) and new[start] == path else start
        splices.append(Splice(low, high, start, end))
    return splices


def scaled(splices: Iterable[Splice], old: NDArray[np.int64], new: NDArray[np.int64]) -> list[Splice]:
    """The same splices in other units: ``old`` and ``new`` say where each file begins, and the end."""
    return [
        Splice(int(old[one.old_low]), int(old[one.old_high]), int(new[one.new_low]), int(new[one.new_high]))
        for one in splices
    ]


def spliced(old: NDArray[_Arrays], new: NDArray[_Arrays], splices: Sequence[Splice]) -> NDArray[_Arrays]:
    """``old`` with what is ``new``, in its order, in place of what the splices take out."""
    parts: list[NDArray[_Arrays]] = []
    end = taken = 0
    for one in splices:
        size = one.new_high - one.new_low
        parts += old[end : one.old_low], new[taken : taken + size]
        end, taken = one.old_high, taken + size
    return np.concatenate([*parts, old[end:]])


def _spliced_list(old: list[_Item], new: list[_Item], splices: Sequence[Splice]) -> list[_Item]:
    """The same of lists."""
    spliced: list[_Item] = []
    end = taken = 0
    for one in splices:
        size = one.new_high - one.new_low
        spliced += old[end : one.old_low]
        spliced += new[taken : taken + size]
        end, taken = one.old_high, taken + size
    return spliced + old[end:]


def _sums(sizes: NDArray[np.int64]) -> Bounds:
    """Sizes of things one after the other → where each begins, and the end."""
    return np.concatenate(([0], np.cumsum(sizes)))


def _joined(parts: Sequence[NDArray[Any]], dtype: np.dtype[Any]) -> NDArray[Any]:
    return np.concatenate(parts).astype(dtype, copy=False) if parts else np.zeros(0, dtype=dtype)

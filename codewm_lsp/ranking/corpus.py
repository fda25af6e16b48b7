"""Every definition of one state of a repository, as arrays of words that can be weighed all at once.

A file is parsed once for each content (``ParsedFile``); a ``Corpus`` strings the parsed files of one state together.
A question is a weight for each word; one pass over the arrays answers it for every definition.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.source import DefinitionKind, parse_definitions, split_identifier

Ints = NDArray[np.int32]
Floats = NDArray[np.float32]
Bounds = NDArray[np.int64]
_What = Literal["words", "lines", "phrases"]

KINDS: Final = tuple(DefinitionKind)
_TOKEN: Final = re.compile(r"\w+")
_IMPORT: Final = re.compile(
    r"^[ \t]*(?:from[ \t]+(\.*[\w.]*)[ \t]+import[ \t]+(?:\(([^)]*)\)|([^#\n(]*))|import[ \t]+([\w., \t]+))", re.M
)
_MAX_TOKEN: Final = 64
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX2: Final = np.uint64(0xC2B2AE3D27D4EB4F)
_FEW_FILES: Final = 64  # changed files up to which a state is another one's with these changes
_MIN_LINE: Final = 8  # a line of fewer characters (``else:``, ``return``) says nothing


def tokens_of(text: str) -> Counter[str]:
    """How often each identifier, keyword, number or word of a string or comment stands in ``text``."""
    return Counter(_TOKEN.findall(text))


def running_tokens(text: str) -> list[str]:
    """Identifiers, keywords, numbers and words of strings and comments, as they stand."""
    return _TOKEN.findall(text)


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


def phrases_of(codes: Sequence[int]) -> NDArray[np.uint32]:
    """One number for each pair of neighbouring words, given by their codes."""
    if len(codes) < 2:
        return np.zeros(0, dtype=np.uint32)
    array = np.asarray(codes, dtype=np.uint64)
    mixed = (array[:-1] * _MIX + array[1:] * _MIX2) >> np.uint64(17)
    return np.asarray(mixed, dtype=np.uint32)


def simple_name(definition: str) -> str:
    """``Client.get#2`` → ``get``."""
    return definition.rpartition(".")[2].partition("#")[0]


def shared_beginning(one: Sequence[str], other: Sequence[str]) -> int:
    """How many parts of two paths are the same from the start on."""
    shared = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        shared += 1
    return shared


class Vocabulary:
    """Numbers for words, in the order in which they are met, and the parts of each (``get_timeout`` → get, timeout)."""

    def __init__(self) -> None:
        self.ids: dict[str, int] = {}
        self._parts: list[int] = []
        self._bounds: list[int] = [0]
        self._split_until = 0
        self._tokens: list[str] = []
        self.codes: list[int] = []
        self._split: tuple[Ints, Bounds] | None = None

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
            self._split_until += 1
            parts = split_identifier(token) if len(token) <= _MAX_TOKEN else ()
            self._parts.extend(dict.fromkeys(self.add(part) for part in parts))
            self._bounds.append(len(self._parts))
        self._split = np.asarray(self._parts, dtype=np.int32), np.asarray(self._bounds, dtype=np.int64)
        return self._split


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
    sizes: list[int] = []
    add = vocabulary.add
    known, codes = vocabulary.ids, vocabulary.codes
    phrases: list[NDArray[np.uint32]] = []
    phrase_bounds = [0]
    for definition in definitions:
        running = _TOKEN.findall(definition.source)
        numbers = [known[token] if token in known else add(token) for token in running]
        found = Counter(numbers)
        words.extend(found)
        counts.extend(found.values())
        phrases.append(np.unique(phrases_of([codes[number] for number in numbers])))
        phrase_bounds.append(phrase_bounds[-1] + len(phrases[-1]))
        word_bounds.append(len(words))
        lines.extend(set(line_hashes(definition.source)))
        line_bounds.append(len(lines))
        sizes.append(len(running))
    return ParsedFile(
        names=tuple(definition.name for definition in definitions),
        kinds=np.array([KINDS.index(definition.kind) for definition in definitions], dtype=np.int8),
        line=np.array([definition.line for definition in definitions], dtype=np.int32),
        start=np.array([definition.start for definition in definitions], dtype=np.int32),
        end=np.array([definition.end for definition in definitions], dtype=np.int32),
        size=np.array(sizes, dtype=np.int32),
        name_words=np.array([add(simple_name(definition.name)) for definition in definitions], dtype=np.int32),
        words=np.array(words, dtype=np.int32),
        counts=np.minimum(np.array(counts, dtype=np.int64), 255).astype(np.uint8),
        word_bounds=np.array(word_bounds, dtype=np.int32),
        lines=np.array(lines, dtype=np.uint32),
        line_bounds=np.array(line_bounds, dtype=np.int32),
        phrases=np.concatenate(phrases) if phrases else np.zeros(0, dtype=np.uint32),
        phrase_bounds=np.array(phrase_bounds, dtype=np.int32),
        imports=tuple(_imports(text)),
    )


def _imports(text: str) -> dict[str, None]:
    found: dict[str, None] = {}
    for match in _IMPORT.finditer(text):
        origin, listed, names, modules = match.groups()
        if modules is not None:
            for module in modules.split(","):
                found[module.split(" as ")[0].strip()] = None
        else:
            found[origin] = None
            for name in (names if listed is None else listed).split(","):
                word = name.split(" as ")[0].strip()
                if word.isidentifier():
                    found[f"{origin}{'' if origin.endswith('.') else '.'}{word}"] = None
    return found


class Corpus:
    """The definitions of one state of a repository, numbered through all files in the order of the paths."""

    def __init__(self, files: Mapping[str, ParsedFile], vocabulary: Vocabulary, like: Corpus | None = None) -> None:
        """``like``: another state of the repository. Where it has the same paths and few other files, what stands where
        is looked up there, and but its changed files are looked through."""
        self.paths: tuple[str, ...] = tuple(sorted(files))
        self.vocabulary = vocabulary
        parsed = [files[path] for path in self.paths]
        self._parsed = parsed
        lengths = np.array([len(file.names) for file in parsed], dtype=np.int64)
        self.first = np.concatenate(([0], np.cumsum(lengths)))  # first definition of each file, and the end
        self.file = np.repeat(np.arange(len(parsed), dtype=np.int32), lengths)
        self.names: list[str] = [name for file in parsed for name in file.names]
        self.kinds = _joined([file.kinds for file in parsed], np.int8)
        self.line = _joined([file.line for file in parsed], np.int32)
        self.start = _joined([file.start for file in parsed], np.int32)
        self.end = _joined([file.end for file in parsed], np.int32)
        self.size = _joined([file.size for file in parsed], np.int32)
        self.name_words = _joined([file.name_words for file in parsed], np.int32)
        self.words = _joined([file.words for file in parsed], np.int32)
        self.word_bounds = _bounds([file.word_bounds for file in parsed])
        self.lines = _joined([file.lines for file in parsed], np.uint32)
        self.line_bounds = _bounds([file.line_bounds for file in parsed])
        self.phrases = _joined([file.phrases for file in parsed], np.uint32)
        self.phrase_bounds = _bounds([file.phrase_bounds for file in parsed])
        self.number = {path: index for index, path in enumerate(self.paths)}
        base = like if like is None or like._base is None else like._base
        changed = None if base is None or base.vocabulary is not vocabulary else self.changed_from(base)
        if changed is None or len(changed) > _FEW_FILES:
            base, changed = None, []
        self._base: Corpus | None = base
        self._changed = changed
        self._standings: dict[_What, _Standing] = {}

    def changed_from(self, other: Corpus) -> list[int] | None:
        """The files that are not those of ``other``; None where the paths are others."""
        if self.paths != other.paths:
            return None
        return [file for file, (one, two) in enumerate(zip(self._parsed, other._parsed, strict=True)) if one is not two]

    def __len__(self) -> int:
        return len(self.names)

    def imports(self, file: int) -> tuple[str, ...]:
        """What a file imports: dotted modules and names, relative ones with their leading dots."""
        return self._parsed[file].imports

    @cached_property
    def counts(self) -> NDArray[np.uint8]:
        """How often each of ``words`` stands in its definition."""
        return _joined([file.counts for file in self._parsed], np.uint8)

    @cached_property
    def idf(self) -> Floats:
        """For every word of the vocabulary, log((N + 1) / (n + 0.5)) over the definitions, scaled to at most 1."""
        frequency = np.bincount(self.words, minlength=len(self.vocabulary))
        idf = np.log((len(self) + 1) / (frequency + 0.5)) / np.log((len(self) + 1) / 0.5)
        return np.asarray(np.maximum(idf, 0), dtype=np.float32)

    @cached_property
    def damped(self) -> Floats:
        """(1 + log count) × idf of each of ``words``."""
        return np.asarray((1 + np.log(self.counts.astype(np.float32))) * self.idf[self.words], dtype=np.float32)

    @cached_property
    def norm(self) -> Floats:
        """Length of each definition's vector of ``damped`` words."""
        return np.asarray(np.sqrt(self._sums(self.damped**2, self.word_bounds)) + 1e-6, dtype=np.float32)

    def _standing(self, what: _What) -> _Standing:
        """Where these stand, worked out the first time."""
        if what not in self._standings:
            numbers, bounds = {
                "words": (self.words, self.word_bounds),
                "lines": (self.lines, self.line_bounds),
                "phrases": (self.phrases, self.phrase_bounds),
            }[what]
            like = None if self._base is None else self._base._standing(what)
            self._standings[what] = _Standing(numbers, bounds[self.first], like, self._changed)
        return self._standings[what]

    def line_frequency(self, hashes: NDArray[np.uint32]) -> NDArray[np.int64]:
        """In how many definitions each of these lines stands."""
        return self._standing("lines").frequency(hashes)

    def phrase_frequency(self, hashes: NDArray[np.uint32]) -> NDArray[np.int64]:
        """In how many definitions each of these pairs of words stands."""
        return self._standing("phrases").frequency(hashes)

    def found(self, weights: Floats) -> Floats:
        """For each definition, the sum of the weights of the distinct words that stand in it.

        ``weights`` has one number for each word of the vocabulary. Returns (N,).
        """
        places, values = self._weighted(weights)
        return _sums_at(places, values, self.word_bounds)

    def _weighted(self, weights: Floats) -> tuple[NDArray[np.int64], Floats]:
        """The places in ``words`` of those words that have a weight, and that of each."""
        numbers = np.flatnonzero(weights)
        standing = self._standing("words")
        if 4 * standing.at_most(numbers) < len(self.words):
            return standing.places(numbers, weights[numbers])
        values = weights[self.words]
        places = np.flatnonzero(values)
        return places, values[places]

    def similarity(self, tokens: Mapping[str, float]) -> Floats:
        """Cosine of each definition's ``damped`` words with ``tokens`` (already damped and idf-weighted). (N,)."""
        length = float(np.linalg.norm(list(tokens.values()))) + 1e-6
        places, values = self._weighted(self.weights(tokens))
        dots = _sums_at(places, self.damped[places] * values, self.word_bounds)
        return np.asarray(dots / (self.norm * length), dtype=np.float32)

    def lines_found(self, hashes: NDArray[np.uint32], weights: Floats) -> Floats:
        """For each definition, the sum of the weights of these (distinct) lines that stand in it. (N,)."""
        return _sums_at(*self._standing("lines").places(hashes, weights), self.line_bounds)

    def phrases_found(self, hashes: NDArray[np.uint32], weights: Floats) -> Floats:
        """The same for pairs of words."""
        return _sums_at(*self._standing("phrases").places(hashes, weights), self.phrase_bounds)

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
        split, bounds = self.vocabulary.split()
        weights = self.weights(parts)
        return self._sums(weights[split], bounds)

    def _sums(self, values: Floats, bounds: Bounds) -> Floats:
        places = np.flatnonzero(values)
        if len(places) < len(values) // 4:
            return _sums_at(places, values[places], bounds)
        total = np.concatenate(([0.0], np.cumsum(values, dtype=np.float64)))
        return (total[bounds[1:]] - total[bounds[:-1]]).astype(np.float32)


class _Standing:
    """Numbers that stand in definitions, file by file: where a few of them stand is found without looking at all.

    ``starts``: where each file begins, and the end. ``like``: the same of another state, in which all files but the
    ``changed`` ones stand as they do here.
    """

    def __init__(
        self,
        numbers: NDArray[np.integer],
        starts: NDArray[np.int64],
        like: _Standing | None,
        changed: Sequence[int],
    ) -> None:
        self._numbers = numbers
        self._starts = starts
        self._like = like
        self._changed = np.array(changed, dtype=np.int64)
        if like is None:
            self._order = np.argsort(numbers).astype(np.int32)
            self._sorted = numbers[self._order]
        else:
            self._gone = like._starts[self._changed], like._starts[self._changed + 1]
            self._shifts = np.concatenate(([0], starts[self._changed + 1] - like._starts[self._changed + 1]))

    def at_most(self, numbers: NDArray[np.integer]) -> int:
        """How many places there are at the most; exact where no file is changed."""
        first, last = (self._like or self)._ranges(numbers)
        new = int((self._starts[self._changed + 1] - self._starts[self._changed]).sum())
        return int((last - first).sum()) + new

    def frequency(self, numbers: NDArray[np.integer]) -> NDArray[np.int64]:
        """How often each of these (distinct) numbers stands there."""
        if self._like is None:
            first, last = self._ranges(numbers)
            return last - first
        _, which = self.places(numbers, np.arange(len(numbers)))
        return np.bincount(which, minlength=len(numbers))

    def places(self, numbers: NDArray[np.integer], weights: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """The places where these (distinct) numbers stand, in their order, and the weight of the number at each."""
        if self._like is None:
            first, last = self._ranges(numbers)
            counts = last - first
            before = np.cumsum(counts) - counts
            places = self._order[np.repeat(first - before, counts) + np.arange(counts.sum())]
            order = np.argsort(places)
            return places[order].astype(np.int64), np.repeat(weights, counts)[order]
        places, values = self._like.places(numbers, weights)
        begin, end = self._gone
        passed = np.searchsorted(end, places, "right")  # changed files before each place
        begin = np.append(begin, np.iinfo(np.int64).max)
        kept = places < begin[passed]
        found, held = [places[kept] + self._shifts[passed[kept]]], [values[kept]]
        order = np.argsort(numbers)
        keys = numbers[order].astype(self._numbers.dtype, copy=False)
        for low, high in zip(
            self._starts[self._changed].tolist(), self._starts[self._changed + 1].tolist(), strict=True
        ):
            here = self._numbers[low:high]
            at = np.minimum(np.searchsorted(keys, here), len(keys) - 1) if len(keys) else np.zeros(len(here), np.int64)
            hit = np.flatnonzero(keys[at] == here) if len(keys) else np.zeros(0, np.int64)
            found.append(hit + low)
            held.append(weights[order[at[hit]]])
        places, values = np.concatenate(found), np.concatenate(held)
        order = np.argsort(places)
        return places[order], values[order]

    def _ranges(self, numbers: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        numbers = numbers.astype(self._sorted.dtype, copy=False)  # else it would be the large array that is converted
        return np.searchsorted(self._sorted, numbers, "left"), np.searchsorted(self._sorted, numbers, "right")


def _sums_at(places: NDArray[np.int64], values: Floats, bounds: Bounds) -> Floats:
    """Sums of values between bounds, which all are 0 but at these places (in their order)."""
    total = np.concatenate(([0.0], np.cumsum(values, dtype=np.float64)))
    at = np.searchsorted(places, bounds)
    return (total[at[1:]] - total[at[:-1]]).astype(np.float32)


def _joined(parts: Sequence[NDArray[np.generic]], dtype: type[np.generic]) -> NDArray:  # type: ignore[type-arg]
    return np.concatenate(parts).astype(dtype, copy=False) if parts else np.zeros(0, dtype=dtype)


def _bounds(parts: Iterable[Ints]) -> NDArray[np.int64]:
    """Bounds within each file → bounds within the whole."""
    bounds = [np.zeros(1, dtype=np.int64)]
    end = 0
    for part in parts:
        bounds.append(part[1:].astype(np.int64) + end)
        end += int(part[-1])
    return np.concatenate(bounds)

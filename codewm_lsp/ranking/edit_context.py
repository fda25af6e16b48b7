"""One edit in progress against one state of its repository: what several signals need, each worked out once."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.history import Edit
from codewm_lsp.ranking.co_change import NEVER, Together
from codewm_lsp.ranking.corpus import (
    Corpus,
    code_of,
    line_hashes,
    phrases_of,
    running_tokens,
    scope_above,
    simple_name,
    tokens_of,
)
from codewm_lsp.ranking.path_layout import conventions_of
from codewm_lsp.ranking.state import State
from codewm_lsp.source import MODULE_NAME, split_identifier
from codewm_lsp.source.languages import UseKind, language_of
from codewm_lsp.source.names import names_of

Floats = NDArray[np.float32]

TEST: Final = "test"  # the part of a name that says what its definition does, not what it is about


@lru_cache(maxsize=256)
def _log1p(count: float) -> float:
    return float(np.log1p(count))  # which takes long for a number alone


@lru_cache(maxsize=256)
def _damping(count: int) -> float:
    return 1 + float(np.log(count))


class Found(NamedTuple):
    """Of some words' weight, the share that stands in each definition, and log(1 + the amount)."""

    share: Floats
    amount: Floats


class EditContext:
    """Nothing is worked out before it is asked for, and nothing twice; no property depends on another's being asked."""

    def __init__(self, state: State, edit: Edit) -> None:
        self.state = state
        self.corpus = state.corpus
        self.edit = edit
        self.path = edit.path

    # Words

    @cached_property
    def before(self) -> Counter[str]:
        """Words of the definition as it was."""
        return tokens_of(self.edit.before)

    @cached_property
    def after(self) -> Counter[str]:
        """Words of the definition as it is."""
        return tokens_of(self.edit.after)

    @cached_property
    def reading(self) -> Counter[str]:
        """Words of the definition as it was, or as it is where it is new."""
        return tokens_of(self.edit.before or self.edit.after)

    @cached_property
    def gone(self) -> Counter[str]:
        """Words that no longer stand in the definition."""
        return Counter({token: n for token, n in self.before.items() if token not in self.after})

    @cached_property
    def fresh(self) -> Counter[str]:
        """Words that did not stand in it."""
        return Counter({token: n for token, n in self.after.items() if token not in self.before})

    @cached_property
    def removed(self) -> Counter[str]:
        """Words that stand there less often."""
        return self.before - self.after

    @cached_property
    def added(self) -> Counter[str]:
        """Words that stand there more often."""
        return self.after - self.before

    @cached_property
    def changed(self) -> Counter[str]:
        """Both."""
        return self.removed + self.added

    @cached_property
    def lines_out(self) -> str:
        """The lines that the edit took out."""
        return "\n".join(line for line in self.edit.before.split("\n") if line.strip() not in self._lines_after)

    @cached_property
    def lines_in(self) -> str:
        """The lines that it put in."""
        return "\n".join(line for line in self.edit.after.split("\n") if line.strip() not in self._lines_before)

    @cached_property
    def hunk_out(self) -> Counter[str]:
        """Words of the lines that the edit took out."""
        return tokens_of(self.lines_out)

    @cached_property
    def hunk_in(self) -> Counter[str]:
        """Words of the lines that it put in."""
        return tokens_of(self.lines_in)

    @cached_property
    def hunk(self) -> Counter[str]:
        """Words of all these lines."""
        return self.hunk_out + self.hunk_in

    @cached_property
    def hunk_parts(self) -> frozenset[str]:
        """The parts of these words."""
        return frozenset(part for token in self.hunk for part in split_identifier(token))

    @cached_property
    def gone_found(self) -> Found:
        """``gone``, where it stands."""
        return self._found(self.gone)

    @cached_property
    def fresh_found(self) -> Found:
        """``fresh``, where it stands."""
        return self._found(self.fresh)

    @cached_property
    def removed_found(self) -> Found:
        """``removed``, where it stands."""
        return self._found(self.removed)

    @cached_property
    def added_found(self) -> Found:
        """``added``, where it stands."""
        return self._found(self.added)

    @cached_property
    def hunk_found(self) -> Found:
        """``hunk_out``, where it stands."""
        return self._found(self.hunk_out)

    @cached_property
    def new_hunk_found(self) -> Found:
        """What ``hunk_in`` has that ``hunk_out`` has not, where it stands."""
        return self._found(self.hunk_in - self.hunk_out)

    def _found(self, tokens: Mapping[str, int]) -> Found:
        weighed = self.weighed(tokens, 2.0)
        total = sum(weighed.values())
        found = self.corpus.found(self.corpus.weights(weighed))
        return Found(found / (total + 1e-6), np.log1p(found))

    def weighed(self, tokens: Mapping[str, int], power: float = 1.0) -> dict[str, float]:
        """Tokens → log(1 + n) · idf ** power; a word that no definition holds weighs as the rarest."""
        return {token: _log1p(count) * self._idf(token) ** power for token, count in tokens.items()}

    def damped(self, tokens: Mapping[str, int]) -> dict[str, float]:
        """Tokens as ``Corpus.damped`` weighs those of definitions."""
        return {token: _damping(min(count, 255)) * self._idf(token) for token, count in tokens.items()}

    def _idf(self, token: str) -> float:
        """How rare a word is elsewhere: in the definitions that are not being edited."""
        if token not in self._rare:
            number = self.corpus.vocabulary.ids.get(token)
            idf = self.corpus.idf
            if number is None or number >= len(idf):
                return 1.0
            self._rare[token] = float(self.corpus.idf_without_one(number) if token in self._here else idf[number])
        return self._rare[token]

    @cached_property
    def _rare(self) -> dict[str, float]:
        return {}

    # The edited definition itself: the corpus holds it as it is now

    @cached_property
    def row(self) -> int:
        """Its row in the corpus; -1 where it is gone."""
        return self._row_in(self.corpus)

    def _row_in(self, corpus: Corpus) -> int:
        file = self._file_in(corpus)
        if file < 0:
            return -1
        low, high = int(corpus.first[file]), int(corpus.first[file + 1])
        names = corpus.names[low:high]
        return low + names.index(self.edit.definition) if self.edit.definition in names else -1

    def _file_in(self, corpus: Corpus) -> int:
        return corpus.number.get(self.edit.path, corpus.number.get(self.edit.previous_path or "", -1))

    @cached_property
    def _here(self) -> Mapping[str, int]:
        """Its words in the corpus, which are no sign of their standing elsewhere."""
        return self.after if self._counted else {}

    @cached_property
    def _counted(self) -> bool:
        """Whether the whole corpus, in which things are counted, holds it: a part may be without its file."""
        return self._row_in(self.corpus.whole) >= 0

    def lines_elsewhere(self, hashes: NDArray[np.uint32]) -> NDArray[np.int64]:
        """In how many other definitions each of these lines stands."""
        return np.asarray(np.maximum(self.corpus.line_frequency(hashes) - self._among(hashes, self.new_lines), 0))

    def phrases_elsewhere(self, hashes: NDArray[np.uint32]) -> NDArray[np.int64]:
        """In how many other definitions each of these phrases stands."""
        return np.asarray(np.maximum(self.corpus.phrase_frequency(hashes) - self._among(hashes, self.new_phrases), 0))

    def _among(self, hashes: NDArray[np.uint32], own: set[int]) -> NDArray[np.int64]:
        return np.array([self._counted and number in own for number in hashes.tolist()], dtype=np.int64)

    # Lines and phrases

    @cached_property
    def _lines_before(self) -> set[str]:
        return {line.strip() for line in self.edit.before.split("\n")}

    @cached_property
    def _lines_after(self) -> set[str]:
        return {line.strip() for line in self.edit.after.split("\n")}

    @cached_property
    def old_lines(self) -> set[int]:
        """The telling lines of the definition as it was."""
        return set(line_hashes(self.edit.before))

    @cached_property
    def new_lines(self) -> set[int]:
        """Those of the definition as it is."""
        return set(line_hashes(self.edit.after))

    @cached_property
    def old_phrases(self) -> set[int]:
        """Pairs of neighbouring words in the definition as it was."""
        return phrases(self.edit.before)

    @cached_property
    def new_phrases(self) -> set[int]:
        """Those of the definition as it is."""
        return phrases(self.edit.after)

    def _header(self, text: str) -> list[str]:
        """The lines of a definition down to the end of its signature."""
        lines = text.split("\n")
        return lines[: language_of(self.edit.path).signature_end(lines)]

    @cached_property
    def signature_changed(self) -> bool:
        """Whether the edit changed decorators or signature."""
        return any(line.strip() not in self._lines_after for line in self._header(self.edit.before)) or any(
            line.strip() not in self._lines_before for line in self._header(self.edit.after)
        )

    # Names

    @cached_property
    def name(self) -> str:
        """The edited definition's own name."""
        return simple_name(self.edit.definition)

    @cached_property
    def owner(self) -> str:
        """The qualified name that the edited definition stands in; "" at the margin."""
        return scope_above(self.edit.definition)

    @cached_property
    def mentions(self) -> Floats:
        """Where the edited definition's name stands, by how rare it is. (N,)"""
        weight = self.weighed({self.name: 1}, 1.0)[self.name] / float(np.log(2))
        return self.corpus.found(self.corpus.weights({self.name: weight}))

    @cached_property
    def name_rarity(self) -> Floats:
        """How rare each definition's name is: among all words, and among names. (N,)"""
        corpus = self.corpus
        share = 1 / np.sqrt(np.maximum(corpus.name_frequency, 1))
        return np.asarray(corpus.idf[corpus.name_words] * share[corpus.name_words].astype(np.float32))

    @cached_property
    def name_overlap(self) -> Floats:
        """The share of the parts of both names that is in both, that one of them is a test left out. (N,)"""
        parts = set(split_identifier(self.name)) - {TEST}
        words = self.corpus.name_words
        if self.name == MODULE_NAME or not parts:
            return np.zeros(len(words), dtype=np.float32)
        shared = self.corpus.spread(dict.fromkeys(parts, 1.0))
        counts = np.diff(self.corpus.vocabulary.split()[1]) - self.corpus.spread({TEST: 1.0})
        return np.asarray((shared / np.maximum(1, len(parts) + counts - shared))[words], dtype=np.float32)

    @cached_property
    def alike(self) -> NDArray[np.float64]:
        """How much of its text each definition shares with the edited one as it was: cosine of pairs of words. (N,)"""
        own = np.array(sorted(self.old_phrases or self.new_phrases), dtype=np.uint32)
        shared = self.corpus.phrases_found(own, np.ones(len(own), dtype=np.float32))
        held = np.diff(self.corpus.phrase_bounds).astype(np.float32)
        return np.asarray(shared / np.sqrt((len(own) + 1) * (held + 1)))

    @cached_property
    def is_test(self) -> bool:
        """Whether the edited definition stands among tests."""
        return conventions_of(self.path).is_test(self.path)

    @cached_property
    def other_side(self) -> NDArray[np.bool_]:
        """Which definitions are tests where the edited one is none, and the other way round. (N,)"""
        return np.asarray(self.corpus.layout.testing[self.corpus.file] != self.is_test)

    # The file of the edit

    @cached_property
    def file(self) -> int:
        """Number of the file; -1 where it is not in the corpus."""
        return self._file_in(self.corpus)

    @cached_property
    def own_file(self) -> OwnFile | None:
        """None where the file is not in the corpus, or was emptied."""
        if self.file < 0 or self.corpus.first[self.file] == self.corpus.first[self.file + 1]:
            return None
        return OwnFile(self)

    # The past

    @cached_property
    def _past_path(self) -> str:
        return self.state.renamed.get(self.edit.path, self.edit.path)

    @cached_property
    def past_definition(self) -> int:
        """The edited definition's number in the past; -1: it never changed."""
        return self.state.changes.definition(self._past_path, self.edit.definition)

    @cached_property
    def past_file(self) -> int:
        """The number of its file in the past."""
        return self.state.changes.file(self._past_path)

    @cached_property
    def past_name(self) -> int:
        """The number of its simple name in the past."""
        return self.state.changes.name(self.name)

    @cached_property
    def with_definitions(self) -> Together:
        """Co-change of the edited definition with every definition."""
        return self._together("definition", "definition", self.past_definition)

    @cached_property
    def file_with_definitions(self) -> Together:
        """Co-change of its file with every definition."""
        return self._together("definition", "file", self.past_file)

    @cached_property
    def name_with_names(self) -> Together:
        """Co-change of its simple name with every simple name."""
        return self._together("name", "name", self.past_name)

    @cached_property
    def file_with_files(self) -> Together:
        """Co-change of its file with every file."""
        return self._together("file", "file", self.past_file)

    @cached_property
    def definition_with_files(self) -> Together:
        """Co-change of the edited definition with every file."""
        return self._together("file", "definition", self.past_definition)

    def _together(self, table: str, asked_in: str, asked: int) -> Together:
        return self.state.changes.together(table, asked_in, asked, self.state.after)

    @cached_property
    def last_change(self) -> float:
        """Commits since the edited definition changed."""
        asked = self.past_definition
        return float(self.state.changes.recency("definition", self.state.after)[asked]) if asked >= 0 else NEVER

    @cached_property
    def last_change_of_file(self) -> float:
        """Commits since its file changed."""
        asked = self.past_file
        return float(self.state.changes.recency("file", self.state.after)[asked]) if asked >= 0 else NEVER


class OwnFile:
    """The file of the edit, which is in the corpus and holds definitions; (n,) has a number for each of them."""

    def __init__(self, edit: EditContext) -> None:
        self.edit: EditContext = weakref.proxy(edit)  # by which this is held: a cycle would keep the corpus for long
        corpus = edit.corpus
        self.low, self.high = int(corpus.first[edit.file]), int(corpus.first[edit.file + 1])
        self.rows = slice(self.low, self.high)
        self.names = corpus.names[self.rows]
        self.owners = [name.rpartition(".")[0] for name in self.names]

    @property
    def _edited(self) -> int | None:
        """Which of the definitions is the edited one."""
        return self.edit.row - self.low if self.edit.row >= 0 else None

    @cached_property
    def distance(self) -> NDArray[np.int32]:
        """Lines between the edit and each definition. (n,)"""
        lines = self.edit.corpus.line[self.rows]
        return np.asarray(np.abs(lines - (self.edit.edit.line if self._edited is None else int(lines[self._edited]))))

    @cached_property
    def steps(self) -> NDArray[np.float64]:
        """Definitions from the edited one down to each; negative: up. (n,)"""
        lines = self.edit.corpus.line[self.rows]
        order = np.argsort(np.argsort(lines, kind="stable"), kind="stable")
        if self._edited is not None:
            return np.asarray(order - float(order[self._edited]))
        return np.asarray(order - (float(np.searchsorted(np.sort(lines), self.edit.edit.line)) - 0.5))

    @cached_property
    def _new_words(self) -> list[str]:
        """Words of the edit that are no ordinary ones and stand nowhere else in the file."""
        known = self.edit.corpus.vocabulary.ids
        ordinary = language_of(self.edit.edit.path).conventions.ordinary
        fresh = [t for t in self.edit.fresh if t not in ordinary and t.isidentifier() and len(t) > 1]
        return [t for t in fresh if known.get(t, -1) not in self._count]

    @cached_property
    def unknown(self) -> list[str]:
        """Names that the edit reads and does not bind, and that nothing else in the file mentions."""
        names = names_of(self.edit.edit.after, frozenset(self._new_words))
        itself = self.edit.edit.definition.rpartition(".")[2]
        bound = names.bound | names.imports.keys() | {itself}
        return sorted({use.name for use in names.uses if use.kind is UseKind.NAME} - bound)

    @cached_property
    def new_attributes(self) -> list[str]:
        """Attributes of the object at hand that nothing else in the file mentions."""
        attribute = language_of(self.edit.edit.path).conventions.attribute
        return [t for t in self._new_words if f"{attribute}{t}" in self.edit.edit.after]

    @cached_property
    def unused(self) -> list[str]:
        """Names that the edit took out and that stand in one other definition of the file."""
        known = self.edit.corpus.vocabulary.ids
        ordinary = language_of(self.edit.edit.path).conventions.ordinary
        gone = [t for t in self.edit.gone if t not in ordinary and t.isidentifier()]
        return [t for t in gone if self._count.get(known.get(t, -1), 0) == 1]

    @cached_property
    def _words(self) -> NDArray[np.int32]:
        corpus = self.edit.corpus
        return corpus.words[corpus.word_bounds[self.low] : corpus.word_bounds[self.high]]

    @cached_property
    def _count(self) -> Counter[int]:
        """In how many other definitions of the file each word stands."""
        count = Counter(self._words.tolist())
        if self.edit.row >= 0:
            bounds = self.edit.corpus.word_bounds[self.edit.row : self.edit.row + 2]
            count -= Counter(self.edit.corpus.words[bounds[0] : bounds[1]].tolist())
        return count

    @cached_property
    def _distinct(self) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The distinct words of the file, and which of them each of ``_words`` is."""
        words, place = np.unique(self._words, return_inverse=True)
        return words, place

    @cached_property
    def _position(self) -> dict[int, int]:
        return {int(word): index for index, word in enumerate(self._distinct[0].tolist())}

    @cached_property
    def idf(self) -> NDArray[np.float64]:
        """How rare each of the distinct words is among the definitions of the file."""
        words, place = self._distinct
        count = self.high - self.low
        frequency = np.bincount(place, minlength=len(words))
        return np.asarray(np.log((count + 1) / (frequency + 0.5)) / np.log((count + 1) / 0.5))

    @cached_property
    def tokens(self) -> list[str]:
        """The distinct words themselves."""
        return [self.edit.corpus.vocabulary.token(int(word)) for word in self._distinct[0]]

    def sums(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """A weight for each distinct word → for each definition the sum over the words that stand in it. (n,)"""
        bounds = self.edit.corpus.word_bounds[self.low : self.high + 1]
        bounds = bounds - bounds[0]
        total = np.concatenate(([0.0], np.cumsum(weights[self._distinct[1]])))
        return np.asarray(total[bounds[1:]] - total[bounds[:-1]])

    def weights(self, wanted: Mapping[str, int]) -> NDArray[np.float64]:
        """The idf of the wanted ones among the distinct words, 0 for the others."""
        weights = np.zeros(len(self.idf))
        known = self.edit.corpus.vocabulary.ids
        for token in wanted:
            index = self._position.get(known.get(token, -1))
            if index is not None:
                weights[index] = self.idf[index]
        return weights

    def amount(self, wanted: Mapping[str, int]) -> NDArray[np.float64]:
        """log(1 + how much of the wanted words stands in each definition). (n,)"""
        return np.log1p(self.sums(self.weights(wanted) ** 2))


def phrases(text: str) -> set[int]:
    """Pairs of neighbouring words."""
    return set(phrases_of([code_of(token) for token in running_tokens(text)]).tolist())

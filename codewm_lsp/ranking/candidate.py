"""A definition that may be next, as explanations see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

import numpy as np

from codewm_lsp.display import clean
from codewm_lsp.ranking.corpus import line_hashes, scope_above, simple_name, tokens_of
from codewm_lsp.ranking.edit_context import EditContext, Floats
from codewm_lsp.ranking.path_layout import conventions_of
from codewm_lsp.records import dataclass
from codewm_lsp.source import MODULE_NAME, LeafRole, tokenize
from codewm_lsp.source.languages import PYTHON

THE_REST: Final = "this file's module level"  # what an edit changes that is in no definition
A_LINTER: Final = "(a linter would catch this)"
_NAMED: Final = 40  # characters of a name in an explanation
_COMMON: Final = 0.35  # rareness from which on a word tells something: in 7 of 100 definitions of 1,000, 3 of 10
_MANY: Final = 7  # definitions that have a line in common which says little
_TELLING: Final = 2  # words that a line must have to tell something
_SENTENCE: Final = """
    a about after all also an and any are as at be been before but by can could do does each else for from had
    has have how if in into is it its just like many may more most must no not of on once one only or other
    our out over same should so some such than that the their them then there these they this those to too under
    up use used was we were what when where which while who why will with would you your
"""
_FUNCTION_WORDS: Final = frozenset(_SENTENCE.split())


@dataclass(frozen=True, slots=True)
class Candidate:
    """A definition by its row in the corpus, after one edit in progress; signals of definitions and files by name.

    ``text``: its own, where that is at hand. A name in an import statement of it alone is none that it mentions.
    ``moved``: what the other edits in progress put in, where the edit removes a definition, or took out, where it adds
    one. What stands there too was moved or renamed with its definition, and did not change.
    """

    edit: EditContext
    definition_signals: Mapping[str, Floats]
    file_signals: Mapping[str, Floats]
    row: int
    text: str = ""
    moved: str = ""

    @property
    def file(self) -> int:
        """The number of its file."""
        return int(self.edit.corpus.file[self.row])

    def value(self, name: str) -> float:
        """A signal of the definition."""
        return float(self.definition_signals[name][self.row])

    def of_file(self, name: str) -> float:
        """A signal of its file."""
        return float(self.file_signals[name][self.file])

    @property
    def edited(self) -> str:
        """What the edit in progress changes."""
        return self._called(self.edit.edit.definition, self.edit.edit.path)

    @property
    def edited_file(self) -> str:
        """The name of its file."""
        return called(MODULE_NAME, self.edit.edit.path)

    @property
    def name(self) -> str:
        """What the candidate is called."""
        return self._called(self.edit.corpus.names[self.row], self.edit.corpus.paths[self.file])

    def _called(self, definition: str, path: str) -> str:
        corpus = self.edit.corpus
        number = corpus.vocabulary.ids.get(simple_name(definition), -1)
        several = int((corpus.name_words == number).sum()) > 1
        return called(definition, path, corpus.paths[self.file], several=several)

    def standing(self, wanted: Iterable[str]) -> list[str]:
        """Those of the words that stand in it besides its own name and say something, the rarest first, three at most.

        Numbers, the language's own words, those that hold any English sentence together, what stands in many
        definitions, and what was moved say nothing.
        """
        corpus = self.edit.corpus
        standing = self._words
        ids = corpus.vocabulary.ids
        standing.discard(int(corpus.name_words[self.row]))
        found = [word for word in self._distinct(wanted) if ids.get(word, -1) in standing and not self.has_moved(word)]
        found = [word for word in found if word.lower() not in _FUNCTION_WORDS and self.mentions(word)]
        found.sort(key=lambda word: (-float(corpus.idf[ids[word]]), word))
        return [clean(word, _NAMED) for word in found if corpus.idf[ids[word]] > _COMMON][:3]

    def has_a_line_of(self, lines: str) -> bool:
        """Whether one of these lines stands in it that says something, and was not moved."""
        moved = {line.strip() for line in self.moved.split("\n")}
        telling = [
            line
            for line in {line.strip() for line in lines.split("\n")} - moved
            if len(self._distinct(tokens_of(line))) >= _TELLING
        ]
        hashes = np.array(sorted(line_hashes("\n".join(telling))), dtype=np.uint32)
        hashes = hashes[self.edit.lines_elsewhere(hashes) <= _MANY]
        found = self.edit.corpus.lines_found(hashes, np.ones(len(hashes), dtype=np.float32))
        return bool(found[self.row] > 0)

    def _distinct(self, words: Iterable[str]) -> list[str]:
        """Those of the words that are no numbers and not the language's own."""
        ordinary = conventions_of(self.edit.path).ordinary
        return [word for word in words if len(word) > 1 and word not in ordinary and not word[0].isdigit()]

    def has_moved(self, word: str) -> bool:
        """Whether a word stands in what was moved."""
        return word in _words(self.moved)

    def holds(self, word: str) -> bool:
        """Whether a word stands in it."""
        return self.edit.corpus.vocabulary.ids.get(word, -1) in self._words

    def mentions(self, word: str) -> bool:
        """Whether it stands in more of it than an import statement."""
        if not self.text:
            return self.holds(word)
        return word in _words_beside_imports(self.text)

    def uses(self, name: str) -> bool:
        """Whether a name is used in its code, as far as the text is at hand, and is none that its own file defines."""
        corpus = self.edit.corpus
        rows = slice(int(corpus.first[self.file]), int(corpus.first[self.file + 1]))
        elsewhere = corpus.paths[self.file] not in (self.edit.edit.path, self.edit.edit.previous_path)
        if elsewhere and any(simple_name(own) == name for own in corpus.names[rows]):
            return False
        return name in _names_in_code(self.text) if self.text else self.holds(name)

    @property
    def _words(self) -> set[int]:
        corpus = self.edit.corpus
        low, high = corpus.word_bounds[self.row], corpus.word_bounds[self.row + 1]
        return set(corpus.words[low:high].tolist())


@lru_cache(maxsize=8)
def _words(text: str) -> frozenset[str]:
    return frozenset(tokens_of(text))


@lru_cache(maxsize=64)
def _words_beside_imports(text: str) -> frozenset[str]:
    return frozenset(tokens_of(PYTHON.conventions.without_imports(text)))


@lru_cache(maxsize=64)
def _names_in_code(text: str) -> frozenset[str]:
    leaves = tokenize(PYTHON.conventions.without_imports(text)).leaves
    return frozenset(leaf.text for leaf in leaves if leaf.role < LeafRole.STRING)


def called(definition: str, path: str, seen_from: str = "", *, several: bool = True) -> str:
    """A definition by its own name, the remainder of a module by that of its file, unless it is seen from there.

    A method is told with its class where ``several`` definitions may have its name, or it is one that Python gives.
    """
    if definition == MODULE_NAME and path == seen_from:
        return THE_REST
    if definition == MODULE_NAME:
        return clean(path.rpartition("/")[2], _NAMED)
    name, owner = simple_name(definition), simple_name(scope_above(definition))
    if owner and (several or name.startswith("__")):
        name = f"{owner}.{name}"
    return clean(name, _NAMED)


def times(count: float) -> str:
    """``"once"``, ``"twice"``, ``"3 times"``."""
    number = round(count)
    return {1: "once", 2: "twice"}.get(number, f"{number} times")

"""Search for past edits by words: a weighted sum of BM25 scores (Robertson and Zaragoza, 2009), one for each field, and
what was learnt of whole commits (``commit_ranking``).

The fields of an edit are the subject of its commit; the words that it changed, with those of its path and name; these
of all edits of its commit; and those of its path and name alone. A word is looked up in its usual forms, so that
"timeouts" finds "timeout", although the index holds changed words as hashes only.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.history import EditKind
from codewm_lsp.index.arrays import EditArrays, numbers_of
from codewm_lsp.index.commit_ranking import RELATIONS, CommitRanker, learnt_commits, letters
from codewm_lsp.index.edit_words import place_words, terms
from codewm_lsp.index.store import from_sql
from codewm_lsp.records import dataclass
from codewm_lsp.source import DefinitionKind, split_identifier, words_of_text
from codewm_lsp.source.languages import language_of

MAX_WORDS: Final = 64
"""Words of a question that are looked at."""
PER_COMMIT: Final = 2
"""Edits of one commit in an answer: the other ones say the same."""
SATURATION: Final = 1.2  # k1 of BM25

_MAX_TEXT: Final = 10_000
_SHORTEST: Final = 4  # letters of a word that has other forms
_ENDINGS: Final = ("ations", "ation", "ings", "ing", "ers", "er", "ies", "ied", "ed", "es", "s", "e", "y")
_OTHER_FORM: Final = 0.3  # of a word counts so much of one
_LEAST: Final = 1e-9  # of a score, by which what fits better differs
_KINDS: Final = f"""
SELECT commit_id - 1, sum(kind = '{EditKind.ADDED.value}'), sum(kind = '{EditKind.REMOVED.value}'),
    sum(definition_kind = '{DefinitionKind.MODULE.value}') FROM edits WHERE id <= ? GROUP BY commit_id
"""
_PLACES: Final = "SELECT id - 1, path, definition FROM places WHERE id <= ? ORDER BY id"


@dataclass(frozen=True, slots=True)
class FieldWeights:
    """What the fields of an edit weigh. All but the first are chosen on the validation repositories; the subject is
    what a person wrote about the edit, and leads."""

    subject: float = 2.0
    edit: float = 1.0
    commit: float = 0.6
    place: float = 0.3
    learnt: bool = True
    """Whether what was learnt of commits counts, too."""


@lru_cache(maxsize=4_096)
def word_forms(word: str) -> Mapping[str, float]:
    """A word in its other usual forms, with what each counts: "timeouts" → "timeout" and more."""
    forms = {word: 1.0}
    if len(word) < _SHORTEST or not word.isascii() or not word.isalpha():
        return forms
    stems = {word}
    for ending in _ENDINGS:
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= _SHORTEST - 1:
            stems.add(stem)
            if len(stem) > 3 and stem[-1] == stem[-2] and ending in ("ing", "ings", "ed", "er", "ers"):
                stems.add(stem[:-1])  # running
    for stem in stems:
        for ending in ("", "s", "es", "e", "ed", "ing", "er", "ers", "y", "ies", "ied", "ation", "ations"):
            forms.setdefault(stem + ending, _OTHER_FORM)
    return forms


@dataclass(frozen=True, slots=True)
class TextMatches:
    """Rows of edits, best first, with their scores."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What some words say: of the code of each edit, of the subject of each commit, and of each commit in detail."""

    code: NDArray[np.float64]
    subject: NDArray[np.float64]
    relations: NDArray[np.float64]


class _Letters:
    """Which of some words have a group of letters."""

    def __init__(self, words: Iterable[str]) -> None:
        self._having: dict[str, list[str]] = {}
        for word in words:
            for group in letters(word):
                self._having.setdefault(group, []).append(word)

    def of(self, words: Iterable[str]) -> list[list[str]]:
        """For each of the groups in these words, those that have it."""
        groups = dict.fromkeys(group for word in words for group in letters(word))
        return [self._having[group] for group in groups if group in self._having]


def _relative(sizes: NDArray[Any], share: float) -> NDArray[np.float64]:
    """The length of each document relative to the mean, as BM25 divides by it."""
    mean = float(sizes.mean()) if len(sizes) else 0.0
    return 1 - share + share * sizes / mean if mean else np.ones(len(sizes))


def _bm25(frequency: NDArray[np.float64], relative: NDArray[np.float64], documents: float) -> NDArray[np.float64]:
    """What one word adds to the score of each document."""
    found = float(np.count_nonzero(frequency))
    weight = np.log1p((max(documents, found) - found + 0.5) / (found + 0.5)) * (SATURATION + 1)
    result: NDArray[np.float64] = weight * frequency / (frequency + SATURATION * relative)
    return result


def _rarity(subject: NDArray[np.float64], commits: float) -> float:
    """How telling a word is in code: the rarer subjects hold it, the more; "fix" and "support" say little, however few
    edits contain them."""
    return float(np.sqrt(1 - np.log1p(np.count_nonzero(subject)) / np.log(commits + 2)))


def _size_of(arrays: EditArrays) -> tuple[str, int, int]:
    return arrays.generation, len(arrays), len(arrays.dates.values)


class TextIndex:
    """What a search by words needs besides the arrays of an index, which must not grow meanwhile."""

    def __init__(self, arrays: EditArrays, connection: sqlite3.Connection) -> None:
        self._arrays = arrays
        self._made_of = _size_of(arrays)
        self._commit_of = arrays.commit_of.values.astype(np.int64)
        self._place_of = arrays.place_of.values.astype(np.int64)
        self._commits, self._places = len(arrays.dates.values), arrays.place_count
        self._subjects: dict[str, list[int]] = {}
        sizes = np.zeros(self._commits)
        query = "SELECT id - 1, subject FROM commits WHERE edits > 0 AND id <= ? ORDER BY id"
        for row, subject in connection.execute(query, (self._commits,)):
            words = words_of_text(from_sql(subject)[:_MAX_TEXT])
            sizes[row] = len(words)
            for word in words:
                self._subjects.setdefault(word, []).append(row)
        own = np.concatenate([np.zeros(0), *(one.words.sizes() for one in arrays.segments)])
        place = np.concatenate([np.zeros(0), *(one.places.sizes() for one in arrays.segments)])[self._place_of]
        self._subject_length = _relative(sizes, 0.75)
        self._edit_length = _relative(own + place, 0.75)
        self._commit_length = _relative(np.bincount(self._commit_of, own + place, self._commits), 0.75)
        self._place_length = _relative(place, 0.5)
        self._places_length = _relative(np.bincount(self._commit_of, place, self._commits), 0.5)
        self._shape, self._letters = self._shapes(connection, own)

    def _shapes(
        self, connection: sqlite3.Connection, words: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], _Letters]:
        """The shape of each commit, (C, S), by how many ``words`` each edit changes; and the letters of the places."""
        edits = np.bincount(self._commit_of, minlength=self._commits).astype(np.float64)
        counts = np.zeros((self._commits, 3))
        for row, *numbers in connection.execute(_KINDS, (len(self._commit_of),)):
            counts[row] = numbers
        testing = np.zeros(self._places)
        paths: dict[str, bool] = {}
        names: set[str] = set()
        for place, path, definition in connection.execute(_PLACES, (self._places,)):
            path = from_sql(path)
            if path not in paths:
                paths[path] = language_of(path).conventions.is_test(path)
            testing[place] = paths[path]
            names.add(from_sql(definition))
        vocabulary = {word for path in paths for word in place_words(path, "")}
        vocabulary |= {word for name in names for word in split_identifier(name.partition("#")[0])}
        tests = np.bincount(self._commit_of, testing[self._place_of], self._commits)
        changed = np.bincount(self._commit_of, words, self._commits)
        added = np.concatenate([np.zeros(0), *(one.words.added() for one in self._arrays.segments)])
        shares = np.column_stack([counts[:, :2], tests, counts[:, 2]]) / np.maximum(edits, 1)[:, None]
        gain = np.bincount(self._commit_of, added, self._commits) / (1 + changed)
        shape = np.column_stack([np.log1p(edits), np.log1p(changed), shares, gain])
        return shape, _Letters(vocabulary)

    def is_of(self, arrays: EditArrays) -> bool:
        """Whether it was made of these arrays as they are now."""
        return self._made_of == _size_of(arrays)

    def scores(
        self,
        connection: sqlite3.Connection,
        text: str,
        commits: NDArray[np.bool_],
        *,
        weights: FieldWeights | None = None,
    ) -> NDArray[np.float64]:
        """The score of every edit, 0 where no word is found. ``commits``: those that count, by row."""
        weights = weights or FieldWeights()
        words = list(dict.fromkeys(words_of_text(text[:_MAX_TEXT])[:MAX_WORDS]))
        asked = self._asked(connection, words, commits, weights)
        code = asked.code
        ranker = learnt_commits().ranker if weights.learnt else None
        if ranker is not None:
            code = self._ranked(asked, ranker, ranker.scores(asked.relations, self._shape, words))
        return code + weights.subject * asked.subject[self._commit_of]

    def relations(
        self, connection: sqlite3.Connection, text: str, commits: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Those of a text and each commit, and the shapes of the commits: (C, R) and (C, S)."""
        words = list(dict.fromkeys(words_of_text(text[:_MAX_TEXT])[:MAX_WORDS]))
        return self._asked(connection, words, commits, FieldWeights()).relations, self._shape

    def _ranked(self, asked: _Asked, ranker: CommitRanker, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the code of each edit says: the sums of BM25 scores, dealt out anew in the order of the commits'
        ``scores``, and within a commit in their own. So the subject weighs as much beside them as before."""
        best = asked.relations[:, 0]
        unit = ranker.relations[0] + ranker.relations[len(RELATIONS)] / max(float(best.max(initial=0.0)), 1e-9)
        found = np.flatnonzero(asked.code > 0)
        own = self._commit_of[found]
        ranked = scores[own] / unit - best[own] + asked.code[found]
        _, place, sizes = np.unique(ranked, return_inverse=True, return_counts=True)
        highest = np.sort(asked.code[found])[np.cumsum(sizes) - 1] + _LEAST * np.arange(len(sizes))
        code = np.zeros(len(asked.code))
        code[found] = highest[place]
        return code

    def _asked(
        self,
        connection: sqlite3.Connection,
        words: Sequence[str],
        commits: NDArray[np.bool_],
        weights: FieldWeights,
    ) -> _Asked:
        code, subjects = np.zeros(len(self._commit_of)), np.zeros(self._commits)
        relations = np.zeros((self._commits, len(RELATIONS)))
        inside = commits[self._commit_of]
        chosen, present = float(np.count_nonzero(commits)), float(np.count_nonzero(inside))
        rarities = np.zeros(2)

        def of_commits(values: NDArray[Any]) -> NDArray[np.float64]:
            return np.bincount(self._commit_of, values, self._commits).astype(np.float64, copy=False)

        for forms in map(word_forms, words):
            change, place, subject = self._counts(connection, forms)
            here = place[self._place_of] * inside
            change *= inside
            both = np.abs(change) + here
            subject *= commits
            of_commit, of_place = of_commits(both), of_commits(here)
            in_commit = _bm25(of_commit, self._commit_length, chosen)
            found = weights.commit * in_commit[self._commit_of]
            found += weights.edit * _bm25(both, self._edit_length, present)
            found += weights.place * _bm25(here, self._place_length, present)
            code += _rarity(subject, chosen) * found
            subjects += _bm25(subject, self._subject_length, chosen)
            if weights.learnt:
                relations[:, 1] += in_commit
                relations[:, 2] += _bm25(of_commits(np.maximum(change, 0)), self._commit_length, chosen)
                relations[:, 3] += _bm25(of_commits(np.maximum(-change, 0)), self._commit_length, chosen)
                relations[:, 4] += _bm25(of_place, self._places_length, chosen)
                for number, held in enumerate((of_commit, of_place)):
                    rarity = np.log1p(chosen / (1 + np.count_nonzero(held)))
                    rarities[number] += rarity
                    relations[:, 6 + number] += rarity * (held > 0)
        if weights.learnt:
            relations[:, 6:] /= np.maximum(rarities, 1e-9)
            np.maximum.at(relations[:, 0], self._commit_of, code)
            for having in self._in_places(connection, self._letters.of(words)):
                relations[:, 5] += _bm25(of_commits(having[self._place_of] * inside), self._places_length, chosen)
        return _Asked(code, subjects, relations)

    def best(self, scores: NDArray[np.float64], allowed: NDArray[np.bool_] | None, k: int) -> TextMatches:
        """The ``k`` best edits (0: all), of equal ones the newest, and few of each commit."""
        rows = np.flatnonzero(scores > 0 if allowed is None else (scores > 0) & allowed)
        dates = self._arrays.dates.values[self._commit_of[rows]]
        rows = rows[np.lexsort((rows, -dates, -scores[rows]))]
        if k:
            seen: dict[int, int] = {}
            few = []
            for row, commit in zip(rows.tolist(), self._commit_of[rows].tolist(), strict=True):
                seen[commit] = seen.get(commit, 0) + 1
                if seen[commit] <= PER_COMMIT:
                    few.append(row)
                    if len(few) == k:
                        break
            rows = np.array(few, dtype=np.int64)
        return TextMatches(rows, scores[rows])

    def _in_places(
        self, connection: sqlite3.Connection, groups: Sequence[Sequence[str]]
    ) -> Iterator[NDArray[np.float64]]:
        """How many words of each of these groups every place has."""
        words = list(dict.fromkeys(word for group in groups for word in group))
        numbers = dict(zip(words, numbers_of(connection, terms(words)).tolist(), strict=True))
        for group in groups:
            found = np.zeros(self._places)
            for segment in self._arrays.segments:
                for word in group:
                    documents, _ = segment.places.changes(numbers[word])
                    found[segment.first_place + documents] += 1
            yield found

    def _counts(
        self, connection: sqlite3.Connection, forms: Mapping[str, float]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """How often a word was added to each edit (below 0: removed), and stands in each place and in each subject."""
        own, place, subject = np.zeros(len(self._commit_of)), np.zeros(self._places), np.zeros(self._commits)
        numbers = numbers_of(connection, terms(forms)).tolist()
        for (form, weight), number in zip(forms.items(), numbers, strict=True):
            np.add.at(subject, np.array(self._subjects.get(form, ()), dtype=np.int64), weight)
            if not number:
                continue
            for segment in self._arrays.segments:
                documents, counts = segment.words.changes(number)
                own[segment.first_row + documents] += weight * counts
                documents, counts = segment.places.changes(number)
                place[segment.first_place + documents] += weight * counts
        return own, place, subject

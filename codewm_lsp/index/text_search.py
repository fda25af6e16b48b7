"""Search for past edits by words: a weighted sum of BM25 scores (Robertson and Zaragoza, 2009), one for each field.

The fields of an edit are the subject of its commit; the words that it changed, with those of its path and name; these
of all edits of its commit; and those of its path and name alone. A word is looked up in its usual forms, so that
"timeouts" finds "timeout", although the index holds changed words as hashes only.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.index.arrays import EditArrays, numbers_of
from codewm_lsp.index.edit_words import terms
from codewm_lsp.index.store import from_sql
from codewm_lsp.records import dataclass
from codewm_lsp.source import words_of_text

MAX_WORDS: Final = 64
"""Words of a question that are looked at."""
PER_COMMIT: Final = 2
"""Edits of one commit in an answer: the other ones say the same."""
SATURATION: Final = 1.2  # k1 of BM25

_MAX_TEXT: Final = 10_000
_SHORTEST: Final = 4  # letters of a word that has other forms
_ENDINGS: Final = ("ations", "ation", "ings", "ing", "ers", "er", "ies", "ied", "ed", "es", "s", "e", "y")
_OTHER_FORM: Final = 0.3  # of a word counts so much of one


@dataclass(frozen=True, slots=True)
class FieldWeights:
    """What the fields of an edit weigh. All but the first are chosen on the validation repositories; the subject is
    what a person wrote about the edit, and leads."""

    subject: float = 2.0
    edit: float = 1.0
    commit: float = 0.6
    place: float = 0.3


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
        total = np.zeros(len(self._commit_of))
        inside = commits[self._commit_of]
        chosen, present = float(np.count_nonzero(commits)), float(np.count_nonzero(inside))
        for forms in map(word_forms, dict.fromkeys(words_of_text(text[:_MAX_TEXT])[:MAX_WORDS])):
            own, place, subject = self._counts(connection, forms)
            here = place[self._place_of] * inside
            both = own * inside + here
            subject *= commits
            of_commit = np.bincount(self._commit_of, both, self._commits).astype(np.float64, copy=False)
            found = weights.commit * _bm25(of_commit, self._commit_length, chosen)[self._commit_of]
            found += weights.edit * _bm25(both, self._edit_length, present)
            found += weights.place * _bm25(here, self._place_length, present)
            total += _rarity(subject, chosen) * found
            total += weights.subject * _bm25(subject, self._subject_length, chosen)[self._commit_of]
        return total

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

    def _counts(
        self, connection: sqlite3.Connection, forms: Mapping[str, float]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """How often a word stands in the changed words of each edit, in each place and in each subject."""
        own, place, subject = np.zeros(len(self._commit_of)), np.zeros(self._places), np.zeros(self._commits)
        numbers = numbers_of(connection, terms(forms)).tolist()
        for (form, weight), number in zip(forms.items(), numbers, strict=True):
            np.add.at(subject, np.array(self._subjects.get(form, ()), dtype=np.int64), weight)
            if not number:
                continue
            for segment in self._arrays.segments:
                documents, counts = segment.words.occurrences(number)
                own[segment.first_row + documents] += weight * counts
                documents, counts = segment.places.occurrences(number)
                place[segment.first_place + documents] += weight * counts
        return own, place, subject

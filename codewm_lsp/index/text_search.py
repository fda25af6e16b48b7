"""Search for past edits by words: BM25 over several fields at once (BM25F: Robertson, Zaragoza and Taylor, 2004).

The fields of an edit are the subject of its commit, the words of its path and name, the words it changed, the same of
the other edits of its commit, and the subjects of the other commits that changed the same definition or file: these
often say what an edit is about when its own subject does not. A word is looked up in its usual forms, so that
"timeouts" finds "timeout", although the index holds changed words as hashes only.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.index.arrays import EditArrays, numbers_of
from codewm_lsp.index.store import from_sql
from codewm_lsp.index.words import terms
from codewm_lsp.source import words_of_text

MAX_WORDS: Final = 64
"""Words of a question that are looked at."""
PER_COMMIT: Final = 2
"""Edits of one commit in an answer: the other ones say the same."""
SATURATION: Final = 1.2  # k1 of BM25

_MAX_TEXT: Final = 10_000
_SHORTEST: Final = 4  # letters of a word that has other forms
_ENDINGS: Final = ("ations", "ation", "ings", "ing", "ers", "er", "ies", "ied", "ed", "es", "s", "e", "y")
_OTHER_FORM: Final = 0.7  # of a word counts so much of one


@dataclass(frozen=True, slots=True)
class Weights:
    """What the fields of an edit weigh, chosen on the validation repositories; see docs/experiments.md."""

    subject: float = 4.0
    place: float = 2.0
    words: float = 1.0
    commit_words: float = 1.0
    commit_places: float = 1.0
    place_subjects: float = 0.5
    file_subjects: float = 0.25


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
class Matches:
    """Rows of edits, best first, with their scores."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Length:
    """The length of each document relative to the mean, as BM25 divides by it."""

    relative: NDArray[np.float64]

    @staticmethod
    def of(sizes: NDArray[Any], share: float) -> _Length:
        mean = float(sizes.mean()) if len(sizes) else 0.0
        return _Length(1 - share + share * sizes / mean if mean else np.ones(len(sizes)))


class TextIndex:
    """What a search by words needs besides the arrays of an index, which must not grow meanwhile."""

    def __init__(self, arrays: EditArrays, connection: sqlite3.Connection) -> None:
        self._arrays = arrays
        self.key = (arrays.generation, len(arrays), len(arrays.dates.values))
        self._commit_of = arrays.commit_of.values.astype(np.int64)
        self._place_of = arrays.place_of.values.astype(np.int64)
        self._commits, self._places = len(arrays.dates.values), arrays.place_count
        numbers: dict[str, int] = {}
        paths = [numbers.setdefault(path, len(numbers)) for path, _ in arrays.places(connection)[: self._places]]
        self._file_of = np.array(paths, dtype=np.int64)[self._place_of] if paths else np.zeros(0, dtype=np.int64)
        self._files = len(numbers)
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
        said = sizes[self._commit_of]
        self._subject_length = _Length.of(sizes, 0.5)
        self._word_length = _Length.of(own, 0.75)
        self._place_length = _Length.of(place, 0.5)
        self._commit_length = _Length.of(np.bincount(self._commit_of, own, self._commits), 0.75)
        self._commit_place_length = _Length.of(np.bincount(self._commit_of, place, self._commits), 0.75)
        self._definition_length = _Length.of(np.bincount(self._place_of, said, self._places), 0.75)
        self._file_length = _Length.of(np.bincount(self._file_of, said, self._files), 0.9)

    def scores(
        self,
        connection: sqlite3.Connection,
        text: str,
        commits: NDArray[np.bool_],
        *,
        weights: Weights | None = None,
        without_subject: int | None = None,
    ) -> NDArray[np.float64]:
        """The score of every edit, 0 where no word is found. ``commits``: those that count, by row.

        ``without_subject``: a commit whose subject is left out, to measure how well the rest finds it.
        """
        weights = weights or Weights()
        total = np.zeros(len(self._commit_of))
        present = float(np.count_nonzero(commits))
        for forms in map(word_forms, dict.fromkeys(words_of_text(text[:_MAX_TEXT])[:MAX_WORDS])):
            own, place, subject = self._counts(connection, forms)
            own *= commits[self._commit_of]
            subject *= commits
            if without_subject is not None:
                subject[without_subject] = 0
            said = subject[self._commit_of]
            here = place[self._place_of] * commits[self._commit_of]
            found = np.zeros(self._commits, dtype=np.bool_)
            found[self._commit_of[(own > 0) | (here > 0)]] = True
            documents = float(np.count_nonzero(found | (subject > 0)))
            if not documents:
                continue
            by_definition = np.bincount(self._place_of, said, self._places)[self._place_of] - said
            by_file = np.bincount(self._file_of, said, self._files)[self._file_of] - said
            frequency = (
                weights.subject * (subject / self._subject_length.relative)[self._commit_of]
                + weights.place * here / self._place_length.relative
                + weights.words * own / self._word_length.relative
                + weights.commit_words * self._of_commit(own, self._commit_length)
                + weights.commit_places * self._of_commit(here, self._commit_place_length)
                + weights.place_subjects * by_definition / self._definition_length.relative[self._place_of]
                + weights.file_subjects * by_file / self._file_length.relative[self._file_of]
            )
            total += np.log1p((present - documents + 0.5) / (documents + 0.5)) * frequency / (SATURATION + frequency)
        return total

    def best(self, scores: NDArray[np.float64], allowed: NDArray[np.bool_] | None, k: int) -> Matches:
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
        return Matches(rows, scores[rows])

    def _of_commit(self, values: NDArray[np.float64], length: _Length) -> NDArray[np.float64]:
        summed = np.bincount(self._commit_of, values, self._commits) / length.relative
        result: NDArray[np.float64] = summed[self._commit_of]
        return result

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

"""How like two edits are by the words they changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.history import Edit
from codewm_lsp.index.edit_words import words_of_edit


class Likeness:
    """How like two edits are by the words they changed: cosine of bags, idf over the gallery.

    ``measure``: words weigh what they weigh in this one, not what they would by these edits.
    """

    def __init__(self, edits: Sequence[Edit], measure: Likeness | None = None) -> None:
        bags = [words_of_edit(edit) for edit in edits]
        if measure is None:
            frequency = Counter(word for bag in bags for word in bag)
            self._idf = {word: float(np.log((len(bags) + 1) / (count + 0.5))) for word, count in frequency.items()}
            self._rarest = float(np.log((len(bags) + 1) / 0.5))
        else:
            self._idf, self._rarest = measure._idf, measure._rarest
        postings: dict[str, tuple[list[int], list[float]]] = {}
        for number, bag in enumerate(bags):
            for word, weight in self._weighed(bag).items():
                rows, weights = postings.setdefault(word, ([], []))
                rows.append(number)
                weights.append(weight)
        self._postings = {word: (np.array(rows), np.array(weights)) for word, (rows, weights) in postings.items()}
        self._count = len(bags)

    def _weighed(self, bag: Mapping[str, int]) -> dict[str, float]:
        weights = {
            word: float(np.sign(count) * np.log1p(abs(count))) * self._idf.get(word, self._rarest)
            for word, count in bag.items()
        }
        length = float(np.sqrt(sum(weight**2 for weight in weights.values()))) or 1.0
        return {word: weight / length for word, weight in weights.items()}

    def to(self, edit: Edit) -> NDArray[np.float64]:
        """Of every edit of the gallery with this one, (N, 2): signed, and without signs."""
        scores = np.zeros((self._count, 2))
        for word, weight in self._weighed(words_of_edit(edit)).items():
            if word in self._postings:
                rows, weights = self._postings[word]
                scores[rows, 0] += weight * weights
                scores[rows, 1] += np.abs(weight * weights)
        return scores

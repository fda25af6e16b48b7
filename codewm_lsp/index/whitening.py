"""The cosine of edit vectors, in the measure of a repository's own edits.

Some directions are taken by most edits of a repository (its common words, its habits), and two edits that agree there
have little in common. A query is therefore multiplied by the inverse covariance of the repository's own edit vectors,
shrunk towards a multiple of the identity the more, the fewer there are (as in Ledoit & Wolf, 2004, by a fixed rule).
The stored vectors stay as they are: only the query is changed, and scaled so that an edit is 1 like itself. Sizes and
shrinkage were chosen on the validation repositories (docs/experiments.md). The directions that count for less are those
that search tells edits apart by (docs/scale.md): among very many edits the plain cosine holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.index.sketch import LARGE

FEWEST: Final = 100  # edits below which their covariance says nothing: the plain cosine holds
MOST: Final = LARGE  # edits above which search would have to look at too many of them, its bounds being looser
SAMPLE: Final = 2_000  # edits that the covariance is taken of
SHRINKAGE: Final = 3_000  # over the number of edits: how much of the mean variance is added to each direction
STEP: Final = 1.5  # an index that has grown by so much is measured again


@dataclass(frozen=True, slots=True)
class Whitening:
    """``inverse``: (D, D), the inverse of the shrunk covariance of some edit vectors."""

    inverse: NDArray[np.float32]

    @classmethod
    def of(cls, vectors: NDArray[np.float32]) -> Whitening:
        """From (n, D) edit vectors."""
        count, width = vectors.shape
        apart = vectors.astype(np.float32) - vectors.mean(0, dtype=np.float64).astype(np.float32)
        covariance = (apart.T @ apart / count).astype(np.float64)
        shift = max(SHRINKAGE / count * float(np.trace(covariance)) / width, 1e-6)
        return cls(np.linalg.inv(covariance + shift * np.eye(width)).astype(np.float32))

    def query(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """The vector whose product with a stored one says how much these are alike, (D,)."""
        found = self.inverse @ vector
        like_itself = float(vector @ found)
        return np.asarray(found / like_itself, dtype=np.float32) if like_itself > 0 else vector


def is_measured(edits: int) -> bool:
    """Whether an index of so many edits has a measure of its own."""
    return FEWEST <= edits <= MOST


def sample(edits: int) -> NDArray[np.int64]:
    """Which of so many edits are measured: the same ones in every process, and seldom others as an index grows.

    As many of the first as a ladder of sizes allows, or of these as many as are enough, evenly spread; none of too few,
    nor of too many.
    """
    if not is_measured(edits):
        return np.zeros(0, dtype=np.int64)
    size = FEWEST
    while (larger := int(size * STEP)) <= edits:
        size = larger
    return np.linspace(0, size - 1, min(size, SAMPLE)).astype(np.int64)

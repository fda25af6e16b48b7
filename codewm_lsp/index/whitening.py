"""The cosine of edit vectors, in the measure of a repository's own edits.

Some directions are taken by most edits of a repository (its common words, its habits), and two edits that agree there
have little in common. A query is therefore multiplied by the inverse covariance of the repository's own edit vectors,
shrunk towards a multiple of the identity the more, the fewer there are (as in Ledoit & Wolf, 2004, by a fixed rule).
The stored vectors stay as they are: only the query is changed, and scaled so that an edit is 1 like itself. Sizes and
shrinkage were chosen on the validation repositories (docs/experiments.md). The directions that count for less are those
that search tells edits apart by (docs/scale.md): among very many edits the plain cosine holds.
"""

from __future__ import annotations

import hashlib
import math
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

import codewm_lsp
from codewm_lsp.index.sketch import LARGE
from codewm_lsp.index.store import is_plain, write_anew
from codewm_lsp.records import dataclass

FEWEST: Final = 100  # edits below which their covariance says nothing: the plain cosine holds
MOST: Final = LARGE  # edits above which search would have to look at too many of them, its bounds being looser
SAMPLE: Final = 2_000  # edits that the covariance is taken of
SHRINKAGE: Final = 3_000  # over the number of edits: how much of the mean variance is added to each direction
STEP: Final = 1.5  # an index that has grown by so much is measured again
_NAME: Final = 16  # bytes
_LARGEST: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Whitening:
    """``inverse``: (D, D), the inverse of the shrunk covariance of some edit vectors. ``mean``: (D,), of these."""

    inverse: NDArray[np.float32]
    mean: NDArray[np.float32]

    @classmethod
    def of(cls, vectors: NDArray[np.float32]) -> Whitening:
        """From (n, D) edit vectors."""
        count, width = vectors.shape
        mean = vectors.mean(0, dtype=np.float64).astype(np.float32)
        apart = vectors.astype(np.float32) - mean
        covariance = (apart.T @ apart / count).astype(np.float64)
        shift = max(SHRINKAGE / count * float(np.trace(covariance)) / width, 1e-6)
        return cls(np.linalg.inv(covariance + shift * np.eye(width)).astype(np.float32), mean)

    @classmethod
    def kept(cls, file: Path | None, key: bytes, vectors: Callable[[], NDArray[np.float32]]) -> Whitening:
        """The same, from ``file`` where the last process kept it there under this ``key``; otherwise it is kept now.

        ``key`` says which vectors these are. None: nothing is kept.
        """
        if file is None:
            return cls.of(vectors())
        name = hashlib.blake2b(key + repr((codewm_lsp.__version__, SHRINKAGE)).encode(), digest_size=_NAME).digest()
        found = _read(file, name)
        if found is None:
            made = cls.of(vectors())
            found = np.vstack([made.inverse, made.mean])
            data = found.astype("<f4").tobytes()
            write_anew(file, name + zlib.crc32(data).to_bytes(4, "little") + data)
        return cls(found[:-1], found[-1])

    def query(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """The vector whose product with a stored one says how much these are alike, (D,)."""
        found = self.inverse @ vector
        like_itself = float(vector @ found)
        return np.asarray(found / like_itself, dtype=np.float32) if like_itself > 0 else vector


def _read(file: Path, name: bytes) -> NDArray[np.float32] | None:
    try:
        if not is_plain(file) or file.stat().st_size > _LARGEST:
            return None
        data = file.read_bytes()
    except OSError:
        return None
    numbers = data[_NAME + 4 :]
    width = math.isqrt(len(numbers) // 4)  # of D rows and one more, rounded down
    checked = zlib.crc32(numbers).to_bytes(4, "little") == data[_NAME : _NAME + 4]
    if data[:_NAME] != name or not checked or len(numbers) != 4 * width * (width + 1):
        return None
    return np.frombuffer(numbers, "<f4").reshape(width + 1, width).astype(np.float32, copy=False)


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

"""Unit vectors in one byte a number, and their exact products with queries."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_CHUNK: Final = 4096  # rows allocated at a time: growing never copies what is there
_BLOCK: Final = 512  # rows widened to float at a time: they stay in the cache (measured best of 128 … 4096)


def quantise(vectors: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """(N, D) floats → (N, D) bytes and (N,) scales, ``bytes × scale ≈ floats`` to half a scale."""
    scales = (np.abs(vectors).max(axis=1, initial=0.0) / 127.0).astype(np.float32)
    divisor = np.where(scales > 0, scales, 1.0)[:, None]
    return np.rint(vectors / divisor).astype(np.int8), scales


class Vectors:
    """A growing (N, D) matrix of quantised rows."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._rows: list[NDArray[np.int8]] = []
        self._scales: list[NDArray[np.float32]] = []
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def append(self, rows: NDArray[np.int8], scales: NDArray[np.float32]) -> None:
        """Add (n, D) quantised rows at the end."""
        done = 0
        while done < len(rows):
            used = self._length % _CHUNK
            if not used:
                self._rows.append(np.empty((_CHUNK, self.size), dtype=np.int8))
                self._scales.append(np.empty(_CHUNK, dtype=np.float32))
            count = min(_CHUNK - used, len(rows) - done)
            self._rows[-1][used : used + count] = rows[done : done + count]
            self._scales[-1][used : used + count] = scales[done : done + count]
            self._length += count
            done += count

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The given rows as floats, (len(rows), D)."""
        result = np.empty((len(rows), self.size), dtype=np.float32)
        for index, row in enumerate(rows):
            chunk, offset = divmod(int(row), _CHUNK)
            result[index] = self._rows[chunk][offset] * self._scales[chunk][offset]
        return result

    def products(self, queries: NDArray[np.float32]) -> NDArray[np.float32]:
        """Dot products of (Q, D) queries with every row, (Q, N): the cosines, where both sides are of length 1."""
        result = np.empty((len(queries), self._length), dtype=np.float32)
        transposed = np.ascontiguousarray(queries.T, dtype=np.float32)  # (D, Q)
        block = np.empty((_BLOCK, self.size), dtype=np.float32)
        for begin in range(0, self._length, _BLOCK):
            end = min(begin + _BLOCK, self._length)
            chunk, offset = divmod(begin, _CHUNK)
            piece = block[: end - begin]
            np.copyto(piece, self._rows[chunk][offset : offset + end - begin])
            np.multiply(
                (piece @ transposed).T, self._scales[chunk][offset : offset + end - begin], out=result[:, begin:end]
            )
        return result

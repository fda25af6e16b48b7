"""A sketch of vectors, by which most edits of a large index are ruled out without a look at their vectors.

It holds the coordinates along the ``WIDTH`` directions in which these vectors differ most, in one byte each, and the
lengths of what the first of these directions leave. By Cauchy and Schwarz a product with a query is at most the product
of the sketches plus the product of what both leave: nearly all edits are ruled out by a pass over a part of the sketch,
and none wrongly. Below ``LARGE`` edits a plain pass over all vectors is not twice as slow, and there is no sketch
(docs/scale.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.distinct import distinct
from codewm_lsp.index.kernel import LEVELS, OFFSET, products
from codewm_lsp.index.matrix import Matrix
from codewm_lsp.records import dataclass

LARGE: Final = 100_000
"""Edits of an index above which its segments have sketches."""
HUGE: Final = 500_000
"""Edits of an index above which sketches stay mapped until there is a pause: mapping them anew may take as long as the
rest of a search."""
WIDTH: Final = 320
STAGES: Final = (128, 256, 320)
"""Directions looked at: first for every edit, then where many are left. A file does not say them, so there may be more
later, but no others."""
BLOCK: Final = 65_536  # edits of a segment whose sketches lie together
SAMPLE: Final = 16_384  # vectors that the directions are fitted to
_SLACK: Final = 2e-4  # for the rounding of the floats on the way
_SQUARED_SLACK: Final = 4e-6


@dataclass(frozen=True, slots=True)
class Sketch:
    """``columns``: for each block (WIDTH, edits of it); the others for each stage."""

    basis: NDArray[np.float32]  # (WIDTH, D), orthonormal rows
    scales: NDArray[np.float32]  # (WIDTH,)
    columns: NDArray[np.int8]  # all blocks one after the other
    offsets: NDArray[np.int32]  # (stages, edits): OFFSET × sum of the columns
    rest: NDArray[np.float32]  # (stages, edits): length of what the directions so far leave
    errors: NDArray[np.float32]  # (stages, 2): the largest length of a rounding, and of a sketch

    ARRAYS = (
        ("basis", "<f4"),
        ("scales", "<f4"),
        ("columns", "|i1"),
        ("offsets", "<i4"),
        ("rest", "<f4"),
        ("errors", "<f4"),
    )

    @staticmethod
    def of(matrix: Matrix, rows: range) -> Sketch:
        """The sketch of these rows of the matrix."""
        width = min(WIDTH, matrix.size)
        stages = stages_of(width)
        sample = distinct(np.linspace(rows.start, rows.stop - 1, min(SAMPLE, len(rows))).astype(np.int64))
        gram = np.zeros((matrix.size, matrix.size), dtype=np.float64)
        for begin in range(0, len(sample), 2048):
            some = matrix.floats(sample[begin : begin + 2048])
            gram += some.T @ some
        _, directions = np.linalg.eigh(gram)
        basis = np.ascontiguousarray(directions[:, ::-1][:, :width].T, dtype=np.float32)
        largest = np.zeros(width, dtype=np.float32)
        for _, vectors in _pieces(matrix, rows):
            np.maximum(largest, np.abs(vectors @ basis.T).max(axis=0), out=largest)
        scales = np.maximum(largest / 127, 1e-9).astype(np.float32)
        columns = np.empty(width * len(rows), dtype=np.int8)
        offsets = np.empty((len(stages), len(rows)), dtype=np.int32)
        rest = np.empty((len(stages), len(rows)), dtype=np.float32)
        errors = np.zeros((len(stages), 2), dtype=np.float32)
        for piece, vectors in _pieces(matrix, rows):
            exact = vectors @ basis.T
            rounded = np.clip(np.rint(exact / scales), -127, 127).astype(np.int8)
            block = piece.start // BLOCK * BLOCK
            inside = slice(piece.start - block, piece.stop - block)
            own = min(BLOCK, len(rows) - block)
            columns[block * width : (block + own) * width].reshape(width, own)[:, inside] = rounded.T
            known = rounded * scales
            squares = np.square(vectors).sum(axis=1)
            for stage, end in enumerate(stages):
                left = squares - np.square(exact[:, :end]).sum(axis=1)
                rest[stage, piece] = np.sqrt(np.maximum(left, 0) + _SQUARED_SLACK)
                offsets[stage, piece] = rounded[:, :end].sum(axis=1, dtype=np.int32) * OFFSET
                slips = np.linalg.norm(exact[:, :end] - known[:, :end], axis=1).max()
                errors[stage] = np.maximum(errors[stage], (slips, np.linalg.norm(known[:, :end], axis=1).max()))
        return Sketch(basis, scales, columns, offsets, rest, errors)

    def __len__(self) -> int:
        return int(self.rest.shape[1])

    def is_of(self, edits: int) -> bool:
        """Whether its arrays are those of so many edits, in stages that are known."""
        width = len(self.scales)
        stages = len(stages_of(width))
        return (
            self.rest.shape == self.offsets.shape == (stages, edits)
            and self.errors.shape == (stages, 2)
            and self.basis.shape[0] == width
            and len(self.columns) == edits * width
        )

    def blocks(self) -> Iterator[slice]:
        """The edits of each block."""
        for begin in range(0, len(self), BLOCK):
            yield slice(begin, min(begin + BLOCK, len(self)))

    def block(self, edits: slice, directions: slice) -> NDArray[np.int8]:
        """Some columns of a block."""
        size = edits.stop - edits.start
        start = edits.start * len(self.scales)
        return self.columns[start + directions.start * size : start + directions.stop * size].reshape(-1, size)


def stages_of(width: int) -> tuple[int, ...]:
    """How many directions have been looked at after each stage."""
    return tuple(dict.fromkeys(min(stage, width) for stage in STAGES))


def _pieces(matrix: Matrix, rows: range) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    for window in matrix.windows(rows):
        for begin in range(window.start, window.stop, 4096):  # a divisor of a window's size, and that of BLOCK
            end = min(begin + 4096, window.stop)
            yield slice(begin - rows.start, end - rows.start), matrix.floats(slice(begin, end))


class Probe:
    """The queries' side of the bounds, for one sketch."""

    def __init__(self, sketch: Sketch, queries: NDArray[np.float32], weight: float) -> None:
        """``queries``: (Q, D). One takes its stages one by one; several are as quickly multiplied by all directions.
        ``weight``: what all products and bounds are multiplied by."""
        self.sketch = sketch
        # Reused from block to block: pages that are given out anew take as long as the products themselves.
        self._raw = np.empty(len(queries) * min(BLOCK, len(sketch)), dtype=np.int32)
        self._floats = np.empty(min(BLOCK, len(sketch)), dtype=np.float32)
        coordinates = queries @ sketch.basis.T
        ends = stages_of(len(sketch.scales))
        self._stages = range(len(ends)) if len(queries) == 1 else range(len(ends) - 1, len(ends))
        self._directions: list[slice] = []
        self._levels: list[NDArray[np.uint8]] = []
        self._steps: list[NDArray[np.float32]] = []
        self._rest: list[NDArray[np.float32]] = []
        self._errors: list[NDArray[np.float32]] = []
        begin, slipped = 0, np.zeros(len(queries))
        for stage in self._stages:
            end = ends[stage]
            own = slice(begin, end)
            weights = coordinates[:, own] * sketch.scales[own]
            steps = np.maximum(np.abs(weights).max(axis=1), 1e-12) / LEVELS
            levels = np.rint(weights / steps[:, None])
            slipped = slipped + np.square((weights - levels * steps[:, None]) / sketch.scales[own]).sum(axis=1)
            slip, length = sketch.errors[stage].tolist()
            known = np.linalg.norm(coordinates[:, :end], axis=1)
            # Of the residue itself, not by Pythagoras: the rows of the basis are orthonormal to rounding only.
            rest = np.linalg.norm(queries - coordinates[:, :end] @ sketch.basis[:end], axis=1)
            error = known * slip + np.sqrt(slipped) * length + _SLACK
            self._directions.append(own)
            self._levels.append(np.ascontiguousarray(levels + OFFSET, dtype=np.uint8))
            self._steps.append((weight * steps).astype(np.float32))
            self._rest.append((weight * rest).astype(np.float32))
            self._errors.append((weight * error).astype(np.float32))
            begin = end

    def __len__(self) -> int:
        return len(self._stages)

    def add(self, edits: slice, step: int, found: NDArray[np.float32]) -> None:
        """Add what a step's directions say of the products of all queries with a block to ``found``, (Q, edits)."""
        columns = self.sketch.block(edits, self._directions[step])
        raw = self._raw[: len(found) * columns.shape[1]].reshape(len(found), -1)
        products(self._levels[step], columns, raw)
        offsets = self.sketch.offsets[self._stages[step], edits]
        if step:
            offsets = offsets - self.sketch.offsets[self._stages[step - 1], edits]
        for number, one in enumerate(raw):
            one -= offsets
            added = self._floats[: len(one)]
            np.copyto(added, one, casting="unsafe")
            added *= self._steps[step][number]
            found[number] += added

    def rest(self, edits: slice, step: int, query: int) -> NDArray[np.float32]:
        """What must be added after a step to make it an upper bound, (edits of the block,), until the next call."""
        lengths = self._floats[: edits.stop - edits.start]
        np.multiply(self.sketch.rest[self._stages[step], edits], self._rest[step][query], out=lengths)
        lengths += self._errors[step][query]
        return lengths

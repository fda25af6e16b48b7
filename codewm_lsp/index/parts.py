"""Runs of an index's edits, as arrays made for searching: the newest in memory, the others each in a mapped file.

A part can be made again at any time from the SQLite file and the matrix, so its file may go missing. It holds

- its commits, the place of each edit, and the words of its edits and places;
- a sketch of the vectors: their coordinates along the ``WIDTH`` directions in which this part's vectors differ most, in
  one byte each, and the lengths of what the first of these directions leave. By Cauchy and Schwarz a product with a
  query is at most the product of the sketches plus the product of what both leave: nearly all edits are ruled out by a
  pass over a part of the sketch, and none wrongly.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.index.kernel import LEVELS, OFFSET, products
from codewm_lsp.index.lexicon import Lexicon
from codewm_lsp.index.matrix import Matrix

WIDTH: Final = 256
STAGES: Final = (128, 256)  # directions looked at: first for every edit, then where many are left
BLOCK: Final = 65_536  # edits of a part whose sketches lie together
SAMPLE: Final = 16_384  # vectors that the directions are fitted to
MAGIC: Final = b"CodeWM part 2\n"
_SLACK: Final = 2e-4  # for the rounding of the floats on the way
_SQUARED_SLACK: Final = 4e-6
_ALIGN: Final = 64
_LIMIT: Final = 1 << 20  # bytes of the description in a file


class Unusable(Exception):
    """The file of a part cannot be used. Never leaves the room: the part is made again."""


@dataclass(frozen=True, slots=True)
class Sketch:
    """See above. ``columns``: for each block (WIDTH, edits of it); the others for each stage."""

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
        sample = np.unique(np.linspace(rows.start, rows.stop - 1, min(SAMPLE, len(rows))).astype(np.int64))
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
    for begin in range(0, len(rows), 4096):  # a divisor of BLOCK
        end = min(begin + 4096, len(rows))
        yield slice(begin, end), matrix.floats(slice(rows.start + begin, rows.start + end))


class Probe:
    """A query's side of the bounds, for one part."""

    def __init__(self, sketch: Sketch, queries: NDArray[np.float32]) -> None:
        """``queries``: (Q, D). One takes its stages one by one; several are as quickly multiplied by all directions."""
        self.sketch = sketch
        coordinates = queries @ sketch.basis.T
        ends = stages_of(len(sketch.scales))
        self._stages = range(len(ends)) if len(queries) == 1 else range(len(ends) - 1, len(ends))
        self._directions: list[slice] = []
        self._levels: list[NDArray[np.uint8]] = []
        self._steps: list[NDArray[np.float32]] = []
        self._rest: list[NDArray[np.float32]] = []
        self._errors: list[NDArray[np.float32]] = []
        begin, slipped, error = 0, np.zeros(len(queries)), np.zeros(len(queries))
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
            before, error = error, known * slip + np.sqrt(slipped) * length + _SLACK
            self._directions.append(own)
            self._levels.append(np.ascontiguousarray(levels + OFFSET, dtype=np.uint8))
            self._steps.append(steps.astype(np.float32))
            self._rest.append(rest.astype(np.float32))
            self._errors.append((error - before).astype(np.float32))
            begin = end

    def __len__(self) -> int:
        return len(self._stages)

    def added(self, edits: slice, step: int) -> NDArray[np.float32]:
        """What a step's directions add to the products of all queries with a block, (Q, edits of it).

        The sum over the first steps is an error more than their directions can say.
        """
        raw = products(self._levels[step], self.sketch.block(edits, self._directions[step]))
        raw -= self.sketch.offsets[self._stages[step], edits]
        if step:
            raw += self.sketch.offsets[self._stages[step - 1], edits]
        found = raw.astype(np.float32)
        found *= self._steps[step][:, None]
        found += self._errors[step][:, None]
        return found

    def rest(self, edits: slice, step: int, query: int) -> NDArray[np.float32]:
        """What must be added after a step to make it an upper bound, (edits of the block,)."""
        lengths: NDArray[np.float32] = self.sketch.rest[self._stages[step], edits] * self._rest[step][query]
        return lengths


class Part:
    """Edits ``rows`` of the index, those of its commits from number ``first_commit`` on; see the top of the file."""

    ARRAYS: Final = (
        ("shas", "|u1"),
        ("dates", "<i8"),
        ("sizes", "<i4"),
        ("place_of", "<i4"),
        ("norms", "<f4"),
        ("idf", "<f4"),
    )

    def __init__(
        self,
        *,
        first_row: int,
        first_commit: int,
        first_place: int,
        arrays: Mapping[str, NDArray[Any]],
        words: Lexicon,
        places: Lexicon,
        sketch: Sketch | None,
        path: Path | None = None,
    ) -> None:
        self.first_row = first_row
        self.first_commit = first_commit
        self.first_place = first_place
        self.arrays = dict(arrays)
        self.dates: NDArray[np.int64] = arrays["dates"]
        self.sizes: NDArray[np.int32] = arrays["sizes"]
        self.place_of: NDArray[np.int32] = arrays["place_of"]
        self.norms: NDArray[np.float32] = arrays["norms"]
        """1 / length of the words of each edit under ``weights``, by the vocabulary; empty where there are none yet."""
        self.weights: NDArray[np.float32] = arrays.get("idf", np.zeros(0, dtype=np.float32))
        self.words = words
        self.places = places
        self.sketch = sketch
        self.path = path

    def __len__(self) -> int:
        return len(self.place_of)

    @property
    def rows(self) -> range:
        """Its edits, by row of the index."""
        return range(self.first_row, self.first_row + len(self))

    def probe(self, queries: NDArray[np.float32]) -> Probe | None:
        """What bounds its products with (Q, D) queries; None where it has no sketch, and is multiplied as it is."""
        return None if self.sketch is None else Probe(self.sketch, queries)

    def shas(self) -> list[str]:
        """Its commits."""
        table: NDArray[np.uint8] = self.arrays["shas"]
        width = table.shape[1] if table.ndim == 2 else 0
        if not width or not len(table):
            return []
        return [sha.decode("ascii") for sha in np.ascontiguousarray(table).view(f"S{width}").ravel().tolist()]

    @staticmethod
    def joined(parts: Sequence[Part], matrix: Matrix) -> Part:
        """One part in place of several that follow each other, with a sketch."""
        first = parts[0]
        rows = range(first.first_row, parts[-1].rows.stop)
        arrays = {
            "shas": sha_table([sha for part in parts for sha in part.shas()]),
            **{name: np.concatenate([part.arrays[name] for part in parts]) for name in ("dates", "sizes", "place_of")},
            "norms": np.zeros(0, dtype=np.float32),
        }
        return Part(
            first_row=rows.start,
            first_commit=first.first_commit,
            first_place=first.first_place,
            arrays=arrays,
            words=Lexicon.joined([part.words for part in parts]),
            places=Lexicon.joined([part.places for part in parts]),
            sketch=Sketch.of(matrix, rows),
        )

    def weighed(self, idf: NDArray[np.float32]) -> Part:
        """The same with the lengths of its words under these weights."""
        arrays = {
            **self.arrays,
            "norms": self.words.inverse_lengths(idf),
            "idf": idf[self.words.vocabulary].astype(np.float32),
        }
        return Part(
            first_row=self.first_row,
            first_commit=self.first_commit,
            first_place=self.first_place,
            arrays=arrays,
            words=self.words,
            places=self.places,
            sketch=self.sketch,
        )

    def save(self, path: Path, generation: str) -> None:
        """Write it to a file, at once or not at all. Raises OSError."""
        assert self.sketch is not None
        arrays: dict[str, NDArray[Any]] = dict(self.arrays)
        arrays.update({f"words.{name}": array for name, array in self.words.arrays.items()})
        arrays.update({f"places.{name}": array for name, array in self.places.arrays.items()})
        arrays.update({f"sketch.{name}": getattr(self.sketch, name) for name, _ in Sketch.ARRAYS})
        table: dict[str, tuple[str, tuple[int, ...], int]] = {}
        end = 0
        arrays = {name: arrays[name].astype(kind, copy=False) for name, kind in _KINDS.items()}
        for name, array in arrays.items():
            table[name] = (array.dtype.str, array.shape, end)
            end += -(-array.nbytes // _ALIGN) * _ALIGN
        about = json.dumps(
            {
                "generation": generation,
                "first": [self.first_row, self.first_commit, self.first_place],
                "arrays": table,
                "bytes": end,
            }
        ).encode()
        head = MAGIC + np.array([len(about), zlib.crc32(about)], dtype="<u4").tobytes() + about
        start = -(-len(head) // _ALIGN) * _ALIGN
        temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
        try:
            with temporary.open("wb") as file:
                file.write(head.ljust(start, b"\0"))
                for name, array in arrays.items():
                    file.seek(start + table[name][2])
                    file.write(np.ascontiguousarray(array).data)
                file.truncate(start + end)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    @staticmethod
    def load(path: Path, generation: str) -> Part:
        """Map the file of a part. Raises ``Unusable``."""
        try:
            with path.open("rb") as file:
                head = file.read(len(MAGIC) + 8)
                size, check = (int(number) for number in np.frombuffer(head[len(MAGIC) :], dtype="<u4"))
                about = file.read(size) if head.startswith(MAGIC) and size < _LIMIT else b""
            if not about or zlib.crc32(about) != check:
                raise Unusable("it is none")
            description = json.loads(about)
            start = -(-(len(head) + size) // _ALIGN) * _ALIGN
            if description["generation"] != generation or path.stat().st_size != start + description["bytes"]:
                raise Unusable("it is another's, or cut short")
            data = np.memmap(path, dtype=np.uint8, mode="r", offset=start)
            arrays: dict[str, NDArray[Any]] = {}
            for name, kind in _KINDS.items():
                found, shape, offset = description["arrays"][name]
                if found != kind:
                    raise Unusable(f"{name} is of type {found}")
                length = int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize
                arrays[name] = np.asarray(data[offset : offset + length]).view(kind).reshape(shape)
            part = Part(
                first_row=description["first"][0],
                first_commit=description["first"][1],
                first_place=description["first"][2],
                arrays={name: arrays[name] for name, _ in Part.ARRAYS},
                words=Lexicon(_under(arrays, "words.")),
                places=Lexicon(_under(arrays, "places.")),
                sketch=Sketch(**_under(arrays, "sketch.")),
                path=path,
            )
        except (OSError, LookupError, TypeError, ValueError) as error:
            raise Unusable(str(error)) from error
        part._check()
        return part

    def _check(self) -> None:
        assert self.sketch is not None
        rows, commits = len(self), len(self.sizes)
        whole = (
            len(self.dates) == commits
            and self.arrays["shas"].shape[:1] == (commits,)
            and len(self.words) == rows == len(self.norms) == len(self.sketch)
            and len(self.weights) == len(self.words.vocabulary)
            and (self.sizes >= 0).all()
            and int(self.sizes.sum(dtype=np.int64)) == rows
            and len(self.sketch.columns) == rows * len(self.sketch.scales)
        )
        if not whole:
            raise Unusable("its parts do not fit together")


_KINDS: Final = {
    **dict(Part.ARRAYS),
    **{f"words.{name}": kind for name, kind in Lexicon.ARRAYS},
    **{f"places.{name}": kind for name, kind in Lexicon.ARRAYS},
    **{f"sketch.{name}": kind for name, kind in Sketch.ARRAYS},
}


def _under(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def sha_table(shas: Sequence[str]) -> NDArray[np.uint8]:
    """Names of commits as one array, filled up with zeros to the longest."""
    width = max(map(len, shas), default=1)
    return np.frombuffer(b"".join(sha.encode("ascii").ljust(width, b"\0") for sha in shas), np.uint8).reshape(-1, width)

"""Segments: runs of an index's edits as arrays made for searching, the newest in memory, the others in mapped files.

A segment holds its commits, the place of each edit, the words of its edits and places, and in a large index a sketch of
its vectors (``sketch``). It can be made again at any time from the SQLite file and the matrix, so its file may go
missing.
"""

from __future__ import annotations

import json
import mmap
import os
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.allocator import let_go, read_in_large_pages
from codewm_lsp.index.lexicon import Lexicon
from codewm_lsp.index.matrix import Matrix
from codewm_lsp.index.sketch import Sketch
from codewm_lsp.index.store import is_plain

MAGIC: Final = b"CodeWM segment 1\n"
_ALIGN: Final = 64
_LIMIT: Final = 1 << 20  # bytes of the description in a file


class Unusable(Exception):
    """The file of a segment cannot be used. Never leaves the room: the segment is made again."""


class Segment:
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
        size: int = 0,
        sketch_at: int = 0,
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
        self._size = size  # bytes of the file
        self._sketch_at = sketch_at  # byte of the mapped file; what is there and behind it is the sketch

    def __len__(self) -> int:
        return len(self.place_of)

    @property
    def rows(self) -> range:
        """Its edits, by row of the index."""
        return range(self.first_row, self.first_row + len(self))

    def let_go(self, *, but_sketch: bool = False) -> None:
        """Let go of what was read of its file, or of all but the sketch."""
        let_go(self.place_of, 0, self._sketch_at if but_sketch else None)

    def is_whole(self) -> bool:
        """Whether the file is as long as what is mapped of it; reading behind the end of a file kills a process."""
        if self.path is None:
            return True
        with suppress(OSError):  # deleted meanwhile: what is mapped stays
            return self.path.stat().st_size >= self._size
        return True

    def shas(self) -> list[str]:
        """Its commits."""
        table: NDArray[np.uint8] = self.arrays["shas"]
        width = table.shape[1] if table.ndim == 2 else 0
        if not width or not len(table):
            return []
        return [sha.decode("ascii") for sha in np.ascontiguousarray(table).view(f"S{width}").ravel().tolist()]

    @staticmethod
    def joined(segments: Sequence[Segment], matrix: Matrix, *, sketched: bool) -> Segment:
        """One segment in place of several that follow each other, with a sketch where it is asked for."""
        first = segments[0]
        rows = range(first.first_row, segments[-1].rows.stop)
        arrays = {
            "shas": sha_table([sha for one in segments for sha in one.shas()]),
            **{name: np.concatenate([one.arrays[name] for one in segments]) for name in ("dates", "sizes", "place_of")},
            "norms": np.zeros(0, dtype=np.float32),
        }
        return Segment(
            first_row=rows.start,
            first_commit=first.first_commit,
            first_place=first.first_place,
            arrays=arrays,
            words=Lexicon.joined([one.words for one in segments]),
            places=Lexicon.joined([one.places for one in segments]),
            sketch=Sketch.of(matrix, rows) if sketched else None,
        )

    def weighed(self, idf: NDArray[np.float32]) -> Segment:
        """The same with the lengths of its words under these weights."""
        arrays = {
            **self.arrays,
            "norms": self.words.inverse_lengths(idf),
            "idf": idf[self.words.vocabulary].astype(np.float32),
        }
        return Segment(
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
        arrays: dict[str, NDArray[Any]] = dict(self.arrays)
        arrays.update({f"words.{name}": array for name, array in self.words.arrays.items()})
        arrays.update({f"places.{name}": array for name, array in self.places.arrays.items()})
        if self.sketch is not None:
            arrays.update({f"sketch.{name}": getattr(self.sketch, name) for name, _ in Sketch.ARRAYS})
        table: dict[str, tuple[str, tuple[int, ...], int]] = {}
        end = 0
        arrays = {name: arrays[name].astype(kind, copy=False) for name, kind in _KINDS.items() if name in arrays}
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
    def load(path: Path, generation: str) -> Segment:
        """Map the file of a segment. Raises ``Unusable``."""
        if not is_plain(path):
            raise Unusable("it is not a file")
        try:
            with path.open("rb") as file:
                head = file.read(len(MAGIC) + 8)
                size, check = (int(number) for number in np.frombuffer(head[len(MAGIC) :], dtype="<u4"))
                about = file.read(size) if head.startswith(MAGIC) and size < _LIMIT else b""
            if not about or zlib.crc32(about) != check:
                raise Unusable("it is not a segment")
            description = json.loads(about)
            start = -(-(len(head) + size) // _ALIGN) * _ALIGN
            if description["generation"] != generation or path.stat().st_size != start + description["bytes"]:
                raise Unusable("it belongs to another index, or is truncated")
            data = np.memmap(path, dtype=np.uint8, mode="r", offset=start)
            arrays: dict[str, NDArray[Any]] = {}
            for name, kind in _KINDS.items():
                if name.startswith("sketch.") and name not in description["arrays"]:
                    continue
                found, shape, offset = description["arrays"][name]
                if found != kind:
                    raise Unusable(f"{name} is of type {found}")
                length = int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize
                arrays[name] = np.asarray(data[offset : offset + length]).view(kind).reshape(shape)
            sketch = _under(arrays, "sketch.")
            sketch_at = start % mmap.ALLOCATIONGRANULARITY + description["arrays"]["sketch.basis"][2] if sketch else 0
            segment = Segment(
                first_row=description["first"][0],
                first_commit=description["first"][1],
                first_place=description["first"][2],
                arrays={name: arrays[name] for name, _ in Segment.ARRAYS},
                words=Lexicon(_under(arrays, "words.")),
                places=Lexicon(_under(arrays, "places.")),
                sketch=Sketch(**sketch) if sketch else None,
                path=path,
                size=start + description["bytes"],
                sketch_at=sketch_at,
            )
        except (OSError, LookupError, TypeError, ValueError) as error:
            raise Unusable(str(error)) from error
        segment._check()
        if sketch:
            read_in_large_pages(data, sketch_at)
        return segment

    def _check(self) -> None:
        rows, commits = len(self), len(self.sizes)
        whole = (
            len(self.dates) == commits
            and self.arrays["shas"].shape[:1] == (commits,)
            and len(self.words) == rows == len(self.norms)
            and len(self.weights) == len(self.words.vocabulary)
            and (self.sizes >= 0).all()
            and int(self.sizes.sum(dtype=np.int64)) == rows
            and (self.sketch is None or self.sketch.is_of(rows))
        )
        if not whole:
            raise Unusable("its arrays do not fit together")


_KINDS: Final = {
    **dict(Segment.ARRAYS),
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

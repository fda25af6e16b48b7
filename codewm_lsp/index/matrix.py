"""The vectors of an index: one matrix in a file of its own, mapped into memory, one row an edit.

Rows are only ever added at the end, under the write lock of the SQLite file, before the transaction that counts them:
what a killed process leaves behind the last counted row is written over by the next one. Each row carries a checksum
over its numbers and its place, so that a row cut short, lost or moved is found out.
"""

from __future__ import annotations

import os
import weakref
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import pairwise, repeat
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.allocator import let_go, read_in_large_pages
from codewm_lsp.index.store import Damaged, is_plain
from codewm_lsp.records import dataclass

MAGIC: Final = b"CodeWM vectors 2"
HEADER: Final = 64
_BLOCK: Final = 512  # rows widened to float at a time: they stay in the cache (measured best of 128 … 4096)


_WINDOW: Final = 1 << 14  # rows of a part of the file that is looked at as one: 13 MB
_MANY: Final = 512  # rows in such a part from which on mapping it takes less than reading them one by one


def quantise(vectors: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """(N, D) floats → (N, D) bytes and (N,) scales, ``bytes × scale ≈ floats`` to half a scale."""
    scales = (np.abs(vectors).max(axis=1, initial=0.0) / 127.0).astype(np.float32)
    divisor = np.where(scales > 0, scales, 1.0)[:, None]
    return np.rint(vectors / divisor).astype(np.int8), scales


class Reader:
    """A file that is read here and there, from any thread. Closed with the last reference to it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        weakref.finalize(self, os.close, descriptor)

    def read(self, sizes: Sequence[int], places: Sequence[int]) -> bytes:
        """So many bytes from each of these places on, in a row; fewer where the file ends. Raises OSError."""
        return b"".join(map(os.pread, repeat(self._descriptor), sizes, places))


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of a matrix as they are stored, which takes a quarter of what they take as floats."""

    numbers: NDArray[np.int8]  # (N, D)
    scales: NDArray[np.float32]  # (N,)

    def floats(self, chosen: NDArray[np.int64] | slice) -> NDArray[np.float32]:
        """Some of them, (chosen, D)."""
        widened: NDArray[np.float32] = self.numbers[chosen].astype(np.float32)
        widened *= self.scales[chosen][:, None]
        return widened

    def products(self, queries: NDArray[np.float32]) -> NDArray[np.float32]:
        """Products of (Q, D) queries with all of them, (Q, N)."""
        return _products(self.numbers, self.scales, queries)


class Matrix:
    """(N, D) quantised rows in a file, or in memory where ``path`` is None. ``copied``: the file these begin with."""

    def __init__(self, path: Path | None, size: int, generation: str, *, copied: Path | None = None) -> None:
        self.path = path
        self._copied = None if copied is None else Matrix(copied, size, generation)
        self.size = size
        self._header = MAGIC + np.array([size], dtype="<u4").tobytes() + generation.encode("ascii", "replace")[:32]
        self._header = self._header.ljust(HEADER - 4, b"\0")
        self._header += np.array([zlib.crc32(self._header)], dtype="<u4").tobytes()
        self._row = np.dtype([("vector", "i1", (size,)), ("scale", "<f4"), ("check", "<u4")])
        self._rows: NDArray[Any] = np.zeros(0, dtype=self._row)  # mapped, or kept
        self._reader: Reader | None = None

    def write(self, first: int, rows: NDArray[np.int8], scales: NDArray[np.float32]) -> None:
        """Write rows from number ``first`` on, over whatever is there. Raises OSError, or ``Damaged``."""
        records = np.zeros(len(rows), dtype=self._row)
        records["vector"], records["scale"] = rows, scales
        records["check"] = _checks(records, range(first, first + len(records)))
        if self.path is None:
            self._rows = np.concatenate([self._rows[:first], records])
            return
        if not first and not self._is_ours():
            with self.path.open("wb") as file:  # new; what stands there belongs to no edit
                file.write(self._header)
        self._require(first)
        with self.path.open("r+b") as file:
            file.seek(HEADER + first * self._row.itemsize)
            file.write(records.tobytes())
            file.flush()
            os.fsync(file.fileno())  # a machine that loses power has the rows of every edit that SQLite has

    def _is_ours(self) -> bool:
        assert self.path is not None
        if not is_plain(self.path):
            raise Damaged(f"its vectors, {self.path.name}, are not a file")
        try:
            with self.path.open("rb") as file:
                return file.read(HEADER) == self._header
        except FileNotFoundError:
            return False

    def _require(self, rows: int) -> None:
        assert self.path is not None
        if not self._is_ours():
            raise Damaged(f"its vectors, {self.path.name}, are missing or belong to another index")
        if self.path.stat().st_size < HEADER + rows * self._row.itemsize:
            raise Damaged(f"its vectors, {self.path.name}, are truncated")

    def map(self, rows: int) -> None:
        """Have at least so many rows at hand. Raises ``Damaged`` when the file has fewer or is another one."""
        if rows <= len(self._rows):
            return
        if self.path is None:
            if self._copied is None or len(self._rows):
                raise Damaged("vectors are missing from it")
            self._copied.map(rows)
            self._rows = np.array(self._copied._rows)  # another process may set that file aside
            return
        self._require(rows)
        with self.path.open("rb") as file:
            self._rows = np.memmap(file, dtype=self._row, mode="r", offset=HEADER, shape=(rows,))
            self._reader = Reader(os.dup(file.fileno())) if hasattr(os, "pread") else None
        read_in_large_pages(self._rows)

    def let_go(self) -> None:
        """Let go of what was read of the file."""
        let_go(self._rows)

    def windows(self, rows: range) -> Iterator[range]:
        """A run of rows in parts, each let go of when the next is asked for."""
        size = self._row.itemsize
        for begin in range(rows.start, rows.stop, _WINDOW):
            window = range(begin, min(begin + _WINDOW, rows.stop))
            yield window
            if self._reader is not None:
                let_go(self._rows, HEADER + size * window.start, HEADER + size * window.stop)

    def is_whole(self) -> bool:
        """Whether the file is as long as what is mapped of it; reading behind the end of a file kills a process."""
        if self.path is None:
            return True
        with suppress(OSError):  # deleted meanwhile: what is mapped stays
            return self.path.stat().st_size >= HEADER + len(self._rows) * self._row.itemsize
        return True

    def _records(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """The given rows. Each run of them is read by itself where that can be done: a look at one that is mapped has
        the system map sixteen pages around it, and a search would have the whole file in memory. Raises ``Damaged``."""
        if self._reader is None or not len(rows):
            return self._rows[rows]
        size = self._row.itemsize
        starts = np.flatnonzero(np.diff(rows, prepend=rows[0] - 2) != 1)
        counts = np.diff(starts, append=len(rows))
        try:
            data = self._reader.read((size * counts).tolist(), (HEADER + size * rows[starts]).tolist())
        except OSError as error:
            raise Damaged(f"its vectors cannot be read: {error.strerror}") from error
        if len(data) != size * len(rows):
            raise Damaged("its vectors are truncated")
        return np.frombuffer(data, dtype=self._row)

    def verify(self, rows: NDArray[np.int64]) -> None:
        """Raises ``Damaged`` where a row is not the one that was written there."""
        records = self._records(rows)
        wrong = (records["check"] != _checks(records, rows.tolist())) | ~np.isfinite(records["scale"])
        if wrong.any():
            raise Damaged(f"the vector of edit {int(rows[wrong.argmax()]) + 1} is damaged")

    def stored(self, rows: NDArray[np.int64]) -> Rows:
        """The given rows as they are stored."""
        records = self._records(rows)
        return Rows(np.ascontiguousarray(records["vector"]), np.ascontiguousarray(records["scale"]))

    def rows(self, rows: range) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
        """A run of rows as they are stored: bytes and scales."""
        records = self._rows[rows.start : rows.stop]
        return np.ascontiguousarray(records["vector"]), np.ascontiguousarray(records["scale"])

    def floats(self, rows: NDArray[np.int64] | slice) -> NDArray[np.float32]:
        """The given rows as floats, (rows, D)."""
        records = self._rows[rows] if isinstance(rows, slice) else self._records(rows)
        widened: NDArray[np.float32] = np.asarray(records["vector"]).astype(np.float32)
        widened *= np.asarray(records["scale"])[:, None]
        return widened

    def at(self, rows: NDArray[np.int64], query: NDArray[np.float32]) -> NDArray[np.float32]:
        """Products of one query with the given rows. A row's is the same to the last bit whatever others are asked."""
        result = np.empty(len(rows), dtype=np.float32)
        widened = np.empty((min(len(rows), _BLOCK), self.size), dtype=np.float32)
        for places, records in self._pieces(rows):
            numbers = widened[: len(records)]
            np.copyto(numbers, records["vector"])
            result[places] = np.einsum("ij,j->i", numbers, query) * records["scale"]
        return result

    def _pieces(self, rows: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], NDArray[Any]]]:
        """The given rows in pieces, each with its places among them.

        Of a part of the file of which many are wanted, the rows are looked at where they are mapped, and that part is
        let go of at once.
        """
        order = np.argsort(rows, kind="stable") if len(rows) >= _MANY else np.arange(len(rows))
        ordered = rows[order]
        starts = np.zeros(1, np.int64)
        if len(rows) >= _MANY:  # where the parts begin that are mapped, and the others between them
            starts = np.flatnonzero(np.diff(ordered // _WINDOW, prepend=-1))
            many = np.diff(starts, append=len(rows)) >= _MANY
            starts = starts[many | np.concatenate(([True], many[:-1]))]
        size = self._row.itemsize
        for first, last in pairwise([*starts.tolist(), len(rows)]):
            is_mapped = self._reader is not None and self._is_one_window(ordered[first:last])
            for begin in range(first, last, _BLOCK):
                block = slice(begin, min(begin + _BLOCK, last))
                yield order[block], self._rows[ordered[block]] if is_mapped else self._records(ordered[block])
            if is_mapped:
                let_go(self._rows, HEADER + size * int(ordered[first]), HEADER + size * int(ordered[last - 1] + 1))

    @staticmethod
    def _is_one_window(rows: NDArray[np.int64]) -> bool:
        """Whether many rows, in their order, are of one part of the file."""
        return len(rows) >= _MANY and int(rows[0]) // _WINDOW == int(rows[-1]) // _WINDOW

    def products(self, queries: NDArray[np.float32], rows: range) -> NDArray[np.float32]:
        """Products of (Q, D) queries with a run of rows, (Q, rows): the cosines, where both sides are of length 1."""
        records = self._rows[rows.start : rows.stop]
        return _products(records["vector"], records["scale"], queries)


def _products(
    numbers: NDArray[np.int8], scales: NDArray[np.float32], queries: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Products of (Q, D) queries with quantised rows, (Q, N)."""
    result = np.empty((len(queries), len(scales)), dtype=np.float32)
    transposed = np.ascontiguousarray(queries.T, dtype=np.float32)
    block = np.empty((_BLOCK, queries.shape[1]), dtype=np.float32)
    for begin in range(0, len(scales), _BLOCK):
        some = slice(begin, min(begin + _BLOCK, len(scales)))
        piece = block[: some.stop - begin]
        np.copyto(piece, numbers[some])
        np.multiply((piece @ transposed).T, scales[some], out=result[:, some])
    return result


def _checks(records: NDArray[Any], numbers: Sequence[int]) -> NDArray[np.uint32]:
    """The checksums of records that stand at these places."""
    size = records.dtype.itemsize
    data = memoryview(records.tobytes())
    starts = range(0, size * len(records), size)
    checks = [
        zlib.crc32(data[start : start + size - 4], number & 0xFFFFFFFF)
        for start, number in zip(starts, numbers, strict=True)
    ]
    return np.array(checks, np.uint32)

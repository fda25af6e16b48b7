"""``codewm embed``: JSON lines in, one embedding a line out, in the order of the lines."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, TextIO

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.cli.wire import dump
from codewm_lsp.errors import OptionError

BATCH = 64
EDIT_FIELDS = ("before", "after")
STATE_FIELDS = ("source",)


def embed_lines(
    source: BinaryIO,
    sink: TextIO,
    fields: tuple[str, ...],
    embed: Callable[[Sequence[tuple[str, ...]]], NDArray[np.float32]],
) -> int:
    """Answer every line of ``source`` on ``sink``; return how many there were.

    ``fields`` are the keys a line must have. Lines that are there already are embedded together, and none waits for
    a line that has not come: a program may write one line and read its answer before it writes the next.

    Raises OptionError at the first line that is not such an object, once all lines before it are answered.
    """
    answered = 0
    for batch, problem in _batches(source, fields):
        if batch:
            for row in embed(batch):
                sink.write(dump({"embedding": np.round(row.astype(np.float64), 7).tolist()}) + "\n")
            sink.flush()
            answered += len(batch)
        if problem is not None:
            raise problem
    return answered


def _batches(
    source: BinaryIO, fields: tuple[str, ...]
) -> Iterator[tuple[list[tuple[str, ...]], OptionError | OSError | None]]:
    lines: queue.Queue[bytes | OSError | None] = queue.Queue(maxsize=4 * BATCH)

    def read() -> None:
        try:
            for line in iter(source.readline, b""):
                lines.put(line)
        except OSError as error:
            lines.put(error)
        lines.put(None)

    threading.Thread(target=read, name="stdin", daemon=True).start()
    number = 0
    blank = 0  # number of a blank line: wrong unless nothing but blank lines follow
    while True:
        batch: list[tuple[str, ...]] = []
        item = lines.get()
        while isinstance(item, bytes):
            number += 1
            if not item.strip():
                blank = blank or number
            else:
                try:
                    if blank:
                        raise OptionError(
                            f"Line {blank} is empty. Write one JSON object per line, without empty lines."
                        )
                    batch.append(_parse(item, number, fields))
                except OptionError as error:
                    yield batch, error
                    return
            if len(batch) == BATCH:
                break
            try:
                item = lines.get_nowait()
            except queue.Empty:
                break
        if isinstance(item, OSError):
            yield batch, item
            return
        yield batch, None
        if item is None:
            return


def _parse(line: bytes, number: int, fields: tuple[str, ...]) -> tuple[str, ...]:
    wanted = "{" + ", ".join(f'"{field}": "…"' for field in fields) + "}"
    try:
        record = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError as error:
        raise OptionError(f"Line {number} is not UTF-8 ({error.reason}). Write {wanted} in UTF-8.") from None
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise OptionError(f"Line {number} is not JSON ({reason}). Write {wanted} on each line.") from None
    if not isinstance(record, dict):
        raise OptionError(f"Line {number} is not a JSON object. Write {wanted} on each line.")
    values: list[str] = []
    for field in fields:
        value = record.get(field)
        if not isinstance(value, str):
            what = f"has no {json.dumps(field)}"
            if field in record:
                what = f"has no text in {json.dumps(field)}"
            raise OptionError(f'Line {number} {what}. Write {wanted}, with "" for what does not exist.')
        # A lone half of a surrogate pair cannot be encoded, and so never stands in a source file.
        values.append(value.encode("utf-8", "replace").decode("utf-8"))
    return tuple(values)

"""A part of a repository's edits ↔ three Parquet files: one row an edit, one a state, one a definition of a place.

Everything is a number or the id of a commit; other programs can read the files too. Rows of words are list columns.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from codewm_lsp.errors import TrainingError
from codewm_lsp.world_model.actions import RICH_ACTION_SIZE
from codewm_lsp.world_model.features import NUMBERS
from codewm_model.settings.bounded_files import check_file

TABLES: Final = ("edits", "states", "places")
_MOST_BYTES: Final = 1 << 30
_MOST_VALUES: Final = 1 << 27
_PLACE: Final = ("commit", "path", "definition", "state", "touched", "line")
_WORDS: Final = ("hashes", "role", "numbers", "net")

Arrays = Mapping[str, NDArray[Any]]


def write_part(folder: Path, number: int, arrays: Arrays) -> None:
    """Write the arrays of a part, as ``read_part`` gives them back. Raises OSError."""
    edits = {
        "commit": pa.array(arrays["commits"][arrays["commit"]]).dictionary_encode(),
        "path": pa.array(arrays["path"]),
        "definition": pa.array(arrays["definition"]),
        "before": pa.array(arrays["states"][:, 0]),
        "after": pa.array(arrays["states"][:, 1]),
        "action": _fixed(arrays["action"], RICH_ACTION_SIZE),
        **_words(arrays, "changed"),
        **_words(arrays, "context"),
    }
    states = {
        "hash": pa.array(arrays["state_hashes"]),
        "ids": _lists(arrays["structure_offsets"], pa.array(arrays["structure_ids"])),
        "depths": _lists(arrays["structure_offsets"], pa.array(arrays["structure_depths"])),
    }
    places = {name: pa.array(arrays["place"][:, column]) for column, name in enumerate(_PLACE)}
    places |= _words(arrays, "place_words")
    for name, columns in zip(TABLES, (edits, states, places), strict=True):
        table = pa.table(columns)
        pq.write_table(table, part_file(folder, name, number), compression="zstd")


def read_part(folder: Path, number: int) -> dict[str, NDArray[Any]]:
    """The arrays of a part. Raises TrainingError with the file that is damaged or missing."""
    tables = {}
    for name in TABLES:
        file = part_file(folder, name, number)
        try:
            _check_sizes(file)
            tables[name] = pq.read_table(file, use_threads=False)
        except FileNotFoundError:
            raise TrainingError(f"{file} is missing: delete {folder} and build the corpus again") from None
        except (OSError, pa.ArrowException) as error:
            first = str(error).splitlines()[0]
            raise TrainingError(f"{file} is damaged ({first}): delete {folder} and build the corpus again") from error
    edits, states, places = (tables[name] for name in TABLES)
    try:
        ids = edits.column("commit").combine_chunks()
        commits, commit = np.zeros(0, "U40"), np.zeros(0, np.int32)
        if len(ids):  # consecutive rows of one commit: their order is that of the history
            codes = np.asarray(ids.indices)
            starts = np.concatenate([[0], np.flatnonzero(np.diff(codes)) + 1])
            commits = np.array(ids.dictionary.to_pylist(), "U40")[codes[starts]]
            commit = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(codes)))).astype(np.int32)
        offsets, token_ids = _flat(states, "ids")
        arrays = {
            "commits": commits,
            "commit": commit,
            "path": _numbers(edits, "path"),
            "definition": _numbers(edits, "definition"),
            "states": np.stack([_numbers(edits, "before"), _numbers(edits, "after")], 1).reshape(-1, 2),
            "action": _matrix(edits, "action", RICH_ACTION_SIZE),
            **_words_back(edits, "changed"),
            **_words_back(edits, "context"),
            "state_hashes": _numbers(states, "hash"),
            "structure_offsets": offsets,
            "structure_ids": token_ids,
            "structure_depths": _flat(states, "depths")[1],
            "place": np.stack([_numbers(places, name) for name in _PLACE], 1).reshape(-1, len(_PLACE)),
            **_words_back(places, "place_words"),
        }
        for name, rows in (("states", arrays["states"]), ("place", arrays["place"][:, _PLACE.index("state")])):
            if rows.size and not 0 <= rows.min() <= rows.max() < len(arrays["state_hashes"]):
                raise ValueError(f"{name} outside of the table of states")
        for prefix in ("changed", "context", "place_words"):
            if len({len(arrays[f"{prefix}_{column}"]) for column in _WORDS}) > 1:
                raise ValueError(f"columns of {prefix} of different lengths")
        return arrays
    except (KeyError, ValueError, TypeError, AttributeError, pa.ArrowException) as error:
        what = f"lacks the column {error}" if isinstance(error, KeyError) else f"is damaged ({error})"
        raise TrainingError(f"part {number} in {folder} {what}: delete {folder} and build the corpus again") from error


def _check_sizes(file: Path) -> None:
    """Raise OSError when a table is no file, or would be far larger in memory than any part is."""
    check_file(file, _MOST_BYTES)
    with pq.ParquetFile(file) as opened:
        about = opened.metadata
        groups = [about.row_group(number) for number in range(about.num_row_groups)]
        values = sum(group.column(number).num_values for group in groups for number in range(group.num_columns))
        size = sum(group.total_byte_size for group in groups)
        if about.num_rows > _MOST_VALUES or values > _MOST_VALUES or size > _MOST_BYTES:
            raise OSError(errno.EINVAL, f"it would have {size:,} bytes and {values:,} values in memory", str(file))


def part_file(folder: Path, table: str, number: int) -> Path:
    """Where a table of a part lies."""
    return folder / f"{table}-{number:05d}.parquet"


def _fixed(rows: NDArray[Any], size: int) -> Any:
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), size)


def _lists(offsets: NDArray[Any], values: Any) -> Any:
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), values)


def _words(arrays: Arrays, prefix: str) -> dict[str, Any]:
    values = {name: arrays[f"{prefix}_{name}"] for name in _WORDS}
    plain = {name: pa.array(column) for name, column in values.items() if name != "numbers"}
    plain["numbers"] = _fixed(values["numbers"], NUMBERS)
    offsets = arrays[f"{prefix}_offsets"]
    return {f"{prefix}_{name}": _lists(offsets, plain[name]) for name in _WORDS}


def _words_back(table: Any, prefix: str) -> dict[str, NDArray[Any]]:
    found = {}
    for name in _WORDS:
        found[f"{prefix}_offsets"], values = _flat(table, f"{prefix}_{name}", keep=name == "numbers")
        if name == "numbers":
            values = np.asarray(values.flatten()).reshape(-1, NUMBERS)
        found[f"{prefix}_{name}"] = values
    return found


def _flat(table: Any, name: str, *, keep: bool = False) -> tuple[NDArray[np.int64], Any]:
    """Offsets and values of a list column."""
    column = table.column(name).combine_chunks()
    offsets = np.asarray(column.offsets).astype(np.int64) if len(column) else np.zeros(1, np.int64)
    values = column.flatten()
    return offsets - offsets[0], values if keep else np.asarray(values)


def _numbers(table: Any, name: str) -> NDArray[Any]:
    return np.asarray(table.column(name).combine_chunks())


def _matrix(table: Any, name: str, size: int) -> NDArray[Any]:
    return np.asarray(table.column(name).combine_chunks().flatten()).reshape(-1, size)

"""Learnt weights as files of their own: NumPy arrays in a zip archive (``.npz``), read as data and nothing else."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

_Learnt = TypeVar("_Learnt")
_PACKED: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAMAGED: Final = (
    *(zipfile.BadZipFile, zlib.error, struct.error),
    *(EOFError, OSError, NotImplementedError, RuntimeError),
)


def read_arrays(data: bytes, largest: int) -> dict[str, NDArray[Any]]:
    """The arrays of an archive, by name; nothing is unpacked that takes more than ``largest`` bytes, and no object.

    Raises ValueError, which says what is wrong.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if sum(entry.file_size for entry in entries) > largest:
                raise ValueError(f"it unpacks to more than {largest:,} bytes")
            if any(entry.compress_type not in _PACKED for entry in entries):
                raise ValueError("it is packed in an unusual way")
            return {entry.filename.removesuffix(".npy"): _array(archive.read(entry)) for entry in entries}
    except _DAMAGED as error:
        raise ValueError(str(error) or type(error).__name__) from error


def read_packaged(file: Path, read: Callable[[bytes], _Learnt], otherwise: str) -> tuple[_Learnt | None, str]:
    """What a file of the package holds, by ``read``, which raises ValueError or KeyError where it is damaged. Where it
    cannot be read: None, and a message with what is done ``otherwise``."""
    try:
        return read(file.read_bytes()), ""
    except OSError as error:
        reason = error.strerror or str(error)
    except (ValueError, KeyError) as error:
        reason = f"it is damaged: {error}"
    return None, f"{file} cannot be read ({reason}). {otherwise} Reinstall CodeWM."


def _array(data: bytes) -> NDArray[Any]:
    """One array in NumPy's own format. Its shape is believed when the data has that many numbers."""
    file = io.BytesIO(data)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("an array is of an unknown version")
    shape, by_column, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.kind not in "fiu":
        raise ValueError("an array holds no numbers")
    return np.frombuffer(data, dtype, offset=file.tell()).reshape(shape, order="F" if by_column else "C")

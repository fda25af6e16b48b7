"""Files that others may have written, read with a bound: never a pipe, never more than they should hold."""

from __future__ import annotations

import errno
import json
import stat
from pathlib import Path
from typing import Any


def check_file(file: Path, most: int) -> None:
    """Raise OSError when ``file`` cannot be read, is no regular file, or has more than ``most`` bytes."""
    found = file.stat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file", str(file))
    if found.st_size > most:
        raise OSError(errno.EINVAL, f"it has {found.st_size:,} bytes, more than {most:,}", str(file))


def read_bounded(file: Path, most: int) -> bytes:
    """The bytes of a regular file. Raises OSError as ``check_file`` does."""
    check_file(file, most)
    with file.open("rb") as opened:
        found = opened.read(most + 1)
    if len(found) > most:  # it has grown since
        raise OSError(errno.EINVAL, f"it has more than {most:,} bytes", str(file))
    return found


def read_json(file: Path, most: int) -> dict[str, Any]:
    """The object in a JSON file. Raises OSError as ``check_file`` does, and ValueError when the file holds none."""
    try:
        found = json.loads(read_bounded(file, most).decode("utf-8"))
    except RecursionError:
        raise ValueError("its values are nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("it is not an object")
    return found

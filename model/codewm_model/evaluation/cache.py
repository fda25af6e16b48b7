"""A folder of what is expensive to compute, under names that change with whatever it was computed from."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import codewm_lsp
from codewm_lsp.errors import OptionError

_LSP = Path(codewm_lsp.__file__).resolve().parent
_OWN = Path(__file__).resolve().parent


@lru_cache(maxsize=16)
def code(*rooms: str) -> str:
    """A name for the state of the code of some rooms of ``codewm_lsp``, and of the weights that lie beside it;
    ``"evaluation"`` is this package."""
    digest = hashlib.sha256()
    for room in rooms:
        folder = _OWN if room == "evaluation" else _LSP / room
        for file in sorted(path for path in folder.rglob("*") if path.suffix in (".py", ".json", ".npz")):
            digest.update(file.name.encode("utf-8"))
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


class Cache:
    """Files below a folder. A file that cannot be read counts as missing: it is made again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, kind: str, name: str, key: Iterable[object], suffix: str) -> Path:
        """Where something lies: a readable name, and a hash of everything it depends on."""
        stamp = hashlib.sha256("\n".join(map(str, key)).encode("utf-8", "surrogatepass")).hexdigest()[:20]
        return self.folder / kind / f"{name.replace('/', '+')}-{stamp}{suffix}"

    def read_json(self, file: Path) -> Any:
        """What ``write_json`` wrote; None where there is nothing."""
        try:
            return json.loads(gzip.decompress(file.read_bytes()))
        except (OSError, EOFError, ValueError, zlib.error):
            return None

    def write_json(self, file: Path, value: object) -> None:
        """Keep a plain value."""
        self._write(file, gzip.compress(json.dumps(value).encode("ascii"), 1))

    def read_arrays(self, file: Path) -> dict[str, NDArray[Any]] | None:
        """What ``write_arrays`` wrote; None where there is nothing."""
        try:
            with np.load(file, allow_pickle=False) as data:
                return {name: data[name] for name in data.files}
        except Exception:  # a broken archive fails in many ways, and all mean the same
            return None

    def write_arrays(self, file: Path, **arrays: NDArray[Any]) -> None:
        """Keep some arrays."""
        import io

        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        self._write(file, buffer.getvalue())

    def _write(self, file: Path, data: bytes) -> None:
        partial = file.with_name(f"{file.name}.{os.getpid()}.partial")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(data)
            partial.replace(file)
        except OSError as error:
            partial.unlink(missing_ok=True) if partial.parent.exists() else None
            raise OptionError(
                f"{self.folder} cannot be written ({error.strerror or error}): free some disk space, or name another "
                "folder with --cache"
            ) from error

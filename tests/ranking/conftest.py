"""A copy of the shipped model, whose learnt weights a test may replace."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from codewm_lsp.world_model import shipped
from codewm_lsp.world_model.bundle import METADATA

Put = Callable[[str, "bytes | None"], None]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(shipped(), tmp_path / "bundle"))


@pytest.fixture
def put(copy: Path) -> Put:
    """Replaces a file of the copy and vouches for it, or takes it out."""

    def put(name: str, data: bytes | None) -> None:
        metadata = json.loads((copy / METADATA).read_text(encoding="utf-8"))
        if data is None:
            (copy / name).unlink()
            del metadata["files"][name]
        else:
            (copy / name).write_bytes(data)
            metadata["files"][name] = hashlib.sha256(data).hexdigest()
        (copy / METADATA).write_text(json.dumps(metadata), encoding="utf-8")

    return put

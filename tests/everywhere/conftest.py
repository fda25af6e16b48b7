"""Other systems, as far as they can be had on this one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.server.conftest import server_environment, start_editor

__all__ = ["server_environment", "start_editor"]


@pytest.fixture
def ignore_case() -> Callable[[Path], None]:
    """``ignore_case(repository)``: its file system finds ``HEAD`` as ``hEAD``, like those of Windows and macOS."""

    def make(repository: Path) -> None:
        other = repository / ".git" / "hEAD"
        if not other.exists():
            os.link(repository / ".git" / "HEAD", other)

    return make


@pytest.fixture
def windows_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows: what this process has open or mapped is not renamed nor deleted, what is read-only not deleted."""
    if not Path("/proc/self/maps").exists():
        pytest.skip("which files are open is read from /proc")

    def held(path: Any) -> bool:
        real = os.path.realpath(path)
        open_files = {os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")}
        mapped = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
        return real in open_files or f" {real}\n" in mapped

    def guarded(real: Callable[..., None], *, deletes: bool) -> Callable[..., None]:
        def call(path: Any, *others: Any, **how: Any) -> None:
            if os.path.isfile(path) and held(path):
                raise PermissionError(13, "The process cannot access the file: it is being used", str(path))
            if deletes and os.path.isfile(path) and not os.stat(path).st_mode & 0o200:
                raise PermissionError(13, "Access is denied", str(path))
            if others and os.path.isfile(others[0]) and held(others[0]):
                raise PermissionError(13, "The process cannot access the file: it is being used", str(others[0]))
            real(path, *others, **how)

        return call

    for name in ("rename", "replace"):
        monkeypatch.setattr(os, name, guarded(getattr(os, name), deletes=False))
    for name in ("unlink", "remove"):
        monkeypatch.setattr(os, name, guarded(getattr(os, name), deletes=True))

"""Between the URIs of the protocol and paths."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pygls.uris import from_fs_path, to_fs_path


def file_of(uri: str) -> Path | None:
    """The file that a URI names; None where it names none of this machine."""
    path = to_fs_path(uri)
    return Path(path) if path and "\0" not in path else None  # a name that no system has would spoil every question


def files_of(uris: Iterable[str]) -> list[Path]:
    """The files among what some URIs name."""
    return [path for uri in uris if (path := file_of(uri)) is not None]


def uri_of(path: Path) -> str:
    """The URI of a file."""
    return from_fs_path(str(path)) or ""

"""Between the URIs of the protocol and paths."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes, urlsplit

from pygls.uris import from_fs_path, to_fs_path


def file_of(uri: str) -> Path | None:
    """The file that a URI names; None where it names none of this machine."""
    try:
        parts = urlsplit(uri)
        here = parts.netloc.lower() in ("", "localhost")
        if parts.scheme != "file" or not (here or os.name == "nt"):
            return None
        if os.name == "nt":
            path = to_fs_path(f"file://{'' if here else parts.netloc}{parts.path}") or ""
        else:
            path = os.fsdecode(unquote_to_bytes(parts.path))
    except ValueError:
        return None
    # A name that no system has would spoil every question; a relative one would be another in each working directory.
    return Path(path) if os.path.isabs(path) and "\0" not in path else None


def files_of(uris: Iterable[str]) -> list[Path]:
    """The files among what some URIs name."""
    return [path for uri in uris if (path := file_of(uri)) is not None]


def uri_of(path: Path) -> str:
    """The URI of a file."""
    if os.name == "nt":
        return from_fs_path(str(path)) or ""
    return f"file://{quote_from_bytes(os.fsencode(path))}"

"""Which paths of a repository are read: regular Python files that do not look like a place for secrets."""

from __future__ import annotations

import os
import re
from typing import Final

_SECRET: Final = re.compile(
    r"(?:^|/)(?:\.env[^/]*|\.ssh|\.aws|\.gnupg|(?:secrets?|credentials?|passwords?)\.pyi?)(?:/|$)", re.IGNORECASE
)
_UNSAFE_PARTS: Final = frozenset({"", ".", ".."})


def is_python(path: str) -> bool:
    """Whether a file of this name is Python source."""
    return path.endswith((".py", ".pyi"))


def is_secret(path: str) -> bool:
    """Whether the path (with ``/``) looks like a place for secrets; such files are never read."""
    return _SECRET.search(path) is not None


def is_wanted(path: str) -> bool:
    """Whether edits of this file are part of the history."""
    return path.endswith((".py", ".pyi")) and _SECRET.search(path) is None


def is_inside(path: str) -> bool:
    """Whether a path out of a Git tree, joined to the root, stays below it on this system.

    Git itself refuses to write other ones, but a tree object made by hand may hold anything.
    """
    parts = path.split("/")
    if any(part in _UNSAFE_PARTS or part.lower() == ".git" for part in parts):
        return False
    return os.sep == "/" or not any("\\" in part or ":" in part for part in parts)


def decode_path(path: bytes) -> str:
    """A path out of Git as text that can be printed, stored and sent; bytes that are not UTF-8 become ``\\xNN``."""
    return path.decode("utf-8", "backslashreplace")

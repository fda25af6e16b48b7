"""Which paths of a repository are read: regular source files that do not look like a place for secrets.

Paths of a repository have ``/`` on every system. What Windows makes of some names (a device, another stream, another
file) is known here, whatever the system.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Final

from codewm_lsp.source.languages import LANGUAGES, SUFFIXES, is_source

_SECRET: Final = re.compile(
    r"(?:^|/)(?:\.env[^/]*|\.ssh|\.aws|\.gnupg"
    rf"|(?:secrets?|credentials?|passwords?)(?:{'|'.join(map(re.escape, SUFFIXES))}))(?:/|$)",
    re.IGNORECASE,
)
PATHSPECS: Final = tuple(f"*{suffix}" for suffix in SUFFIXES)
"""What Git is asked for, to name the files that may be wanted."""

DEFAULT_EXCLUDE: Final = (
    "**/node_modules/**",
    *(glob for language in LANGUAGES for glob in language.conventions.excluded),
)
"""Globs of files that are left alone unless something else is said."""

_UNSAFE_PARTS: Final = frozenset({"", ".", ".."})
_WINDOWS: Final = os.name == "nt"
_LONG: Final = 240  # characters of a path that Windows takes without further ado, less room for what is appended
_FORBIDDEN: Final = re.compile(r'[\\:*?"<>|\x00-\x1f]|[ .]$')  # in a name on Windows
_DEVICE: Final = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³]) *(?:\.|$)", re.IGNORECASE)


def is_secret(path: str) -> bool:
    """Whether the path (with ``/``) looks like a place for secrets; such files are never read."""
    return _SECRET.search(path) is not None


def is_wanted(path: str) -> bool:
    """Whether edits of this file are part of the history."""
    return is_source(path) and _SECRET.search(path) is None


def is_inside(path: str) -> bool:
    """Whether a path out of a Git tree, joined to the root, stays below it on this system.

    Git itself refuses to write other ones, but a tree object made by hand may hold anything.
    """
    parts = path.split("/")
    if any(part in _UNSAFE_PARTS or part.lower() == ".git" for part in parts):
        return False
    return not _WINDOWS or all(map(is_name_on_windows, parts))


def is_name_on_windows(name: str) -> bool:
    """Whether Windows has files of this name, and takes it for no other file (``git~1``) and no device (``nul.py``)."""
    return not _FORBIDDEN.search(name) and not _DEVICE.match(name) and name.lower() != "git~1"


def to_open(path: str) -> str:
    """An absolute path of this system as it can be opened, however long it is."""
    if not _WINDOWS or len(path) < _LONG or path.startswith("\\\\?\\"):
        return path
    return f"\\\\?\\UNC\\{path[2:]}" if path.startswith("\\\\") else f"\\\\?\\{path}"


class RealPaths:
    """Where paths lead at one moment, symbolic links followed; each folder is looked at once."""

    def __init__(self, realpath: Callable[[str], str]) -> None:
        """``realpath``: the system's, which is asked about links, and about paths that are not of this form."""
        self._realpath = realpath
        self._known: dict[str, str] = {}

    def of(self, path: str) -> str:
        """What ``os.path.realpath`` says of a path."""
        if _WINDOWS or not path.startswith("/") or not _UNSAFE_PARTS.isdisjoint(path[1:].split("/")):
            return self._realpath(path)
        known = self._known.get(path)
        if known is None:
            folder, _, name = path.rpartition("/")
            above = self.of(folder) if folder else ""
            known = f"{above.rstrip('/')}/{name}"
            if os.path.islink(known):
                known = self._realpath(known)
            self._known[path] = known
        return known


def decode_path(path: bytes) -> str:
    """A path out of Git as text that can be printed, stored and sent; bytes that are not UTF-8 become ``\\xNN``."""
    return path.decode("utf-8", "backslashreplace")


def exact_path(name: bytes) -> str | None:
    """A path out of Git by which the file system can be asked for a file that is wanted; None for any other."""
    try:
        path = name.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return path if is_wanted(path) and is_inside(path) else None

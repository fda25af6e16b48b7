"""Where the repositories of stores lie on this machine, as far as they were put into one from here."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from codewm_lsp.folders import cache_folder

_FILE: Final = "repositories.json"


def elsewhere(cache: Path | None) -> dict[str, Path]:
    """The folders of repositories, by key."""
    file = _file(cache)
    if file is None:
        return {}
    with suppress(OSError, ValueError):
        found = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return {key: Path(path) for key, path in found.items() if isinstance(path, str)}
    return {}


def remember(cache: Path | None, key: str, path: Path) -> None:
    """Note where a repository lies."""
    file = _file(cache)
    if file is None:
        return
    known = {name: str(place) for name, place in elsewhere(cache).items()}
    known[key] = str(path)
    with suppress(OSError):  # it only saves the user a look for the diff
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f"{file.name}.{os.getpid()}")
        temporary.write_text(json.dumps(known), encoding="utf-8", newline="\n")
        temporary.replace(file)


def _file(cache: Path | None) -> Path | None:
    folder = cache_folder() if cache is None else cache
    return None if folder is None else folder / _FILE

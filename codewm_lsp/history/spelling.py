"""How Git spells a path that an editor names otherwise: in another case, or with letters composed in another way.

On Windows and macOS both mean the same file, in Git's trees they do not.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_OTHER_CASE: Final = "hEAD"


def ignores_case(git_dir: Path) -> bool:
    """Whether the file system there finds a file by a name of another case: ``HEAD`` is in every Git folder."""
    return (git_dir / _OTHER_CASE).exists()


def folded(path: str) -> str:
    """The same for all spellings that such a file system takes for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def spellings(paths: Iterable[str]) -> dict[str, str]:
    """Folded path → path; without those that differ only in case, which such a file system cannot hold together."""
    found: dict[str, str] = {}
    twice: set[str] = set()
    for path in paths:
        key = folded(path)
        if found.setdefault(key, path) != path:
            twice.add(key)
    return {key: path for key, path in found.items() if key not in twice}


def below(full: str, root: str) -> str | None:
    """``full`` relative to ``root``, with ``/``, whatever the case of either; None when it is not below it."""
    parts, beginning = Path(full).parts, Path(root).parts
    if len(parts) <= len(beginning) or list(map(folded, parts[: len(beginning)])) != list(map(folded, beginning)):
        return None
    return "/".join(parts[len(beginning) :])

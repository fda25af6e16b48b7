"""Files that list repositories, one folder per line."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

from codewm_lsp.errors import OptionError

_LONGEST_LIST: Final = 16 << 20


def listed(file: Path) -> list[tuple[str, Path]]:
    """The repositories that a file lists, each with where it says so. Empty lines and those that begin with # do not
    count; paths are relative to the file. Raises OptionError."""
    try:
        if file.stat().st_size > _LONGEST_LIST:
            raise OptionError(f"{file} is too large for a list of repositories ({_LONGEST_LIST >> 20} MB at most).")
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise OptionError(f"{file} cannot be read as a list of repositories: {reason}.") from error
    found = []
    for number, line in enumerate(lines, 1):
        named = line.strip()
        if named and not named.startswith("#"):
            path = Path(named)
            with suppress(RuntimeError):  # ~ of nobody: a folder that is not there
                path = path.expanduser()
            found.append((f"{file.name}:{number}", file.parent / path))
    if not found:
        raise OptionError(f"{file} lists no repository. Write one folder per line.")
    return found

"""The folders that commands write to: empty ones, or those they have made themselves; nothing of anyone else's."""

from __future__ import annotations

import json
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from codewm_lsp.errors import OptionError

MARKER: Final = ".codewm-output.json"
"""Says which command made a folder."""

_MOST_BYTES: Final = 4_096
_LEFT_BY_SYSTEMS: Final = {".DS_Store", "Thumbs.db", "desktop.ini"}  # an empty folder may hold them
_SHOWN: Final = 3


def claim(
    folder: Path,
    maker: str,
    *,
    also: Sequence[str] = (),
    results: Sequence[str] = (),
    unmarked: Sequence[str] = (),
    overwrite: bool = True,
) -> None:
    """Make ``folder``, or make sure that ``maker`` may write to it: it is empty, or marked as its own.

    ``also``: other commands whose folders it may write to. ``results``: files that say that the work in the folder is
    finished; it is replaced only with ``overwrite``. ``unmarked``: files of which one tells the command's own folder
    where an earlier version, which set no mark, has made it. Raises OptionError, and has then changed nothing.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        names = sorted(entry.name for entry in folder.iterdir() if entry.name not in _LEFT_BY_SYSTEMS)
        owner = _owner(folder) if MARKER in names else ""
        if not owner and any(name in names for name in unmarked):
            owner = maker
        if names and not owner:
            shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
            raise OptionError(
                f"--output {folder} holds files that {maker} did not write ({shown}). Choose a new or an empty folder"
            )
        if owner and owner not in (maker, *also):
            raise OptionError(f"--output {folder} belongs to {owner}, not to {maker}. Choose another folder")
        if not overwrite and any(name in names for name in results):
            raise OptionError(
                f"--output {folder} holds a finished result of {owner}. Choose another folder, or replace it "
                "with --overwrite"
            )
        if MARKER not in names:
            text = json.dumps({"format": 1, "made_by": maker}) + "\n"
            (folder / MARKER).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise OptionError(
            f"--output {folder} cannot be written to ({error.strerror or error}). Choose another folder"
        ) from error


def _owner(folder: Path) -> str:
    """The command whose mark a folder bears, "" when the mark is none."""
    mark = folder / MARKER
    if not stat.S_ISREG(mark.stat().st_mode):
        return ""
    with mark.open("rb") as file:
        text = file.read(_MOST_BYTES + 1)
    try:
        record = json.loads(text.decode("utf-8")) if len(text) <= _MOST_BYTES else None
    except (ValueError, RecursionError):
        return ""
    made_by = record.get("made_by") if isinstance(record, dict) else None
    return made_by if isinstance(made_by, str) else ""

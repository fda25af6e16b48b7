"""Named pipes and devices in place of files that Git opens: it would wait for them for ever."""

from __future__ import annotations

import os
import stat
from typing import Final

from codewm_lsp.errors import RepositoryError
from codewm_lsp.history.location import Location

_NOT_READ: Final = frozenset({"hooks", "lfs", "logs", "modules", "worktrees"})  # folders of a Git folder
_MOST: Final = 50_000  # entries looked at


def refuse_special_files(location: Location) -> None:
    """Raise ``RepositoryError`` where a file of the Git folder is none that can be read to its end.

    Of a very large folder a part is looked at; the time limits of ``git_process`` are for the rest, and for what comes
    later.
    """
    folders = list(dict.fromkeys((str(location.git_dir), str(location.common_dir))))
    seen = set(folders)
    left = _MOST
    for folder in folders:  # grows
        try:
            entries = os.scandir(folder)
        except OSError:
            continue
        with entries:
            for entry in entries:
                left -= 1
                if left < 0:
                    return
                if entry.is_file():
                    continue
                if entry.is_dir():
                    real = os.path.realpath(entry.path) if entry.is_symlink() else entry.path
                    if real not in seen and (folder not in folders[:2] or entry.name not in _NOT_READ):
                        seen.add(real)
                        folders.append(real)
                elif _waits(entry):
                    raise RepositoryError(
                        f"{entry.path} is a named pipe or a device, which Git would wait for. Remove it, or clone the "
                        "repository again."
                    )


def _waits(entry: os.DirEntry[str]) -> bool:
    try:
        mode = entry.stat().st_mode
    except OSError:
        return False  # gone, or a link to nothing
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISBLK(mode)

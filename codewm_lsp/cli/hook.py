"""``codewm forgotten --install-hook``: a Git hook that speaks before a commit, and keeps none from being made."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from codewm_lsp.errors import OptionError

if TYPE_CHECKING:
    from codewm_lsp.history import Repository

LINE: Final = "command -v codewm >/dev/null 2>&1 && codewm forgotten --staged --quiet"
_HOOK: Final = f"""#!/bin/sh
# Lists files that usually change with the staged ones but are not staged. It never blocks a commit.
{LINE}
exit 0
"""


def install(repository: Repository) -> Path:
    """Write the hook ``pre-commit``; its path.

    Nothing that is there is overwritten, and nothing is written outside the repository's Git folder: ``OptionError``
    then says which line to add where.
    """
    folder = repository.hooks
    hook = folder / "pre-commit"
    if not _is_below(folder, repository.common_dir):
        raise OptionError(
            f"This repository keeps its hooks in {folder} (core.hooksPath), where CodeWM does not write. "
            f"Add this line to {hook.name} there:\n  {LINE}"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(hook, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o777)
    except FileExistsError as error:
        if hook.is_file() and LINE in hook.read_bytes().decode("utf-8", "replace"):
            return hook
        raise OptionError(
            f"There already is a hook, {hook}, and it was not changed. Add this line to it:\n  {LINE}"
        ) from error
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
        file.write(_HOOK)
    return hook


def _is_below(folder: Path, outer: Path) -> bool:
    return os.path.realpath(folder).startswith(os.path.realpath(outer) + os.sep)

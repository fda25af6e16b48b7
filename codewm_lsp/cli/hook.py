"""``codewm forgotten --install-hook``: a Git hook that speaks before a commit, and keeps none from being made."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import sysconfig
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from codewm_lsp.errors import OptionError

if TYPE_CHECKING:
    from codewm_lsp.history import Repository

_HOOK: Final = """#!/bin/sh
# Lists files that usually change with the staged ones but are not staged. It never blocks a commit.
{line}
exit 0
"""
_CALL: Final = "forgotten --staged --quiet"
_LINE: Final = rf"[^\n]*\bcodewm\b[^\n]*{_CALL}[^\n]*"  # whichever version wrote it, for whichever environment
_ALONE: Final = re.compile(_LINE.join(map(re.escape, _HOOK.split("{line}"))))
_NOTES: Final = "hooks.json"


def line() -> str:
    """What a hook runs: the ``codewm`` on the path, else the one of this environment, which may not be active then.

    Where neither is there, the shell says so.
    """
    return f'"$(command -v codewm || echo {shlex.quote(_program())})" {_CALL} || :'


def _program() -> str:
    """This program's file; "codewm" where that is not known."""
    folder, suffix = sysconfig.get_path("scripts"), sysconfig.get_config_var("EXE") or ""
    places = [Path(folder, f"codewm{suffix}"), Path(sys.argv[0]).absolute()]
    return next((one.as_posix() for one in places if one.stem == "codewm" and one.is_file()), "codewm")


def install(repository: Repository, cache: Path | None) -> Path:
    """Write the hook ``pre-commit``; its path, which is noted in the folder of the indexes.

    Nothing that is there is overwritten, but for what an earlier call wrote, and nothing is written outside the
    repository's Git folder: ``OptionError`` then says which line to add where.
    """
    folder = repository.hooks
    hook = folder / "pre-commit"
    if not _is_below(folder, repository.common_dir):
        raise OptionError(
            f"This repository keeps its hooks in {folder} (core.hooksPath), where CodeWM does not write. "
            f"Add this line to {hook.name} there:\n  {line()}"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(hook, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o777)
    except FileExistsError as error:
        text = _text(hook)
        if re.search(_LINE, text):
            if _ALONE.fullmatch(text) and text != _hook() and not hook.is_symlink():
                hook.write_text(_hook(), encoding="utf-8", newline="\n")
            _note(hook, cache)
            return hook
        raise OptionError(
            f"There already is a hook, {hook}, and it was not changed. Add this line to it:\n  {line()}"
        ) from error
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
        file.write(_hook())
    _note(hook, cache)
    return hook


def _hook() -> str:
    return _HOOK.replace("{line}", line())


def installed(cache: Path) -> dict[Path, bool]:
    """The hooks noted in a folder of indexes that still ask CodeWM, and whether they do nothing else."""
    return {hook: _ALONE.fullmatch(text) is not None for hook in _noted(cache) if re.search(_LINE, text := _text(hook))}


def _text(hook: Path) -> str:
    """What stands in a hook, in whatever encoding; nothing where there is none that can be read."""
    with suppress(OSError):
        return hook.read_bytes().decode("utf-8", "replace") if hook.is_file() else ""
    return ""


def _noted(cache: Path) -> list[Path]:
    with suppress(OSError, ValueError):
        found = json.loads((cache / _NOTES).read_text(encoding="utf-8"))
        return [Path(hook) for hook in found if isinstance(hook, str)] if isinstance(found, list) else []
    return []


def _note(hook: Path, cache: Path | None) -> None:
    known = _noted(cache) if cache is not None else []
    if cache is None or hook.absolute() in known:
        return
    with suppress(OSError):  # `codewm clean` then does not name it
        cache.mkdir(parents=True, exist_ok=True)
        temporary = cache / f"{_NOTES}.{os.getpid()}"
        temporary.write_text(json.dumps([*map(str, known), str(hook.absolute())]), encoding="utf-8", newline="\n")
        temporary.replace(cache / _NOTES)


def _is_below(folder: Path, outer: Path) -> bool:
    return os.path.realpath(folder).startswith(os.path.realpath(outer) + os.sep)

"""``codewm clean``: what CodeWM has written on this machine, listed and removed. Only files of its own names."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from codewm_lsp.cli.explore_command import FOLDER
from codewm_lsp.cli.hook import installed
from codewm_lsp.errors import OptionError
from codewm_lsp.folders import cache_folder, log_folder, usual_cache_folder
from codewm_lsp.installation import this_installation
from codewm_lsp.logs import is_log
from codewm_lsp.records import dataclass

if TYPE_CHECKING:
    from codewm_lsp.index import Leftover

_REPOSITORY: Final = re.compile(r"[0-9a-f]{16}")
_PAGE: Final = re.compile(r"index\.html(\.new)?|\.codewm-output\.json")
_PLACES: Final = re.compile(r"(repositories|hooks)\.json(\.\d+)?")
_MEASURED: Final = re.compile(r".+-[0-9a-f]{20}\..+")
_DIFFS: Final = re.compile(r"codewm-[a-z0-9_]{8}")


@dataclass(frozen=True, slots=True)
class Written:
    """Files of one kind below one folder."""

    what: str
    folder: Path
    files: tuple[Path, ...]

    @property
    def size(self) -> int:
        """Bytes of all of them."""
        return sum(_size(file) for file in self.files)


def written(cache: Path | None) -> list[Written]:
    """All that is there: indexes, hidden edits, what `codewm eval` keeps, logs, and diffs of servers that were killed.

    ``cache``: the folder named by the user, looked through beside the usual one.
    """
    from codewm_lsp.index.store import is_own_name

    found: list[Written] = []
    for folder in _cache_folders(cache):
        indexes = [
            *_files(folder, _PLACES.fullmatch),
            *(file for below in _folders(folder, _REPOSITORY.fullmatch) for file in _files(below, is_own_name)),
        ]
        pages = [
            file
            for below in _folders(folder, _REPOSITORY.fullmatch)
            for page in _folders(below, FOLDER.__eq__)
            for file in _files(page, _PAGE.fullmatch)
        ]
        measured = [
            file
            for kind in _folders(folder / "evaluation", re.compile(r"[a-z-]+").fullmatch)
            for file in _files(kind, _MEASURED.fullmatch)
        ]
        found.append(Written("pages of codewm explore", folder, tuple(pages)))  # in the folders of the indexes
        found.append(Written("indexes and hidden edits", folder, tuple(indexes)))
        found.append(Written("evaluation results", folder / "evaluation", tuple(measured)))
    logs = log_folder()
    if logs is not None:
        found.append(Written("logs", logs, tuple(_files(logs, is_log))))
    temporary = Path(tempfile.gettempdir())
    diffs = [
        file
        for folder in _folders(temporary, _DIFFS.fullmatch)
        if os.access(folder, os.W_OK)  # not another user's
        for file in _files(folder, bool)
    ]
    found.append(Written("temporary diffs", temporary, tuple(diffs)))
    return [one for one in found if one.files]


def unused(cache: Path | None) -> list[Leftover]:
    """The indexes, and files of such, that will not be read again."""
    from codewm_lsp.index import leftovers

    return [found for folder in _cache_folders(cache) for found in leftovers(folder, patient=False)]


def clean_unused(cache: Path | None, *, dry_run: bool) -> None:
    """List the indexes that will not be read again, and remove them: nothing is lost by it, so nobody is asked.

    Raises OptionError where something could not be removed.
    """
    from codewm_lsp.cli.report import Reporter, consoles
    from codewm_lsp.index import remove

    out, _ = consoles()
    say = Reporter(out).line
    found = unused(cache)
    for one in found:
        say(f"{one.why:45}{one.days:5,} days {one.bytes / 1e6:9,.1f} MB  ", (str(one.path), "cyan"))
    _say_why_both(say, cache, [one.path.parent for one in found])
    if not found:
        say("Nothing to remove: every index is in use.")
    elif dry_run:
        say("Nothing was removed. Run `codewm clean --unused` to remove them.")
    else:
        kept = [one.path for one in found if not remove(one)]
        if kept:
            raise OptionError(
                f"{len(kept)} files could not be removed, such as {kept[0]}. Close your editor and run "
                "`codewm clean --unused` again."
            )
        say("Removed.")


def clean(cache: Path | None, *, dry_run: bool, sure: bool) -> None:
    """List what is there, ask unless ``sure``, and remove it with the folders that it leaves empty.

    Raises OptionError where nobody can be asked, or where something could not be removed.
    """
    from codewm_lsp.cli.report import Reporter, consoles

    out, _ = consoles()
    say = Reporter(out).line
    found = written(cache)
    if not found:
        say("Nothing to remove.")
        return
    for one in found:
        say(f"{one.what:25}{len(one.files):6,} files {one.size / 1e6:9,.1f} MB  ", (str(one.folder), "cyan"))
    _say_why_both(say, cache, [one.folder for one in found])
    hooks = {hook: alone for folder in _cache_folders(cache) for hook, alone in installed(folder).items()}
    if hooks:
        say("Git hooks that run CodeWM are not removed; without it they only say that it is missing. To remove them:")
        for hook, alone in hooks.items():
            say("  " + ("delete " if alone else "delete the line with `codewm forgotten` from "), (str(hook), "cyan"))
    if dry_run:
        say("Nothing was removed. Run `codewm clean` to remove these files.")
        return
    if not sure and not _agreed():
        say("Nothing was removed.")
        return
    kept = [file for one in found for file in one.files if not _removed(file)]
    for one in found:
        _remove_empty({file.parent for file in one.files}, one.folder)
    if kept:
        raise OptionError(
            f"{len(kept)} files could not be removed, such as {kept[0]}. Close your editor and run `codewm "
            "clean` again."
        )
    command = this_installation().removing()
    say(f"Removed. To uninstall CodeWM itself, run `{command}` and remove the extension from your editor.")


def _cache_folders(cache: Path | None) -> list[Path]:
    return [folder for folder in dict.fromkeys((cache or cache_folder(), usual_cache_folder())) if folder is not None]


def _say_why_both(say: Callable[[str], None], cache: Path | None, listed: Sequence[Path]) -> None:
    """Where a folder was chosen for the indexes, why the usual one is listed beside it."""
    usual, folders = usual_cache_folder(), _cache_folders(cache)
    if len(folders) > 1 and usual is not None and any(folder == usual or usual in folder.parents for folder in listed):
        say(f"{usual} is listed because CodeWM keeps indexes there without CODEWM_CACHE and --cache.")


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise OptionError("Nothing was removed, as there is no terminal to ask in. Run `codewm clean --yes`.")
    sys.stdout.write("Remove all of it? Hidden edits will be shown again. [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _folders(folder: Path, wanted: Callable[[str], object]) -> Iterator[Path]:
    for entry in _entries(folder):
        if wanted(entry.name) and entry.is_dir(follow_symlinks=False):
            yield Path(entry.path)


def _files(folder: Path, wanted: Callable[[str], object]) -> Iterator[Path]:
    for entry in _entries(folder):
        if wanted(entry.name) and entry.is_file(follow_symlinks=False):
            yield Path(entry.path)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with suppress(OSError), os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)
    return []


def _size(file: Path) -> int:
    with suppress(OSError):
        return file.lstat().st_size
    return 0


def _removed(file: Path) -> bool:
    with suppress(OSError):
        file.unlink(missing_ok=True)
        return True
    return False


def _remove_empty(folders: set[Path], top: Path) -> None:
    """Remove these folders where they are empty, and ``top`` where it bears our name."""
    for folder in sorted(folders - {top}, key=lambda one: len(one.parts), reverse=True):
        with suppress(OSError):
            folder.rmdir()
    if top.name in ("codewm", "evaluation", "log", "Logs", "Cache") and top != Path(tempfile.gettempdir()):
        for folder in (top, top.parent):
            if folder == top or folder.name == "codewm":
                with suppress(OSError):
                    folder.rmdir()

"""A path → the Git repository it is in, found without running anything."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

from codewm_lsp.errors import RepositoryError
from codewm_lsp.records import dataclass

_REACHES_NETWORK: Final = os.name == "nt"  # there a path may name another machine, which is told who asks


@dataclass(frozen=True, slots=True)
class Location:
    """Where a repository lies: its work tree (None: bare), its own Git folder, and the one its worktrees share."""

    root: Path | None
    git_dir: Path
    common_dir: Path


def locate(path: Path) -> Location:
    """The innermost repository that ``path`` (a file or folder, existing or about to) is in; that of its target, where
    there is a symbolic link on the way.

    Raises ``RepositoryError`` where there is none.
    """
    given = Path(os.path.abspath(path))
    real = Path(os.path.realpath(given))
    found = _upwards(real)
    if found is not None and real != given:  # named as the user does, where that is the same
        with contextlib.suppress(RepositoryError):
            named = _upwards(given)
            if named is not None and os.path.realpath(named.git_dir) == os.path.realpath(found.git_dir):
                found = named
    if found is None:
        raise RepositoryError(
            f"{given} is not inside a Git repository. Choose another folder, or run `git init` and commit there first."
        )
    return found


def _upwards(start: Path) -> Location | None:
    for folder in (start, *start.parents):
        inner = folder / ".git"
        if inner.is_dir() and _is_git_dir(inner):
            return _location(folder, inner)
        if inner.is_file():
            return _location(folder, _linked(inner))
        if _is_git_dir(folder):
            return _location(folder.parent if folder.name == ".git" else None, folder)
    return None


def _location(root: Path | None, git_dir: Path) -> Location:
    common = git_dir
    pointer = git_dir / "commondir"
    if pointer.is_file():
        line = _first_line(pointer)
        _stay_here(line, pointer)
        common = git_dir / line
    alternates = common / "objects" / "info" / "alternates"
    if _REACHES_NETWORK and alternates.is_file():
        for other in alternates.read_bytes()[: 1 << 20].splitlines():
            _stay_here(os.fsdecode(other), alternates)
    return Location(root, git_dir, Path(os.path.realpath(common)))


def _stay_here(path: str, file: Path) -> None:
    """Refuse a path of a repository's own files that leads to another machine, unless the repository lies on one."""
    network = ("\\\\", "//")
    if _REACHES_NETWORK and path.strip().strip('"').startswith(network) and not str(file).startswith(network):
        raise RepositoryError(
            f"{file} refers to another machine ({path.strip()[:200]!r}), which CodeWM does not contact. "
            "If you trust it, make a full clone: `git clone --dissociate`."
        )


def _linked(file: Path) -> Path:
    """The folder that a ``.git`` file (of a worktree or a submodule) points at."""
    line = _first_line(file)
    _stay_here(line[len("gitdir:") :], file)
    target = file.parent / line[len("gitdir:") :].strip()
    if not line.startswith("gitdir:") or not _is_git_dir(target):
        raise RepositoryError(
            f"{file} does not point to a Git folder ({line[:200]!r}). If the repository was moved, run "
            "`git worktree repair` or `git submodule update --init` in it."
        )
    return Path(os.path.normpath(target))


def is_repository(folder: Path) -> bool:
    """Whether a folder is the work tree of a repository: a clone, a worktree or a submodule."""
    inner = folder / ".git"
    return inner.is_file() or (inner.is_dir() and _is_git_dir(inner))


def _is_git_dir(folder: Path) -> bool:
    head = folder / "HEAD"
    if not head.is_file() and not head.is_symlink():  # to a branch, as old versions wrote it; packed, it leads nowhere
        return False
    return (folder / "commondir").is_file() or ((folder / "objects").is_dir() and (folder / "refs").is_dir())


def _first_line(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return os.fsdecode(stream.readline(8192)).rstrip("\r\n")
    except OSError as error:
        raise RepositoryError(f"{file} cannot be read: {error.strerror}. Check its permissions.") from error

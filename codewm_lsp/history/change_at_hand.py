"""The change that somebody is about to commit, or to have reviewed: which files of any kind it touches.

No file's filters are run, as ``git status`` would: a file of the work tree counts as changed when it is not, byte for
byte, what Git's index has.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from codewm_lsp.errors import RepositoryError
from codewm_lsp.history.changed_files import FileEvent
from codewm_lsp.history.every_file import is_by_hand
from codewm_lsp.history.git_process import PATIENT_SECONDS, HardenedGit
from codewm_lsp.history.location import Location
from codewm_lsp.history.paths import decode_path, is_inside, to_open

_REGULAR: Final = (b"10", b"00")
_LARGEST: Final = 8 << 20  # bytes of a file that is compared with what Git has
_RAW: Final = ("-z", "--raw", "--no-abbrev", "--no-renames")


@dataclass(frozen=True, slots=True)
class ChangeAtHand:
    """``files``: what happens to each, by path. ``others``: how many more change that are no person's work (lock files,
    images). ``past``: the commit whose history is the past, None before the first one."""

    files: dict[str, FileEvent]
    others: int
    past: str | None


def staged(git: HardenedGit, head: str | None) -> ChangeAtHand:
    """What Git's index has that ``head`` has not."""
    if head is None:
        names = git.output("ls-files", "-z", "--cached", files=True, seconds=PATIENT_SECONDS).split(b"\0")
        paths = [decode_path(name) for name in names if name]
        by_hand = [path for path in paths if is_by_hand(path)]
        return ChangeAtHand(dict.fromkeys(by_hand, FileEvent.ADDED), len(paths) - len(by_hand), None)
    out = git.output("diff-index", "--cached", *_RAW, head, "--", files=True, seconds=PATIENT_SECONDS)
    return _of(_entries(out), head)


def in_work_tree(git: HardenedGit, location: Location, head: str | None) -> ChangeAtHand:
    """What is staged, and what differs from Git's index in files that it has."""
    known = staged(git, head)
    out = git.output("diff-files", *_RAW, "--ignore-submodules", files=True, seconds=PATIENT_SECONDS, expected=True)
    files = dict(known.files)
    for path, event, blob in _entries(out):
        if not is_by_hand(path) or not is_inside(path):
            continue
        if event is FileEvent.REMOVED or _differs(os.path.join(str(location.root), *path.split("/")), blob):
            files[path] = FileEvent.ADDED if files.get(path) is FileEvent.ADDED else event
    return ChangeAtHand(files, known.others, head)


def between(git: HardenedGit, base: str, head: str) -> ChangeAtHand:
    """What ``head`` has that it had not where it left ``base``; both are full ids."""
    status, out, _ = git.run("merge-base", base, head)
    if status:
        raise RepositoryError(
            f"{base[:12]} and {head[:12]} have no commit in common here. Fetch the whole history: `git fetch "
            "--unshallow`, or `fetch-depth: 0` of actions/checkout."
        )
    common = out.decode("ascii").split()[0]
    changed = git.output("diff-tree", "-r", *_RAW, common, head, "--", seconds=PATIENT_SECONDS)
    return _of(_entries(changed), common)


def _of(entries: Iterator[tuple[str, FileEvent, str]], past: str) -> ChangeAtHand:
    files: dict[str, FileEvent] = {}
    others = 0
    for path, event, _ in entries:
        if is_by_hand(path):
            files[path] = event
        else:
            others += 1
    return ChangeAtHand(files, others, past)


def _entries(data: bytes) -> Iterator[tuple[str, FileEvent, str]]:
    """Path, what happened, and the blob before, of each regular file in the raw output of Git's diffs."""
    fields = iter(data.split(b"\0"))
    for field in fields:
        if not field.startswith(b":"):
            continue
        old_mode, new_mode, old, _, status = field[1:].split(b" ")
        path = decode_path(next(fields))
        if old_mode.startswith(_REGULAR) and new_mode.startswith(_REGULAR):
            event = {b"A": FileEvent.ADDED, b"D": FileEvent.REMOVED}.get(status[:1], FileEvent.MODIFIED)
            yield path, event, old.decode("ascii")


def _differs(file: str, blob: str) -> bool:
    """Whether a file is other than a blob; one that cannot be read, or is very large, is taken to be."""
    try:
        full = to_open(file)
        state = os.lstat(full)
        if not stat.S_ISREG(state.st_mode) or state.st_size > _LARGEST:
            return True
        with open(full, "rb") as stream:
            content = stream.read(_LARGEST + 1)
    except (OSError, ValueError):
        return True
    named = hashlib.sha256 if len(blob) == 64 else hashlib.sha1
    return named(b"blob %d\0" % len(content) + content).hexdigest() != blob

"""Which files of any kind each commit changed: what Git tells without a look into a file.

Plumbing only (``rev-list``, ``diff-tree``), as in ``log``. Merges are left out: what they bring, their commits changed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Final, NamedTuple

from codewm_lsp.errors import RepositoryError
from codewm_lsp.history.edits import date_of
from codewm_lsp.history.every_file import is_by_hand
from codewm_lsp.history.git_process import PATIENT_SECONDS, HardenedGit
from codewm_lsp.history.paths import decode_path

MOST_COMMITS: Final = 10_000
"""The newest commits that are looked at: what was usual before may be so no more."""

MOST_FILES: Final = 60
"""Files of a commit that says something of which go together; larger ones are formatting, moves, vendoring."""

_HEAD: Final = re.compile(rb"(?:(?<=\0)|\A)\n?[0-9a-f]{40}(?:[0-9a-f]{24})?\0-?\d+\0")
"""What is said of a commit first: no path is followed by a number."""
_MOST_BYTES: Final = 256 << 20
TOO_LONG: Final = "Git takes too long to say which files the history changed."
_REGULAR: Final = (b"10", b"00")  # what a side of a regular file may be: a file, or nothing


class FileEvent(str, Enum):
    """What a commit did to a file."""

    ADDED = "added"
    MODIFIED = "modified"
    REMOVED = "removed"


class FileTouch(NamedTuple):
    """A file that a commit changed; ``previous_path`` where it was renamed."""

    path: str
    event: FileEvent
    previous_path: str | None = None


class ChangedFiles(NamedTuple):
    """A commit and the files that it changed; ``date`` in seconds since 1970, ``author`` as ``author_key`` says.

    ``files`` is empty where it changed more than ``MOST_FILES``; its renames are still told.
    """

    sha: str
    author: str
    date: int
    files: tuple[FileTouch, ...]
    renames: tuple[tuple[str, str], ...] = ()


def author_key(email: str) -> str:
    """What stands for an author: the same for the same address, which it does not tell."""
    return hashlib.blake2b(email.strip().lower().encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def changed_files(git: HardenedGit, shas: Sequence[str]) -> tuple[list[ChangedFiles], bool]:
    """The changed files of these commits against their first parents, in their order, without those that change none;
    and whether that is all. Where Git takes long, it is what it has said until then.

    Raises ``RepositoryError`` where Git cannot tell, as in a partial clone, or said nothing in time.
    """
    if not shas:
        return [], True
    process = git.start(
        *("diff-tree", "--stdin", "-z", "-r", "--raw", "--root", "-M100%", "-l400", "--format=%H%x00%at%x00%ae")
    )
    out = bytearray()
    try:
        with process.limit(PATIENT_SECONDS, expected=True):
            process.tell("".join(f"{sha}\n" for sha in shas).encode("ascii"))
            while chunk := process.stdout.read1(1 << 16):
                out += chunk
                if len(out) > _MOST_BYTES:
                    raise RepositoryError("The history changes too many files.")
            status = process.status()
        if status and not process.timed_out:
            raise git.failure("diff-tree", status, process.complaint())
    finally:
        process.close()
    if not process.timed_out:
        return list(_parse(bytes(out))), True
    told = list(_parse(_of_whole_commits(out)))
    if not told:
        raise RepositoryError(TOO_LONG)
    return told, False


def _of_whole_commits(said: bytearray) -> bytes:
    """What was said before the last commit, of which it may not be all."""
    heads = [head.start() for head in _HEAD.finditer(said)]
    return bytes(said[: heads[-1]]) if heads else b""


def _parse(data: bytes) -> Iterator[ChangedFiles]:
    fields = iter(data.split(b"\0"))
    head: tuple[str, str, int] | None = None
    files: list[FileTouch] = []
    renames: list[tuple[str, str]] = []
    for part in fields:
        field = part.strip(b"\n")  # one stands between what is said of a commit and its files
        if not field.startswith(b":"):
            if head is not None:
                yield _commit(head, files, renames)
                head = None
            if not field:
                continue
            date, author = next(fields), next(fields)
            head = field.decode("ascii"), author_key(author.decode("utf-8", "replace")), date_of(date)
            files, renames = [], []
            continue
        old_mode, new_mode, _, _, status = field[1:].split(b" ")
        previous = decode_path(next(fields)) if status[:1] in (b"R", b"C") else None
        path = decode_path(next(fields))
        if not (old_mode.startswith(_REGULAR) and new_mode.startswith(_REGULAR)) or not is_by_hand(path):
            continue
        if previous is not None and status[:1] == b"R":
            renames.append((previous, path))
        event = {b"A": FileEvent.ADDED, b"C": FileEvent.ADDED, b"D": FileEvent.REMOVED}.get(
            status[:1], FileEvent.MODIFIED
        )
        files.append(FileTouch(path, event, previous))
    if head is not None:
        yield _commit(head, files, renames)


def _commit(head: tuple[str, str, int], files: list[FileTouch], renames: list[tuple[str, str]]) -> ChangedFiles:
    kept = tuple(files) if len(files) <= MOST_FILES else ()
    return ChangedFiles(*head, kept, tuple(renames))

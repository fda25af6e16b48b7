"""The history as a stream: which commits there are, and which Python files each changed.

Plumbing only (``rev-list``, ``diff-tree``): unlike ``git log`` it heeds no setting that runs programs or reformats.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from codewm_lsp.display import short
from codewm_lsp.errors import RepositoryError
from codewm_lsp.history.git_process import PATIENT_SECONDS, GitProcess, HardenedGit, LimitError, essence
from codewm_lsp.history.paths import PATHSPECS, decode_path, is_wanted
from codewm_lsp.records import dataclass

_REGULAR: Final = b"10"  # modes 100644 and 100755; not 120000 (symbolic link) and 160000 (submodule)
_PATHSPECS: Final = ("--", *PATHSPECS)
BATCH: Final = 48  # commits asked for at once: fewer bytes than any system's pipe holds (4 KiB)
MOST_PATHS: Final = 300_000
"""Files of the largest tree that is read."""

MOST_LISTED: Final = 256 << 20
"""Bytes of the longest list of files."""

_SECONDS: Final = 5.0  # for one commit; it takes a few milliseconds
_BYTES: Final = 4 << 20  # said of one commit: twenty thousand changed files
_MEMORY: Final = "6m"  # what Git may have at a piece: it collects all changes of a commit before it says one
_CHUNK: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file of a commit: its blobs (None: absent on that side) and the path it had before."""

    path: str
    previous_path: str | None
    before: str | None
    after: str | None


def revisions(git: HardenedGit, rev: str, limit: int | None = None) -> Iterator[str]:
    """Ids of the commits that ``rev`` (a full id) reaches, newest first, merges included, as Git finds them."""
    bound = () if limit is None else (f"--max-count={limit}",)
    process = git.start("rev-list", *bound, rev, "--")
    try:
        rest = b""
        while True:
            with process.limit(PATIENT_SECONDS):
                chunk = process.stdout.read1(_CHUNK)
            if not chunk:
                break
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line.decode("ascii")
        if process.status():
            why = essence(process.complaint()) or "Git does not respond"
            raise RepositoryError(
                f"The history of {short(rev)} cannot be read: {why}. Run `git fsck` in the repository."
            )
    finally:
        process.close()


class DiffTree:
    """Changed Python files of commits against their first parents, by one ``git diff-tree`` for all of them."""

    def __init__(self, git: HardenedGit, *, exact_renames: bool, rename_limit: int = 60) -> None:
        self._git = git
        self._renames = ("-M100%" if exact_renames else "-M", f"-l{rename_limit}")
        self._process: GitProcess | None = None
        self._mark = f"end-{os.urandom(16).hex()}"

    def close(self) -> None:
        """End the process; the next call starts it anew."""
        if self._process is not None:
            self._process.close()
            self._process = None

    def changes(self, shas: Sequence[str]) -> dict[str, list[FileChange]] | None:
        """The changes of each of at most ``BATCH`` commits; None when Git died of one of them (missing objects).

        Raises ``LimitError`` where one of them changes more than anybody wants to know.
        """
        if self._process is None:
            self._process = self._git.start(
                *("diff-tree", "--stdin", "-r", "-z", "--raw", "--no-abbrev", "--root", *self._renames, *_PATHSPECS),
                memory=_MEMORY,
            )
        process = self._process
        try:
            with process.limit(min(len(shas), 4) * _SECONDS, expected=True):
                process.stdin.write("".join(f"{line}\n" for line in (*shas, self._mark)).encode("ascii"))
                process.stdin.flush()
                data = _until(process, self._mark.encode("ascii") + b"\n", len(shas) * _BYTES)
        except OSError:
            process.kill()
            complaint = process.complaint()
            self.close()
            if process.timed_out or "over limit" in complaint:
                raise LimitError("A commit changes too much.") from None
            return None
        except BaseException:
            self.close()  # its answer is left unread
            raise
        found: dict[str, list[FileChange]] = {sha: [] for sha in shas}
        for sha, changes in _parse(data):
            found[sha] = changes
        return found


def _until(process: GitProcess, end: bytes, most: int) -> bytes:
    """The output up to ``end``. Raises OSError where it ends before, LimitError where it is longer than ``most``."""
    pieces = bytearray()
    while not pieces.endswith(end):
        chunk = process.stdout.read1(_CHUNK)
        if not chunk:
            raise OSError("git diff-tree ended")
        pieces += chunk
        if len(pieces) > most:
            raise LimitError("A commit changes too much.")
    return bytes(pieces[: -len(end)])


def _parse(data: bytes) -> Iterator[tuple[str, list[FileChange]]]:
    fields = iter(data.split(b"\0"))
    changes: list[FileChange] = []
    for field in fields:
        if not field.startswith(b":"):
            if field:
                changes = []
                yield field.decode("ascii"), changes
            continue
        old_mode, new_mode, old, new, status = field[1:].split(b" ")
        previous = next(fields) if status[:1] in (b"R", b"C") else None
        path = decode_path(next(fields))
        previous_path = decode_path(previous) if previous is not None else None
        before = old.decode("ascii") if old_mode.startswith(_REGULAR) else None
        after = new.decode("ascii") if new_mode.startswith(_REGULAR) else None
        if previous_path is not None and not is_wanted(previous_path):
            previous_path = before = None
        if (before != after and is_wanted(path)) or (previous_path is not None and is_wanted(path)):
            changes.append(FileChange(path, previous_path, before, after))


Tree: TypeAlias = "Mapping[str, tuple[bytes, str]]"
"""The files of a commit: path as text → path as Git has it, blob."""


def list_tree(git: HardenedGit, rev: str) -> Tree:
    """Wanted regular files of a commit.

    Raises ``LimitError`` where there are more than ``MOST_PATHS``.
    """
    found: dict[str, tuple[bytes, str]] = {}
    for entry in git.records("ls-tree", "-r", "-z", "--full-tree", rev, "--", most=MOST_LISTED):
        head, _, name = entry.partition(b"\t")
        if head.startswith(_REGULAR):
            path = decode_path(name)
            if is_wanted(path):
                found[path] = (name, head.split(b" ")[2].decode("ascii"))
                if len(found) > MOST_PATHS:
                    raise LimitError(
                        f"{short(rev)} has more than {MOST_PATHS:,} Python files, which is too many. "
                        "Open a smaller repository."
                    )
    return found

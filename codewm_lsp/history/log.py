"""The history as a stream: which commits there are, and which Python files each changed.

Plumbing only (``rev-list``, ``diff-tree``): unlike ``git log`` it heeds no setting that runs programs or reformats.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from codewm_lsp.errors import RepositoryError
from codewm_lsp.history.git_process import GitProcess, HardenedGit
from codewm_lsp.history.paths import PATHSPECS, decode_path, is_wanted

_REGULAR: Final = b"10"  # modes 100644 and 100755; not 120000 (symbolic link) and 160000 (submodule)
_PATHSPECS: Final = ("--", *PATHSPECS)
BATCH: Final = 48  # commits asked for at once: fewer bytes than any system's pipe holds (4 KiB)


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
        for line in process.stdout:
            yield line.decode("ascii").strip()
        if process.status():
            raise RepositoryError(
                f"The history of {rev[:12]} cannot be read: {process.complaint()}. Run `git fsck` in the repository."
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
        """The changes of each of at most ``BATCH`` commits; None when Git died of one of them (missing objects)."""
        if self._process is None:
            self._process = self._git.start(
                "diff-tree", "--stdin", "-r", "-z", "--raw", "--no-abbrev", "--root", *self._renames, *_PATHSPECS
            )
        try:
            self._process.stdin.write("".join(f"{line}\n" for line in (*shas, self._mark)).encode("ascii"))
            self._process.stdin.flush()
            data = self._until(self._mark.encode("ascii") + b"\n")
        except OSError:
            self.close()
            return None
        except BaseException:
            self.close()  # its answer is left unread
            raise
        found: dict[str, list[FileChange]] = {sha: [] for sha in shas}
        for sha, changes in _parse(data):
            found[sha] = changes
        return found

    def _until(self, end: bytes) -> bytes:
        assert self._process is not None
        pieces = bytearray()
        while not pieces.endswith(end):
            line = self._process.stdout.readline()
            if not line:
                raise OSError("git diff-tree ended")
            pieces += line
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


def list_tree(git: HardenedGit, rev: str) -> dict[str, tuple[bytes, str]]:
    """Wanted regular files of a commit: path as text → path as Git has it, blob."""
    found: dict[str, tuple[bytes, str]] = {}
    for entry in git.output("ls-tree", "-r", "-z", "--full-tree", rev, "--").split(b"\0"):
        head, _, name = entry.partition(b"\t")
        if head.startswith(_REGULAR):
            path = decode_path(name)
            if is_wanted(path):
                found[path] = (name, head.split(b" ")[2].decode("ascii"))
    return found

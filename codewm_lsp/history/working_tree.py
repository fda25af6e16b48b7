"""The working tree's own edits: unsaved text, unstaged, staged and untracked files, against HEAD.

Files are compared by us, byte for byte: ``git diff`` and ``git status`` would run the clean filters that a
repository configures.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from codewm_lsp.history.edits import Edit, definition_edits
from codewm_lsp.history.git_process import HardenedGit
from codewm_lsp.history.log import list_tree
from codewm_lsp.history.objects import MAX_BLOB, Objects, is_text
from codewm_lsp.history.paths import PATHSPECS, is_inside, is_wanted, to_open
from codewm_lsp.history.spelling import folded, spellings
from codewm_lsp.source import decode, parse_definitions

_RACY_SECONDS: Final = 2.0  # a file this young may change again without its time stamp changing
_RENAME_SIMILARITY: Final = 0.5  # Git's own
_MAX_RENAMES: Final = 50  # files gone, and files new, that are compared with each other


@dataclass(frozen=True, slots=True)
class _Seen:
    size: int
    modified: int
    looked: float
    hashes: tuple[str, ...]


class WorkingTree:
    """Compares the files below ``root`` with a commit; remembers which were looked at."""

    def __init__(self, git: HardenedGit, objects: Objects, root: Path) -> None:
        self._git = git
        self._objects = objects
        self._root = str(root)
        self._real_root = os.path.realpath(root)
        self._lock = threading.Lock()
        self._tree: tuple[str, dict[str, tuple[bytes, str]], dict[bytes, str]] = ("", {}, {})
        self._seen: dict[str, _Seen] = {}
        self._spellings: tuple[str, dict[str, str]] = ("", {})

    def edits(self, head: str | None, unsaved: Mapping[str, str]) -> tuple[Edit, ...]:
        """Edits since ``head`` (None: since nothing), by path. ``unsaved`` text stands for the file of that path."""
        return self.edits_and_texts(head, unsaved)[0]

    def edits_and_texts(
        self, head: str | None, unsaved: Mapping[str, str]
    ) -> tuple[tuple[Edit, ...], dict[str, str | None]]:
        """``edits`` and ``texts`` of one look at the files."""
        with self._lock:
            before, after = self._changed(head, unsaved)
        renames = self._renames(before, after)
        edits: list[Edit] = []
        definitions = self._objects.definitions(blob for blob in before.values() if blob is not None)
        for path in sorted(after.keys() | before.keys()):
            if path in renames.values():
                continue
            origin = renames.get(path, path)
            blob = before.get(origin)
            old = definitions[blob] if blob is not None else ()
            if old is None or isinstance(old, str):
                continue  # nothing to compare with
            text = after.get(path)
            edits.extend(
                definition_edits(
                    path,
                    old,
                    parse_definitions(text) if text else (),
                    previous_path=origin if origin != path else None,
                )
            )
        return tuple(edits), after

    def texts(self, head: str | None, unsaved: Mapping[str, str]) -> dict[str, str | None]:
        """The text of each file that differs from ``head``; None where it is gone."""
        with self._lock:
            return self._changed(head, unsaved)[1]

    def spelled(self, head: str | None, path: str) -> str:
        """``path`` as the commit spells it, where the file system does not care for case."""
        with self._lock:
            tree, _ = self._files(head)
            if path in tree:
                return path
            if self._spellings[0] != (head or ""):
                self._spellings = (head or "", spellings(tree))
            return self._spellings[1].get(folded(path), path)

    def _files(self, head: str | None) -> tuple[dict[str, tuple[bytes, str]], dict[bytes, str]]:
        """The commit's files, and their paths by the bytes that Git has for them; without those that are not UTF-8."""
        if self._tree[0] != (head or ""):
            tree = list_tree(self._git, head) if head is not None else {}
            names = {name: path for path, (name, _) in tree.items() if _exact(name) is not None and is_inside(path)}
            self._tree = (head or "", {path: tree[path] for path in names.values()}, names)
        return self._tree[1:]

    def _changed(
        self, head: str | None, unsaved: Mapping[str, str]
    ) -> tuple[dict[str, str | None], dict[str, str | None]]:
        """Of each file that differs: its blob in the tree, and its text now; None where there is none."""
        tree, names = self._files(head)
        before: dict[str, str | None] = {}
        after: dict[str, str | None] = {}
        sparse: set[str] = set()
        present: dict[str, None] = {}
        listing = self._git.output(
            "ls-files", "-z", "-t", "--cached", "--others", "--exclude-standard", "--", *PATHSPECS
        )
        for entry in listing.split(b"\0"):
            path = names.get(entry[2:]) or _exact(entry[2:])
            if path is not None:
                present[path] = None
                if entry[:1] == b"S":
                    sparse.add(path)
        folders: dict[str, bool] = {}
        for path in {**dict.fromkeys(tree), **present}:
            if path in unsaved:
                continue
            blob = tree[path][1] if path in tree else None
            found = self._read(path, blob, folders)
            if found is _UNCHANGED or found is _UNREADABLE or (found is None and (blob is None or path in sparse)):
                continue
            before[path], after[path] = blob, found
        for path, text in unsaved.items():
            if is_wanted(path) and len(text) <= MAX_BLOB and "\0" not in text:
                text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
                before[path], after[path] = (tree[path][1] if path in tree else None), text
        return before, after

    def _read(self, path: str, blob: str | None, folders: dict[str, bool]) -> str | None:
        """The file's text now; None when it is gone, ``_UNCHANGED`` when it is still that of ``blob``."""
        folder, _, _ = path.rpartition("/")
        if folder not in folders:
            parts = folder.split("/") if folder else []
            real = os.path.realpath(os.path.join(self._root, *parts))
            folders[folder] = os.path.normcase(real) == os.path.normcase(os.path.join(self._real_root, *parts))
        if not folders[folder]:
            return None  # below a symbolic link: not this repository's file
        full = to_open(f"{self._root}{os.sep}{path.replace('/', os.sep)}")
        try:
            status = os.lstat(full)
            if not stat.S_ISREG(status.st_mode):
                return None
            seen = self._seen.get(path)
            if seen is not None and blob in seen.hashes and _same(seen, status):
                return _UNCHANGED
            if status.st_size > MAX_BLOB:
                return _UNREADABLE
            now = time.time()
            with open(full, "rb") as stream:
                data = stream.read(MAX_BLOB + 1)
        except FileNotFoundError:
            return None
        except OSError:
            return _UNREADABLE
        hashes = _hashes(data, len(blob) if blob else 40)
        self._seen[path] = _Seen(status.st_size, status.st_mtime_ns, now, hashes)
        if blob in hashes:
            return _UNCHANGED
        return decode(data) if is_text(data) else _UNREADABLE

    def _renames(self, before: Mapping[str, str | None], after: Mapping[str, str | None]) -> dict[str, str]:
        """New path → old path, where a file that is gone and one that is new have enough lines in common."""
        gone = [path for path in before if after[path] is None][:_MAX_RENAMES]
        new = [path for path in after if before[path] is None][:_MAX_RENAMES]
        if not gone or not new:
            return {}
        old_lines = {path: Counter((self._objects.text(before[path] or "") or "").split("\n")) for path in gone}
        scores: list[tuple[float, str, str]] = []
        for path in new:
            lines = Counter((after[path] or "").split("\n"))
            for origin in gone:
                total = max(lines.total(), old_lines[origin].total())
                score = (lines & old_lines[origin]).total() / total
                if score >= _RENAME_SIMILARITY:
                    scores.append((score, path, origin))
        renames: dict[str, str] = {}
        for _, path, origin in sorted(scores, reverse=True):
            if path not in renames and origin not in renames.values():
                renames[path] = origin
        return renames


_UNCHANGED: Final = "\0unchanged"
_UNREADABLE: Final = "\0unreadable"


def _same(seen: _Seen, status: os.stat_result) -> bool:
    return (
        seen.size == status.st_size
        and seen.modified == status.st_mtime_ns
        and seen.looked - status.st_mtime > _RACY_SECONDS
    )


def _exact(name: bytes) -> str | None:
    """A path whose bytes the file system can be asked for; None when it is not UTF-8, or not wanted."""
    try:
        path = name.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return path if is_wanted(path) and is_inside(path) else None


def _hashes(data: bytes, digits: int) -> tuple[str, ...]:
    """What the blob of these bytes would be called, as they are and with Unix line ends."""
    new = hashlib.sha256 if digits == 64 else hashlib.sha1
    variants = [data, data.replace(b"\r\n", b"\n")] if b"\r\n" in data else [data]
    return tuple(new(b"blob %d\0" % len(variant) + variant).hexdigest() for variant in variants)

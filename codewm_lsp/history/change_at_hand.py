"""The change that somebody is about to commit, or to have reviewed: which files of any kind it touches.

No file's filters are run, as ``git status`` and ``git diff-files`` would: a file of the work tree counts as changed
when its content is not what Git's index has, and one that Git converts when its size is another one as well. Source
files are left to ``working_tree``, which remembers what it has looked at.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Final

from codewm_lsp.display import short
from codewm_lsp.errors import RepositoryError
from codewm_lsp.history.changed_files import MOST_FILES, FileEvent, author_key
from codewm_lsp.history.edits import date_of
from codewm_lsp.history.every_file import is_by_hand
from codewm_lsp.history.git_attributes import conversions
from codewm_lsp.history.git_process import PATIENT_SECONDS, HardenedGit, LimitError
from codewm_lsp.history.listing import NESTED, OWN, Folders, index_entries
from codewm_lsp.history.location import Location
from codewm_lsp.history.objects import is_text
from codewm_lsp.history.paths import PATHSPECS, decode_path, is_inside, to_open
from codewm_lsp.records import dataclass
from codewm_lsp.source import decode

_REGULAR: Final = (b"10", b"00")
_LARGEST: Final = 8 << 20  # bytes of a file that is compared with what Git has
_MOST_READ: Final = 256 << 20  # bytes of files that are compared; of the others their sizes are
_UNTRACKED_SECONDS: Final = 3.0  # for looking through the folders
_NO_SOURCE: Final = tuple(f":(exclude){glob}" for glob in PATHSPECS)
_RAW: Final = ("-z", "--raw", "--no-abbrev", "-M100%", "-l400")
"""Only files that were moved as they are count as renamed, as in ``changed_files``: what is learnt is what is asked."""


@dataclass(frozen=True, slots=True)
class ChangeAtHand:
    """``files``: what happens to each, by path; ``renames``: the old path of those that were moved as they are.

    ``others``: how many more change that are no person's work (lock files, images). ``past``: the commit whose history
    is the past, None before the first one. ``name``: the same while the change grows: the commit it stands on, or the
    first one of a branch. ``author``: whose it is, as ``author_key`` says; ``date`` in Unix seconds. ``blobs``: of each
    of the files.
    """

    files: dict[str, FileEvent]
    others: int
    past: str | None
    name: str
    author: str
    date: int
    renames: dict[str, str] = field(default_factory=dict)
    blobs: dict[str, Blobs] = field(default_factory=dict)

    @property
    def removed(self) -> frozenset[str]:
        """The files that it takes away."""
        return frozenset(path for path, event in self.files.items() if event is FileEvent.REMOVED)


@dataclass(frozen=True, slots=True)
class Blobs:
    """The content of a changed file before and after, by Git's name for it; "" where it is not there. ``after`` is None
    where only the work tree has it."""

    before: str
    after: str | None


@dataclass(frozen=True, slots=True)
class _Entry:
    """A regular file in what one of Git's diffs says."""

    path: str
    event: FileEvent
    blobs: Blobs
    previous: str | None


def index_of_hook(location: Location) -> Path | None:
    """The file with what is about to be committed, where a hook of Git's asks: `git commit -a` has one of its own."""
    named = os.environ.get("GIT_INDEX_FILE")
    if not named or location.root is None:
        return None
    file = Path(location.root, named)
    inside = os.path.realpath(file.parent) == os.path.realpath(location.git_dir)
    return file if inside and file.is_file() and not file.is_symlink() else None


def staged(git: HardenedGit, head: str | None) -> ChangeAtHand:
    """What Git's index has that ``head`` has not."""
    if head is None:
        names = git.output("ls-files", "-z", "--cached", files=True, seconds=PATIENT_SECONDS).split(b"\0")
        paths = [decode_path(name) for name in names if name]
        files = dict.fromkeys(filter(is_by_hand, paths), FileEvent.ADDED)
        return ChangeAtHand(files, len(paths) - len(files), None, "", _committer(git, head), int(time.time()))
    out = git.output("diff-index", "--cached", *_RAW, head, "--", files=True, seconds=PATIENT_SECONDS)
    return _change(out, head, head, _committer(git, head), int(time.time()))


def in_work_tree(
    git: HardenedGit, location: Location, head: str | None, source: Mapping[str, tuple[FileEvent, str]]
) -> ChangeAtHand:
    """What is staged, what differs from Git's index in files that it has, and new files that are not ignored, unless
    there are very many of them. ``source``: what happened to source files that ``head`` has, each with its blob."""
    known = staged(git, head)
    files, blobs = dict(known.files), dict(known.blobs)
    changed = {path: was for path, was in source.items() if is_by_hand(path)}
    for path, (event, blob) in (changed | _unstaged(git, location)).items():
        files[path] = FileEvent.ADDED if files.get(path) is FileEvent.ADDED else event
        blobs[path] = Blobs(blobs[path].before if path in blobs else blob, "" if event is FileEvent.REMOVED else None)
    new = _untracked(git)
    if len(new) <= MOST_FILES:
        files |= dict.fromkeys(new, FileEvent.ADDED)
        blobs |= dict.fromkeys(new, Blobs("", None))
    return ChangeAtHand(files, known.others, head, known.name, known.author, known.date, known.renames, blobs)


def _unstaged(git: HardenedGit, location: Location) -> dict[str, tuple[FileEvent, str]]:
    """What differs from Git's index, of the files that it has, each with the blob that it has of it; source files left
    out."""
    folders = Folders(str(location.root), {}, {})
    written = _written(location.git_dir / "index")
    found: dict[str, tuple[FileEvent, str]] = {}
    touched: dict[str, bool] = {}  # by path, whether it has the size that Git saw
    blobs: dict[str, str] = {}
    left = _MOST_READ
    for path, entry in index_entries(git, decode_path, *_NO_SOURCE).items():
        if not entry.regular or entry.kept_out or not is_by_hand(path) or not is_inside(path):
            continue
        kind = folders.kind(path.rpartition("/")[0])
        state = _state(location, path) if kind == OWN else None
        if kind == NESTED or (state is not None and not stat.S_ISREG(state.st_mode)):
            continue
        if state is None:
            found[path] = FileEvent.REMOVED, entry.blob
            continue
        same_size = state.st_size == entry.size
        if same_size and state.st_mtime_ns == entry.modified < written:
            continue
        left -= state.st_size
        data = _content(location, path) if left >= 0 else None
        if data is not None and entry.blob in (
            _blob(data, entry.blob),
            _blob(data.replace(b"\r\n", b"\n"), entry.blob),
        ):
            continue  # it was touched, and is what it was
        touched[path] = same_size
        blobs[path] = entry.blob
    try:
        converted = conversions(git, list(touched))
    except RepositoryError:
        converted = {}
    for path, same_size in touched.items():
        if not (same_size and converted.get(path)):
            found[path] = FileEvent.MODIFIED, blobs[path]
    return found


def between(git: HardenedGit, base: str, head: str, *, shallow: bool) -> ChangeAtHand:
    """What ``head`` has that it had not where it left ``base``; both are full ids. ``shallow``: whether the clone holds
    only the newest commits."""
    status, out, _ = git.run("merge-base", base, head)
    if status and shallow:
        raise RepositoryError(
            f"{short(base)} and {short(head)} have no commit in common in this shallow clone. Fetch the whole history: "
            "`git fetch --unshallow`, or `fetch-depth: 0` of actions/checkout."
        )
    if status:
        raise RepositoryError(f"{short(base)} and {short(head)} have no commit in common. Choose a base that has one.")
    common = out.decode("ascii").split()[0]
    raw = git.output("diff-tree", "-r", *_RAW, common, head, "--", seconds=PATIENT_SECONDS)
    own = git.output("rev-list", f"{common}..{head}", "--", seconds=PATIENT_SECONDS).decode("ascii").split()
    return _change(raw, common, own[-1] if own else head, *_author(git, head))


def of_commit(git: HardenedGit, sha: str) -> ChangeAtHand:
    """What a commit changed against its first parent, as it was about to be made."""
    raw = git.output("diff-tree", "-r", "--root", "--no-commit-id", *_RAW, sha, "--", seconds=PATIENT_SECONDS)
    return _change(raw, sha, sha, *_author(git, sha))


def _change(raw: bytes, past: str, name: str, author: str, date: int) -> ChangeAtHand:
    entries = list(_entries(raw))
    kept = [entry for entry in entries if is_by_hand(entry.path)]
    return ChangeAtHand(
        {entry.path: entry.event for entry in kept},
        len(entries) - len(kept),
        past,
        name,
        author,
        date,
        {entry.path: entry.previous for entry in kept if entry.previous is not None},
        {entry.path: entry.blobs for entry in kept},
    )


def _committer(git: HardenedGit, head: str | None) -> str:
    """Who commits here: as a hook is told, as the repository or the user's own configuration says, or HEAD's author."""
    known = os.environ.get("GIT_AUTHOR_EMAIL") or git.address_of_the_user()
    if known:
        return author_key(known)
    return _author(git, head)[0] if head is not None else ""


def _author(git: HardenedGit, commit: str) -> tuple[str, int]:
    out = git.output("diff-tree", "-s", "--always", "--root", "--format=%at%x00%ae", commit, "--")
    date, _, email = out.decode("utf-8", "replace").strip().partition("\0")
    return author_key(email), date_of(date)


def _untracked(git: HardenedGit) -> list[str]:
    try:
        out = git.output(
            *("ls-files", "-z", "--others", "--exclude-standard"), files=True, seconds=_UNTRACKED_SECONDS, expected=True
        )
    except LimitError:
        return []
    paths = (decode_path(name) for name in out.split(b"\0") if name and not name.endswith(b"/"))
    return [path for path in paths if is_by_hand(path)]


def _entries(data: bytes) -> Iterator[_Entry]:
    fields = iter(data.split(b"\0"))
    for entry in fields:
        if not entry.startswith(b":"):
            continue
        old_mode, new_mode, old, new, status = entry[1:].split(b" ")
        previous = decode_path(next(fields)) if status[:1] == b"R" else None
        path = decode_path(next(fields))
        if old_mode.startswith(_REGULAR) and new_mode.startswith(_REGULAR):
            event = {b"A": FileEvent.ADDED, b"D": FileEvent.REMOVED}.get(status[:1], FileEvent.MODIFIED)
            yield _Entry(path, event, Blobs(_there(old), _there(new)), previous)


def _there(blob: bytes) -> str:
    return "" if blob.strip(b"0") == b"" else blob.decode("ascii")


def _written(file: Path) -> int:
    """When a file was written, in nanoseconds; 0 where there is none."""
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def _full(location: Location, path: str) -> str:
    return to_open(os.path.join(str(location.root), *path.split("/")))


def _state(location: Location, path: str) -> os.stat_result | None:
    try:
        return os.lstat(_full(location, path))
    except (OSError, ValueError):
        return None


def _content(location: Location, path: str) -> bytes | None:
    """The bytes of a regular file of the work tree; None where it cannot be read, or is very large."""
    try:
        with open(_full(location, path), "rb") as stream:
            data = stream.read(_LARGEST + 1)
    except (OSError, ValueError):
        return None
    return data if len(data) <= _LARGEST else None


def text_in_work_tree(location: Location, path: str) -> str | None:
    """The text of a regular file of the work tree; None where there is none, or it cannot be read."""
    state = _state(location, path) if is_inside(path) else None
    data = _content(location, path) if state is not None and stat.S_ISREG(state.st_mode) else None
    return decode(data) if data is not None and is_text(data) else None


def _blob(content: bytes, like: str) -> str:
    """The name that Git gives a blob, by the hash that ``like`` is one of."""
    named = hashlib.sha256 if len(like) == 64 else hashlib.sha1
    return named(b"blob %d\0" % len(content) + content).hexdigest()

"""Which files of a work tree are the user's: those that Git lists, in the innermost repository.

``git ls-files --cached --others --exclude-standard`` names them: nothing that is ignored, nothing below a symbolic
link, nothing of a submodule, a worktree or a clone within. Untracked trees that a tool made (a virtual environment,
``node_modules``, what ``exclude`` names) are no work of the user's either.

Asked at every pause in typing, so what Git said holds as long as its index, the folders and the patterns are as they
were; where Git needed long to look through the folders, for some time longer than that.
"""

from __future__ import annotations

import logging
import os
import re
import stat
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from codewm_lsp.errors import RepositoryError
from codewm_lsp.history.git_process import PATIENT_SECONDS, HardenedGit, LimitError
from codewm_lsp.history.globs import matches_any
from codewm_lsp.history.location import Location, is_repository
from codewm_lsp.history.paths import PATHSPECS, exact_path, to_open
from codewm_lsp.records import dataclass
from codewm_lsp.source.languages import LANGUAGES

_SOURCE: Final = ("--", *PATHSPECS)
_MADE: Final = tuple(glob for language in LANGUAGES for glob in language.conventions.made)
_MARKS: Final = ("CACHEDIR.TAG", *(mark for language in LANGUAGES for mark in language.conventions.marks))
"""In a folder that a tool made and may delete: a cache, a virtual environment."""

_OTHERS_SECONDS: Final = 3.0  # for looking through the folders; twenty thousand files take a twentieth of one
_AT_ONCE: Final = 0.03  # seconds of looking that are spent at every pause without further ado
_SHARE: Final = 20.0  # so many times as long as it took, what was seen of the folders may be used
_SHORTEST: Final = 5.0  # seconds that it is used at least, but for folders that are seen to have changed
_LONGEST: Final = 300.0  # seconds that it is used at most
_RACY: Final = 2.0  # seconds in which a folder may change again without its time stamp changing

_ENTRY: Final = re.compile(
    rb"([A-Za-z?]) (\d+) ([0-9a-f]+) (\d)\t([^\0]+)\0"
    rb"  ctime: (\d+):(\d+)\n  mtime: (\d+):(\d+)\n  dev: \d+\tino: (\d+)\n  uid: \d+\tgid: \d+\n"
    rb"  size: (\d+)\tflags: [0-9a-f]+\n"
)
_REGULAR: Final = b"10"  # what the mode of a regular file begins with
_KEPT_OUT: Final = frozenset(b"Ssh")  # skip-worktree (a sparse checkout), assume-unchanged

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of Git's index: the blob, and the state of the file when Git last found that it has this content.

    ``modified`` and ``changed`` in nanoseconds. ``kept_out``: Git was told not to look whether it is there.
    ``regular``: neither a symbolic link nor a submodule.
    """

    blob: str
    size: int
    modified: int
    changed: int
    inode: int
    kept_out: bool
    regular: bool


def index_entries(git: HardenedGit, named: Callable[[bytes], str | None], *pathspecs: str) -> dict[str, Entry]:
    """The files of Git's index, by the path that ``named`` gives them; those that it gives none are left out.

    Raises ``RepositoryError``.
    """
    command = ("ls-files", "-z", "-v", "--stage", "--cached")
    out = git.output(*command, "--debug", "--", *pathspecs, files=True, seconds=PATIENT_SECONDS)
    found: dict[str, Entry] = {}
    end = 0
    for match in _ENTRY.finditer(out):
        if match.start() != end:
            break
        end = match.end()
        tag, mode, blob, stage, name, changed, changed_rest, modified, rest, inode, size = match.groups()
        path = named(name)
        if path is None:
            continue
        regular = mode.startswith(_REGULAR)
        if stage != b"0":
            found[path] = Entry("", 0, 0, 0, 0, False, regular)
            continue
        found[path] = Entry(
            blob.decode("ascii"),
            int(size),
            int(modified) * 1_000_000_000 + int(rest),
            int(changed) * 1_000_000_000 + int(changed_rest),
            int(inode),
            tag[0] in _KEPT_OUT,
            regular,
        )
    if end == len(out):
        return found
    # A Git that words this otherwise: what it says for programs has to do.
    found = {}
    for entry in git.output(*command, "--", *pathspecs, files=True, seconds=PATIENT_SECONDS).split(b"\0"):
        head, _, name = entry.partition(b"\t")
        path = named(name)
        if head and path is not None:
            _, mode, blob, stage = head.split(b" ")
            known = blob.decode("ascii") if stage == b"0" else ""
            found[path] = Entry(known, 0, 0, 0, 0, head[0] in _KEPT_OUT, mode.startswith(_REGULAR))
    return found


class Folders:
    """Whether folders are this work tree's own, as they are at one moment; not those behind a symbolic link, and those
    of another repository within."""

    def __init__(self, root: str, plain: dict[str, tuple[int, int]], places: dict[str, str]) -> None:
        """``plain``: the states in which folders were found to be no repositories; ``places``: where folders are on
        disk. Both are added to."""
        self._root = root
        self._plain = plain
        self._places = places
        self._known: dict[str, str] = {"": OWN}
        self.states: dict[str, tuple[int, int]] = {}
        """When each was last changed, and its number in the file system."""

    def kind(self, folder: str) -> str:
        """``OWN``, ``GONE`` (a link or a file is in its place) or ``NESTED``. One that is not there is its own."""
        known = self._known.get(folder)
        if known is None:
            place = ""
            for name in folder.split("/"):
                above, place = self._known[place], f"{place}/{name}" if place else name
                if place not in self._known:
                    self._known[place] = self._look(place) if above == OWN else above
            known = self._known[folder]
        return known

    def _look(self, folder: str) -> str:
        full = self._places.get(folder)
        if full is None:
            full = self._places[folder] = to_open(os.path.join(self._root, *folder.split("/")))
        try:
            status = os.lstat(full)
        except (OSError, ValueError):
            return OWN
        if not stat.S_ISDIR(status.st_mode) or getattr(status, "st_reparse_tag", 0) == _JUNCTION:
            return GONE
        state = self.states[folder] = (status.st_mtime_ns, status.st_ino)
        if self._plain.get(folder) != state:
            if is_repository(Path(full)):
                return NESTED
            self._plain[folder] = state
        return OWN


OWN: Final = "own"
GONE: Final = "gone"
NESTED: Final = "nested"
_JUNCTION: Final = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", -1)


@dataclass(frozen=True, slots=True)
class Listing:
    """What Git lists: the entries of its index (one without a known state has zeros), and untracked files."""

    tracked: Mapping[str, Entry]
    untracked: tuple[str, ...]
    folders: Folders
    written: int
    """When the index was written, in nanoseconds: a file as old may have changed again since Git looked."""


@dataclass(slots=True)
class _Others:
    """What was seen of the folders, and how long that holds."""

    paths: tuple[str, ...]
    states: dict[str, tuple[int, int]]
    stamp: tuple[object, ...]
    looked: float
    until: float


class Lister:
    """Lists one work tree, again and again. Not to be used from two threads at once."""

    def __init__(self, git: HardenedGit, location: Location, exclude: tuple[str, ...]) -> None:
        assert location.root is not None
        self._git = git
        self._root = str(location.root)
        self._index = location.git_dir / "index"
        self._excludes = location.common_dir / "info" / "exclude"
        self._exclude = (*exclude, *_MADE)
        self._plain: dict[str, tuple[int, int]] = {}
        self._places: dict[str, str] = {}
        self._tracked: tuple[object, dict[str, Entry]] = (None, {})
        self._folders: tuple[str, ...] = ()  # of the tracked files
        self._others: _Others | None = None
        self._asked: tuple[object, dict[str, bool]] = (None, {})
        self._failures = 0

    def leave_out(self, exclude: tuple[str, ...]) -> bool:
        """Pass over untracked files of other names from now on. Whether that is new."""
        if self._exclude == (*exclude, *_MADE):
            return False
        self._exclude = (*exclude, *_MADE)
        self._others = None
        return True

    def look(self) -> Listing:
        """What is listed now. Raises ``RepositoryError``."""
        folders = Folders(self._root, self._plain, self._places)
        written, tracked = self._index_entries()
        for folder in self._folders:
            folders.kind(folder)
        folders.states[""] = _state(self._root) or (0, 0)
        return Listing(tracked, self._untracked(folders, written), folders, written[1] if written is not None else 0)

    def listed(self, paths: Iterable[str], listing: Listing) -> set[str]:
        """Those of ``paths`` that Git lists, or would list if they were saved."""
        known = frozenset(listing.untracked)
        found: set[str] = set()
        asked: list[str] = []
        for path in paths:
            if not _can_be_named(path) or listing.folders.kind(path.rpartition("/")[0]) != OWN:
                continue
            if not self._may_be_file(path):
                continue
            if path in listing.tracked or path in known:
                found.add(path)
            elif self._is_work(path, {}):
                asked.append(path)
        return found | self._not_ignored(asked)

    def _index_entries(self) -> tuple[tuple[int, int, int] | None, dict[str, Entry]]:
        try:
            status = os.stat(self._index)
            written = (status.st_size, status.st_mtime_ns, status.st_ino)
        except OSError:
            written = None
        if written is None or self._tracked[0] != written:
            self._tracked = (written, index_entries(self._git, exact_path, *PATHSPECS))
            self._folders = tuple({path.rpartition("/")[0] for path in self._tracked[1]})
        return written, self._tracked[1]

    def _untracked(self, folders: Folders, written: object) -> tuple[str, ...]:
        patterns = (_state(str(self._excludes)), _state(os.path.join(self._root, ".gitignore")))
        stamp = patterns if self._failures else (*patterns, written)
        now = time.monotonic()
        last = self._others
        if last is not None and last.stamp == stamp and now < last.until and not self._moved(last, folders):
            return last.paths
        begun = time.time()
        try:
            paths = self._look_through(folders)
            self._failures = 0
            took = time.monotonic() - now
            holds = 0.0 if took < _AT_ONCE else min(max(_SHARE * took, _SHORTEST), _LONGEST)
        except LimitError as error:
            self._failures += 1
            if self._failures == 1:
                _log.warning("Ignoring the untracked files of %s: %s", self._root, error)
            paths, stamp = (), patterns
            holds = min(_LONGEST, 30.0 * 2**self._failures)
        self._others = _Others(paths, dict(folders.states), stamp, begun, time.monotonic() + holds)
        return paths

    def _moved(self, last: _Others, folders: Folders) -> bool:
        """Whether a folder was changed since it was looked through."""
        if self._failures:
            return False
        for path in last.paths:
            folders.kind(path.rpartition("/")[0])
        return any(
            folders.states.get(folder) != state or last.looked - state[0] / 1e9 < _RACY
            for folder, state in last.states.items()
        )

    def _look_through(self, folders: Folders) -> tuple[str, ...]:
        out = self._git.output(
            *("ls-files", "-z", "--others", "--exclude-standard", *_SOURCE),
            files=True,
            seconds=_OTHERS_SECONDS,
            expected=True,
        )
        marked: dict[str, bool] = {}
        names = (exact_path(name) for name in out.split(b"\0"))
        return tuple(
            path
            for path in names
            if path is not None and self._is_work(path, marked) and folders.kind(path.rpartition("/")[0]) == OWN
        )

    def _is_work(self, path: str, marked: dict[str, bool]) -> bool:
        """Whether an untracked file may be of a person's hand. ``marked``: folders known to be a tool's, or not."""
        return not matches_any(path, self._exclude) and not self._is_marked(path.rpartition("/")[0], marked)

    def _is_marked(self, folder: str, marked: dict[str, bool]) -> bool:
        if folder in marked:
            return marked[folder]
        found, place = False, ""
        for name in folder.split("/") if folder else ():
            place = f"{place}/{name}" if place else name
            if place not in marked:
                full = os.path.join(self._root, *place.split("/"))
                marked[place] = found or any(os.path.lexists(os.path.join(full, mark)) for mark in _MARKS)
            found = marked[place]
        return found

    def _may_be_file(self, path: str) -> bool:
        try:
            return stat.S_ISREG(os.lstat(to_open(os.path.join(self._root, *path.split("/")))).st_mode)
        except (OSError, ValueError):
            return True  # it may be saved yet

    def _not_ignored(self, paths: list[str]) -> set[str]:
        """Those of paths that are not there, or were not when the folders were looked through, that are not ignored."""
        if not paths or self._failures:
            return set()
        stamp = tuple(self._patterns(paths))
        if self._asked[0] != stamp:
            self._asked = (stamp, {})
        answers = self._asked[1]
        missing = [path for path in paths if path not in answers]
        if missing:
            told = "".join(f"{path}\0" for path in missing).encode("utf-8")
            try:
                status, out, complaint = self._git.run(
                    "check-ignore", "-z", "--stdin", files=True, told=told, seconds=_OTHERS_SECONDS, expected=True
                )
                if status > 1:
                    raise self._git.failure("check-ignore", status, complaint)
                ignored = {name.decode("utf-8", "replace") for name in out.split(b"\0")}
            except RepositoryError as error:
                _log.warning("Cannot read the ignore rules of %s: %s", self._root, error)
                ignored = set(missing)
            answers.update((path, path not in ignored) for path in missing)
        return {path for path in paths if answers[path]}

    def _patterns(self, paths: Iterable[str]) -> Iterable[object]:
        """The states of the files that decide what is ignored."""
        yield _state(str(self._index))
        yield _state(str(self._excludes))
        folders = {""}
        for path in paths:
            parts = path.split("/")[:-1]
            folders.update("/".join(parts[: count + 1]) for count in range(len(parts)))
        for folder in sorted(folders):
            yield folder, _state(os.path.join(self._root, *folder.split("/"), ".gitignore"))


def _can_be_named(path: str) -> bool:
    try:
        return exact_path(path.encode("utf-8")) is not None and "\0" not in path
    except UnicodeEncodeError:
        return False


def _state(file: str) -> tuple[int, int] | None:
    try:
        status = os.lstat(file)
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_ino

"""The working tree's own edits: unsaved text, unstaged, staged and untracked files, against HEAD.

Files are compared by us: ``git diff`` and ``git status`` would run the clean filters that a repository configures. What
Git calls clean is clean: a file whose state is the one in Git's index is not read, and what Git would convert (line
ends, ``ident``, an encoding) is converted before it is compared. A filter alone is not run: what is on disk is not what
is in HEAD then, and a file counts as changed when its size is another than Git found.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import math
import os
import re
import stat
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final

from codewm_lsp.errors import RepositoryError
from codewm_lsp.history.changed_files import FileEvent
from codewm_lsp.history.edits import Edit, definition_edits
from codewm_lsp.history.git_attributes import conversions
from codewm_lsp.history.git_process import HardenedGit
from codewm_lsp.history.listing import GONE, NESTED, OWN, Entry, Folders, Lister, Listing
from codewm_lsp.history.location import Location
from codewm_lsp.history.log import Tree
from codewm_lsp.history.objects import MAX_BLOB, Objects, is_text
from codewm_lsp.history.paths import exact_path, to_open
from codewm_lsp.history.spelling import folded, spellings
from codewm_lsp.records import dataclass
from codewm_lsp.source import Definition, decode, is_text_encoding, parse_definitions

MOST_CHANGED: Final = 1_000
"""Files whose edits are looked at, tracked and recent ones first: nobody is in the middle of editing more."""

_RACY_SECONDS: Final = 2.0  # a file this young may change again without its time stamp changing
_RENAME_SIMILARITY: Final = 0.5  # Git's own
_MAX_RENAMES: Final = 50  # files gone, and files new, that are compared with each other
_MOST_CHARACTERS: Final = 32 << 20  # of untracked files that are looked at
_KEPT_CHARACTERS: Final = 16 << 20  # of files that differ, remembered
_KEPT_BASES: Final = 64
_KEPT_PAIRS: Final = 10_000  # likenesses of two files, remembered
_NANO: Final = 1_000_000_000
_WINDOWS: Final = os.name == "nt"
_IDENT: Final = re.compile(rb"\$Id:[^$\n]*\$")
_POINTER: Final = "version https://git-lfs.github.com/spec/"  # what Git LFS commits in place of a file
_OPEN: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a file was when it was read: its state, what its content would be called as a blob, and whether it is text.

    ``converted``: the content was made what Git would make of it.
    """

    state: tuple[int, int, int, int]
    looked: float
    hashes: tuple[str, ...]
    is_text: bool
    converted: bool


@dataclass(frozen=True, slots=True)
class _Watched:
    """The files of a commit and of Git's index by folder, made once for both: they are looked at again and again.

    Of each file its path, where it is on disk, its blob in the commit and its entry in the index. ``clean``: the state
    in which a file was last found to be as in the commit.
    """

    tree: Mapping[str, tuple[bytes, str]]
    tracked: Mapping[str, Entry]
    folders: Mapping[str, tuple[tuple[str, str, str | None, Entry | None], ...]]
    clean: dict[str, tuple[int, int, int, int]]


@dataclass(frozen=True, slots=True)
class Differing:
    """A file that is not as in HEAD.

    ``blob``: of HEAD, None where there is none. ``text``: what it is now, None where it is gone. ``written``: when it
    was last changed, in seconds since 1970. ``origin``: the file that is gone, where this one has its content.
    """

    path: str
    blob: str | None
    text: str | None
    tracked: bool
    written: float
    origin: str | None = None


class WorkingTree:
    """Compares the files below the root with a commit; remembers what was looked at."""

    def __init__(
        self,
        git: HardenedGit,
        objects: Objects,
        location: Location,
        exclude: tuple[str, ...],
        files_of: Callable[[str], Tree],
    ) -> None:
        """``files_of`` lists those of a commit."""
        assert location.root is not None
        self._git = git
        self._objects = objects
        self._files_of = files_of
        self._root = str(location.root)
        self._common = str(location.common_dir)
        self._lister = Lister(git, location, exclude)
        self._lock = threading.Lock()
        self._looked: tuple[float, Listing] | None = None
        self._tree: tuple[str, dict[str, tuple[bytes, str]], dict[bytes, str]] = ("", {}, {})
        self._watched = _Watched({}, {}, {}, {})
        self._seen: dict[str, _Seen] = {}
        self._texts: OrderedDict[str, tuple[_Seen, str]] = OrderedDict()  # of files that differ
        self._characters = 0
        self._spellings: tuple[str, dict[str, str]] = ("", {})
        self._bases: dict[str, tuple[str, str]] = {}  # path → blob, and what Git makes of it on disk
        self._attributes: dict[str, dict[str, str]] = {}
        self._attribute_files: dict[str, tuple[int, int] | None] = {}
        self._without_attributes: dict[str, tuple[int, int]] = {}  # folders that have no such file, and their states
        self._edits: dict[str, tuple[tuple[str | None, ...], tuple[Edit, ...]]] = {}
        self._likeness: dict[tuple[str, int], float] = {}
        self._told = False
        self._large: tuple[str, ...] = ()

    def look(
        self, head: str | None, unsaved: Mapping[str, str], since: float = math.inf
    ) -> tuple[tuple[Edit, ...], dict[str, str | None], dict[str, str]]:
        """Edits since ``head`` (None: since nothing); the text of each file that differs, None where it is gone; and
        the blobs of files that have only moved. ``unsaved`` text stands for the file of that path. What was listed
        after ``since`` (of ``time.monotonic``) is not listed again."""
        with self._lock:
            differing = self._differing(head, unsaved, since)
            blobs = {file.path: differing[file.origin].blob for file in differing.values() if file.origin is not None}
            moved = {path: blob for path, blob in blobs.items() if blob is not None}
            texts = {path: file.text for path, file in differing.items() if path not in moved}
            return self._edits_of(differing), texts, moved

    def events(self, head: str | None, differing: Mapping[str, str | None]) -> dict[str, FileEvent]:
        """What happened since ``head`` to the files that it has; ``differing``: those that differ, None where gone."""
        with self._lock:
            tree, _ = self._files(head)
        return {
            path: FileEvent.REMOVED if now is None else FileEvent.MODIFIED
            for path, now in differing.items()
            if path in tree
        }

    def too_large(self) -> tuple[str, ...]:
        """The files that the last look left out as they are larger than ``MAX_BLOB``."""
        with self._lock:
            return self._large

    def listed(self, paths: Iterable[str], since: float = math.inf) -> frozenset[str]:
        """Those of ``paths`` that are the user's: see ``listing``; ``since`` as in ``look``."""
        with self._lock:
            return frozenset(self._lister.listed(paths, self._listing(since)))

    def _listing(self, since: float) -> Listing:
        if self._looked is None or self._looked[0] < since:
            now = time.monotonic()
            self._looked = now, self._lister.look()
        return self._looked[1]

    def leave_out(self, exclude: tuple[str, ...]) -> None:
        """Other globs of untracked files that are neither read nor counted."""
        with self._lock:
            if self._lister.leave_out(exclude):
                self._looked = None

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
            tree = self._files_of(head) if head is not None else {}
            names = {name: path for path, (name, _) in tree.items() if exact_path(name) is not None}
            self._tree = (head or "", {path: tree[path] for path in names.values()}, names)
        return self._tree[1:]

    # ---- which files differ

    def _differing(self, head: str | None, unsaved: Mapping[str, str], since: float) -> dict[str, Differing]:
        """The files that are not as in ``head``, by path."""
        tree, _ = self._files(head)
        listing = self._listing(since)
        opened = {path: text for path, text in unsaved.items() if len(text) <= MAX_BLOB and "\0" not in text}
        owned = self._lister.listed(opened, listing)
        found: dict[str, Differing] = {}
        unclean: set[str] = set()
        changed: dict[str, tuple[str | None, os.stat_result]] = {}
        large: list[str] = []
        watched = self._watch(tree, listing.tracked)
        known, lstat = watched.clean, os.lstat
        for folder, files in watched.folders.items():
            kind = listing.folders.kind(folder)
            if kind is NESTED:
                continue
            for path, full, blob, entry in files:
                status: os.stat_result | str = GONE
                if kind is OWN:  # what is done for every file at every pause is written out
                    try:
                        now = lstat(full)
                    except (OSError, ValueError):
                        status = _status_of(full)
                    else:
                        changed_at = 0 if _WINDOWS else now.st_ctime_ns
                        if known.get(path) == (now.st_size, now.st_mtime_ns, changed_at, now.st_ino):
                            continue
                        status = now if stat.S_ISREG(now.st_mode) else GONE
                unclean.add(path)
                if isinstance(status, os.stat_result):
                    seen = self._seen.get(path)
                    if blob is not None and entry is not None and _is_clean(entry, blob, status, listing.written):
                        known[path] = _state(status)
                        unclean.discard(path)
                    elif seen is not None and blob in seen.hashes and _same(seen, status):
                        unclean.discard(path)
                    elif status.st_size <= MAX_BLOB:
                        changed[path] = blob, status
                    else:
                        large.append(path)
                elif status is GONE and blob is not None and not (entry is not None and entry.kept_out):
                    found[path] = Differing(path, blob, None, True, 0.0)
        clean = {path for path in owned if (path in tree or path in listing.tracked) and path not in unclean}
        self._compare(changed, listing, found, clean)
        large += self._add_untracked([path for path in listing.untracked if path not in tree], listing, found)
        self._large = tuple(path for path in large if path not in owned)
        attributes = self._attributes_of([path for path in owned if path in tree], listing.folders)
        for path in owned:
            blob = tree[path][1] if path in tree else None
            text = _as_decoded(opened[path])
            if "ident" in attributes.get(path, ()):
                text = _IDENT.sub(b"$Id$", text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")
            if blob is None:
                differs = True
            elif path in clean:
                differs = text != self._saved(path, blob, listing, attributes.get(path, {}))
            else:
                differs = blob not in _hashes(text.encode("utf-8", "surrogatepass"), len(blob))
            found.pop(path, None)
            if differs:
                found[path] = Differing(path, blob, text, blob is not None or path in listing.tracked, math.inf)
        self._find_moved(found)
        return found

    def _watch(self, tree: Mapping[str, tuple[bytes, str]], tracked: Mapping[str, Entry]) -> _Watched:
        if self._watched.tree is not tree or self._watched.tracked is not tracked:
            folders: dict[str, list[tuple[str, str, str | None, Entry | None]]] = {}
            for path in {**tree, **dict.fromkeys(tracked)}:
                file = (path, self._full(path), tree[path][1] if path in tree else None, tracked.get(path))
                folders.setdefault(path.rpartition("/")[0], []).append(file)
            self._watched = _Watched(tree, tracked, {folder: tuple(files) for folder, files in folders.items()}, {})
        return self._watched

    def _find_moved(self, found: dict[str, Differing]) -> None:
        """Say of new files with the content of one that is gone, each of another, where they were."""
        gone: dict[str, list[str]] = {}
        for path, file in found.items():
            if file.text is None and file.blob is not None:
                gone.setdefault(file.blob, []).append(path)
        for path, file in list(found.items()) if gone else ():
            seen = self._seen.get(path)
            if file.blob is None and file.text and file.written != math.inf and seen is not None:
                origins = next((gone[blob] for blob in seen.hashes if gone.get(blob)), None)
                if origins:
                    found[path] = Differing(path, None, file.text, file.tracked, file.written, origins.pop(0))

    def _status(self, path: str, listing: Listing) -> os.stat_result | str:
        """The state of a regular file; ``GONE`` where there is none, ``NESTED`` where it cannot be told."""
        kind = listing.folders.kind(path.rpartition("/")[0])
        if kind is GONE or kind is NESTED:
            return kind
        return _status_of(self._full(path))

    def _compare(
        self,
        changed: Mapping[str, tuple[str | None, os.stat_result]],
        listing: Listing,
        found: dict[str, Differing],
        clean: set[str],
    ) -> None:
        """Add those of tracked files of another state than the index has that are of another content than HEAD has."""
        read = {path: self._look_at(path, status, blob) for path, (blob, status) in changed.items()}
        doubtful = [
            path
            for path, seen in read.items()
            if seen is not None and not seen.converted and changed[path][0] not in (None, *seen.hashes)
        ]
        attributes = self._attributes_of(doubtful, listing.folders)
        for path, seen in read.items():
            blob, status = changed[path]
            if seen is None:
                continue
            if blob is not None and path in attributes:
                seen = self._convert(path, seen, blob, listing.tracked.get(path), attributes[path])
            if blob is not None and blob in seen.hashes:
                clean.add(path)
            elif (text := self._text(path, seen)) is not None:
                found[path] = Differing(path, blob, text, True, status.st_mtime)

    def _add_untracked(self, paths: Iterable[str], listing: Listing, found: dict[str, Differing]) -> list[str]:
        """Add the newest untracked files, and those that may be tracked ones under another name; those too large."""
        large: list[str] = []
        states: dict[str, os.stat_result] = {}
        for path in paths:
            status = self._status(path, listing)
            if isinstance(status, os.stat_result):
                if status.st_size <= MAX_BLOB:
                    states[path] = status
                else:
                    large.append(path)
        newest = sorted(states, key=lambda path: -states[path].st_mtime)
        sizes = {entry.size for path in found if found[path].text is None and (entry := listing.tracked.get(path))}
        characters = 0
        for number, path in enumerate(newest):
            if number >= MOST_CHANGED and states[path].st_size not in sizes:
                continue
            seen = self._look_at(path, states[path], None)
            if seen is not None and (text := self._text(path, seen)) is not None:
                characters += len(text)
                if characters > _MOST_CHARACTERS:
                    break
                found[path] = Differing(path, None, text, False, states[path].st_mtime)
        return large

    def _saved(self, path: str, blob: str, listing: Listing, attributes: Mapping[str, str]) -> str | None:
        """The text on disk of a file that is as in HEAD."""
        status = self._status(path, listing)
        seen = self._look_at(path, status, blob) if isinstance(status, os.stat_result) else None
        if seen is not None and attributes and not seen.converted:
            seen = self._convert(path, seen, blob, listing.tracked.get(path), attributes)
        text = self._text(path, seen) if seen is not None else None
        if text is not None and "filter" in attributes:  # what an editor begins with is not what is in HEAD
            self._remember_base(path, blob, text)
        return text

    # ---- reading files

    def _full(self, path: str) -> str:
        return to_open(f"{self._root}{os.sep}{path.replace('/', os.sep)}")

    def _look_at(self, path: str, status: os.stat_result, blob: str | None) -> _Seen | None:
        """What a file is, read if it may have changed since it was last; None where it cannot be read."""
        seen = self._seen.get(path)
        if seen is not None and _same(seen, status):
            return seen
        now = time.time()
        data = self._bytes(path)
        if data is None:
            return None
        digits = len(blob) if blob is not None else self._digits()
        return self._keep(path, _Seen(_state(status), now, _hashes(data, digits), is_text(data), False), data)

    def _text(self, path: str, seen: _Seen) -> str | None:
        """The text of a file that was looked at; None where it is none."""
        known = self._texts.get(path)
        if known is not None and known[0] is seen:
            self._texts.move_to_end(path)
            return known[1]
        data = self._bytes(path) if seen.is_text and not seen.converted else None
        if data is None or not is_text(data):
            return None
        self._keep(path, seen, data)
        return decode(data)

    def _keep(self, path: str, seen: _Seen, data: bytes) -> _Seen:
        self._seen[path] = seen
        if path in self._texts:
            self._characters -= len(self._texts.pop(path)[1])
        if seen.is_text:
            self._texts[path] = seen, decode(data)
            self._characters += len(self._texts[path][1])
        while self._characters > _KEPT_CHARACTERS and len(self._texts) > 1:
            self._characters -= len(self._texts.popitem(last=False)[1][1])
        return seen

    def _bytes(self, path: str) -> bytes | None:
        """The content of a file, at most one byte more than is read; None where it cannot be opened, or is none."""
        try:
            descriptor = os.open(self._full(path), _OPEN)  # a pipe that has taken its place is not waited for
        except (OSError, ValueError):
            return None
        with open(descriptor, "rb") as stream:
            try:
                return stream.read(MAX_BLOB + 1) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
            except OSError:
                return None

    # ---- what Git would make of them

    def _attributes_of(self, paths: list[str], folders: Folders) -> dict[str, dict[str, str]]:
        """The attributes by which Git converts files; without those of none."""
        stamp = [(file, _written(file)) for file in self._places_of_attributes(paths, folders)]
        if any(self._attribute_files.get(file, written) != written for file, written in stamp):
            self._attributes.clear()
            self._attribute_files.clear()
        self._attribute_files.update(stamp)
        missing = [path for path in paths if path not in self._attributes]
        if missing:
            try:
                answers = conversions(self._git, missing)
            except RepositoryError as error:
                _log.warning("Cannot read which files Git converts in %s: %s", self._root, error)
                answers = {path: {} for path in missing}
            self._attributes.update(answers)
        return {path: found for path in paths if (found := self._attributes[path])}

    def _places_of_attributes(self, paths: Iterable[str], folders: Folders) -> Iterator[str]:
        """The files that may say something of these paths: none in a folder that had none and has not changed since."""
        now = time.time()
        for folder in sorted({""}.union(*(_above(path) for path in paths))):
            state = folders.states.get(folder)
            if state is not None and self._without_attributes.get(folder) == state:
                continue
            file = os.path.join(self._root, *folder.split("/"), ".gitattributes")
            if state is not None and now - state[0] / _NANO > _RACY_SECONDS and not os.path.lexists(file):
                self._without_attributes[folder] = state
            yield file
        yield f"{self._common}/info/attributes"

    def _convert(self, path: str, seen: _Seen, blob: str, entry: Entry | None, attributes: Mapping[str, str]) -> _Seen:
        """The same with what Git would make of the content. A filter is not run: what it makes is not known, and a file
        counts as clean that has the size it had when it was."""
        data = self._bytes(path)
        if data is None:
            return seen
        encoding = attributes.get("working-tree-encoding", "")
        if encoding and is_text_encoding(encoding):
            with contextlib.suppress(ValueError):
                data = data.decode(encoding).removeprefix("\ufeff").encode("utf-8")
        if attributes.get("ident") == "set":
            data = _IDENT.sub(rb"$Id$", data)
        hashes = _hashes(data, len(blob))
        readable = is_text(data)
        if blob not in hashes and "filter" in attributes:
            base = self._bases.get(path)
            if base is not None and base[0] == blob:
                is_clean = readable and decode(data) == base[1]
            else:
                is_clean = entry is not None and entry.blob == blob and entry.size == seen.state[0]
                readable = readable and not (self._objects.text(blob) or "").startswith(_POINTER)
            if is_clean:
                hashes = (*hashes, blob)
        return self._keep(path, _Seen(seen.state, seen.looked, hashes, readable, True), data)

    def _remember_base(self, path: str, blob: str, text: str) -> None:
        self._bases.pop(path, None)
        self._bases[path] = blob, text
        if len(self._bases) > _KEPT_BASES:
            del self._bases[next(iter(self._bases))]

    # ---- their edits

    def _edits_of(self, differing: Mapping[str, Differing]) -> tuple[Edit, ...]:
        """The edits of the newest files, unsaved ones first, then tracked ones, then others, then what is gone."""
        renames = self._renames(differing)
        moved = set(renames.values())
        files = sorted(
            (file for path, file in differing.items() if path not in moved and file.origin is None),
            key=lambda file: (file.text is None, file.written != math.inf, not file.tracked, -file.written, file.path),
        )
        asked: list[tuple[Differing, str, tuple[str | None, str | None]]] = []
        for file in files[:MOST_CHANGED]:
            origin = renames.get(file.path, file.path)
            blob = differing[origin].blob if origin in differing else file.blob
            known_base = self._bases.get(origin)
            asked.append((file, origin, (blob, known_base[1] if known_base and known_base[0] == blob else None)))
        if len(files) > MOST_CHANGED and not self._told:
            self._told = True
            _log.warning("%d files of %s have changed; using the newest %d.", len(files), self._root, MOST_CHANGED)
        known, self._edits = self._edits, {}
        missing: list[tuple[Differing, str, str | None, str | None]] = []
        for file, origin, before in asked:
            kept = known.get(file.path)
            if kept is not None and kept[0] == (origin, *before, file.text):
                self._edits[file.path] = kept
            else:
                missing.append((file, origin, *before))
        definitions = self._objects.definitions(blob for _, _, blob, base in missing if blob and base is None)
        for file, origin, blob, base in missing:
            old: tuple[Definition, ...] | str | None = ()
            if base is not None:
                old = parse_definitions(base)
            elif blob is not None:
                old = definitions[blob]
            edits: tuple[Edit, ...] = ()  # none where there is nothing to compare with
            if old is not None and not isinstance(old, str):
                new = parse_definitions(file.text) if file.text else ()
                edits = definition_edits(file.path, old, new, previous_path=origin if origin != file.path else None)
            self._edits[file.path] = (origin, blob, base, file.text), edits
        return tuple(edit for file, _, _ in asked for edit in self._edits[file.path][1])

    def _renames(self, differing: Mapping[str, Differing]) -> dict[str, str]:
        """New path → old path: the same content first, then where enough lines are the same, of a few files."""
        gone = {path: file.blob for path, file in differing.items() if file.text is None and file.blob is not None}
        new = {path: file.text for path, file in differing.items() if file.blob is None and file.text is not None}
        if not gone or not new:
            return {}
        renames = {path: file.origin for path, file in differing.items() if file.origin is not None}
        moved = set(renames.values())
        left = [path for path in gone if path not in moved][:_MAX_RENAMES]
        scores = [
            (score, path, origin)
            for path in [path for path in new if path not in renames][:_MAX_RENAMES]
            for origin in left
            if (score := self._alike(gone[origin], new[path])) >= _RENAME_SIMILARITY
        ]
        for _, path, origin in sorted(scores, reverse=True):
            if path not in renames and origin not in moved:
                renames[path] = origin
                moved.add(origin)
        return renames

    def _alike(self, blob: str, text: str) -> float:
        """The share of lines that a blob and a text have in common."""
        key = (blob, hash(text))
        known = self._likeness.get(key)
        if known is None:
            if len(self._likeness) >= _KEPT_PAIRS:
                self._likeness.clear()
            old, new = _lines(self._objects.text(blob) or ""), _lines(text)
            known = self._likeness[key] = (old & new).total() / max(old.total(), new.total())
        return known

    def _digits(self) -> int:
        """How long the names of objects are."""
        return len(next(iter(self._tree[1].values()))[1]) if self._tree[1] else 40


def _status_of(full: str) -> os.stat_result | str:
    """The state of a regular file; ``GONE`` where there is none, ``NESTED`` where it cannot be told."""
    try:
        status = os.lstat(full)
    except (FileNotFoundError, NotADirectoryError):
        return GONE
    except (OSError, ValueError):
        return NESTED
    return status if stat.S_ISREG(status.st_mode) else GONE


def _as_decoded(text: str) -> str:
    """An editor's text as ``decode`` would have read it from a file."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


@lru_cache(maxsize=2 * _MAX_RENAMES)
def _lines(text: str) -> Counter[str]:
    return Counter(text.split("\n"))


def _above(path: str) -> set[str]:
    """The folders that a path is in; the root is ``""``."""
    parts = path.split("/")[:-1]
    return {"/".join(parts[: count + 1]) for count in range(len(parts))}


def _written(file: str) -> tuple[int, int] | None:
    try:
        status = os.lstat(file)
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_size


def _state(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_size, status.st_mtime_ns, 0 if _WINDOWS else status.st_ctime_ns, status.st_ino


def _same(seen: _Seen, status: os.stat_result) -> bool:
    return seen.state == _state(status) and seen.looked - status.st_mtime > _RACY_SECONDS


def _is_clean(entry: Entry, blob: str, status: os.stat_result, written: int) -> bool:
    """Whether a file is as Git found it when it had the content of ``blob``; False where that is not certain."""
    if entry.blob != blob or entry.size != status.st_size & 0xFFFFFFFF or entry.modified >= written:
        return False
    if entry.modified != status.st_mtime_ns and (
        entry.modified % _NANO or entry.modified // _NANO != status.st_mtime_ns // _NANO
    ):
        return False
    if _WINDOWS:
        return True
    if entry.changed != status.st_ctime_ns and (
        entry.changed % _NANO or entry.changed // _NANO != status.st_ctime_ns // _NANO
    ):
        return False
    return entry.inode == status.st_ino & 0xFFFFFFFF


def _hashes(data: bytes, digits: int) -> tuple[str, ...]:
    """What the blob of these bytes would be called, as they are and with Unix line ends."""
    new = hashlib.sha256 if digits == 64 else hashlib.sha1
    variants = [data, data.replace(b"\r\n", b"\n")] if b"\r\n" in data else [data]
    return tuple(new(b"blob %d\0" % len(variant) + variant).hexdigest() for variant in variants)

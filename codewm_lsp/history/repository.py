"""A Git repository as a source of edits: its past, commit by commit, and its working tree."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import math
import os
import re
import threading
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final, TypeAlias

from codewm_lsp.display import short
from codewm_lsp.errors import RepositoryError
from codewm_lsp.history.change_at_hand import (
    ChangeAtHand,
    between,
    in_work_tree,
    index_of_hook,
    of_commit,
    staged,
    text_in_work_tree,
)
from codewm_lsp.history.changed_files import MOST_COMMITS, TOO_LONG, ChangedFiles, changed_files
from codewm_lsp.history.edits import Commit, CommitEdits, Edit, definition_edits
from codewm_lsp.history.git_process import PATIENT_SECONDS, HardenedGit, LimitError, essence
from codewm_lsp.history.head import head_on_disk
from codewm_lsp.history.location import Location, locate
from codewm_lsp.history.log import BATCH, DiffTree, FileChange, Tree, list_tree, revisions
from codewm_lsp.history.objects import MISSING, Objects
from codewm_lsp.history.paths import DEFAULT_EXCLUDE, PATHSPECS, RealPaths, decode_path, is_inside, is_wanted
from codewm_lsp.history.special_files import refuse_special_files
from codewm_lsp.history.spelling import below, ignores_case
from codewm_lsp.history.working_tree import WorkingTree
from codewm_lsp.source import NOTHING, Definition, Outline, differing

MAX_FILES: Final = 30
"""Python files of the largest commit that is looked into by default; larger ones are formatting, moves, vendoring."""

_GIVE_UP_AFTER: Final = (
    40  # commits of missing objects, none with edits between them, before the rest is taken for such
)
_READ_AHEAD: Final = 48  # blobs of one commit after the other that are asked for at once
_MAX_EDITS: Final = 2_000  # of a commit that is looked into: more are not written by hand
_MAX_READ_LAST: Final = 4_096  # paths of which it is remembered which version was read last
_log = logging.getLogger(__name__)
_SHA: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


NONE_KNOWN: Final[Mapping[str, ChangedFiles]] = {}
TOO_MUCH: Final = "too much"
"""In place of the changes of a commit that nobody wants to know."""

_Changes: TypeAlias = "list[FileChange] | str | None"


class Repository:
    """A repository on disk. A context manager; safe to be used from several threads.

    Nothing in it is run, written or fetched: see ``git_process``.
    """

    def __init__(self, location: Location, exclude: tuple[str, ...] = DEFAULT_EXCLUDE) -> None:
        self._location = location
        self._git = HardenedGit(location)
        self._objects = Objects(self._git)
        self._diff_lock = threading.Lock()
        self._read_last: dict[str, str] = {}  # of files whose past edits are read one by one
        self._diff: DiffTree | None = None
        self._listed: tuple[str, Tree] = ("", {})  # the files of the commit that was asked about last
        self._working: WorkingTree | None = None
        if location.root is not None:
            self._working = WorkingTree(self._git, self._objects, location, exclude, self._files_of)
        self._commits: set[str] = set()  # ids that Git has found to be commits
        self._key = ""
        self._ignores_case = ignores_case(location.git_dir)

    @classmethod
    def open(cls, path: Path, exclude: tuple[str, ...] = DEFAULT_EXCLUDE) -> Repository:
        """The innermost repository that ``path`` is in: a work tree, a worktree, a submodule, a bare repository.

        ``exclude``: globs of untracked files that are neither read nor counted.
        Raises ``RepositoryError`` when there is none, when it is damaged, or when Git is not installed.
        """
        location = locate(Path(path))
        refuse_special_files(location)
        git = HardenedGit(location)
        git.output("rev-parse", "--git-dir")
        if location.root is not None and os.path.samefile(location.git_dir, location.common_dir):
            answer = git.output("config", "--type=bool", "--default=false", "--get", "core.bare")
            if answer.strip() == b"true":  # it lies beside its worktrees, and has no files of its own
                location = replace(location, root=None)
        return cls(replace(location, root=_work_tree(git, location)), exclude)

    @property
    def root(self) -> Path | None:
        """The work tree; None when the repository is bare."""
        return self._location.root

    def leave_out(self, exclude: tuple[str, ...]) -> None:
        """From now on these are the globs of untracked files that are neither read nor counted."""
        if self._working is not None:
            self._working.leave_out(exclude)

    @property
    def git_dir(self) -> Path:
        """The Git folder, a worktree's own where it is one."""
        return self._location.git_dir

    @property
    def common_dir(self) -> Path:
        """The Git folder that all its worktrees share."""
        return self._location.common_dir

    @property
    def hooks(self) -> Path:
        """The folder that Git takes hooks from, which need not be there: the configuration may name another."""
        named = self._git.hooks_folder()
        return (self.root or self.git_dir) / named if named else self.common_dir / "hooks"

    @property
    def key(self) -> str:
        """A name for the repository that all its worktrees and clones share, wherever they lie, fit for a file name.

        It is made of the first commit of HEAD's own line, that of first parents: another history that is merged does
        not change it. Where there is none yet it is ``path_key``; where the clone is shallow, so that the first commit
        is not known, ``address_key``, as far as there is one.
        """
        if not self._key and self._resolve("HEAD") is not None:
            root = None if self.is_shallow else self._first_commit()
            self._key = _short_hash(f"root {root}") if root is not None else self.address_key or self.path_key
        return self._key or self.path_key

    @property
    def path_key(self) -> str:
        """A name for the repository by the path of its Git folder: all its worktrees share it, no clone does."""
        return _short_hash(os.path.normcase(str(self._location.common_dir)))

    @property
    def address_key(self) -> str | None:
        """A name for the repository by the address it was cloned from; None where there is none."""
        status, out, _ = self._git.run("config", "--get", "remote.origin.url")
        return _short_hash(f"address {out.decode('utf-8', 'surrogateescape').strip()}") if out and not status else None

    def _first_commit(self) -> str | None:
        status, out, _ = self._git.run("rev-list", "--first-parent", "--max-parents=0", "HEAD", "--")
        found = out.decode("ascii", "replace").strip()
        return found if not status and _SHA.fullmatch(found) else None

    @property
    def is_shallow(self) -> bool:
        """Whether the history was cut off when it was cloned."""
        return bool(self._shallow())

    def relative(self, path: Path) -> str | None:
        """``path`` as the repository names it (below the root, with ``/``), a symbolic link as its target; None when it
        is outside.

        Where the file system does not care for case, a file of HEAD has the spelling that it has there.
        """
        return self.relatives([path])[path]

    def relatives(self, paths: Iterable[Path]) -> dict[Path, str | None]:
        """``relative`` of many at one moment: no folder is looked at twice."""
        real = RealPaths(os.path.realpath)
        found = {path: self._relative(path, real) for path in paths}
        if not self._ignores_case or self._working is None:
            return found
        head = self._resolve("HEAD")
        return {path: name and self._working.spelled(head, name) for path, name in found.items()}

    def _relative(self, path: Path, real: RealPaths) -> str | None:
        if self.root is None or "\0" in str(path):
            return None
        root, full = real.of(str(self.root)), real.of(str(path))
        if full.startswith(root + os.sep):
            return full[len(root) + 1 :].replace(os.sep, "/")
        try:
            relative = os.path.relpath(full, root)
        except ValueError:
            return None  # another drive
        if relative != os.curdir and relative.split(os.sep)[0] != os.pardir:
            return relative.replace(os.sep, "/")
        return below(full, root) if self._ignores_case else None

    def head(self, rev: str = "HEAD") -> str:
        """The full id of the commit that ``rev`` names.

        Raises ``RepositoryError`` when there is no such commit.
        """
        found = self._resolve(rev)
        if found is not None:
            return found
        where = self.root or self.git_dir
        if rev == "HEAD":
            status, _, complaint = self._git.run("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
            if status and essence(complaint):  # on a branch without commits nothing is said
                raise self._git.failure("rev-parse", status, complaint)
            status, _, _ = self._git.run("symbolic-ref", "--quiet", "HEAD")
            if status > 1:  # 1: no branch
                raise RepositoryError(
                    f"HEAD of {where} leads to no commit: a reference refers to itself, or to one that refers back. "
                    "Repair it: `git update-ref --no-deref refs/heads/BRANCH COMMIT`."
                )
            raise RepositoryError(f"{where} has no commits yet. Commit something first.")
        raise RepositoryError(f"{rev!r} is not a commit of {where}. `git log --all` lists all of them.")

    def position(self) -> tuple[object, ...]:
        """Where HEAD stands, and how far the history reaches back: another value whenever there are other commits.

        Costs no process where HEAD can be read from a file. Raises ``RepositoryError`` where the repository is gone.
        """
        return self._resolve("HEAD"), self._shallow()

    def ancestors(self, rev: str = "HEAD", limit: int | None = None) -> list[str]:
        """Ids of the commits that ``rev`` reaches, itself included, newest first, merges too."""
        return list(revisions(self._git, self.head(rev), limit))

    def authors(self, rev: str, limit: int) -> list[tuple[str, str]]:
        """``ancestors``, the newest ``limit`` of them, each with its author's address."""
        told = self._git.output(
            *("rev-list", f"--max-count={limit}", "--format=%ae", self.head(rev), "--"), seconds=PATIENT_SECONDS
        )
        lines = told.decode("utf-8", "replace").split("\n")
        return [(line.removeprefix("commit "), email) for line, email in zip(lines[::2], lines[1::2], strict=False)]

    def user_email(self) -> str:
        """The address that the user commits with here; "" where Git knows none."""
        return self._git.address_of_the_user()

    def since(self, old: str, new: str) -> list[str] | None:
        """Ids of the commits that ``new`` reaches and ``old`` does not, newest first; both are full ids.

        None when ``old`` is not in the history of ``new``: it was rewritten, or ``old`` is gone. Much faster than
        walking over a long history.
        """
        if old == new:
            return []
        status, out, _ = self._git.run("rev-list", "--left-right", f"{old}...{new}", "--", seconds=PATIENT_SECONDS)
        lines = out.decode("ascii").split()
        if status or any(line.startswith("<") for line in lines):
            return None
        return [line[1:] for line in lines]

    def commits(
        self,
        rev: str = "HEAD",
        *,
        limit: int | None = None,
        skip: Container[str] = (),
        max_files: int = MAX_FILES,
    ) -> Iterator[CommitEdits]:
        """The edits of each commit that ``rev`` reaches, newest first, as a stream.

        ``limit`` counts every commit walked over, those in ``skip`` (which are neither read nor yielded) too.
        Merges, commits of more than ``max_files`` Python files and the like are yielded as skipped.
        """
        return self._edits(revisions(self._git, self.head(rev), limit), skip, max_files)

    def edits_of_each(self, shas: Iterable[str], *, max_files: int = MAX_FILES) -> Iterator[CommitEdits]:
        """``commits``, but of these, full ids, in their order."""
        return self._edits(iter(shas), (), max_files)

    def changed_files(
        self, rev: str = "HEAD", limit: int = MOST_COMMITS, known: Mapping[str, ChangedFiles] = NONE_KNOWN
    ) -> list[ChangedFiles]:
        """The files of any kind that each of the newest ``limit`` commits changed, newest first, without merges.

        Those at which a shallow clone was cut off are left out: all of their files look new. ``known``: what was said
        of commits before, by their ids; Git is asked about the others alone. Raises ``RepositoryError``, also where Git
        takes too long.
        """
        found, complete = self.changed_files_in_time(rev, limit, known)
        if not complete:
            raise RepositoryError(TOO_LONG)
        return found

    def changed_files_in_time(
        self, rev: str = "HEAD", limit: int = MOST_COMMITS, known: Mapping[str, ChangedFiles] = NONE_KNOWN
    ) -> tuple[list[ChangedFiles], bool]:
        """``changed_files``, and whether that is all: where Git takes long, it is of the newest commits alone."""
        out = self._git.output(
            *("rev-list", "--no-merges", f"--max-count={limit}", self.head(rev), "--"), seconds=PATIENT_SECONDS
        )
        cut = self._shallow()
        shas = [sha for sha in out.decode("ascii").split() if sha not in cut]
        asked = [sha for sha in shas if sha not in known]
        told, complete = changed_files(self._git, asked)
        if not complete:
            untold = asked[asked.index(told[-1].sha) + 1]
            shas = shas[: shas.index(untold)]
        known = {one.sha: one for one in told} | dict(known)
        return [known.get(sha) or ChangedFiles(sha, "", 0, ()) for sha in shas], complete

    def staged(self) -> ChangeAtHand:
        """What is staged, against HEAD; where a hook of Git's asks, what is about to be committed."""
        index = index_of_hook(self._location)
        git = self._git if index is None else HardenedGit(self._location, index)
        return staged(git, self._resolve("HEAD"))

    def in_work_tree(self, differing: Mapping[str, str | None] | None = None) -> ChangeAtHand:
        """What differs from HEAD, staged or not, new files that are not ignored included.

        ``differing``: the source files that differ, None where one is gone, where ``working`` has just been asked.
        """
        head = self._resolve("HEAD")
        if self._working is None:
            return in_work_tree(self._git, self._location, head, {})
        if differing is None:
            _, texts, moved = self._working.look(head, {})
            differing = {**texts, **moved}
        events = self._working.events(head, differing)
        before = self.blobs_at(head, events) if head is not None else {}
        source = {path: (event, before.get(path, "")) for path, event in events.items()}
        return in_work_tree(self._git, self._location, head, source)

    def between(self, base: str, head: str) -> ChangeAtHand:
        """What ``head`` changed since it left ``base``. Raises ``RepositoryError`` where they share no commit."""
        return between(self._git, self.head(base), self.head(head), shallow=self.is_shallow)

    def change_of(self, sha: str) -> ChangeAtHand:
        """What a commit changed, as it was about to be made; ``sha`` is a full id."""
        return of_commit(self._git, sha)

    def under_way(self) -> str | None:
        """What Git is in the middle of that brings what others changed, "merge" or "rebase"; None where nothing is."""
        found = {"merge": ("MERGE_HEAD",), "rebase": ("rebase-merge", "rebase-apply")}
        folder = self.git_dir
        return next((what for what, names in found.items() if any((folder / name).exists() for name in names)), None)

    def commits_named(self, shas: Sequence[str]) -> dict[str, Commit]:
        """These commits, by their full ids; without those that are not there."""
        return {one[0].sha: one[0] for one in self._objects.commits(shas) if one is not None}

    def blobs_at(self, rev: str, paths: Collection[str]) -> dict[str, str]:
        """Path → blob of those of ``paths`` that are regular files of a revision, whatever they hold."""
        sha = self.head(rev)
        listed = self._listed[1] if self._listed[0] == sha else None
        rest = paths if listed is None else [path for path in paths if not is_wanted(path)]
        found = {path: listed[path][1] for path in paths if path in listed} if listed is not None else {}
        for entry in self._git.records("ls-tree", "-z", "--full-tree", sha, "--", *rest) if rest else ():
            head, _, name = entry.partition(b"\t")
            path = decode_path(name)
            if head.startswith(b"10") and path in rest:
                found[path] = head.split(b" ")[2].decode("ascii")
        return found

    def files_with(self, rev: str, words: Sequence[str]) -> list[str]:
        """The source files of a revision in which one of these words stands. Raises ``RepositoryError``."""
        head = self.head(rev)
        named = [part for word in words for part in ("-e", word)]
        command = ("grep", "-l", "-z", "-w", "-F", "-I", "--no-textconv", "--full-name", *named, head, "--", *PATHSPECS)
        status, out, complaint = self._git.run(*command, seconds=PATIENT_SECONDS)
        if status > 1:
            raise self._git.failure("grep", status, complaint)
        names = (name.partition(b":")[2] for name in out.split(b"\0") if name)
        return [path for path in map(decode_path, names) if is_wanted(path) and is_inside(path)]

    def texts_of(self, at_hand: ChangeAtHand) -> dict[str, tuple[str | None, str | None]]:
        """The text of each changed file before and after the change; None where it is not there, or cannot be read."""
        blobs = {blob for both in at_hand.blobs.values() for blob in (both.before, both.after) if blob}
        read: dict[str, str | None] = self.read_all(sorted(blobs))
        found: dict[str, tuple[str | None, str | None]] = {}
        for path, both in at_hand.blobs.items():
            after = text_in_work_tree(self._location, path) if both.after is None else read.get(both.after)
            found[path] = read.get(both.before), after
        return found

    def edit_of(self, sha: str, path: str, definition: str) -> Edit | None:
        """The edit of one definition in a commit; None where it has none. Only this file of the commit is read."""
        return self.edits_of(sha, path=path, definition=definition).edit_of(path, definition)

    def edits_of(
        self, sha: str, *, max_files: int = MAX_FILES, path: str | None = None, definition: str | None = None
    ) -> CommitEdits:
        """The edits of one commit; ``path``: those of this file alone; ``definition``: of this one alone."""
        full = sha if _SHA.fullmatch(sha) else self.head(sha)
        (commit,) = self._objects.commits([full])
        if commit is None:
            raise RepositoryError(f"Commit {short(sha)} is not in {self.root or self.git_dir}. Rebuild the index.")
        with self._diff_lock:
            if self._diff is None:
                self._diff = self._new_diff(max_files)
            changes = self._changes([full], self._diff)[full]
        if path is not None and changes is not None and not isinstance(changes, str) and len(changes) <= max_files:
            changes = [change for change in changes if change.path == path]
        return self._commit_edits(commit[0], commit[1], changes, max_files, self._shallow(), definition)

    def files(self, rev: str = "HEAD") -> dict[str, str]:
        """Python files of a revision: path → blob. Symbolic links, submodules and places for secrets are left out."""
        return {path: blob for path, (_, blob) in self._files_of(self.head(rev)).items()}

    def _files_of(self, sha: str) -> Tree:
        listed = self._listed
        if listed[0] != sha:
            listed = self._listed = sha, list_tree(self._git, sha)
        return listed[1]

    def read(self, blob: str) -> str | None:
        """A blob's text; None when it is missing (partial clone), larger than 1 MiB, or not text."""
        return self._objects.text(blob)

    def read_all(self, blobs: Sequence[str]) -> dict[str, str | None]:
        """``read`` of many blobs; much faster than one by one."""
        return self._objects.texts(blobs)

    def text_at(self, rev: str, path: str) -> str | None:
        """A Python file's text in a revision.

        None when it is not there, looks like a place for secrets, or cannot be read. Raises ``RepositoryError`` when
        there is no such revision.
        """
        if not is_wanted(path) or not is_inside(path) or "\n" in path or "\0" in path:
            return None
        status, out, _ = self._git.run("rev-parse", "--verify", "--quiet", f"{self.head(rev)}:{path}")
        return None if status else self.read(out.decode("ascii").strip())

    def definitions(self, blobs: Iterable[str]) -> dict[str, tuple[Definition, ...]]:
        """The definitions of many blobs, parsed once and remembered; without the blobs that ``read`` cannot give."""
        found = self._objects.definitions(blobs)
        return {blob: some for blob, some in found.items() if some is not None and not isinstance(some, str)}

    def working_edits(self, unsaved: Mapping[str, str] | None = None) -> tuple[Edit, ...]:
        """The edits of the working tree against HEAD: unsaved text (path → text), unstaged, staged, untracked.

        The newest first: of unsaved text, of tracked files, of untracked ones, and last of files that are gone. None of
        what is not ``listed``. Empty for a bare repository. Before the first commit everything is added.
        """
        return self.working(unsaved)[0]

    def working(
        self, unsaved: Mapping[str, str] | None = None, since: float = math.inf
    ) -> tuple[tuple[Edit, ...], dict[str, str | None], dict[str, str]]:
        """Of one look at the files: ``working_edits``; the text of each file that differs from HEAD, None where it is
        gone; and path → blob of files that are gone elsewhere and have only moved there.

        ``since`` (of ``time.monotonic``): which files Git lists need not be looked up again where that was done later.
        """
        if self._working is None:
            return (), {}, {}
        return self._working.look(self._resolve("HEAD"), unsaved or {}, since)

    def too_large(self) -> tuple[str, ...]:
        """The files that the last look at the working tree left out as they are larger than ``MAX_BLOB``."""
        return self._working.too_large() if self._working is not None else ()

    def listed(self, paths: Iterable[str], since: float = math.inf) -> frozenset[str]:
        """Those of ``paths`` (as ``relative`` names them) whose edits are the user's: files that Git lists, or would if
        they were saved, in the innermost repository. No ignored file, no library, nothing of a submodule or of a clone
        within, and no untracked file of a virtual environment or of what ``exclude`` names.

        ``since`` as in ``working``."""
        return self._working.listed(paths, since) if self._working is not None else frozenset()

    def close(self) -> None:
        """End the Git processes. The repository can be used again: it starts new ones."""
        self._objects.close()
        with self._diff_lock:
            if self._diff is not None:
                self._diff.close()

    def __enter__(self) -> Repository:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _resolve(self, rev: str) -> str | None:
        if not rev or rev.startswith("-") or "\0" in rev or "\n" in rev:
            return None
        known = head_on_disk(self._location) if rev == "HEAD" else rev
        if known in self._commits:
            return known
        status, out, _ = self._git.run("rev-parse", "--verify", "--quiet", f"{rev}^{{commit}}")
        if status:
            return None
        found = out.decode("ascii").strip()
        self._commits.add(found)
        return found

    def _shallow(self) -> frozenset[str]:
        try:
            return frozenset((self._location.common_dir / "shallow").read_text("ascii").split())
        except (OSError, ValueError):
            return frozenset()

    def _new_diff(self, max_files: int, *, exact_renames: bool | None = None) -> DiffTree:
        if exact_renames is None:  # a partial clone lacks the blobs that likeness would be judged by
            exact_renames = any((self._location.common_dir / "objects" / "pack").glob("*.promisor"))
        return DiffTree(self._git, exact_renames=exact_renames, rename_limit=max(60, min(2 * max_files, 1000)))

    def _edits(self, shas: Iterator[str], skip: Container[str], max_files: int) -> Iterator[CommitEdits]:
        shallow = self._shallow()
        diff = self._new_diff(max_files)
        missing = 0
        together = True  # while no object is missing, the blobs of several commits are asked for at once
        try:
            batch: list[str] = []
            size = 8  # the first answers soon, the others in bulk
            while True:
                batch.clear()
                for sha in shas:
                    if sha not in skip:
                        batch.append(sha)
                        if len(batch) == size:
                            break
                if not batch:
                    return
                size = BATCH
                found = [
                    commit or (Commit(sha, "", 0, "", None), None)
                    for sha, commit in zip(batch, self._objects.commits(batch), strict=True)
                ]
                single = [
                    commit.sha
                    for commit, parents in found
                    if parents is not None and len(parents) < 2 and commit.sha not in shallow
                ]
                changes = self._changes(single, diff) if single and missing < _GIVE_UP_AFTER else {}
                ahead = 0  # commits of this batch whose blobs are read
                for number, (commit, parents) in enumerate(found):
                    known = changes.get(commit.sha) if missing < _GIVE_UP_AFTER else None
                    if number == ahead and together:
                        blobs: dict[str, str | None] = {}
                        while ahead < len(found) and len(blobs) < _READ_AHEAD:
                            for blob, other in _blobs(changes.get(found[ahead][0].sha), max_files).items():
                                blobs.setdefault(blob, other)
                            ahead += 1
                        together = not missing and self._objects.read_ahead(blobs)
                    edits = self._commit_edits(commit, parents, known, max_files, shallow)
                    if edits.skipped == "missing":
                        missing += 1
                    elif edits.edits:
                        missing = 0
                    yield edits
        finally:
            diff.close()
            self._objects.trim()

    def _changes(self, shas: list[str], diff: DiffTree) -> dict[str, _Changes]:
        """The changed files of each commit; None where objects are missing to tell."""
        with contextlib.suppress(LimitError):
            together = diff.changes(shas)
            if together is not None:
                return dict(together)
        found: dict[str, _Changes] = {}
        alone = self._new_diff(MAX_FILES, exact_renames=True)
        try:
            for sha in shas:
                try:
                    changes = alone.changes([sha])
                    found[sha] = changes[sha] if changes is not None else None
                except LimitError:
                    self._log_skipped(sha, "changes too many files")
                    found[sha] = TOO_MUCH
        finally:
            alone.close()
        return found

    def _commit_edits(
        self,
        commit: Commit,
        parents: tuple[str, ...] | None,
        changes: _Changes,
        max_files: int,
        shallow: Container[str],
        definition: str | None = None,
    ) -> CommitEdits:
        if parents is not None and len(parents) > 1:
            return CommitEdits(commit, (), "merge")
        if commit.sha in shallow:
            return CommitEdits(commit, (), "shallow")
        if parents is None or changes is None:
            return CommitEdits(commit, (), "missing")
        if changes == TOO_MUCH:
            return CommitEdits(commit, (), "bulk")
        assert not isinstance(changes, str)
        renames = tuple((change.previous_path, change.path) for change in changes if change.previous_path is not None)
        if len(changes) > max_files:
            return CommitEdits(commit, (), "bulk", renames)
        blobs = _blobs(changes, max_files)
        alike = self._alike(changes, blobs) if definition is not None else blobs
        outlines = self._objects.outlines(alike, all_or_none=True) if blobs else {}
        if any(found == MISSING for found in outlines.values()):
            return CommitEdits(commit, (), "missing", renames)
        if blobs and not outlines:
            self._log_skipped(commit.sha, "changes too much text")
            return CommitEdits(commit, (), "bulk", renames)
        edits: list[Edit] = []
        for change in changes:
            if change.before == change.after:
                continue
            before = outlines[change.before] if change.before is not None else NOTHING
            after = outlines[change.after] if change.after is not None else NOTHING
            if not isinstance(before, Outline) or not isinstance(after, Outline):
                continue  # too large, or not text
            old, new = differing(before, after)
            if definition is not None:
                old, new = (tuple(one for one in some if one.name == definition) for some in (old, new))
            edits.extend(definition_edits(change.path, old, new, previous_path=change.previous_path, commit=commit))
            if len(edits) > _MAX_EDITS:
                self._log_skipped(commit.sha, f"changes more than {_MAX_EDITS:,} definitions")
                return CommitEdits(commit, (), "bulk", renames)
        return CommitEdits(commit, tuple(edits), None, renames)

    def _alike(self, changes: Sequence[FileChange], blobs: Mapping[str, str | None]) -> dict[str, str | None]:
        """Of the blobs of a commit another version of the same file: the one that was read last, as the edits of a
        definition are looked at one after the other."""
        alike = dict(blobs)
        for change in changes:
            if change.after is not None:
                alike[change.after] = self._read_last.get(change.path, change.before)
                self._read_last[change.path] = change.after
        if len(self._read_last) > _MAX_READ_LAST:
            self._read_last.clear()
        return alike

    def _log_skipped(self, sha: str, why: str) -> None:
        _log.warning("Skipping commit %s of %s: it %s.", short(sha), self.root or self.git_dir, why)


def _work_tree(git: HardenedGit, location: Location) -> Path | None:
    """The work tree, which the configuration (a worktree's own, where it is one) may put into a folder below.

    One that leads outside is not followed: a repository that was unpacked somewhere must not show the user's files.
    """
    if location.root is None:
        return None
    linked = not os.path.samefile(location.git_dir, location.common_dir)
    if linked and not (location.git_dir / "config.worktree").is_file():
        return location.root
    status, out, _ = git.run("config", *(["--worktree"] if linked else []), "--type=path", "--get", "core.worktree")
    named = out.decode("utf-8", "surrogateescape").removesuffix("\n")
    if status or not named:
        return location.root
    below = location.git_dir / named
    root, place = os.path.realpath(location.root), os.path.realpath(below)
    is_inside = place.startswith(root + os.sep) and os.path.isdir(place)
    return location.root / os.path.relpath(place, root) if is_inside else location.root


def _blobs(changes: _Changes, max_files: int) -> dict[str, str | None]:
    """The blobs that the edits of a commit are made from, each with the other version of the same file; none when it
    has more files than wanted."""
    if changes is None or isinstance(changes, str) or len(changes) > max_files:
        return {}
    found: dict[str, str | None] = {}
    for change in changes:
        if change.before != change.after:
            for blob, other in ((change.after, change.before), (change.before, change.after)):
                if blob is not None:
                    found.setdefault(blob, other)
    return found


def _short_hash(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]

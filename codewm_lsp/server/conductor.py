"""What is computed when: the editor's events on one side, the background thread on the other. No protocol type in here.

Everything here runs on the event loop and returns at once. A lens is answered from what is known; what is not known
yet is computed by the worker, after a pause in typing, and the editor is told when the answer has changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from codewm_lsp.errors import BundleError, CodewmError, IndexStoreError, RepositoryError
from codewm_lsp.hints import Hint
from codewm_lsp.index import Scope
from codewm_lsp.server.debounce import Debouncer
from codewm_lsp.server.documents import Anchor, Change, Document, anchor_on, shift
from codewm_lsp.server.evidence import Evidence, PastChange, Suggestion
from codewm_lsp.server.globs import matches_any
from codewm_lsp.server.options import Display, Options
from codewm_lsp.server.pace import Pace, Pause
from codewm_lsp.server.session import LARGEST_TEXT, Indexed, Place, Session, Workshop
from codewm_lsp.server.status import Problem, RepositoryStatus, Stage, Status, Trouble
from codewm_lsp.server.worker import Priority, Worker
from codewm_lsp.source import MODULE_NAME, parse_definitions

_log = logging.getLogger(__name__)
Result = TypeVar("Result")

FIRST_SLICE: Final = 0.5  # seconds of indexing before lenses are looked at again, uninterrupted; then doubled each time
LONGEST_SLICE: Final = 8.0
BEGUN: Final = 0.2  # of the pause after which lenses may change, when they are begun to be computed
READING: Final = 0.5  # seconds of reading a large repository for the first time before what is known is shown
CHECK_DELAY: Final = 0.2  # seconds between a sign of life and the look whether HEAD moved
PATIENCE: Final = 20.0  # seconds that a client which cannot be told later is kept waiting for its first lenses


class Level(Enum):
    """How a message reaches the user."""

    WARNING = "warning"
    INFO = "info"
    LOG = "log"


class Progress(Protocol):
    """A progress bar in the editor."""

    def report(self, done: int, total: int) -> None:
        """So many of so many commits."""

    def pause(self, why: Pause) -> None:
        """Nothing is done just now."""

    def end(self, message: str) -> None:
        """Take it away."""


class Client(Protocol):
    """What the conductor asks of the editor."""

    def say(self, level: Level, text: str) -> None:
        """One message to the user, or to the log only."""

    def can_refresh(self) -> bool:
        """Whether the editor can be told to ask for its lenses again."""

    async def refresh(self) -> None:
        """Tell it so."""

    async def begin(self, title: str, cancel: Callable[[], None]) -> Progress | None:
        """A progress bar that the user may cancel, where there are any."""

    def shows_status(self) -> bool:
        """Whether it shows ``Conductor.status`` all the time."""

    def status_changed(self) -> None:
        """``Conductor.status`` may have changed."""


@dataclass(frozen=True, slots=True)
class Lens:
    """A hint and where it hangs now."""

    anchor: Anchor
    hint: Hint


@dataclass(slots=True, eq=False)
class OpenFile:
    """A document, where it is, and its newest known lenses."""

    document: Document
    file: Path
    place: Place | None = None
    lenses: tuple[Lens, ...] = ()
    shown: tuple[Lens, ...] | None = None
    fresh: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class _Found:
    place: Place
    hints: Sequence[Hint] | None  # None: the index has not even begun
    more: bool = False  # whether the repository is still being read for the first time


class Conductor:
    """Decides what the worker does, and keeps its newest answers."""

    def __init__(
        self, client: Client, loop: asyncio.AbstractEventLoop, folders: Iterable[Path], options: Options
    ) -> None:
        self.options = options
        self._client = client
        self._loop = loop
        self._folders = list(folders)
        self._files: dict[str, OpenFile] = {}
        self._debouncer = Debouncer(loop.call_later)
        self._workshop = Workshop(self.announce)
        self._worker = Worker(self._workshop.close)
        self._tasks: set[asyncio.Task[None]] = set()
        self._indexing: dict[Path, bool] = {}  # root → whether to begin again when done
        self._warm: set[Path] = set()  # roots with an index to answer from
        self._halted: set[Path] = set()  # indexing cancelled by the user
        self._failed: set[Path] = set()
        self._pace = Pace()
        self._pauses: dict[Path, Pause] = {}  # roots whose indexing waits just now
        self._progress: dict[Path, tuple[int, int]] = {}  # commits indexed, and how many there are
        self._problems: dict[Path, Problem] = {}
        self._said: set[str] = set()
        self._switched: bool | None = None  # the toggle, where it was used
        self._snoozed_until = 0.0
        self._quiet_from = 0.0  # when the last key stroke will have been a pause ago
        self._refreshing = False
        self._closed = False

    # ---- documents

    def open(self, document: Document, file: Path) -> None:
        """A Python document was opened."""
        opened = OpenFile(document, file)
        self._files[document.uri] = opened
        if len(document.text) > LARGEST_TEXT:
            self.say_once(Level.LOG, f"{file} is larger than {LARGEST_TEXT:,} characters: it gets no lenses.")
        self._retry()
        self._compute(opened, Priority.TYPING)

    def document(self, uri: str) -> Document | None:
        """The open document of this name."""
        opened = self._files.get(uri)
        return opened.document if opened else None

    def changed(self, uri: str, change: Change) -> None:
        """The document took in one change: its lenses move with their lines, and a pause will bring new ones."""
        opened = self._files.get(uri)
        if opened is None:
            return
        opened.fresh.clear()
        opened.lenses = _moved(opened.lenses, change, opened.document)
        if opened.shown is not None:  # the editor moves them in the same way
            opened.shown = _moved(opened.shown, change, opened.document)
        eagerness = self.options.eagerness / 1000
        self._quiet_from = self._loop.time() + eagerness
        self._debouncer.cancel(("found", uri))
        self._debouncer.call(uri, eagerness * BEGUN, partial(self._paused, opened))

    def saved(self, uri: str) -> None:
        """A document was saved: a moment to look at what failed, and at HEAD."""
        self._retry()
        opened = self._files.get(uri)
        if opened is not None and opened.place is not None and opened.place.root in self._failed:
            self._start_indexing(opened.place.root)
        self._check(self._roots())

    def close_document(self, uri: str) -> None:
        """A document was closed."""
        self._debouncer.cancel(uri)
        self._debouncer.cancel(("found", uri))
        self._files.pop(uri, None)
        self._client.status_changed()

    # ---- the world around

    def folders_changed(self, added: Iterable[Path], removed: Iterable[Path]) -> None:
        """Folders of the workspace came or went."""
        gone = set(removed)
        self._folders = [folder for folder in self._folders if folder not in gone]
        self._client.status_changed()
        for folder in added:
            self._folders.append(folder)
            self._warm_up(folder)

    def begin(self) -> None:
        """Index the workspace's folders in the background."""
        for folder in self._folders:
            self._warm_up(folder)

    def files_changed(self) -> None:
        """Something changed on disk: a commit, a checkout, another program's edit."""
        self._retry()
        self._check(self._roots())
        self._debouncer.call("disk", CHECK_DELAY, partial(self._recompute, None))

    def configure(self, options: Options) -> None:
        """Apply other options, live."""
        before, self.options = self.options, options
        if before.enable != options.enable:
            self._switched = None
        if (before.model, before.threads, before.store) != (options.model, options.threads, options.store):
            self._warm.clear()
            self._submit(self._workshop.close, Priority.ASKED, None, lambda _: self._restart())
        elif before.history_depth != options.history_depth or (options.enable and not before.enable):
            self._restart()
        elif before != options:
            self._recompute(None)
        self._refresh_where_changed()
        self._client.status_changed()

    # ---- answers

    def lenses(self, uri: str) -> tuple[Lens, ...]:
        """The lenses of a document as far as they are known; at once."""
        opened = self._files.get(uri)
        if opened is None:
            return ()
        if opened.place is not None:
            self._check([opened.place.root])
        visible = self._visible(opened)
        opened.shown = visible
        return visible

    async def settled_lenses(self, uri: str) -> tuple[Lens, ...]:
        """``lenses``, for a client that cannot be told of newer ones: what is being computed is waited for."""
        opened = self._files.get(uri)
        if opened is not None and self.shows_lenses() and not opened.fresh.is_set():
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(opened.fresh.wait(), PATIENCE)
        return self.lenses(uri)

    def hover(self, uri: str, line: int) -> Lens | None:
        """The hint on this line, where hints are shown on hovering."""
        opened = self._files.get(uri)
        if opened is None or not self.active() or self.options.display is not Display.HOVER:
            return None
        return next((lens for lens in opened.lenses if lens.anchor.line == line), None)

    def active(self) -> bool:
        """Whether hints are wanted now: switched on and not snoozed."""
        wanted = self.options.enable if self._switched is None else self._switched
        return wanted and self._loop.time() >= self._snoozed_until

    def shows_lenses(self) -> bool:
        """Whether lenses are shown now."""
        return self.active() and self.options.display is Display.CODE_LENS

    def status(self) -> Status:
        """How everything stands. A problem counts as long as its folder is open or has a file open in it."""
        concerned = {*self._folders, *(opened.file.parent for opened in self._files.values())}
        return Status(
            enabled=self.options.enable if self._switched is None else self._switched,
            snoozed=max(0.0, self._snoozed_until - self._loop.time()),
            model=self._workshop.model,
            repositories=tuple(
                RepositoryStatus(root, self._stage(root), *self._progress.get(root, (0, 0)), self._pause(root))
                for root in sorted({*self._warm, *self._indexing})
            ),
            problems=tuple(problem for folder, problem in sorted(self._problems.items()) if folder in concerned),
        )

    async def similar(self, file: Path, definition: str, line: int = 0) -> tuple[Place, Evidence]:
        """The past edits behind the lens of a definition (no name: of the one on ``line``). Raises CodewmError."""

        def ask(unsaved: dict[Path, str], options: Options) -> tuple[Place, Evidence]:
            place = self._workshop.place(file, options)
            session = self._workshop.session(place.root)
            assert session is not None
            name = definition or definition_at(unsaved.get(file, ""), line)
            return place, session.similar(place.path, name, self._relative(unsaved, place.root))

        return await self._ask(partial(ask, self._unsaved(), self.options))

    async def next(self, file: Path | None, *, evidence: bool = True) -> tuple[Path, list[Suggestion]]:
        """What is likely to be edited next in a file's repository, or in that of the first folder."""

        def ask(unsaved: dict[Path, str], options: Options) -> tuple[Path, list[Suggestion]]:
            folder = file.parent if file is not None else self._first_folder()
            session = self._opened(folder, options)
            path = session.relative(file) if file is not None else None
            found = session.next(path, self._relative(unsaved, session.root), options, evidence=evidence)
            return session.root, found

        return await self._ask(partial(ask, self._unsaved(), self.options))

    async def commit(self, root: Path, sha: str) -> tuple[PastChange, ...]:
        """All edits of one commit. Raises CodewmError."""
        return await self._ask(lambda: self._opened(root, self.options).commit(sha))

    async def text(self, root: Path, sha: str, path: str, *, before: bool) -> str | None:
        """A file as a commit left it, or found it; None where there is none. Raises CodewmError."""
        return await self._ask(lambda: self._opened(root, self.options).text(sha, path, before=before))

    async def dismiss_edit(
        self, root: Path, sha: str, path: str, definition: str, scope: Scope, *, restore: bool
    ) -> None:
        """Hide a past edit and those like it or of its commit, or take that back. Raises CodewmError."""
        await self._ask(
            lambda: self._opened(root, self.options).dismiss_edit(sha, path, definition, scope, restore=restore)
        )
        self._recompute(root)

    async def dismiss(self, uri: str, definition: str) -> int:
        """Hide the lens of a definition, and the past edits behind it, for good; how many lenses went away."""
        opened = self._files.get(uri)
        if opened is None or opened.place is None:
            return 0
        gone = [lens.hint for lens in opened.lenses if lens.hint.definition == definition]
        session = self._workshop.session(opened.place.root)
        if gone and session is not None:
            for hint in gone:
                await self._ask(partial(session.dismiss, hint))
            opened.lenses = tuple(lens for lens in opened.lenses if lens.hint.definition != definition)
            self._refresh_where_changed()
            self._compute(opened, Priority.TYPING)
        return len(gone)

    def toggle(self, on: bool | None) -> bool:
        """Switch hints on or off, or over; whether they are on now."""
        self._snoozed_until, was = 0.0, self.active()
        self._switched = not was if on is None else on
        self._woken()
        self._client.status_changed()
        return self._switched

    def snooze(self, minutes: float) -> None:
        """No hints for so long; 0 ends it."""
        self._snoozed_until = self._loop.time() + minutes * 60 if minutes > 0 else 0.0
        if minutes > 0:
            self._debouncer.call("snooze", minutes * 60 + 0.05, self._woken)
        else:
            self._debouncer.cancel("snooze")
        self._woken()
        self._client.status_changed()

    def reindex(self) -> int:
        """Look at the history of every open repository again; how many there are."""
        self._retry()
        self._halted.clear()
        roots = self._roots()
        for root in roots:
            self._start_indexing(root)
        self.begin()
        return len(roots)

    def close(self, seconds: float = 0.0) -> bool:
        """Stop everything; whether the worker ended within so many seconds."""
        if not self._closed:
            self._closed = True
            self._debouncer.cancel_all()
            for task in self._tasks:
                task.cancel()
        return self._worker.close(seconds)

    def say_once(self, level: Level, text: str) -> None:
        """One message, never twice."""
        if text not in self._said:
            self._said.add(text)
            self._client.say(level, text)

    def announce(self, text: str) -> None:
        """``say_once`` from any thread."""
        self._from_worker(self.say_once, Level.WARNING, text)

    # ---- computing

    def _paused(self, opened: OpenFile) -> None:
        self._compute(opened, Priority.TYPING)
        for other in self._files.values():
            if other is not opened and _maybe_together(opened, other):
                self._compute(other, Priority.OTHER)

    def _recompute(self, root: Path | None) -> None:
        for opened in self._files.values():
            if root is None or opened.place is None or opened.place.root == root:
                self._compute(opened, Priority.OTHER)

    def _compute(self, opened: OpenFile, priority: Priority) -> None:
        document = opened.document
        if not self.active() or self.options.display is Display.OFF or len(document.text) > LARGEST_TEXT:
            opened.fresh.set()
            return
        text, version = document.python_text(), document.version
        work = partial(self._find, opened.file, text, self._unsaved(), self.options)
        self._submit(work, priority, ("hints", document.uri), partial(self._found, opened, version, text))

    def _find(self, file: Path, text: str, unsaved: dict[Path, str], options: Options) -> _Found:
        place = self._workshop.place(file, options)
        session = self._workshop.session(place.root)
        if place.root not in self._warm:
            return _Found(place, None)
        if session is None or matches_any(place.path, options.exclude):
            return _Found(place, ())
        relative = self._relative(unsaved, place.root)
        return _Found(place, *session.hints(place.path, text, relative, options, READING))

    def _found(self, opened: OpenFile, version: int, text: str, future: Future[_Found]) -> None:
        uri = opened.document.uri
        if self._files.get(uri) is not opened:
            return
        wait = self._quiet_from - self._loop.time()
        if wait > 0:  # nothing moves while somebody is typing
            self._debouncer.call(("found", uri), wait, partial(self._found, opened, version, text, future))
            return
        try:
            found = future.result()
        except Exception as error:
            opened.fresh.set()
            inside = not self._folders or any(folder in opened.file.parents for folder in self._folders)
            served = opened.place is not None and opened.place.root in self._warm
            self._failure("the hints of a file", opened.file, error, quiet=not inside, served=served)
            return
        opened.place, root = found.place, found.place.root
        self._problems.pop(opened.file.parent, None)
        if root not in self._warm and root not in self._indexing:
            self._start_indexing(root)
        if found.hints is None:
            return
        _log.debug("version %d of %s: %s", version, opened.file, [(hint.line, hint.title) for hint in found.hints])
        lines = text.split("\n")
        lenses = []
        for hint in found.hints:
            anchor: Anchor | None = anchor_on(hint.line, lines[hint.line])
            for change in opened.document.changes_since(version):
                anchor = anchor and _shifted(anchor, hint, change)
            if anchor is not None:
                lenses.append(Lens(opened.document.anchor(anchor.line), hint))
        opened.lenses = tuple(sorted(lenses, key=lambda lens: lens.anchor.line))
        if version == opened.document.version:
            if found.more:
                self._compute(opened, Priority.OTHER)
            elif opened.lenses or root not in self._indexing:
                opened.fresh.set()
        self._refresh_where_changed()

    def _unsaved(self) -> dict[Path, str]:
        return {
            opened.file: opened.document.python_text()
            for opened in self._files.values()
            if len(opened.document.text) <= LARGEST_TEXT
        }

    def _relative(self, unsaved: dict[Path, str], root: Path) -> dict[str, str]:
        session = self._workshop.session(root)
        paths = ((session.relative(file) if session else None, text) for file, text in unsaved.items())
        return {path: text for path, text in paths if path is not None}

    def _visible(self, opened: OpenFile) -> tuple[Lens, ...]:
        return opened.lenses if self.shows_lenses() else ()

    def _refresh_where_changed(self) -> None:
        if any(
            opened.shown is not None and _signature(opened.shown) != _signature(self._visible(opened))
            for opened in self._files.values()
        ):
            self._start(self._refresh())

    async def _refresh(self) -> None:
        if self._refreshing or not self._client.can_refresh():
            return
        self._refreshing = True
        for opened in self._files.values():  # what the editor is about to ask for is as good as shown
            if opened.shown is not None:
                opened.shown = self._visible(opened)
        try:
            await self._client.refresh()
        finally:
            self._refreshing = False
        self._refresh_where_changed()

    # ---- indexing

    def _warm_up(self, folder: Path) -> None:
        if not self.active():
            return

        def opened(future: Future[Path]) -> None:
            try:
                self._start_indexing(future.result())
                self._problems.pop(folder, None)
            except Exception as error:
                self._failure("opening a folder", folder, error)

        work = partial(self._workshop.root, folder, self.options)
        self._submit(work, Priority.OTHER, ("root", folder), opened)

    def _start_indexing(self, root: Path) -> None:
        if root in self._halted or self._closed:
            return
        if root in self._indexing:
            self._indexing[root] = True
            return
        self._indexing[root] = False
        self._start(self._index(root))

    async def _index(self, root: Path) -> None:
        seconds = FIRST_SLICE
        worked = 0.0
        bar: Progress | None = None
        ended = "stopped"
        served = root in self._warm
        self._failed.discard(root)
        try:
            while self.active() and root not in self._halted:
                if await self._pace.give_way(worked, partial(self._wait, root, bar), partial(self._may_wait, root)):
                    seconds = 2 * FIRST_SLICE
                begun, self._indexing[root] = self._loop.time(), False
                step = await self._slice(root, seconds, bar)
                worked += self._loop.time() - begun
                self._warm.add(root)
                self._progress[root] = (step.done, step.total)
                self._client.status_changed()
                _log.debug("indexing %s: %s", root, step)
                if step.busy:
                    await asyncio.sleep(seconds)
                if step.finished:
                    ended = f"{step.total:,} commits"
                    if not self._indexing[root]:
                        break
                elif bar is None and not step.busy:
                    bar = await self._client.begin("CodeWM: indexing history", partial(self._halted.add, root))
                seconds = min(seconds * 2, LONGEST_SLICE)
                self._recompute(root)
        except Exception as error:
            ended = "failed"
            self._failed.add(root)
            self._failure("indexing", root, error, served=served)
        finally:
            del self._indexing[root]
            self._pauses.pop(root, None)
            self._warm.add(root)
            if bar is not None:
                bar.end(ended)
            self._client.status_changed()
        self._recompute(root)

    async def _slice(self, root: Path, seconds: float, bar: Progress | None) -> Indexed:
        told = 0.0

        def progress(done: int, total: int) -> None:
            nonlocal told
            now = time.monotonic()
            if now - told > 0.2:
                told = now
                self._from_worker(self._progressed, root, bar, done, total)

        def stop() -> bool:
            if self._worker.closing or root in self._halted or not self.active():
                return True
            return seconds > FIRST_SLICE and self._worker.awaited(Priority.INDEXING)

        def work() -> Indexed:
            session = self._opened(root, self.options)
            return session.index(self.options.history_depth, seconds, progress, stop)

        return await asyncio.wrap_future(self._worker.submit(work, Priority.INDEXING, ("index", root)))

    def _may_wait(self, root: Path) -> bool:
        """Whether indexing may be put off: not when it is to end, nor when there is a new commit."""
        wanted = self.active() and root not in self._halted and not self._closed
        return wanted and self.options.pause_when_busy and not self._indexing[root]

    def _wait(self, root: Path, bar: Progress | None, why: Pause) -> None:
        self._pauses[root] = why
        if bar is not None and why is not Pause.NONE:
            bar.pause(why)
        self._client.status_changed()

    def _pause(self, root: Path) -> Pause:
        return self._pauses.get(root, Pause.NONE)

    def _progressed(self, root: Path, bar: Progress | None, done: int, total: int) -> None:
        self._progress[root] = (done, total)
        if bar is not None:
            bar.report(done, total)
        self._client.status_changed()

    def _stage(self, root: Path) -> Stage:
        if root in self._indexing:
            return Stage.INDEXING
        if root in self._failed:
            return Stage.FAILED
        return Stage.HALTED if root in self._halted else Stage.READY

    def _check(self, roots: Iterable[Path]) -> None:
        for root in roots:
            if not self._debouncer.pending(("check", root)):  # not put off by an editor that asks all the time
                self._debouncer.call(("check", root), CHECK_DELAY, partial(self._check_now, root))

    def _check_now(self, root: Path) -> None:
        session = self._workshop.session(root)
        if session is None or not self.active() or (root in self._indexing and not self._pause(root).value):
            return

        def checked(future: Future[bool]) -> None:
            if future.result():
                self._start_indexing(root)

        self._submit(session.moved, Priority.OTHER, ("moved", root), checked)

    # ---- plumbing

    def _restart(self) -> None:
        self.begin()
        for root in self._roots():
            self._start_indexing(root)
        self._recompute(None)

    def _woken(self) -> None:
        if self.active():
            self._restart()
        self._refresh_where_changed()
        self._client.status_changed()

    def _retry(self) -> None:
        self._submit(self._workshop.retry, Priority.ASKED, "retry", lambda _: None)

    def _opened(self, folder: Path, options: Options) -> Session:
        """For the worker: the session of the repository that ``folder`` is in. Raises CodewmError."""
        session = self._workshop.session(self._workshop.root(folder, options))
        assert session is not None
        return session

    def _roots(self) -> list[Path]:
        return list(dict.fromkeys(opened.place.root for opened in self._files.values() if opened.place is not None))

    def _first_folder(self) -> Path:
        for opened in self._files.values():
            return opened.file.parent
        return self._folders[0] if self._folders else Path.cwd()

    async def _ask(self, work: Callable[[], Result]) -> Result:
        return await asyncio.wrap_future(self._worker.submit(work, Priority.ASKED))

    def _submit(
        self, work: Callable[[], Result], priority: Priority, key: object, done: Callable[[Future[Result]], None]
    ) -> None:
        def finished(future: Future[Result]) -> None:
            if not future.cancelled():
                self._from_worker(done, future)

        self._worker.submit(work, priority, key).add_done_callback(finished)

    def _from_worker(self, action: Callable[..., object], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is gone: so is the editor
            self._loop.call_soon_threadsafe(action, *arguments)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _failure(
        self, what: str, where: Path, error: BaseException, *, quiet: bool = False, served: bool = False
    ) -> None:
        """Say an expected error as it is and no louder than it deserves; any other goes to the log with its trace.

        A repository that was ``served`` and cannot be read now is most likely being replaced by a new clone: that
        stands in the status and in the log, and the next change is another try.
        """
        if isinstance(error, (CancelledError, asyncio.CancelledError)):
            return
        if isinstance(error, CodewmError):
            outside = isinstance(error, RepositoryError)
            level = Level.INFO if outside else Level.WARNING
            message = str(error)
            hushed = quiet or (outside and (served or self._client.shows_status()))
            self.say_once(Level.LOG if hushed else level, message)
        else:
            _log.error("%s: %s", what, where, exc_info=error)
            message = f"CodeWM failed at {what} ({type(error).__name__}); its log has the details."
            self.say_once(Level.WARNING, message)
        folder = where if where in self._folders or where in self._indexing else where.parent
        self._problems[folder] = Problem(folder, _about(error), message)
        self._client.status_changed()


def definition_at(text: str, line: int) -> str:
    """The innermost definition that ``line`` (from 0) stands in."""
    inside = [one for one in parse_definitions(text) if one.name != MODULE_NAME and one.start <= line < one.end]
    return max(inside, key=lambda one: one.start).name if inside else MODULE_NAME


def _about(error: BaseException) -> Trouble:
    if isinstance(error, RepositoryError):
        return Trouble.REPOSITORY
    if isinstance(error, BundleError):
        return Trouble.MODEL
    return Trouble.INDEX if isinstance(error, IndexStoreError) else Trouble.OTHER


def _moved(lenses: Sequence[Lens], change: Change, document: Document) -> tuple[Lens, ...]:
    anchors = ((lens, _shifted(lens.anchor, lens.hint, change)) for lens in lenses)
    return tuple(Lens(document.anchor(anchor.line), lens.hint) for lens, anchor in anchors if anchor is not None)


def _shifted(anchor: Anchor, hint: Hint, change: Change) -> Anchor | None:
    return anchor if hint.definition == MODULE_NAME else shift(anchor, change)


def _signature(lenses: Sequence[Lens]) -> tuple[tuple[int, str], ...]:
    return tuple((lens.anchor.line, lens.hint.title) for lens in lenses)


def _maybe_together(one: OpenFile, other: OpenFile) -> bool:
    return one.place is None or other.place is None or one.place.root == other.place.root

"""Who indexes: the history of each repository, in slices, at a pace that leaves the machine to its user."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Final

from codewm_lsp.server.background import Background
from codewm_lsp.server.client import Client, ProgressBar
from codewm_lsp.server.pace import Pace, Pause, timed
from codewm_lsp.server.preferences import Preferences
from codewm_lsp.server.problems import Problems
from codewm_lsp.server.session import Indexed, Workshop
from codewm_lsp.server.status import RepositoryStatus, Stage
from codewm_lsp.server.worker import Priority

_log = logging.getLogger(__name__)

FIRST_SLICE: Final = 0.5  # seconds of indexing before lenses are looked at again, uninterrupted; then doubled each time
LONGEST_SLICE: Final = 8.0
CHECK_DELAY: Final = 0.2  # seconds between a sign of life and the look whether HEAD moved


class Indexing:
    """Keeps the index of every open repository up to date, and knows how far each is."""

    def __init__(
        self,
        client: Client,
        background: Background,
        workshop: Workshop,
        preferences: Preferences,
        problems: Problems,
        grown: Callable[[Path], None],
    ) -> None:
        """``grown`` is called when there may be more to answer from in a repository."""
        self._client = client
        self._background = background
        self._workshop = workshop
        self._preferences = preferences
        self._problems = problems
        self._grown = grown
        self._pace = Pace()
        self._opening: set[Path] = set()  # folders whose repositories are not known yet
        self._running: dict[Path, bool] = {}  # root → whether to begin again when done
        self._warm: set[Path] = set()  # roots with an index to answer from
        self._halted: set[Path] = set()  # by the user
        self._forgotten: set[Path] = set()  # nobody needs them any more
        self._failed: set[Path] = set()
        self._pauses: dict[Path, Pause] = {}  # roots that wait just now
        self._progress: dict[Path, tuple[int, int]] = {}  # commits indexed, and how many there are

    def open(self, folder: Path) -> None:
        """Index the repository that a folder is in."""
        if not self._preferences.active():
            return

        def opened(future: Future[Path]) -> None:
            self._opening.discard(folder)
            try:
                self.start(future.result())
                self._problems.solved(folder)
            except Exception as error:
                self._problems.add("opening a folder", folder, folder, error)

        self._opening.add(folder)
        work = partial(self._workshop.root, folder, self._preferences.options)
        self._background.submit(work, Priority.OTHER, ("root", folder), opened)

    def start(self, root: Path) -> None:
        """Index what is not indexed yet."""
        if root in self._halted or self._background.closed:
            return
        self._forgotten.discard(root)
        if root in self._running:
            self._running[root] = True
            return
        self._running[root] = False
        self._background.start(self._index(root))

    def forget(self, root: Path) -> None:
        """Nobody needs it any more."""
        self._forgotten.add(root)
        if root not in self._running:
            self._forget_now(root)

    def _forget_now(self, root: Path) -> None:
        self._background.timers.cancel(("check", root))
        self._progress.pop(root, None)
        for roots in (self._warm, self._failed, self._forgotten):
            roots.discard(root)
        self._client.status_changed()

    def resume(self) -> None:
        """Forget where the user stopped it."""
        self._halted.clear()

    def cool(self) -> None:
        """The indexes there were are not those of the model in use."""
        self._warm.clear()

    def check(self, roots: Iterable[Path]) -> None:
        """Look soon whether HEAD moved."""
        for root in roots:
            key = ("check", root)
            if not self._background.timers.pending(key):  # not put off by an editor that asks all the time
                self._background.timers.call(key, CHECK_DELAY, partial(self._check_now, root))

    def warm(self, root: Path) -> bool:
        """Whether there is an index to answer from; from any thread."""
        return root in self._warm

    def running(self, root: Path) -> bool:
        """Whether it is being indexed."""
        return root in self._running

    def failed(self, root: Path) -> bool:
        """Whether the last try ended with an error."""
        return root in self._failed

    def statuses(self) -> tuple[RepositoryStatus, ...]:
        """How far each repository is."""
        return tuple(
            RepositoryStatus(root, self._stage(root), *self._progress.get(root, (0, 0)), self._pause(root))
            for root in sorted({*self._warm, *self._running, *self._opening})
        )

    def _stage(self, root: Path) -> Stage:
        if root in self._running or root in self._opening:
            return Stage.INDEXING
        if root in self._failed:
            return Stage.FAILED
        return Stage.HALTED if root in self._halted else Stage.READY

    async def _index(self, root: Path) -> None:
        seconds = FIRST_SLICE
        worked = 0.0
        bar: ProgressBar | None = None
        ended = "stopped"
        served = root in self._warm
        self._failed.discard(root)
        try:
            while self._wanted(root):
                if await self._pace.give_way(worked, partial(self._wait, root, bar), partial(self._may_wait, root)):
                    seconds = 2 * FIRST_SLICE
                self._running[root] = False
                step, spent = await self._slice(root, seconds, bar)
                worked += spent
                if root in self._forgotten:
                    break
                self._warm.add(root)
                self._progress[root] = (step.done, step.total)
                self._client.status_changed()
                _log.debug("indexing %s: %s", root, step)
                if step.busy:
                    await asyncio.sleep(seconds)
                if step.finished:
                    ended = f"{step.total:,} commits"
                    if not self._running[root]:
                        break
                elif bar is None and not step.busy:
                    bar = await self._client.begin("CodeWM: indexing history", partial(self._halted.add, root))
                seconds = min(seconds * 2, LONGEST_SLICE)
                self._grown(root)
        except Exception as error:
            ended = "failed"
            self._failed.add(root)
            self._problems.add("indexing", root, root, error, served=served)
        finally:
            del self._running[root]
            self._pauses.pop(root, None)
            if root in self._forgotten:
                self._forget_now(root)
            else:
                self._warm.add(root)
            if bar is not None:
                bar.end(ended)
            self._client.status_changed()
        if root in self._warm:
            self._grown(root)

    def _wanted(self, root: Path) -> bool:
        """Whether it is to go on; from any thread."""
        return self._preferences.active() and root not in self._halted and root not in self._forgotten

    async def _slice(self, root: Path, seconds: float, bar: ProgressBar | None) -> tuple[Indexed, float]:
        """How far it got, and the seconds of the processor that it took."""
        told = 0.0

        def progress(done: int, total: int) -> None:
            nonlocal told
            now = time.monotonic()
            if now - told > 0.2:
                told = now
                self._background.call(self._progressed, root, bar, done, total)

        def stop() -> bool:
            if self._background.closing or not self._wanted(root):
                return True
            return seconds > FIRST_SLICE and self._background.awaited(Priority.INDEXING)

        def work() -> Indexed:
            options = self._preferences.options
            if not self._wanted(root):  # it may be closed already
                return Indexed(0, 0, finished=False, busy=False)
            return self._workshop.opened(root, options).index(options.history_depth, seconds, progress, stop)

        return await self._background.ask(partial(timed, work), Priority.INDEXING, ("index", root))

    def _may_wait(self, root: Path) -> bool:
        """Whether indexing may be put off: not when it is to end, nor when there is a new commit."""
        wanted = self._wanted(root) and not self._background.closed
        return wanted and self._preferences.options.pause_when_busy and not self._running[root]

    def _wait(self, root: Path, bar: ProgressBar | None, why: Pause) -> None:
        self._pauses[root] = why
        if bar is not None and why is not Pause.NONE:
            bar.pause(why)
        self._client.status_changed()

    def _pause(self, root: Path) -> Pause:
        return self._pauses.get(root, Pause.NONE)

    def _progressed(self, root: Path, bar: ProgressBar | None, done: int, total: int) -> None:
        self._progress[root] = (done, total)
        if bar is not None:
            bar.report(done, total)
        self._client.status_changed()

    def _check_now(self, root: Path) -> None:
        session = self._workshop.session(root)
        waits = root not in self._running or self._pause(root) is not Pause.NONE
        if session is None or not self._preferences.active() or not waits:
            return

        def checked(future: Future[bool]) -> None:
            if future.result():
                self.start(root)

        self._background.submit(session.moved, Priority.OTHER, ("moved", root), checked)

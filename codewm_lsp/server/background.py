"""The event loop and the worker, joined: work goes to the thread, and what came of it returns to the loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar

from codewm_lsp.server.debounce import Debouncer
from codewm_lsp.server.worker import Priority, Worker

Result = TypeVar("Result")


class Background:
    """Everything that happens later. To be called on the event loop, where nothing else is said."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        finish: Callable[[], None],
        after: Callable[[], None],
        rest: Callable[[], None],
    ) -> None:
        """``finish``: the last thing that the worker does. ``after``: what it does after each job. ``rest``: what it
        does once when it has nothing to do."""
        self._loop = loop
        self._worker = Worker(finish, after=after, tidy=rest)
        self._tasks: set[asyncio.Task[None]] = set()
        self.timers = Debouncer(loop.call_later)
        self.closed = False

    def now(self) -> float:
        """Seconds of the loop's clock."""
        return self._loop.time()

    def submit(
        self, work: Callable[[], Result], priority: Priority, key: Hashable, done: Callable[[Future[Result]], None]
    ) -> None:
        """Have the worker do ``work``; ``done`` gets its future on the loop, unless it was cancelled.

        Of several jobs under one ``key`` that have not begun, the last is done.
        """

        def finished(future: Future[Result]) -> None:
            if not future.cancelled():
                self.call(done, future)

        self._worker.submit(work, priority, key).add_done_callback(finished)

    async def ask(
        self, work: Callable[[], Result], priority: Priority = Priority.ASKED, key: Hashable | None = None
    ) -> Result:
        """What the worker answers."""
        return await asyncio.wrap_future(self._worker.submit(work, priority, key))

    def call(self, action: Callable[..., object], *arguments: object) -> None:
        """Have the loop call ``action``; from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is gone: so is the editor
            self._loop.call_soon_threadsafe(action, *arguments)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Have the loop do ``work`` beside everything else."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def awaited(self, priority: Priority) -> bool:
        """Whether a job more urgent than ``priority`` waits for the worker; from any thread."""
        return self._worker.awaited(priority)

    @property
    def closing(self) -> bool:
        """Whether the worker is to end; from any thread."""
        return self._worker.closing

    def close(self, seconds: float) -> bool:
        """Stop everything; whether the worker ended within so many seconds."""
        if not self.closed:
            self.closed = True
            self.timers.cancel_all()
            for task in self._tasks:
                task.cancel()
        return self._worker.close(seconds)

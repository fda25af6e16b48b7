"""One background thread for everything that takes time: Git, the model, the index."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import field
from enum import IntEnum
from heapq import heapify, heappop, heappush
from typing import Any, Final, TypeVar

from codewm_lsp.records import dataclass

REST: Final = 2.0  # seconds without a job after which the thread tidies up
Result = TypeVar("Result")
_log = logging.getLogger(__name__)


class Priority(IntEnum):
    """Which job goes first."""

    ASKED = 0  # a person waits for the answer
    TYPING = 1  # lenses of the document being typed in
    OTHER = 2  # lenses of the other open documents
    INDEXING = 3  # the history, piece by piece


@dataclass(order=True, slots=True)
class _Job:
    priority: Priority
    number: int
    key: Hashable | None = field(compare=False)
    work: Callable[[], Any] = field(compare=False)
    future: Future[Any] = field(compare=False)


class Worker:
    """Runs jobs one after another, the most urgent first; it sleeps while there are none."""

    def __init__(
        self,
        finish: Callable[[], None] = lambda: None,
        name: str = "codewm-worker",
        *,
        after: Callable[[], None] = lambda: None,
        tidy: Callable[[], None] = lambda: None,
        rest: float = REST,
    ) -> None:
        """``finish``: the last thing that is done. ``after``: done after each job. ``tidy``: done once when there was
        no job for ``rest`` seconds."""
        self._finish = finish
        self._after = after
        self._tidy = tidy
        self._rest = rest
        self._condition = threading.Condition()
        self._jobs: list[_Job] = []
        self._numbers = itertools.count()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[], Result], priority: Priority, key: Hashable | None = None) -> Future[Result]:
        """Have ``work`` done. A job of the same ``key`` that has not begun is cancelled: this one takes its place."""
        future: Future[Result] = Future()
        with self._condition:
            if self._closing:
                future.cancel()
                return future
            replaced = [job for job in self._jobs if key is not None and job.key == key]
            if replaced:
                self._jobs = [job for job in self._jobs if job.key != key]
                heapify(self._jobs)
            heappush(self._jobs, _Job(priority, next(self._numbers), key, work, future))
            self._condition.notify()
        for job in replaced:
            job.future.cancel()
        return future

    def awaited(self, priority: Priority) -> bool:
        """Whether a job more urgent than ``priority`` waits, or the thread is to end: time to make room."""
        with self._condition:
            return self._closing or any(job.priority < priority for job in self._jobs if not job.future.cancelled())

    @property
    def closing(self) -> bool:
        """Whether the thread is to end."""
        return self._closing

    def close(self, timeout: float) -> bool:
        """Drop what waits, let the job at hand end, then ``finish``; whether that was done in time (seconds)."""
        with self._condition:
            self._closing = True
            dropped, self._jobs = self._jobs, []
            self._condition.notify()
        for job in dropped:
            job.future.cancel()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    @staticmethod
    def _do(job: _Job) -> None:
        try:
            result = job.work()
        except Exception as error:
            job.future.set_exception(error)
        else:
            job.future.set_result(result)

    def _run(self) -> None:
        untidy = False
        while True:
            with self._condition:
                while not self._jobs and not self._closing:
                    if not self._condition.wait(self._rest if untidy else None):
                        break
                if self._closing:
                    break
                job = heappop(self._jobs) if self._jobs else None
            if job is None:
                untidy = False
                self._tidy()
                continue
            if not job.future.set_running_or_notify_cancel():
                continue
            untidy = True
            self._do(job)
            del job  # with what its work holds on to
            self._after()
        try:
            self._finish()
        except Exception:
            _log.exception("closing the background thread")

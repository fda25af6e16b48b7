"""Jobs that are spread over processes of this machine: a function, and what it is asked.

Whoever is free gets the next job. One whose worker dies (killed, out of memory) is given to another
worker, so the function must come to the same when it is begun again.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Final, Protocol

from codewm_lsp.errors import CodewmError
from codewm_lsp.garbage import collect_seldom

RETRIES: Final = 2
"""How often a job is begun again when its worker has died of it."""

Function = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Failure:
    """In place of a result: why there is none, for people."""

    message: str


class Workers(Protocol):
    """Whoever does the jobs."""

    def capacity(self) -> int:
        """How many jobs are done at the same time."""
        ...

    def start(self, name: str, job: Any) -> None:
        """Have a job done; at most ``capacity`` at a time. ``name``: what its result is handed back with."""
        ...

    def finished(self) -> tuple[str, Any]:
        """Wait for the next result of those begun, or its ``Failure``."""
        ...

    def close(self) -> None:
        """Let all workers go."""
        ...


class LocalProcesses:
    """So many processes of this machine, each started when it is first needed. ``function`` is one of a module."""

    def __init__(self, function: Function, count: int) -> None:
        self._function = function
        self._count = count
        self._context = multiprocessing.get_context("spawn")
        self._free: list[tuple[SpawnProcess, Connection]] = []
        self._busy: dict[Connection, tuple[SpawnProcess, str, Any, int]] = {}

    def capacity(self) -> int:
        """As many as there are processes."""
        return self._count

    def start(self, name: str, job: Any) -> None:
        """Have a job done."""
        self._give(name, job, 0)

    def finished(self) -> tuple[str, Any]:
        """Wait for the next result."""
        while True:
            connection = wait(list(self._busy))[0]
            assert isinstance(connection, Connection)
            process, name, job, tries = self._busy.pop(connection)
            try:
                result = connection.recv()
            except (EOFError, OSError):
                connection.close()
                process.join()
                if tries == RETRIES:
                    return name, Failure(f"the process that worked on it ended {tries + 1} times ({process.exitcode})")
                self._give(name, job, tries + 1)
                continue
            self._free.append((process, connection))
            return name, result

    def close(self) -> None:
        """End all processes."""
        for process, connection in [*self._free, *((busy[0], one) for one, busy in self._busy.items())]:
            connection.close()
            process.terminate()
            process.join()
        self._free.clear()
        self._busy.clear()

    def _give(self, name: str, job: Any, tries: int) -> None:
        while True:
            process, connection = self._free.pop() if self._free else self._new()
            try:
                connection.send(job)
            except OSError:  # it has died while it had nothing to do
                connection.close()
                continue
            self._busy[connection] = (process, name, job, tries)
            return

    def _new(self) -> tuple[SpawnProcess, Connection]:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self._function), daemon=True)
        process.start()
        theirs.close()
        return process, ours


def _serve(connection: Connection, function: Function) -> None:
    """A process that does jobs until nobody gives it any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started it ends it
    collect_seldom()
    while True:
        try:
            connection.send(_answer(function, connection.recv()))
        except (EOFError, OSError):
            return


def _answer(function: Function, job: Any) -> Any:
    try:
        return function(job)
    except CodewmError as error:
        return Failure(str(error))
    except Exception as error:  # one job never stops the others
        return Failure(f"{type(error).__name__}: {error}")

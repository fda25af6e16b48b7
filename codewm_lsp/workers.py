"""Jobs that are spread over processes of this machine, or over a Ray cluster: a function, and what it is asked.

Whoever is free gets the next job. One whose worker dies (killed, out of memory, a machine gone) is given to another
worker, so the function must come to the same when it is begun again.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Final, Protocol

from codewm_lsp.errors import CodewmError, OptionError
from codewm_lsp.garbage import collect_seldom
from codewm_lsp.quiet import log_nowhere
from codewm_lsp.records import dataclass

RETRIES: Final = 2
"""How often a job is begun again when its worker has died of it."""

STAY_ON_LOOPBACK: Final = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""The variable by which Ray is told, on every system, to keep to 127.0.0.1."""

_REACHED: Final = 10.0  # seconds until a cluster is given up that does not answer
_CLUSTER_REMEDY: Final = (
    " Check that it runs and can be reached from here, and set RAY_AUTH_MODE=token if it takes only those with a token."
)

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
                    return name, Failure(f"its worker process ended {tries + 1} times ({process.exitcode})")
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


class RayWorkers:
    """The cores of a Ray cluster, one job each. ``address``: of a running cluster; empty: Ray is started here.

    Every machine of the cluster has this CodeWM, and sees the same files at the same paths. Raises OptionError.
    """

    def __init__(self, function: Function, address: str) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers
        if address.startswith("localhost:"):  # which Ray reads as this machine's address for others
            address = address.replace("localhost", "127.0.0.1", 1)
        here = address in ("", "local") or address.startswith("127.0.0.1:")
        if here:  # else Ray takes this machine's other address, where others can reach it
            os.environ.setdefault(STAY_ON_LOOPBACK, "0")
        try:
            import ray
        except ImportError:
            from codewm_lsp.installation import install_command

            raise OptionError(f"--ray needs Ray. Run `{install_command('ray')}`.") from None
        self._ray: Any = ray
        _try_to_reach(address)
        settings: dict[str, Any] = {"address": address}
        if here:
            settings["_node_ip_address"] = "127.0.0.1"
        if address in ("", "local"):
            settings |= {"address": "local", "include_dashboard": False}
        try:
            ray.init(**settings, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError) as error:
            where = f"the Ray cluster at {address}" if address else "Ray on this machine"
            said = " ".join(str(error).split()).rstrip(".")
            remedy = "" if address in ("", "local") else _CLUSTER_REMEDY
            raise OptionError(f"Cannot use {where}: {said}.{remedy}") from error
        self._task = ray.remote(_answer).options(num_cpus=1, max_retries=RETRIES)
        self._function = function
        self._started: dict[Any, str] = {}

    def capacity(self) -> int:
        """The cores that the cluster has at the moment."""
        return max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def start(self, name: str, job: Any) -> None:
        """Have a job done."""
        self._started[self._task.remote(self._function, job)] = name

    def finished(self) -> tuple[str, Any]:
        """Wait for the next result."""
        ready, _ = self._ray.wait(list(self._started), num_returns=1)
        name = self._started.pop(ready[0])
        try:
            return name, self._ray.get(ready[0])
        except self._ray.exceptions.RayError as error:
            return name, Failure(f"Ray gave up on it ({type(error).__name__})")

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        self._ray.shutdown()


def _try_to_reach(address: str) -> None:
    """Raise OptionError where nobody answers at the address of a cluster; Ray itself tries for several minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        return
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _REACHED) as connection:
            if os.environ.get("RAY_USE_TLS", "0") in ("", "0") and not connection.recv(1):  # gRPC's settings
                raise ConnectionError("the connection was closed")
    except (OSError, OverflowError, UnicodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise OptionError(f"Cannot use the Ray cluster at {address}: {reason}.{_CLUSTER_REMEDY}") from error


def chosen(function: Function, processes: int | None, address: str | None) -> Workers:
    """Workers as the options ``--processes`` and ``--ray`` (None: not given) ask for them."""
    if address is None:
        return LocalProcesses(function, processes or 1)
    if processes is not None:
        raise OptionError("Use either --processes or --ray: a Ray cluster has as many workers as cores.")
    return RayWorkers(function, address)


def _serve(connection: Connection, function: Function) -> None:
    """A process that does jobs until nobody gives it any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started it ends it
    collect_seldom()
    log_nowhere()
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

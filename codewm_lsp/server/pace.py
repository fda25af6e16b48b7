"""When the index may work in the background: not while other programs need the processor, and not on a weak battery.

Lenses are never put off; only the history is. What is read off the machine (by psutil, on every system) and the clock
are passed in, so that a test can be any machine on any day.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, Final, TypeVar

from codewm_lsp.records import dataclass

_log = logging.getLogger(__name__)

HEAD_START: Final = 3.0  # seconds of the processor that are never put off: the newest commits are the ones that matter
LOOK: Final = 0.25  # seconds for which the load is measured between two pieces of work
WAIT: Final = 2.0  # the same while waiting
LONGEST_WAIT: Final = 30.0  # seconds of waiting for others; then a little is done all the same, or it would never end
ROOM: Final = 0.5  # cores that others must leave
BATTERY: Final = 30.0  # percent


Done = TypeVar("Done")


def timed(work: Callable[[], Done]) -> tuple[Done, float]:
    """What some work gave, and the seconds of the processor that this thread took for it: on a busy machine, where it
    waits for its turn most of the time, fewer than went by."""
    begun = time.thread_time()
    done = work()
    return done, time.thread_time() - begun


class Pause(str, Enum):
    """Why the index waits."""

    NONE = ""
    BATTERY = "battery"
    LOAD = "load"


@dataclass(frozen=True, slots=True)
class Machine:
    """What the machine is doing: ``others``, of ``cores``, are busy with other programs of ordinary priority.

    ``battery``: percent left, None where it is plugged in or has none.
    """

    others: float
    cores: float
    battery: float | None

    def pause(self) -> Pause:
        """Why the background should wait now."""
        if self.battery is not None and self.battery < BATTERY:
            return Pause.BATTERY
        return Pause.LOAD if self.cores - self.others < min(ROOM, self.cores / 2) else Pause.NONE


class Meter:
    """Reads the machine. What it cannot read counts as idle and plugged in."""

    def __init__(self) -> None:
        self._psutil: Any = None
        self._before: tuple[float, float] | None = None  # seconds busy with others, seconds in all, over all cores

    def start(self) -> None:
        """The time that the next ``read`` measures begins now."""
        self._before = self._times()

    def read(self) -> Machine:
        """The load since the last call, and the battery as it is."""
        before, now = self._before, self._times()
        self._before = now
        cores = float(os.cpu_count() or 1)
        others = 0.0
        if before is not None and now is not None and now[1] > before[1]:
            others = cores * min(1.0, max(0.0, (now[0] - before[0]) / (now[1] - before[1])))
        return Machine(others, cores, self._battery())

    def _times(self) -> tuple[float, float] | None:
        if self._psutil is None:
            import psutil  # with the first look: not on the way to the first lens

            self._psutil = psutil
        try:
            all_cores = self._psutil.cpu_times()
            own = self._psutil.Process().cpu_times()
        except (OSError, self._psutil.Error, NotImplementedError) as error:
            _log.debug("the load cannot be read: %s", error)
            return None
        total = sum(getattr(all_cores, name, 0.0) for name in _COUNTED)
        resting = sum(getattr(all_cores, name, 0.0) for name in _RESTING)
        return total - resting - own.user - own.system, total

    def _battery(self) -> float | None:
        try:
            battery = self._psutil.sensors_battery() if hasattr(self._psutil, "sensors_battery") else None
        except (OSError, RuntimeError, self._psutil.Error, NotImplementedError) as error:
            _log.debug("the battery cannot be read: %s", error)
            return None
        if battery is None or battery.power_plugged is not False:
            return None
        return float(battery.percent)


# "guest" is part of "user" already, "interrupt" and "dpc" are of "system". What runs as "nice" makes room by itself.
_COUNTED: Final = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_RESTING: Final = ("idle", "iowait", "nice")


class Pace:
    """Makes the index wait between two pieces of work."""

    def __init__(self, meter: Meter | None = None, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._meter = meter or Meter()
        self._sleep = sleep

    async def give_way(self, worked: float, told: Callable[[Pause], None], wanted: Callable[[], bool]) -> bool:
        """Return when the index may go on; True: only a little, others still need the machine.

        ``worked``: seconds of the processor spent on it so far. ``told`` hears why it waits whenever that changes. It
        waits only as long as waiting is ``wanted``.
        """
        if worked < HEAD_START or not wanted():
            return False
        self._meter.start()
        await self._sleep(LOOK)
        why, waited = self._meter.read().pause(), 0.0
        shown = Pause.NONE
        try:
            while why is not Pause.NONE and wanted() and not (why is Pause.LOAD and waited >= LONGEST_WAIT):
                if why is not shown:
                    _log.info("indexing waits: %s", why.value)
                    told(why)
                    shown = why
                await self._sleep(WAIT)
                waited += WAIT
                why = self._meter.read().pause()
        finally:
            if shown is not Pause.NONE:
                told(Pause.NONE)
        return why is Pause.LOAD

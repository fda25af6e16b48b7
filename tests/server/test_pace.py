"""The index works when nobody else needs the machine."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codewm_lsp.server.pace import BATTERY, HEAD_START, LONGEST_WAIT, LOOK, WAIT, Machine, Meter, Pace, Pause, timed
from tests.server.conftest import Editor, StartEditor
from tests.server.test_indexing import write_long_history

IDLE = Machine(others=0.1, cores=4, battery=None)
LOADED = Machine(others=3.9, cores=4, battery=None)
WEAK = Machine(others=0.1, cores=4, battery=20)


@pytest.mark.parametrize(
    ("machine", "why"),
    [
        (IDLE, Pause.NONE),
        (LOADED, Pause.LOAD),
        (Machine(others=3.4, cores=4, battery=None), Pause.NONE),  # more than half a core is left
        (Machine(others=7.4, cores=8, battery=None), Pause.NONE),
        (Machine(others=0.4, cores=1, battery=None), Pause.NONE),
        (Machine(others=0.6, cores=1, battery=None), Pause.LOAD),
        (WEAK, Pause.BATTERY),
        (Machine(others=3.9, cores=4, battery=20), Pause.BATTERY),
        (Machine(others=0.1, cores=4, battery=BATTERY), Pause.NONE),
        (Machine(others=3.9, cores=4, battery=90), Pause.LOAD),
    ],
)
def test_when_it_waits(machine: Machine, why: Pause) -> None:
    assert machine.pause() is why


class Day(Meter):
    """A machine through a day: each look takes the next of what is to come, the last one stays."""

    def __init__(self, *machines: Machine) -> None:
        self.machines = list(machines)
        self.slept: list[float] = []
        self.told: list[Pause] = []
        self.wanted = True

    def start(self) -> None:
        """Nothing needs to be measured."""

    def read(self) -> Machine:
        return self.machines.pop(0) if len(self.machines) > 1 else self.machines[0]

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        assert len(self.slept) < 10_000

    async def go(self, worked: float = HEAD_START) -> bool:
        return await Pace(self, self.sleep).give_way(worked, self.told.append, lambda: self.wanted)


async def test_an_idle_machine_is_used() -> None:
    day = Day(IDLE)
    assert await day.go() is False
    assert (day.slept, day.told) == ([LOOK], [])


async def test_the_newest_commits_are_not_put_off() -> None:
    day = Day(LOADED)
    assert await day.go(worked=HEAD_START - 0.1) is False
    assert (day.slept, day.told) == ([], [])


async def test_it_goes_on_when_the_others_are_done() -> None:
    day = Day(LOADED, LOADED, LOADED, IDLE)
    assert await day.go() is False
    assert day.slept == [LOOK, WAIT, WAIT, WAIT]
    assert day.told == [Pause.LOAD, Pause.NONE]


async def test_a_machine_that_is_never_idle_still_gets_its_index_bit_by_bit() -> None:
    day = Day(LOADED)
    assert await day.go() is True
    assert sum(day.slept) == pytest.approx(LOOK + LONGEST_WAIT)
    assert day.told == [Pause.LOAD, Pause.NONE]


async def test_a_weak_battery_is_waited_for_however_long() -> None:
    day = Day(*[WEAK] * 5000, Machine(others=0.1, cores=4, battery=None))
    assert await day.go() is False
    assert sum(day.slept) == pytest.approx(LOOK + 5000 * WAIT)
    assert day.told == [Pause.BATTERY, Pause.NONE]


async def test_each_reason_is_told_once() -> None:
    day = Day(LOADED, LOADED, WEAK, WEAK, LOADED, IDLE)
    assert await day.go() is False
    assert day.told == [Pause.LOAD, Pause.BATTERY, Pause.LOAD, Pause.NONE]


async def test_waiting_ends_when_it_is_not_wanted_any_more() -> None:
    day = Day(WEAK)

    async def sleep(seconds: float) -> None:
        await day.sleep(seconds)
        day.wanted = len(day.slept) < 4

    assert await Pace(day, sleep).give_way(HEAD_START, day.told.append, lambda: day.wanted) is False
    assert (len(day.slept), day.told) == (4, [Pause.BATTERY, Pause.NONE])


def test_the_real_machine_can_be_read_and_our_own_work_is_not_others() -> None:
    meter = Meter()
    first = meter.read()
    assert first.cores == (os.cpu_count() or 1)
    assert first.others == 0.0  # nothing was measured yet
    meter.start()
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass
    mine = meter.read()
    assert 0.0 <= mine.others <= mine.cores
    assert mine.battery is None or 0 <= mine.battery <= 100

    idle = Meter()
    before, after = (10.0, 100.0), (10.5, 102.0)  # of two seconds of all cores, half a second was others'
    times = iter((before, after))
    idle._times = lambda: next(times)  # type: ignore[method-assign]
    idle._battery = lambda: None  # type: ignore[method-assign]
    idle.start()
    assert idle.read().others == pytest.approx(0.25 * mine.cores)


def test_a_machine_that_tells_nothing_counts_as_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    import psutil

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "not for you")

    monkeypatch.setattr(psutil, "cpu_times", refused)
    monkeypatch.setattr(psutil, "sensors_battery", refused, raising=False)
    meter = Meter()
    meter.start()
    assert meter.read().pause() is Pause.NONE


@pytest.fixture
def machine(tmp_path: Path) -> Callable[..., tuple[str, ...]]:
    """``machine(battery=20)`` writes down how the machine is, and gives the server's command line on it."""
    file = tmp_path / "machine.json"

    def write(others: float = 0.0, battery: float | None = None) -> tuple[str, ...]:
        new = file.with_suffix(".new")
        new.write_text(json.dumps({"others": others, "cores": 2, "battery": battery}), encoding="utf-8")
        new.replace(file)
        return (sys.executable, str(Path(__file__).with_name("machine_of_a_file.py")), str(file), "--stdio")

    return write


async def state(editor: Editor) -> dict[str, Any]:
    status = await editor.run("codewm.status")
    return status["repositories"][0] if status["repositories"] else {"done": 0, "paused": "", "stage": ""}


async def until(editor: Editor, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    end = time.monotonic() + 60
    while not wanted(found := await state(editor)):
        assert time.monotonic() < end, found
        await asyncio.sleep(0.02)
    return found


async def test_the_index_waits_for_the_charger_takes_in_new_commits_and_goes_on(
    make_repository: Callable[..., Any], start_editor: StartEditor, machine: Callable[..., tuple[str, ...]]
) -> None:
    repository = make_repository()
    write_long_history(repository, 150)
    weak = machine(battery=12)
    async with start_editor(repository.path, server=weak) as editor:
        waiting = await until(editor, lambda one: one["paused"] == "battery")
        assert waiting["stage"] == "indexing"
        assert waiting["done"] < 150
        uri = editor.open("a.py", "def f():\n    return 1\n")
        assert await editor.lenses(uri) is not None  # answers as ever
        assert "battery" in str(list(editor.client.progress_reports.values())) or waiting["done"] == 0

        repository.commit("One more", {"new.py": "def g():\n    return 2\n"})
        editor.save(uri)
        taken_in = await until(editor, lambda one: one["total"] == 151 and one["paused"] == "battery")
        assert taken_in["done"] < 151

        machine()
        assert (await until(editor, lambda one: one["stage"] == "ready"))["done"] == 151


async def test_it_can_be_told_not_to_wait(
    make_repository: Callable[..., Any], start_editor: StartEditor, machine: Callable[..., tuple[str, ...]]
) -> None:
    repository = make_repository()
    write_long_history(repository, 150)
    async with start_editor(repository.path, server=machine(battery=12)) as editor:
        await until(editor, lambda one: one["paused"] == "battery")
        editor.configure({"codewm": {"pauseWhenBusy": False}})
        assert (await until(editor, lambda one: one["stage"] == "ready"))["paused"] == ""


def test_psutil_is_not_loaded_on_the_way_to_the_first_lens() -> None:
    program = "import sys, codewm_lsp.server.handlers; sys.exit('psutil' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0


def test_time_in_which_others_have_the_processor_is_no_head_start() -> None:
    done, seconds = timed(lambda: time.sleep(0.3) or "done")
    assert done == "done"
    assert seconds < 0.15
    counted, seconds = timed(lambda: sum(range(3_000_000)))
    assert counted == 4_499_998_500_000
    assert seconds > 0

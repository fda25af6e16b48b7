"""An action runs once its key has been quiet for long enough. The clock is driven by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from codewm_lsp.server.debounce import Debouncer


@dataclass
class Timer:
    at: float
    action: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Clock:
    now: float = 0.0
    timers: list[Timer] = field(default_factory=list)

    def call_later(self, seconds: float, action: Callable[[], None]) -> Timer:
        self.timers.append(Timer(self.now + seconds, action))
        return self.timers[-1]

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [timer for timer in self.timers if timer.at <= end and not timer.cancelled]:
            timer = min(due, key=lambda timer: timer.at)
            self.timers.remove(timer)
            self.now = timer.at
            timer.action()
        self.now = end


def test_it_runs_once_after_the_last_of_many_calls() -> None:
    clock, ran = Clock(), list[float]()
    debouncer = Debouncer(clock.call_later)
    for _ in range(5):
        debouncer.call("a.py", 0.1, lambda: ran.append(clock.now))
        clock.advance(0.05)
    assert ran == []
    clock.advance(1.0)
    assert ran == [0.2 + 0.1]


def test_keys_do_not_wait_for_each_other() -> None:
    clock, ran = Clock(), list[str]()
    debouncer = Debouncer(clock.call_later)
    debouncer.call("a.py", 0.1, lambda: ran.append("a"))
    clock.advance(0.09)
    debouncer.call("b.py", 0.1, lambda: ran.append("b"))
    clock.advance(0.02)
    assert ran == ["a"]
    assert not debouncer.pending("a.py")
    assert debouncer.pending("b.py")
    clock.advance(0.1)
    assert ran == ["a", "b"]


def test_the_newest_action_is_the_one_that_runs() -> None:
    clock, ran = Clock(), list[str]()
    debouncer = Debouncer(clock.call_later)
    debouncer.call("a.py", 0.1, lambda: ran.append("old"))
    debouncer.call("a.py", 0.3, lambda: ran.append("new"))
    clock.advance(0.2)
    assert ran == []
    clock.advance(0.2)
    assert ran == ["new"]


def test_what_is_cancelled_never_runs() -> None:
    clock, ran = Clock(), list[str]()
    debouncer = Debouncer(clock.call_later)
    debouncer.call("a.py", 0.1, lambda: ran.append("a"))
    debouncer.call("b.py", 0.1, lambda: ran.append("b"))
    debouncer.cancel("a.py")
    debouncer.cancel("never called")
    clock.advance(0.05)
    debouncer.cancel_all()
    clock.advance(1.0)
    assert ran == []


def test_an_action_may_call_again() -> None:
    clock, ran = Clock(), list[float]()
    debouncer = Debouncer(clock.call_later)

    def again() -> None:
        ran.append(clock.now)
        if len(ran) < 3:
            debouncer.call("a.py", 1.0, again)

    debouncer.call("a.py", 1.0, again)
    clock.advance(10.0)
    assert ran == [1.0, 2.0, 3.0]

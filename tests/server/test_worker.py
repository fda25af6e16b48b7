"""One background thread: the most urgent job first, the newest of its kind only."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from codewm_lsp.server.worker import Priority, Worker

PATIENCE = 10.0


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    assert worker.close(PATIENCE)


def hold(worker: Worker) -> threading.Event:
    """Keep the thread busy until the event is set."""
    begun, release = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert release.wait(PATIENCE)

    worker.submit(work, Priority.ASKED)
    assert begun.wait(PATIENCE)
    return release


def test_urgent_jobs_overtake_and_equal_ones_keep_their_order(worker: Worker) -> None:
    release, done = hold(worker), list[str]()
    futures = [
        worker.submit(lambda: done.append("index"), Priority.INDEXING),
        worker.submit(lambda: done.append("first"), Priority.TYPING),
        worker.submit(lambda: done.append("second"), Priority.TYPING),
        worker.submit(lambda: done.append("asked"), Priority.ASKED),
    ]
    release.set()
    for future in futures:
        future.result(PATIENCE)
    assert done == ["asked", "first", "second", "index"]


def test_a_newer_job_takes_the_place_of_one_that_has_not_begun(worker: Worker) -> None:
    release, done = hold(worker), list[str]()
    old = worker.submit(lambda: done.append("old"), Priority.TYPING, "a.py")
    other = worker.submit(lambda: done.append("other"), Priority.TYPING, "b.py")
    new = worker.submit(lambda: done.append("new"), Priority.OTHER, "a.py")
    assert old.cancelled()
    release.set()
    new.result(PATIENCE)
    other.result(PATIENCE)
    assert done == ["other", "new"]


def test_long_work_can_see_that_it_should_make_room(worker: Worker) -> None:
    release = hold(worker)
    assert not worker.awaited(Priority.INDEXING)
    worker.submit(lambda: None, Priority.INDEXING)
    assert not worker.awaited(Priority.INDEXING)
    job = worker.submit(lambda: None, Priority.TYPING)
    assert worker.awaited(Priority.INDEXING)
    job.cancel()
    assert not worker.awaited(Priority.INDEXING)
    release.set()


def test_an_error_is_the_jobs_own(worker: Worker) -> None:
    broken = worker.submit(lambda: 1 // 0, Priority.ASKED)
    assert worker.submit(lambda: "alive", Priority.ASKED).result(PATIENCE) == "alive"
    assert isinstance(broken.exception(PATIENCE), ZeroDivisionError)


def test_something_is_done_after_each_job_whatever_became_of_it() -> None:
    done = list[str]()
    worker = Worker(after=lambda: done.append("after"))
    worker.submit(lambda: done.append("one"), Priority.ASKED)
    worker.submit(lambda: 1 / 0, Priority.ASKED)
    worker.submit(lambda: done.append("three"), Priority.ASKED).result(PATIENCE)
    assert worker.close(PATIENCE)
    assert done == ["one", "after", "after", "three", "after"]


def test_it_tidies_up_once_when_nothing_was_to_be_done_for_a_while() -> None:
    tidied, done = threading.Semaphore(0), list[str]()

    def tidy() -> None:
        done.append("tidy")
        tidied.release()

    worker = Worker(tidy=tidy, rest=0.05)
    for round_ in ("one", "two"):
        worker.submit(lambda name=round_: done.append(name), Priority.ASKED)  # type: ignore[misc]
        assert tidied.acquire(timeout=PATIENCE)
    assert not tidied.acquire(timeout=0.3), "there is nothing new to tidy"
    assert worker.close(PATIENCE)
    assert done == ["one", "tidy", "two", "tidy"]


def test_closing_drops_what_waits_and_finishes_on_the_thread() -> None:
    finished = list[str]()
    worker = Worker(lambda: finished.append(threading.current_thread().name), name="the worker")
    release, done = hold(worker), list[str]()
    waiting = worker.submit(lambda: done.append("never"), Priority.ASKED)
    assert not worker.close(0.0)
    assert waiting.cancelled()
    assert worker.submit(lambda: done.append("too late"), Priority.ASKED).cancelled()
    release.set()
    assert worker.close(PATIENCE)
    assert (done, finished) == ([], ["the worker"])

"""The end of the process: whoever asks for it, nothing is left behind, and it takes no second.

A signal is seen by a thread of its own, through a pipe: the event loop may be waiting for an editor that does not read.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from typing import Final

_log = logging.getLogger(__name__)

LIMIT: Final = 0.8  # seconds for an end in order
_SIGNALS: Final = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # those that a system has


def die_at_once() -> None:
    """While nothing has begun yet, an interrupt ends the process without a word."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Ending:
    """Ends the process when the time is up, whatever it is doing then."""

    def __init__(self, tidy: Callable[[], None]) -> None:
        """``tidy`` takes away what must not outlive the process; it may be called from any thread."""
        self._tidy = tidy
        self._begun = threading.Lock()
        self.signal = 0  # the one by which it was asked for

    def begin(self) -> None:
        """From now on the time runs; from any thread."""
        if self._begun.acquire(blocking=False):
            timer = threading.Timer(LIMIT, self._force)
            timer.daemon = True
            timer.start()

    def catch(self, stop: Callable[[], None]) -> None:
        """Have ``stop`` called, from a thread, when a signal asks for the end. To be called on the main thread."""
        near, far = socket.socketpair()
        self._near = near  # kept open
        near.setblocking(False)

        def caught(number: int, _: object) -> None:
            with contextlib.suppress(OSError):
                near.send(bytes([number]))

        if os.name != "nt":  # there the event loop has a use of its own for it
            signal.set_wakeup_fd(near.fileno(), warn_on_full_buffer=False)
        for name in _SIGNALS:
            number = getattr(signal, name, None)
            if number is None or (name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN):  # nohup
                continue
            signal.signal(number, caught)

        def wait() -> None:
            with far:
                self.signal = far.recv(1)[0]
            self.begin()
            stop()

        threading.Thread(target=wait, name="codewm-signals", daemon=True).start()

    def follow(self, parent: int, stop: Callable[[], None]) -> None:
        """Have ``stop`` called, from a thread, when the editor's process ends. One that is not seen is not followed:
        it may run in another container."""

        def wait() -> None:
            import psutil  # here: nothing waits for it

            try:
                psutil.Process(parent).wait()
            except (psutil.Error, OSError, ValueError) as error:
                _log.info("the editor's process %d is not followed: %s", parent, error)
                return
            _log.info("the editor's process %d has ended", parent)
            stop()

        threading.Thread(target=wait, name="codewm-parent", daemon=True).start()

    def finish(self, code: int, *, clean: bool) -> int:
        """The process's exit status, once everything is closed. Where a thread is still at work (not ``clean``), or a
        signal asked for it, the process ends here, as that signal ends one."""
        self._tidy()
        if not clean:
            end_children()
        if self.signal:
            logging.shutdown()
            signal.signal(self.signal, signal.SIG_DFL)
            signal.raise_signal(self.signal)
        if not clean:  # a thread inside native code must not hold up, or crash, the end of the process
            logging.shutdown()
            os._exit(code)
        return code

    def _force(self) -> None:
        _log.warning("the server did not end in order within %s seconds", LIMIT)
        self._tidy()
        end_children()
        os._exit(128 + self.signal if self.signal else 1)


def end_children() -> None:
    """End the programs that this process has started: only Git is."""
    import psutil

    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            child.kill()

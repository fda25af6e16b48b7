"""Messages over two byte streams, as the base protocol frames them. Nothing that an editor sends ends the server.

A thread reads, so that nothing depends on the stream's next byte: the server can end while the editor is silent.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

_log = logging.getLogger(__name__)

LARGEST_MESSAGE: Final = 128 << 20  # bytes; a length beyond that is garbage
_LONGEST_LINE: Final = 1 << 16
_PIECE: Final = 1 << 20
_AHEAD: Final = 32  # messages read before the first of them is handled
_LENGTH: Final = re.compile(rb"content-length:[ \t]*(\d{1,12})[ \t]*\r?\n", re.IGNORECASE)


def bodies(stream: BinaryIO) -> Iterator[bytes]:
    """The body of each message. What makes no sense is skipped up to the next header that does."""
    length = 0
    while line := stream.readline(_LONGEST_LINE):
        if line.strip():
            # At the end of a line: garbage that ends without one stands before the header.
            if found := _LENGTH.search(line):
                length = int(found[1])
                if length > LARGEST_MESSAGE:
                    _log.warning("ignoring a message announced with %d bytes", length)
                    length = 0
        elif length:
            body = _exactly(stream, length)
            if body is None:
                return
            yield body
            length = 0


def _exactly(stream: BinaryIO, length: int) -> bytes | None:
    """So many bytes; None when the stream ends before. Memory is taken for what has come, not for what is announced."""
    pieces = []
    while length:
        piece = stream.read(min(length, _PIECE))
        if not piece:
            return None
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)


class Connection:
    """The two streams, from the first message to the end."""

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = asyncio.Event()
        self._ending: Callable[[], None] = lambda: None

    async def serve(self, receive: Callable[[bytes], None], ending: Callable[[], None]) -> None:
        """Have every message received, on the event loop, until the connection is closed by either side.

        ``ending`` is called once the end is near, from whatever thread notices.
        """
        self._loop, self._ending = asyncio.get_running_loop(), ending
        threading.Thread(target=self._read, args=(receive,), name="codewm-reader", daemon=True).start()
        await self._ended.wait()

    def write(self, data: bytes) -> None:
        """Send. It takes as long as the editor takes to read: who does not read gets nothing computed either."""
        try:
            self._outgoing.write(data)
            self._outgoing.flush()
        except (OSError, ValueError):
            _log.info("the editor is gone")
            self.close()

    def close(self) -> None:
        """End it; from any thread."""
        self._ending()
        if self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(self._ended.set)
            except RuntimeError:  # the loop has ended
                return

    def _read(self, receive: Callable[[bytes], None]) -> None:
        assert self._loop is not None
        room = threading.Semaphore(_AHEAD)

        def take(body: bytes) -> None:
            room.release()
            if not self._ended.is_set():
                receive(body)

        try:
            for body in bodies(self._incoming):
                room.acquire()
                self._loop.call_soon_threadsafe(take, body)
        except (OSError, ValueError, RuntimeError) as error:
            _log.info("nothing more can be read: %s", error)
        self.close()

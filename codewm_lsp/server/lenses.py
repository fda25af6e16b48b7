"""Who shows lenses: the open documents, what is known of each, and when that is worked out anew.

Everything here runs on the event loop and returns at once. A lens is answered from what is known; what is not known
yet is computed by the worker, after a pause in typing, and the editor is told when the answer has changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import field
from functools import partial
from pathlib import Path
from typing import Final

from codewm_lsp.errors import RepositoryError
from codewm_lsp.hints import Hint, Hints
from codewm_lsp.records import dataclass
from codewm_lsp.server.background import Background
from codewm_lsp.server.client import Client, MessageLevel
from codewm_lsp.server.documents import Anchor, Document, TextChange, anchor_on, shift
from codewm_lsp.server.indexing import Indexing
from codewm_lsp.server.options import Display, Options
from codewm_lsp.server.preferences import Preferences
from codewm_lsp.server.problems import Problems
from codewm_lsp.server.session import LARGEST_TEXT, Held, Place, Workshop
from codewm_lsp.server.worker import Priority
from codewm_lsp.source import MODULE_NAME

_log = logging.getLogger(__name__)

AT_ONCE: Final = 8  # documents in view, those asked about last, whose hints are worked out when something has changed
BEGUN: Final = 0.2  # of the pause after which lenses may change, when they are begun to be computed
READING: Final = 0.5  # seconds of reading a large repository for the first time before what is known is shown
_OTHERS: Final = "others"  # the timer of the documents that are not typed in
PATIENCE: Final = 20.0  # seconds that a client which cannot be told later is kept waiting for its first lenses


@dataclass(frozen=True, slots=True)
class Lens:
    """A hint and where it hangs now."""

    anchor: Anchor
    hint: Hint


@dataclass(slots=True, eq=False)
class OpenFile:
    """A document, where it is, and its newest known lenses."""

    document: Document
    file: Path
    place: Place | None = None
    typed: float = 0.0
    """When it was last typed in, by the loop's clock."""
    seen: float = 0.0
    """When the editor last asked for its hints, or opened it."""
    round: int = -1
    """How often the editor had been told to ask again by then; −1: it never asked."""
    behind: bool = False
    """Whether something has changed that its hints do not know of: they are worked out when the editor asks."""
    lenses: tuple[Lens, ...] = ()
    shown: tuple[Lens, ...] | None = None
    silence: str = ""
    """Why there are no hints, in a few words; empty where there may be some."""
    fresh: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class _Found:
    place: Place
    held: Held
    hints: Hints | None  # None: the index has not even begun
    silence: str = ""
    waiting: str = ""


class Lenses:
    """The newest lenses of every open document."""

    def __init__(
        self,
        client: Client,
        background: Background,
        workshop: Workshop,
        preferences: Preferences,
        problems: Problems,
        indexing: Indexing,
        serves: Callable[[Path], bool],
    ) -> None:
        """``serves``: whether a file is in the workspace, so that the user wants to hear when it gets no lenses."""
        self._client = client
        self._background = background
        self._workshop = workshop
        self._preferences = preferences
        self._problems = problems
        self._indexing = indexing
        self._serves = serves
        self._files: dict[str, OpenFile] = {}
        self._waiting: dict[Path, str] = {}  # repository → what is waited for
        self._not_files: dict[str, str] = {}  # documents that lie nowhere, and what they are
        self._quiet_from = 0.0  # when the last key stroke will have been a pause ago
        self._refreshing = False
        self._held: Held | None = None  # what was asked about last
        self._rounds = 0  # how often the editor was told to ask again

    # ---- documents

    def open(self, document: Document, file: Path) -> None:
        """A Python document was opened."""
        opened = OpenFile(document, file, seen=self._background.now())
        self._files[document.uri] = opened
        if len(document) > LARGEST_TEXT:
            text = f"{file} is larger than {LARGEST_TEXT:,} characters: it gets no lenses."
            self._problems.say_once(MessageLevel.LOG, text)
            self._silent(opened, f"larger than {LARGEST_TEXT:,} characters")
        self._compute(opened, Priority.TYPING)

    def open_nowhere(self, uri: str) -> None:
        """A Python document was opened that is no file of this machine: it gets no hints."""
        self._not_files[uri] = "a notebook" if "notebook" in uri.partition(":")[0] else "not a file of this machine"
        self._client.status_changed()

    def silent(self) -> dict[str, str]:
        """Open documents that get no hints, and why."""
        silent = {uri: opened.silence for uri, opened in self._files.items() if opened.silence}
        return {**silent, **self._not_files}

    def waiting(self, root: Path) -> str:
        """What is waited for in a repository, while nothing is edited in it; empty where no document of it is open."""
        return self._waiting.get(root, "") if root in self.roots() else ""

    def document(self, uri: str) -> Document | None:
        """The open document of this name."""
        opened = self._files.get(uri)
        return opened.document if opened else None

    def changed(self, uri: str, change: TextChange) -> None:
        """The document took in one change: its lenses move with their lines, and a pause will bring new ones."""
        opened = self._files.get(uri)
        if opened is None:
            return
        opened.fresh.clear()
        opened.typed = self._background.now()
        opened.lenses = _moved(opened.lenses, change, opened.document)
        if opened.shown is not None:  # the editor moves them in the same way
            opened.shown = _moved(opened.shown, change, opened.document)
        pause = self._preferences.options.debounce_ms / 1000
        self._quiet_from = self._background.now() + pause
        self._background.timers.cancel(("found", uri))
        self._background.timers.cancel(_OTHERS)
        self._background.timers.call(uri, pause * BEGUN, partial(self._paused, opened, pause * (1 - BEGUN)))

    def close(self, uri: str) -> None:
        """A document was closed."""
        self._background.timers.cancel(uri)
        self._background.timers.cancel(("found", uri))
        self._files.pop(uri, None)
        self._not_files.pop(uri, None)

    def files(self) -> list[Path]:
        """Of the open documents, in the order in which they were opened."""
        return [opened.file for opened in self._files.values()]

    def root(self, uri: str) -> Path | None:
        """The repository of an open document, as soon as it is known."""
        opened = self._files.get(uri)
        return opened.place.root if opened is not None and opened.place is not None else None

    def roots(self) -> list[Path]:
        """The repositories that documents are open in."""
        return list(dict.fromkeys(opened.place.root for opened in self._files.values() if opened.place is not None))

    def held(self) -> Held:
        """What the editor holds now, the document typed in last at first."""
        files = sorted(self._files.values(), key=lambda opened: -opened.typed)
        texts = {one.file: one.document.python_text() for one in files if len(one.document) <= LARGEST_TEXT}
        self._held = Held(texts, time.monotonic())
        return self._held

    # ---- answers

    def of(self, uri: str) -> tuple[Lens, ...]:
        """The code lenses of a document as far as they are known; at once."""
        return self._shown(uri) if self._preferences.shows_lenses() else ()

    def inlays(self, uri: str) -> tuple[Lens, ...]:
        """The same where hints are shown at the ends of lines."""
        return self._shown(uri) if self._preferences.shows_inlays() else ()

    def _shown(self, uri: str) -> tuple[Lens, ...]:
        opened = self._files.get(uri)
        if opened is None:
            return ()
        self._look(opened)
        if opened.place is not None:
            self._indexing.check([opened.place.root])
        visible = self._visible(opened)
        opened.shown = visible
        return visible

    async def settle(self, uri: str) -> None:
        """Wait for what is being computed, for a client that cannot be told of newer hints."""
        opened = self._files.get(uri)
        wanted = self._preferences.shows_lenses() or self._preferences.shows_inlays()
        if opened is not None and wanted and not opened.fresh.is_set():
            self._look(opened)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(opened.fresh.wait(), PATIENCE)

    def hover(self, uri: str, line: int) -> Lens | None:
        """The hint on this line, where hints are shown on hovering."""
        opened = self._files.get(uri)
        if opened is None or not self._preferences.active() or self._preferences.options.display is not Display.HOVER:
            return None
        self._look(opened)
        return next((lens for lens in opened.lenses if lens.anchor.line == line), None)

    def remove(self, uri: str, definition: str) -> int:
        """Take the lenses of a definition away, which was dismissed; how many there were."""
        opened = self._files.get(uri)
        if opened is None:
            return 0
        kept = tuple(lens for lens in opened.lenses if lens.hint.definition != definition)
        gone, opened.lenses = len(opened.lenses) - len(kept), kept
        self.refresh_where_changed()
        return gone

    # ---- computing

    def recompute(self, root: Path | None = None) -> None:
        """Work out the lenses of a repository's documents, or of all, anew."""
        some = [one for one in self._files.values() if root is None or one.place is None or one.place.root == root]
        self._compute_all(some, self.held())

    def redraw(self) -> None:
        """Hints are shown in another way from now on: the editor is to ask for all of them again."""
        for opened in self._files.values():
            if opened.shown:
                opened.shown = ()
        self._background.start(self._refresh())

    def refresh_where_changed(self) -> None:
        """Tell the editor, where what it shows is no longer what is known."""
        if any(
            opened.shown is not None and _signature(opened.shown) != _signature(self._visible(opened))
            for opened in self._files.values()
        ):
            self._background.start(self._refresh())

    def _paused(self, opened: OpenFile, quiet: float) -> None:
        held = self.held()
        self._compute(opened, Priority.TYPING, held)
        self._background.timers.call(_OTHERS, quiet, partial(self._paused_long, opened, held))

    def _paused_long(self, opened: OpenFile, held: Held) -> None:
        """Nobody has typed for long enough that lenses may change: now the other documents, which would only have kept
        those waiting of the one typed in."""
        self._compute_all(
            [other for other in self._files.values() if other is not opened and _maybe_together(opened, other)], held
        )

    def _compute_all(self, files: Sequence[OpenFile], held: Held) -> None:
        """Work out the hints of the documents in view; those of the others once they are looked at."""
        in_view = sorted(filter(self._is_in_view, files), key=lambda opened: -opened.seen)[:AT_ONCE]
        for opened in in_view:
            self._compute(opened, Priority.OTHER, held)
        for opened in files:
            if opened not in in_view:
                opened.behind = True
                opened.fresh.clear()

    def _is_in_view(self, opened: OpenFile) -> bool:
        """Whether a document may be one that is shown. An editor that is told to ask again asks about those it shows:
        one that it did not ask about since the last time but one lies behind another."""
        can_be_told = self._client.can_refresh() or self._client.can_refresh_inlays()
        if not can_be_told or self._preferences.options.display is Display.HOVER:
            return True
        return opened.round >= self._rounds - 1

    def _look(self, opened: OpenFile) -> None:
        """The editor asks for the hints of a document."""
        opened.seen, opened.round = self._background.now(), self._rounds
        if opened.behind:
            self._compute(opened, Priority.TYPING)

    def _compute(self, opened: OpenFile, priority: Priority, held: Held | None = None) -> None:
        """``held``: what the editor holds now, where it is known already."""
        opened.behind = False
        document, options = opened.document, self._preferences.options
        if not self._preferences.active() or options.display is Display.OFF or len(document) > LARGEST_TEXT:
            opened.fresh.set()
            return
        text, version = document.python_text(), document.version
        soon = priority is Priority.TYPING  # what takes long comes after it
        work = partial(self._find, opened.file, held or self.held(), options, soon=soon)
        done = partial(self._found, opened, version, text)
        self._background.submit(work, priority, ("hints", document.uri), done)

    def _find(self, file: Path, held: Held, options: Options, *, soon: bool) -> _Found:
        place = self._workshop.place(file, options)
        if not self._indexing.warm(place.root):
            return _Found(place, held, None, "its history is about to be indexed")
        if silence := self._workshop.silence(place, held, options):
            return _Found(place, held, Hints((), complete=True), silence)
        hints = self._workshop.hints(place, held, options, READING, soon=soon)
        return _Found(place, held, hints, waiting=self._workshop.waiting(place, options))

    def _found(self, opened: OpenFile, version: int, text: str, future: Future[_Found]) -> None:
        uri = opened.document.uri
        if self._files.get(uri) is not opened:
            return
        wait = self._quiet_from - self._background.now()
        if wait > 0:  # nothing moves while somebody is typing
            later = partial(self._found, opened, version, text, future)
            self._background.timers.call(("found", uri), wait, later)
            return
        try:
            found = future.result()
        except Exception as error:
            self._failed(opened, error)
            return
        opened.place, root = found.place, found.place.root
        self._problems.solved(opened.file.parent)
        self._silent(opened, found.silence)
        if not self._indexing.warm(root) and not self._indexing.running(root):
            self._indexing.start(root)
        if found.hints is None:
            return
        self._waiting[root] = found.waiting
        _log.debug(
            "version %d of %s: %s", version, opened.file, [(hint.line, hint.title) for hint in found.hints.items]
        )
        lines = text.split("\n")
        lenses = []
        for hint in found.hints.items:
            anchor: Anchor | None = anchor_on(hint.line, lines[hint.line])
            for change in opened.document.changes_since(version):
                anchor = anchor and _shifted(anchor, hint, change)
            if anchor is not None:
                lenses.append(Lens(opened.document.anchor(anchor.line), hint))
        opened.lenses = tuple(sorted(lenses, key=lambda lens: lens.anchor.line))
        if version == opened.document.version:
            if not found.hints.complete:  # it goes on with reading, and looks at no file again for that
                self._compute(opened, Priority.OTHER, found.held if found.held is self._held else None)
            elif opened.lenses or not self._indexing.running(root):
                opened.fresh.set()
        self.refresh_where_changed()
        self._client.status_changed()  # the model may have been loaded for this

    def _failed(self, opened: OpenFile, error: Exception) -> None:
        opened.fresh.set()
        if isinstance(error, RepositoryError):
            self._silent(opened, "outside a repository")
        quiet = not self._serves(opened.file)
        served = opened.place is not None and self._indexing.warm(opened.place.root)
        where = opened.file
        self._problems.add("computing hints", where.parent, where, error, quiet=quiet, served=served)

    def _silent(self, opened: OpenFile, why: str) -> None:
        if opened.silence != why:
            opened.silence = why
            self._client.status_changed()

    def _visible(self, opened: OpenFile) -> tuple[Lens, ...]:
        return opened.lenses if self._preferences.shows_lenses() or self._preferences.shows_inlays() else ()

    async def _refresh(self) -> None:
        if self._refreshing or not (self._client.can_refresh() or self._client.can_refresh_inlays()):
            return
        self._refreshing = True
        for opened in self._files.values():  # what the editor is about to ask for is as good as shown
            if opened.shown is not None:
                opened.shown = self._visible(opened)
        self._rounds += 1
        try:
            await self._client.refresh()
        finally:
            self._refreshing = False
        self.refresh_where_changed()


def _moved(lenses: Sequence[Lens], change: TextChange, document: Document) -> tuple[Lens, ...]:
    anchors = ((lens, _shifted(lens.anchor, lens.hint, change)) for lens in lenses)
    return tuple(Lens(document.anchor(anchor.line), lens.hint) for lens, anchor in anchors if anchor is not None)


def _shifted(anchor: Anchor, hint: Hint, change: TextChange) -> Anchor | None:
    return anchor if hint.definition == MODULE_NAME else shift(anchor, change)


def _signature(lenses: Sequence[Lens]) -> tuple[tuple[int, str], ...]:
    return tuple((lens.anchor.line, lens.hint.title) for lens in lenses)


def _maybe_together(one: OpenFile, other: OpenFile) -> bool:
    return one.place is None or other.place is None or one.place.root == other.place.root

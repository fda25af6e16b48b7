"""What the editor tells goes to the rooms that it concerns: lenses, preferences, indexing, problems, questions.

No type of the protocol in here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from codewm_lsp.server.background import Background
from codewm_lsp.server.client import Client
from codewm_lsp.server.documents import Document
from codewm_lsp.server.indexing import Indexing
from codewm_lsp.server.lenses import Lenses
from codewm_lsp.server.options import Options
from codewm_lsp.server.preferences import Preferences
from codewm_lsp.server.problems import Problems
from codewm_lsp.server.questions import Questions
from codewm_lsp.server.session import Workshop
from codewm_lsp.server.status import Status
from codewm_lsp.server.worker import Priority

KEPT_OPEN: Final = 2.0  # seconds for which a repository is kept open that nobody needs: it may be looked at again
SETTLING: Final = 0.2  # seconds without further changes on disk before lenses are looked at


class Conductor:
    """The rooms of one server, joined."""

    def __init__(
        self, client: Client, loop: asyncio.AbstractEventLoop, folders: Iterable[Path], options: Options
    ) -> None:
        self._client = client
        self._folders = list(folders)
        self._background = Background(
            loop, lambda: self._workshop.close(), lambda: self._workshop.relieve(), self._rest
        )
        self.problems = Problems(client, self._background)
        self._workshop = Workshop(self.problems.announce)
        self.preferences = Preferences(options, self._background, self._switched)
        self._indexing = Indexing(
            client,
            self._background,
            self._workshop,
            self.preferences,
            self.problems,
            lambda root: self.lenses.recompute(root),
        )
        self.lenses = Lenses(
            client, self._background, self._workshop, self.preferences, self.problems, self._indexing, self._serves
        )
        self.questions = Questions(self._background, self._workshop, self.preferences, self.lenses, self._tidy_up)

    # ---- what the editor tells

    def begin(self) -> None:
        """Index the workspace's folders in the background."""
        for folder in self._folders:
            self._indexing.open(folder)

    def open(self, document: Document, file: Path) -> None:
        """A Python document was opened."""
        self._retry()
        self.lenses.open(document, file)

    def saved(self, uri: str) -> None:
        """A document was saved: a moment to look at what failed, and at HEAD."""
        self._retry()
        root = self.lenses.root(uri)
        if root is not None and self._indexing.failed(root):
            self._indexing.start(root)
        self._indexing.check(self.lenses.roots())

    def close_document(self, uri: str) -> None:
        """A document was closed."""
        self.lenses.close(uri)
        self._tidy_up()
        self._client.status_changed()

    def files_changed(self) -> None:
        """Something changed on disk: a commit, a checkout, another program's edit."""
        self._retry()
        self._indexing.check(self.lenses.roots())
        self._background.timers.call("disk", SETTLING, self.lenses.recompute)

    def folders_changed(self, added: Iterable[Path], removed: Iterable[Path]) -> None:
        """Folders of the workspace came or went."""
        gone = set(removed)
        self._folders = [folder for folder in self._folders if folder not in gone]
        self._client.status_changed()
        for folder in added:
            self._folders.append(folder)
            self._indexing.open(folder)
        if gone:
            self._tidy_up()

    def configure(self, options: Options) -> None:
        """Apply other options, live."""
        before = self.preferences.options
        self.preferences.configure(options)
        if (before.model, before.threads, before.store) != (options.model, options.threads, options.store):
            self._indexing.cool()
            renew = partial(self._workshop.renew, options)
            self._background.submit(renew, Priority.ASKED, None, lambda _: self._restart())
        elif before.history_depth != options.history_depth or (options.enable and not before.enable):
            self._restart()
        elif before != options:
            self.lenses.recompute()
        if before.display is not options.display:
            self.lenses.redraw()
        self.lenses.refresh_where_changed()
        self._client.status_changed()

    def reindex(self) -> int:
        """Look at the history of every open repository again; how many there are."""
        self._retry()
        self._indexing.resume()
        roots = self.lenses.roots()
        for root in roots:
            self._indexing.start(root)
        self.begin()
        return len(roots)

    def close(self, seconds: float = 0.0) -> bool:
        """Stop everything; whether the worker ended within so many seconds."""
        return self._background.close(seconds)

    # ---- what it asks

    def first_folder(self) -> Path:
        """Where a question that names no file is asked."""
        folders = [file.parent for file in self.lenses.files()[:1]] or self._folders
        return folders[0] if folders else Path.cwd()

    def status(self) -> Status:
        """How everything stands. A problem counts as long as its folder is open or has a file open in it."""
        return Status(
            enabled=self.preferences.enabled,
            snoozed=self.preferences.snoozed,
            model=self._workshop.model,
            repositories=tuple(
                replace(one, waiting=self.lenses.waiting(one.root)) for one in self._indexing.statuses()
            ),
            problems=self.problems.of(self._concerned()),
            silent=self.lenses.silent(),
        )

    # ---- among the rooms

    def _rest(self) -> None:
        self._workshop.rest(partial(self._background.awaited, Priority.INDEXING))

    def _concerned(self) -> set[Path]:
        """The folders that are open, and those that have a file open in them."""
        return {*self._folders, *(file.parent for file in self.lenses.files())}

    def _serves(self, file: Path) -> bool:
        """Whether a file is in the workspace; without one, every file is."""
        return not self._folders or any(folder in file.parents for folder in self._folders)

    def _tidy_up(self) -> None:
        """Close, in a while, the repositories that no folder and no open document is in."""
        self._background.timers.call("tidy", KEPT_OPEN, self._tidy_up_now)

    def _tidy_up_now(self) -> None:
        def known(future: Future[list[Path]]) -> None:
            roots = future.result()
            for root in roots:
                self._indexing.forget(root)
            if roots:
                self._background.submit(partial(self._workshop.drop, roots), Priority.ASKED, None, lambda _: None)

        self._background.submit(partial(self._workshop.unneeded, self._concerned()), Priority.OTHER, "unneeded", known)

    def _restart(self) -> None:
        self.begin()
        for root in self.lenses.roots():
            self._indexing.start(root)
        self.lenses.recompute()

    def _switched(self) -> None:
        if self.preferences.active():
            self._restart()
        self.lenses.refresh_where_changed()
        self._client.status_changed()

    def _retry(self) -> None:
        self._background.submit(self._workshop.retry, Priority.ASKED, "retry", lambda _: None)

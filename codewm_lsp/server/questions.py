"""What a person asks and waits for: the evidence behind a lens, what is next, a commit, a file of the past."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from codewm_lsp.hints.forgotten import Forgotten
from codewm_lsp.index import Scope
from codewm_lsp.server.background import Background
from codewm_lsp.server.evidence import Evidence, PastChange, Suggestions
from codewm_lsp.server.lenses import Lenses
from codewm_lsp.server.options import Options
from codewm_lsp.server.preferences import Preferences
from codewm_lsp.server.session import Held, Place, Workshop
from codewm_lsp.source import MODULE_NAME, parse_definitions


class Questions:
    """Has them answered by the worker, before everything else. Every answer may raise CodewmError."""

    def __init__(
        self,
        background: Background,
        workshop: Workshop,
        preferences: Preferences,
        lenses: Lenses,
        opened: Callable[[], None],
    ) -> None:
        """``opened`` is called when a repository may have been opened for a question alone."""
        self._background = background
        self._workshop = workshop
        self._preferences = preferences
        self._lenses = lenses
        self._opened = opened

    async def similar(self, file: Path, definition: str, line: int = 0) -> tuple[Place, Evidence]:
        """The past edits behind the lens of a definition (no name: of the one on ``line``)."""

        def ask(held: Held, options: Options) -> tuple[Place, Evidence]:
            place = self._workshop.place(file, options)
            name = definition or definition_at(held.texts.get(file, ""), line)
            session = self._workshop.opened(place.root, options)
            return place, session.similar(place.path, name, self._workshop.change(place.root, held), options)

        return await self._background.ask(partial(ask, self._lenses.held(), self._preferences.options))

    async def next(self, file: Path | None, folder: Path, *, evidence: bool = True) -> tuple[Path, Suggestions]:
        """What is likely to be edited next in a file's repository, or in that of a folder."""

        def ask(held: Held, options: Options) -> tuple[Path, Suggestions]:
            session = self._workshop.opened(file.parent if file is not None else folder, options)
            path = session.relative(file) if file is not None else None
            change = self._workshop.change(session.root, held)
            return session.root, session.next(path, change, options, evidence=evidence)

        return await self._background.ask(partial(ask, self._lenses.held(), self._preferences.options))

    async def search(self, words: str, place: Path) -> tuple[Path, Evidence]:
        """Past edits about something, in the repository of a file or folder."""

        def ask(options: Options) -> tuple[Path, Evidence]:
            session = self._workshop.opened(_folder_of(place), options)
            return session.root, session.search(words)

        self._opened()
        return await self._background.ask(partial(ask, self._preferences.options))

    async def forgotten(self, place: Path) -> tuple[Path, Forgotten]:
        """What was forgotten in the change at hand, in the repository of a file or folder."""

        def ask(options: Options) -> tuple[Path, Forgotten]:
            session = self._workshop.opened(_folder_of(place), options)
            return session.root, session.forgotten()

        self._opened()
        return await self._background.ask(partial(ask, self._preferences.options))

    async def not_needed(self, root: Path, path: str, change: str | None, *, restore: bool) -> None:
        """Do not name a file again for a change, or (None) for any; or take that back."""
        options = self._preferences.options
        self._opened()
        await self._background.ask(
            lambda: self._workshop.opened(root, options).not_needed(path, change, restore=restore)
        )

    async def commit(self, root: Path, sha: str) -> tuple[PastChange, ...]:
        """All edits of one commit."""
        options = self._preferences.options
        self._opened()
        return await self._background.ask(lambda: self._workshop.opened(root, options).commit(sha))

    async def text(self, root: Path, sha: str, path: str, *, before: bool) -> str | None:
        """A file as a commit left it, or found it; None where there is none."""
        options = self._preferences.options
        self._opened()
        return await self._background.ask(lambda: self._workshop.opened(root, options).text(sha, path, before=before))

    async def dismiss(self, file: Path, definition: str, *, restore: bool) -> None:
        """Hide the hints on a definition, or take that back."""

        def change(options: Options) -> Path:
            place = self._workshop.place(file, options)
            self._workshop.opened(place.root, options).dismiss(place.path, definition, restore=restore)
            return place.root

        self._opened()
        self._lenses.recompute(await self._background.ask(partial(change, self._preferences.options)))

    async def dismiss_edit(
        self, root: Path, sha: str, path: str, definition: str, scope: Scope, *, restore: bool
    ) -> None:
        """Hide a past edit and those like it or of its commit, or take that back."""
        options = self._preferences.options

        def hide() -> None:
            self._workshop.opened(root, options).dismiss_edit(sha, path, definition, scope, restore=restore)

        self._opened()
        await self._background.ask(hide)
        self._lenses.recompute(root)


def _folder_of(place: Path) -> Path:
    return place if place.is_dir() else place.parent


def definition_at(text: str, line: int) -> str:
    """The innermost definition that ``line`` (from 0) stands in."""
    inside = [one for one in parse_definitions(text) if one.name != MODULE_NAME and one.start <= line < one.end]
    return max(inside, key=lambda one: one.start).name if inside else MODULE_NAME

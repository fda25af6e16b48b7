"""The state that an answer is about, as an immutable value; and the workspace, which is in one state after another."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import blake2b
from time import monotonic
from types import MappingProxyType
from typing import Final, TypeAlias

from codewm_lsp.errors import RepositoryError
from codewm_lsp.hints.excerpts import excerpt
from codewm_lsp.hints.stand_in import StandIn, stand_in_of
from codewm_lsp.history import Edit, Repository
from codewm_lsp.index import Index

TEXT_KEY: Final = "text:"
"""Before the name of a text that is in no commit."""

Look: TypeAlias = "tuple[tuple[Edit, ...], dict[str, str | None], dict[str, str]]"


@dataclass(frozen=True, slots=True)
class Change:
    """What an editor holds now: the text of every open document, by its path in the repository, newest first.

    ``since`` (of ``time.monotonic``): when this was so. A look at the files from then on is new enough.
    """

    unsaved: Mapping[str, str] = field(default_factory=dict)
    since: float = math.inf


def _nobody() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One state of a repository, with what was known of its past. Equal ones have the same answers.

    ``head``: the full id of the commit whose history is the past. ``texts``: the files that differ from it, None where
    one is gone, and ``keys``, a name for each of these texts. ``edits``: what differs, definition by definition, as
    edits in progress, the newest first. ``revision``: of the index; once that has grown, ask for a new snapshot.
    ``standing_in`` finds the ``stand_in``.
    """

    head: str
    keys: Mapping[str, str | None]
    revision: Hashable
    contents: str = field(init=False)
    """Names all files at once: the commit, and how they differ from it."""
    texts: Mapping[str, str | None] = field(compare=False, repr=False)
    edits: tuple[Edit, ...] = field(repr=False)
    standing_in: Callable[[], StandIn | None] = field(default=_nobody, compare=False, repr=False)

    def __post_init__(self) -> None:
        digest = blake2b(digest_size=16)
        for path in sorted(self.keys):
            digest.update(f"{path}\0{self.keys[path]}\0".encode("utf-8", "surrogatepass"))
        object.__setattr__(self, "contents", f"{self.head} {digest.hexdigest()}")
        object.__setattr__(self, "keys", MappingProxyType(dict(self.keys)))
        object.__setattr__(self, "texts", MappingProxyType(dict(self.texts)))

    def __hash__(self) -> int:
        return hash((self.contents, self.revision))

    @property
    def stand_in(self) -> StandIn | None:
        """The commit whose edits stand for edits in progress as long as there are none. Looked for when asked for."""
        return self.standing_in()

    def editing(self, path: str | None) -> tuple[Edit, ...]:
        """The edits in progress, or those of the commit that stands for them. Those of the file being looked at come
        first: they count as the newest."""
        edits = self.edits or (self.stand_in.edits if self.stand_in is not None else ())
        return tuple(sorted(edits, key=lambda edit: edit.path != path))

    @property
    def is_clean(self) -> bool:
        """Whether nothing is being edited, but for comments and white space."""
        return not self.edits

    @property
    def is_after_commit(self) -> bool:
        """Whether the edits of a commit stand for edits in progress."""
        return self.is_clean and self.stand_in is not None


class Workspace:
    """A repository and its index, both of which go on changing. Not to be used from two threads at once."""

    def __init__(self, repository: Repository, index: Index) -> None:
        self._repository = repository
        self._index = index
        self._last: Snapshot | None = None
        self._change = Change()
        self._looked = -math.inf
        self._stand_in: tuple[str, StandIn | None] | None = None

    def apply(self, change: Change | None = None, look: Look | None = None) -> Snapshot:
        """The state after a change: the files as they are now, with what the editor holds of them. ``look``: what
        ``Repository.working`` has just told of them.

        Raises RepositoryError, before the first commit as well.
        """
        change = change or Change()
        head, revision = self._repository.head(), self._index.state()
        last = self._last
        if (
            last is None
            or change.since > self._looked
            or list(change.unsaved.items()) != list(self._change.unsaved.items())
            or head != last.head
        ):
            looked = monotonic()
            since = change.since if last is None or head == last.head else math.inf
            edits, texts, moved = look or self._repository.working(change.unsaved, since)
            opened = {path: number for number, path in enumerate(change.unsaved)}
            edits = tuple(map(excerpt, sorted(edits, key=lambda edit: opened.get(edit.path, len(opened)))))
            last = Snapshot(head, self._keys(texts) | moved, revision, texts, edits, partial(self.stand_in, head))
            self._change, self._looked = change, looked
        if last.revision != revision:
            last = replace(last, revision=revision)
        if last != self._last:
            self._last = last
        assert self._last is not None
        return self._last

    def at(self, revision: str, texts: Mapping[str, str | None] | None = None) -> Snapshot:
        """The state when that commit was made; ``texts``: what other files held then, None where one was gone. Raises
        RepositoryError."""
        texts = texts or {}
        return Snapshot(self._repository.head(revision), self._keys(texts), self._index.state(), texts, ())

    @property
    def last(self) -> Snapshot | None:
        """The state that was asked for last; None before the first."""
        return self._last

    def stand_in(self, head: str) -> StandIn | None:
        """The commit that stands for edits in progress at ``head`` (a full id) as long as there are none."""
        if self._stand_in is None or self._stand_in[0] != head:
            found: StandIn | None = None
            with suppress(RepositoryError):  # that a commit cannot be read takes nothing from edits in progress
                found = stand_in_of(self._repository, head)
            self._stand_in = head, found
        return self._stand_in[1]

    def _keys(self, texts: Mapping[str, str | None]) -> dict[str, str | None]:
        last = self._last
        keys: dict[str, str | None] = {}
        for path, text in texts.items():
            if text is None:
                keys[path] = None
            elif last is not None and text == last.texts.get(path):
                keys[path] = last.keys[path]
            else:
                digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16)
                keys[path] = f"{TEXT_KEY}{digest.hexdigest()}"
        return keys

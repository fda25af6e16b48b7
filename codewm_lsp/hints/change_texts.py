"""What is known of the files that a change may need: from the past, and from its text and theirs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from codewm_lsp.hints.broken_places import BrokenPlace, broken_places
from codewm_lsp.hints.lacking_places import lacking_places
from codewm_lsp.hints.source_change import SourceChange
from codewm_lsp.history import Repository
from codewm_lsp.history.change_at_hand import ChangeAtHand
from codewm_lsp.history.changed_files import FileEvent
from codewm_lsp.ranking.breaking import broken_by
from codewm_lsp.ranking.change_text import ChangedDefinitions, ChangedText, TextWords, text_table, text_words
from codewm_lsp.ranking.companions import Companions, FilePast, Touched, companions
from codewm_lsp.records import dataclass

NO_NAMES: Final[Mapping[str, str]] = {}
NO_TEXTS: Final[Mapping[str, str | None]] = {}
_KEPT: Final = 3_000  # texts whose words are remembered


class KnownTexts:
    """The words of files at some revision, remembered by their content."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._known: OrderedDict[str, TextWords | None] = OrderedDict()
        self._rev = ""
        self._blobs: dict[str, str | None] = {}  # of that revision

    def at(self, rev: str, paths: Collection[str]) -> dict[str, TextWords | None]:
        """Of those of ``paths`` that are files of a revision; None where one cannot be read. Raises
        ``RepositoryError``."""
        if rev != self._rev:
            self._rev, self._blobs = rev, {}
        new = [path for path in paths if path not in self._blobs]
        self._blobs |= dict.fromkeys(new)
        self._blobs |= self._repository.blobs_at(rev, new)
        blobs = {path: blob for path in paths if (blob := self._blobs[path]) is not None}
        asked = sorted({blob for blob in blobs.values() if blob not in self._known})
        for blob, text in self._repository.read_all(asked).items():
            self._known[blob] = text_words(text) if text is not None else None
        found: dict[str, TextWords | None] = {}
        for path, blob in blobs.items():
            self._known.move_to_end(blob)
            found[path] = self._known[blob]
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return found


@dataclass(frozen=True, slots=True)
class Considered:
    """All that is known of a change, ``asked``: the candidates, their ``paths`` in the revision it stands on; those of
    these that are files there; and the definitions that it leaves broken, or that lack what it uses."""

    asked: Touched
    candidates: Companions
    paths: tuple[str, ...]
    there: Collection[str]
    broken: tuple[BrokenPlace, ...]


def changed_texts(
    repository: Repository, at_hand: ChangeAtHand, unsaved: Mapping[str, str | None] = NO_TEXTS
) -> dict[str, ChangedText]:
    """The text of each file of a change before and after it. ``unsaved``: what an editor holds of some."""
    return {
        path: ChangedText(before, unsaved.get(path, after))
        for path, (before, after) in repository.texts_of(at_hand).items()
    }


def consider(
    repository: Repository,
    past: FilePast,
    at_hand: ChangeAtHand,
    texts: KnownTexts,
    change: Mapping[str, ChangedText],
    rev: str,
    *,
    now: int | None = None,
    names: Mapping[str, str] = NO_NAMES,
    hidden: str | None = None,
    lacks: bool = True,
) -> Considered:
    """What is known of a change that stands on ``rev``, of a past that ends there, or before the commit at ``now``.
    ``names`` and ``hidden`` are as for ``touched``; ``lacks``: whether it is told what files that the change leaves
    alone do not have of what it uses. Raises ``RepositoryError``."""
    asked = touched(at_hand, names, hidden)
    found = companions(past, asked, now)
    paths = [past.paths[file] if now is None else past.path_at(file, now) for file in found.files.tolist()]
    there = texts.at(rev, paths)
    change = {path: text for path, text in change.items() if path != hidden}
    known_as = name_of(at_hand, names)
    number = dict(zip(paths, found.files.tolist(), strict=True))
    structure, broken = _definitions(repository, SourceChange.of(rev, change, at_hand), number, lacks)
    told = [there.get(path) for path in paths]
    named = {known_as[path]: text for path, text in change.items()}
    said = text_table(past, asked, found, named, told, structure, now)
    candidates = replace(found, table=np.hstack([found.table, said]))
    return Considered(asked, candidates, tuple(paths), there.keys(), tuple(broken))


def name_of(at_hand: ChangeAtHand, names: Mapping[str, str] = NO_NAMES) -> dict[str, str]:
    """The name under which the past knows each file of a change; ``names``: where that is told apart."""
    return {path: names.get(path) or at_hand.renames.get(path, path) for path in sorted(at_hand.files)}


def touched(at_hand: ChangeAtHand, names: Mapping[str, str] = NO_NAMES, hidden: str | None = None) -> Touched:
    """What is asked about a change. ``hidden``: a file that is left out, as if it were forgotten."""
    known = {path: name for path, name in name_of(at_hand, names).items() if path != hidden}
    return Touched(
        tuple(known.values()),
        frozenset(known[path] for path, event in at_hand.files.items() if event is FileEvent.ADDED and path in known),
        at_hand.author,
        at_hand.date,
    )


def _definitions(
    repository: Repository, change: SourceChange, number: Mapping[str, int], lacks: bool
) -> tuple[ChangedDefinitions, list[BrokenPlace]]:
    breaking = broken_by(change.edits)
    broken = broken_places(repository, change, breaking)
    if lacks:
        broken += lacking_places(repository, change)
        broken.sort(key=lambda one: -one.chance)
    by_file: dict[int, list[float]] = {}
    for one in broken:
        if one.path in number:
            by_file.setdefault(number[one.path], []).append(one.chance)
    return ChangedDefinitions(change.edits, len(breaking.altered), by_file), broken

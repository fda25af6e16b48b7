"""Two versions of a file → the edits between them, one a definition. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from functools import lru_cache
from typing import Final

from codewm_lsp.records import dataclass
from codewm_lsp.source import Definition, DefinitionKind, fingerprint, parse_definitions, tokenize
from codewm_lsp.source.languages import Language, language_of

LAST_DATE: Final = 253_402_300_799


def date_of(stamp: str | bytes) -> int:
    """The seconds since 1970 that a commit names, at most ``LAST_DATE``; 0 where it names none."""
    return min(int(stamp), LAST_DATE) if stamp.isdigit() and len(stamp) < 19 else 0


"""The end of the year 9999, in seconds since 1970: a commit may claim any date, and none later can be written."""


UNAVAILABLE: Final = frozenset({"shallow", "missing"})
"""Reasons for which a commit is skipped, and that may go away by themselves."""


class EditKind(str, Enum):
    """What happened to the definition."""

    ADDED = "added"
    MODIFIED = "modified"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit, without its files.

    ``date`` is the committer's, in seconds since 1970 (UTC), at most ``LAST_DATE``; ``parent`` the first.
    """

    sha: str
    author: str
    date: int
    subject: str
    parent: str | None


@dataclass(frozen=True, slots=True)
class Edit:
    """One changed definition.

    ``before`` and ``after`` are its own texts, nested definitions cut out; empty when it was added or removed.
    ``line`` is the 0-based line of the definition after the edit (before it, when removed). ``commit`` is None for the
    working tree's edits.
    """

    path: str
    definition: str
    definition_kind: DefinitionKind
    kind: EditKind
    before: str
    after: str
    line: int
    previous_path: str | None
    commit: Commit | None


@dataclass(frozen=True, slots=True)
class CommitEdits:
    """What a commit changed, or why it was not looked into.

    ``skipped`` is None, ``"merge"``, ``"bulk"`` (more Python files than wanted), ``"shallow"`` (the history is cut off
    here, so there is nothing to compare with) or ``"missing"`` (its objects are not on this machine). ``renames`` are
    pairs of paths, old and new, also where nothing but the path changed.
    """

    commit: Commit
    edits: tuple[Edit, ...]
    skipped: str | None
    renames: tuple[tuple[str, str], ...] = ()

    def edit_of(self, path: str, definition: str) -> Edit | None:
        """The edit of this definition; None where the commit has none."""
        return next((edit for edit in self.edits if edit.path == path and edit.definition == definition), None)


def file_edits(
    path: str,
    before: str | None,
    after: str | None,
    *,
    previous_path: str | None = None,
    commit: Commit | None = None,
) -> tuple[Edit, ...]:
    """The edits between two texts of a file (None: there is no such file), in the order of the lines.

    Definitions are paired by qualified name. One that differs in comments and white space alone is no edit.
    """
    if before == after:
        return ()
    return definition_edits(
        path,
        parse_definitions(before) if before else (),
        parse_definitions(after) if after else (),
        previous_path=previous_path,
        commit=commit,
    )


def definition_edits(
    path: str,
    before: Sequence[Definition],
    after: Sequence[Definition],
    *,
    previous_path: str | None = None,
    commit: Commit | None = None,
) -> tuple[Edit, ...]:
    """``file_edits`` of definitions already parsed."""
    language = language_of(path)
    old = {definition.name: definition for definition in before}
    edits: list[Edit] = []
    for new in after:
        was = old.pop(new.name, None)
        if was is None:
            edits.append(
                Edit(path, new.name, new.kind, EditKind.ADDED, "", new.source, new.line, previous_path, commit)
            )
        elif was.source != new.source and _differ(was.source, new.source, language):
            edits.append(
                Edit(
                    path, new.name, new.kind, EditKind.MODIFIED, was.source, new.source, new.line, previous_path, commit
                )
            )
    edits.extend(
        Edit(path, gone.name, gone.kind, EditKind.REMOVED, gone.source, "", gone.line, previous_path, commit)
        for gone in old.values()
    )
    edits.sort(key=lambda edit: edit.line)
    return tuple(edits)


def _differ(before: str, after: str, language: Language) -> bool:
    """Whether the fingerprints differ; without taking them, where the lines that changed leave no doubt.

    Exact for code that parses. In broken text, of which the grammar may pass over a part, a change of that part may
    count as a difference.
    """
    old, new = before.split("\n"), after.split("\n")
    shorter = min(len(old), len(new))
    head = 0
    while head < shorter and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < shorter - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    was, now = "\n".join(old[head : len(old) - tail]), "\n".join(new[head : len(new) - tail])
    differ = language.differ(was, now, before, after)
    return source_fingerprint(before) != source_fingerprint(after) if differ is None else differ


@lru_cache(maxsize=4096)
def source_fingerprint(source: str) -> bytes:
    """The fingerprint of a definition's text; the newest few thousand are remembered."""
    return fingerprint(tokenize(source))

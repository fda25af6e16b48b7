"""Edits of many commits → chains: the successive versions of one definition."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field

from codewm_lsp.history.edits import CommitEdits, Edit, EditKind, source_fingerprint
from codewm_lsp.records import dataclass


@dataclass(frozen=True, slots=True)
class Chain:
    """The edits of one definition, oldest first, each starting from what the one before it made.

    ``path`` and ``definition`` are those of the newest edit.
    """

    path: str
    definition: str
    edits: tuple[Edit, ...]

    @property
    def versions(self) -> tuple[str, ...]:
        """Its texts, oldest first; without the empty one before an addition and after a removal."""
        first = (self.edits[0].before,) if self.edits[0].before else ()
        return first + tuple(edit.after for edit in self.edits if edit.after)


@dataclass(slots=True)
class _Open:
    path: str
    edits: list[Edit] = field(default_factory=list)


def chains(commits: Iterable[CommitEdits]) -> tuple[Chain, ...]:
    """Chain the edits of commits given newest first (as ``Repository.commits`` yields them).

    An edit goes on a chain whose last text is its ``before`` (comments and white space aside); edits made side by side
    on two branches make two chains, and so does a text changed by a commit that was skipped.
    """
    tips: dict[str, dict[str, dict[bytes, _Open]]] = {}  # path → definition → fingerprint of the last text
    done: list[_Open] = []
    for commit in reversed(list(commits)):
        for old, new in commit.renames:
            for definition, moved in tips.pop(old, {}).items():
                for chain in moved.values():
                    chain.path = new
                tips.setdefault(new, {}).setdefault(definition, {}).update(moved)
        for edit in commit.edits:
            here = tips.setdefault(edit.path, {}).setdefault(edit.definition, {})
            open_chain = here.pop(source_fingerprint(edit.before), None) if edit.before else None
            if open_chain is None:
                open_chain = _Open(edit.path)
                done.append(open_chain)
            open_chain.edits.append(edit)
            if edit.kind is not EditKind.REMOVED:
                here[source_fingerprint(edit.after)] = open_chain
    return tuple(Chain(chain.path, chain.edits[-1].definition, tuple(chain.edits)) for chain in done)

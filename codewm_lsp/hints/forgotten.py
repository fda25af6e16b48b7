"""What usually changes with a change, and has not: asked before a commit, in a review, and by agents.

It speaks only where it is sure, and says how much history stands behind it: silence after ten commits is no good news.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np

from codewm_lsp.errors import RepositoryError
from codewm_lsp.history import Repository
from codewm_lsp.history.change_at_hand import ChangeAtHand
from codewm_lsp.history.changed_files import MOST_FILES, FileEvent
from codewm_lsp.index.dismissals import Dismissal, Dismissals, Scope
from codewm_lsp.ranking.companions import Companions, FilePast, Touched, companions
from codewm_lsp.ranking.missing_files import MissingFiles, shipped_missing_files

ENOUGH: Final = 50
"""Commits from which on a history says what is usual."""

MOST: Final = 3
"""Files that are named at most: more are not read."""

EVIDENCE: Final = 3  # commits behind each
_ONCE: Final = "forgotten:"  # before what names a change, in a dismissal that holds for it alone
_ALWAYS: Final = "forgotten"


@dataclass(frozen=True, slots=True)
class JointCommit:
    """A past commit that changed the missing file together with a file of the change; ``date`` in Unix seconds."""

    sha: str
    subject: str
    author: str
    date: int


@dataclass(frozen=True, slots=True)
class Missing:
    """A file that the change is likely to need. ``chance``: the probability that it is not whole without it.

    ``together`` of the newest ``of`` commits that changed ``beside`` (a file of the change) changed this one too;
    ``beside`` is empty where none did: the file changes with commits of this kind.
    """

    path: str
    chance: float
    reason: str
    beside: str
    together: int
    of: int
    evidence: tuple[JointCommit, ...]


@dataclass(frozen=True, slots=True)
class Forgotten:
    """The answer. ``silent``: why nothing could be asked, in one sentence; "" where it was.

    ``change`` names the change that was looked at. ``commits``: how many stand behind the answer. ``shallow``: whether
    the clone holds only the newest of them.
    """

    changed: tuple[str, ...]
    missing: tuple[Missing, ...]
    commits: int
    shallow: bool
    silent: str
    change: str


def forgotten(
    repository: Repository,
    at_hand: ChangeAtHand,
    *,
    author: str = "",
    threshold: float | None = None,
    limit: int = MOST,
    dismissals: Dismissals | None = None,
    model: MissingFiles | None = None,
) -> Forgotten:
    """What usually changes with the change at hand, and has not, the likeliest first.

    ``threshold``: the least chance; by default the one at which nearly all complete changes are left alone.
    ``author``: the e-mail address of whose change it is. Raises ``RepositoryError``.
    """
    changed = tuple(sorted(at_hand.files))
    name = name_of(at_hand)
    shallow = repository.is_shallow

    def silent(why: str, commits: int = 0) -> Forgotten:
        return Forgotten(changed, (), commits, shallow, why, name)

    if not changed:
        return silent(
            "Only files that are not changed by hand are in this change." if at_hand.others else "Nothing is changed."
        )
    if at_hand.past is None:
        return silent("This is the first commit: there is no history to learn from.")
    if len(changed) > MOST_FILES:
        return silent(f"This changes {len(changed):,} files: of more than {MOST_FILES}, nothing is usual.")
    past = FilePast(repository.changed_files(at_hand.past))
    commits = len(past.commits)
    if commits < ENOUGH:
        more = (
            f"this clone has only {commits} commits: fetch more of them (`git fetch --unshallow`, or `fetch-depth: 0` "
            "of actions/checkout)"
            if shallow
            else f"{commits} commits, and what is usual shows from {ENOUGH} on"
        )
        return silent(f"Too little history: {more}.", commits)
    model = model or shipped_missing_files()
    added = frozenset(path for path, event in at_hand.files.items() if event is FileEvent.ADDED)
    found = companions(past, Touched(changed, added, author.lower()))
    chances = model.chances(found)
    least = model.threshold if threshold is None else threshold
    hidden = _hidden(dismissals, name)
    missing: list[Missing] = []
    there = frozenset(repository.paths_at(at_hand.past))
    for row in np.argsort(-chances, kind="stable").tolist():
        path = past.paths[found.files[row]]
        if chances[row] < least or len(missing) == limit:
            break
        if path in there and path not in hidden:
            missing.append(_missing(repository, past, found, row, float(chances[row])))
    return Forgotten(changed, tuple(missing), commits, shallow, "", name)


def name_of(at_hand: ChangeAtHand) -> str:
    """A name for the change: the same while HEAD is, and the files that are changed."""
    told = "\0".join([at_hand.past or "", *sorted(at_hand.files)])
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def not_needed(path: str, change: str | None = None) -> Dismissal:
    """What is remembered when somebody says that a file need not change: with this change, or (None) with any."""
    return Dismissal(Scope.HINT, _ALWAYS if change is None else f"{_ONCE}{change}", path)


def _hidden(dismissals: Dismissals | None, change: str) -> Collection[str]:
    if dismissals is None:
        return ()
    keys = (_ALWAYS, f"{_ONCE}{change}")
    return {item.path for item in dismissals.all() if item.scope is Scope.HINT and item.sha in keys}


def _missing(repository: Repository, past: FilePast, found: Companions, row: int, chance: float) -> Missing:
    file, count, asked = int(found.files[row]), int(found.count[row]), int(found.asked[row])
    path = past.paths[file]
    beside = past.paths[int(found.by[row])] if count else ""
    places = past.changed_at[file]
    if count:
        places = np.intersect1d(places, past.changed_at[int(found.by[row])])
    shas = [past.commits[place].sha for place in places[::-1][:EVIDENCE].tolist()]
    named = repository.commits_named(shas)
    return Missing(
        path=path,
        chance=chance,
        reason=f"changed in {count} of the last {asked} commits to {beside}" if count else "changes with such commits",
        beside=beside,
        together=count,
        of=asked,
        evidence=tuple(
            JointCommit(sha, named[sha].subject, named[sha].author, named[sha].date) for sha in shas if sha in named
        ),
    )


def change_at_hand(repository: Repository, diff: str | None = None) -> tuple[ChangeAtHand, str]:
    """The change that is meant, and what it is called: what is staged; where nothing is, the work tree's; or that of
    ``diff``, ``BASE...HEAD``. Raises ``RepositoryError``."""
    if diff is not None:
        base, dots, head = diff.partition("...")
        if not dots or not base:
            raise RepositoryError(f"{diff!r} is not of the form BASE...HEAD. Write it like origin/main...HEAD.")
        return repository.between(base, head or "HEAD"), diff
    if repository.root is None:
        raise RepositoryError(f"{repository.git_dir} has no work tree. Ask about commits with --diff BASE...HEAD.")
    staged = repository.staged()
    if staged.files or staged.others:
        return staged, "what is staged"
    return repository.in_work_tree(), "the working tree"

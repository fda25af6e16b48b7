"""What usually changes with a change, and has not: asked before a commit, in a review, and by agents.

It speaks only where it is sure, and says how much history stands behind it: silence after ten commits is no good news.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import Enum
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.display import counted
from codewm_lsp.errors import RepositoryError
from codewm_lsp.hints.broken_places import BrokenPlace, broken_places
from codewm_lsp.hints.change_texts import Considered, KnownTexts, changed_texts, consider
from codewm_lsp.hints.lacking_places import lacking_places
from codewm_lsp.hints.source_change import SourceChange
from codewm_lsp.history import Repository
from codewm_lsp.history.change_at_hand import ChangeAtHand
from codewm_lsp.history.changed_files import MOST_FILES
from codewm_lsp.index.dismissals import Dismissal, Dismissals, Scope
from codewm_lsp.index.file_history import file_history
from codewm_lsp.ranking.breaking import broken_by
from codewm_lsp.ranking.change_text import ChangedText
from codewm_lsp.ranking.companions import RECENT, Companions, FilePast, Touched, at_least, commits_like
from codewm_lsp.ranking.missing_files import COLUMNS, MissingFiles, shipped_missing_files
from codewm_lsp.records import dataclass
from codewm_lsp.source.conflicts import has_conflict

ENOUGH: Final = 50
"""Commits from which on a history says what is usual."""

MOST: Final = 3
"""Files that usually change with a change, of which at most so many are named: longer lists go unread."""

MOST_BROKEN: Final = 20
"""Files that a change leaves broken, or that lack what it uses, of which at most so many are named."""

EVIDENCE: Final = 3  # commits behind each
_SPANS: Final = (2, 3, 5, 10, 20, 50, RECENT)  # newest commits of a file of the change, of which one is told
_SPANS_OF_ALL: Final = (10, 50, 300)  # newest commits of all
_ALIKE: Final = 3  # commits like a change, of which a share says something
_ONCE: Final = "forgotten:"  # before what names a change, in a dismissal that holds for it alone
_ALWAYS: Final = "forgotten"


class Looked(str, Enum):
    """What a change is, where no two commits are named, in words."""

    STAGED = "what is staged"
    WORK_TREE = "the working tree"


@dataclass(frozen=True, slots=True)
class JointCommit:
    """A past commit that changed the missing file, and with it a file of the change; ``date`` in Unix seconds."""

    sha: str
    subject: str
    author: str
    date: int


@dataclass(frozen=True, slots=True)
class Missing:
    """A file that the change is likely to need. ``chance``: the probability that it is not whole without it.

    ``together`` of the newest ``of`` commits that changed ``beside`` (a file of the change) changed this one too. Where
    that says little, ``beside`` is empty, and the commits are the newest of all. ``kept_lines``: lines of it that the
    change removes from other files. ``definitions``: those of it that the change leaves broken, or that lack what it
    uses, the surest first; where they alone speak for the file, ``of`` is 0, and it may be one of the change.
    """

    path: str
    chance: float
    reason: str
    beside: str
    together: int
    of: int
    evidence: tuple[JointCommit, ...]
    definitions: tuple[BrokenPlace, ...] = ()
    kept_lines: int = 0


@dataclass(frozen=True, slots=True)
class Forgotten:
    """The answer about the change that ``asked`` says, in words. ``silent``: why nothing could be said, in one
    sentence; "" where it could. ``more``: files that are as likely to be missing and not named, so that the list is
    short.

    ``change`` is the name under which it is remembered that a file is not needed. ``commits``: how many stand behind
    the answer. ``shallow``: whether the clone holds only the newest of them. ``conflicts``: the changed files in which
    markers of a conflict were left.
    """

    asked: str
    changed: tuple[str, ...]
    missing: tuple[Missing, ...]
    commits: int
    shallow: bool
    silent: str
    change: str
    more: int = 0
    conflicts: tuple[str, ...] = ()


def forgotten(
    repository: Repository,
    diff: str | None = None,
    *,
    looked: Looked | None = None,
    threshold: float | None = None,
    limit: int = MOST,
    dismissals: Dismissals | None = None,
    folder: Path | None = None,
    model: MissingFiles | None = None,
) -> Forgotten:
    """What usually changes with a change, and has not, the likeliest first.

    Of ``diff`` (``BASE...HEAD``); without it of what is staged or in the working tree, as ``looked`` says; without that
    of what is staged, and where nothing is, of the working tree. ``threshold``: the least chance; by default the one at
    which nearly all complete changes are left alone. ``limit``: of the files that usually change with it; those that it
    leaves broken are all named. ``folder``: that of the indexes, where the history is remembered.

    Raises ``RepositoryError``; ``BundleError`` where CodeWM is not whole.
    """
    under_way = repository.under_way() if diff is None else None
    if under_way is not None:
        why = f"A {under_way} is in progress. The changes it brings are not checked."
        return Forgotten((looked or Looked.STAGED).value, (), (), 0, repository.is_shallow, why, "")
    at_hand, asked = _change(repository, diff, looked)
    past, why = _past(repository, at_hand, folder)
    changed = tuple(sorted(at_hand.files))
    commits, shallow = len(past.commits) if past is not None else 0, repository.is_shallow
    texts = changed_texts(repository, at_hand)
    conflicts = tuple(path for path, text in sorted(texts.items()) if has_conflict(text.after or ""))
    missing: tuple[Missing, ...] = ()
    more = 0
    if past is not None:
        model = model or shipped_missing_files()
        least = model.threshold if threshold is None else threshold
        hidden = hidden_files(dismissals, at_hand.name)
        if not why:
            missing, more = _missing(repository, at_hand, texts, past, model, least, limit, hidden)
        else:  # the history is too short to tell, but the code may
            missing, more = _left_broken(repository, at_hand, texts, least, hidden)
            why = "" if missing else why
    return Forgotten(asked, changed, missing, commits, shallow, why, at_hand.name, more, conflicts)


def not_needed(path: str, change: str | None = None) -> Dismissal:
    """What is remembered when somebody says that a file need not change: with this change, or (None) with any."""
    return Dismissal(Scope.HINT, _ALWAYS if change is None else f"{_ONCE}{change}", path)


def said_not_needed(dismissals: Dismissals) -> list[Dismissal]:
    """All that ``not_needed`` has made, for one change or for all."""
    return [item for item in dismissals.all() if item.scope is Scope.HINT and _is_ours(item)]


def is_for_one_change(item: Dismissal) -> bool:
    """Of those: whether the file is hidden while one change is made, and not for good."""
    return item.sha != _ALWAYS


def _is_ours(item: Dismissal) -> bool:
    return item.sha == _ALWAYS or item.sha.startswith(_ONCE)


def hidden_files(dismissals: Dismissals | None, change: str) -> Collection[str]:
    """The files that somebody has said are not needed, with this change or with any."""
    if dismissals is None:
        return ()
    return {item.path for item in said_not_needed(dismissals) if item.sha in (_ALWAYS, f"{_ONCE}{change}")}


def _change(repository: Repository, diff: str | None, looked: Looked | None) -> tuple[ChangeAtHand, str]:
    """The change that is meant, and what it is called."""
    if diff is not None:
        base, dots, head = diff.partition("...")
        if not dots or not base:
            raise RepositoryError(f"{diff!r} is not of the form BASE...HEAD, such as origin/main...HEAD.")
        return repository.between(base, head or "HEAD"), diff
    if repository.root is None:
        raise RepositoryError(f"{repository.git_dir} has no work tree. Ask about commits with --diff BASE...HEAD.")
    if looked is not Looked.WORK_TREE:
        staged = repository.staged()
        if looked is Looked.STAGED or staged.files or staged.others:
            return staged, Looked.STAGED.value
    return repository.in_work_tree(), Looked.WORK_TREE.value


def _past(repository: Repository, at_hand: ChangeAtHand, folder: Path | None) -> tuple[FilePast | None, str]:
    """The commits before the change, and why they cannot tell; "" where they can."""
    if not at_hand.files:
        why = "Only generated and similar files have changed." if at_hand.others else "There are no changes to check."
        return None, why
    if at_hand.past is None:
        return None, "This is the first commit: there is no history to learn from."
    if len(at_hand.files) > MOST_FILES:
        return None, f"This changes {len(at_hand.files):,} files; changes of more than {MOST_FILES} are not checked."
    past = FilePast(file_history(repository, at_hand.past, folder))
    commits = len(past.commits)
    if commits >= ENOUGH:
        return past, ""
    if repository.is_shallow:
        return past, (
            f"Too little history: this clone has only {commits} of the {ENOUGH} usable commits needed. Fetch more: "
            "`git fetch --unshallow`, or `fetch-depth: 0` of actions/checkout."
        )
    return past, f"Too little history: only {commits} of the {ENOUGH} usable commits that are needed."


def _missing(
    repository: Repository,
    at_hand: ChangeAtHand,
    texts: Mapping[str, ChangedText],
    past: FilePast,
    model: MissingFiles,
    least: float,
    limit: int,
    hidden: Collection[str],
) -> tuple[tuple[Missing, ...], int]:
    """Those that are named, and how many more there are."""
    assert at_hand.past is not None
    known = consider(repository, past, at_hand, KnownTexts(repository), texts, at_hand.past)
    gone = {*at_hand.files, *at_hand.renames.values()}
    named, more = named_files(known, model.chances(known.candidates), least, limit, gone, hidden)
    return tuple(_explained(repository, past, known, one) for one in named), more


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file that is named, with its chance: the ``row`` of a candidate, None where its ``broken`` places alone speak
    for it."""

    path: str
    chance: float
    row: int | None
    broken: tuple[BrokenPlace, ...]


def named_files(
    known: Considered,
    chances: NDArray[np.float64],
    least: float,
    limit: int,
    changed: Collection[str],
    hidden: Collection[str] = (),
) -> tuple[list[NamedFile], int]:
    """The files that are named of a change, the likeliest first, and how many more are as likely. ``chances``: of its
    candidates; ``changed``: its own files; ``hidden``: those that somebody has said are not needed."""
    order = [row for row in np.argsort(-chances, kind="stable").tolist() if chances[row] >= least]
    wanted = set(known.there).difference(changed, hidden)
    usual = {known.paths[row]: row for row in reversed(order) if known.paths[row] in wanted}
    broken: dict[str, list[BrokenPlace]] = {}
    for one in known.broken:
        if one.chance >= least and one.path not in hidden:
            broken.setdefault(one.path, []).append(one)
    sure = {known.paths[row]: float(chances[row]) for row in order if usual.get(known.paths[row]) == row}
    for path, some in broken.items():
        sure[path] = max(sure.get(path, 0.0), some[0].chance)
    likeliest = sorted(sure, key=lambda path: -sure[path])
    named = {*[path for path in likeliest if path in broken][:MOST_BROKEN]}
    named |= {*[path for path in likeliest if path not in broken][:limit]}
    found = [NamedFile(path, sure[path], usual.get(path), tuple(broken.get(path, ()))) for path in likeliest]
    return [one for one in found if one.path in named], len(likeliest) - len(named)


def _left_broken(
    repository: Repository,
    at_hand: ChangeAtHand,
    texts: Mapping[str, ChangedText],
    least: float,
    hidden: Collection[str],
) -> tuple[tuple[Missing, ...], int]:
    """The files that the change leaves broken, or that lack what it uses, which takes no history to know, and how many
    more there are."""
    assert at_hand.past is not None
    change = SourceChange.of(at_hand.past, texts, at_hand)
    places = broken_places(repository, change, broken_by(change.edits))
    places += lacking_places(repository, change)
    places.sort(key=lambda one: -one.chance)
    found: dict[str, list[BrokenPlace]] = {}
    for one in places:
        if one.chance >= least and one.path not in hidden:
            found.setdefault(one.path, []).append(one)
    missing = [Missing(path, some[0].chance, some[0].reason, "", 0, 0, (), tuple(some)) for path, some in found.items()]
    return tuple(missing[:MOST_BROKEN]), max(0, len(missing) - MOST_BROKEN)


@dataclass(frozen=True, slots=True)
class FileReason:
    """Why a file is named, in words and in numbers: as in ``Missing``."""

    words: str
    beside: str
    together: int
    of: int
    kept_lines: int


def reason_of(past: FilePast, touched: Touched, found: Companions, row: int, chance: float) -> FileReason:
    """What speaks most for a candidate: how often it came with a changed file, or lately at all, in as many of the
    newest commits as make it surest; and the lines that the change removes elsewhere and that stand in it.

    Where its ``chance`` is above that share, it is said what else is known: how often it was in the commits that are
    most like the change, or, where that is no more either, that there is more to it than can be told in a few words.
    Where it is below, it is said whether the newest of these commits left the file alone.
    """
    own = past.changed_at[int(found.files[row])]
    every = np.arange(len(past.commits))
    asked = [(path, past.changed_at[past.number[path]], _SPANS) for path in touched.paths if path in past.number]
    shares = [
        (beside, int(np.isin(newest, own).sum()), len(newest))
        for beside, places, spans in (*asked, ("", every, _SPANS_OF_ALL))
        for newest in (places[-span:] for span in spans)
        if len(newest)
    ]
    surest = at_least(np.array([one[1] for one in shares]), np.array([one[2] for one in shares]))
    beside, together, of = shares[max(range(len(shares)), key=lambda at: (surest[at], shares[at][2]))]
    kept = int(found.table[row, COLUMNS.index("stale_lines")])
    commits = "the only commit" if of == 1 else f"{together:,} of the last {of:,} commits"
    words = f"changed in {commits}{f' to {beside}' if beside else ''}"
    if _percent(together / of) < _percent(chance):
        like = commits_like(past, touched)
        among = int(np.isin(like, own).sum())
        if len(like) >= _ALIKE and among / len(like) > together / of:
            words += f" and in {among} of the {len(like)} commits most like this change"
        if _percent(max(together / of, among / max(len(like), 1))) < _percent(chance):
            words += "; other signals raise the chance"
    elif _percent(chance) < _percent(together / of):
        beside_at = past.changed_at[past.number[beside]] if beside else every
        without = int(np.argmax(np.isin(beside_at[-of:][::-1], own)))
        if without:
            words += f", but not in the last {'one' if without == 1 else f'{without:,}'}"
    if kept:
        words = f"still has {counted(kept, 'line')} that the change removes elsewhere; {words}"
    return FileReason(words, beside, together, of, kept)


def _percent(share: float) -> int:
    return round(100 * share)


def _explained(
    repository: Repository,
    past: FilePast,
    known: Considered,
    one: NamedFile,
) -> Missing:
    row, path, chance, broken = one.row, one.path, one.chance, one.broken
    if row is None:
        return Missing(path, chance, broken[0].reason, "", 0, 0, (), broken)
    reason = reason_of(past, known.asked, known.candidates, row, chance)
    places = past.changed_at[int(known.candidates.files[row])]
    if reason.beside:
        places = np.intersect1d(places, past.changed_at[past.number[reason.beside]])
    shas = [past.commits[place].sha for place in places[::-1][:EVIDENCE].tolist()]
    named = repository.commits_named(shas)
    evidence = [
        JointCommit(sha, named[sha].subject, named[sha].author, named[sha].date) for sha in shas if sha in named
    ]
    return Missing(
        path,
        chance,
        reason.words,
        reason.beside,
        reason.together,
        reason.of,
        tuple(evidence),
        broken,
        reason.kept_lines,
    )

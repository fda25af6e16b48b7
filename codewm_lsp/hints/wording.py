"""Words for people: titles of lenses, and what a predicted edit is likely to do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.dates import age
from codewm_lsp.display import clean, quoted, short
from codewm_lsp.hints.answers import JOINT, REFERENCE, SAME_KIND, UNDONE, Prediction, SimilarEdit
from codewm_lsp.hints.stand_in import StandIn
from codewm_lsp.history import Commit
from codewm_lsp.ranking.candidate import called
from codewm_lsp.ranking.signals.past import CHANGED_LATELY
from codewm_lsp.source import DefinitionKind
from codewm_lsp.source.languages import PYTHON
from codewm_lsp.world_model.actions import RICH_ACTION

TITLE: Final = 100  # characters of a title
SUBJECT: Final = 60  # characters of a commit's subject in a title
SHORTEST: Final = 12  # of a subject that is shortened: fewer say nothing
_MORE: Final = " · and 9 more"
CHANCES: Final = "The chances are for the author's next five commits."
_BY_TOOLS: Final = re.compile(  # subjects that Git, forges and their bots write
    r"Merge (?:commit|branch|pull request|remote-tracking branch)\b"
    r"|Apply suggestions? from (?:code review|@)|\[pre-commit\.ci\]"
    r"|(?:Add|Create|Delete|Update) [\w./-]+\.\w+$",
)
_EMPTY: Final = frozenset(  # words of a subject that do not say what was changed
    [
        "bug",
        "bugfix",
        "bump",
        "change",
        "changes",
        "cleanup",
        "fix",
        "fixed",
        "fixes",
        "fixup",
        "minor",
        "misc",
        "more",
        "oops",
        "release",
        "stuff",
        "temp",
        "tmp",
        "typo",
        "update",
        "updated",
        "updates",
        "version",
        "wip",
    ]
)
_NUMBER: Final = re.compile(r"v?\d[\w.]*")
_INDEX: Final = {name: position for position, name in enumerate(RICH_ACTION)}


def likely(action: NDArray[np.float32], kind: DefinitionKind, source: str) -> tuple[str, ...]:
    """What an edit with this (predicted) rich action changes in a definition, the first thing first.

    One or more of signature, decorators, class header, body, control flow, imports, and module level; or "everything"
    where the definition is likely to be removed.
    """
    value = {name: float(action[position]) for name, position in _INDEX.items()}
    if value["delete"] > max(value["add"], value["modify"]):
        return ("everything (removed)",)
    words: list[str] = []
    if kind is DefinitionKind.MODULE:
        if value["added_imports"] > 0.1:
            words.append("imports")
        words.append("module level")
    elif kind is DefinitionKind.CLASS:
        words.append("class header" if value["decorator_or_class"] > 0.5 else "class body")
    else:
        header = header_share(source)
        if value["decorator_or_class"] > 0.5:
            words.append("decorators")
        elif value["location"] < header:
            words.append("signature")
        if value["location"] >= header or value["control_flow"] > 0.5 or abs(value["size_ratio"]) > 0.2:
            words.append("body")
    if value["control_flow"] > 0.5:
        words.append("control flow")
    return tuple(words)


def header_share(source: str) -> float:
    """Share of a definition's lines taken up by its decorators and signature."""
    lines = source.rstrip().split("\n")
    return max((PYTHON.signature_end(lines) - 0.5) / max(1, len(lines) - 1), 0.02)


def evidence(similar: SimilarEdit, now: float, subject: int = SUBJECT) -> str:
    """``"like 3f2a91c 'Add timeout to get()' · 4 months ago"``; of another repository with its name. Of an edit that is
    taken back "undoes" in place of "like", of an earlier one of the same definition what both change: "parameter added
    here before: 3f2a91c 'Add timeout to get()' · 4 months ago". A subject that says nothing is left out: "like
    Client.get in 3f2a91c · 4 months ago", "undoes 3f2a91c · 4 months ago"."""
    commit, source = similar.edit.commit, similar.edit.source
    where = f"{clean(source.name, SUBJECT)} {short(commit.sha)}" if source is not None else short(commit.sha)
    how = "undoes" if any(reason.name == UNDONE for reason in similar.reasons) else "like"
    if same := next((reason.words for reason in similar.reasons if reason.name == SAME_KIND), None):
        how = f"{same}:"
        subject = min(subject, max(SHORTEST, TITLE - len(f"{how} {where} '' · {age(now - commit.date)}{_MORE}")))
    if says_nothing(commit.subject):
        where = f"{called(similar.edit.definition, similar.edit.path)} in {where}" if how == "like" else where
        return f"{how} {where} · {age(now - commit.date)}"
    return f"{how} {where} {quoted(clean(commit.subject, subject))} · {age(now - commit.date)}"


def says_nothing(subject: str) -> bool:
    """Whether a commit's subject does not tell what was changed: a merge, a version, a lone "fix"."""
    words = re.findall(r"\w[\w.]*", subject[:SUBJECT].lower())
    return bool(_BY_TOOLS.match(subject)) or all(word in _EMPTY or _NUMBER.fullmatch(word) for word in words)


def similar_title(found: Sequence[SimilarEdit], now: float) -> str:
    """The title of a lens on a changed definition: its most similar past edit, and how many more there are."""
    title = evidence(found[0], now)
    more = len({similar.edit.commit.sha for similar in found} - {found[0].edit.commit.sha})
    return f"{title} · and {more} more" if more else title


def changed_title(found: SimilarEdit, commit: Commit, now: float) -> str:
    """The title of a lens on a definition that the commit changed which stands for edits in progress."""
    head = f"changed in {short(commit.sha)}, {age(now - commit.date)} · "
    room = TITLE - len(head) - len(evidence(found, now, 1))
    return head + evidence(found, now, min(SUBJECT, max(room, 10)))


def stand_in_name(stand_in: StandIn) -> str:
    """``"your last commit 5bf375a"``."""
    whose = "your" if stand_in.own else "the"
    return f"{whose} last commit {'' if stand_in.newest else 'that changes Python, '}{short(stand_in.commit.sha)}"


def stand_in_words(stand_in: StandIn, now: float) -> str:
    """``"your last commit 5bf375a 'Add timeout to get()', 2 hours ago"``; another's with the author."""
    commit = stand_in.commit
    author = "" if stand_in.own or not commit.author else f" by {clean(commit.author, SUBJECT)}"
    return f"{stand_in_name(stand_in)} {quoted(clean(commit.subject, SUBJECT))}{author}, {age(now - commit.date)}"


def after_commit(stand_in: StandIn, now: float) -> str:
    """What is said above a list of what is next while nothing is edited: from what, and what its chances mean."""
    return f"No uncommitted changes to Python code; showing what may follow {stand_in_words(stand_in, now)}. {CHANCES}"


def nothing_after_commit(stand_in: StandIn, now: float) -> str:
    """What is said in place of such a list where nothing is likely enough to be on it."""
    return (
        "No uncommitted changes to Python code, and nothing is likely enough to follow "
        f"{stand_in_words(stand_in, now)}. Change a definition to see what is likely to change next."
    )


def waiting(stand_in: StandIn | None, *, comments: bool, asked: bool) -> str:
    """What is waited for while nothing is edited. ``comments``: they alone are; ``asked``: the stand-in is asked."""
    edited = "only comments or white space edited so far" if comments else "no Python code edited so far"
    if not asked:
        return edited
    if stand_in is None:
        return f"{edited}, and no recent commit changes Python"
    return f"{edited}; using {stand_in_name(stand_in)}"


def next_title(prediction: Prediction, now: float) -> str:
    """The title of a lens on a definition that is likely to be next: its chance, why, and the past edit that fits best.

    "likely next (60 %) · still mentions retries · like 3f2a91c 'Retry requests' · 4 months ago". Of a commit that also
    changed what is being edited, that it did says why. That the place changed lately is not said beside a past edit.
    Where none is telling, none is named, and there is room for a second reason. Where the definition must follow the
    edits in progress, what it still does says all there is to say.
    """
    must = next((reason for reason in prediction.reasons if reason.name == REFERENCE), None)
    if must is not None:
        return clean(f"likely next · {must.words}", TITLE)
    chance = f"likely next ({10 * round(10 * prediction.score)} %)"  # in tens: it must not flicker while one types
    past = next(iter(prediction.telling), None)
    reasons = [one for one in prediction.reasons if past is None or one.name != CHANGED_LATELY.name]
    why = [reason.words for reason in reasons]
    if past is None:
        title = " · ".join([chance, *why[:2]])
        return title if len(title) <= TITLE else clean(" · ".join([chance, *why[:1]]), TITLE)
    joint = next((reason.words for reason in past.reasons if reason.name == JOINT), None)
    if joint is not None:
        return _citing(f"{chance} · {joint}", " in", past, now)
    return _citing(" · ".join([chance, *why[:1]]), " · like", past, now)


def _citing(head: str, how: str, past: SimilarEdit, now: float) -> str:
    """A title that goes on with a commit, if there is room for its subject: without that a person cannot tell it. Where
    the subject says nothing, with what was edited there."""
    commit = past.edit.commit
    named, tail = f"{head}{how} {short(commit.sha)}", f" · {age(now - commit.date)}"
    if says_nothing(commit.subject):
        if how != " in":
            named = f"{head}{how} {called(past.edit.definition, past.edit.path)} in {short(commit.sha)}"
        return f"{named}{tail}" if len(named) + len(tail) <= TITLE else clean(head, TITLE)
    room = TITLE - len(named) - len(tail) - len(" ''")
    subject = clean(commit.subject, SUBJECT)
    if not subject or room < min(len(subject), SHORTEST):
        return clean(head, TITLE)
    return f"{named} {quoted(clean(subject, room))}{tail}"

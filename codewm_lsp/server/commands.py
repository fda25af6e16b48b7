"""The commands of ``workspace/executeCommand``: docs/protocol.md says what each takes and answers."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams

from codewm_lsp.display import clean, named, quoted, short
from codewm_lsp.errors import CodewmError
from codewm_lsp.hints import HintKind
from codewm_lsp.hints.forgotten_words import headline, record, sentence
from codewm_lsp.index import Scope
from codewm_lsp.records import dataclass
from codewm_lsp.server.client import MessageLevel
from codewm_lsp.server.editor import SERVER, CodewmServer
from codewm_lsp.server.evidence import Evidence, suggestions_text
from codewm_lsp.server.uris import file_of, uri_of

SHOW_SIMILAR: Final = "codewm.showSimilarEdits"
SHOW_NEXT: Final = "codewm.showNextEdits"
TOGGLE: Final = "codewm.toggle"
SNOOZE: Final = "codewm.snooze"
REINDEX: Final = "codewm.reindex"
DISMISS: Final = "codewm.dismiss"
DISMISS_EDIT: Final = "codewm.dismissEdit"
SEARCH: Final = "codewm.search"
FORGOTTEN: Final = "codewm.forgotten"
NOT_NEEDED: Final = "codewm.notNeeded"
COMMIT: Final = "codewm.commitEdits"
FILE_AT: Final = "codewm.fileAt"
STATUS: Final = "codewm.status"

SNOOZE_MINUTES: Final = 10.0
OFF_BY_SETTING: Final = "The setting codewm.enable is false. Set it to true to turn hints on."
LONGEST_SEARCH: Final = 4_000  # characters


@dataclass(frozen=True, slots=True)
class LensTarget:
    """What a command is about: a document and a definition in it.

    Without a ``definition`` it is the one that ``line`` (from 0) stands in. ``show``: open the answer in the editor
    (a client with a view of its own says false and reads the result). ``evidence``: predictions come with the past
    edits that speak for them, which takes longer. ``restore``: take a dismissal back.
    """

    uri: str
    definition: str = ""
    line: int = 0
    show: bool = True
    evidence: bool = True
    restore: bool = False


@dataclass(frozen=True, slots=True)
class PastFile:
    """A file in a commit of the repository ``root`` (a URI), or in the commit before it (``side``: "before")."""

    root: str
    commit: str
    path: str = ""
    side: str = "after"


@dataclass(frozen=True, slots=True)
class Unwanted:
    """A past edit not to be seen again; ``scope``: "edit", "like" or "commit". ``restore`` takes it back."""

    root: str
    commit: str
    path: str
    definition: str
    scope: str = "like"
    restore: bool = False


@dataclass(frozen=True, slots=True)
class Somewhere:
    """A file or folder in the repository that is asked about; the first one of the workspace where there is none."""

    uri: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Past edits by what they are about; ``show``: open them in the editor."""

    words: str
    uri: str = ""
    show: bool = True


@dataclass(frozen=True, slots=True)
class Unneeded:
    """A file that need not change with the change of that name, or (None) with any. ``restore`` takes it back."""

    root: str
    path: str
    change: str | None = None
    restore: bool = False


@SERVER.command(SHOW_SIMILAR)
async def show_similar(ls: CodewmServer, target: LensTarget) -> dict[str, Any]:
    """The past edits behind a lens."""
    file = file_of(target.uri)
    if file is None:
        raise JsonRpcInvalidParams(f"{target.uri} is not a file, so it has no past edits.")
    place, evidence = await _answer(ls.active.questions.similar(file, target.definition, target.line))
    if target.show and evidence.edits:
        ls.show(evidence.definition, evidence.text(time.time()), _summary(evidence))
    elif target.show:
        ls.say(MessageLevel.INFO, f"No past edits are similar to the change to {named(target.definition)}.")
    return {"root": uri_of(place.root), **evidence.record()}


@SERVER.command(SHOW_NEXT)
async def show_next(ls: CodewmServer, *arguments: Any) -> dict[str, Any]:
    """What is likely to be edited next, everywhere in the repository."""
    target = _optional(ls, arguments, LensTarget)
    file = file_of(target.uri) if target else None
    evidence = target is None or target.evidence
    root, answer = await _answer(ls.active.questions.next(file, ls.active.first_folder(), evidence=evidence))
    found = answer.items
    if (target is None or target.show) and found:
        names = ", ".join(suggestion.called for suggestion in found[:3])
        text = suggestions_text(found, time.time(), answer.about)
        ls.show("next-edits", text, f"Likely to change next: {names}.")
    elif target is None or target.show:
        ls.say(MessageLevel.INFO, answer.about or "Change a definition first to see what is likely to change next.")
    uris = [suggestion.record(lambda path: uri_of(root / path)) for suggestion in found]
    return {"root": uri_of(root), "predictions": uris, "about": answer.about}


@SERVER.command(SEARCH)
async def search(ls: CodewmServer, wanted: Wanted) -> dict[str, Any]:
    """Past edits about something."""
    words = wanted.words.strip()
    if not words or len(words) > LONGEST_SEARCH:
        raise JsonRpcInvalidParams(f"the words must be 1 to {LONGEST_SEARCH:,} characters, not {len(words):,}")
    root, found = await _answer(ls.active.questions.search(words, _place(ls, wanted.uri)))
    if wanted.show and found.edits:
        first = found.edits[0]
        ls.show("search", found.text(time.time()), f"Best match: {short(first.commit)} {quoted(clean(first.subject))}.")
    elif wanted.show:
        ls.say(MessageLevel.INFO, f"No past edits match {clean(words)}.")
    return {"root": uri_of(root), **found.record()}


@SERVER.command(FORGOTTEN)
async def forgotten(ls: CodewmServer, *arguments: Any) -> dict[str, Any]:
    """The files that usually change with the change at hand, and have not."""
    asked = _optional(ls, arguments, Somewhere)
    root, found = await _answer(ls.active.questions.forgotten(_place(ls, asked.uri if asked else "")))
    answer = record(found)
    for row, one in zip(answer["missing"], found.missing, strict=True):
        row.update(uri=uri_of(root / one.path), sentence=sentence(one))
    return {"root": uri_of(root), "headline": headline(found), **answer}


@SERVER.command(NOT_NEEDED)
async def not_needed(ls: CodewmServer, unneeded: Unneeded) -> dict[str, Any]:
    """Do not name a file again, for this change or for any; or take that back."""
    questions = ls.active.questions
    root = _root(unneeded.root)
    await _answer(questions.not_needed(root, unneeded.path, unneeded.change, restore=unneeded.restore))
    return {"dismissed": not unneeded.restore}


@SERVER.command(TOGGLE)
def toggle(ls: CodewmServer, *arguments: Any) -> dict[str, Any]:
    """Switch hints on or off (an argument says which), or over. Refused where the setting switches them off."""
    on = _optional(ls, arguments, bool)
    preferences = ls.active.preferences
    if on is not False and not preferences.options.enable:
        raise JsonRpcException(OFF_BY_SETTING, code=types.LSPErrorCodes.RequestFailed.value)
    return {"enabled": preferences.toggle(on)}


@SERVER.command(SNOOZE)
def snooze(ls: CodewmServer, *arguments: Any) -> dict[str, Any]:
    """No hints for so many minutes; 0 ends it."""
    minutes = _optional(ls, arguments, float)
    minutes = SNOOZE_MINUTES if minutes is None else max(0.0, min(minutes, 10_080.0))
    ls.active.preferences.snooze(minutes)
    return {"minutes": minutes}


@SERVER.command(REINDEX)
def reindex(ls: CodewmServer) -> dict[str, Any]:
    """Index what is not indexed yet, also where it was cancelled."""
    return {"repositories": ls.active.reindex()}


@SERVER.command(DISMISS)
async def dismiss(ls: CodewmServer, target: LensTarget) -> dict[str, Any]:
    """Never show this hint again, or take that back."""
    file = file_of(target.uri)
    if file is None:
        raise JsonRpcInvalidParams(f"{target.uri} is not a file, so it has no hints.")
    await _answer(ls.active.questions.dismiss(file, target.definition, restore=target.restore))
    return {"dismissed": 0 if target.restore else ls.active.lenses.remove(target.uri, target.definition)}


@SERVER.command(DISMISS_EDIT)
async def dismiss_edit(ls: CodewmServer, edit: Unwanted) -> dict[str, Any]:
    """Never show a past edit again, nor those like it; or take that back."""
    try:
        scope = Scope(edit.scope)
    except ValueError:
        scope = Scope.HINT
    if scope is Scope.HINT:
        raise JsonRpcInvalidParams(f'the scope must be "edit", "like" or "commit", not {edit.scope!r}')
    root, restore = _root(edit.root), edit.restore
    await _answer(
        ls.active.questions.dismiss_edit(root, edit.commit, edit.path, edit.definition, scope, restore=restore)
    )
    return {"dismissed": not restore}


@SERVER.command(COMMIT)
async def commit_edits(ls: CodewmServer, commit: PastFile) -> dict[str, Any]:
    """All edits of one commit."""
    edits = await _answer(ls.active.questions.commit(_root(commit.root), commit.commit))
    return {"root": commit.root, "edits": [edit.record() for edit in edits]}


@SERVER.command(FILE_AT)
async def file_at(ls: CodewmServer, file: PastFile) -> dict[str, Any]:
    """A file as a commit left it, or as it found it."""
    if file.side not in ("before", "after"):
        raise JsonRpcInvalidParams(f'the side must be "before" or "after", not {file.side!r}')
    before = file.side == "before"
    return {"text": await _answer(ls.active.questions.text(_root(file.root), file.commit, file.path, before=before))}


@SERVER.command(STATUS)
def status(ls: CodewmServer) -> dict[str, Any]:
    """What is indexed how far, with which model, and what went wrong."""
    return ls.active.status().record(uri_of)


async def _answer(work: Any) -> Any:
    try:
        return await work
    except CodewmError as error:
        raise JsonRpcException(str(error), code=types.LSPErrorCodes.RequestFailed.value) from error


def _optional(ls: CodewmServer, arguments: tuple[Any, ...], wanted: type[Any]) -> Any:
    if len(arguments) > 1:
        raise JsonRpcInvalidParams(f"at most one argument is allowed, not {len(arguments)}")
    if not arguments or arguments[0] is None:
        return None
    value = arguments[0]
    if wanted in (LensTarget, Somewhere):
        return ls.protocol.structured(value, wanted)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, wanted):
        raise JsonRpcInvalidParams(f"the argument must be a {wanted.__name__}, not {value!r}")
    return value


def _summary(evidence: Evidence) -> str:
    first = evidence.edits[0]
    like = "Like the change expected in" if evidence.kind == HintKind.NEXT.value else "Like the change to"
    commit = f"{short(first.commit)} {quoted(clean(first.subject))} by {clean(first.author)}"
    return f"{like} {named(evidence.definition)}: {commit}."


def _place(ls: CodewmServer, uri: str) -> Path:
    """A file or folder, the first folder of the workspace where none is named."""
    if not uri:
        return ls.active.first_folder()
    place = file_of(uri)
    if place is None:
        raise JsonRpcInvalidParams(f"{uri} is not a file or folder")
    return place


def _root(uri: str) -> Path:
    root = file_of(uri)
    if root is None:
        raise JsonRpcInvalidParams(f"{uri} is not a folder")
    return root

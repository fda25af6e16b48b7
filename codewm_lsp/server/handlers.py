"""The handlers of the protocol: each takes a message apart and passes it on."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from codewm_lsp.server.commands import SHOW_SIMILAR
from codewm_lsp.server.documents import Document
from codewm_lsp.server.editor import SERVER, CodewmServer, answered
from codewm_lsp.server.lenses import Lens
from codewm_lsp.server.uris import file_of, files_of
from codewm_lsp.source.languages import LANGUAGES, SUFFIXES, is_source

__all__ = ["SERVER"]  # with all its handlers and commands

_log = logging.getLogger(__name__)
_LANGUAGE_IDS: Final = frozenset(language.identifier for language in LANGUAGES)


@SERVER.feature(types.INITIALIZE)
def initialize(ls: CodewmServer, params: types.InitializeParams) -> None:
    """Read the options; index nothing yet."""
    ls.start(params)


@SERVER.feature(types.INITIALIZED)
async def initialized(ls: CodewmServer, params: types.InitializedParams) -> None:
    """Begin indexing, watch for commits."""
    ls.active.begin()
    ls.status_changed()
    await _watch(ls)


@SERVER.feature(types.SHUTDOWN)
def shutdown(ls: CodewmServer, params: None) -> None:
    """Stop the worker."""
    ls.active.close()


@SERVER.feature(types.TEXT_DOCUMENT_DID_OPEN)
def did_open(ls: CodewmServer, params: types.DidOpenTextDocumentParams) -> None:
    """Take in a Python document."""
    item = params.text_document
    file = file_of(item.uri)
    if file is None:
        if item.language_id in _LANGUAGE_IDS:
            ls.active.lenses.open_nowhere(item.uri)
        return
    if not (item.language_id in _LANGUAGE_IDS or is_source(file.name)):
        return
    encoding = types.PositionEncodingKind(ls.workspace.position_encoding or "utf-16").value
    ls.active.open(Document(item.uri, item.language_id, item.version, item.text, encoding), file)


@SERVER.feature(types.TEXT_DOCUMENT_DID_CHANGE)
def did_change(ls: CodewmServer, params: types.DidChangeTextDocumentParams) -> None:
    """Apply the changes in their order."""
    lenses = ls.active.lenses
    document = lenses.document(params.text_document.uri)
    if document is None:
        return
    for change in params.content_changes:
        start = end = None
        if isinstance(change, types.TextDocumentContentChangePartial):
            start = (change.range.start.line, change.range.start.character)
            end = (change.range.end.line, change.range.end.character)
        lenses.changed(document.uri, document.apply(params.text_document.version, start, end, change.text))


@SERVER.feature(types.TEXT_DOCUMENT_DID_SAVE)
def did_save(ls: CodewmServer, params: types.DidSaveTextDocumentParams) -> None:
    """A moment to look for new commits."""
    ls.active.saved(params.text_document.uri)


@SERVER.feature(types.TEXT_DOCUMENT_DID_CLOSE)
def did_close(ls: CodewmServer, params: types.DidCloseTextDocumentParams) -> None:
    """Forget a document."""
    ls.active.close_document(params.text_document.uri)


@SERVER.feature(types.TEXT_DOCUMENT_CODE_LENS)
async def code_lens(ls: CodewmServer, params: types.CodeLensParams) -> list[types.CodeLens]:
    """The known lenses."""
    uri, lenses = params.text_document.uri, ls.active.lenses
    if not ls.can_refresh():
        await lenses.settle(uri)
    return [_code_lens(uri, lens) for lens in lenses.of(uri)]


@SERVER.feature(types.TEXT_DOCUMENT_INLAY_HINT)
async def inlay_hint(ls: CodewmServer, params: types.InlayHintParams) -> list[types.InlayHint]:
    """The known hints at the ends of their lines, with ``display: inlay`` or ``activeLine``."""
    uri, lenses = params.text_document.uri, ls.active.lenses
    if not ls.can_refresh_inlays():
        await lenses.settle(uri)
    document = lenses.document(uri)
    first, last = params.range.start.line, params.range.end.line
    shown = [lens for lens in lenses.inlays(uri) if first <= lens.anchor.line <= last]
    return [_inlay_hint(document, lens) for lens in shown if document is not None]


@SERVER.feature(types.TEXT_DOCUMENT_HOVER)
def hover(ls: CodewmServer, params: types.HoverParams) -> types.Hover | None:
    """The hint of a definition line, with ``display: hover``."""
    lens = ls.active.lenses.hover(params.text_document.uri, params.position.line)
    if lens is None:
        return None
    text = types.MarkupContent(types.MarkupKind.PlainText, f"CodeWM: {lens.hint.title}")
    return types.Hover(contents=text, range=_line_range(lens.anchor.line))


@SERVER.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
async def did_change_configuration(ls: CodewmServer, params: types.DidChangeConfigurationParams) -> None:
    """Apply settings."""
    await ls.configure(params.settings)


@SERVER.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
def did_change_watched_files(ls: CodewmServer, params: types.DidChangeWatchedFilesParams) -> None:
    """A commit, a checkout, another program's edit."""
    ls.active.files_changed()


@SERVER.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
def did_change_folders(ls: CodewmServer, params: types.DidChangeWorkspaceFoldersParams) -> None:
    """Folders of the workspace came or went."""
    added, removed = (files_of(one.uri for one in some) for some in (params.event.added, params.event.removed))
    ls.active.folders_changed(added, removed)


@SERVER.feature(types.WINDOW_WORK_DONE_PROGRESS_CANCEL)
def cancel(ls: CodewmServer, params: types.WorkDoneProgressCancelParams) -> None:
    """Stop indexing until it is asked for again."""
    ls.cancelled(params.token)


async def _watch(ls: CodewmServer) -> None:
    """Be told of commits and checkouts, where the client can watch files."""
    workspace = ls.client_capabilities.workspace
    watched = workspace.did_change_watched_files if workspace else None
    if not (watched and watched.dynamic_registration):
        return
    patterns = ("**/.git/HEAD", "**/.git/logs/HEAD", *(f"**/*{suffix}" for suffix in SUFFIXES))
    options = types.DidChangeWatchedFilesRegistrationOptions([types.FileSystemWatcher(glob) for glob in patterns])
    registration = types.Registration(
        id="codewm-history", method=types.WORKSPACE_DID_CHANGE_WATCHED_FILES, register_options=options
    )
    try:
        await answered(ls.client_register_capability_async(types.RegistrationParams([registration])))
    except (JsonRpcException, asyncio.TimeoutError) as error:
        _log.info("client/registerCapability was refused: %s", error)


def _code_lens(uri: str, lens: Lens) -> types.CodeLens:
    arguments: list[Any] = [{"uri": uri, "definition": lens.hint.definition}]
    command = types.Command(title=lens.hint.title, command=SHOW_SIMILAR, arguments=arguments)
    return types.CodeLens(range=_line_range(lens.anchor.line), command=command)


def _inlay_hint(document: Document, lens: Lens) -> types.InlayHint:
    line = lens.anchor.line
    part = types.InlayHintLabelPart(value=lens.hint.title, command=_code_lens(document.uri, lens).command)
    return types.InlayHint(types.Position(line, document.width(line)), [part], padding_left=True)


def _line_range(line: int) -> types.Range:
    return types.Range(types.Position(line, 0), types.Position(line, 0))

"""The language server: thin handlers between the protocol and the conductor."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams, PyglsError
from pygls.lsp.server import LanguageServer
from pygls.uris import from_fs_path, to_fs_path

import codewm_lsp
from codewm_lsp.errors import CodewmError
from codewm_lsp.hints import HintKind, clean
from codewm_lsp.history import is_python
from codewm_lsp.index import Scope
from codewm_lsp.server.conductor import Conductor, Lens, Level, Progress
from codewm_lsp.server.documents import Document
from codewm_lsp.server.evidence import DiffFiles, Evidence, suggestions_text
from codewm_lsp.server.options import Options, merge_settings, read_options
from codewm_lsp.server.pace import Pause
from codewm_lsp.server.protocol import CodewmProtocol

_log = logging.getLogger(__name__)

SHOW_SIMILAR: Final = "codewm.showSimilarEdits"
SHOW_NEXT: Final = "codewm.showNextEdits"
TOGGLE: Final = "codewm.toggle"
SNOOZE: Final = "codewm.snooze"
REINDEX: Final = "codewm.reindex"
DISMISS: Final = "codewm.dismiss"
DISMISS_EDIT: Final = "codewm.dismissEdit"
COMMIT: Final = "codewm.commitEdits"
FILE_AT: Final = "codewm.fileAt"
STATUS: Final = "codewm.status"
STATUS_CHANGED: Final = "codewm/status"  # a notification, to clients that ask for it with an experimental capability

SNOOZE_MINUTES: Final = 30.0
PATIENCE: Final = 10.0  # seconds for an editor to answer what it is asked
_MESSAGE_TYPES: Final = {Level.WARNING: types.MessageType.Warning, Level.INFO: types.MessageType.Info}


@dataclass(frozen=True, slots=True)
class Target:
    """What a command is about: a document and a definition in it.

    Without a ``definition`` it is the one that ``line`` (from 0) stands in. ``show``: open the answer in the editor
    (a client with a view of its own says false and reads the result). ``evidence``: predictions come with the past
    edits that speak for them, which takes longer.
    """

    uri: str
    definition: str = ""
    line: int = 0
    show: bool = True
    evidence: bool = True


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


class CodewmServer(LanguageServer):
    """pygls's server with a conductor, and errors that go to the log instead of a pop-up each."""

    protocol: CodewmProtocol

    def __init__(self) -> None:
        super().__init__("codewm-lsp", codewm_lsp.__version__, protocol_cls=CodewmProtocol)
        self.conductor: Conductor | None = None
        self.initial_settings: object = None
        self.diffs = DiffFiles()
        self._failures: set[str] = set()
        self._showing: set[asyncio.Task[None]] = set()
        self._bars: dict[types.ProgressToken, Callable[[], None]] = {}
        self._told: dict[str, object] | None = None

    @property
    def active(self) -> Conductor:
        """The conductor of the initialised server."""
        if self.conductor is None:
            raise JsonRpcException("The server is not initialised.", code=types.ErrorCodes.ServerNotInitialized.value)
        return self.conductor

    def start(self, params: types.InitializeParams) -> None:
        """Make the conductor, and give it the first options."""
        self.initial_settings = params.initialization_options
        options, problems = self._options(None)
        self.conductor = Conductor(self, asyncio.get_running_loop(), _folders(params), options)
        self._say(problems)
        logging.getLogger("codewm").addHandler(_Announcer(self.conductor))

    def configure(self, settings: object) -> None:
        """Apply settings on top of those of the start; each senseless one is said once."""
        options, problems = self._options(settings)
        self._say(problems)
        self.active.configure(options)

    def _say(self, problems: Iterable[str]) -> None:
        for problem in problems:
            self.active.say_once(Level.WARNING, problem)

    def _options(self, settings: object) -> tuple[Options, list[str]]:
        options, problems = read_options(merge_settings(_own(self.initial_settings), _own(settings)))
        logging.getLogger().setLevel(options.log_level.value.upper())
        for noisy in ("pygls", "git", "asyncio"):  # whole messages, environments and commands: never wanted
            logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLogger().level))
        return options, problems

    def report_server_error(self, error: Exception, source: type[PyglsError] | type[JsonRpcException]) -> None:
        """To the log with its trace; one line to the user for each sort of error."""
        _log.error("%s: %s", source.__name__, error, exc_info=error)
        kind = f"{source.__name__}: {type(error).__name__}"
        if isinstance(error, (BrokenPipeError, JsonRpcInvalidParams)) or kind in self._failures:
            return
        self._failures.add(kind)
        self.say(Level.WARNING, f"CodeWM met an error ({error}); the log has details.")

    # ---- what the conductor asks of the editor

    def say(self, level: Level, text: str) -> None:
        """One message to the user, or to the log only."""
        _log.log(logging.WARNING if level is Level.WARNING else logging.INFO, "to the user: %s", text)
        if level is Level.LOG:
            self.window_log_message(types.LogMessageParams(types.MessageType.Info, text))
        else:
            self.window_show_message(types.ShowMessageParams(_MESSAGE_TYPES[level], text))

    def can_refresh(self) -> bool:
        """Whether the editor can be told to ask for its lenses again."""
        workspace = self.client_capabilities.workspace
        return bool(workspace and workspace.code_lens and workspace.code_lens.refresh_support)

    async def refresh(self) -> None:
        """Tell it so; an editor that refuses is not asked why."""
        try:
            await _answered(self.workspace_code_lens_refresh_async(None))
        except (JsonRpcException, asyncio.TimeoutError) as error:
            _log.info("workspace/codeLens/refresh was refused: %s", error)

    async def begin(self, title: str, cancel: Callable[[], None]) -> Progress | None:
        """A progress bar that the user may cancel, where there are any."""
        window = self.client_capabilities.window
        if not (window and window.work_done_progress):
            return None
        token = str(uuid.uuid4())
        try:
            await _answered(self.work_done_progress.create_async(token))
        except (JsonRpcException, asyncio.TimeoutError) as error:
            _log.info("window/workDoneProgress/create was refused: %s", error)
            return None
        self._bars[token] = cancel
        self.work_done_progress.begin(token, types.WorkDoneProgressBegin(title=title, cancellable=True, percentage=0))
        return _Bar(self, token)

    def cancelled(self, token: types.ProgressToken) -> None:
        """The user cancelled a progress bar."""
        cancel = self._bars.get(token)
        if cancel is not None:
            cancel()

    def ended(self, token: types.ProgressToken) -> None:
        """A progress bar is gone."""
        self._bars.pop(token, None)
        self.work_done_progress.tokens.pop(token, None)

    def shows_status(self) -> bool:
        """Whether the client asked to be told of ``codewm/status``."""
        experimental = self.client_capabilities.experimental
        codewm = experimental.get("codewm") if isinstance(experimental, dict) else None
        return isinstance(codewm, dict) and codewm.get("status") is True

    def status_changed(self) -> None:
        """Tell the status where it is wanted, and only when it is another than was told last."""
        if self.conductor is None or not self.shows_status():
            return
        status = self.conductor.status().record(_uri)
        if status != self._told:
            self._told = status
            self.protocol.notify(STATUS_CHANGED, status)

    def show(self, name: str, text: str, summary: str) -> None:
        """Show a text to the user: as a document where the client can, else as a message that names the file.

        Not waited for: a client may be unable to answer while it waits for a command.
        """
        task = asyncio.get_running_loop().create_task(self._show(self.diffs.write(name, text), summary))
        self._showing.add(task)
        task.add_done_callback(self._showing.discard)

    async def _show(self, file: Path, summary: str) -> None:
        window = self.client_capabilities.window
        uri = from_fs_path(str(file))
        if uri and window and window.show_document and window.show_document.support:
            try:
                params = types.ShowDocumentParams(uri=uri, take_focus=True)
                shown = await _answered(self.window_show_document_async(params))
            except (JsonRpcException, asyncio.TimeoutError) as error:
                _log.info("window/showDocument was refused: %s", error)
            else:
                if shown.success:
                    return
        self.say(Level.INFO, f"{summary} The diff is in {file}")


class _Bar:
    """A work-done progress of the protocol."""

    def __init__(self, ls: CodewmServer, token: types.ProgressToken) -> None:
        self._ls = ls
        self._token = token

    def report(self, done: int, total: int) -> None:
        """So many of so many commits."""
        percentage = min(100, done * 100 // total) if total else 0
        self._ls.work_done_progress.report(
            self._token, types.WorkDoneProgressReport(message=f"{done:,} of {total:,} commits", percentage=percentage)
        )

    def pause(self, why: Pause) -> None:
        """Nothing is done just now."""
        self._ls.work_done_progress.report(self._token, types.WorkDoneProgressReport(message=f"paused ({why.value})"))

    def end(self, message: str) -> None:
        """Take it away."""
        self._ls.work_done_progress.end(self._token, types.WorkDoneProgressEnd(message=message))
        self._ls.ended(self._token)


class _Announcer(logging.Handler):
    """Warnings that the rooms below mean for the user (an index set aside, say) reach the editor, once each."""

    def __init__(self, conductor: Conductor) -> None:
        super().__init__(logging.WARNING)
        self._conductor = conductor

    def emit(self, record: logging.LogRecord) -> None:
        """Pass it on, from whatever thread."""
        self._conductor.announce(record.getMessage())


def make_server() -> CodewmServer:
    """A server with all its handlers."""
    server = CodewmServer()

    @server.feature(types.INITIALIZE)
    def initialize(ls: CodewmServer, params: types.InitializeParams) -> None:
        """Read the options; index nothing yet."""
        ls.start(params)

    @server.feature(types.INITIALIZED)
    async def initialized(ls: CodewmServer, params: types.InitializedParams) -> None:
        """Begin indexing, watch for commits."""
        ls.active.begin()
        ls.status_changed()
        await _watch(ls)

    @server.feature(types.SHUTDOWN)
    def shutdown(ls: CodewmServer, params: None) -> None:
        """Stop the worker."""
        ls.active.close()

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def did_open(ls: CodewmServer, params: types.DidOpenTextDocumentParams) -> None:
        """Take in a Python document."""
        item = params.text_document
        file = _file(item.uri)
        if file is None or not (item.language_id == "python" or is_python(file.name)):
            return
        encoding = types.PositionEncodingKind(ls.workspace.position_encoding or "utf-16").value
        ls.active.open(Document(item.uri, item.language_id, item.version, item.text, encoding), file)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def did_change(ls: CodewmServer, params: types.DidChangeTextDocumentParams) -> None:
        """Apply the changes in their order."""
        document = ls.active.document(params.text_document.uri)
        if document is None:
            return
        for change in params.content_changes:
            start = end = None
            if isinstance(change, types.TextDocumentContentChangePartial):
                start = (change.range.start.line, change.range.start.character)
                end = (change.range.end.line, change.range.end.character)
            done = document.apply(params.text_document.version, start, end, change.text)
            ls.active.changed(document.uri, done)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    def did_save(ls: CodewmServer, params: types.DidSaveTextDocumentParams) -> None:
        """A moment to look for new commits."""
        ls.active.saved(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def did_close(ls: CodewmServer, params: types.DidCloseTextDocumentParams) -> None:
        """Forget a document."""
        ls.active.close_document(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_CODE_LENS)
    async def code_lens(ls: CodewmServer, params: types.CodeLensParams) -> list[types.CodeLens]:
        """The known lenses."""
        uri = params.text_document.uri
        lenses = ls.active.lenses(uri) if ls.can_refresh() else await ls.active.settled_lenses(uri)
        return [_code_lens(uri, lens) for lens in lenses]

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    def hover(ls: CodewmServer, params: types.HoverParams) -> types.Hover | None:
        """The hint of a definition line, with ``display: hover``."""
        lens = ls.active.hover(params.text_document.uri, params.position.line)
        if lens is None:
            return None
        text = types.MarkupContent(types.MarkupKind.PlainText, f"CodeWM: {lens.hint.title}")
        return types.Hover(contents=text, range=_line_range(lens.anchor.line))

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def did_change_configuration(ls: CodewmServer, params: types.DidChangeConfigurationParams) -> None:
        """Apply settings; a client that sends none has them fetched."""
        settings = params.settings
        workspace = ls.client_capabilities.workspace
        if not settings and workspace and workspace.configuration:
            item = types.ConfigurationItem(section="codewm")
            (settings,) = await ls.workspace_configuration_async(types.ConfigurationParams([item]))
        ls.configure(settings)

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def did_change_watched_files(ls: CodewmServer, params: types.DidChangeWatchedFilesParams) -> None:
        """A commit, a checkout, another program's edit."""
        ls.active.files_changed()

    @server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    def did_change_folders(ls: CodewmServer, params: types.DidChangeWorkspaceFoldersParams) -> None:
        """Folders of the workspace came or went."""
        ls.active.folders_changed(_paths(params.event.added), _paths(params.event.removed))

    @server.feature(types.WINDOW_WORK_DONE_PROGRESS_CANCEL)
    def cancel(ls: CodewmServer, params: types.WorkDoneProgressCancelParams) -> None:
        """Stop indexing until it is asked for again."""
        ls.cancelled(params.token)

    _add_commands(server)
    return server


def _add_commands(server: CodewmServer) -> None:
    @server.command(SHOW_SIMILAR)
    async def show_similar(ls: CodewmServer, target: Target) -> dict[str, Any]:
        """The past edits behind a lens."""
        file = _file(target.uri)
        if file is None:
            raise JsonRpcInvalidParams(f"{target.uri} is no file: it has no past edits.")
        place, evidence = await _answer(ls.active.similar(file, target.definition, target.line))
        if target.show and evidence.edits:
            ls.show(evidence.definition, evidence.text(time.time()), _summary(evidence))
        elif target.show:
            ls.say(Level.INFO, f"No past edits like the one of {target.definition} are known yet.")
        return {"root": from_fs_path(str(place.root)), **evidence.record()}

    @server.command(SHOW_NEXT)
    async def show_next(ls: CodewmServer, *arguments: Any) -> dict[str, Any]:
        """What is likely to be edited next, everywhere in the repository."""
        target = _optional(ls, arguments, Target)
        file = _file(target.uri) if target else None
        root, found = await _answer(ls.active.next(file, evidence=target is None or target.evidence))
        if (target is None or target.show) and found:
            names = ", ".join(suggestion.definition for suggestion in found[:3])
            ls.show("next-edits", suggestions_text(found, time.time()), f"Likely to be edited next: {names}.")
        elif target is None or target.show:
            ls.say(Level.INFO, "Nothing to predict from: change a definition first.")
        uris = [suggestion.record(lambda path: from_fs_path(str(root / path)) or "") for suggestion in found]
        return {"root": from_fs_path(str(root)), "predictions": uris}

    @server.command(TOGGLE)
    def toggle(ls: CodewmServer, *arguments: Any) -> dict[str, Any]:
        """Switch hints on or off (an argument says which), or over."""
        return {"enabled": ls.active.toggle(_optional(ls, arguments, bool))}

    @server.command(SNOOZE)
    def snooze(ls: CodewmServer, *arguments: Any) -> dict[str, Any]:
        """No hints for so many minutes; 0 ends it."""
        minutes = _optional(ls, arguments, float)
        minutes = SNOOZE_MINUTES if minutes is None else max(0.0, min(minutes, 10_080.0))
        ls.active.snooze(minutes)
        return {"minutes": minutes}

    @server.command(REINDEX)
    def reindex(ls: CodewmServer) -> dict[str, Any]:
        """Index what is not indexed yet, also where it was cancelled."""
        return {"repositories": ls.active.reindex()}

    @server.command(DISMISS)
    async def dismiss(ls: CodewmServer, target: Target) -> dict[str, Any]:
        """Never show this hint again."""
        return {"dismissed": await _answer(ls.active.dismiss(target.uri, target.definition))}

    @server.command(DISMISS_EDIT)
    async def dismiss_edit(ls: CodewmServer, edit: Unwanted) -> dict[str, Any]:
        """Never show a past edit again, nor those like it; or take that back."""
        try:
            scope = Scope(edit.scope)
        except ValueError:
            scope = Scope.HINT
        if scope is Scope.HINT:
            raise JsonRpcInvalidParams(f'the scope must be "edit", "like" or "commit", not {edit.scope!r}')
        root, restore = _root(edit.root), edit.restore
        await _answer(ls.active.dismiss_edit(root, edit.commit, edit.path, edit.definition, scope, restore=restore))
        return {"dismissed": not restore}

    @server.command(COMMIT)
    async def commit_edits(ls: CodewmServer, commit: PastFile) -> dict[str, Any]:
        """All edits of one commit."""
        edits = await _answer(ls.active.commit(_root(commit.root), commit.commit))
        return {"root": commit.root, "edits": [edit.record() for edit in edits]}

    @server.command(FILE_AT)
    async def file_at(ls: CodewmServer, file: PastFile) -> dict[str, Any]:
        """A file as a commit left it, or as it found it."""
        if file.side not in ("before", "after"):
            raise JsonRpcInvalidParams(f'the side must be "before" or "after", not {file.side!r}')
        before = file.side == "before"
        return {"text": await _answer(ls.active.text(_root(file.root), file.commit, file.path, before=before))}

    @server.command(STATUS)
    def status(ls: CodewmServer) -> dict[str, Any]:
        """What is indexed how far, with which model, and what went wrong."""
        return ls.active.status().record(_uri)


async def _answered(request: Awaitable[Any]) -> Any:
    """What the editor answers; TimeoutError when it does not. An answer that comes later is not an error."""
    return await asyncio.wait_for(asyncio.shield(request), PATIENCE)


async def _answer(work: Any) -> Any:
    try:
        return await work
    except CodewmError as error:
        raise JsonRpcException(str(error), code=types.LSPErrorCodes.RequestFailed.value) from error


def _optional(ls: CodewmServer, arguments: tuple[Any, ...], wanted: type[Any]) -> Any:
    if len(arguments) > 1:
        raise JsonRpcInvalidParams(f"at most one argument is taken, not {len(arguments)}")
    if not arguments or arguments[0] is None:
        return None
    value = arguments[0]
    if wanted is Target:
        return ls.protocol.structured(value, Target)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, wanted):
        raise JsonRpcInvalidParams(f"the argument must be a {wanted.__name__}, not {value!r}")
    return value


async def _watch(ls: CodewmServer) -> None:
    """Be told of commits and checkouts, where the client can watch files."""
    workspace = ls.client_capabilities.workspace
    watched = workspace.did_change_watched_files if workspace else None
    if not (watched and watched.dynamic_registration):
        return
    patterns = ("**/.git/HEAD", "**/.git/logs/HEAD", "**/*.py")
    options = types.DidChangeWatchedFilesRegistrationOptions([types.FileSystemWatcher(glob) for glob in patterns])
    registration = types.Registration(
        id="codewm-history", method=types.WORKSPACE_DID_CHANGE_WATCHED_FILES, register_options=options
    )
    try:
        await _answered(ls.client_register_capability_async(types.RegistrationParams([registration])))
    except (JsonRpcException, asyncio.TimeoutError) as error:
        _log.info("client/registerCapability was refused: %s", error)


def _code_lens(uri: str, lens: Lens) -> types.CodeLens:
    arguments: list[Any] = [{"uri": uri, "definition": lens.hint.definition}]
    command = types.Command(title=lens.hint.title, command=SHOW_SIMILAR, arguments=arguments)
    return types.CodeLens(range=_line_range(lens.anchor.line), command=command)


def _line_range(line: int) -> types.Range:
    return types.Range(types.Position(line, 0), types.Position(line, 0))


def _summary(evidence: Evidence) -> str:
    first = evidence.edits[0]
    like = "Predicted for" if evidence.kind == HintKind.NEXT.value else "Like your change to"
    return f"{like} {evidence.definition}: {first.commit[:7]} '{clean(first.subject)}' by {clean(first.author)}."


def _own(settings: object) -> object:
    """``{"codewm": {…}}`` or the inside of it."""
    if isinstance(settings, dict) and isinstance(settings.get("codewm"), dict):
        return settings["codewm"]
    return settings


def _file(uri: str) -> Path | None:
    path = to_fs_path(uri)
    return Path(path) if path and "\0" not in path else None  # a name that no system has would spoil every question


def _uri(path: Path) -> str:
    return from_fs_path(str(path)) or ""


def _root(uri: str) -> Path:
    root = _file(uri)
    if root is None:
        raise JsonRpcInvalidParams(f"{uri} is no folder")
    return root


def _paths(folders: Iterable[types.WorkspaceFolder]) -> list[Path]:
    return [path for folder in folders if (path := _file(folder.uri)) is not None]


def _folders(params: types.InitializeParams) -> list[Path]:
    folders = _paths(params.workspace_folders or ())
    root = params.root_uri or (from_fs_path(params.root_path) if params.root_path else None)
    if not folders and root and (path := _file(root)) is not None:
        folders.append(path)
    return folders

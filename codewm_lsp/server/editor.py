"""The editor at the other end of the protocol: what it is shown, told and asked."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO, Final

from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInternalError, PyglsError
from pygls.lsp.server import LanguageServer
from pygls.uris import from_fs_path

import codewm_lsp
from codewm_lsp.server.client import MessageLevel, ProgressBar
from codewm_lsp.server.conductor import Conductor
from codewm_lsp.server.ending import Ending
from codewm_lsp.server.evidence import DiffFiles
from codewm_lsp.server.options import Options, merge_settings, own_settings, read_options
from codewm_lsp.server.pace import Pause
from codewm_lsp.server.protocol import CodewmProtocol
from codewm_lsp.server.transport import Connection
from codewm_lsp.server.uris import file_of, files_of, uri_of

_log = logging.getLogger(__name__)

STATUS_CHANGED: Final = "codewm/status"  # a notification, to clients that ask for it with an experimental capability
CLOSING: Final = 0.5  # seconds for the job at hand to end; what it has not written yet is done again next time
PATIENCE: Final = 10.0  # seconds for an editor to answer what it is asked
_MESSAGE_TYPES: Final = {MessageLevel.WARNING: types.MessageType.Warning, MessageLevel.INFO: types.MessageType.Info}


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
        self._ending = Ending(self.diffs.remove)
        self._end: Callable[[], None] = lambda: None

    def serve(self, incoming: BinaryIO, outgoing: BinaryIO) -> int:
        """Serve one editor until it goes, or the process is asked to end; the exit status, 0 after a shutdown."""
        connection = Connection(incoming, outgoing)
        self._end = connection.close
        self._ending.catch(self._end)
        self.protocol.set_writer(connection)
        asyncio.run(connection.serve(self.protocol.receive, self._ending.begin))
        closed = self.conductor is None or self.conductor.close(CLOSING)
        return self._ending.finish(0 if self.protocol.was_shut_down else 1, clean=closed)

    @property
    def active(self) -> Conductor:
        """The conductor of the initialised server."""
        if self.conductor is None:
            raise JsonRpcException("The server is not initialised.", code=types.ErrorCodes.ServerNotInitialized.value)
        return self.conductor

    def start(self, params: types.InitializeParams) -> None:
        """Make the conductor, and give it the first options."""
        self.initial_settings = own_settings(params.initialization_options, alone=True)
        options, problems = self._options(None)
        self.conductor = Conductor(self, asyncio.get_running_loop(), _workspace(params), options)
        self._say(problems)
        logging.getLogger("codewm").addHandler(_Announcer(self.conductor))
        if params.process_id is not None:
            self._ending.follow(params.process_id, self._end)

    async def configure(self, settings: object) -> None:
        """Apply settings on top of those of the start; each senseless one is said once. A client that sends none has
        them fetched; where nothing is said of CodeWM, what was set stays."""
        own = own_settings(settings)
        workspace = self.client_capabilities.workspace
        if own is None and workspace and workspace.configuration:
            own = await self._fetched()
        if own is not None:
            options, problems = self._options(own)
            self._say(problems)
            self.active.configure(options)

    async def _fetched(self) -> object:
        """What the client has in the section ``codewm``; None when it does not say."""
        item = types.ConfigurationItem(section="codewm")
        try:
            answer = await answered(self.workspace_configuration_async(types.ConfigurationParams([item])))
        except (JsonRpcException, asyncio.TimeoutError) as error:
            _log.info("workspace/configuration was refused: %s", error)
            return None
        section = answer[0] if answer else None
        return {} if section == {} else own_settings(section, alone=True) if isinstance(section, dict) else None

    def _say(self, problems: Iterable[str]) -> None:
        for problem in problems:
            self.active.problems.say_once(MessageLevel.WARNING, problem)

    def _options(self, settings: object) -> tuple[Options, list[str]]:
        options, problems = read_options(merge_settings(self.initial_settings, settings))
        logging.getLogger().setLevel(options.log_level.value.upper())
        for noisy in ("pygls", "git", "asyncio"):  # whole messages, environments and commands: never wanted
            logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLogger().level))
        return options, problems

    def report_server_error(self, error: Exception, source: type[PyglsError] | type[JsonRpcException]) -> None:
        """To the log with its trace; one line to the user for each sort of error of ours. A request that is refused
        is the client's matter: it was answered."""
        refused = isinstance(error, JsonRpcException) and not isinstance(error, JsonRpcInternalError)
        if refused:
            _log.info("%s: %s", source.__name__, error)
            return
        _log.error("%s: %s", source.__name__, error, exc_info=error)
        kind = f"{source.__name__}: {type(error).__name__}"
        if kind in self._failures:
            return
        self._failures.add(kind)
        self.say(MessageLevel.WARNING, f"CodeWM hit an error ({error}). See the log.")

    # ---- what the conductor asks of the editor

    def say(self, level: MessageLevel, text: str) -> None:
        """One message to the user, or to the log only."""
        _log.log(logging.WARNING if level is MessageLevel.WARNING else logging.INFO, "to the user: %s", text)
        if level is MessageLevel.LOG:
            self.window_log_message(types.LogMessageParams(types.MessageType.Info, text))
        else:
            self.window_show_message(types.ShowMessageParams(_MESSAGE_TYPES[level], text))

    def can_refresh(self) -> bool:
        """Whether the editor can be told to ask for its lenses again."""
        workspace = self.client_capabilities.workspace
        return bool(workspace and workspace.code_lens and workspace.code_lens.refresh_support)

    def can_refresh_inlays(self) -> bool:
        """The same of hints at the ends of lines."""
        workspace = self.client_capabilities.workspace
        return bool(workspace and workspace.inlay_hint and workspace.inlay_hint.refresh_support)

    async def refresh(self) -> None:
        """Tell it so; an editor that refuses is not asked why."""
        requests = []
        if self.can_refresh():
            requests.append(self.workspace_code_lens_refresh_async(None))
        if self.can_refresh_inlays():
            requests.append(self.workspace_inlay_hint_refresh_async(None))
        for request in requests:
            try:
                await answered(request)
            except (JsonRpcException, asyncio.TimeoutError) as error:
                _log.info("the editor refused to refresh its hints: %s", error)

    async def begin(self, title: str, cancel: Callable[[], None]) -> ProgressBar | None:
        """A progress bar that the user may cancel, where there are any."""
        window = self.client_capabilities.window
        if not (window and window.work_done_progress):
            return None
        token = str(uuid.uuid4())
        try:
            await answered(self.work_done_progress.create_async(token))
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
        status = self.conductor.status().record(uri_of)
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
                shown = await answered(self.window_show_document_async(params))
            except (JsonRpcException, asyncio.TimeoutError) as error:
                _log.info("window/showDocument was refused: %s", error)
            else:
                if shown.success:
                    return
        self.say(MessageLevel.INFO, f"{summary} The diff is in {file}")


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
        self._conductor.problems.announce(record.getMessage())


SERVER: Final = CodewmServer()
"""The one server of this process: handlers and commands are hung on it where they are defined."""


async def answered(request: Awaitable[Any]) -> Any:
    """What the editor answers; TimeoutError when it does not. An answer that comes later is not an error."""
    return await asyncio.wait_for(asyncio.shield(request), PATIENCE)


def _workspace(params: types.InitializeParams) -> list[Path]:
    folders = files_of(folder.uri for folder in params.workspace_folders or ())
    root = params.root_uri or (from_fs_path(params.root_path) if params.root_path else None)
    if not folders and root and (path := file_of(root)) is not None:
        folders.append(path)
    return folders

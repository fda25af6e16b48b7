"""The log: in the system's folder, bounded, without the code it was about; one line for the user, a trace for us."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codewm_lsp import logs
from codewm_lsp.errors import IndexStoreError
from tests.server.conftest import LAST, service, write_history
from tests.server.raw_client import RawClient
from tests.server.test_process import PATIENCE, message, server, session

SECRET = "hunter2_is_the_pass_phrase"


def record(words: str, *arguments: object, error: BaseException | None = None, name: str = "codewm_lsp.x") -> Any:
    info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord(name, logging.ERROR, "x.py", 1, words, arguments, info)


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    try:
        raise error from cause
    except Exception as caught:
        return caught


def test_an_errors_words_lose_what_they_quote_and_keep_the_trace() -> None:
    text = f"password = '{SECRET}'"
    caught = raised(ValueError(f"invalid literal: {text!r}"), raised(KeyError(text)))
    written = logs.LogFormatter().format(record("JsonRpcException: %s", caught, error=caught))
    assert SECRET not in written
    assert "ValueError: invalid literal: '…'" in written
    assert written.index("KeyError: ") < written.index("ValueError: invalid literal")
    assert written.count("test_logs.py") == 2
    assert "raise error from cause" in written


def test_our_own_errors_and_the_systems_say_which_file_it_was() -> None:
    own = raised(IndexStoreError("The index '/cache/a.sqlite3' is locked."))
    system = raised(FileNotFoundError(2, "No such file or directory", "/home/ada/a.py"))
    for caught, name in ((own, "/cache/a.sqlite3"), (system, "/home/ada/a.py")):
        assert name in logs.LogFormatter().format(record("failed", error=caught))


def test_a_librarys_message_may_quote_a_document_and_loses_it() -> None:
    item = f"TextDocumentItem(uri='file:///a.py', text={SECRET + chr(10) + 'x = 1'!r})"
    written = logs.LogFormatter().format(record('Failed to handle "%s": %s', "didOpen", item, name="pygls.protocol"))
    assert SECRET not in written
    assert "TextDocumentItem(uri='…', text='…')" in written


def test_a_message_is_one_line_of_bounded_length_that_drives_no_terminal() -> None:
    written = logs.LogFormatter().format(record("%s", "a\x1b[2J\nERROR forged " + "x" * 100_000))
    assert "\n" not in written
    assert "\x1b" not in written
    assert len(written) < 2 * logs.LONGEST


def test_a_log_is_made_when_there_is_something_to_say_and_rotates(tmp_path: Path) -> None:
    handler = logs.OwnLogFile(tmp_path / "state" / "log")
    assert not handler.folder.exists()
    for number in range(3 * logs.BYTES // 900):
        handler.handle(record("%d %s", number, "x" * 880))
    handler.close()
    first, second = logs.log_files(handler.folder)
    assert {first.name, second.name} == {f"codewm-lsp-{os.getpid()}.log", f"codewm-lsp-{os.getpid()}.log.1"}
    assert all(file.stat().st_size <= logs.BYTES for file in (first, second))
    newest = (handler.folder / f"codewm-lsp-{os.getpid()}.log").read_text(encoding="utf-8")
    assert f" {3 * logs.BYTES // 900 - 1} " in newest


def test_only_the_newest_logs_stay(tmp_path: Path) -> None:
    for number in range(40):
        file = tmp_path / f"codewm-lsp-{99_000 + number}.log"
        file.write_text("old\n", encoding="utf-8")
        os.utime(file, (1_700_000_000 + number, 1_700_000_000 + number))
    other = tmp_path / "somebody-elses.txt"
    other.write_text("kept\n", encoding="utf-8")
    handler = logs.OwnLogFile(tmp_path)
    handler.handle(record("a line"))
    handler.close()
    left = [file.name for file in logs.log_files(tmp_path)]
    assert left == [f"codewm-lsp-{os.getpid()}.log", *(f"codewm-lsp-{99_000 + n}.log" for n in range(39, 30, -1))]
    assert other.exists()


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "log").write_text("a file is in its place", encoding="utf-8")
    handler = logs.OwnLogFile(tmp_path / "log")
    handler.handle(record("a line"))
    handler.close()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("thread", [False, True])
def test_errors_that_nobody_caught_reach_the_log(thread: bool, tmp_path: Path, run_python: Any) -> None:
    log = tmp_path / "own.log"
    program = "raise ValueError('nobody caught this one'.upper())"
    if thread:
        program = f'import threading\nt = threading.Thread(target=exec, args=("{program}",))\nt.start(); t.join()'
    run_python(f"from pathlib import Path; from codewm_lsp.logs import log_to; log_to(Path({str(log)!r}))\n{program}")
    written = log.read_text(encoding="utf-8")
    assert "CRITICAL" in written
    assert "ValueError: NOBODY CAUGHT THIS ONE" in written
    assert "Traceback" in written


@pytest.fixture
def run_python() -> Callable[[str], None]:
    """Run a program in a Python of its own."""

    def run(program: str) -> None:
        subprocess.run([sys.executable, "-c", program], check=False, timeout=PATIENCE, capture_output=True)

    return run


def folder_of_logs(environment: dict[str, str]) -> Path:
    """Where a server of this environment keeps its logs, asked of a Python in it."""
    program = "from codewm_lsp.logs import log_folder; print(log_folder())"
    done = subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True)
    return Path(done.stdout.strip())


def test_a_quiet_server_leaves_no_log_and_a_troubled_one_leaves_a_trace(
    make_repository: Callable[..., Any], server_environment: dict[str, str]
) -> None:
    repository = make_repository()
    write_history(repository)
    folder = folder_of_logs(server_environment)
    for trouble in (b"", b"Content-Length: 20\r\n\r\n{not json, but long}"):
        with server(server_environment) as process:
            end = message("shutdown", None, 3) + message("exit", None)
            process.communicate(session(repository.path) + trouble + end, timeout=PATIENCE)
        if not trouble:
            assert logs.log_files(folder) == []
    (file,) = logs.log_files(folder)
    written = file.read_text(encoding="utf-8")
    assert "JSONDecodeError" in written
    assert "a message is not JSON" in written
    assert "not json, but long" not in written
    assert "JSONDecodeError" in logs.last_error(file) or "JsonRpc" in logs.last_error(file)


@pytest.mark.parametrize("level", ["warning", "debug"])
def test_no_code_reaches_the_log_whatever_goes_wrong(
    level: str, make_repository: Callable[..., Any], server_environment: dict[str, str]
) -> None:
    repository = make_repository()
    write_history(repository)
    repository.write(LAST, service("sessions", timeout=True) + f"\ndef connect(password='{SECRET}'):\n    pass\n")
    uri = (repository.path / LAST).as_uri()
    text = {"uri": uri, "languageId": "python", "version": 1, "text": f"def connect(password='{SECRET}'):\n    pass\n"}
    where = {"uri": uri, "version": 2}
    arguments = [{"root": uri, "commit": SECRET, "side": SECRET}]
    sent = [
        session(repository.path),
        message("workspace/didChangeConfiguration", {"settings": {"codewm": {"logLevel": level}}}),
        message("textDocument/didOpen", {"textDocument": text}),
        message("textDocument/didChange", {"textDocument": where, "contentChanges": [{"text": SECRET * 3}]}),
        message("textDocument/didChange", {"textDocument": where, "contentChanges": [{"no": SECRET}]}),
        message("textDocument/didChange", {"textDocument": SECRET, "contentChanges": SECRET}),
        message("textDocument/didOpen", {"textDocument": {"uri": SECRET, "text": SECRET}}),
        message("workspace/executeCommand", {"command": "codewm.fileAt", "arguments": arguments}, 10),
        message("workspace/executeCommand", {"command": "codewm.similarEdits", "arguments": [SECRET]}, 11),
        message("textDocument/codeLens", {"textDocument": {"uri": [SECRET]}}, 12),
        b"Content-Length: 30\r\n\r\n" + SECRET.encode().ljust(30),
        message("shutdown", None, 13),
        message("exit", None),
    ]
    with server(server_environment) as process:
        _, errors = process.communicate(b"".join(sent), timeout=PATIENCE)
    (file,) = logs.log_files(folder_of_logs(server_environment))
    written = file.read_text(encoding="utf-8")
    assert "ERROR" in written
    assert SECRET not in written
    assert SECRET not in errors.decode("utf-8", "replace")


INVALID = (
    5,
    "x",
    [],
    [7],
    {},
    {"settings": 7},
    {"textDocument": 7},
    {"event": 7},
    {"changes": 7},
    {"token": {"a": 1}},
    {"id": []},
)
NOTIFIED = (
    *("initialized", "textDocument/didOpen", "textDocument/didChange", "textDocument/didSave", "textDocument/didClose"),
    *("workspace/didChangeConfiguration", "workspace/didChangeWatchedFiles", "workspace/didChangeWorkspaceFolders"),
    *("window/workDoneProgress/cancel", "$/cancelRequest", "$/setTrace", "notebookDocument/didOpen", "no/such"),
)


def test_an_invalid_notification_takes_one_line_however_often_it_comes(
    make_repository: Callable[..., Any], server_environment: dict[str, str]
) -> None:
    repository = make_repository()
    write_history(repository)
    with RawClient(server_environment) as client:
        client.initialize(repository.path)
        for method in NOTIFIED:
            for params in INVALID * 3:
                client.notify(method, params)
        uri = (repository.path / LAST).as_uri()
        client.open(uri)
        assert client.lenses_when(uri)
        assert not [text for text in client.messages() if "settings of codewm" not in text]
        client.ask("shutdown")
        client.notify("exit")
        client.process.wait(PATIENCE)
    (file,) = logs.log_files(folder_of_logs(server_environment))
    lines = file.read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if "Traceback" in line or " ERROR " in line]
    assert sum("ignored workspace/didChangeConfiguration: " in line for line in lines) == 1
    assert sum("ignored textDocument/didOpen: " in line for line in lines) == 1

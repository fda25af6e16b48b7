"""The process: ends with its client, keeps stdout for the protocol, and says what it is."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import codewm_lsp
from tests.server.conftest import LAST, PATIENCE, SERVER, service, write_history


@contextmanager
def server(environment: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [*SERVER, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def message(method: str, params: Any, number: int | None = None) -> bytes:
    body: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
    if number is not None:
        body["id"] = number
    data = json.dumps(body).encode()
    return b"Content-Length: %d\r\n\r\n%s" % (len(data), data)


def session(folder: Path) -> bytes:
    """What an editor without any capability sends first."""
    text = {"uri": (folder / LAST).as_uri(), "languageId": "python", "version": 1}
    return b"".join(
        (
            message("initialize", {"processId": None, "rootUri": folder.as_uri(), "capabilities": {}}, 1),
            message("initialized", {}),
            message("textDocument/didOpen", {"textDocument": {**text, "text": service("sessions", timeout=True)}}),
            message("textDocument/codeLens", {"textDocument": {"uri": text["uri"]}}, 2),
        )
    )


def answers(data: bytes) -> Iterator[dict[str, Any]]:
    """The messages in a stream, which must hold nothing else."""
    while data:
        head, separator, rest = data.partition(b"\r\n\r\n")
        fields = dict(line.split(b": ") for line in head.split(b"\r\n"))
        assert separator
        length = int(fields[b"Content-Length"])
        yield json.loads(rest[:length])
        data = rest[length:]


def test_it_ends_in_order_after_shutdown_and_exit(
    make_repository: Callable[..., Any], server_environment: dict[str, str]
) -> None:
    repository = make_repository()
    write_history(repository)
    with server(server_environment) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(session(repository.path))
        process.stdin.flush()
        data = b""
        while b'"id": 2' not in data:
            data += process.stdout.read1()
        process.stdin.write(message("shutdown", None, 3) + message("exit", None))
        process.stdin.flush()
        rest, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, errors.decode()
        found = list(answers(data + rest))
        lenses = next(answer["result"] for answer in found if answer.get("id") == 2)
        assert "codewm.showSimilarEdits" in [lens["command"]["command"] for lens in lenses]
        assert not any(answer.get("method", "").endswith(("refresh", "create")) for answer in found)
        assert errors == b""


def test_it_ends_when_its_client_dies(make_repository: Callable[..., Any], server_environment: dict[str, str]) -> None:
    repository = make_repository()
    write_history(repository)
    with server(server_environment) as process:
        _, errors = process.communicate(session(repository.path), timeout=PATIENCE)
        assert process.returncode == 1
        assert b"Traceback" not in errors


def test_a_message_cut_short_and_garbage_do_not_hang_it(server_environment: dict[str, str]) -> None:
    with server(server_environment) as process:
        broken = b"Content-Length: 20\r\n\r\n{not json, but long}" + b"Content-Length: 1000\r\n\r\n{"
        process.communicate(broken, timeout=PATIENCE)
        assert process.returncode == 1


def test_exit_without_shutdown_is_an_error(server_environment: dict[str, str]) -> None:
    with server(server_environment) as process:
        process.communicate(message("exit", None), timeout=PATIENCE)
        assert process.returncode == 1


def test_errors_go_to_stderr_and_the_log_file(server_environment: dict[str, str], tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    with server(server_environment, "--log-file", str(log)) as process:
        broken = b"Content-Length: 20\r\n\r\n{not json, but long}"
        _, errors = process.communicate(broken, timeout=PATIENCE)
        assert b"JSONDecodeError" in errors
        assert "JSONDecodeError" in log.read_text(encoding="utf-8")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "codewm_lsp.server", *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_the_command_line() -> None:
    assert run("--version").stdout == f"codewm-lsp {codewm_lsp.__version__}\n"
    assert "language server" in run("--help").stdout
    wrong = run("--port", "80")
    assert wrong.returncode == 2
    assert "--port" in wrong.stderr
    nowhere = run("--log-file", "/no/such/folder/log")
    assert nowhere.returncode == 2
    assert "/no/such/folder/log" in nowhere.stderr

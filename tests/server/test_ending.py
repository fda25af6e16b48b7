"""However it is asked to, the server ends, and neither Git processes nor files of the user's are left behind."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.server.conftest import LAST, LAST_DEFINITION, PATIENCE, write_history
from tests.server.raw_client import RawClient

WITHOUT_SIGNALS = pytest.mark.skipif(os.name == "nt", reason="a program on Windows is ended without being asked")


@pytest.fixture
def repository(make_repository: Callable[..., Any]) -> Any:
    repository = make_repository()
    write_history(repository)
    return repository


@pytest.fixture
def environment(server_environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """With a folder of its own for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return {**server_environment, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))}


def begin(client: RawClient, folder: Path) -> list[psutil.Process]:
    """Up to a diff that is shown to the user as a file; the Git processes of the server."""
    uri = client.begin(folder)
    client.run("codewm.showSimilarEdits", {"uri": uri, "definition": LAST_DEFINITION})
    children = client.children()
    assert children
    return children


def assert_nothing_is_left(client: RawClient, children: list[psutil.Process], environment: dict[str, str]) -> None:
    _, alive = psutil.wait_procs(children, timeout=PATIENCE)
    assert alive == []
    left = [file for file in Path(environment["TMPDIR"]).rglob("*") if file.is_file()]
    assert left == []
    assert client.process.stderr is not None
    assert b"Traceback" not in client.process.stderr.read()


@contextlib.contextmanager
def handled(number: int, how: signal.Handlers) -> Iterator[None]:
    """How a signal is handled by programs that are started meanwhile: they inherit it if it is ignored."""
    before = signal.signal(number, how)
    try:
        yield
    finally:
        signal.signal(number, before)


@WITHOUT_SIGNALS
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_it(name: str, repository: Any, environment: dict[str, str]) -> None:
    number = getattr(signal, name)
    with contextlib.ExitStack() as stack:
        with handled(number, signal.SIG_DFL):  # nohup ignores one, an interactive shell another in the background
            client = stack.enter_context(RawClient(environment))
        children = begin(client, repository.path)
        client.process.send_signal(number)
        assert client.process.wait(PATIENCE) == -number  # as one that does not catch it: clients look at that
        assert_nothing_is_left(client, children, environment)


@WITHOUT_SIGNALS
def test_a_hangup_that_is_ignored_above_it_is_ignored(repository: Any, environment: dict[str, str]) -> None:
    """As under nohup."""
    with handled(signal.SIGHUP, signal.SIG_IGN):
        client = RawClient(environment)
    with client:
        uri = client.begin(repository.path)
        client.process.send_signal(signal.SIGHUP)
        assert client.lenses(uri)
        assert client.process.poll() is None


def test_a_closed_stdin_ends_it(repository: Any, environment: dict[str, str]) -> None:
    with RawClient(environment) as client:
        children = begin(client, repository.path)
        assert client.process.stdin is not None
        client.process.stdin.close()
        assert client.process.wait(PATIENCE) == 1
        assert_nothing_is_left(client, children, environment)


@WITHOUT_SIGNALS
def test_a_signal_ends_it_while_its_editor_does_not_read(repository: Any, environment: dict[str, str]) -> None:
    with RawClient(environment) as client:
        children = begin(client, repository.path)
        client.reads.clear()
        sent = 0

        def flood() -> None:
            nonlocal sent
            status = {"jsonrpc": "2.0", "method": "workspace/executeCommand", "params": {"command": "codewm.status"}}
            with contextlib.suppress(OSError):  # the server has ended
                for sent in itertools.count(1):
                    client.send({**status, "id": f"status {sent}"})

        writer = threading.Thread(target=flood, daemon=True)
        writer.start()
        before = -1
        while sent != before:  # until nothing more is taken
            before = sent
            time.sleep(0.5)
        client.process.send_signal(signal.SIGTERM)
        assert client.process.wait(PATIENCE) in (-signal.SIGTERM, 128 + signal.SIGTERM)
        writer.join(PATIENCE)
        assert_nothing_is_left(client, children, environment)


def test_the_end_of_the_editor_ends_it_though_stdin_stays_open(repository: Any, environment: dict[str, str]) -> None:
    """As where the editor started the server through another program, which lives on."""
    waiting = [sys.executable, "-c", "input()"]
    with subprocess.Popen(waiting, stdin=subprocess.PIPE) as editor, RawClient(environment) as client:
        client.initialize(repository.path, processId=editor.pid)
        uri = (repository.path / LAST).as_uri()
        client.open(uri)
        client.lenses_when(uri)
        children = client.children()
        editor.kill()
        editor.wait(PATIENCE)
        assert client.process.wait(PATIENCE) == 1
        assert_nothing_is_left(client, children, environment)


def test_an_editor_whose_process_is_not_seen_is_served(repository: Any, environment: dict[str, str]) -> None:
    """As where the server runs in a container."""
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait(PATIENCE)
    with RawClient({**environment, "CODEWM_LOG": "info"}) as client:
        client.initialize(repository.path, processId=gone.pid, initializationOptions={"logLevel": "info"})
        assert client.process.stderr is not None
        while b"is not followed" not in (line := client.process.stderr.readline()):
            assert line
        uri = (repository.path / LAST).as_uri()
        client.open(uri)
        assert client.lenses_when(uri)


def test_files_of_a_server_that_was_killed_are_taken_away_by_the_next(
    repository: Any, environment: dict[str, str]
) -> None:
    with RawClient(environment) as client:
        begin(client, repository.path)
        client.process.kill()
        client.process.wait(PATIENCE)
    folder = Path(environment["TMPDIR"])
    (old,) = folder.glob("codewm-*/*.diff")
    with RawClient(environment) as client:
        begin(client, repository.path)
        (new,) = folder.glob("codewm-*/*.diff")
        assert new != old

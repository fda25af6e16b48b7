"""Commits that no Git would write: each is read as far as it makes sense, and shown as a person would want it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.security.conftest import Run, service
from tests.server.conftest import StartEditor

NAMES = ("users", "orders", "invoices", "reports", "sessions")
LINES = {  # what stands behind the author's and the committer's name
    "users": "<a@example.org> 999999999999999999 +0000",
    "orders": "<a@example.org> -99999999999 +9999",
    "invoices": "<<<>>> soon",
    "reports": "<a@example.org> 253402300800 -2400",
}


@pytest.fixture
def repository(make_repository: Callable[..., Any]) -> Any:
    """Services that were given a time-out by commits of impossible dates."""
    repository = make_repository()
    repository.commit("Begin", {f"{name}.py": service(name) for name in NAMES})
    for name, line in LINES.items():
        repository.write(f"{name}.py", service(name, timeout=True))
        repository.git("add", "--all")
        who = f"author A {line}\ncommitter A {line}\nencoding no-such-encoding\n"
        text = f"tree {repository.git('write-tree')}\nparent {repository.head()}\n{who}\nAdd timeout to {name}\n"
        sha = repository.git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=text.encode())
        repository.git("update-ref", "HEAD", sha)
    repository.write("sessions.py", service("sessions", timeout=True))
    return repository


def test_the_command_dates_them_as_well_as_it_can(repository: Any, codewm: Run) -> None:
    done = codewm("hints", "--json", "-k", "0", "-C", repository.path)
    assert done.returncode == 0, done.stderr
    dates = {edit["subject"]: edit["date"][:4] for edit in json.loads(done.stdout)["edits"]}
    assert dates["Add timeout to users"] == dates["Add timeout to reports"] == "9999"
    assert dates["Add timeout to orders"] == dates["Add timeout to invoices"] == "1970"
    done = codewm("hints", "--diff", "-C", repository.path)
    assert done.returncode == 0, done.stderr


async def test_the_server_shows_them(repository: Any, start_editor: StartEditor) -> None:
    async with start_editor(repository.path) as editor:
        uri = editor.open("sessions.py")
        await editor.lenses_when(uri)
        answer = await editor.run("codewm.showSimilarEdits", {"uri": uri, "definition": "fetch_sessions"})
        assert {edit["date"][:4] for edit in answer["edits"]} >= {"9999", "1970"}
        await editor.until(lambda: editor.client.shown_documents)
        assert editor.messages() == []

"""A repository is open as long as somebody needs it: a folder of the workspace, or an open document."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.server.conftest import LAST, service, write_history
from tests.server.raw_client import RawClient


@pytest.fixture
def repositories(make_repository: Callable[..., Any]) -> list[Any]:
    made = [make_repository(name) for name in ("first", "second", "third")]
    for repository in made:
        write_history(repository)
    return made


def folders_change(client: RawClient, added: list[Path], removed: list[Path]) -> None:
    event = {
        name: [{"uri": path.as_uri(), "name": path.name} for path in some]
        for name, some in (("added", added), ("removed", removed))
    }
    client.notify("workspace/didChangeWorkspaceFolders", {"event": event})


def roots(client: RawClient) -> set[str]:
    """The repositories of the status that are indexed."""
    found = client.run("codewm.status")["repositories"]
    return {one["root"] for one in found if one["stage"] == "ready"}


def wait_for(condition: Callable[[], bool], client: RawClient) -> None:
    for _ in range(1200):
        if condition():
            return
        with client.news:
            client.news.wait(0.05)
    raise AssertionError(client.run("codewm.status"))


def test_a_folder_that_goes_takes_its_repository_along(
    repositories: list[Any], server_environment: dict[str, str]
) -> None:
    first, *others = (Path(os.path.realpath(one.path)) for one in repositories)
    with RawClient(server_environment) as client:
        uri = client.begin(first)
        wait_for(lambda: roots(client) == {first.as_uri()}, client)
        alone = len(client.children())
        for _ in range(2):
            folders_change(client, others, [])
            wait_for(lambda: len(roots(client)) == 3, client)
            folders_change(client, [], others)
            wait_for(lambda: roots(client) == {first.as_uri()}, client)
            wait_for(lambda: len(client.children()) <= alone, client)
        assert client.lenses(uri)
        assert client.messages() == []


def test_a_dozen_folders_that_come_and_go_leave_no_program(
    make_repository: Callable[..., Any], server_environment: dict[str, str]
) -> None:
    made = [make_repository(f"folder{number}") for number in range(12)]
    for repository in made:
        repository.commit("Begin", {LAST: service("sessions")})
    first, *others = (Path(os.path.realpath(one.path)) for one in made)
    with RawClient(server_environment) as client:
        client.initialize(first)
        wait_for(lambda: roots(client) == {first.as_uri()}, client)
        folders_change(client, [], [first])
        wait_for(lambda: not roots(client), client)
        folders_change(client, others, [])
        folders_change(client, [], others[:5])
        wait_for(lambda: roots(client) == {one.as_uri() for one in others[5:]}, client)
        folders_change(client, [], others[5:])
        wait_for(lambda: not roots(client), client)
        wait_for(lambda: not client.children(), client)
        assert client.messages() == []


def test_a_document_keeps_its_repository_open(repositories: list[Any], server_environment: dict[str, str]) -> None:
    first, second, _ = (Path(os.path.realpath(one.path)) for one in repositories)
    with RawClient(server_environment) as client:
        client.begin(first)
        other = (second / LAST).as_uri()
        client.open(other)
        client.lenses_when(other)
        folders_change(client, [second], [])
        folders_change(client, [], [second])
        assert client.lenses_when(other)
        client.notify("textDocument/didClose", {"textDocument": {"uri": other}})
        wait_for(lambda: roots(client) == {first.as_uri()}, client)
        client.open(other)
        assert client.lenses_when(other)


def test_a_repository_that_is_renamed_or_deleted_is_missed_quietly(
    repositories: list[Any], server_environment: dict[str, str]
) -> None:
    folder = repositories[0].path
    away = folder.with_name("renamed")
    with RawClient(server_environment) as client:
        uri = client.begin(folder)
        wait_for(lambda: len(roots(client)) == 1, client)
        folder.rename(away)
        client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
        wait_for(lambda: client.run("codewm.status")["problems"] != [], client)
        (problem,) = client.run("codewm.status")["problems"]
        assert "no longer exists" in problem["message"]

        away.rename(folder)
        client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
        change = {"textDocument": {"uri": uri, "version": 2}}
        client.notify(
            "textDocument/didChange", {**change, "contentChanges": [{"text": service("sessions", timeout=True)}]}
        )
        wait_for(lambda: client.run("codewm.status")["problems"] == [], client)
        assert client.lenses_when(uri)

        shutil.rmtree(folder)
        client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
        wait_for(lambda: client.run("codewm.status")["problems"] != [], client)
        assert client.messages() == []

"""The status says why an open document gets no hints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.server.conftest import LAST, write_history
from tests.server.raw_client import RawClient


def test_each_open_document_without_hints_has_a_reason(
    make_repository: Callable[..., Any], server_environment: dict[str, str], tmp_path: Path
) -> None:
    repository = make_repository()
    write_history(repository)
    repository.write(".gitignore", "build/\n")
    for name in ("build/lib.py", "made/lib.py", "script", "new.py"):
        repository.write(name, "def f():\n    pass\n")
    outside = tmp_path / "outside.py"
    outside.write_text("def f():\n    pass\n", encoding="utf-8")
    with RawClient(server_environment) as client:
        client.initialize(repository.path, initializationOptions={"exclude": ["made/**"]})
        uri = (repository.path / LAST).as_uri()
        wanted = {
            (repository.path / "build" / "lib.py").as_uri(): "ignored by Git",
            (repository.path / "made" / "lib.py").as_uri(): "excluded by the setting exclude",
            (repository.path / "script").as_uri(): "not one of .py",
            outside.as_uri(): "outside a repository",
            "untitled:Untitled-1": "not a file",
            "vscode-notebook-cell:/a.ipynb#1": "a notebook",
        }
        for one in (uri, (repository.path / "new.py").as_uri(), *wanted):
            client.open(one)
        large = (repository.path / "large.py").as_uri()
        client.open(large, "x = 1\n" * 200_000)
        wanted[large] = "larger than"
        assert client.lenses_when(uri)

        def reasons() -> dict[str, str]:
            return {one["uri"]: one["reason"] for one in client.run("codewm.status")["silent"]}

        for _ in range(1200):
            if reasons().keys() == wanted.keys():
                break
            with client.news:
                client.news.wait(0.05)
        found = reasons()
        assert found.keys() == wanted.keys()
        assert all(found[one].startswith(reason) for one, reason in wanted.items()), found
        for one in wanted:
            assert client.lenses(one) == []
            client.notify("textDocument/didClose", {"textDocument": {"uri": one}})
        assert reasons() == {}


def test_a_workspace_in_a_repository_is_never_without_one(
    make_repository: Callable[..., Any], server_environment: dict[str, str]
) -> None:
    repository = make_repository()
    write_history(repository)
    capabilities = {"experimental": {"codewm": {"status": True}}}
    with RawClient(server_environment) as client:
        client.initialize(repository.path, capabilities=capabilities)

        def statuses() -> list[dict[str, Any]]:
            return [note["params"] for note in client.told if note["method"] == "codewm/status"]

        client.until(lambda: any(one["stage"] == "ready" for told in statuses() for one in told["repositories"]))
        assert all(told["repositories"] for told in statuses())

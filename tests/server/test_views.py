"""What an editor with views of its own asks for: the files and edits of past commits, what is hidden, the status."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from codewm_lsp.server.evidence import Evidence, PastChange
from tests.server.conftest import LAST, LAST_DEFINITION, Editor, StartEditor, service, target_of, write_history


@pytest.fixture
def repository(make_repository: Callable[..., Any]) -> Any:
    """A history, and its last service just given its time-out too."""
    repository = make_repository()
    write_history(repository)
    repository.write(LAST, service("sessions", timeout=True))
    return repository


async def similar(editor: Editor, uri: str, **more: Any) -> Any:
    target = {"uri": uri, "definition": LAST_DEFINITION, "show": False, **more}
    return await editor.run("codewm.showSimilarEdits", target)


async def test_a_past_edit_leads_to_its_files_and_to_the_other_edits_of_its_commit(
    make_repository: Callable[..., Any], start_editor: StartEditor
) -> None:
    repository = make_repository()
    write_history(repository)
    repository.rename("users.py", "people.py")
    moved = service("users", timeout=True).replace("timeout=30", "timeout=60")
    renamed = repository.commit("Wait longer", {"people.py": moved, "reports.py": service("reports")})
    async with start_editor(repository.path) as editor:
        root = repository.path.as_uri()
        answer = await editor.run("codewm.commitEdits", {"root": root, "commit": renamed})
        edits = {(edit["path"], edit["definition"]): edit for edit in answer["edits"]}
        assert set(edits) == {
            ("people.py", "UsersClient.fetch_users"),
            ("reports.py", "ReportsClient.fetch_reports"),
        }
        edit = edits["people.py", "UsersClient.fetch_users"]
        assert (edit["previousPath"], edit["line"], edit["kind"], edit["score"]) == ("users.py", 6, "modified", None)
        assert edit["commit"] == renamed
        assert edit["subject"] == "Wait longer"
        assert "+def fetch_users(self, url, timeout=60):" in edit["diff"]

        async def text(path: str, side: str, commit: str = renamed) -> str | None:
            file = {"root": root, "commit": commit, "path": path, "side": side}
            found: str | None = (await editor.run("codewm.fileAt", file))["text"]
            return found

        assert await text("users.py", "before") == service("users", timeout=True)
        assert await text("people.py", "after") == moved
        assert await text("people.py", "before") is None
        assert await text("../people.py", "after") is None
        first = repository.head("HEAD~7")
        assert await text("users.py", "after", first) == service("users")
        assert await text("users.py", "before", first) is None
        for wrong in ({"side": "both"}, {"commit": "0" * 40}, {"root": "untitled:1"}):
            with pytest.raises(JsonRpcException, match=r"."):
                await editor.run(
                    "codewm.fileAt", {"root": root, "commit": renamed, "path": "a.py", "side": "before", **wrong}
                )


async def test_places_for_secrets_are_not_given(make_repository: Callable[..., Any], start_editor: StartEditor) -> None:
    repository = make_repository()
    sha = repository.commit("Add", {"secrets.py": "KEY = 1\n", "a.py": "x = 1\n", "notes.txt": "n\n"})
    async with start_editor(repository.path) as editor:
        for path, text in (("a.py", "x = 1\n"), ("secrets.py", None), ("notes.txt", None)):
            file = {"root": repository.path.as_uri(), "commit": sha, "path": path, "side": "after"}
            assert await editor.run("codewm.fileAt", file) == {"text": text}


async def test_a_hidden_past_edit_is_gone_with_those_like_it_until_it_is_restored(
    repository: Any, start_editor: StartEditor
) -> None:
    async with start_editor(repository.path) as editor:
        uri = editor.open(LAST)
        before = target_of(await editor.lens(uri))
        found = await similar(editor, uri)
        first = found["edits"][0]
        edit = {"root": found["root"], **{key: first[key] for key in ("commit", "path", "definition")}}
        assert await editor.run("codewm.dismissEdit", edit) == {"dismissed": True}
        left = [one["commit"] for one in (await similar(editor, uri))["edits"]]
        assert first["commit"] not in left
        assert await editor.run("codewm.dismissEdit", {**edit, "restore": True}) == {"dismissed": False}
        assert (await similar(editor, uri))["edits"] == found["edits"]
        assert target_of(await editor.lens(uri)) == before
        for wrong in ({"scope": "hint"}, {"scope": "all"}):
            with pytest.raises(JsonRpcException, match=r"scope"):
                await editor.run("codewm.dismissEdit", {**edit, **wrong})


async def test_the_definition_may_be_named_by_a_line_in_it(repository: Any, start_editor: StartEditor) -> None:
    async with start_editor(repository.path) as editor:
        uri = editor.open(LAST)
        await editor.lens(uri)
        named = await similar(editor, uri)
        for line in (6, 8):
            assert await similar(editor, uri, definition="", line=line) == named
        assert (await similar(editor, uri, definition="", line=11))["query"]["definition"].endswith("count_sessions")
        assert (await similar(editor, uri, definition="", line=1))["query"]["definition"] == "<module>"


async def test_predictions_without_evidence_are_the_same_predictions(
    repository: Any, start_editor: StartEditor
) -> None:
    async with start_editor(repository.path) as editor:
        uri = editor.open(LAST)
        await editor.lens(uri)
        full = (await editor.run("codewm.showNextEdits", {"uri": uri, "show": False}))["predictions"]
        short = (await editor.run("codewm.showNextEdits", {"uri": uri, "show": False, "evidence": False}))[
            "predictions"
        ]
        assert any(one["evidence"] for one in full)
        assert [{**one, "evidence": []} for one in full] == short


def status_listener(editor: Editor) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []

    @editor.client.feature("codewm/status")
    def status(params: Any) -> None:
        told.append(as_json(params))

    return told


def as_json(value: Any) -> Any:
    """What pygls makes of the JSON of a notification that it does not know, as JSON again."""
    if hasattr(value, "_asdict"):
        return {key: as_json(item) for key, item in value._asdict().items()}
    return [as_json(item) for item in value] if isinstance(value, list) else value


def with_status(capabilities: types.ClientCapabilities) -> None:
    capabilities.experimental = {"codewm": {"status": True}}


async def test_the_status_is_told_as_it_changes(repository: Any, start_editor: StartEditor) -> None:
    async with start_editor(repository.path, change=with_status) as editor:
        told = status_listener(editor)
        uri = editor.open(LAST)
        await editor.lens(uri)
        await editor.until(
            lambda: told and told[-1]["repositories"] and told[-1]["repositories"][0]["stage"] == "ready"
        )
        now = await editor.run("codewm.status")
        assert now["model"]["name"].startswith("codewm-")
        assert {**now, "model": {"problem": now["model"]["problem"]}} == {
            "enabled": True,
            "snoozed": 0.0,
            "model": {"problem": ""},
            "repositories": [
                {
                    "root": repository.path.as_uri(),
                    "stage": "ready",
                    "done": 7,
                    "total": 7,
                    "paused": "",
                    "waiting": "",
                }
            ],
            "problems": [],
            "silent": [],
        }
        await editor.run("codewm.toggle", False)
        await editor.until(lambda: not told[-1]["enabled"])
        await editor.run("codewm.toggle", True)
        await editor.run("codewm.snooze", 10)
        await editor.until(lambda: told[-1]["enabled"] and 590 < told[-1]["snoozed"] <= 600)
        await editor.run("codewm.snooze", 0)
        await editor.until(lambda: told[-1] == now)

        editor.configure({"codewm": {"model": str(repository.path)}})
        await editor.until(lambda: told[-1]["model"]["problem"].startswith("Setting codewm.model: "))
        editor.configure({"codewm": {"model": ""}})
        await editor.until(lambda: told[-1] == now)


async def test_a_folder_without_a_repository_is_part_of_the_status_and_no_pop_up(
    tmp_path: Path, start_editor: StartEditor
) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    async with start_editor(plain, change=with_status) as editor:
        told = status_listener(editor)
        await editor.until(lambda: told and told[-1]["problems"])
        (problem,) = told[-1]["problems"]
        assert (problem["folder"], problem["about"]) == (plain.as_uri(), "repository")
        assert str(plain) in problem["message"]
        assert editor.messages() == []


async def test_a_client_that_did_not_ask_is_not_told(repository: Any, start_editor: StartEditor) -> None:
    async with start_editor(repository.path) as editor:
        told = status_listener(editor)
        uri = editor.open(LAST)
        await editor.lens(uri)
        await editor.run("codewm.toggle")
        assert told == []


async def test_files_of_other_kinds_stand_among_what_is_next(coupled: Any, start_editor: StartEditor) -> None:
    async with start_editor(coupled.path) as editor:
        uri = editor.open("core.py")
        editor.insert(uri, 0, 0, "more = 1\n")
        found: list[Any] = []
        for _ in range(200):  # until the edit is seen
            answer = await editor.run("codewm.showNextEdits", {"uri": uri, "show": False, "evidence": False})
            found = [one for one in answer["predictions"] if one["path"] == "docs/core.rst"]
            if found:
                break
            await asyncio.sleep(0.1)
        (one,) = found
        assert (one["definition"], one["line"], one["likely"]) == ("<module>", 0, [])
        assert one["uri"] == editor.uri("docs/core.rst")
        assert one["reasons"] == ["changed in 61 of the last 61 commits to core.py"]
        assert answer["predictions"][-1] == one


async def test_an_edit_made_again_has_a_reason_and_no_chance(make_repository: Any, start_editor: StartEditor) -> None:
    repository = make_repository("raised")
    text = "def load(path):\n    limit = {0}\n    return read(path, limit)\n"
    for value in range(7, 10):
        repository.commit(f"Raise the limit to {value}", {"a.py": text.format(value)})
    async with start_editor(repository.path) as editor:
        uri = editor.open("a.py")
        editor.replace(uri, text.format(10))
        lens = await editor.lens(uri, "load")
        answer = await editor.run("codewm.showSimilarEdits", {**target_of(lens), "show": False})
        first = answer["edits"][0]
        assert first["subject"] == "Raise the limit to 9"
        assert first["reasons"] == ["the same lines, with other values"]
        assert first["score"] is None


@pytest.mark.parametrize(("kind", "words"), [("similar", "94 % likely to fit"), ("next", "94 % alike")])
def test_a_score_is_called_what_it_is(kind: str, words: str) -> None:
    past = PastChange(
        *("c" * 40, "Ada", 0, "Add", "a.py", "f", "modified", 0, None, 0.94, ()), before="x = 1\n", after="x = 2\n"
    )
    told = Evidence(kind, "b.py", "g", (), (), (past,)).text(0.0)
    assert f"# 1 of 1 · {words} · a.py · f" in told

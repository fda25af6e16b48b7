"""Each bad situation gets one clear message (or none where nobody is at fault), and the server stays up."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.server.conftest import LAST, Editor, StartEditor, service, target_of, write_history


async def is_alive(editor: Editor) -> bool:
    """Whether the server still answers."""
    return bool(await editor.run("codewm.toggle", True) == {"enabled": True})


async def test_a_folder_without_a_repository(tmp_path: Path, start_editor: StartEditor) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    async with start_editor(folder) as editor:
        uri = editor.open("a.py", "def f():\n    pass\n")
        editor.open("b.py", "def g():\n    pass\n")
        await editor.until(editor.messages)
        assert await editor.lenses(uri) == []
        editor.save(uri)
        await asyncio.sleep(0.5)
        (message,) = editor.messages()
        assert str(folder) in message
        assert "repository" in message
        assert await is_alive(editor)


async def test_a_repository_becomes_useful_with_its_first_commit(
    make_repository: Callable[..., Any], start_editor: StartEditor
) -> None:
    repository = make_repository()
    async with start_editor(repository.path) as editor:
        uri = editor.open(LAST, service("sessions", timeout=True))
        await editor.until(editor.messages)
        (message,) = editor.messages()
        assert "no commits" in message
        write_history(repository)
        editor.save(uri)
        editor.insert(uri, 0, 0, "\n")
        assert await editor.lens(uri)
        assert editor.messages() == [message]


async def test_a_bare_repository(make_repository: Callable[..., Any], start_editor: StartEditor) -> None:
    repository = make_repository("bare.git", "--bare")
    async with start_editor(repository.path) as editor:
        uri = editor.open("hooks.py", "def f():\n    pass\n")
        await editor.until(editor.messages)
        (message,) = editor.messages()
        assert "bare" in message
        assert await editor.lenses(uri) == []
        assert await is_alive(editor)


async def test_documents_that_are_in_no_repository_are_left_alone_quietly(
    make_repository: Callable[..., Any], start_editor: StartEditor, tmp_path: Path
) -> None:
    repository = make_repository()
    write_history(repository)
    outside = tmp_path / "outside.py"
    outside.write_text("def f():\n    pass\n", encoding="utf-8")
    async with start_editor(repository.path) as editor:
        for uri in (outside.as_uri(), "untitled:Untitled-1", "vscode-notebook-cell:/a.ipynb#1", "git:/a.py?{}"):
            editor.open("", "def f():\n    pass\n", uri=uri)
            editor.insert(uri, 0, 0, "\n")
            assert await editor.lenses(uri) == []
        await editor.until(editor.log)
        assert editor.messages() == []
        (line,) = editor.log()
        assert str(tmp_path) in line


async def test_odd_texts(make_repository: Callable[..., Any], start_editor: StartEditor) -> None:
    repository = make_repository()
    write_history(repository)
    texts = {
        "empty": "",
        "broken": "def f(:\n  return (\n\nclass\n" * 20,
        "nul": "def f():\n    return '\0'\n",
        "brackets": "x = " + "(" * 20_000,
        "surrogate": "def f():\n    return '\U0001f40d'\r\r\n\x0c",
        "ten megabytes in a line": "x = '" + "é" * 10_000_000 + "'",
    }
    async with start_editor(repository.path) as editor:
        for name, text in texts.items():
            uri = editor.open(LAST, text, uri=editor.uri(f"{name.replace(' ', '_')}.py"))
            editor.insert(uri, 0, len(text) // 2, "y")
            assert await editor.lenses(uri) == []
        uri = editor.open(LAST, service("sessions", timeout=True))
        assert await editor.lens(uri)
        assert editor.messages() == []
        (line,) = editor.log()
        assert "ten_megabytes" in line


@pytest.mark.parametrize("damage", ["garbage", "locked"])
async def test_an_index_that_cannot_be_used(
    damage: str, make_repository: Callable[..., Any], start_editor: StartEditor, tmp_path: Path
) -> None:
    repository = make_repository()
    write_history(repository)
    async with start_editor(repository.path) as editor:
        assert await editor.lenses_when(editor.open(LAST, service("sessions", timeout=True)))
    (file,) = [path for path in (tmp_path / "cache").rglob("*.sqlite3") if "dismissed" not in path.name]
    holder = None
    if damage == "garbage":
        file.write_bytes(b"no database at all, but long enough to be looked at" * 100)
    else:
        holder = sqlite3.connect(file, isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
    try:
        async with start_editor(repository.path) as editor:
            uri = editor.open(LAST, service("sessions", timeout=True))
            await editor.until(editor.messages)
            (message,) = editor.messages()
            assert str(file) in message
            if holder is not None:
                assert "locked" in message
                holder.close()
                editor.save(uri)
            else:
                assert "broken" in message
            editor.insert(uri, 0, 0, "\n")
            assert await editor.lens(uri)
            assert editor.messages() == [message]
    finally:
        if holder is not None:
            holder.close()


async def test_files_and_folders_with_odd_names(make_repository: Callable[..., Any], start_editor: StartEditor) -> None:
    repository = make_repository("a folder, über & [all] #1")
    names = [f"sub folder/{name} 100%é.py" for name in ("one", "two", "three")]
    for name in names[:-1]:
        repository.commit(f"Begin {name}", {name: service("users")})
        repository.commit(f"Add timeout to {name}", {name: service("users", timeout=True)})
    repository.commit("Begin three", {names[-1]: service("users")})
    async with start_editor(repository.path) as editor:
        uri = editor.open(names[-1], service("users", timeout=True))
        lens = await editor.lens(uri, "UsersClient.fetch_users")
        answer = await editor.run("codewm.showSimilarEdits", {**target_of(lens), "show": False})
        assert answer["edits"][0]["path"] in names

"""Lenses stand on the definitions that were edited, with the past edits like it behind them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.server.conftest import (
    LAST,
    LAST_DEFINITION,
    NEOVIM,
    VSCODE,
    StartEditor,
    service,
    target_of,
    write_history,
)


async def test_an_edit_gets_a_lens_that_names_a_past_edit_like_it(
    make_repository: Callable[..., Any], start_editor: StartEditor
) -> None:
    repository = make_repository()
    write_history(repository)
    async with start_editor(repository.path) as editor:
        uri = editor.open(LAST)
        editor.replace(uri, service("sessions", timeout=True))
        lens = await editor.lens(uri)
        assert lens.range.start == lens.range.end
        assert (lens.range.start.line, lens.range.start.character) == (6, 0)
        assert lens.command is not None
        assert "Add timeout to fetch_" in lens.command.title
        assert target_of(lens) == {"uri": uri, "definition": LAST_DEFINITION}

        # nothing is left to be resolved later: an unresolved lens flickers
        provider = editor.result.capabilities.code_lens_provider
        assert provider is not None
        assert not provider.resolve_provider

        # what is taken back takes its lens away
        editor.replace(uri, service("sessions"))
        await editor.lenses_when(uri, lambda lenses: not lenses)

        # another language has none
        other = editor.open("README.md", language="markdown")
        assert await editor.lenses(other) == []


async def test_a_limit_that_is_raised_once_more_gets_a_lens_that_names_the_last_time(
    make_repository: Callable[..., Any], start_editor: StartEditor
) -> None:
    def is_on_load(lens: Any) -> bool:
        return bool(target_of(lens)["definition"] == "load")

    repository = make_repository()
    text = "def load(path):\n    limit = {0}\n    return read(path, limit)\n\n\ndef other(x):\n    return x\n"
    for value in range(9):
        store = text.format(value).replace("load(path)", "store(path, data)")
        repository.commit(f"Raise limit to {value}", {"a.py": text.format(value), "b.py": store})
    async with start_editor(repository.path) as editor:
        uri = editor.open("a.py")
        editor.replace(uri, text.format(9))
        lenses = await editor.lenses_when(uri, lambda found: any(map(is_on_load, found)))
        (lens,) = filter(is_on_load, lenses)
        assert lens.command is not None
        assert lens.command.title.startswith("like ")
        assert "'Raise limit to 8'" in lens.command.title

        editor.replace(uri, text.format(7))
        await editor.lenses_when(
            uri, lambda found: any(one.command and one.command.title.startswith("undoes ") for one in found)
        )


async def test_lenses_move_with_their_lines_while_typing(
    make_repository: Callable[..., Any], start_editor: StartEditor
) -> None:
    repository = make_repository()
    write_history(repository)
    repository.write(LAST, service("sessions", timeout=True))
    async with start_editor(repository.path, settings={"debounceMs": 60_000}) as editor:
        uri = editor.open(LAST)
        lens = await editor.lens(uri)
        editor.insert(uri, 0, 0, "import os\nimport sys\n")
        moved = await editor.lenses(uri)
        assert [(one.range.start.line, one.command) for one in moved if one.command == lens.command] == [
            (lens.range.start.line + 2, lens.command)
        ]
        editor.insert(uri, lens.range.start.line + 3, 0, "        # and a line below the lens\n")
        assert lens.command in [
            one.command for one in await editor.lenses(uri) if one.range in [m.range for m in moved]
        ]


async def test_breaking_the_syntax_elsewhere_keeps_a_lens(
    make_repository: Callable[..., Any], start_editor: StartEditor
) -> None:
    repository = make_repository()
    write_history(repository)
    async with start_editor(repository.path) as editor:
        repository.write(LAST, service("sessions", timeout=True))
        uri = editor.open(LAST)
        lens = await editor.lens(uri)
        end = service("sessions", timeout=True).count("\n")
        editor.insert(uri, end, 0, "\n\ndef broken(:\n    return (\n")
        await asyncio.sleep(1.0)
        assert (lens.range, lens.command) in [(now.range, now.command) for now in await editor.lenses(uri)]


async def test_the_editor_is_told_to_ask_again_only_when_the_lenses_changed(
    make_repository: Callable[..., Any], start_editor: StartEditor
) -> None:
    repository = make_repository()
    write_history(repository)
    async with start_editor(repository.path) as editor:
        uri = editor.open(LAST)
        assert await editor.lenses(uri) == []
        editor.replace(uri, service("sessions", timeout=True))
        await editor.until(lambda: editor.refreshes)
        await editor.lens(uri)
        await asyncio.sleep(1.0)
        before, count = await editor.lenses(uri), editor.refreshes
        editor.insert(uri, 0, 0, "# a comment changes nothing\n")
        await asyncio.sleep(1.0)
        after = await editor.lenses(uri)
        assert [lens.command for lens in after] == [lens.command for lens in before]
        assert editor.refreshes == count


async def test_a_client_that_cannot_be_told_is_answered_when_there_is_an_answer(
    make_repository: Callable[..., Any], start_editor: StartEditor
) -> None:
    repository = make_repository()
    write_history(repository)
    repository.write(LAST, service("sessions", timeout=True))
    async with start_editor(repository.path, profile=NEOVIM) as editor:
        uri = editor.open(LAST)
        assert LAST_DEFINITION in [target_of(lens)["definition"] for lens in await editor.lenses(uri)]
        assert editor.refreshes == 0


@pytest.mark.parametrize(("profile", "column"), [(VSCODE, 4), ("neovim@v0.11", 6)])  # UTF-16, UTF-8
async def test_windows_line_ends_and_astral_letters_keep_lines_and_columns_right(
    profile: str, column: int, make_repository: Callable[..., Any], start_editor: StartEditor
) -> None:
    repository = make_repository()
    write_history(repository)
    async with start_editor(repository.path, profile=profile) as editor:
        text = ("# \U0001f40d\f\u2028 one line\n" + service("sessions", timeout=True)).replace("\n", "\r\n")
        uri = editor.open(LAST, text)
        assert (await editor.lens(uri)).range.start.line == 7
        editor.insert(uri, 0, column, "\r\n")  # right behind the snake
        assert (await editor.lens(uri)).range.start.line == 8


async def test_a_document_behind_many_others_has_its_lenses_when_it_is_looked_at(
    make_repository: Callable[..., Any], start_editor: StartEditor
) -> None:
    repository = make_repository()
    write_history(repository)
    names = [f"other_{number}.py" for number in range(10)]
    repository.commit("Add others", dict.fromkeys(names, "def other():\n    return 1\n"))
    async with start_editor(repository.path, settings={"threshold": 0.0}) as editor:
        uri = editor.open(LAST)
        assert await editor.lenses(uri) == []  # nothing is edited
        for name in names:
            await editor.lenses(editor.open(name))
        editor.replace(editor.open("users.py"), service("users"))
        await editor.lenses_when(uri, bool)


async def test_a_user_of_a_renamed_function_has_a_lens_that_says_so_until_it_follows(
    make_repository: Callable[..., Any], start_editor: StartEditor
) -> None:
    repository = make_repository()
    client = "def fetch_orders(host):\n    print('fetching from', host)\n    return [host]\n"
    app = "from client import *\n\n\ndef run():\n    return fetch_orders('here')\n\n\ndef other():\n    return 1\n"
    repository.commit("Begin", {"client.py": client, "app.py": app})
    repository.commit("Add a note", {"note.py": "NOTE = 1\n"})
    repository.write("client.py", client.replace("fetch_orders", "get_orders"))
    async with start_editor(repository.path) as editor:
        uri = editor.open("app.py")
        title = "likely next · still uses `fetch_orders`, which was renamed to `get_orders`"
        await editor.lenses_when(
            uri, lambda lenses: any(lens.command is not None and title in lens.command.title for lens in lenses)
        )
        editor.replace(uri, app.replace("fetch_orders", "get_orders"))
        await editor.lenses_when(
            uri, lambda lenses: not any(lens.command is not None and title in lens.command.title for lens in lenses)
        )

"""Settings that change together are all applied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.server.conftest import LAST, StartEditor, service, write_history


async def test_lenses_come_back_in_the_number_that_is_set_then(
    make_repository: Callable[..., Any], start_editor: StartEditor
) -> None:
    repository = make_repository()
    write_history(repository)
    repository.write(LAST, service("sessions", timeout=True))
    async with start_editor(repository.path) as editor:
        uri = editor.open(LAST)
        many = {"threshold": 0.0, "lensesPerFile": 6}
        editor.configure({"codewm": many})
        await editor.lenses_when(uri, lambda lenses: len(lenses) > 1)
        editor.configure({"codewm": {**many, "display": "off"}})
        await editor.lenses_when(uri, lambda lenses: not lenses)
        editor.configure({"codewm": {**many, "display": "codeLens", "lensesPerFile": 1}})
        await editor.lenses_when(uri, lambda lenses: len(lenses) == 1)

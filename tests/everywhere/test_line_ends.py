"""Windows line ends: the same definitions, tokens and edits, in files, blobs, documents and ``autocrlf`` work trees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codewm_lsp.history import Repository
from codewm_lsp.source import decode, parse_definitions, tokenize
from tests.server.conftest import LAST, LAST_DEFINITION, StartEditor, service, write_history

TEXT = service("users") + '\n\ndef quote():\n    """Two\n    lines."""\n    return "a\\\n b"\n'


def crlf(text: str) -> str:
    return text.replace("\n", "\r\n")


@pytest.mark.parametrize("ends", ["\r\n", "\r"])
def test_a_file_has_the_same_definitions_and_tokens(ends: str) -> None:
    plain, other = (parse_definitions(decode(text.encode())) for text in (TEXT, TEXT.replace("\n", ends)))
    assert plain == other
    assert [tokenize(one.source) for one in plain] == [tokenize(one.source) for one in other]


def edits(repository: Any, unsaved: dict[str, str] | None = None) -> list[tuple[str, str]]:
    with Repository.open(repository.path) as opened:
        return [(edit.path, edit.definition) for edit in opened.working_edits(unsaved)]


def test_a_work_tree_that_was_checked_out_with_windows_ends_is_clean(make_repository: Callable[..., Any]) -> None:
    repository = make_repository()
    repository.git("config", "core.autocrlf", "true")
    repository.commit("Begin", {"a.py": TEXT, "b.py": TEXT})
    (repository.path / "a.py").unlink()
    repository.git("checkout", "a.py")
    assert b"\r\n" in (repository.path / "a.py").read_bytes()
    assert edits(repository) == []
    repository.write("a.py", crlf(TEXT.replace("return total", "return total + 1")))
    assert edits(repository) == [("a.py", "UsersClient.count_users")]
    assert edits(repository, {"a.py": crlf(TEXT)}) == []
    assert edits(repository, {"a.py": TEXT}) == []


def test_a_blob_with_windows_ends_equals_a_file_without(make_repository: Callable[..., Any]) -> None:
    repository = make_repository()
    repository.commit("Begin", {"a.py": crlf(TEXT), ".gitattributes": "*.py -text\n"})
    repository.write("a.py", TEXT)
    assert edits(repository) == []
    repository.commit("Unix ends", {"a.py": TEXT})
    with Repository.open(repository.path) as opened:
        assert opened.edits_of("HEAD").edits == ()


def test_line_ends_that_change_within_a_file_change_no_definition(
    make_repository: Callable[..., Any],
) -> None:
    repository = make_repository()
    repository.commit("Begin", {"a.py": TEXT})
    half = len(TEXT) // 2
    repository.write("a.py", TEXT[:half] + crlf(TEXT[half:]))
    assert edits(repository) == []


async def test_a_windows_checkout_in_the_editor(make_repository: Callable[..., Any], start_editor: StartEditor) -> None:
    repository = make_repository()
    repository.git("config", "core.autocrlf", "true")
    write_history(repository)
    for file in Path(repository.path).glob("*.py"):
        file.unlink()
    repository.git("checkout", "--", ".")
    assert b"\r\n" in (repository.path / LAST).read_bytes()
    async with start_editor(repository.path) as editor:
        text = (repository.path / LAST).read_bytes().decode()
        uri = editor.open(LAST, text)
        editor.insert(uri, 6, len("    def fetch_sessions(self, url"), ", timeout=30")
        lens = await editor.lens(uri)
        assert (lens.range.start.line, lens.range.start.character) == (6, 0)
        answer = await editor.run("codewm.showSimilarEdits", {"uri": uri, "definition": LAST_DEFINITION, "show": False})
        assert answer["edits"]
        assert all("\r" not in edit["diff"] for edit in answer["edits"])

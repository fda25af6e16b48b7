"""Where case does not count, nor how letters are composed, an editor may name a file otherwise than Git does."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codewm_lsp.history import Repository
from codewm_lsp.history.spelling import below, spellings
from tests.server.conftest import LAST, LAST_DEFINITION, StartEditor, service, target_of, write_history

IgnoreCase = Callable[[Path], None]


@pytest.fixture
def repository(make_repository: Callable[..., Any]) -> Any:
    repository = make_repository("Projects/Shop")
    repository.commit("Begin", {"App/Café.py": service("users"), "App/orders.py": service("orders")})
    return repository


@pytest.mark.parametrize("name", ["app/café.py", "APP/CAFÉ.PY", unicodedata.normalize("NFD", "App/Café.py")])
def test_a_file_is_known_by_any_spelling(name: str, repository: Any, ignore_case: IgnoreCase) -> None:
    ignore_case(repository.path)
    with Repository.open(repository.path) as opened:
        path = opened.relative(repository.path / name)
        assert path == "App/Café.py"
        changed = service("users", timeout=True)
        assert [edit.definition for edit in opened.working_edits({path: changed})] == ["UsersClient.fetch_users"]
        assert opened.relative(repository.path / "App" / "New.py") == "App/New.py"
        assert opened.relative(repository.path.parent / "Elsewhere" / "orders.py") is None


def test_where_case_counts_it_counts(repository: Any) -> None:
    if (repository.path / ".git" / "hEAD").exists():
        pytest.skip("this file system does not care for case")
    with Repository.open(repository.path) as opened:
        assert opened.relative(repository.path / "app" / "orders.py") == "app/orders.py"


def test_the_folders_above_may_be_spelled_otherwise_too(repository: Any, ignore_case: IgnoreCase) -> None:
    ignore_case(repository.path)
    with Repository.open(repository.path) as opened:
        elsewhere = repository.path.parent.parent / "projects" / "SHOP" / "app" / "ORDERS.py"
        assert opened.relative(elsewhere) == "App/orders.py"
    assert below("/home/Ada/Shop/a.py", "/Home/ada/shop") == "a.py"
    assert below("/home/ada/shops/a.py", "/home/ada/shop") is None
    assert below("/home/ada/shop", "/home/ada/shop") is None


def test_a_new_commit_brings_its_own_spellings(repository: Any, ignore_case: IgnoreCase) -> None:
    ignore_case(repository.path)
    with Repository.open(repository.path) as opened:
        assert opened.relative(repository.path / "APP" / "ORDERS.py") == "App/orders.py"
        repository.rename("App/orders.py", "App/Sales.py")
        repository.commit("Rename it")
        assert opened.relative(repository.path / "APP" / "ORDERS.py") == "APP/ORDERS.py"
        assert opened.relative(repository.path / "app" / "SALES.py") == "App/Sales.py"


def test_names_that_differ_in_case_alone_are_left_as_they_are() -> None:
    assert spellings(["a.py", "B.py", "A.py"]) == {"b.py": "B.py"}


def test_a_rename_that_changes_only_case_is_followed(make_repository: Callable[..., Any]) -> None:
    repository = make_repository()
    repository.commit("Begin", {"users.py": service("users")})
    repository.git("mv", "--force", "users.py", "Users.py")
    repository.commit("Capital letter", {"Users.py": service("users", timeout=True)})
    with Repository.open(repository.path) as opened:
        (edit,) = opened.edits_of("HEAD").edits
        assert (edit.previous_path, edit.path, edit.definition) == ("users.py", "Users.py", "UsersClient.fetch_users")


async def test_lenses_come_to_a_file_that_the_editor_spells_otherwise(
    make_repository: Callable[..., Any], start_editor: StartEditor, ignore_case: IgnoreCase
) -> None:
    repository = make_repository()
    write_history(repository)
    ignore_case(repository.path)
    async with start_editor(repository.path) as editor:
        uri = editor.open(LAST.title(), service("sessions", timeout=True))
        lenses = await editor.lenses_when(uri)
        assert LAST_DEFINITION in [target_of(lens)["definition"] for lens in lenses]
        assert all(target_of(lens)["uri"] == uri for lens in lenses)
        found = await editor.run("codewm.showSimilarEdits", {"uri": uri, "definition": LAST_DEFINITION, "show": False})
        assert found["query"]["path"] == LAST
        assert found["edits"]

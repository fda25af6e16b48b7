"""Files that are no source code among what is likely to change next."""

from __future__ import annotations

from typing import Any

from codewm_lsp.hints.next_files import NextFile, in_progress, next_files, past_of_files
from codewm_lsp.history import Edit, Repository


def listed(path: Any, editing: tuple[Edit, ...] = (), **more: Any) -> list[NextFile]:
    with Repository.open(path) as repository:
        past = past_of_files(repository, "HEAD", None)
        return next_files(repository, past, in_progress(repository, editing), **more)


def test_a_document_that_always_changes_with_the_code_is_listed_with_its_reason(coupled: Any) -> None:
    coupled.write("core.py", "a = -1\n")
    (one,) = listed(coupled.path)
    assert one.path == "docs/core.rst"
    assert one.score > 0.5
    assert one.reason == "changed in 61 of the last 61 commits to core.py"


def test_source_code_is_left_to_its_definitions(coupled: Any) -> None:
    coupled.write("docs/core.rst", "-1\n")
    assert "core.py" not in {one.path for one in listed(coupled.path)}


def test_what_has_changed_already_and_what_is_not_needed_is_not_listed(coupled: Any) -> None:
    coupled.write("core.py", "a = -1\n")
    assert not listed(coupled.path, hidden=("docs/core.rst",))
    coupled.write("docs/core.rst", "-1\n")
    assert not listed(coupled.path)


def test_an_edit_that_is_not_saved_counts(coupled: Any) -> None:
    with Repository.open(coupled.path) as repository:
        (edit,) = repository.working_edits({"core.py": "a = -1\n"})
    assert [one.path for one in listed(coupled.path, (edit,))] == ["docs/core.rst"]
    assert not listed(coupled.path)


def test_a_short_history_lists_nothing(make_repository: Any) -> None:
    repository = make_repository()
    repository.commit_many([(f"Change {n}", {"a.py": f"{n}\n", "a.md": f"{n}\n"}) for n in range(40)])
    repository.write("a.py", "a = -1\n")
    assert not listed(repository.path)

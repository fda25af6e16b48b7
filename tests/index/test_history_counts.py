"""Which definitions changed in which commits, as the ranking counts them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from codewm_lsp.index import History, update

Make = Callable[..., Any]


def function(name: str, body: object) -> str:
    return f"def {name}():\n    return {body}\n"


def ranks(history: History) -> dict[tuple[str, str], list[int]]:
    """For each definition the commits that changed it, 0 being the newest with edits."""
    found: dict[tuple[str, str], list[int]] = {}
    for rank, number in zip(*history.events, strict=True):
        found.setdefault(history.definitions[number], []).append(int(rank))
    return found


@pytest.fixture
def counted(make_repository: Make, open_repository: Make, open_index: Make, encoder: Any) -> Any:
    builder = make_repository()
    builder.commit("One", {"a.py": function("f", 1) + function("g", 1), "b.py": function("h", 1)})
    builder.commit("Two", {"a.py": function("f", 2) + function("g", 1), "b.py": function("h", 2)})
    builder.commit("Three", {"a.py": function("f", 3) + function("g", 1)})
    builder.commit("Text", {"README": "nothing to index"})
    repository = open_repository(builder.path)
    index = open_index(repository)
    update(repository, encoder, index.log)
    return builder, repository, index


def test_changes_are_listed_by_commit_the_newest_first(counted: Any) -> None:
    _, repository, index = counted
    history = index.history()
    assert ranks(history) == {("a.py", "f"): [0, 1, 2], ("b.py", "h"): [1, 2], ("a.py", "g"): [2]}
    assert history.definitions[0] == ("a.py", "f")
    assert index.history() is history
    within = set(repository.ancestors("HEAD~2"))
    assert ranks(index.history(within)) == {("a.py", "f"): [0, 1], ("b.py", "h"): [0, 1], ("a.py", "g"): [1]}


def test_a_renamed_file_keeps_its_past(counted: Any, encoder: Any) -> None:
    builder, repository, index = counted
    builder.rename("a.py", "c.py")
    builder.commit("Rename")
    builder.commit("Four", {"c.py": function("f", 4) + function("g", 1)})
    builder.commit("Another a", {"a.py": function("f", 1)})
    update(repository, encoder, index.log)
    changed = ranks(index.history())
    assert changed["c.py", "f"] == [1, 2, 3, 4]
    assert changed["a.py", "f"] == [0]
    assert ("a.py", "g") not in changed
    edit = repository.edits_of(builder.head()).edits[0]
    vector = encoder.embed_edits([(edit.before, edit.after)])[0]
    hits = index.search(edit, vector, k=0, exclude_definition=("c.py", "f"))
    assert {(hit.edit.path, hit.edit.definition) for hit in hits} == {("a.py", "f"), ("a.py", "g"), ("b.py", "h")}
    assert sum(hit.edit.path == "a.py" and hit.edit.definition == "f" for hit in hits) == 1

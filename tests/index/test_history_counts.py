"""How often, how lately and how together things changed, as the hints use it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from codewm_lsp.index import Changes, Coupling, update

Make = Callable[..., Any]


def function(name: str, body: object) -> str:
    return f"def {name}():\n    return {body}\n"


@pytest.fixture
def counted(make_repository: Make, open_repository: Make, open_index: Make, encoder: Any) -> Any:
    builder = make_repository()
    builder.commit("One", {"a.py": function("f", 1) + function("g", 1), "b.py": function("h", 1)})
    builder.commit("Two", {"a.py": function("f", 2) + function("g", 1), "b.py": function("h", 2)})
    builder.commit("Three", {"a.py": function("f", 3) + function("g", 1)})
    builder.commit("Text", {"README": "nothing to index"})
    repository = open_repository(builder.path)
    index = open_index(repository)
    update(repository, encoder, index)
    return builder, repository, index


def test_changes_are_counted_by_commits(counted: Any) -> None:
    _, repository, index = counted
    history = index.history()
    date = repository.edits_of("HEAD~1").commit.date
    assert history.commits == 3
    assert history.changes("a.py", "f") == Changes(commits=3, last=date, rank=0)
    assert history.changes("b.py", "h") == Changes(commits=2, last=date - 3600, rank=1)
    assert history.changes("a.py", "g") == Changes(commits=1, last=date - 7200, rank=2)
    assert history.changes("a.py") == Changes(commits=3, last=date, rank=0)
    assert history.changes("a.py", "missing") is None
    assert history.changes("missing.py") is None
    assert history.definitions[0] == ("a.py", "f")


def test_things_that_change_together_are_coupled(counted: Any) -> None:
    _, _, index = counted
    history = index.history()
    assert history.together("a.py", "f") == {
        ("b.py", "h"): Coupling(commits=2, weight=pytest.approx(1 / 2 + 1)),
        ("a.py", "g"): Coupling(commits=1, weight=pytest.approx(1 / 2)),
    }
    assert history.files_together("a.py") == {"b.py": Coupling(commits=2, weight=pytest.approx(2))}
    assert history.files_together("a.py", "g") == {"b.py": Coupling(commits=1, weight=pytest.approx(1))}
    assert history.together("missing.py", "f") == {}


def test_past_edits_are_listed_newest_first(counted: Any) -> None:
    _, repository, index = counted
    subjects = [edit.commit.subject for edit in index.past_edits(path="a.py", definition="f")]
    assert subjects == ["Three", "Two", "One"]
    assert [edit.definition for edit in index.past_edits(path="b.py")] == ["h", "h"]
    assert len(index.past_edits()) == 6
    assert len(index.past_edits(limit=2)) == 2
    within = set(repository.ancestors("HEAD~2"))
    assert [e.commit.subject for e in index.past_edits(path="a.py", definition="f", within=within)] == ["Two", "One"]
    assert index.history(within).changes("a.py", "f").commits == 2


def test_a_renamed_file_keeps_its_past(counted: Any, encoder: Any) -> None:
    builder, repository, index = counted
    builder.rename("a.py", "c.py")
    builder.commit("Rename")
    builder.commit("Four", {"c.py": function("f", 4) + function("g", 1)})
    builder.commit("Another a", {"a.py": function("f", 1)})
    update(repository, encoder, index)
    history = index.history()
    assert history.changes("c.py", "f").commits == 4
    assert history.changes("a.py", "f").commits == 1
    assert ("b.py", "h") in history.together("c.py", "f")
    assert ("b.py", "h") not in history.together("a.py", "f")
    assert [edit.path for edit in index.past_edits(path="c.py", definition="f")] == ["c.py", "a.py", "a.py", "a.py"]
    edit = repository.edits_of(builder.head()).edits[0]
    vector = encoder.embed_edits([(edit.before, edit.after)])[0]
    hits = index.search(edit, vector, k=0, exclude_definition=("c.py", "f"))
    assert {(hit.edit.path, hit.edit.definition) for hit in hits} == {("a.py", "f"), ("a.py", "g"), ("b.py", "h")}
    assert sum(hit.edit.path == "a.py" and hit.edit.definition == "f" for hit in hits) == 1

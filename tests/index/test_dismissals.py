"""What was dismissed does not come back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codewm_lsp.index import Dismissal, Index, PastEdit, Scope, update

Make = Callable[..., Any]


def hide(index: Index, edit: PastEdit, scope: Scope = Scope.EDIT) -> Dismissal:
    """Dismiss a past edit, or what its scope says."""
    place = () if scope is Scope.COMMIT else (edit.path, edit.definition)
    dismissal = Dismissal(scope, edit.commit.sha, *place)
    index.dismissals.add(dismissal)
    return dismissal


@pytest.fixture
def asked(make_history: Make, open_repository: Make, open_index: Make, encoder: Any) -> Any:
    """An index with a question: (index, function that asks it, repository)."""
    builder = make_history(12)
    for number in range(3):  # two edits that are alike, in two places, and one that is not
        builder.commit(
            f"Retry {number}", {f"retry_{number}.py": "def send(self):\n    return retry(self, attempts=3)\n"}
        )
    repository = open_repository(builder.path)
    index = open_index(repository)
    update(repository, encoder, index.log)
    edit = repository.edits_of(repository.head()).edits[0]
    vector = encoder.embed_edits([(edit.before, edit.after)])[0]
    return index, lambda which=index: which.search(edit, vector, k=0), repository


def test_a_dismissed_edit_is_hidden_until_it_is_restored(asked: Any, open_index: Make, encoder: Any) -> None:
    index, ask, repository = asked
    before = ask()
    dismissal = hide(index, before[0].edit)
    assert ask() == before[1:]
    assert ask(open_index(repository)) == before[1:]  # another editor, or the next start
    assert before[0].edit.id not in {hit.edit.id for hit in index.nearest(encoder.embed_edits([("", "retry")]), k=0)[0]}
    assert index.dismissals.all() == {dismissal}
    index.dismissals.remove(dismissal)
    assert ask() == before
    assert index.dismissals.all() == frozenset()


def test_dismissing_edits_like_one_hides_all_that_are_like_it(asked: Any) -> None:
    index, ask, _ = asked
    before = ask()
    hide(index, before[0].edit, Scope.LIKE)
    left = {hit.edit.path for hit in ask()}
    assert left == {f"client_{number}.py" for number in range(4)}
    index.dismissals.remove(next(iter(index.dismissals.all())))
    assert ask() == before


def test_dismissing_edits_like_one_hides_the_rest_of_its_commit_too(
    make_repository: Make, open_repository: Make, open_index: Make, encoder: Any
) -> None:
    builder = make_repository()
    builder.commit("Begin", {"a.py": "def send():\n    pass\n"})
    texts = {"b.py": "def fetch():\n    return retry(attempts=3)\n", "c.py": "class Colours:\n    red, green = 1, 2\n"}
    commit = builder.commit("Retry, in colour", texts)
    builder.commit("Something else", {"d.py": "def count(items):\n    return len(items)\n"})
    repository = open_repository(builder.path)
    index = open_index(repository)
    update(repository, encoder, index.log)
    edit = repository.edits_of(repository.head()).edits[0]
    vector = encoder.embed_edits([(edit.before, edit.after)])[0]
    found = [hit.edit for hit in index.search(edit, vector, k=0) if hit.edit.commit.sha == commit]
    assert {one.path for one in found} == {"b.py", "c.py"}
    hide(index, found[0], Scope.LIKE)
    assert all(hit.edit.commit.sha != commit for hit in index.search(edit, vector, k=0))


def test_dismissing_a_commit_hides_its_edits(asked: Any) -> None:
    index, ask, _ = asked
    before = ask()
    commit = next(hit.edit.commit for hit in before if hit.edit.path == "client_0.py")
    hide(index, next(hit.edit for hit in before if hit.edit.commit == commit), Scope.COMMIT)
    assert ask() == [hit for hit in before if hit.edit.commit != commit]


def test_a_dismissed_edit_stays_hidden_under_another_model(asked: Any, encoder: Any, tmp_path: Path) -> None:
    index, ask, repository = asked
    gone = ask()[0].edit
    hide(index, gone)
    with Index.of(repository, "another-model", folder=tmp_path / "cache", edit_size=64) as other:
        update(repository, encoder, other.log)
        assert (gone.path, gone.commit.sha) not in {(hit.edit.path, hit.edit.commit.sha) for hit in ask(other)}


def test_a_dismissal_by_another_process_is_seen_at_once(asked: Any, open_index: Make) -> None:
    _, ask, repository = asked
    before = ask()
    hide(open_index(repository), before[0].edit)
    assert ask() == before[1:]


def test_hints_are_dismissed_by_key(asked: Any) -> None:
    index, ask, _ = asked
    before = ask()
    dismissal = Dismissal(Scope.HINT, "next:a.py::f")
    index.dismissals.add(dismissal)
    assert dismissal in index.dismissals.all()
    assert ask() == before

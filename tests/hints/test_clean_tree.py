"""While nothing is being edited the last commit stands for it: what it changed has a hint that says so."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codewm_lsp.hints import (
    LISTED,
    HintKind,
    HintOptions,
    StandIn,
    differs_without_edits,
    stand_in_of,
    stand_in_words,
    waiting,
)
from codewm_lsp.hints.stand_in import AFTER_COMMIT
from codewm_lsp.hints.wording import changed_title
from codewm_lsp.history import Repository

OpenEngine = Callable[[Path], Any]
ALL = HintOptions(threshold=0.0, similar_threshold=0.0, limit=99)
SIMILAR = replace(ALL, kinds=frozenset([HintKind.SIMILAR]))
ME, SOMEBODY = "Grace Hopper <grace@example.org>", "Ada Lovelace <ada@example.org>"
CLIENT, COLOURS = "shop/client.py", "shop/colours.py"


@pytest.fixture
def waited(shop: Any) -> Any:
    """The shop after a commit that again changes ``get`` and ``put``."""
    text = (shop.path / CLIENT).read_text(encoding="utf-8")
    shop.commit("Wait longer still", {CLIENT: text.replace("wait_seconds=13", "wait_seconds=20")})
    return shop


def stand_in(repository: Any) -> StandIn | None:
    with Repository.open(repository.path) as opened:
        return stand_in_of(opened, opened.head())


def changed(found: StandIn | None) -> set[tuple[str, str]]:
    assert found is not None
    return {(edit.path, edit.definition) for edit in found.edits}


def functions(count: int, body: str = "pass") -> str:
    return "\n\n".join(f"def f{number}():\n    {body}\n" for number in range(count))


def test_the_users_newest_commit_comes_before_anybodys(make_repository: Callable[..., Any]) -> None:
    repository = make_repository()
    repository.commit("Begin", {"a.py": functions(2), "b.py": functions(2)}, author=SOMEBODY)
    mine = repository.commit("Change mine", {"a.py": functions(1)}, author=ME)
    theirs = repository.commit("Change theirs", {"b.py": functions(1)}, author=SOMEBODY)
    found = stand_in(repository)
    assert found is not None
    assert (found.commit.sha, found.own, found.newest) == (theirs, False, True)
    assert stand_in_words(found, found.commit.date + 7200) == (
        f"the last commit {theirs[:7]} 'Change theirs' by Ada Lovelace, 2 hours ago"
    )

    repository.git("config", "user.email", "Grace@Example.org")
    found = stand_in(repository)
    assert found is not None
    assert (found.commit.sha, found.own, found.newest) == (mine, True, True)
    assert stand_in_words(found, found.commit.date) == f"your last commit {mine[:7]} 'Change mine', just now"

    repository.commit("Write notes", {"notes.txt": "text\n"}, author=ME)
    found = stand_in(repository)
    assert found is not None
    assert (found.commit.sha, found.newest) == (mine, False)
    assert stand_in_words(found, found.commit.date).startswith("your last commit that changes Python, ")


def test_merges_and_commits_of_very_many_definitions_are_passed_over(make_repository: Callable[..., Any]) -> None:
    repository = make_repository()
    repository.commit("Begin", {"a.py": functions(150), "b.py": functions(3)})
    wanted = repository.commit("Change one", {"b.py": functions(2)})
    repository.commit("Reformat everything", {"a.py": functions(150, "return None")})
    repository.branch("side", "HEAD~1")
    repository.commit("Write notes", {"notes.txt": "text\n"})
    repository.checkout("main")
    repository.merge("side")
    found = stand_in(repository)
    assert found is not None
    assert found.commit.sha == wanted
    assert not found.newest


def test_a_history_without_python_has_none(make_repository: Callable[..., Any]) -> None:
    repository = make_repository()
    repository.commit("Begin", {"notes.txt": "text\n"})
    assert stand_in(repository) is None


def test_what_was_moved_since_is_named_as_it_is_now(make_repository: Callable[..., Any]) -> None:
    repository = make_repository()
    repository.git("config", "user.email", "grace@example.org")
    repository.commit("Begin", {"old/a.py": functions(6)}, author=SOMEBODY)
    mine = functions(6).replace("def f5():\n    pass", "def f5():\n    return 5")
    repository.commit("Change mine", {"old/a.py": mine}, author=ME)
    repository.rename("old/a.py", "new/b.py")
    repository.commit("Move", author=SOMEBODY)
    assert changed(stand_in(repository)) == {("new/b.py", "f5")}


def test_what_the_last_commit_changed_has_a_hint_that_says_so(waited: Any, open_engine: OpenEngine) -> None:
    asking = open_engine(waited.path)
    text = (waited.path / CLIENT).read_text(encoding="utf-8")
    found = asking.hints(CLIENT, text, options=ALL).items
    head = waited.head()[:7]
    assert {hint.definition for hint in found} == {"Client.get", "Client.put", "Client.send"}
    for hint in found:
        assert hint.kind is HintKind.SIMILAR
        assert hint.title.startswith(f"changed in {head}, ")
        assert " · like " in hint.title
        assert text.split("\n")[hint.line].strip().startswith(f"def {hint.definition.split('.')[1]}(")
    assert asking.hints(COLOURS, "RED = 1\n\n\ndef mix(a, b):\n    return a + b\n", options=ALL).items == ()


def test_the_commit_is_not_its_own_evidence(waited: Any, open_engine: OpenEngine) -> None:
    asking = open_engine(waited.path)
    found = asking.hints(CLIENT, (waited.path / CLIENT).read_text(encoding="utf-8"), options=ALL).items
    assert found
    assert all(f"like {waited.head()[:7]}" not in hint.title for hint in found)
    (edit, *_) = asking.snapshot().stand_in.edits
    assert waited.head() not in {one.edit.commit.sha for one in asking.similar(edit, k=0)}


def test_the_setting_turns_them_off(waited: Any, open_engine: OpenEngine) -> None:
    asking = open_engine(waited.path)
    options = HintOptions(threshold=0.0, similar_threshold=0.0, clean_tree=False)
    text = (waited.path / CLIENT).read_text(encoding="utf-8")
    assert asking.hints(CLIENT, text, options=options).items == ()
    edited = asking.hints(CLIENT, text.replace("self.host = None", "self.host = ''"), options=options).items
    assert not any(hint.title.startswith("changed in") for hint in edited)
    assert edited


def test_a_comment_moves_them_with_their_lines(waited: Any, open_engine: OpenEngine) -> None:
    asking = open_engine(waited.path)
    text = (waited.path / CLIENT).read_text(encoding="utf-8")
    before = asking.hints(CLIENT, text, options=ALL).items
    after = asking.hints(CLIENT, "# a comment\n# and another\n" + text, options=ALL).items
    assert [(hint.definition, hint.line + 2) for hint in before] == [(hint.definition, hint.line) for hint in after]
    snapshot = asking.snapshot(unsaved={CLIENT: "# a comment\n" + text})
    assert snapshot.is_clean
    assert differs_without_edits(snapshot.texts)
    assert not differs_without_edits(asking.snapshot().texts)


def test_they_give_way_to_edits_without_a_gap_on_the_edited_definition(waited: Any, open_engine: OpenEngine) -> None:
    asking = open_engine(waited.path)
    text = (waited.path / CLIENT).read_text(encoding="utf-8")
    before = {hint.definition: hint for hint in asking.hints(CLIENT, text, options=ALL).items}
    half_typed = text.replace('"GET", url', '"GET", zzz')
    (own,) = asking.hints(CLIENT, half_typed, options=SIMILAR).items
    assert own.definition == "Client.get"
    assert not own.title.startswith("changed in")

    # Where no past edit is enough like its own edit, the commit's stays on it, with its evidence; the others go.
    assert own.score < before["Client.get"].score
    strict = replace(SIMILAR, similar_threshold=(own.score + before["Client.get"].score) / 2)
    (kept,) = asking.hints(CLIENT, half_typed, options=strict).items
    assert kept == before["Client.get"]
    snapshot = asking.snapshot(unsaved={CLIENT: half_typed})
    behind = asking.engine.edit_behind(snapshot, CLIENT, "Client.get", strict)
    assert behind is not None
    assert behind.commit is not None
    assert asking.engine.edit_behind(snapshot, CLIENT, "Client.get", SIMILAR) in snapshot.edits


def test_where_next_says_smaller_chances_in_the_same_order(waited: Any, open_engine: OpenEngine) -> None:
    asking = open_engine(waited.path)
    snapshot = asking.snapshot()
    editing = snapshot.editing(None)
    assert all(edit.commit is not None and edit.commit.sha == waited.head() for edit in editing)
    calm = asking.engine.next(snapshot, editing, k=0)
    busy = asking.engine.next(asking.workspace.at(waited.head()), editing, k=0)
    assert [(one.path, one.definition) for one in calm] == [(one.path, one.definition) for one in busy]
    assert all(one.score < 0.5 for one in calm)
    assert [one.score for one in calm] != [one.score for one in busy]


def test_what_is_listed_unasked_is_what_is_as_likely_as_not_to_belong_to_the_commit() -> None:
    less, more = AFTER_COMMIT.chances(np.array([0.49, 0.52]))
    assert less < LISTED < more


@pytest.mark.parametrize("subject", ["Short", "A long subject that does not end before the room of a title is used up"])
def test_a_title_is_short(subject: str, waited: Any, open_engine: OpenEngine) -> None:
    text = (waited.path / CLIENT).read_text(encoding="utf-8").replace("timeout=wait_seconds", "timeout=None")
    waited.commit(subject, {CLIENT: text})
    asking = open_engine(waited.path)
    commit = asking.snapshot().stand_in.commit
    (similar, *_) = asking.similar(asking.snapshot().stand_in.edits[0])
    title = changed_title(similar, commit, commit.date + 3_000_000)
    assert len(title) <= 100
    assert title.startswith(f"changed in {commit.sha[:7]}, 1 month ago · like {similar.edit.commit.sha[:7]} '")


def test_the_status_says_what_is_waited_for(waited: Any, make_repository: Callable[..., Any]) -> None:
    found = stand_in(waited)
    head = waited.head()[:7]
    expected = f"no Python code edited so far; using the last commit {head}"
    assert waiting(found, comments=False, asked=True) == expected
    assert waiting(found, comments=True, asked=True).startswith("only comments or white space edited so far; ")
    assert waiting(found, comments=False, asked=False) == "no Python code edited so far"
    assert (
        waiting(None, comments=False, asked=True) == "no Python code edited so far, and no recent commit changes Python"
    )


def test_a_history_that_cannot_be_read_keeps_the_hints_of_edits(waited: Any, open_engine: OpenEngine) -> None:
    """The stand-in's commit is lost; the edit in progress is not."""
    asking = open_engine(waited.path)
    parent = waited.head("HEAD~1")
    objects: Mapping[str, Path] = {
        sha: waited.path / ".git" / "objects" / sha[:2] / sha[2:] for sha in (waited.head("HEAD~1^{tree}"), parent)
    }
    for file in objects.values():
        file.unlink()
    broken = subprocess.run(["git", "fsck"], cwd=waited.path, capture_output=True, check=False)
    assert broken.returncode
    snapshot = asking.snapshot(unsaved={COLOURS: "RED = 1\n\n\ndef mix(a, b):\n    return b + a\n"})
    assert [edit.definition for edit in snapshot.edits] == ["mix"]

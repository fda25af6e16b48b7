"""Which edits a question is about, and what counts as known."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import pytest

from codewm_lsp.cli.asking import NothingToAnswerError, Question, ask
from codewm_lsp.errors import OptionError, RepositoryError
from codewm_lsp.hints import stand_in_of
from codewm_lsp.history import Repository


def asked(builder: Any, **how: str | None) -> Question:
    with Repository.open(builder.path) as repository:
        return ask(repository, partial(stand_in_of, repository), **how)


def names(question: Question) -> list[str]:
    return [f"{edit.path}::{edit.definition}" for edit in question.edits]


def test_a_changed_working_tree_is_asked_about_with_all_of_the_past(history: Any) -> None:
    history.write("server.py", (history.path / "server.py").read_text().replace("limit = 10", "limit = 20"))
    question = asked(history)
    assert names(question) == ["server.py::Handler"]
    assert question.at == question.history == history.head()
    assert question.files is None


def test_of_a_clean_tree_the_last_commit_is_asked_about_with_what_came_before(history: Any) -> None:
    question = asked(history)
    assert names(question) == ["client.py::delete", "server.py::Handler.on_delete"]
    assert question.at == history.head()
    assert question.history == history.head("HEAD~1")
    assert question.files is None


def test_a_revision_is_asked_about_as_if_it_were_head(history: Any) -> None:
    history.write("client.py", "def get(): return 1\n")  # must not matter
    question = asked(history, at="HEAD~1")
    assert names(question) == [f"client.py::{name}" for name in ("get", "post", "put", "delete")]
    assert (question.at, question.history) == (history.head("HEAD~1"), history.head("HEAD~2"))
    assert question.files == history.head("HEAD~1")


def test_one_edit_of_a_revision_is_asked_about_on_its_parent(history: Any) -> None:
    history.write("client.py", "def get(): return 1\n")
    question = asked(history, at="HEAD", editing="client.py::delete")
    assert names(question) == ["client.py::delete"]
    assert "timeout=timeout" in question.edits[0].after
    assert "timeout" not in question.edits[0].before
    assert question.at == history.head()
    assert question.history == question.files == history.head("HEAD~1")


def test_one_edit_of_the_working_tree_can_be_asked_about(history: Any) -> None:
    history.write("client.py", (history.path / "client.py").read_text().replace("timeout=30", "timeout=60"))
    assert len(asked(history).edits) == 4
    assert names(asked(history, editing="client.py::put")) == ["client.py::put"]


def test_a_commit_without_python_edits_is_passed_over(history: Any) -> None:
    last = history.head()
    history.commit("Say yet more", {"notes.txt": "even more\n"})
    question = asked(history)
    assert names(question) == ["client.py::delete", "server.py::Handler.on_delete"]
    assert question.history == history.head(f"{last}~1")


def test_a_merge_is_asked_about_by_its_newest_edits_and_one_of_its_edits_against_its_first_parent(history: Any) -> None:
    history.branch("side", "HEAD~1")
    history.commit("Raise the limit", {"server.py": (history.path / "server.py").read_text().replace("10", "20")})
    history.checkout("main")
    merge = history.merge("side")
    assert names(asked(history)) == ["server.py::Handler"]
    question = asked(history, at=merge, editing="server.py::Handler")
    assert names(question) == ["server.py::Handler"]
    assert question.history == history.head("HEAD^1")


@pytest.mark.parametrize("editing", ["client.py", "::get", "client.py::", ""])
def test_what_is_edited_must_be_named_by_path_and_definition(history: Any, editing: str) -> None:
    with pytest.raises(OptionError, match="PATH::DEFINITION"):
        asked(history, editing=editing)


def test_a_definition_that_was_not_changed_is_wrong_use_and_the_changed_ones_are_named(history: Any) -> None:
    with pytest.raises(OptionError, match=r"client\.py::nothing is not changed in(.|\n)*client\.py::delete"):
        asked(history, at="HEAD", editing="client.py::nothing")
    with pytest.raises(OptionError, match="changes no Python definition"):
        asked(history, at="HEAD~2", editing="client.py::get")


def test_an_unknown_revision_is_wrong_use(history: Any) -> None:
    with pytest.raises(RepositoryError, match="no-such-branch"):
        asked(history, at="no-such-branch")


def test_without_commits_there_is_nothing_to_answer_from(make_repository: Any) -> None:
    empty = make_repository("empty")
    empty.write("new.py", "x = 1\n")
    with pytest.raises(NothingToAnswerError, match="no commits"):
        asked(empty)


def test_the_first_commit_has_nothing_before_it(history: Any) -> None:
    first = history.head("HEAD~6")
    with pytest.raises(NothingToAnswerError, match="the first one"):
        asked(history, at=first, editing="client.py::get")
    with pytest.raises(NothingToAnswerError, match="the first one"):
        asked(history, at=first)


def test_a_history_without_python_gives_nothing_to_ask_about(make_repository: Any) -> None:
    prose = make_repository("prose")
    prose.commit("Write", {"notes.txt": "a\n"})
    with pytest.raises(NothingToAnswerError, match="does not change a Python definition"):
        asked(prose)


def test_where_a_shallow_clone_ends_the_message_says_how_to_get_the_rest(history: Any, make_repository: Any) -> None:
    shallow = make_repository("shallow")
    shallow.git("fetch", "--quiet", "--depth=1", history.path.as_uri(), "main")
    shallow.git("checkout", "--quiet", "FETCH_HEAD")
    with pytest.raises(NothingToAnswerError, match="unshallow"):
        asked(shallow, at="HEAD", editing="client.py::delete")


def test_a_bare_repository_is_asked_about_its_last_commit(history: Any, make_repository: Any) -> None:
    bare = make_repository("bare.git", "--bare")
    bare.git("fetch", "--quiet", str(history.path), "main:main")
    assert names(asked(bare)) == ["client.py::delete", "server.py::Handler.on_delete"]


def test_what_was_written_last_comes_first(history: Any) -> None:
    for number, name in enumerate(("client.py", "server.py")):
        file = history.write(name, (history.path / name).read_text().replace("delete", "remove"))
        os.utime(file, (number, number))
    assert next(edit.path for edit in asked(history).edits) == "server.py"
    os.utime(history.path / "client.py", (9, 9))
    assert next(edit.path for edit in asked(history).edits) == "client.py"

"""A search by words weighs what was learnt of whole commits, and does without where that cannot be read."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codewm_lsp.index import Index, text_search
from codewm_lsp.index import index as index_module
from codewm_lsp.index.commit_ranking import FILE, RELATIONS, SAYS, SHAPE, CommitRanker, learnt_commits, letters, said
from codewm_lsp.index.text_search import FieldWeights

CODE = FieldWeights(subject=0)
PLAIN = FieldWeights(subject=0, learnt=False)


@pytest.fixture
def index(make_repository: Any, tmp_path: Path) -> Any:
    from codewm_lsp.history import Repository

    repository = make_repository("words")
    send = "def send(url):\n    return url\n"
    repository.commit("Begin", {"client.py": send, "tests/test_client.py": "def test_it():\n    assert True\n"})
    repository.commit("Add a timeout", {"client.py": send.replace("url)", "url, timeout)")})
    repository.commit("Remove the timeout", {"client.py": send})
    repository.commit("Test the timeout", {"tests/test_client.py": "def test_it():\n    assert timeout\n"})
    repository.commit("Rename", {"client.py": send.replace("url", "address")})
    with Repository.open(repository.path) as opened:
        commits = list(opened.commits())
    with Index.open("words", "words", folder=tmp_path / "index", edit_size=1) as found:
        found.log.add([(one, np.zeros((len(one.edits), 1), np.float32)) for one in commits])
        yield found, [one.commit.subject for one in commits for _ in one.edits]


def test_of_commits_with_the_same_word_that_comes_first_which_does_what_is_said(index: Any) -> None:
    found, subjects = index
    for text, first in (("add timeout", "Add a timeout"), ("remove timeout", "Remove the timeout")):
        scores = found.text_scores(text, CODE)
        assert subjects[int(np.argmax(scores))] == first
    assert subjects[int(np.argmax(found.text_scores("test timeout", CODE)))] == "Test the timeout"


def test_what_holds_no_word_has_no_score_and_what_holds_one_has_some(index: Any) -> None:
    found, _ = index
    learnt, plain = (found.text_scores("timeout", weights) for weights in (CODE, PLAIN))
    np.testing.assert_array_equal(learnt > 0, plain > 0)
    assert not found.text_scores("add", CODE).any() or (found.text_scores("add", PLAIN) > 0).any()
    assert not found.text_scores("unheard", CODE).any()


def test_the_shapes_and_the_relations_of_commits_are_what_they_say(index: Any) -> None:
    found, subjects = index
    relations, shape = found.text_relations("timeout")
    assert relations.shape == (5, len(RELATIONS))
    assert shape.shape == (5, len(SHAPE))
    row = {subject: number for number, subject in enumerate(dict.fromkeys(subjects))}
    column = {name: shape[:, number] for number, name in enumerate(SHAPE)}
    assert column["tests"][row["Test the timeout"]] == 1
    assert column["tests"][row["Rename"]] == 0
    assert column["added"][row["Begin"]] == 1
    more, less = (relations[:, RELATIONS.index(f"{name} words")] for name in ("added", "removed"))
    assert more[row["Add a timeout"]] > 0 == less[row["Add a timeout"]]
    assert less[row["Remove the timeout"]] > 0 == more[row["Remove the timeout"]]
    near, _ = found.text_relations("clients")
    assert (near[:, RELATIONS.index("letters of place")] > 0).all(), "client.py has most of its letters"


def test_words_and_letters() -> None:
    assert letters("as") == ["<as>"]
    assert letters("word") == ["<wor", "word", "ord>"]
    assert [SAYS[one - 1] for one in said(("removed", "tests", "and", "typing"))] == ["remove", "test"]


def test_the_weights_add_up() -> None:
    relations, shape = np.zeros(2 * len(RELATIONS)), np.zeros((1 + len(SAYS), len(SHAPE)))
    relations[0], relations[len(RELATIONS)] = 2.0, 3.0
    shape[1, 0] = 5.0
    asked = np.zeros((2, len(RELATIONS)))
    asked[:, 0] = 1.0, 4.0
    shapes = np.zeros((2, len(SHAPE)))
    shapes[0, 0] = 1.0
    ranker = CommitRanker(relations, shape)
    assert ranker.scores(asked, shapes, ("word",)).tolist() == [2.75, 11.0]
    assert ranker.scores(asked, shapes, ("adding",)).tolist() == [7.75, 11.0]


def packed(**more: Any) -> bytes:
    known = learnt_commits().ranker
    assert known is not None
    arrays: dict[str, Any] = {"relations": known.relations.astype("<f4"), "shape": known.shape.astype("<f4"), **more}
    file = io.BytesIO()
    np.savez(file, **{name: array for name, array in arrays.items() if array is not None})
    return file.getvalue()


HARMS: dict[str, Callable[[], bytes]] = {
    "no archive": lambda: b"a recipe for soup" * 100,
    "cut short": lambda: FILE.read_bytes()[:-200],
    "of other relations": lambda: packed(relations=np.ones(3, np.float32)),
    "without its shape": lambda: packed(shape=None),
    "no numbers": lambda: packed(relations=np.full(2 * len(RELATIONS), np.nan, np.float32)),
    "of objects": lambda: packed(shape=np.array([{}], dtype=object)),
    "enormous": lambda: packed(shape=np.zeros((1_000, 1_000), np.float32)),
    "against the words": lambda: packed(relations=np.full(2 * len(RELATIONS), -1, np.float32)),
}


@pytest.mark.parametrize("harm", ["missing", *HARMS])
def test_without_what_is_learnt_words_rank_and_one_message_says_so(
    harm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "search.npz"
    if harm != "missing":
        file.write_bytes(HARMS[harm]())
    found = learnt_commits(file)
    assert found.ranker is None
    assert str(file) in found.problem
    assert "Reinstall CodeWM" in found.problem
    monkeypatch.setattr(index_module, "learnt_commits", lambda: found)
    monkeypatch.setattr(text_search, "learnt_commits", lambda: found)
    with Index.open("words", "words", folder=tmp_path / "index", edit_size=1) as opened:
        assert opened.notices == [found.problem]
        assert opened.find("words", k=1) == []

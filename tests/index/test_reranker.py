"""What ranks past edits: the file it is learnt in, what happens without it, and who comes first of equals."""

from __future__ import annotations

import io
import itertools
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codewm_lsp.history import Commit, CommitEdits, Edit, EditKind
from codewm_lsp.index import Blend, Index, Scores, update
from codewm_lsp.index import index as index_module
from codewm_lsp.index.reranker import (
    FILE,
    RELATIONS,
    STEP,
    Compared,
    PlaceParts,
    Reranker,
    following,
    learnt,
    relations,
)
from codewm_lsp.source import DefinitionKind

SIZE = 8


def edit(path: str, definition: str, before: str, after: str, kind: EditKind = EditKind.MODIFIED) -> Edit:
    return Edit(path, definition, DefinitionKind.FUNCTION, kind, before, after, 0, None, None)


def test_what_is_learnt_is_small_and_written_as_it_was_read() -> None:
    found = learnt()
    assert found.problem == ""
    data = FILE.read_bytes()
    assert len(data) <= 10_000
    with zipfile.ZipFile(io.BytesIO(data)) as ours, zipfile.ZipFile(io.BytesIO(found.reranker.to_bytes())) as again:
        assert {name: ours.read(name) for name in ours.namelist()} == {
            name: again.read(name) for name in again.namelist()
        }


def packed(**arrays: Any) -> bytes:
    with np.load(io.BytesIO(FILE.read_bytes())) as archive:
        found: dict[str, Any] = dict(archive)
    written = io.BytesIO()
    np.savez(written, **{name: array for name, array in {**found, **arrays}.items() if array is not None})
    return written.getvalue()


HARMS: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "no archive": lambda: b"a recipe for soup" * 100,
    "cut short": lambda: FILE.read_bytes()[:-200],
    "of other relations": lambda: packed(weights=np.zeros((3, 4), np.float32)),
    "of a later version": lambda: packed(format=np.array([2, len(RELATIONS)], np.int32)),
    "without its offset": lambda: packed(offset=None),
    "no numbers": lambda: packed(bias=np.full_like(learnt().reranker.bias, np.nan)),
    "of objects": lambda: packed(bias=np.array([{}], dtype=object)),
    "enormous": lambda: packed(weights=np.zeros((1_000, 1_000), np.float32)),
}


@pytest.mark.parametrize("harm", ["missing", *HARMS])
def test_without_what_is_learnt_the_blend_ranks_and_one_message_says_so(
    harm: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_history: Callable[..., Any],
    open_repository: Callable[[Path], Any],
    open_index: Callable[..., Any],
    encoder: Any,
) -> None:
    file = tmp_path / "reranker.npz"
    if harm != "missing":
        file.write_bytes(HARMS[harm]())
    found = learnt(file)
    assert str(file) in found.problem
    assert "Reinstall CodeWM" in found.problem
    monkeypatch.setattr(index_module, "learnt", lambda: found)
    repository = open_repository(make_history().path)
    index = open_index(repository)
    assert index.notices == [found.problem]
    update(repository, encoder, index.log)
    asked = repository.edits_of(repository.ancestors()[3]).edits[0]
    vector = encoder.embed_edits([(asked.before, asked.after)])[0]
    blended = index.scores(asked, vector).blended(Blend())
    ranked = [blended[hit.edit.row] for hit in index.search(asked, vector, k=0)]
    assert all(later <= earlier + STEP / 5 for earlier, later in itertools.pairwise(ranked))
    assert ranked[0] == pytest.approx(1, abs=0.01)


def test_the_order_of_the_blend_is_the_blend() -> None:
    random = np.random.default_rng(0)
    table = np.zeros((50, len(RELATIONS)), np.float32)
    table[:, :4] = random.uniform(-0.5, 1, (50, 4))
    scores = Scores(*table[:, :4].T)
    odds = Reranker.of_blend(Blend()).odds(table)
    order = np.argsort(-scores.blended(Blend()))
    assert (np.diff(odds[order]) <= 0).all()
    assert odds == pytest.approx(np.rint(odds / STEP) * STEP)


def test_an_edit_that_no_definition_is_named_of_is_ranked_by_the_blend(asked_edit: Any) -> None:
    index, asked, vector = asked_edit

    def order(one: Edit) -> list[float]:
        blended = index.scores(one, vector).blended(index.blend)
        return [blended[hit.edit.row] for hit in index.search(one, vector, k=0)]

    def falls(scores: list[float]) -> bool:
        return all(later <= earlier + STEP / 5 for earlier, later in itertools.pairwise(scores))

    assert falls(order(replace(asked, definition="")))
    assert not falls(order(asked)), "of a definition the network has its own order"


def test_of_past_edits_that_are_equally_like_the_newer_comes_first(tmp_path: Path) -> None:
    """Three functions of a file got the same line, one after the other; whichever was indexed first."""
    body = "def {0}(url):\n    return get(url)\n"
    vector = np.eye(1, SIZE, dtype=np.float32)
    for order in ([0, 1, 2], [2, 0, 1]):
        items = []
        for number in order:
            commit = Commit(f"{number:040x}", "Ada", 1_700_000_000 + number, f"Change {number}", None)
            one = edit(
                "a.py", ("red", "green", "blue")[number], body.format("f"), body.format("f").replace("url", "link")
            )
            items.append((CommitEdits(commit, (replace(one, commit=commit),), None), vector))
        with Index.open(f"{order}", "a model", folder=tmp_path, edit_size=SIZE) as index:
            index.log.add(items)
            asked = edit("b.py", "other", body.format("g"), body.format("g").replace("url", "link"))
            hits = index.search(asked, vector[0], k=3)
            assert len({hit.score for hit in hits}) == 1
            assert [hit.edit.commit.date - 1_700_000_000 for hit in hits] == [2, 1, 0]
            assert [hit.edit for hit in index.search(asked, vector[0], k=1)] == [hits[0].edit]


def test_what_is_not_considered_comes_after_it_in_the_order_of_the_blend(
    monkeypatch: pytest.MonkeyPatch,
    make_history: Callable[..., Any],
    open_repository: Callable[[Path], Any],
    open_index: Callable[..., Any],
    encoder: Any,
) -> None:
    monkeypatch.setattr(index_module, "CONSIDERED", 5)
    repository = open_repository(make_history(20).path)
    index = open_index(repository)
    update(repository, encoder, index.log)
    asked = repository.edits_of(repository.ancestors()[3]).edits[0]
    vector = encoder.embed_edits([(asked.before, asked.after)])[0]
    blended = index.scores(asked, vector).blended(index.blend)
    hits = index.search(asked, vector, k=0)
    places = [hit.edit.row for hit in hits]
    assert set(places[:5]) == set(np.lexsort((np.arange(len(blended)), -blended))[:5].tolist())
    assert (np.diff(blended[places[5:]]) <= 1e-6).all()
    assert max(hit.score for hit in hits[5:]) <= min(hit.score for hit in hits[:5])
    assert index.search(asked, vector, k=8) == hits[:8]
    chances = index.chances(asked, vector, exclude_definition=(asked.path, asked.definition))
    own = [hit for hit in hits if (hit.edit.path, hit.edit.definition) == (asked.path, asked.definition)]
    assert (chances[[hit.edit.row for hit in own]] == -1).all()
    assert (chances >= 0).sum() == len(hits) - len(own)


def test_others_are_at_most_as_likely_as_the_least_of_those_considered() -> None:
    chances = following(np.array([1.0, -1.0]), np.array([0.8, 0.4, 0.2, -0.1], np.float32))
    assert chances.tolist() == pytest.approx([1 / (1 + np.exp(-1)), *(1 / (1 + np.e) * np.array([1, 0.5, 0]))])
    assert following(np.array([0.0]), np.array([-0.5, -0.6], np.float32)).tolist() == pytest.approx([0.5, 0])
    assert following(np.zeros(0), np.zeros(0, np.float32)).tolist() == []


def test_relations_of_place_and_kind_are_those_of_the_two_places() -> None:
    asked = edit("tests/test_a.py", "Suite.setup", "a", "b", EditKind.ADDED)
    places = [
        PlaceParts.of("tests/test_a.py", "Suite.close"),
        PlaceParts.of("tests/test_b.py", "setup#2"),
        PlaceParts.of("src/a.py", "run"),
    ]
    nothing = np.zeros(3, np.float32)
    compared = Compared(nothing, nothing, np.array([3, 7, 0]))
    scores = Scores(nothing + 2, nothing, nothing, nothing)
    table = relations(asked, 7, scores, compared, places, ["added", "modified", "removed"])
    column = {name: table[:, place].tolist() for place, name in enumerate(RELATIONS)}
    assert column["meaning"] == [1, 1, 1]
    assert column["same path"] == [1, 0, 0]
    assert column["same folder"] == [1, 1, 0]
    assert column["same name"] == [0, 1, 0]
    assert column["same class"] == [1, 0, 0]
    assert column["both tests or neither"] == [1, 1, 0]
    assert column["same kind"] == [1, 0, 0]
    assert column["difference in words"][1] == 0
    assert column["asked: added"] == [1, 1, 1]
    assert column["asked: modified"] == column["asked: removed"] == [0, 0, 0]


def test_what_is_learnt_puts_the_same_change_before_the_same_place(tmp_path: Path) -> None:
    """The words of both sides agree in one past edit, the path and class in another."""
    text = "def load(path):\n    return read(path)\n"
    asked = edit("shop/a.py", "Client.load", text, text.replace("(path)", "(path, timeout=timeout)"))
    same = edit(
        "other/b.py",
        "fetch",
        "def fetch(u):\n    return get(u)\n",
        "def fetch(u):\n    return get(u, timeout=timeout)\n",
    )
    near = edit(
        "shop/a.py", "Client.close", "def close():\n    stop()\n", "def close():\n    stop()\n    colour.mix(red)\n"
    )
    commit = Commit("0" * 40, "Ada", 1_700_000_000, "Change", None)
    vectors = np.array([[0.9, *[0.1] * (SIZE - 1)], [0, 1, *[0] * (SIZE - 2)]], np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with Index.open("one", "a model", folder=tmp_path, edit_size=SIZE) as index:
        items = CommitEdits(commit, (replace(same, commit=commit), replace(near, commit=commit)), None)
        index.log.add([(items, vectors)])
        hits = index.search(asked, np.eye(1, SIZE, dtype=np.float32)[0], k=2)
    assert [hit.edit.definition for hit in hits] == ["fetch", "Client.close"]


def test_the_same_edit_made_elsewhere_leads_before_all_others() -> None:
    """Whatever the place says: the second past edit shares path, class and kind, the first one nothing but the edit."""
    table = np.zeros((2, len(RELATIONS)), np.float32)
    for name in ("meaning", "signed", "unsigned", "added", "removed"):
        table[:, RELATIONS.index(name)] = 1, 0.99
    for name in ("place", "same path", "same folder", "same name", "same class", "both tests or neither", "same kind"):
        table[1, RELATIONS.index(name)] = 1
    for one in (learnt().reranker, Reranker.of_blend(Blend())):
        same, other = 1 / (1 + np.exp(-one.odds(table)))
        assert same > 0.999
        assert other < same

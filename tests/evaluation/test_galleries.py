"""Ranks in a gallery: who asks, who counts, and what becomes of ties."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from codewm_lsp.history import Commit, CommitEdits, Edit, EditKind
from codewm_lsp.source import DefinitionKind
from codewm_model.evaluation.galleries import Draw, Gallery, asking, newest


def gallery(commit: list[int], path: list[int], definition: list[int]) -> Gallery:
    commits = np.array(commit)
    return Gallery(commits, np.array(path), np.array(definition), asking(commits))


def fixed(scores: list[float]) -> NDArray[np.float32]:
    return np.array(scores, np.float32)


def test_the_rank_is_that_of_the_best_sibling() -> None:
    edits = gallery([0, 0, 1, 2], [0, 1, 2, 3], [0, 1, 2, 3])
    (ranks,) = edits.ranks(np.array([0]), lambda row: fixed([1, 0.5, 0.9, 0.1]), [0])
    assert ranks.any.tolist() == [1]  # the edit of commit 1 stands before it
    assert ranks.metrics()["MRR@10"] == (0.5, 1)
    assert ranks.metrics()["R@1"] == (0.0, 1)


def test_other_edits_of_the_query_s_definition_are_neither_right_nor_wrong() -> None:
    edits = gallery([0, 0, 1, 1], [0, 1, 0, 2], [0, 1, 0, 2])
    (ranks,) = edits.ranks(np.array([0]), lambda row: fixed([1, 0.5, 0.9, 0.1]), [0])
    assert ranks.any.tolist() == [0]


def test_a_commit_of_one_definition_does_not_ask() -> None:
    assert gallery([0, 0, 1], [0, 0, 1], [7, 7, 8]).queries.tolist() == []


def test_siblings_in_the_query_s_file_leave_the_gallery_when_another_file_is_sought() -> None:
    edits = gallery([0, 0, 0, 1], [0, 0, 1, 2], [0, 1, 2, 3])
    (ranks,) = edits.ranks(np.array([0]), lambda row: fixed([1, 0.9, 0.5, 0.7]), [0])
    assert ranks.any.tolist() == [0]
    assert ranks.elsewhere.tolist() == [1]


def test_queries_with_all_their_siblings_elsewhere_are_a_figure_of_their_own() -> None:
    edits = gallery([0, 0, 0, 1], [0, 0, 1, 2], [0, 1, 2, 3])

    def score(row: int) -> NDArray[np.float32]:
        return fixed([0.6, 0.5, 0.9, 0.7])

    (ranks,) = edits.ranks(edits.queries, score, [0])
    metrics = ranks.metrics()
    assert ranks.apart.tolist() == [False, False, True]
    assert metrics["MRR@10, sibling in another file"] == (pytest.approx((1 + 1 + 1 / 2) / 3), 3)
    assert metrics["MRR@10, all siblings in other files"] == (pytest.approx(1 / 2), 1)


def commit_of(number: int, size: int) -> CommitEdits:
    who = Commit(f"{number:040x}", "Ada", number, f"Change {number}", None)
    edits = [
        Edit(f"{number}.py", f"f{row}", DefinitionKind.FUNCTION, EditKind.MODIFIED, "a", "b", row, None, who)
        for row in range(size)
    ]
    return CommitEdits(who, tuple(edits), None)


def test_a_draw_takes_commits_of_some_sizes_only_and_all_of_them_ask() -> None:
    commits = [commit_of(number, size) for number, size in enumerate((1, 25, 3, 40))]
    kept, edits = newest(commits, Draw("some", 300, commits=range(2, 33)))
    assert [len(one) for one in kept] == [25, 3]
    assert len(edits.queries) == 28
    kept, edits = newest(commits, Draw("all", 300, 32))
    assert [len(one) for one in kept] == [1, 25, 3, 32]
    assert len(edits.queries) == 3


def test_a_score_that_sees_nothing_gets_what_chance_gets() -> None:
    count = 200
    commit = np.repeat(np.arange(count // 2), 2).tolist()
    edits = gallery(commit, list(range(count)), list(range(count)))
    blind = [
        found.metrics()["MRR@10"][0] for found in edits.ranks(edits.queries, lambda row: fixed([0] * count), [1, 2, 3])
    ]
    expected = sum(1 / (rank + 1) for rank in range(10)) / (count - 1)
    assert np.mean(blind) == pytest.approx(expected, abs=0.01)


def test_a_difference_of_rounding_is_a_tie() -> None:
    edits = gallery([0, 0, *range(1, 40)], list(range(41)), list(range(41)))
    scores = fixed([1, 0.5 + 1e-8, *[0.5] * 39])
    ranks = [found.any[0] for found in edits.ranks(np.array([0]), lambda row: scores, list(range(20)))]
    assert len(set(ranks)) > 5


def test_every_commit_weighs_alike_where_that_is_asked_for() -> None:
    edits = gallery([0, 0, 1, 1, 1, 1], list(range(6)), list(range(6)))

    def score(row: int) -> NDArray[np.float32]:
        return fixed([1, 1, 0, 0, 0, 0])  # found by commit 0, missed by commit 1 in the first two places

    (ranks,) = edits.ranks(edits.queries, score, [0])
    metrics = ranks.metrics()
    assert metrics["MRR@10"][0] == pytest.approx((2 * 1 + 4 / 3) / 6)
    assert metrics["MRR@10, every commit alike"] == (pytest.approx((1 + 1 / 3) / 2), 2)

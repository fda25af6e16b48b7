"""The plain baselines: what a bag holds, and that the fast scores are the textbook ones."""

from __future__ import annotations

import numpy as np
import pytest

from codewm_model.evaluation.bags import K1, B, Bags, bm25, cosine, counted, diff_lines, joined

BAGS = Bags(
    np.array([0, 2, 4, 4, 7]),
    np.array([5, 9, 5, 7, 5, 9, 11], np.uint64),
    np.array([1, -2, 3, 1, -1, -1, 4], np.float32),
)


def dense() -> np.ndarray:
    table = np.zeros((4, 12))
    for row in range(4):
        part = slice(BAGS.offsets[row], BAGS.offsets[row + 1])
        table[row, BAGS.terms[part].astype(int)] = BAGS.counts[part]
    return table


def test_words_are_counted_with_the_direction_of_the_change() -> None:
    words, syntax = counted("def f(a):\n    return a\n", "def f(timeout):\n    return timeout\n")
    assert sorted(words.values()) == [-2, 2]
    assert all(syntax.values())
    assert counted("x = 1\n", "x = 1\n") == ({}, {})


@pytest.mark.parametrize("idf", [False, True])
def test_a_cosine_is_that_of_the_damped_counts(idf: bool) -> None:
    table = np.sign(dense()) * np.log1p(np.abs(dense()))
    if idf:
        table = table * np.log1p(4 / np.maximum((dense() != 0).sum(0), 1))
    unit = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-12)
    for row in range(4):
        assert cosine(BAGS, idf=idf)(row) == pytest.approx(unit @ unit[row], abs=1e-6)


def test_bm25_takes_an_added_word_and_a_removed_one_for_different_terms() -> None:
    scores = bm25(BAGS)(0)
    table = dense()
    length = np.abs(table).sum(1)
    expected = np.zeros(4)
    for term, sign in ((5, 1), (9, -1)):
        count = np.maximum(sign * table[:, term], 0)
        frequency = (count > 0).sum()
        weight = np.log(1 + (4 - frequency + 0.5) / (frequency + 0.5))
        expected += weight * count * (K1 + 1) / (count + K1 * (1 - B + B * length / length.mean()))
    assert scores == pytest.approx(expected, rel=1e-5)


def test_bags_are_picked_and_joined_in_order() -> None:
    both = joined([BAGS.pick(np.array([3, 0])), BAGS.pick(np.array([2, 1]))])
    assert both.offsets.tolist() == [0, 3, 5, 5, 7]
    assert both.terms.tolist() == [5, 9, 11, 5, 9, 5, 7]
    assert both.counts.tolist() == [-1, -1, 4, 1, -2, 3, 1]


def test_the_sentence_encoder_is_given_the_changed_lines_with_their_signs() -> None:
    assert diff_lines("a = 1\nb = 2\n", "a = 1\nb = 3\n") == "-b = 2\n+b = 3"

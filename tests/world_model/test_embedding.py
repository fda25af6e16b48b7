"""The embedding's arithmetic: parts of length one, sums of directions, mixtures of recent edits."""

from __future__ import annotations

import numpy as np

from codewm_lsp.world_model.embedding import (
    CONTEXT,
    CONTEXTUAL,
    EDIT_SIZE,
    LEARNED,
    PLACE,
    SIGNED,
    UNSIGNED,
    compose,
    compose_predicted,
    lexical_sums,
    relations,
    unit,
)
from codewm_lsp.world_model.features import LEXICAL, directions, word_hash

RANDOM = np.random.default_rng(3)


def _rows(count: int, size: int) -> np.ndarray:
    return RANDOM.standard_normal((count, size)).astype(np.float32)


def test_a_lexical_sum_is_the_weighted_sum_of_directions() -> None:
    hashes = np.array([[word_hash("a"), word_hash("b")], [word_hash("b"), 0]], np.uint64)
    weights = np.array([[2.0, -1.0], [0.5, 0.0]], np.float32)
    (total,) = lexical_sums(hashes, weights)
    signs = directions(np.array([word_hash("a"), word_hash("b")], np.uint64))
    np.testing.assert_allclose(total[0], 2 * signs[0] - signs[1])
    np.testing.assert_allclose(total[1], 0.5 * signs[1])


def test_a_composed_edit_has_length_one_and_parts_in_the_given_proportion() -> None:
    parts = np.array([[3.0, 2.0, 1.0, 0.5]], np.float32)
    edit = compose(_rows(1, LEXICAL), _rows(1, LEXICAL), _rows(1, LEXICAL), _rows(1, CONTEXTUAL), parts)
    assert edit.shape == (1, EDIT_SIZE)
    np.testing.assert_allclose(np.linalg.norm(edit), 1, rtol=1e-5)
    lengths = [np.linalg.norm(edit[0, part]) for part in (SIGNED, UNSIGNED, PLACE, LEARNED)]
    np.testing.assert_allclose(np.array(lengths) / lengths[3], parts[0] / 0.5, rtol=1e-4)


def test_a_part_that_is_nothing_leaves_the_others_whole() -> None:
    parts = np.ones((1, 4), np.float32)
    edit = compose(
        np.zeros((1, LEXICAL), np.float32), _rows(1, LEXICAL), _rows(1, LEXICAL), _rows(1, CONTEXTUAL), parts
    )
    np.testing.assert_allclose(np.linalg.norm(edit), 1, rtol=1e-5)
    assert not edit[0, SIGNED].any()


def test_a_prediction_that_only_copies_is_the_recent_edit() -> None:
    recent = unit(_rows(1, EDIT_SIZE))
    lengths = [np.linalg.norm(recent[0, part]) for part in (SIGNED, UNSIGNED, PLACE, LEARNED)]
    predicted = compose_predicted(
        _rows(2, LEXICAL),
        recent,
        np.ones((2, 1), np.float32),
        np.zeros((2, 2), np.float32),
        np.repeat(recent[:, LEARNED], 2, 0),
        np.array([lengths, lengths], np.float32),
    )
    np.testing.assert_allclose(predicted, np.repeat(recent, 2, 0), atol=1e-5)


def test_an_edit_that_removed_the_words_of_a_definition_is_negatively_related_to_it() -> None:
    signs = directions(np.array([word_hash("old"), word_hash("other")], np.uint64))
    recent = np.zeros((1, EDIT_SIZE), np.float32)
    recent[0, SIGNED] = -signs[0]
    related = relations(signs, recent)
    assert related[0, 0, 0] < -0.99
    assert abs(related[1, 0, 0]) < 0.3
    assert CONTEXT <= LEXICAL

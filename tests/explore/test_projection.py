"""Where edits lie on a map: like ones near each other, the same every time, and whatever the vectors are."""

from __future__ import annotations

import numpy as np
import pytest

from codewm_lsp.explore import projection


def crowds(count: int, each: int, size: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Vectors around some middles, and which middle each is of."""
    generator = np.random.default_rng(5)
    middles = generator.normal(size=(count, size))
    of = np.repeat(np.arange(count), each)
    vectors = middles[of] + 0.25 * generator.normal(size=(len(of), size))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), of


def share_of_own(positions: np.ndarray, of: np.ndarray) -> float:
    apart = ((positions[:, None] - positions[None]) ** 2).sum(2)
    np.fill_diagonal(apart, np.inf)
    nearest = np.argsort(apart, axis=1)[:, :10]
    return float((of[nearest] == of[:, None]).mean())


def test_what_is_alike_lies_together_better_than_in_two_linear_directions() -> None:
    vectors, of = crowds(60, 20)
    placed = projection.project(vectors).positions
    linear = projection.directions(vectors)[:, :2]
    assert share_of_own(placed, of) > 0.95
    assert share_of_own(linear, of) < 0.8


def test_the_same_vectors_have_the_same_map() -> None:
    vectors, _ = crowds(8, 30)
    one, other = projection.project(vectors), projection.project(vectors)
    assert np.array_equal(one.positions, other.positions)
    assert np.array_equal(one.neighbours, other.neighbours)


def test_neighbours_are_the_nearest_other_ones_in_their_order() -> None:
    vectors, _ = crowds(5, 40)
    reduced = projection.directions(vectors)
    found = projection.project(vectors).neighbours
    products = reduced @ reduced.T
    np.fill_diagonal(products, -2)
    exact = np.argsort(-products, axis=1)[:, : projection.NEIGHBOURS]
    shared = [len(set(one) & set(other)) for one, other in zip(found.tolist(), exact.tolist(), strict=True)]
    assert np.mean(shared) > 0.9 * projection.NEIGHBOURS
    assert not (found == np.arange(len(found))[:, None]).any()
    along = np.take_along_axis(products, found, 1)
    assert (np.diff(along, axis=1) <= 1e-6).all()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 12, 40])
def test_few_edits_have_a_map(count: int) -> None:
    vectors, _ = crowds(1, max(count, 1))
    found = projection.project(vectors[:count])
    assert found.positions.shape == (count, 2)
    assert ((found.positions >= 0) & (found.positions <= 1)).all()
    assert len(found.neighbours) == count


def test_equal_edits_have_a_map() -> None:
    vectors = np.tile(np.eye(1, 64, dtype=np.float32), (200, 1))
    found = projection.project(vectors).positions
    assert np.isfinite(found).all()
    assert len(np.unique(found, axis=0)) > 150  # beside each other, each to be seen


def test_what_is_computed_grows_with_the_number_of_edits_and_not_with_its_square() -> None:
    steps = [max(projection._FEWEST_STEPS, min(projection._STEPS, projection._WORK // n)) for n in (1_000, 50_000)]
    assert steps == [240, 120]
    near = projection._NEAR * 2 * 50_000**0.5
    assert min(near, projection._CANDIDATES) <= 4_096


def test_regions_part_the_map() -> None:
    vectors, _ = crowds(6, 50)
    of = projection.regions(projection.project(vectors).positions, 6)
    assert of.shape == (300,)
    assert len(np.unique(of)) >= 4

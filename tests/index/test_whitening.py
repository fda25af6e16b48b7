"""Edit vectors in the measure of a repository's own edits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from codewm_lsp.index.store import MEASURE
from codewm_lsp.index.whitening import FEWEST, MOST, SAMPLE, Whitening, sample

Floats = NDArray[np.float32]


def unit(vectors: NDArray[np.floating]) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32)


def habitual(count: int, width: int, seed: int = 0) -> Floats:
    """Edits that nearly all have much of the first direction, to one side or the other."""
    random = np.random.default_rng(seed)
    vectors = random.standard_normal((count, width))
    vectors[:, 0] *= 6
    return unit(vectors)


def test_an_edit_is_one_like_itself() -> None:
    vectors = habitual(400, 16)
    found = Whitening.of(vectors)
    for vector in vectors[:20]:
        assert float(found.query(vector) @ vector) == pytest.approx(1, abs=1e-5)


def test_what_most_edits_share_counts_less_than_what_few_do() -> None:
    found = Whitening.of(habitual(5_000, 16))
    query = unit(np.eye(16)[0] + np.eye(16)[5])
    as_usual, as_few = np.eye(16, dtype=np.float32)[[0, 5]]
    assert query @ as_usual == pytest.approx(query @ as_few)
    asked = found.query(query)
    assert asked @ as_few > 1.3 * (asked @ as_usual)


def test_the_fewer_edits_there_are_the_nearer_it_is_to_the_plain_cosine() -> None:
    query = habitual(1, 16, seed=1)[0]
    turned = [unit(Whitening.of(habitual(count, 16)).query(query)) @ query for count in (100, 1_000, 10_000)]
    assert turned == sorted(turned, reverse=True)
    assert turned[0] > 0.95


def test_edits_that_are_all_alike_break_nothing() -> None:
    vectors = np.tile(np.eye(8, dtype=np.float32)[0], (200, 1))
    asked = Whitening.of(vectors).query(vectors[0])
    assert np.isfinite(asked).all()
    assert asked @ vectors[0] == pytest.approx(1)
    nothing = np.zeros(8, np.float32)
    assert (Whitening.of(vectors).query(nothing) == nothing).all()


def test_the_same_edits_are_measured_until_there_are_half_as_many_again() -> None:
    assert not len(sample(FEWEST - 1))
    assert sample(FEWEST).tolist() == list(range(FEWEST))
    different = {sample(edits).tobytes() for edits in range(FEWEST, 20_000)}
    assert len(different) < 15
    for edits in (FEWEST, 151, 1_000, 19_999):
        rows = sample(edits)
        assert edits / 1.52 <= rows[-1] + 1 <= edits


def test_a_large_index_is_measured_on_a_sample_of_all_of_it() -> None:
    rows = sample(MOST)
    assert len(np.unique(rows)) == SAMPLE
    assert rows[0] == 0
    assert rows[-1] > MOST // 2


def test_a_very_large_index_has_no_measure_of_its_own() -> None:
    assert len(sample(MOST))
    assert not len(sample(MOST + 1))


def test_what_is_out_of_range_does_not_measure(make_range: Callable[[int, int], Any]) -> None:
    whole, part, within, edit, vector = make_range(90, 20)
    assert part.log.size() > FEWEST
    scores = whole.scores(edit, vector, within=within)
    found = {hit.edit.commit.sha + hit.edit.path: hit.meaning for hit in part.search(edit, vector, k=0)}
    hits = whole.search(edit, vector, k=0, within=within)
    assert {hit.edit.commit.sha + hit.edit.path: hit.meaning for hit in hits} == pytest.approx(found, abs=1e-5)
    assert len(scores.meaning) == whole.log.size()
    (plain,) = part.nearest(vector[None], k=0)
    assert [hit.edit.id for hit in plain] != [hit.edit.id for hit in part.search(edit, vector, k=0)]


def test_a_measure_that_was_kept_is_the_same_to_the_last_bit(tmp_path: Path) -> None:
    vectors, file = habitual(400, 16), tmp_path / MEASURE
    made = Whitening.kept(file, b"these", lambda: vectors)
    assert made.inverse.tobytes() == Whitening.of(vectors).inverse.tobytes()
    again = Whitening.kept(file, b"these", _never)
    assert again.inverse.tobytes() == made.inverse.tobytes()
    assert again.mean.tobytes() == made.mean.tobytes() == vectors.mean(0, dtype=np.float64).astype(np.float32).tobytes()
    assert [one.name for one in tmp_path.iterdir()] == [MEASURE]


def test_a_measure_of_others_or_a_damaged_one_is_made_anew(tmp_path: Path) -> None:
    file = tmp_path / MEASURE
    expected = {key: habitual(400, 16, seed) for seed, key in enumerate((b"these", b"others"))}
    for key, vectors in expected.items():
        assert (
            Whitening.kept(file, key, lambda vectors=vectors: vectors).inverse == Whitening.of(vectors).inverse
        ).all()
    whole, vectors = file.read_bytes(), expected[b"others"]
    turned = bytearray(whole)
    turned[-1] ^= 1
    for damaged in (b"", whole[:-4], whole[:20], bytes(turned), whole + b"\0" * 4):
        file.write_bytes(damaged)
        assert (Whitening.kept(file, b"others", lambda: vectors).inverse == Whitening.of(vectors).inverse).all()
        assert file.read_bytes() == whole
    file.unlink()
    file.mkdir()  # cannot be written
    assert (Whitening.kept(file, b"others", lambda: vectors).inverse == Whitening.of(vectors).inverse).all()
    assert [one.name for one in tmp_path.iterdir()] == [MEASURE]


def _never() -> Floats:
    raise AssertionError("measured again")

"""The scorer of past edits as a file of the model bundle."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codewm_lsp.errors import BundleError
from codewm_lsp.index.related import RELATIONS
from codewm_lsp.ranking import scorer_of
from codewm_lsp.ranking.evidence_scorer import shipped_scorer
from codewm_lsp.world_model import WorldModel, shipped
from codewm_lsp.world_model.bundle import EVIDENCE, MAX_BYTES, read_bundle
from tests.ranking.conftest import Put


def test_the_shipped_scorer_is_small_and_written_as_it_was_read() -> None:
    bundle = read_bundle(shipped())
    assert bundle.evidence is not None
    assert len(bundle.evidence) <= 14_000
    assert bundle.bytes <= MAX_BYTES
    with np.load(io.BytesIO(bundle.evidence)) as ours, np.load(io.BytesIO(scorer_of(bundle).to_bytes())) as again:
        assert set(ours) == set(again)
        assert all(np.array_equal(ours[name], again[name]) for name in ours)


def test_the_scorer_does_not_change_what_a_model_is_called(copy: Path, put: Put) -> None:
    """Indexes are named after it: another scorer must not have them built anew."""
    put(EVIDENCE, replace(shipped_scorer(), threshold=0.5).to_bytes())
    changed = WorldModel.load(copy)
    assert changed.hash == WorldModel.load().hash
    assert scorer_of(changed.bundle).threshold == 0.5


def test_a_model_without_a_scorer_gets_the_shipped_one(copy: Path, put: Put) -> None:
    put(EVIDENCE, None)
    assert scorer_of(read_bundle(copy)) is shipped_scorer()


def test_a_scorer_that_was_changed_since_or_is_missing_is_named(copy: Path) -> None:
    data = (copy / EVIDENCE).read_bytes()
    (copy / EVIDENCE).write_bytes(data[:-1])
    with pytest.raises(BundleError, match=r"evidence\.npz is truncated or was changed"):
        read_bundle(copy)
    (copy / EVIDENCE).unlink()
    with pytest.raises(BundleError, match=r"evidence\.npz cannot be read"):
        read_bundle(copy)


def packed(**arrays: Any) -> bytes:
    """The shipped scorer, but for these arrays; None takes one out."""
    with np.load(io.BytesIO(shipped_scorer().to_bytes())) as archive:
        found: dict[str, Any] = {**archive, **arrays}
    out = io.BytesIO()
    np.savez_compressed(out, **{name: array for name, array in found.items() if array is not None})
    return out.getvalue()


BROKEN: dict[str, tuple[Callable[[], bytes], str]] = {
    "no archive": (lambda: b"nothing of the kind", "zip"),
    "an object": (lambda: packed(shift=np.array([{}], dtype=object)), "holds no numbers"),
    "a bomb": (lambda: packed(shift=np.zeros(4 << 20, np.float32)), "unpacks to more than"),
    "other relations": (lambda: packed(relations=np.frombuffer(b"thickness", np.uint8)), "other relations"),
    "a part missing": (lambda: packed(second=None), "second"),
    "a table of another width": (lambda: packed(first=np.zeros((3, 3), np.float32)), "its first is not an array"),
    "no numbers": (lambda: packed(scale=np.full(len(RELATIONS), np.nan, np.float32)), "its scale is not an array"),
    "no number": (lambda: packed(threshold=np.zeros(2, np.float32)), "its threshold is not an array"),
    "words": (lambda: packed(shift=np.array(["a"] * len(RELATIONS))), "holds no numbers"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_scorer_is_data_that_is_refused_with_one_message(copy: Path, put: Put, name: str) -> None:
    make, message = BROKEN[name]
    put(EVIDENCE, make())
    bundle = read_bundle(copy)
    with pytest.raises(BundleError, match=rf"evidence\.npz cannot be used \(.*(?:{message}).*\): leave the model"):
        scorer_of(bundle)


def test_whatever_bytes_vouched_for_end_in_one_message(copy: Path, put: Put) -> None:
    data = bytearray((copy / EVIDENCE).read_bytes())
    chance = np.random.default_rng(0)
    for _ in range(120):
        broken = bytearray(data)
        for at in chance.integers(0, len(data), 3):
            broken[at] ^= int(chance.integers(1, 256))
        put(EVIDENCE, bytes(broken))
        bundle = read_bundle(copy)
        with contextlib.suppress(BundleError):
            scorer_of(bundle)


def test_scores_are_those_of_one_hidden_layer() -> None:
    scorer = shipped_scorer()
    values = np.random.default_rng(0).normal(size=(5, len(RELATIONS))).astype(np.float32)
    hidden = ((values - scorer.shift) * scorer.scale) @ scorer.first + scorer.first_bias
    active = np.array(
        [[h * 0.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * (h + 0.044715 * h**3))) for h in row] for row in hidden]
    )
    assert scorer.scores(values) == pytest.approx(active @ scorer.second + scorer.second_bias, abs=1e-3)

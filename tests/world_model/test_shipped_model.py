"""The model in the package: is it the one that was measured, and does it do what it should?"""

from __future__ import annotations

import importlib.util
import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from codewm_lsp.world_model import EDIT_SIZE, STATE_SIZE, WorldModel, shipped

_SPEC = importlib.util.spec_from_file_location("make_reference", Path(__file__).with_name("make_reference.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
reference = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(reference)


@pytest.fixture(scope="module")
def model() -> WorldModel:
    return WorldModel.load()


def test_vectors_are_those_written_down_when_the_model_was_shipped() -> None:
    stored = json.loads(reference.FILE.read_text(encoding="utf-8"))
    now = reference.vectors()
    assert now["model"] == stored["model"], "another model is shipped: run make_reference.py and look at the difference"
    for name in ("edits", "states", "predicted_edits", "predicted_logits"):
        np.testing.assert_allclose(np.array(now[name]), np.array(stored[name]), atol=5e-3, err_msg=name)


def test_the_bundle_is_small_and_its_card_says_what_it_was_trained_on(model: WorldModel) -> None:
    assert model.bundle.bytes <= 600_000
    metadata = model.bundle.metadata
    assert len(metadata["trained_on"]) >= 15
    assert sum(repository["edits"] for repository in metadata["trained_on"]) >= 80_000
    assert all(len(repository["head"]) == 40 for repository in metadata["trained_on"])
    rows = metadata["evaluation"]["rows"]
    assert all(row["queries"] > 0 and row["random"] < row[metadata["name"]] for row in rows)
    assert (shipped() / "README.md").read_text(encoding="utf-8").startswith(f"# {metadata['name']}")


def test_edits_have_length_one_and_no_edit_is_zero(model: WorldModel) -> None:
    edits = model.embed_edits(reference.EDITS)
    assert edits.shape == (len(reference.EDITS), EDIT_SIZE)
    np.testing.assert_allclose(np.linalg.norm(edits[:-1], axis=1), 1, atol=1e-4)
    assert not edits[-1].any()  # the same text twice


def test_an_edit_is_the_same_alone_and_in_a_batch(model: WorldModel) -> None:
    together = model.embed_edits(reference.EDITS)
    alone = np.concatenate([WorldModel.load().embed_edits([edit]) for edit in reference.EDITS])
    np.testing.assert_allclose(together, alone, atol=2e-4)


def test_like_edits_are_nearer_than_unlike_ones(model: WorldModel) -> None:
    timeout = [
        (f"def {name}(self, url):\n    return self.{call}(url)\n",
         f"def {name}(self, url, timeout=None):\n    return self.{call}(url, timeout=timeout)\n")
        for name, call in (("get", "fetch"), ("post", "send"))
    ]  # fmt: skip
    unlike = ("def area(r):\n    return 3.14 * r * r\n", "def area(r):\n    return math.pi * r**2\n")
    first, second, other = model.embed_edits([*timeout, unlike])
    assert first @ second > 0.5
    assert first @ second > first @ other + 0.3


def test_the_difference_of_two_states_is_like_that_of_a_like_edit(model: WorldModel) -> None:
    def states(*texts: str) -> np.ndarray:
        return model.embed_states(texts)

    before, after, other_before, other_after = states(
        reference.GET,
        reference.GET_DEFAULT,
        "def pop(self, key):\n    return self.queue[key]\n",
        "def pop(self, key, default=None):\n    return self.queue.get(key, default)\n",
    )
    assert before.shape == (STATE_SIZE,)
    one, two = after - before, other_after - other_before
    assert one @ two / np.linalg.norm(one) / np.linalg.norm(two) > 0.5


def test_predictions_have_a_vector_a_score_and_an_action_each(model: WorldModel) -> None:
    edits = model.embed_edits(reference.EDITS[:2])
    predicted = model.predict_next([reference.GET, reference.PUT, reference.LOG], edits)
    assert predicted.edits.shape == (3, EDIT_SIZE)
    assert predicted.logits.shape == (3,)
    assert predicted.actions.shape == (3, 15)
    np.testing.assert_allclose(np.linalg.norm(predicted.edits, axis=1), 1, atol=1e-4)
    assert model.predict_next([], edits).edits.shape == (0, EDIT_SIZE)
    with pytest.raises(ValueError, match="at least one recent edit"):
        model.predict_next([reference.GET], edits[:0])


def test_a_state_can_be_rolled_forward_by_an_action(model: WorldModel) -> None:
    action = np.zeros((1, 15), np.float32)
    action[0, [2, 3]] = 1
    after = model.predict_state([reference.GET], action)
    assert after.shape == (1, 128)
    assert np.isfinite(after).all()


def test_hostile_texts_are_embedded_all_the_same(model: WorldModel) -> None:
    texts = ["(" * 20_000, "x = '" + "a" * 1_000_000 + "'", "\0\0def f(): pass", "\ud800", "é = 'ü'\n" * 50]
    assert np.isfinite(model.embed_states(texts)).all()
    assert np.isfinite(model.embed_edits([(a, b) for a, b in itertools.pairwise(texts)])).all()


def test_the_runtime_imports_no_torch() -> None:
    program = (
        "import sys; from codewm_lsp.world_model import WorldModel; "
        "WorldModel.load().embed_edits([('a = 1', 'a = 2')]); "
        "assert not {'torch', 'onnx'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_numbers_are_the_same_to_the_last_bit_whatever_was_asked_before() -> None:
    texts = [
        f"def get_{name}(self, key={n}):\n    {name} = self.{name}[key]\n    return {name}\n" * (n % 3 + 1)
        for n, name in enumerate(["timeout", "session", "cookies", "x", "headers_of_response", "y27"])
    ]
    pairs = list(itertools.pairwise(texts))
    busy, fresh = WorldModel.load(), WorldModel.load()
    for text in texts:
        busy.embed_states([text])
        busy.embed_edits([("", text), (text, texts[0])])
    recent = fresh.embed_edits(pairs[:2])
    np.testing.assert_array_equal(busy.embed_edits(pairs[:2]), recent)
    told, untold = busy.predict_next(texts, recent), fresh.predict_next(texts, recent)
    np.testing.assert_array_equal(told.logits, untold.logits)
    np.testing.assert_array_equal(told.edits, untold.edits)

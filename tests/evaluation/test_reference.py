"""The paper's released weights: their tokens, their labels, and their rows beside everything else."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.torch import save_file

from codewm_lsp.errors import OptionError
from codewm_model.evaluation.cache import Cache
from codewm_model.evaluation.measurement import Clone, Reference
from codewm_model.evaluation.released_weights import (
    LENGTH,
    ReleasedEncoder,
    ReleasedPredictor,
    deltas,
    label,
    load,
    mended,
    parsed,
    tokens,
)
from codewm_model.evaluation.targets import targets_of

SETTINGS = {
    "vocab_size": 662,
    "model_dim": 8,
    "num_heads": 2,
    "mlp_hidden": 16,
    "encoder_loops": 2,
    "predictor_loops": 2,
    "predictor_depth": 2,
    "action_dim": 7,
}
CLONE = Clone("alpha/orders", Path("nowhere"), "0" * 40)
FUNCTION = "def first(x):\n    return x + 1\n"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the released shape, only smaller."""
    folder = tmp_path_factory.mktemp("reference")
    torch.manual_seed(0)
    encoder = ReleasedEncoder(662, 8, 2, 16, 2)
    torch.nn.init.normal_(encoder.cls_token)
    torch.nn.init.normal_(encoder.attn_pool.query)
    named = {f"state_encoder.{name}": value.contiguous() for name, value in encoder.state_dict().items()}
    predictor = ReleasedPredictor(8, 2, 16, 2, 2, 7)
    named |= {
        f"{'action_encoder.net' if name.startswith('action') else 'predictor'}.{name.removeprefix('action.')}": value
        for name, value in predictor.state_dict().items()
    }
    save_file(named, folder / "frozen.safetensors")
    torch.nn.init.normal_(encoder.attn_pool.query)
    target = {f"state_encoder.{name}": value.contiguous() for name, value in encoder.state_dict().items()}
    save_file(target, folder / "frozen_target.safetensors")
    (folder / "frozen.config.json").write_text(json.dumps(SETTINGS), "utf-8")
    return folder / "frozen.safetensors"


def test_a_function_is_the_tokens_that_the_released_tools_make_of_it() -> None:
    begin, end, depth = 613, 614, 617
    module, definition, give, arguments, added, constant = (
        65,
        39,
        81,
        615,
        13,
        23,
    )  # arguments have no type of their own
    found = tokens(FUNCTION)
    assert len(found) == LENGTH
    kept = found[: found.index(end) + 1]
    assert kept[0] == begin
    assert kept[1:3] == [module, depth]
    assert kept[3:5] == [definition, depth + 1]
    assert 100 <= kept[5] < 612  # the name
    assert kept[6:10] == [arguments, depth + 2, give, depth + 2]
    assert kept[12:15] == [added, depth + 3, 633]  # a sum, and its operator
    assert constant in kept
    assert set(found[len(kept) :]) == {612}


def test_names_are_hashed_alike_in_every_process_and_case_counts() -> None:
    names = [token for token in tokens("foobar") if 100 <= token < 612]
    assert names == [100 + 0xBF9C_F968 % 512]  # the published value of 32-bit FNV-1a for "foobar"
    assert tokens("first = 1") != tokens("First = 1")


def test_only_the_first_tokens_of_a_long_file_are_seen() -> None:
    long = "\n".join(f"name_{number} = {number}" for number in range(500))
    assert len(tokens(long)) == LENGTH
    assert 612 not in tokens(long)
    assert tokens(long) == tokens(long + "\nlast = 'changed'")


@pytest.mark.parametrize(("source", "expected"), [("", [613, 614]), ("  \n", [613, 614]), ("def f(:", [613, 616, 614])])
def test_no_file_and_a_broken_one_have_tokens_of_their_own(source: str, expected: list[int]) -> None:
    assert tokens(source) == expected + [612] * (LENGTH - len(expected))


@pytest.mark.parametrize(
    ("cut", "expected"),
    [
        ("x = 1\n", "x = 1\n"),
        ("@property\n    def size(self):\n        return 1", "@property\ndef size(self):\n    return 1"),
        ("class Client(Base):\n    \n\n", "class Client(Base):\n    \n    pass\n\n"),
        ("if a:\n\nelse:  # no\n    b = 1\n", "if a:\n\n    pass\nelse:  # no\n    b = 1\n"),
        ("  def f(:", "  def f(:"),
        ("x = 1\n    y = 2", "x = 1\n    y = 2"),
    ],
)
def test_a_definition_cut_out_of_its_file_is_made_to_parse_where_it_can_be(cut: str, expected: str) -> None:
    assert mended(cut) == expected
    assert (parsed(expected) is None) == (cut == expected != "x = 1\n")


@given(st.text(alphabet="@cdef:class \n()x=1ifelse", max_size=60))
def test_mending_never_breaks_what_parses(source: str) -> None:
    assert parsed(source) is None or mended(source) == source
    assert mended(source) == source or parsed(mended(source)) is not None


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("", FUNCTION, 0),
        ("", "class A:\n    x = 1\n", 1),
        ("", "import os\n", 2),
        (FUNCTION, "", 3),
        (FUNCTION, FUNCTION.replace("first", "second"), 6),
        (FUNCTION, FUNCTION.replace("x + 1", "x + 1 + 2"), 6),
        ("class A: pass\n", "class B: pass\n", 7),
        (FUNCTION, "import os\n" + FUNCTION, 8),
        (FUNCTION, FUNCTION.replace("1", "2"), 8),  # of the same size: it counts for the module's
        (FUNCTION, "def first(:\n", 8),
    ],
)
def test_the_label_is_edit_type_and_scope(before: str, after: str, expected: int) -> None:
    assert label(before, after) == expected


def test_an_edit_is_the_change_of_its_state_and_an_unseen_one_is_nothing(weights: Path, tmp_path: Path) -> None:
    (reference,) = load([weights])
    long = "\n".join(f"name_{number} = {number}" for number in range(500))
    pairs = [(FUNCTION, FUNCTION + "\nx = 1\n"), (long, long + "\nlast = 1"), ("", FUNCTION)]
    found = deltas(reference, CLONE, pairs, Cache(tmp_path))
    assert found.shape == (3, 8)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [1, 0, 1], atol=1e-5)
    after, before = reference.encode([pairs[0][1]]), reference.encode([pairs[0][0]])
    np.testing.assert_allclose(found[0], (after - before)[0] / np.linalg.norm(after - before), atol=1e-4)


def test_a_version_that_was_encoded_is_not_encoded_again(tmp_path: Path) -> None:
    asked: list[str] = []

    def encode(sources: Sequence[str]) -> NDArray[np.float32]:
        asked.extend(sources)
        return np.array([[len(source), 1] for source in sources], np.float32)

    reference = Reference("counting", "0" * 16, 2, encode)
    deltas(reference, CLONE, [("a", "bb"), ("bb", "ccc")], Cache(tmp_path))
    deltas(reference, CLONE, [("a", "ccc"), ("ccc", "dddd")], Cache(tmp_path))
    assert sorted(asked) == ["a", "bb", "ccc", "dddd"]


def test_released_weights_stand_in_the_tables(weights: Path, tmp_path: Path) -> None:
    arguments = ["--smoke", "--protocols", "e1,e3,e4", "--baselines", "none", "--reference", weights, "--limit", 4]
    program = Path(sys.executable).with_name("codewm")
    rest = ["--seeds", 0, "--cache", tmp_path / "cache", "-o", tmp_path / "out"]
    done = subprocess.run([program, "eval", *map(str, [*arguments, *rest])], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    report = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    system = "the paper's release, frozen"
    first = report["protocols"]["e1"]
    assert first["roles"][system] == "baseline"
    assert system in first["results"]["all edits"]["transition cosine, honest"]
    assert f"copy of the state before ({system})" in first["roles"]
    for protocol in ("e3", "e4"):
        assert report["protocols"][protocol]["roles"][system] == "baseline"
        for setting, metrics in report["protocols"][protocol]["results"].items():
            elsewhere = any(part in setting for part in ("3,000", "four lines or more", "half typed", "first line"))
            assert (system in next(iter(metrics.values()))) == (not elsewhere), setting
    assert "--reference frozen.safetensors" in report["command"]


def test_a_prediction_takes_the_first_numbers_of_an_action(weights: Path) -> None:
    (reference,) = load([weights])
    assert reference.advance is not None
    states, actions = np.ones((3, 8), np.float32), np.random.default_rng(0).random((3, 15), np.float32)
    other = np.concatenate([actions[:, :7], np.zeros((3, 8), np.float32)], 1)
    found = reference.advance(states, actions)
    assert found.shape == (3, 8)
    np.testing.assert_array_equal(found, reference.advance(states, other))
    assert not np.allclose(found[0], found[1])


def test_weights_without_their_target_are_left_out_of_transitions_and_said(weights: Path, tmp_path: Path) -> None:
    for name in ("frozen.safetensors", "frozen.config.json"):
        (tmp_path / name).write_bytes(weights.with_name(name).read_bytes())
    beside, alone = load([weights]), load([tmp_path / "frozen.safetensors"])
    (found,), notes = targets_of([], beside)
    assert notes == ""
    text = "    @property\n    def name(self):\n        return 1\n"
    np.testing.assert_allclose(found.states([text]), beside[0].encode([mended(text)]), atol=1e-6)
    assert not np.allclose(found.states([text]), found.target.states([text]))
    assert targets_of([], alone)[0] == []
    assert "(frozen_target.safetensors) is not next to it" in targets_of([], alone)[1]


def test_what_is_no_released_encoder_is_named_with_the_remedy(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"missing\.config\.json cannot be read .* of the paper's release"):
        load([tmp_path / "missing.safetensors"])
    alone = tmp_path / "alone.safetensors"
    (tmp_path / "alone.config.json").write_text(json.dumps(SETTINGS), "utf-8")
    with pytest.raises(OptionError, match=r"alone\.safetensors"):
        load([alone])
    alone.write_bytes(b"\x80\x04 a pickle, say")
    with pytest.raises(OptionError, match="is not a state encoder of the paper's release"):
        load([alone])
    alone.write_bytes(weights.read_bytes())
    (tmp_path / "alone.config.json").write_text(json.dumps({**SETTINGS, "model_dim": 16}), "utf-8")
    with pytest.raises(OptionError, match="is not a state encoder of the paper's release"):
        load([alone])

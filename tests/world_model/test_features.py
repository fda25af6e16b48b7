"""What the edit encoder is given to read."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from codewm_lsp.world_model.features import directions, edit_features, state_words, structure_tokens, word_hash

BEFORE = "def get(self, key):\n    # look it up\n    return self.store[key]\n"
AFTER = "def get(self, key, timeout=None):\n    # look it up\n    return self.store[key]\n"


def test_words_of_changed_lines_are_told_from_those_around_them() -> None:
    features = edit_features(BEFORE, AFTER, {})
    changed = dict(zip(features.changed.keys, features.changed.net, strict=True))
    assert changed["timeout"] > 0
    assert changed["key"] == 0  # on a changed line, but neither more nor less of it
    assert "store" in features.context.keys
    assert "look" in features.context.keys


def test_a_moved_line_is_an_edit_though_no_word_came_or_went() -> None:
    features = edit_features("def f():\n    a()\n    b()\n", "def f():\n    b()\n    a()\n", {})
    assert not features.empty
    assert not features.changed.net.any()


def test_a_line_changed_inside_a_long_docstring_is_seen() -> None:
    text = 'def f():\n    """First.\n\n    Returns the {} one.\n    """\n'
    features = edit_features(text.format("old"), text.format("new"), {})
    assert {"old", "new"} <= set(features.changed.keys)
    assert "first" in features.context.keys


def test_equal_texts_give_an_empty_edit() -> None:
    assert edit_features(BEFORE, BEFORE, {}).empty
    assert edit_features("", "", {}).empty


def test_of_a_whole_file_only_the_changed_definition_counts() -> None:
    other = "\n\ndef other(alpha):\n    return alpha\n"
    file_edit = edit_features(BEFORE + other, AFTER + other, {})
    assert "alpha" not in file_edit.changed.keys + file_edit.context.keys
    assert file_edit.changed.keys == edit_features(BEFORE, AFTER, {}).changed.keys


def test_a_compound_identifier_is_a_word_of_its_own_beside_its_parts() -> None:
    keys = edit_features("", "x = getHTTPResponse()\n", {}).changed.keys
    assert {"get", "http", "response", "=getHTTPResponse"} <= set(keys)


def test_directions_are_the_same_in_another_process() -> None:
    here = directions(np.array([word_hash("timeout")], np.uint64))[0]
    program = (
        "import numpy as np; from codewm_lsp.world_model.features import directions, word_hash; "
        "print((directions(np.array([word_hash('timeout')], np.uint64))[0] > 0).astype(int).tolist())"
    )
    there = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert there.strip() == str((here > 0).astype(int).tolist())


def test_directions_of_different_words_are_nearly_orthogonal() -> None:
    signs = directions(np.array([word_hash(f"word{i}") for i in range(200)], np.uint64))
    cosines = signs @ signs.T / signs.shape[1]
    assert np.abs(cosines[~np.eye(200, dtype=bool)]).max() < 0.35
    assert abs(signs.mean()) < 0.02


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300), st.text(max_size=300))
def test_any_two_texts_give_finite_features(before: str, after: str) -> None:
    features = edit_features(before, after, {})
    assert np.isfinite(features.changed.numbers).all()
    assert np.isfinite(features.action).all()
    assert len(features.changed.hashes) == len(features.changed.keys)
    state_words(after, {}, most=50)
    ids, depths = structure_tokens(after)
    assert len(ids) == len(depths) >= 1

"""The gate of a word's place: asked for once for each sort of word, and what the network gives for it alone."""

from __future__ import annotations

import numpy as np
import pytest

from codewm_lsp.world_model import WorldModel
from codewm_lsp.world_model.features import state_words
from codewm_lsp.world_model.gates import PlaceGates

TEXT = "def get_timeout(self, key=3):\n    # why it waits\n    return self.store[key] or getTheLongestNameOfThem_27()\n"


class Network:
    """A network by hand, that counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.fails = False

    def __call__(self, identity: np.ndarray, level: np.ndarray, role: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        if self.fails:
            raise ValueError("broken")
        self.asked += 1
        return np.asarray(identity * 1000 + level * 100 + role + numbers.sum(1), np.float32)


def test_the_words_of_a_definition_have_the_gates_that_the_network_gives_them_one_by_one() -> None:
    model = WorldModel.load()
    words = state_words(TEXT, model.bundle.common.ranks(), most=100)
    found = model._place_gates(words.keys, words.role)
    fixed = words.numbers * np.array([0, 0, 0, 0, 1, 1, 1, 0], np.float32)
    for i in range(len(words.keys)):
        one = slice(i, i + 1)
        (alone,) = model._ask_place_gates(words.identity[one], words.level[one], words.role[one], fixed[one])
        assert found[i] == pytest.approx(alone, rel=1e-5)


def test_a_sort_of_word_is_asked_for_once() -> None:
    network = Network()
    gates = PlaceGates({}, network)
    first = gates(["alpha", "=alpha_b", "27"], [0, 3, 12])
    again = gates(["omega", "alpha", "31"], [0, 0, 12])  # as long, and as rare
    assert network.asked == 1
    assert again[0] == again[1] == first[0]
    assert again[2] == first[2]
    assert len(set(first.tolist())) == 3
    gates(["longer than that"], [0])
    assert network.asked == 2
    assert len(gates([], [])) == 0


def test_after_a_failure_the_same_words_are_asked_for_again() -> None:
    network = Network()
    gates = PlaceGates({}, network)
    network.fails = True
    with pytest.raises(ValueError, match="broken"):
        gates(["alpha"], [0])
    network.fails = False
    assert len(gates(["alpha"], [1])) == 1
    assert network.asked == 1

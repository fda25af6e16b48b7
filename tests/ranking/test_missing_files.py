"""The weights of `codewm forgotten`: what is shipped, and what is said where it is not whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from codewm_lsp.errors import BundleError
from codewm_lsp.ranking.boosted_trees import Split, Trees
from codewm_lsp.ranking.companions import SIGNALS, Companions
from codewm_lsp.ranking.missing_files import (
    COLUMNS,
    FILE,
    MissingFiles,
    read_missing_files,
    shipped_missing_files,
    to_arrays,
)

NONE = np.zeros(2, np.int64)


def saved(path: Path, model: MissingFiles) -> Path:
    with path.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **to_arrays(model))
    return path


def test_a_chance_is_the_logistic_of_the_trees(tmp_path: Path) -> None:
    trees = Trees(("best_share",), (Split(0, 0.5, 0.0, -2.0, 2.0),))
    model = read_missing_files(saved(tmp_path / "m.npz", MissingFiles(trees, 0.25)))
    table = np.zeros((2, len(SIGNALS)), np.float32)
    table[1, SIGNALS.index("best_share")] = 1
    chances = model.chances(Companions(NONE, table, NONE, NONE))
    assert chances.tolist() == pytest.approx([1 / (1 + np.exp(2)), 1 / (1 + np.exp(-2))])
    assert model.threshold == 0.25


def test_what_was_in_all_of_many_commits_but_for_exceptions_is_expected_whatever_the_trees_say() -> None:
    model = MissingFiles(Trees(("best_share",), (Split(0, 0.5, 0.0, -2.0, -2.0),)), 0.5)
    pairs = ((20, 20), (61, 62), (60, 62), (19, 20), (61, 64))
    table = np.zeros((len(pairs), len(SIGNALS)), np.float32)
    for row, (count, asked) in enumerate(pairs):
        for name, value in (("best_count", count), ("best_asked", asked), ("sure_share", 0.9)):
            table[row, SIGNALS.index(name)] = value
    none = 1 / (1 + np.exp(2))
    chances = model.chances(Companions(NONE, table, NONE, NONE)).tolist()
    assert chances == pytest.approx([0.9, 0.9, 0.9, none, none])


def test_what_is_shipped_is_small_and_knows_its_signals() -> None:
    model = shipped_missing_files()
    assert FILE.stat().st_size <= 130_000
    assert set(model.trees.signals) <= set(COLUMNS)
    assert 0.3 < model.threshold < 1


def test_weights_that_are_missing_or_broken_say_what_to_do(tmp_path: Path) -> None:
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"no weights")
    other = saved(tmp_path / "other.npz", MissingFiles(Trees(("what",), (Split(0, 0.0, 0.0, 0.0, 1.0),)), 0.5))
    for file in (tmp_path / "missing.npz", broken, other):
        with pytest.raises(BundleError, match="Reinstall CodeWM"):
            read_missing_files(file)

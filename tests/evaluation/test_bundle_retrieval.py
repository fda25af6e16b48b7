"""What a model card says of retrieval, also where there is nothing to retrieve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codewm_lsp.world_model import WorldModel, shipped
from codewm_model.cli.train_command import gain_in_words
from codewm_model.data.repository_corpus import build, load
from codewm_model.evaluation.bundle_retrieval import gained, measure
from codewm_model.evaluation.siblings import Siblings


def found(gains: list[float], commits: list[int]) -> list[Siblings]:
    """What a model achieved on one repository."""
    mean, nan = float(np.mean(gains)) if gains else float("nan"), float("nan")
    return [Siblings(len(gains), 300, mean, nan, nan, 0, nan, np.array(gains), np.array(commits, np.int64))]


@pytest.mark.parametrize(
    ("ours", "said"),
    [
        ([1.0] * 40, "Better than the shipped model here (MRR@10 +0.500"),
        ([0.1] * 40, "Worse than the shipped model here (MRR@10 -0.400"),
        ([0.0, 1.0] * 20, "No better than the shipped model here, beyond chance"),
    ],
)
def test_a_new_model_is_called_better_only_beyond_chance(ours: list[float], said: str) -> None:
    commits = [number // 2 for number in range(40)] if len(set(ours)) == 1 else list(range(40))
    gain = gained(found(ours, commits), found([0.5] * 40, commits))
    assert gain is not None
    assert gain["low"] <= gain["mean"] <= gain["high"]
    words = gain_in_words(gain, Path("mine"))
    assert words.startswith(said)
    assert ("Use it with --model mine" in words) == said.startswith("Better")


def test_the_queries_of_a_commit_count_as_one_observation() -> None:
    ours, theirs = [0.0, 1.0] * 20, [0.5] * 40
    apart = gained(found(ours, list(range(40))), found(theirs, list(range(40))))
    together = gained(found(sorted(ours), [n // 20 for n in range(40)]), found(theirs, [n // 20 for n in range(40)]))
    assert apart is not None
    assert together is not None
    assert together["high"] - together["low"] > 2 * (apart["high"] - apart["low"])
    assert gained(found([], []), found([], [])) is None
    assert "could not be compared" in gain_in_words(None, Path("mine"))


def test_a_history_without_siblings_gives_no_row_and_says_so(make_repository: Any, tmp_path: Path) -> None:
    repository = make_repository("lonely")
    for number in range(4):
        repository.commit(f"Change {number}", {"a.py": f"def f(x):\n    return x + {number}\n"})
    corpus = load(build(repository.path, tmp_path, edits=10))
    models = {"shipped": WorldModel.load(shipped())}
    measured = measure([repository.path], [corpus], models, galleries=[("newest 300 edits", 300, None)])
    assert measured["rows"] == []
    assert measured["gain"] is None
    assert "Nothing was measured" in measured["verdict"]

"""The fit of what ranks commits in a search by words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codewm_lsp.index.commit_ranking import RELATIONS, SAYS, SHAPE, learnt_commits
from codewm_model.ranking import search_fit
from codewm_model.ranking.search_fit import AskedWords, by_ranker, by_words, fit, measured


def galleries(count: int) -> list[list[AskedWords]]:
    """Questions whose words all commits hold alike, and whose shape alone tells which says to add."""
    random = np.random.default_rng(0)
    found = []
    for _ in range(count):
        gallery = []
        for _ in range(20):
            right = int(random.integers(8))
            shape = np.zeros((8, len(SHAPE)))
            shape[right, SHAPE.index("added")] = 1
            gallery.append(AskedWords(np.ones((8, len(RELATIONS))), shape, ("add", "word"), right))
        found.append(gallery)
    return found


def test_a_shape_that_goes_with_a_word_is_learnt() -> None:
    ranker = fit(galleries(3), decay=0.001, epochs=100)
    asked = galleries(4)[3:]
    assert measured(asked, by_words) < 0.6
    assert measured(asked, by_ranker(ranker)) == 1
    shape = ranker.shape[:, SHAPE.index("added")]
    assert shape[0] + shape[1 + SAYS.index("add")] > 1


def test_it_learns_on_train_repositories_alone_and_what_it_writes_can_be_read(
    make_repository: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two", "three"):
        files = [(f"Handle {name}{n}", {f"{n}.py": f"def run():\n    return {name}{n}\n"}) for n in range(24)]
        make_repository(f"own+{name}").commit_many(files)
    monkeypatch.setattr(search_fit, "sets", lambda: {"train": ("own/one", "own/two"), "validation": ("own/three",)})
    output = tmp_path / "search.npz"
    search_fit.main(["--repos", str(tmp_path), "--cache", str(tmp_path / "cache"), "--output", str(output)])
    report = json.loads(capsys.readouterr().out)
    assert report["repositories"] == [2, 1]
    assert report["questions"] == [48, 24]
    assert report["validation"] == 1
    assert learnt_commits(output).ranker is not None

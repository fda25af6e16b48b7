"""What the measure of search by words says: a rank for each commit asked about, and an interval."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codewm_lsp.history import Repository
from codewm_model.evaluation import word_search


@pytest.fixture
def commits(make_repository: Any) -> list[Any]:
    """Thirty commits, each about a word of its own that is also in what it changes."""
    repository = make_repository("words")
    words = [f"word{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(30)]
    repository.commit_many([(f"Handle {word}", {f"{word}.py": f"def run():\n    return {word}\n"}) for word in words])
    with Repository.open(repository.path) as opened:
        return [one for one in opened.commits() if one.edits]


def test_a_commit_is_found_by_a_word_that_it_changed_and_its_subject_is_not_in_the_index(commits: list[Any]) -> None:
    found = word_search.measure(commits, 30, 0)
    assert all(len(ranks) == 30 for ranks in found.values())
    assert found[word_search.OWN].mean() == 1
    assert found[word_search.RANDOM].mean() < 0.5


def test_a_further_system_is_measured_as_the_others_are(commits: list[Any]) -> None:
    edits = sum(len(one.edits) for one in commits)

    def right(number: int) -> Any:
        return (np.arange(edits) == number).astype(float)

    assert word_search.measure(commits, 10, 0, further={"told": right})["told"].tolist() == [1.0] * 10


def test_the_table_has_intervals_and_the_difference_to_the_best_baseline(
    make_repository: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        files = [(f"Handle {name}{n}", {f"{n}.py": f"def run():\n    return {name}{n}\n"}) for n in range(12)]
        make_repository(f"own+{name}").commit_many(files)
    monkeypatch.setenv("CODEWM_REPOS", str(tmp_path))
    monkeypatch.setattr(word_search, "sets", lambda: {"validation": ("own/one", "own/two")})
    word_search.main(["--cache", str(tmp_path / "cache"), "--seeds", "0", "--limit", "12"])
    said = capsys.readouterr().out
    assert "2 repositories, 24 commits asked about a seed" in said
    assert "| codewm search | 1.000 | 1.000 to 1.000 |" in said
    assert "codewm search against BM25 over changed words" in said
    assert "95 % interval" in said

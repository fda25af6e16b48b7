"""What is measured while nothing is edited: an author's commit, and what the same author changes next."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codewm_lsp.hints.stand_in import CleanTree
from codewm_lsp.history import Repository
from codewm_lsp.ranking.ranker_file import shipped_ranker
from codewm_model.ranking.clean_tree_fit import ANYWHERE, GLANCED, OPENED, SIZE, fit, looks, main


@pytest.fixture
def history(make_repository: Callable[..., Any]) -> Any:
    """One author changes two functions of one file, then two of the other, and so on; another one does nothing."""
    repository = make_repository("owner+name")
    text = "\n\n".join(f"def f{number}():\n    return {{0}}\n" for number in range(5))
    for number in range(40):
        path = ("a.py", "b.py")[number % 2]
        changed = text.format(0).split("\n\n\n")
        changed[:2] = [one.replace("return 0", f"return {number}") for one in changed[:2]]
        repository.commit(f"Change {number}", {path: "\n\n\n".join(changed)})
    repository.commit("Write notes", {"notes.txt": "text\n"}, author="B <b@example.org>")
    return repository


def test_a_look_knows_what_the_author_changes_next(history: Any) -> None:
    with Repository.open(history.path) as repository:
        found = list(looks(repository, shipped_ranker(), 20))
    assert found
    for look in found:
        assert look[SIZE] == [[5.0]]
        assert [row[1] for row in look[OPENED]].count(1.0) == 2  # of the other file's five, the next commit changes two
        assert all(now <= soon for where in (OPENED, GLANCED, ANYWHERE) for _, now, soon in look[where])
        assert look[ANYWHERE] == sorted(look[ANYWHERE], key=lambda row: -row[0])


def test_the_calibration_is_found_again() -> None:
    random, truth = np.random.default_rng(0), CleanTree(slope=0.5, intercept=-1.0)
    said = random.uniform(0.01, 0.99, 20_000)
    right = random.uniform(size=len(said)) < truth.chances(said)
    found = fit(
        [{ANYWHERE: [[chance, 0.0, float(one)]]} for chance, one in zip(said.tolist(), right.tolist(), strict=True)]
    )
    assert abs(found.slope - truth.slope) < 0.05
    assert abs(found.intercept - truth.intercept) < 0.05


def test_the_command_reports_what_it_gathered_once(
    history: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--repos", str(history.path.parent), "--cache", str(tmp_path / "cache"), "--train", "owner/name"]
    main([*arguments, "--validation"])
    said = capsys.readouterr().out
    report = json.loads(said[said.index("\n{") :])
    assert report["train"]["looks"] > 0
    assert report["fitted"].startswith("CleanTree(")
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_text("[]", encoding="utf-8")
    with pytest.raises(SystemExit, match="Nothing to fit on"):  # what was kept is read, not worked out again
        main([*arguments, "--validation"])

"""How `codewm forgotten` is measured and learnt: the questions, the rules beside it, and what is counted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from codewm_lsp.history import Repository
from codewm_lsp.history.changed_files import ChangedFiles, FileEvent, FileTouch
from codewm_lsp.ranking.boosted_trees import Node, Split, Trees
from codewm_lsp.ranking.companions import FilePast
from codewm_lsp.ranking.missing_files import read_missing_files
from codewm_model.data.hidden_files import CochangeRule, questions_of, together
from codewm_model.evaluation import repositories
from codewm_model.evaluation.forgotten_files import Candidates, at_warned, measure, ruled
from codewm_model.evaluation.forgotten_files import coupled as plain
from codewm_model.ranking import missing_files_fit
from codewm_model.ranking.boosting import mean_of


def past_of(*commits: str, days: int = 1) -> FilePast:
    """Commits of these files, the oldest first, ``days`` apart."""
    found = [
        ChangedFiles(f"{n:040x}", "a", n * days * 86_400, tuple(FileTouch(p, FileEvent.MODIFIED) for p in text.split()))
        for n, text in enumerate(commits)
    ]
    return FilePast(found[::-1])


def test_one_flag_is_right_one_is_made_good_later_and_a_whole_commit_is_warned() -> None:
    said = Candidates(
        score=np.array([0.9, 0.8, 0.7, 0.6, 0.9, 0.2]),
        right=np.array([True, False, False, False, False, False]),
        later=np.array([False, True, False, False, False, False]),
        question=np.array([0, 0, 0, 0, 1, 2]),
    )
    hides = np.array([True, False, False])
    found = measure("", said, 0.5, hides)
    assert (found.flags, found.precision, found.recall, found.warned) == (3, 1 / 3, 1, 1 / 2)
    assert found.later == pytest.approx(2 / 3)
    assert measure("", said, 0.5, hides, most=None).flags == 4
    assert measure("", said, 0.95, hides).flags == 0


def test_the_rule_of_cochange_wants_support_confidence_and_lift() -> None:
    past = past_of(*["a b"] * 4, *["c"] * 12)
    assert CochangeRule(past).confidences(["a"], 16) == {past.number["b"]: pytest.approx(1.0)}
    assert not CochangeRule(past).confidences(["a"], 3)  # three commits are too few
    always = past_of(*["a b"] * 9, "b")
    assert not CochangeRule(always).confidences(["a"], 10)  # b changes in all commits: no lift


def test_the_rule_of_cochange_forgets_by_half_a_year_and_skips_large_commits() -> None:
    past = past_of(*["a b"] * 4, *["a"] * 4, *["z"] * 150, days=365)
    said = CochangeRule(past).confidences(["a"], 158)
    assert said == {past.number["b"]: pytest.approx(sum(0.5**n for n in range(4, 8)) / sum(0.5**n for n in range(8)))}
    large = " ".join(f"f{n}" for n in range(30))
    past = past_of(*["a b"] * 4, *[f"a {large}"] * 4, *["z"] * 9)
    assert CochangeRule(past).confidences(["a"], 17) == {past.number["b"]: pytest.approx(1.0)}


def test_questions_of_several_repositories_are_told_apart(coupled: Any) -> None:
    with Repository.open(coupled.path) as repository:
        one = questions_of(repository, commits=24, newest=0.2)
    assert (len(one.hides), int(one.hides.sum())) == (48, 24)
    both = together([one, one])
    assert len(both.hides) == 96
    assert both.question.max() == one.question.max() + 48
    assert measure("", plain(one), 0.8, one.hides).recall == 1
    for said in (plain, ruled):
        assert measure("", said(both), 0.5, both.hides).recall == measure("", said(one), 0.5, one.hides).recall


def _numbers(nodes: Iterable[Node]) -> Iterator[float]:
    for one in nodes:
        if isinstance(one, float):
            yield one
        else:
            yield one.threshold
            yield from _numbers((one.low, one.high))


def test_a_short_number_is_near_the_long_one() -> None:
    for number in (0.0, 1e-35, 0.3333, 2.5, -4.5538251, 123456.0):
        assert missing_files_fit._short(number) == pytest.approx(number, rel=3e-4)


def test_the_mean_of_trees_says_what_they_say_on_average() -> None:
    one = Trees(("a",), (Split(0, 0.5, 0.0, -1.0, 3.0),))
    other = Trees(("b", "a"), (Split(1, 0.0, 0.0, 1.0, Split(0, 2.0, 0.0, 5.0, 7.0)),))
    mean = mean_of([one, other])
    values = {"a": np.array([0.0, 1.0, 1.0]), "b": np.array([0.0, 1.0, 3.0])}
    said = [trees.scores([values[name] for name in trees.signals]) for trees in (one, other, mean)]
    np.testing.assert_allclose(said[2], (said[0] + said[1]) / 2)


def test_fit_and_measure_are_two_commands(coupled: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clones = tmp_path / "clones"
    clones.mkdir()
    coupled.path.rename(clones / "us+coupled")
    monkeypatch.setenv(repositories.VARIABLE, str(clones))
    monkeypatch.setattr(repositories, "sets", lambda: dict.fromkeys(("train", "validation", "test"), ("us/coupled",)))
    monkeypatch.setitem(missing_files_fit.SETTINGS, "min_data_in_leaf", 1)
    weights, cache = tmp_path / "weights.npz", tmp_path / "cache"
    missing_files_fit.main(commits=30, cache=cache, output=weights)
    model = read_missing_files(weights)
    assert model.trees.roots
    assert all(number == missing_files_fit._short(number) for number in _numbers(model.trees.roots))
    monkeypatch.setattr("codewm_model.evaluation.forgotten_files.shipped_missing_files", lambda: model)
    import typer

    from codewm_model.evaluation.forgotten_files import main

    app = typer.Typer()
    app.command()(main)
    done = CliRunner().invoke(app, ["--set", "test", "--cache", str(cache), "-o", str(tmp_path / "report")])
    assert done.exit_code == 0, done.output
    record = json.loads((tmp_path / "report" / "forgotten.json").read_text("utf-8"))
    assert (record["whole"], record["hidden"]) == (24, 24)
    rows = {(row["rule"], row["threshold"]): row for row in record["rows"]}
    assert rows["codewm forgotten", model.threshold]["precision"] == 1
    assert rows["cochange 0.1", 0.8]["warned"] == 0
    assert "| us/coupled |" in (tmp_path / "report" / "forgotten.md").read_text("utf-8")


def test_the_recall_where_so_few_whole_commits_are_warned_is_told_with_its_interval() -> None:
    hides = np.array([True] * 10 + [False] * 10)
    right = np.array([True] * 10 + [False] * 10)
    score = np.concatenate([np.arange(10) / 10, np.arange(10) / 10])
    none = np.zeros(20, dtype=bool)
    said = Candidates(score, right, none, np.arange(20))
    found = at_warned([said, said], [hides, hides], share=0.3)
    assert (found.recall, found.low, found.high) == (pytest.approx(0.3), pytest.approx(0.3), pytest.approx(0.3))
    warned = measure("", said, found.threshold, hides).warned
    assert warned <= 0.3 < measure("", said, found.threshold - 0.1, hides).warned
    assert at_warned([said], [hides], share=0.0).recall == 0

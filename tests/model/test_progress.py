"""What a person sees while a model trains: figures that tell a collapse or a gain, in words, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from codewm_model.cli.train_progress import Progress

TRANSITION = {
    "stage": "transition",
    "step": 6,
    "evaluation": True,
    "copy_indicator": 0.7553,
    "rank_online": 22.27,
    "rank_target": 20.5,
    "feature_std": 2.345,
    "feature_std_target": 2.369,
    "knn@1": 0.625,
    "knn@5": 0.825,
    "copy_knn@5": 0.725,
    "transition_cosine": 0.037,
    "seconds": 1.5,
}


def said(record: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> str:
    with Progress() as progress:
        progress.record(record)
    return " ".join(capsys.readouterr().err.split())


def test_an_evaluation_is_one_line_of_figures_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    line = said(TRANSITION, capsys)
    assert line.startswith(
        "transition 6: copy indicator 0.755 · effective rank 22.3 (target 20.5) · feature std 2.35 ("
    )
    assert "KNN@5 0.82 (of a copy 0.72)" in line or "KNN@5 0.83 (of a copy 0.72)" in line
    assert "knn@1" not in line
    assert "1.5" not in line


def test_the_figures_of_a_stage_that_has_none_of_these_are_all_shown(capsys: pytest.CaptureFixture[str]) -> None:
    record = {"stage": "mine", "step": 3, "evaluation": True, "an/other": 0.5, "seconds": 2.0}
    assert said(record, capsys) == "mine 3: an/other 0.5"


def test_in_a_file_each_bar_is_a_few_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress:
        for done in range(1, 1_001):
            progress.mining("project", done, 1_000)
        for done in range(1, 251):
            progress.step("edit", done, 250, 1 / done)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:3] == [f"Reading edits of project: {done} of at most 1,000" for done in (1, 200, 400)]
    assert lines[-1] == "training: edit 250/250 · loss 0.004"
    assert len(lines) == 12


def test_the_stages_to_come_are_shown_before_the_first_ends(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress:
        progress.stages({"transition": 0, "edit": 250, "next": 150})
        progress.step("edit", 1, 250, 0.5)
    assert capsys.readouterr().err.splitlines() == ["training: edit 0/250", "training: next 0/150"]


def test_a_collapse_is_said_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    assert "COLLAPSE at step 3" in said({**TRANSITION, "alarm": "COLLAPSE at step 3: the target follows"}, capsys)

"""``log.jsonl``: what is read of it, and how it is cut back when a run goes on from a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

from codewm_model.artifacts.training_log import forget_after, read_log


def record(stage: str, step: int) -> dict[str, object]:
    return {"stage": stage, "step": step, "loss": 1.0}


def written(file: Path, *records: dict[str, object], tail: str = "") -> Path:
    file.write_text("".join(json.dumps(one) + "\n" for one in records) + tail, encoding="utf-8")
    return file


def test_a_line_cut_short_by_a_kill_is_passed_over(tmp_path: Path) -> None:
    file = written(tmp_path / "log.jsonl", record("edit", 1), record("edit", 2), tail='{"stage": "edit", "st')
    assert read_log(file) == [record("edit", 1), record("edit", 2)]


def test_lines_that_are_no_records_are_passed_over(tmp_path: Path) -> None:
    tail = '[1, 2]\nnull\n{"stage": "elsewhere", "step": 1}\n{"step": 3}\n{"stage": "next", "step": "3"}\n'
    assert read_log(written(tmp_path / "log.jsonl", record("next", 3), tail=tail)) == [record("next", 3)]


def test_no_file_has_no_records(tmp_path: Path) -> None:
    assert read_log(tmp_path / "log.jsonl") == []


def test_steps_after_the_checkpoint_are_forgotten_and_earlier_stages_kept(tmp_path: Path) -> None:
    before = [record("transition", 900), record("next", 10), record("predictor", 5)]
    file = written(tmp_path / "log.jsonl", *before, record("predictor", 6))
    assert forget_after(file, "predictor", 5) == before
    assert read_log(file) == before

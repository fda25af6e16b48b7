"""E6: predicted edits against those that came."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from codewm_lsp.history import Edit, EditKind, file_edits
from codewm_lsp.world_model import WorldModel
from codewm_model.evaluation.measurement import RANDOM, Clone, EvaluatedModel, Settings
from codewm_model.evaluation.what_next import (
    COPY,
    MEAN,
    ORACLE,
    OWN,
    RECENT,
    REPLAY,
    SEEN,
    Likeness,
    WhatNext,
    bootstrap,
    replayed,
)


def edit(before: str, after: str) -> Edit:
    (found,) = file_edits("a.py", before, after)
    assert found.kind is EditKind.MODIFIED
    return found


def test_predictions_and_nulls_are_ranked_among_older_edits(clones: Path) -> None:
    model = WorldModel.load()
    candidate = EvaluatedModel("shipped", model.hash, model.bundle.folder, model, None, False)
    clone = Clone("alpha/orders", clones / "alpha+orders", "")
    protocol = WhatNext(distractors=30)
    outcome = protocol.run([clone], [candidate], Settings(), lambda what, done, of: None)
    assert not outcome.left_out
    figures = {(one.setting, one.system, one.metric): one for one in outcome.figures}
    systems = {system for setting, system, _ in figures if setting == "true edit among 30 older ones"}
    assert systems == {"shipped", COPY, REPLAY, OWN, MEAN, RANDOM}
    assert len({one.n for one in outcome.figures if one.setting != SEEN}) == 1
    cosine = {system: figures["true edit among 30 older ones", system, "cosine"].value for system in systems}
    assert cosine[RANDOM] < cosine["shipped"] <= 1
    shown = ("shipped", candidate.blend, COPY, RECENT, ORACLE)
    seen = {system: figures[SEEN, system, "likeness, best of 3"].value for system in shown}
    assert max(seen.values()) == seen[ORACLE]
    low, high = outcome.extra["shipped"]["0"]["shipped"]["95 %"]
    assert low <= cosine["shipped"] <= high
    assert set(outcome.extra["shipped"]["0"][COPY]) == {"cosine", "95 %", "model above it", "95 % of that"}


def test_a_repository_with_too_small_a_past_is_left_out(clones: Path) -> None:
    model = WorldModel.load()
    candidate = EvaluatedModel("shipped", model.hash, model.bundle.folder, model, None, False)
    clone = Clone("alpha/orders", clones / "alpha+orders", "")
    outcome = WhatNext().run([clone], [candidate], Settings(), lambda what, done, of: None)
    assert outcome.figures == []
    assert "1,000" in outcome.left_out["alpha/orders"]


def test_a_revealed_edit_is_replayed_wherever_its_words_stand() -> None:
    renamed = edit("def f(wait):\n    return get(wait)\n", "def f(patience):\n    return get(patience)\n")
    assert replayed(renamed, "def g(wait):\n    sleep(wait + waiting)\n") == (
        "def g(patience):\n    sleep(patience + waiting)\n"
    )
    longer = edit("def f():\n    return get(url)\n", "def f():\n    return get(url, timeout=3)\n")
    assert "timeout=3" in replayed(longer, "def g():\n    x = get(url)\n")
    assert replayed(longer, "def g():\n    return 1\n") == "def g():\n    return 1\n"
    shorter = edit("def f():\n    log(url)\n    return get(url)\n", "def f():\n    return get(url)\n")
    assert "log" not in replayed(shorter, "def f():\n    log(url)\n    return 2\n")


def test_likeness_sees_direction_and_rare_words() -> None:
    past = [
        edit("def f():\n    return 1\n", "def f():\n    return timeout\n"),
        edit("def f():\n    return timeout\n", "def f():\n    return 1\n"),
        *(edit("def f():\n    return 1\n", f"def f():\n    return self.x{number}\n") for number in range(6)),
    ]
    like = Likeness(past).to(edit("def g():\n    return 2\n", "def g():\n    return timeout\n"))
    assert int(np.argmax(like)) == 0
    assert like[1] < 0


def test_the_interval_draws_whole_commits() -> None:
    values = np.repeat([0.0, 1.0], 50)
    one = bootstrap(values, [0] * 50 + [1] * 50, 0)
    many = bootstrap(values, list(range(100)), 0)
    assert one == (0.0, 1.0)
    assert many[0] == pytest.approx(0.4, abs=0.03)
    assert many[1] == pytest.approx(0.6, abs=0.03)

"""E6: predicted edits against those that came."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from codewm_lsp.history import Edit, EditKind, file_edits
from codewm_lsp.world_model import WorldModel
from codewm_model.evaluation.asked_places import HistoryGallery
from codewm_model.evaluation.likeness import Likeness
from codewm_model.evaluation.measurement import RANDOM, Clone, EvaluatedModel, Role, Settings
from codewm_model.evaluation.shown_edits import FITTING, METRICS, OWN_CITATION, SAID, Citations, Pool, qualities
from codewm_model.evaluation.what_next import (
    ALONE,
    CITED,
    COPY,
    ELSEWHERE,
    EXISTED,
    MEAN,
    NEAREST,
    ORACLE,
    OWN,
    RECENT,
    REPLAY,
    SEEN,
    TOLD,
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
    assert systems == {"shipped", ALONE, TOLD, COPY, REPLAY, OWN, MEAN, RANDOM}
    assert len({one.n for one in outcome.figures if one.setting == "true edit among 30 older ones"}) == 1
    cosine = {system: figures["true edit among 30 older ones", system, "cosine"].value for system in systems}
    assert cosine[RANDOM] < cosine["shipped"] <= 1
    shown = ("shipped", candidate.blend, NEAREST, COPY, RECENT, RANDOM, ORACLE)
    for setting in (SEEN, EXISTED):
        assert {system for one, system, _ in figures if one == setting} == set(shown)
        assert {metric for one, _, metric in figures if one == setting} == set(METRICS)
        seen = {system: figures[setting, system, "likeness, best of 3"].value for system in shown}
        assert max(seen.values()) == seen[ORACLE]
    assert figures[EXISTED, ORACLE, SAID].n < figures[SEEN, ORACLE, SAID].n
    for system in (candidate.blend, NEAREST):
        own, said = (figures[CITED, system, metric] for metric in (OWN_CITATION, SAID))
        assert 0 <= own.value <= said.value <= 1
        assert own.n % 5 == 0
    assert figures[CITED, NEAREST, SAID].value == 1
    low, high = outcome.extra["shipped"]["0"]["shipped"]["95 %"]
    assert low <= cosine["shipped"] <= high
    assert set(outcome.extra["shipped"]["0"][COPY]) == {"cosine", "95 %", "model above it", "95 % of that"}


def test_another_repository_says_how_much_of_the_oracle_is_chance(clones: Path) -> None:
    model = WorldModel.load()
    candidate = EvaluatedModel("shipped", model.hash, model.bundle.folder, model, None, False)
    both = [Clone(name, clones / name.replace("/", "+"), "") for name in ("alpha/orders", "beta/sensors")]
    outcome = WhatNext(distractors=30).run(both, [candidate], Settings(limit=5), lambda what, done, of: None)
    assert not outcome.left_out
    for clone in both:
        found = {
            one.system: one.value
            for one in outcome.figures
            if (one.repository, one.setting, one.metric) == (clone.name, SEEN, "likeness, best of 3")
        }
        assert found[ELSEWHERE] < found[ORACLE]
    assert outcome.roles[ELSEWHERE] is Role.BOUND


def test_what_is_not_shown_counts_as_nothing() -> None:
    like = np.array([[0.6, 0.5, 0.4], [-0.2, 0.3, 0.1], [0.3, 0.3, 0.3]])
    beside = np.array([True, False, True])
    names = dict(zip(METRICS, qualities(np.array([0, 1]), like, beside), strict=True))
    assert names["likeness, mean of 3"] == pytest.approx(0.4 / 3)
    assert names["likeness, best of 3"] == 0.6
    assert names["unsigned words, mean of 3"] == pytest.approx(0.8 / 3)
    assert names["vectors, best of 3"] == 0.4
    assert names[FITTING] == 1
    assert names[SAID] == 1
    assert dict(zip(METRICS, qualities(np.array([1]), like, beside), strict=True))[FITTING] == 0
    assert set(qualities(np.array([], dtype=np.int64), like, beside)) == {0.0}


def test_a_citation_is_of_its_own_where_no_other_place_has_it() -> None:
    cited = Citations()
    cited.add("one", [1, 2, 2, None, 3])
    assert cited.found["one"] == [(1, 1), (0, 1), (0, 1), (0, 0), (1, 1)]


def test_a_commit_is_like_an_edit_where_it_changed_something_else_alike() -> None:
    waits = edit("def f():\n    return get(1)\n", "def f():\n    return get(1, timeout=3)\n")
    other = edit("def g():\n    return 1\n", "def g():\n    return x\n")
    gallery = HistoryGallery((waits, other, waits, other), np.array([0, 0, 1, 2]))
    pool = Pool(gallery, np.zeros((4, 2), dtype=np.float32), Likeness(gallery.edits))
    assert pool.beside(waits).tolist() == [False, True, False, False]


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
    like = Likeness(past).to(edit("def g():\n    return 2\n", "def g():\n    return timeout\n"))[:, 0]
    assert int(np.argmax(like)) == 0
    assert like[1] < 0


def test_the_interval_draws_whole_commits() -> None:
    values = np.repeat([0.0, 1.0], 50)
    one = bootstrap(values, [0] * 50 + [1] * 50, 0)
    many = bootstrap(values, list(range(100)), 0)
    assert one == (0.0, 1.0)
    assert many[0] == pytest.approx(0.4, abs=0.03)
    assert many[1] == pytest.approx(0.6, abs=0.03)

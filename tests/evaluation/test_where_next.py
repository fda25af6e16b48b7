"""E5: histories asked again, by the product's own ranking."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from codewm_export.onnx_bundle import describe_bundle
from codewm_lsp.hints import Engine, Workspace
from codewm_lsp.history import Repository
from codewm_lsp.index import Index, update
from codewm_lsp.ranking.boosted_trees import NO_TREES
from codewm_lsp.ranking.ranker import Several, ordered, rank, together
from codewm_lsp.ranking.ranker_file import shipped_ranker, to_bytes
from codewm_lsp.ranking.references import led, references
from codewm_lsp.world_model import WorldModel, shipped
from codewm_model.data.replay import Sources, changed_soon, examples, labels, left_over, read_past
from codewm_model.evaluation.measurement import RANDOM, Clone, EvaluatedModel, Role, Settings
from codewm_model.evaluation.where_next_protocol import (
    DEFINITIONS,
    FILES,
    NO_REFERENCES,
    PLAIN,
    PRODUCT,
    Looks,
    WhereNext,
    curve,
    first_relevant,
    reliability,
)


@pytest.fixture(scope="module")
def model() -> WorldModel:
    return WorldModel.load()


@pytest.fixture(scope="module")
def clone(clones: Path) -> Clone:
    return Clone("alpha/orders", clones / "alpha+orders", "")


def candidate(model: WorldModel) -> EvaluatedModel:
    return EvaluatedModel("shipped", model.hash, model.bundle.folder, model, None, False)


def test_every_system_answers_the_same_questions(clone: Clone, model: WorldModel) -> None:
    protocol = WhereNext()
    outcome = protocol.run([clone], [candidate(model)], Settings(seeds=(0, 1)), lambda what, done, of: None)
    assert not outcome.left_out
    for setting in (DEFINITIONS, FILES):
        figures = [one for one in outcome.figures if one.setting == setting and one.metric == "MRR"]
        assert {one.seed for one in figures} == {0, 1}
        for seed in (0, 1):
            assert len({one.n for one in figures if one.seed == seed}) == 1
        systems = {one.system for one in figures}
        assert {RANDOM, "change coupling", PLAIN, PRODUCT, NO_REFERENCES} <= systems
        assert not any("shipped" in system for system in systems)  # its ranker is the product's
        assert all(0 < one.value <= 1 for one in figures)
        assert systems <= set(outcome.roles)
    assert outcome.roles[PRODUCT] is Role.BLEND
    assert len(outcome.extra["curve"][PRODUCT]) > 10
    again = protocol.run([clone], [candidate(model)], Settings(seeds=(0, 1)), lambda what, done, of: None)
    assert again.figures == outcome.figures


def test_a_model_that_brings_another_ranker_is_a_system_of_its_own(clone: Clone, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(shipped(), tmp_path / "bundle"))
    weights = {"always": {"distance": -1.0}}, {"always": {"same_folder": 1.0}}
    ranker = replace(
        shipped_ranker(), definition=weights[0], file=weights[1], definition_trees=NO_TREES, file_trees=NO_TREES
    )
    describe_bundle(folder, about={}, card="# mine\n", ranker=to_bytes(ranker))
    model = WorldModel.load(folder)
    outcome = WhereNext().run([clone], [candidate(model)], Settings(), lambda what, done, of: None)
    found = {one.system: one.value for one in outcome.figures if one.setting == DEFINITIONS and one.metric == "MRR"}
    assert outcome.roles["blend with shipped"] is Role.BLEND
    assert found["blend with shipped"] != found[PRODUCT]


def test_the_replayed_ranking_is_that_of_the_engine(clone: Clone, model: WorldModel, tmp_path: Path) -> None:
    ranker = shipped_ranker()
    with (
        Repository.open(clone.folder) as repository,
        Index.of(repository, model.hash, edit_size=model.edit_size, folder=tmp_path) as index,
    ):
        update(repository, model, index.log)
        engine, workspace = Engine(repository, model, index), Workspace(repository, index)
        past = read_past(repository)
        asked = 0
        for example in list(examples(repository, past))[:2]:
            for count in (1, 2):
                shown = example.revealing(example.shuffled(0)[:count])
                assert shown is not None
                then, revealed = shown
                must = references(
                    then.state.corpus,
                    [replace(edit, commit=None) for edit in revealed],
                    Sources(repository, then).__getitem__,
                )
                rows = np.flatnonzero(left_over(then, revealed))
                rows, _ = led(must, then.state.corpus, *ordered(rank(then.state, revealed, ranker), rows))
                corpus = then.state.corpus
                expected = [(corpus.paths[corpus.file[row]], corpus.names[row]) for row in rows]
                found = engine.next(workspace.at(example.commit.parent, then.texts), revealed, k=0)
                assert [(one.path, one.definition) for one in found] == expected
                asked += 1
        assert asked == 4


def test_what_is_revealed_is_not_asked_for_and_the_future_is_not_known(clone: Clone) -> None:
    with Repository.open(clone.folder) as repository:
        past = read_past(repository)
        newest = next(iter(examples(repository, past)))
        changed, files = labels(newest)
        assert changed.sum() <= len(newest.edits)
        assert files.sum() >= 1
        assert (changed_soon(past, newest) >= changed).all()
        edit = newest.shuffled(3)[0]
        left = left_over(newest, [edit])
        corpus = newest.state.corpus
        own = [row for row in np.flatnonzero(~left) if corpus.names[row] == edit.definition]
        assert len(own) == (1 if edit.before else 0)
        known = newest.state.frequency.sum()
        assert known == sum(
            (newest.state.definition_ids == newest.state.changes.definition(one.path, one.definition)).any()
            for _, edits in past.commits[newest.position + 1 :]
            for one in edits
        )


def test_ties_are_broken_at_random() -> None:
    relevant = np.arange(10) == 0
    chance = np.random.default_rng(0)
    found = np.array([first_relevant(np.zeros(10), relevant, chance) for _ in range(2_000)])
    assert found[:, 1].mean() == pytest.approx(0.1, abs=0.03)
    assert first_relevant(np.arange(10.0), np.arange(10) == 9, chance) == (1.0, 1.0, 1.0)
    assert first_relevant(np.arange(10.0), np.arange(10) == 6, chance) == (0.25, 0.0, 0.0)


def test_lenses_are_counted_by_threshold() -> None:
    looks = Looks()
    for edits, likely, right, limit in (
        (1, [0.9, 0.6, 0.2], [True, False, True], 8),
        (4, [0.7, 0.65, 0.6], [True, True, True], 2),
        (1, [0.1], [False], 8),
    ):
        looks.add(edits, np.array(likely), np.array(likely), np.array(right), limit)
    assert looks.at(0.5) == (3, 2, 4, 3)
    assert looks.at(0.5, [0]) == (2, 1, 2, 1)
    assert looks.at(0.95) == (3, 0, 0, 0)
    rows = {row["threshold"]: row for row in curve(looks)}
    assert rows[0.5]["right, several"] == 2
    assert sum(row["n"] for row in reliability(looks)) == 7
    assert {row["in progress"] for row in reliability(looks)} == {"one edit", "three or more"}


def test_edits_in_progress_are_no_independent_witnesses() -> None:
    odds = np.array([[0.0, -3.0], [0.0, -1.0], [0.0, -5.0]])
    assert together(odds[:1], Several(1.0, 0.5, 9.0, 9.0)).tolist() == odds[0].tolist()
    mean = together(odds, Several(1e-6, 1.0))
    assert mean == pytest.approx(odds.mean(0), abs=1e-3)
    sharp = together(odds, Several(50.0, 1.0))
    assert sharp == pytest.approx(odds.max(0), abs=0.05)
    newest = together(odds, Several(1e-6, 1e-9))
    assert newest == pytest.approx(odds[0], abs=1e-3)
    fewer = together(odds, Several(1.0, 1.0, -0.5))
    assert (fewer < together(odds, Several(1.0, 1.0))).all()

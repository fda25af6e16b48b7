"""``codewm-train study collapse``: which runs it makes, what it says while they go on, and that it goes on itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks import composition
from codewm_lsp.errors import TrainingError
from codewm_model.artifacts.run_folder import read_run
from codewm_model.artifacts.training_log import LOG
from codewm_model.cli.train_app import app
from codewm_model.training.study import (
    DONE,
    PLAN,
    STUDIES,
    config_of,
    courses_of,
    main,
    read_course,
    run_all,
    runs,
    table,
    table_of_runs,
)

COLLAPSE = STUDIES["collapse"]


@pytest.fixture(scope="module")
def study(history: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A finished study of a few steps, and what it has printed."""
    output = tmp_path_factory.mktemp("study") / "study"
    given = [str(history), "--validate", str(history), "--setting", "smoke", "--jobs", "2", "--edits", "200"]
    done = CliRunner().invoke(app, ["study", "collapse", *given, "--output", str(output)])
    assert done.exit_code == 0, done.output
    return output, done.stdout


def test_the_long_study_has_three_seeds_an_arm_and_two_without_a_target(tmp_path: Path) -> None:
    planned = runs(COLLAPSE["long"], tmp_path)
    seeds = {arm: sorted(r.seed for r in planned if r.arm.name == arm) for arm in {r.arm.name for r in planned}}
    assert seeds == {
        "fast": [42, 43, 44],
        "near-static": [42, 43, 44],
        "frozen": [42, 43, 44],
        "sigreg": [42, 43],
        "two-loss": [42, 43],
    }
    assert [r.seed for r in planned[:5]] == [42] * 5, "every arm once before any has a second seed"
    fast = config_of(COLLAPSE["long"], planned[0]).training
    assert (fast.decay, fast.transition_steps, fast.transition_batch, fast.transition_rate) == (0.996, 15_000, 32, 1e-4)


def test_every_arm_is_in_the_table_with_how_far_it_came(study: tuple[Path, str]) -> None:
    output, said = study
    for words in ("fast EMA (0.996)", "frozen (1.0)", "no target network, SIGReg", "no target network, two losses"):
        assert f"| {words} | 1 whole |" in said
        assert f"| {words} | 42 | 8 |" in said
    assert (output / "collapse.png").stat().st_size > 10_000
    found = json.loads((output / "collapse.json").read_text())
    assert [run["steps"] for run in found["runs"]] == [[4, 8]] * 6
    assert found["repositories"][1]["use"] == "validation"


def test_a_run_leaves_weights_that_can_be_measured_afterwards(study: tuple[Path, str]) -> None:
    model, _, _ = read_run(study[0] / "runs" / "two-loss-42")
    assert type(model.state).__name__ == "ProjectedEncoder"


def test_roll_outs_of_a_run_stand_beside_their_nulls(
    study: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert composition.main([str(study[0]), "frozen-42", "sigreg-42"]) == 0
    head, _, *lines = capsys.readouterr().out.splitlines()
    assert "| shuffled actions | random trajectory | mean change | own change before | identity |" in head
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert [(row[0], row[1], row[3]) for row in rows[::5]] == [
        ("frozen-42", "8", "honest"),
        ("sigreg-42", "8", "honest"),
    ]
    honest, paper = rows[0], rows[1]
    assert float(honest[11]) == 0, "a copy has no honest cosine"
    assert float(paper[11]) > 0, "by the paper's measure a copy has the translation between the two spaces"
    assert float(rows[5][5]) == float(rows[6][5]), "without a target network, the two measures are one"


def test_an_unfinished_run_is_shown_as_far_as_it_is(study: tuple[Path, str], tmp_path: Path) -> None:
    log = (study[0] / "runs" / "frozen-42" / LOG).read_text().splitlines(keepends=True)
    first = next(number for number, line in enumerate(log) if '"evaluation": true' in line)
    planned = [run for run in runs(COLLAPSE["smoke"], tmp_path) if run.arm.name in ("frozen", "fast")]
    frozen = next(run for run in planned if run.arm.name == "frozen")
    frozen.folder.mkdir(parents=True)
    (frozen.folder / LOG).write_text("".join(log[: first + 1]))
    courses = courses_of(planned, 1)
    assert [course.run for course in courses] == [frozen], "a run without an evaluation has no row"
    assert "| frozen (1.0) | one at step 4 |" in table(courses)
    assert "not done" in table_of_runs(courses)


def test_a_run_whose_command_has_ended_stops_and_goes_on_later(
    study: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / PLAN).write_bytes((study[0] / PLAN).read_bytes())
    parents = iter([1, 1, 1, 1])  # at the start, and after two steps; then another process
    monkeypatch.setattr("codewm_model.training.study.os.getppid", lambda: next(parents, 2))
    assert main([str(tmp_path / PLAN), "fast", "42"]) == 1
    assert "stopped" in capsys.readouterr().err
    run = next(r for r in runs(COLLAPSE["smoke"], tmp_path) if r.arm.name == "fast")
    assert not run.complete
    assert main([str(tmp_path / PLAN), "fast", "42"]) == 0
    assert (run.folder / DONE).exists()
    whole, again = (
        read_course(next(r for r in runs(COLLAPSE["smoke"], folder) if r.arm.name == "fast"))
        for folder in (study[0], tmp_path)
    )
    assert whole is not None
    assert again is not None
    assert again.evaluations == whole.evaluations, "to the last bit"


def test_runs_can_be_taken_to_a_step_before_any_is_taken_to_its_end(study: tuple[Path, str], tmp_path: Path) -> None:
    plan = json.loads((study[0] / PLAN).read_text())
    corpora, validation = ([Path(file) for file in plan[use]] for use in ("corpora", "validation"))
    planned = [run for run in runs(COLLAPSE["smoke"], tmp_path) if run.arm.name == "frozen"]
    grown: list[str] = []
    for until in (4, 0):
        run_all(
            "collapse",
            "smoke",
            planned,
            tmp_path,
            corpora,
            validation,
            jobs=1,
            until=until,
            progress=lambda done, total: None,
            grown=lambda: grown.append(table(courses_of(planned, 1))),
        )
    first, second = grown
    assert "one at step 4" in first
    assert "1 whole" in second


def test_the_networks_of_the_papers_stand_beside_ours_in_one_table(history: Path, tmp_path: Path) -> None:
    given = [str(history), "--validate", str(history), "--setting", "smoke", "--jobs", "2", "--edits", "200"]
    done = CliRunner().invoke(app, ["study", "architectures", *given, "--output", str(tmp_path / "networks")])
    assert done.exit_code == 0, done.output
    for words in ("paper 1's: six loops", "paper 2's: three loops", "ours, with paper 1's losses", "ours: one loop"):
        assert f"| {words}" in done.stdout
    found = json.loads((tmp_path / "networks" / "architectures.json").read_text())
    assert {(run["arm"], *run["steps"]) for run in found["runs"]} == {
        (arm, 2, 4) for arm in ("paper1", "paper2", "paper1-losses", "ours")
    }
    networks = {arm: read_run(tmp_path / "networks" / "runs" / f"{arm}-42")[0] for arm in ("paper1", "paper2", "ours")}
    assert [type(model.state).__name__ for model in networks.values()] == [
        "BreadthFirstEncoder",
        "ReferenceEncoder",
        "LoopedEncoder",
    ]
    assert (tmp_path / "networks" / "architectures.png").stat().st_size > 10_000


def test_each_network_is_trained_as_its_paper_trained_it(tmp_path: Path) -> None:
    size = STUDIES["architectures"]["short"]
    configs = {run.arm.name: config_of(size, run) for run in runs(size, tmp_path, [42])}
    assert {name: (one.architecture.loops, one.training.loop_weight) for name, one in configs.items()} == {
        "paper1": (6, 0.0),
        "paper2": (3, 0.3),
        "paper1-losses": (1, 0.0),
        "ours": (1, 0.0),
    }
    assert len({(one.training.transition_steps, one.training.transition_batch) for one in configs.values()}) == 1
    assert configs["paper1-losses"].training.contrast_weight == 0 < configs["ours"].training.contrast_weight


def test_a_study_that_stopped_before_its_first_evaluation_says_when_that_is() -> None:
    with pytest.raises(TrainingError, match="the first evaluation is at step 250"):
        courses_of([], 250)

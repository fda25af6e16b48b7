"""``codewm eval`` from its arguments to its report, on repositories that it makes itself."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from codewm_lsp.cli.extension import run as run_extension
from codewm_lsp.errors import OptionError
from codewm_lsp.installation import install_command

PICTURES = ("e1-bars", "e2-bars", "e3-bars", "e4-bars", "spectra", "edits")


@dataclass(frozen=True)
class Result:
    """How ``codewm eval`` ended, and what it said on both streams."""

    exit_code: int
    output: str


def evaluate(*arguments: object) -> Result:
    program = Path(sys.executable).with_name("codewm")
    done = subprocess.run(
        [program, "eval", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        check=False,
    )
    return Result(done.returncode, done.stdout)


@pytest.fixture(scope="module")
def report(run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], list[str]]:
    folder = tmp_path_factory.mktemp("report")
    arguments = ["--smoke", "--protocols", "e1,e2,e3,e4,e7", "--model", run, "--limit", 12, "--seeds", "0,1",
                 "--cache", folder / "cache", "--output", folder / "out"]  # fmt: skip
    done = evaluate(*arguments)
    assert done.exit_code == 0, done.output
    return folder / "out", json.loads((folder / "out" / "report.json").read_text("utf-8")), [str(a) for a in arguments]


def test_every_figure_says_what_it_is_of(report: tuple[Path, dict[str, Any], list[str]]) -> None:
    _, found, _ = report
    assert found["models"][0]["hash"]
    assert found["models"][0]["bytes"] <= 600_000
    assert {one["name"] for one in found["repositories"]} == {"alpha/orders", "beta/sensors", "gamma/library"}
    for name in ("e2", "e3", "e4"):
        protocol = found["protocols"][name]
        assert set(protocol["commits"]) == {"alpha/orders", "beta/sensors", "gamma/library"}
        for figure in protocol["figures"]:
            assert figure["n"] > 0
            assert figure["seed"] in (0, 1)
            assert figure["system"] in protocol["roles"]
            assert -1 <= figure["value"] <= 1


def test_baselines_model_and_blend_stand_in_one_table(report: tuple[Path, dict[str, Any], list[str]]) -> None:
    folder, found, _ = report
    model = found["models"][0]["name"]
    cells = found["protocols"]["e4"]["results"]["definitions, newest 300"]["MRR@10"]
    assert len(cells) == 11
    assert cells["random"]["mean"] < cells[f"{model}, with actions"]["mean"]
    assert cells[model]["against"]["other"] in cells
    assert cells["changed words, signed, idf"]["mean"] > 2 * cells["random"]["mean"]
    assert cells[f"blend with {model}"]["mean"] > 2 * cells["random"]["mean"]
    text = (folder / "report.md").read_text("utf-8")
    assert f"blend with {model}" in text
    assert found["models"][0]["hash"] in text


def test_chance_is_what_the_class_prior_says(report: tuple[Path, dict[str, Any], list[str]]) -> None:
    _, found, _ = report
    cells = found["protocols"]["e3"]["results"]["file pairs, leave one repository out"]["MRR@10"]
    assert cells["random"]["mean"] == pytest.approx(cells["class prior (expected)"]["mean"], abs=0.15)
    hard = found["protocols"]["e3"]["results"]["hard negatives, 1 + 9"]["MRR"]
    assert hard["random"]["mean"] == pytest.approx(0.293, abs=0.12)


def test_the_bundle_and_its_own_weights_are_level(report: tuple[Path, dict[str, Any], list[str]]) -> None:
    _, found, _ = report
    model = found["models"][0]["name"]
    cells = found["protocols"]["e7"]["results"]["int4 against fp32"]
    assert cells["embedding cosine, 1st percentile"][model]["mean"] > 0.999
    assert cells["bytes"][model]["mean"] == found["models"][0]["bytes"]
    compared = found["protocols"]["e7"]["extra"][model]["figures"]
    assert {row["protocol"] for row in compared} == {"e3", "e4"}
    assert {row["system"] for row in compared} == {model, f"blend with {model}"}


def test_states_and_roll_outs_are_held_against_their_nulls(report: tuple[Path, dict[str, Any], list[str]]) -> None:
    _, found, _ = report
    steps = found["protocols"]["e2"]["results"]["three steps together"]
    assert len(steps["delta cosine, honest, free-running"]) == 6
    assert steps["delta cosine, honest, teacher-forced"]["identity"]["mean"] == 0
    assert steps["delta cosine, paper's, teacher-forced"]["identity"]["mean"] == 0  # its target is its own encoder
    assert steps["delta cosine, paper's, online states turned, teacher-forced"]["identity"]["mean"] > 0.8
    first = found["protocols"]["e2"]["results"]["step 1"]
    model = found["models"][0]["name"]
    assert (
        first["delta cosine, honest, teacher-forced"][model]["mean"]
        == first["delta cosine, honest, free-running"][model]["mean"]
    )
    single = found["protocols"]["e1"]["results"]["all edits"]
    assert single["KNN@1"][model]["mean"] <= single["KNN@50"][model]["mean"]
    assert 1 < single["effective rank, predicted"][model]["mean"] <= 128


def test_pictures_lie_beside_the_report(report: tuple[Path, dict[str, Any], list[str]]) -> None:
    folder, _, _ = report
    text = (folder / "report.md").read_text("utf-8")
    for name in PICTURES:
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert b"<svg" in (folder / f"{name}.svg").read_bytes()[:1_000]
        assert f"({name}.svg)" in text


def test_a_second_run_gives_the_same_figures(report: tuple[Path, dict[str, Any], list[str]], tmp_path: Path) -> None:
    _, found, arguments = report
    arguments = [*arguments[:-1], str(tmp_path / "again")]
    arguments[arguments.index("e1,e2,e3,e4,e7")] = "e4"
    done = evaluate(*arguments)
    assert done.exit_code == 0, done.output
    again = json.loads((tmp_path / "again" / "report.json").read_text("utf-8"))
    assert again["protocols"]["e4"]["figures"] == found["protocols"]["e4"]["figures"]


def test_a_repository_without_python_is_left_out_and_named(
    clones: Path, tmp_path: Path, make_repository: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = make_repository("no+python")
    repository.write("readme.txt", "nothing\n")
    repository.commit("first")
    for name in ("alpha+orders", "beta+sensors"):
        (tmp_path / "repos").mkdir(exist_ok=True)
        (tmp_path / "repos" / name).symlink_to(clones / name)
    (tmp_path / "repos" / "no+python").symlink_to(repository.path)
    monkeypatch.setenv("CODEWM_REPOS", str(tmp_path / "repos"))
    done = evaluate("--repositories", "alpha/orders,beta/sensors,no/python", "--protocols", "e3,e4", "--limit", 3,
                    "--seeds", 0, "--baselines", "words", "--cache", tmp_path / "cache",
                    "--output", tmp_path / "out")  # fmt: skip
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert list(found["protocols"]["e4"]["left_out"]) == ["no/python"]
    assert "Left out: no/python" in (tmp_path / "out" / "report.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--protocols", "e9"], "unknown 'e9'"),
        (["--protocols", ","], "is empty"),
        (["--set", "everything"], "choose one of train, validation, test"),
        (["--seeds", "one"], "whole numbers"),
        (["--baselines", "luck"], "unknown 'luck'"),
        (["--repositories", "flask"], "owner/name"),
        (["--smoke", "--model", "nowhere"], "no such folder"),
        (
            ["--smoke", "--output", "{file}", "--protocols", "e4", "--limit", "2", "--baselines", "none"],
            "cannot be written",
        ),
    ],
)
def test_a_mistake_gets_one_clear_message(
    arguments: list[str], message: str, tmp_path: Path, clones: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CODEWM_REPOS", str(clones))
    monkeypatch.chdir(tmp_path)
    done = evaluate(*(a.replace("{file}", "file") for a in arguments), "--cache", tmp_path / "cache")
    assert done.exit_code == 2
    assert message in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("extra", "package", "option"), [("eval", "torch", "--smoke"), ("mcp", "mcp.server", "--model=m")]
)
def test_what_to_install_is_said_where_it_is_missing(extra: str, package: str, option: str) -> None:
    script = (
        f"import sys; sys.modules['{package}'] = None; sys.argv = ['codewm', '{extra}', '{option}']\n"
        "from codewm_lsp.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"codewm {extra} needs the extra '{extra}': {package} is not installed. Run `" in done.stderr
    assert f"Run `{install_command(extra)}`." in done.stderr
    assert "Traceback" not in done.stderr
    with pytest.raises(OptionError, match="codewm nothing is not installed"):
        run_extension("no such command", "codewm nothing", "eval", "It does nothing", [])

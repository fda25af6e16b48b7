"""``codewm-train study``: the papers' findings, reproduced."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codewm_lsp.errors import OptionError
from codewm_model.cli.failures import failures_in_words
from codewm_model.cli.train_command import find_device

if TYPE_CHECKING:
    from codewm_model.training.study import Course

app = typer.Typer(help="Reproduce the papers' findings, on repositories of your own.", no_args_is_help=True)


_Repositories = Annotated[list[Path], typer.Argument(help="Local clones to train on.", metavar="REPO...")]
_Output = Annotated[Path, typer.Option("--output", "-o", help="Folder for the runs, the figure and the table.")]
_Validate = Annotated[
    list[Path] | None,
    typer.Option(help="A clone to evaluate on, which is not trained on; at least one, may be repeated."),
]
_Seeds = Annotated[
    list[int] | None, typer.Option(help="Seeds to use instead of those of the setting; may be repeated.")
]
_Jobs = Annotated[int, typer.Option(help="Processes at a time, of one thread each (0 = as many as cores).")]
_Cache = Annotated[Path | None, typer.Option(help="Folder for the corpora of clones (default: in the output folder).")]
_Edits = Annotated[int, typer.Option(help="Maximum edits per repository, newest first.")]
_Device = Annotated[str, typer.Option(help="The device to train on: auto, cpu, cuda or mps.")]
_Until = Annotated[
    int,
    typer.Option(help="Take every run to this step and no further (0 = to its end); a later call goes on.", min=0),
]
_ReportOnly = Annotated[bool, typer.Option("--report-only", help="Only draw the figure and the table again.")]


@app.command(epilog="Example: codewm-train study collapse ~/src/client --validate ~/src/other --output study")
def collapse(
    repositories: _Repositories,
    output: _Output,
    validate: _Validate = None,
    setting: Annotated[
        str,
        typer.Option(
            help="reduced (an hour of a core), long (the paper's 15,000 steps, small), full (as in the paper) or smoke."
        ),
    ] = "reduced",
    seeds: _Seeds = None,
    jobs: _Jobs = 0,
    cache: _Cache = None,
    edits: _Edits = 4_000,
    device: _Device = "cpu",
    until: _Until = 0,
    report_only: _ReportOnly = False,
) -> None:
    """Paper 1's finding: a target encoder that follows fast collapses, a static one does not.

    Trains fast EMA (0.996), near-static (0.99999), frozen (1.0), and two recipes without a target network, with several
    seeds each, and writes collapse.png, .svg, .md and .json, which grow while it runs. A study that was
    stopped continues.
    """
    with failures_in_words():
        given = _Given(repositories, validate, output, setting, seeds, jobs, cache, edits, device, until, report_only)
        _make("collapse", given)


@app.command(epilog="Example: codewm-train study architectures ~/src/client --validate ~/src/other --output networks")
def architectures(
    repositories: _Repositories,
    output: _Output,
    validate: _Validate = None,
    setting: Annotated[str, typer.Option(help="short (a quarter of an hour of a core) or smoke.")] = "short",
    seeds: _Seeds = None,
    jobs: _Jobs = 0,
    cache: _Cache = None,
    edits: _Edits = 4_000,
    device: _Device = "cpu",
    until: _Until = 0,
    report_only: _ReportOnly = False,
) -> None:
    """The papers' networks with their losses, beside this project's, on the same edits and for as many steps.

    Writes architectures.png, .svg, .md and .json, which grow while it runs. A study that was stopped continues.
    """
    with failures_in_words():
        given = _Given(repositories, validate, output, setting, seeds, jobs, cache, edits, device, until, report_only)
        _make("architectures", given)


@dataclass(frozen=True, slots=True)
class _Given:
    """What a study is called with."""

    repositories: Sequence[Path]
    validate: Sequence[Path] | None
    output: Path
    setting: str
    seeds: Sequence[int] | None
    jobs: int
    cache: Path | None
    edits: int
    device: str
    until: int
    report_only: bool


def _make(study: str, given: _Given) -> None:
    from codewm_lsp.output_folder import claim
    from codewm_model.cli.train_progress import Progress
    from codewm_model.data.repository_corpus import build
    from codewm_model.training.study import PLAN, STUDIES, courses_of, read_course, run_all, runs

    settings, output = STUDIES[study], given.output
    if given.setting not in settings:
        raise OptionError(f"Unknown setting {given.setting!r}. Choose one of {', '.join(settings)}")
    if not given.validate:
        raise OptionError("Nothing to evaluate on. Use --validate to name a clone that is not trained on.")
    claim(output, "codewm-train study", unmarked=(PLAN,))
    chosen = settings[given.setting]
    planned = runs(chosen, output, given.seeds or ())
    jobs = given.jobs or os.cpu_count() or 1
    with Progress() as progress:
        files: list[list[Path]] = []
        for clones in (given.repositories, given.validate):
            files.append(
                [
                    build(clone, given.cache or output / "corpus", edits=given.edits, progress=progress.mining)
                    for clone in clones
                ]
            )
        about = _about(given.setting, chosen.words, files, jobs)
        if not given.report_only:
            run_all(
                study,
                given.setting,
                planned,
                output,
                files[0],
                files[1],
                jobs=jobs,
                until=given.until,
                device=str(find_device(given.device)),
                progress=lambda done, total: progress.step("all runs", done, total, float("nan")),
                grown=lambda: _grow(study, output, [c for c in map(read_course, planned) if c], about),
            )
    courses = courses_of(planned, chosen.training.evaluate_every)
    typer.echo(_write(study, output, courses, about))
    minutes = sum(c.minutes for c in courses if c.run.complete)
    typer.echo(f"{given.setting}: {chosen.words}; {minutes:.0f} core minutes. Figure: {output / f'{study}.png'}")


def _grow(study: str, output: Path, courses: Sequence[Course], about: Mapping[str, Any]) -> None:
    """Write what there is of a study while it goes on."""
    if courses:
        _write(study, output, courses, about)


def _about(name: str, what: str, files: Sequence[Sequence[Path]], jobs: int) -> dict[str, Any]:
    """What a study was made of and on."""
    from codewm_model.data.repository_corpus import load

    corpora = [(use, load(file)) for use, of in zip(("train", "validation"), files, strict=True) for file in of]
    return {
        "setting": name,
        "what": what,
        "repositories": [
            {"name": c.name.replace("+", "/"), "head": c.head, "edits": len(c), "use": use} for use, c in corpora
        ],
        "jobs": jobs,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
    }


def _write(study: str, output: Path, courses: Sequence[Course], about: Mapping[str, Any]) -> str:
    """Write the figure, the table and every value as they are now; the table."""
    from codewm_model.training.study import figure, table, table_of_runs

    figure(courses, output, study)
    found = [
        {
            "arm": c.run.arm.name,
            "seed": c.run.seed,
            "alarm": c.alarm,
            "complete": c.run.complete,
            "minutes": c.minutes if c.run.complete else None,
            "steps": c.steps,
            "evaluations": [dict(e) for e in c.evaluations],
            "loss_steps": c.loss_steps,
            "losses": c.losses,
        }
        for c in courses
    ]
    seeds = sorted({c.run.seed for c in courses})
    (output / f"{study}.json").write_text(json.dumps({**about, "seeds": seeds, "runs": found}), encoding="utf-8")
    text = table(courses) + "\n\n" + table_of_runs(courses)
    (output / f"{study}.md").write_text(text + "\n", encoding="utf-8")
    return text

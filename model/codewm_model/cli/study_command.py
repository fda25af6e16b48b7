"""``codewm-train study``: reruns of what the papers found."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from codewm_lsp.errors import OptionError
from codewm_model.cli.failures import failures_in_words

app = typer.Typer(help="Rerun what the papers found, on repositories of your own.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """A group even while it has one study."""


@app.command(epilog="Example: codewm-train study collapse ~/src/client --validate ~/src/other --output study")
def collapse(
    repositories: Annotated[list[Path], typer.Argument(help="Local clones to train on.", metavar="REPO...")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the runs, the figure and the table.")],
    validate: Annotated[
        list[Path] | None,
        typer.Option(help="A clone to evaluate on, which is not trained on; at least one, may be repeated."),
    ] = None,
    setting: Annotated[str, typer.Option(help="reduced (two CPU cores), full (as in the paper) or smoke.")] = "reduced",
    seeds: Annotated[
        list[int] | None, typer.Option(help="Seeds to use instead of those of the setting; may be repeated.")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Processes at a time, of one thread each (0 = as many as cores).")] = 0,
    cache: Annotated[
        Path | None, typer.Option(help="Folder for the corpora of clones (default: in the output folder).")
    ] = None,
    edits: Annotated[int, typer.Option(help="Maximum edits per repository, newest first.")] = 4_000,
    report_only: Annotated[
        bool, typer.Option("--report-only", help="Only draw the figure and the table again.")
    ] = False,
) -> None:
    """Paper 1's finding: a target encoder that follows fast collapses, a static one does not.

    Trains fast EMA (0.996), near-static (0.99999), frozen (1.0), and SIGReg without a target network, with several
    seeds each, and writes collapse.png, .svg, .md and .json. A study that was stopped continues.
    """
    with failures_in_words():
        _collapse(repositories, output, validate or [], setting, seeds or [], jobs, cache, edits, report_only)


def _collapse(
    repositories: list[Path],
    output: Path,
    validate: list[Path],
    name: str,
    seeds: list[int],
    jobs: int,
    cache: Path | None,
    edits: int,
    report_only: bool,
) -> None:
    from codewm_lsp.output_folder import claim
    from codewm_model.cli.train_progress import Progress
    from codewm_model.data.repository_corpus import build, load
    from codewm_model.training.study import PLAN, SETTINGS, course, figure, run_all, runs, table

    if name not in SETTINGS:
        raise OptionError(f"Unknown setting {name!r}. Choose one of {', '.join(SETTINGS)}")
    if not validate:
        raise OptionError("Nothing to evaluate on. Use --validate to name a clone that is not trained on.")
    claim(output, "codewm-train study", unmarked=(PLAN,))
    chosen = SETTINGS[name]
    planned = runs(chosen, output, seeds)
    with Progress() as progress:
        files: list[list[Path]] = []
        for clones in (repositories, validate):
            files.append(
                [build(clone, cache or output / "corpus", edits=edits, progress=progress.mining) for clone in clones]
            )
        if not report_only:
            run_all(
                name,
                planned,
                output,
                files[0],
                files[1],
                jobs=jobs or os.cpu_count() or 1,
                progress=lambda done, total: progress.step("all runs", done, total, float("nan")),
            )
    courses = [course(run) for run in planned]
    figure(courses, output)
    corpora = [load(file) for files_of in files for file in files_of]
    about: dict[str, Any] = {
        "setting": name,
        "what": chosen.words,
        "seeds": sorted({c.run.seed for c in courses}),
        "repositories": [
            {
                "name": c.name.replace("+", "/"),
                "head": c.head,
                "edits": len(c),
                "use": "train" if i < len(files[0]) else "validation",
            }
            for i, c in enumerate(corpora)
        ],
        "minutes": sum(c.minutes for c in courses),
        "jobs": jobs or os.cpu_count() or 1,
        "runs": [
            {
                "arm": c.run.arm.name,
                "seed": c.run.seed,
                "alarm": c.alarm,
                "minutes": c.minutes,
                "steps": c.steps,
                "evaluations": [dict(e) for e in c.evaluations],
                "loss_steps": c.loss_steps,
                "losses": c.losses,
            }
            for c in courses
        ],
    }
    (output / "collapse.json").write_text(json.dumps(about), encoding="utf-8")
    text = table(courses)
    (output / "collapse.md").write_text(text + "\n", encoding="utf-8")
    typer.echo(text)
    typer.echo(f"{name}: {chosen.words}; {about['minutes']:.0f} core minutes. Figure: {output / 'collapse.png'}")

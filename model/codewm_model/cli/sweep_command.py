"""``codewm-train sweep``: many runs from one file, and which settings won."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codewm_lsp.errors import TrainingError
from codewm_model.cli.failures import failures_in_words
from codewm_model.cli.train_command import asked_to_stop, find_device


def sweep(
    file: Annotated[
        Path,
        typer.Argument(help="A TOML file: what to try, on which data, and the metric to optimise.", metavar="FILE"),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the sweep (default: FILE without its ending).")
    ] = None,
    device: Annotated[str, typer.Option(help="The device to train on: auto, cpu, cuda or mps.")] = "auto",
    database: Annotated[
        str,
        typer.Option(
            metavar="URL",
            envvar="CODEWM_SWEEP_DATABASE",
            show_envvar=True,
            help="A PostgreSQL database (postgresql://USER@HOST/NAME) in which several machines share the sweep.",
        ),
    ] = "",
) -> None:
    """Try settings with Optuna and rank them. Run the same command again to continue a sweep that was stopped."""
    from codewm_lsp.output_folder import claim
    from codewm_model.cli.train_progress import Progress
    from codewm_model.training.leaderboard import LEADERBOARD
    from codewm_model.training.sweep import STUDY, run_sweep
    from codewm_model.training.sweep_file import read_sweep
    from codewm_model.training.trainer import Interrupted

    with failures_in_words():
        wanted = read_sweep(file)
        folder = output or file.with_suffix("")
        claim(folder, "codewm-train sweep", unmarked=(STUDY,))
        try:
            with Progress() as progress, asked_to_stop() as stop:
                found = run_sweep(
                    wanted,
                    folder,
                    device=find_device(device),
                    mining=progress.mining,
                    step=progress.step,
                    stop=stop,
                    done=lambda t: progress.say(f"trial {t.number}: {t.failure or t.value}, {dict(t.settings)}"),
                    database=database,
                )
        except Interrupted:
            raise TrainingError(f"stopped. Run the same command again to continue the sweep in {folder}") from None
        best = found[0]
        if best.value is None:
            raise TrainingError(f"no trial succeeded: see {folder / LEADERBOARD}.md")
        typer.echo(f"best of {len(found)}: trial {best.number}, {wanted.metric} {best.value:.4f}")
        for name, value in best.settings.items():
            typer.echo(f"  {name} = {value}")
        typer.echo(f"All of them: {folder / LEADERBOARD}.md")

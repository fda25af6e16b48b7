"""``codewm-train config``: what a run would be configured with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codewm_model.cli.failures import failures_in_words

app = typer.Typer(help="Show the settings of a training run, and the available architectures.", no_args_is_help=True)

Preset = Annotated[
    str | None,
    typer.Option(
        help="local (about 20 minutes on two cores), base (the shipped model) or smoke (default: as in the --config "
        "file, else local).",
        show_default=False,
    ),
]
File = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="A TOML file with settings.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.NAME=VALUE", help="A setting; may be repeated, and SECTION. left out."),
]


Networks = Annotated[
    str | None,
    typer.Option(
        "--architecture",
        metavar="NAME",
        help="The networks to use: paper1 or paper2 (with that paper's losses), or one that codewm-train config "
        "architectures lists.",
    ),
]


@app.command(epilog="Example: codewm-train config show --preset base > training.toml")
def show(preset: Preset = None, config: File = None, settings: Settings = None, architecture: Networks = None) -> None:
    """Print the settings in force as TOML, each with the reason for its default."""
    from codewm_model.networks.architectures import settings_of
    from codewm_model.settings.toml_files import as_toml, configured

    with failures_in_words():
        chosen = settings_of(architecture) if architecture else None
        typer.echo(as_toml(configured(preset, config, settings or [], chosen)[1]), nl=False)


@app.command(epilog="Example: codewm-train config architectures")
def architectures() -> None:
    """List the architectures of state encoders and transition predictors, and the package each comes from."""
    from codewm_model.networks.architectures import find, known

    with failures_in_words():
        for name, package in known().items():
            found = find(name)
            kinds = [kind for kind in ("encoder", "predictor") if getattr(found, kind)]
            typer.echo(f"{name}: {' and '.join(kinds)}, from {package}: {found.about}")

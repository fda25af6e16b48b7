"""The commands of ``codewm-train``. Without a command's name it trains: ``codewm-train REPO… --output DIR``."""

from __future__ import annotations

import sys
from typing import Any

import typer
from typer.core import TyperGroup

from codewm_lsp.installation import asks_for_help, missing_extra
from codewm_lsp.starting import ended_by_an_interrupt
from codewm_model.cli import config_command as config
from codewm_model.cli import corpus_command as corpus
from codewm_model.cli import study_command as study
from codewm_model.cli.failures import run_program
from codewm_model.cli.sweep_command import sweep
from codewm_model.cli.train_command import run


class _TrainByDefault(TyperGroup):
    """Arguments that do not begin with a command's name are those of ``run``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    name="codewm-train",
    cls=_TrainByDefault,
    help="Train a model on local clones: codewm-train REPO... --output DIR, short for codewm-train run. Write ./NAME "
    "for a folder with the name of a command.",
    epilog="Example: codewm-train ~/src/project --output my-model",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _group() -> None:
    """A group even while it has one command."""


app.command(epilog="Example: codewm-train ~/src/project --output my-model")(run)
app.command(epilog="Example: codewm-train sweep rates.toml --output sweeps/rates")(sweep)
app.add_typer(config.app, name="config")
app.add_typer(corpus.app, name="corpus")
app.add_typer(study.app, name="study")


def main() -> None:
    """Entry point; says what to install where the training extra is missing."""
    try:
        if not asks_for_help(sys.argv[1:]):
            with ended_by_an_interrupt():
                import onnx  # noqa: F401
                import pyarrow  # noqa: F401
                import safetensors  # noqa: F401
                import torch  # noqa: F401
    except ImportError as error:
        typer.echo(missing_extra("codewm-train", "train", error), err=True)
        raise SystemExit(2) from None
    run_program(app, "codewm-train")

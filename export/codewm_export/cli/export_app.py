"""``codewm-export``: a training run → an int4 bundle."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from codewm_lsp.installation import asks_for_help, install_command
from codewm_lsp.starting import ended_by_an_interrupt


def run(
    folder: Annotated[Path, typer.Argument(help="The folder of a training run (codewm-train --output).")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the model (default: the folder of the run).")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the model (default: that of the folder).")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the model in the output folder.")] = False,
) -> None:
    """Export a training run to a model of int4 ONNX graphs of at most 600,000 bytes, and check it against PyTorch."""
    from codewm_export.onnx_bundle import describe_bundle, write_bundle
    from codewm_lsp.errors import TrainingError
    from codewm_lsp.output_folder import claim
    from codewm_lsp.world_model.bundle import METADATA, bundle_hash
    from codewm_model.artifacts.model_card import card
    from codewm_model.artifacts.run_folder import ABOUT, WEIGHTS, read_run
    from codewm_model.cli.failures import failures_in_words

    with failures_in_words("codewm-export"):
        model, common, about = read_run(folder)
        target = output or folder
        own = target.resolve() == folder.resolve()
        name = name or folder.resolve().name
        try:
            readme = card(name, about)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise TrainingError(
                f"{folder / ABOUT} is damaged ({error!r}): resume the training or run it again"
            ) from error
        claim(
            target,
            "codewm-export",
            also=("codewm-train",) if own else (),
            results=(METADATA,),
            unmarked=(WEIGHTS,) if own else (),
            overwrite=overwrite,
        )
        fitted = _ranker_of(folder)
        metadata = write_bundle(model, common, target, name=name, about=about, card=readme)
        if fitted and fitted[0] == bundle_hash(metadata["files"]):
            describe_bundle(target, about={}, card=readme, ranker=fitted[1])
        typer.echo(json.dumps({"bundle": str(target), "parity": metadata["parity"]}))


def _ranker_of(folder: Path) -> tuple[str, bytes] | None:
    """The hash and the ranker of the bundle that training left in a run's folder, if it left one."""
    from codewm_lsp.errors import BundleError
    from codewm_lsp.world_model.bundle import read_bundle

    try:
        bundle = read_bundle(folder)
    except BundleError:
        return None
    return (bundle.hash, bundle.ranker) if bundle.ranker is not None else None


def main() -> None:
    """Entry point; says what to install where the training extra is missing."""
    try:
        if not asks_for_help(sys.argv[1:]):
            with ended_by_an_interrupt():
                import onnx  # noqa: F401
                import safetensors  # noqa: F401
                import torch  # noqa: F401
    except ImportError as error:
        remedy = f"Run `{install_command('train')}`."
        typer.echo(f"codewm-export needs {error.name}, which is not installed. {remedy}", err=True)
        raise SystemExit(2) from None
    from codewm_model.cli.failures import run_program

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog="Example: codewm-export runs/local --output my-model",
    )(run)
    run_program(app, "codewm-export")

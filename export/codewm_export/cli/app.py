"""``codewm-export``: a training run → an int4 bundle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from codewm_lsp.errors import CodewmError


def run(
    folder: Annotated[Path, typer.Argument(help="The folder of a training run (codewm-train --output).")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where the bundle goes; the run's own folder by default.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The name of the model; the folder's by default.")] = None,
) -> None:
    """Export a training run to an int4 ONNX bundle of at most 600,000 bytes, checked against PyTorch."""
    from codewm_export.bundle import write_bundle
    from codewm_model.runs.run_folder import read_run

    try:
        model, common, about = read_run(folder)
        from codewm_model.runs.model_card import card

        name = name or folder.resolve().name
        metadata = write_bundle(model, common, output or folder, name=name, about=about, card=card(name, about))
    except CodewmError as error:
        typer.echo(f"codewm-export: {error}", err=True)
        raise typer.Exit(2) from None
    typer.echo(json.dumps({"bundle": str(output or folder), "parity": metadata["parity"]}))


def main() -> None:
    """Entry point; says what to install where the training extra is missing."""
    try:
        import onnx  # noqa: F401
        import safetensors  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        typer.echo(f"codewm-export: {error.name} is missing: pip install 'codewm[train]'", err=True)
        raise SystemExit(2) from None
    typer.run(run)

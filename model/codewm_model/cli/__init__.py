"""``codewm-train``: the command line of training. Thin: each command's module parses, calls and prints."""

import sys

from codewm_lsp.import_path import leave_out_working_directory

__all__ = ["main"]

_ABOUT = "Train a model on local clones: codewm-train REPO... --output DIR."


def main() -> None:
    """The ``codewm-train`` command."""
    leave_out_working_directory()
    from codewm_lsp.starting import ended_by_an_interrupt

    try:
        with ended_by_an_interrupt():
            from codewm_model.cli.train_app import main as run
    except ModuleNotFoundError as error:
        if error.name != "typer":  # the first that the extra brings
            raise
        from codewm_lsp.installation import asks_for_help, help_without, missing_extra

        if asks_for_help(sys.argv[1:]):
            sys.stdout.write(help_without("train", "codewm-train", _ABOUT))
            sys.exit(0)
        sys.stderr.write(missing_extra("codewm-train", "train", error) + "\n")
        sys.exit(2)

    run()

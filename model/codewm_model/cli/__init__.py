"""``codewm-train``: the command line of training. Thin: each command's module parses, calls and prints."""

from codewm_lsp.import_path import leave_out_working_directory

__all__ = ["main"]


def main() -> None:
    """The ``codewm-train`` command."""
    leave_out_working_directory()
    from codewm_model.cli.train_app import main as run

    run()

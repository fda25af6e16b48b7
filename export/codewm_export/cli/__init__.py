"""``codewm-export``: the command line of the export."""

from codewm_lsp.import_path import leave_out_working_directory

__all__ = ["main"]


def main() -> None:
    """The ``codewm-export`` command."""
    leave_out_working_directory()
    from codewm_export.cli.export_app import main as run

    run()

"""``codewm-export``: the command line of the export."""

import sys

from codewm_lsp.import_path import leave_out_working_directory

__all__ = ["main"]


def main() -> None:
    """The ``codewm-export`` command."""
    leave_out_working_directory()
    from codewm_lsp.starting import ended_by_an_interrupt

    try:
        with ended_by_an_interrupt():
            from codewm_export.cli.export_app import main as run
    except ModuleNotFoundError as error:
        if error.name != "typer":  # the first that the extra brings
            raise
        from codewm_lsp.installation import install_command

        sys.stderr.write(f"codewm-export needs typer, which is not installed. Run `{install_command('train')}`.\n")
        sys.exit(2)

    run()

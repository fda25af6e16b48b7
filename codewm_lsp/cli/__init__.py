"""``codewm``: the command line. Thin: questions and answers in words and in JSON; the work is done below."""

from codewm_lsp.import_path import leave_out_working_directory

__all__ = ["main"]


def main() -> None:
    """The ``codewm`` command; ends the process."""
    leave_out_working_directory()
    from codewm_lsp.starting import ended_by_an_interrupt

    with ended_by_an_interrupt():
        from codewm_lsp.cli.app import main as run
    run()

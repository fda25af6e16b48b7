"""``codewm-lsp``: the language server. Thin handlers over one background thread."""

from codewm_lsp.import_path import leave_out_working_directory

__all__ = ["main"]


def main() -> int:
    """The ``codewm-lsp`` command: serve one editor until it goes; 0 after an orderly shutdown."""
    leave_out_working_directory()
    from codewm_lsp.server.program import main as serve

    return serve()

"""``codewm``: the command line. Thin: questions and answers in words and in JSON; the work is done below."""

from codewm_lsp.cli.app import main

__all__ = ["main"]

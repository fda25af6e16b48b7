"""``codewm-lsp``: the language server. Thin handlers over one background thread."""

from codewm_lsp.server.program import main

__all__ = ["main"]

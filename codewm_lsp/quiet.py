"""What a command of the terminal and its worker processes log goes nowhere: they say themselves what matters."""

from __future__ import annotations

import logging


def log_nowhere() -> None:
    """To be called before anything is logged. A server logs into a file instead (``logs``)."""
    for name in ("codewm", "codewm_lsp"):
        logging.getLogger(name).addHandler(logging.NullHandler())

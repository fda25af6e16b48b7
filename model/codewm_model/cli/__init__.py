"""``codewm-train``: the command line of training. Thin: each command's module parses, calls and prints."""

from codewm_model.cli.train_app import main

__all__ = ["main"]

"""Commands that live in other packages of the project, found by their entry point and imported when they are run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import distributions
from typing import Final

from codewm_lsp.errors import OptionError
from codewm_lsp.installation import PROJECT, asks_for_help, help_without, install_command, missing_extra

GROUP: Final = "codewm.commands"


def run(name: str, command: str, extra: str, about: str, arguments: Sequence[str]) -> None:
    """Run the command that the installation offers under ``name``.

    Raises OptionError where none does, or where what it needs is not installed; ``extra`` is what to install. Asked for
    help, it then says that and what it is ``about``.
    """
    # Of every copy of the project's metadata: an old one that a build left in the source tree may come first.
    found = [
        entry
        for distribution in distributions(name=PROJECT)
        for entry in distribution.entry_points
        if (entry.group, entry.name) == (GROUP, name)
    ]
    if not found:
        raise OptionError(f"{command} is not installed. Run `{install_command(extra)}`.")
    try:
        entry = found[0].load()
    except ImportError as error:
        if asks_for_help(arguments):
            sys.stdout.write(help_without(extra, command, about))
            return
        raise OptionError(missing_extra(command, extra, error)) from error
    entry(list(arguments), command)

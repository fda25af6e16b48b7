"""Commands that live in other packages, found by their entry point; nothing of them is imported before that."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Final

from codewm_lsp.errors import OptionError

GROUP: Final = "codewm.commands"


def run(name: str, command: str, extra: str, arguments: Sequence[str]) -> None:
    """Run the command that an installed package offers under ``name``.

    Raises OptionError where none does, or where what it needs is not installed; ``extra`` is what to install.
    """
    found = list(entry_points(group=GROUP, name=name))
    remedy = f"pip install 'codewm[{extra}]'"
    if not found:
        raise OptionError(f"{command} is not part of this installation: {remedy}")
    try:
        entry = found[0].load()
    except ImportError as error:
        raise OptionError(f"{command} needs {error.name or error}, which is not installed: {remedy}") from error
    entry(list(arguments), command)

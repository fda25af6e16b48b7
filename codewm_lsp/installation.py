"""How CodeWM was installed, and the commands that install more of it, or uninstall it, the same way."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

from codewm_lsp.records import dataclass

PROJECT: Final = "codewm"
_PIP: Final = "pip install"
_COMMANDS: Final[tuple[tuple[str, frozenset[str], tuple[str, str]], ...]] = (
    ("pipx_metadata.json", frozenset({"pipx"}), ("pipx install --force", "pipx uninstall")),
    ("uv-receipt.toml", frozenset({"uv", "tools"}), ("uv tool install", "uv tool uninstall")),
    ("", frozenset({"uv", "archive-v0"}), ("uvx --from", "uv cache clean")),  # of `uvx`
    ("", frozenset(), (_PIP, "pip uninstall")),
)


_OF_AN_EXTRA: Final = re.compile(r"(?P<name>[\w.-]+)[^;]*;\s*extra\s*==\s*['\"](?P<extra>[\w.-]+)['\"]\s*")


@dataclass(frozen=True, slots=True)
class Installation:
    """``environment``: the folder of its Python environment. ``source``: a path or an address, "" for a registry.
    ``extras``: those whose requirements are installed.
    """

    environment: Path
    source: str = ""
    editable: bool = False
    extras: tuple[str, ...] = ()

    def adding(self, extra: str) -> str:
        """The command that installs an extra, with those that uv and pipx would drop."""
        extras = extra if self._commands[0] == _PIP else ",".join(sorted({extra, *self.extras}))
        named = f"{PROJECT}[{extras}]"
        if self.source:
            named = f"{named} @ {self.source}" if "://" in self.source else f"{self.source}[{extras}]"
        quote = '"' if os.name == "nt" else "'"
        return f"{self._commands[0]}{' -e' if self.editable else ''} {quote}{named}{quote}"

    def removing(self) -> str:
        """The command that uninstalls it."""
        return f"{self._commands[1]} {PROJECT}"

    @property
    def _commands(self) -> tuple[str, str]:
        """By the tool that made its environment: what it leaves there says so, wherever its environments are kept."""
        return next(
            both
            for mark, folders, both in _COMMANDS
            if folders <= {*self.environment.parts} or (mark and (self.environment / mark).is_file())
        )


def this_installation() -> Installation:
    """That of the running program."""
    environment = Path(sys.prefix)
    requires: Sequence[str] = ()
    for distribution in distributions(name=PROJECT):
        source, editable = _origin(distribution.read_text("direct_url.json"))
        requires = distribution.requires or ()
        if source:
            return Installation(environment, source, editable, _extras(requires))
    return Installation(environment, extras=_extras(requires))


def _extras(requires: Sequence[str]) -> tuple[str, ...]:
    """The extras of a package whose requirements are installed."""
    wanted: dict[str, set[str]] = {}
    for requirement in requires:
        if found := _OF_AN_EXTRA.fullmatch(requirement):
            wanted.setdefault(found["extra"], set()).add(found["name"])
    return tuple(extra for extra, names in wanted.items() if all(any(distributions(name=name)) for name in names))


def install_command(extra: str) -> str:
    """The command that adds an extra to the running program."""
    return this_installation().adding(extra)


def asks_for_help(arguments: Sequence[str]) -> bool:
    """Whether a command is asked what it does."""
    return not {"-h", "--help"}.isdisjoint(arguments)


def help_without(extra: str, command: str, about: str) -> str:
    """What a command says of itself while the extra that brings its options is not installed."""
    return (
        f"usage: {command} [OPTIONS]\n\n{about}\n\nIt needs the extra {extra!r}, which is not installed. Run "
        f"`{install_command(extra)}`; then `{command} --help` lists its options.\n"
    )


def missing_extra(what: str, extra: str, error: ImportError) -> str:
    """What is said where something cannot be run because a package of an extra is not installed."""
    return f"{what} needs the extra {extra!r}: {error.name or error} is not installed. Run `{install_command(extra)}`."


def _origin(recorded: str | None) -> tuple[str, bool]:
    """Where a package came from, as its installer recorded it (PEP 610), and whether it can be edited there."""
    try:
        said = json.loads(recorded or "{}")
        url, version_control = str(said.get("url", "")), said.get("vcs_info", {}).get("vcs", "")
        editable = bool(said.get("dir_info", {}).get("editable"))
    except (ValueError, AttributeError):
        return "", False
    if url.startswith("file:"):
        return url2pathname(urlsplit(url).path), editable
    return f"{version_control}+{url}" if version_control else url, editable

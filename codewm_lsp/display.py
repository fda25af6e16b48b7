"""Text of a repository made harmless, and words strung together, for people to read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

_ESCAPES: Final = re.compile(
    "\x1b\\][^\x07\x1b\x9c]*(?:\x07|\x1b\\\\|\x9c)?"  # operating system commands: titles, links
    "|(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]?"  # colours, cursor movements
    "|\x1b[ -/]*[0-~]?"
)


def clean(text: str, longest: int | None = None) -> str:
    """Text of a repository (subject, author, path, name) as one harmless line.

    Terminal escapes, control and direction characters go; white space becomes single spaces; a text longer than
    ``longest`` ends in an ellipsis.
    """
    text = _ESCAPES.sub("", text)
    text = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
    text = " ".join(text.split())
    if longest is not None and len(text) > longest:
        text = text[: longest - 1].rstrip() + "…"
    return text


def joined(words: Sequence[str]) -> str:
    """``"a, b and c"``."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def counted(number: int, noun: str) -> str:
    """``"1 commit"``, ``"2,284 commits"``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def short(sha: str) -> str:
    """A commit's id as Git and its forges abbreviate it; everywhere the same, so that a person recognises it."""
    return sha[:7]


def quoted(text: str) -> str:
    """Between quotation marks that are not within: ``'Add a timeout'``, ``"Don't retry"``."""
    for mark in ("'", '"'):
        if mark not in text:
            return f"{mark}{text}{mark}"
    return f"“{text}”"


_ORDINALS: Final = {"1": "st", "2": "nd", "3": "rd"}


def named(definition: str) -> str:
    """A definition's name for people: ``get#2`` → ``get (2nd definition)``, ``A#3.get`` → ``A.get (in the 3rd A)``."""
    parts = [part.partition("#") for part in definition.split(".")]
    places = [f"in the {ordinal(number)} {name}" for name, _, number in parts[:-1] if number]
    _name, _, number = parts[-1]
    places += [f"{ordinal(number)} definition"] if number else []
    return f"{'.'.join(name for name, _, _ in parts)} ({', '.join(places)})" if places else definition


def place_name(definition: str) -> str:
    """The same, and code outside of all definitions by what it is."""
    from codewm_lsp.source import MODULE_NAME  # not for whoever only cleans a text

    return "module level" if definition == MODULE_NAME else named(definition)


def ordinal(number: str) -> str:
    """``"2"`` → ``"2nd"``."""
    return number + ("th" if number[-2:-1] == "1" else _ORDINALS.get(number[-1], "th"))

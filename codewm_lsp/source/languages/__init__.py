"""The languages that are read, each one value: what CodeWM knows of it is said there and nowhere else."""

from __future__ import annotations

from typing import Final

from codewm_lsp.source.languages.language import Conventions, Headers, Language, LeafRole, Line, LineKind, Nodes
from codewm_lsp.source.languages.python import PYTHON
from codewm_lsp.source.languages.usage import CALLED, Call, Chain, Import, Names, Parameter, Parameters, Use, UseKind

__all__ = [
    "CALLED",
    "LANGUAGES",
    "PYTHON",
    "SUFFIXES",
    "Call",
    "Chain",
    "Conventions",
    "Headers",
    "Import",
    "Language",
    "LeafRole",
    "Line",
    "LineKind",
    "Names",
    "Nodes",
    "Parameter",
    "Parameters",
    "Use",
    "UseKind",
    "is_source",
    "language_of",
]

LANGUAGES: Final = (PYTHON,)
SUFFIXES: Final = tuple(suffix for language in LANGUAGES for suffix in language.suffixes)


def is_source(path: str) -> bool:
    """Whether a file of this name is source of a language that is read."""
    return path.endswith(SUFFIXES)


def language_of(path: str) -> Language:
    """The language of a file that is read; Python, where its name does not tell (a script that an editor calls so)."""
    return next((language for language in LANGUAGES if path.endswith(language.suffixes)), PYTHON)

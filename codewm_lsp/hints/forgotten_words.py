"""How an answer about what was forgotten is told, by the terminal, the editors and to agents alike."""

from __future__ import annotations

from typing import Any, Final

from codewm_lsp.dates import moment
from codewm_lsp.display import counted, named, short
from codewm_lsp.hints.broken_places import BrokenPlace
from codewm_lsp.hints.forgotten import Forgotten, Looked, Missing
from codewm_lsp.source import MODULE_NAME

SHOWN: Final = 3
"""Definitions of a file that are told in words."""

_CHANGES: Final[dict[str, str]] = {
    Looked.STAGED.value: "the staged changes",
    Looked.WORK_TREE.value: "the changes in the working tree",
}
_USUAL: Final[dict[str, str]] = {
    Looked.STAGED.value: "Usually changes with the staged files, but is not staged",
    Looked.WORK_TREE.value: "Usually changes with the changed files, but has not changed",
}


def record(found: Forgotten) -> dict[str, Any]:
    """The answer for other programs. Its shape is fixed: fields are added, not changed or taken away."""
    return {
        "asked": found.asked,
        "change": found.change,
        "commits": found.commits,
        "shallow": found.shallow,
        "silent": found.silent,
        "changed": list(found.changed),
        "missing": [
            {
                "path": one.path,
                "chance": round(one.chance, 4),
                "reason": one.reason,
                "beside": one.beside,
                "together": one.together,
                "of": one.of,
                "kept_lines": one.kept_lines,
                "evidence": [
                    {"commit": it.sha, "author": it.author, "date": moment(it.date).isoformat(), "subject": it.subject}
                    for it in one.evidence
                ],
                "definitions": [
                    {
                        "definition": it.definition,
                        "line": it.line + 1,
                        "chance": round(it.chance, 4),
                        "reason": it.reason,
                    }
                    for it in one.definitions
                ],
            }
            for one in found.missing
        ],
        "more": found.more,
        "conflicts": list(found.conflicts),
    }


def conflict(path: str) -> str:
    """What is said of a changed file in which markers of a conflict were left."""
    return f"{path} contains conflict markers."


def headline(found: Forgotten) -> str:
    """What was found, in one line without an end where a list follows."""
    if not found.missing:
        return found.silent or f"No file seems to be missing from {found.asked} ({_behind(found)})."
    if not any(one.of for one in found.missing):
        return f"Needs updating to match {_CHANGES.get(found.asked, found.asked)}:"
    if not all(one.of for one in found.missing):
        return f"Likely to need updating with {_CHANGES.get(found.asked, found.asked)} ({_behind(found)}):"
    told = _USUAL.get(found.asked, f"Usually changes with the files in {found.asked}, but did not")
    return f"{told} ({_behind(found)}):"


def more_files(found: Forgotten) -> str:
    """How many files are not named; "" where all are."""
    return counted(found.more, "more file") if found.more else ""


def sentence(one: Missing) -> str:
    """A missing file in one sentence, with the commits that speak for it."""
    commits = ", ".join(short(it.sha) for it in one.evidence)
    reasons = [f"{one.reason} ({commits})" if commits else one.reason] if one.of else []
    reasons += [f"{place(it)} {it.reason}" for it in one.definitions[:SHOWN]]
    more = len(one.definitions) - SHOWN
    if more > 0:
        reasons.append(f"and {more} more")
    return f"{one.path} is likely to need a change, too ({100 * one.chance:.0f} %): {'; '.join(reasons)}."


def place(one: BrokenPlace) -> str:
    """A definition of a file, and the line to look at."""
    return f"line {one.line + 1}, {named(one.definition)}" if one.definition != MODULE_NAME else f"line {one.line + 1},"


def _behind(found: Forgotten) -> str:
    return f"based on {counted(found.commits, 'commit')}" + (" of a shallow clone" if found.shallow else "")

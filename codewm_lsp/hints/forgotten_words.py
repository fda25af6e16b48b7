"""How an answer about what was forgotten is told, by the terminal, the editors and to agents alike."""

from __future__ import annotations

from typing import Any

from codewm_lsp.dates import moment
from codewm_lsp.hints.forgotten import Forgotten, Missing


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
                "evidence": [
                    {"commit": it.sha, "author": it.author, "date": moment(it.date).isoformat(), "subject": it.subject}
                    for it in one.evidence
                ],
            }
            for one in found.missing
        ],
    }


def headline(found: Forgotten) -> str:
    """What was found, in one line without an end where a list follows."""
    if found.missing:
        return f"Usually changed together with {found.asked}, and not changed ({_behind(found)}):"
    return found.silent or f"Nothing seems to be missing from {found.asked} ({_behind(found)})."


def sentence(one: Missing) -> str:
    """A missing file in one sentence, with the commits that speak for it."""
    commits = ", ".join(it.sha[:8] for it in one.evidence)
    said = f"{one.path} is likely to need a change, too ({100 * one.chance:.0f} %): {one.reason}"
    return f"{said} ({commits})." if commits else f"{said}."


def _behind(found: Forgotten) -> str:
    return f"{found.commits:,} commits" + (" of a shallow clone" if found.shallow else "")

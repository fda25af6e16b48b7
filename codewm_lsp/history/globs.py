"""Globs over paths in a repository: ``*``, ``?``, ``[…]``, ``{a,b}`` and ``**`` for any number of folders."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache


def matches_any(path: str, globs: Iterable[str]) -> bool:
    """Whether ``path`` (relative, with forward slashes) matches a glob; one without a slash matches in any folder."""
    return any(_compile(glob).fullmatch(path) is not None for glob in globs)


@lru_cache(maxsize=256)
def _compile(glob: str) -> re.Pattern[str]:
    glob = glob.replace("\\", "/").removeprefix("./").lstrip("/")
    if "/" not in glob.rstrip("/"):
        glob = f"**/{glob}"
    if glob.endswith("/"):
        glob += "**"
    parts: list[str] = []
    depth = 0
    index = 0
    while index < len(glob):
        character = glob[index]
        index += 1
        if character == "*":
            if glob[index : index + 1] == "*":
                index += 1
                if glob[index : index + 1] == "/":
                    index += 1
                    parts.append("(?:[^/]+/)*")
                else:
                    parts.append(".*")
            else:
                parts.append("[^/]*")
        elif character == "?":
            parts.append("[^/]")
        elif character == "[" and (end := glob.find("]", index + 1)) > 0:
            inside = glob[index:end].replace("\\", "\\\\").replace("[", "\\[")
            parts.append(f"[^/{inside[1:]}]" if inside.startswith("!") else f"[{inside}]")
            index = end + 1
        elif character == "{" and "}" in glob[index:]:
            depth += 1
            parts.append("(?:")
        elif character == "}" and depth:
            depth -= 1
            parts.append(")")
        elif character == "," and depth:
            parts.append("|")
        else:
            parts.append(re.escape(character))
    try:
        return re.compile("".join(parts) + ")" * depth, re.DOTALL)
    except re.error:
        return re.compile(re.escape(glob))

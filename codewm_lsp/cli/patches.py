"""A unified diff, as ``git diff`` writes it → the edits that it makes."""

from __future__ import annotations

import re
from typing import Final

from codewm_lsp.errors import OptionError
from codewm_lsp.history import Edit, EditKind
from codewm_lsp.source import MODULE_NAME, DefinitionKind, parse_definitions
from codewm_lsp.source.languages import is_source

MAX_DIFF: Final = 200_000  # characters of a diff that is asked about
_HUNKS: Final = 40
_HEADING: Final = 300  # characters of what Git says a hunk is in
_HUNK: Final = re.compile(r"^@@ -\d+(?:,\d+)? \+(\d+)(?:,\d+)? @@ ?(.*)")


def edits_of_diff(diff: str) -> tuple[Edit, ...]:
    """The edits that a unified diff of Python files makes, one a hunk. Raises OptionError where there is none."""
    if len(diff) > MAX_DIFF:
        raise OptionError(f"The diff has {len(diff):,} characters; the maximum is {MAX_DIFF:,}. Pass a part of it.")
    found: list[Edit] = []
    path = ""
    before: list[str] = []
    after: list[str] = []
    line, name, inside = 0, "", False

    def close() -> None:
        if inside and before != after and is_source(path):
            old, new = "\n".join(before), "\n".join(after)
            kind = EditKind.ADDED if not old.strip() else EditKind.REMOVED if not new.strip() else EditKind.MODIFIED
            found.append(Edit(path, name, DefinitionKind.FUNCTION, kind, old, new, line, None, None))

    for row in [*diff.replace("\r\n", "\n").split("\n"), "--- "]:
        if row.startswith("--- ") or row.startswith("diff --git "):
            close()
            inside, path = False, row[4:].split("\t")[0].removeprefix("a/") if row.startswith("--- ") else ""
        elif row.startswith("+++ ") and not inside:
            new_path = row[4:].split("\t")[0]
            path = path if new_path.startswith("/") else new_path.removeprefix("b/")  # no file: it was removed
        elif match := _HUNK.match(row):
            close()
            inside, before, after = True, [], []
            line = max(0, int(match[1][:9]) - 1)
            defined = [one.name for one in parse_definitions(match[2][:_HEADING]) if one.name != MODULE_NAME]
            name = defined[0] if defined else ""
        elif inside:
            if row[:1] in ("-", " ", ""):
                before.append(row[1:])
            if row[:1] in ("+", " ", ""):
                after.append(row[1:])
    if not found:
        raise OptionError("The diff changes no Python file. Send a unified diff, as git diff writes it.")
    return tuple(found[:_HUNKS])

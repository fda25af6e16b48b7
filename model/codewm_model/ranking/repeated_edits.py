"""How often an edit makes an earlier one of its definition again or takes it back, and what that one tells.

    python -m codewm_model.ranking.repeated_edits --repos CLONES --cache FOLDER

Of the newest edits of every repository, those that modify a definition: which of the newest earlier edits of the same
definition they repeat, by ``codewm_lsp.hints.repeats``. What a repeated one tells is measured by the files that its
commit changed besides: how often the commit that repeats it changes one of them, too. Beside it stands the same of the
newest earlier edit of the definition that is not repeated.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from codewm_lsp.errors import CodewmError
from codewm_lsp.hints.repeats import Repeat, repeat_of
from codewm_lsp.history import CommitEdits, Edit, EditKind
from codewm_model.evaluation.cache import Cache
from codewm_model.evaluation.repositories import find, newest_commits, sets
from codewm_model.ranking.fit_command import fit_parser

EDITS: Final = 3_000  # newest ones of a repository
EARLIER: Final = 6  # edits of a definition that are compared, as the product does


@dataclass(slots=True)
class Counts:
    """Of the edits that modify a definition: how many repeat an earlier one, by how, and how often the first so found
    (None: the newest that is not repeated) has another file with them in common, of those with others at all."""

    modified: int = 0
    repeating: Counter[str] = field(default_factory=Counter)
    common: defaultdict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))

    def add(self, other: Counts) -> None:
        """Count those of another repository as well."""
        self.modified += other.modified
        self.repeating.update(other.repeating)
        for name, found in other.common.items():
            self.common[name].extend(found)

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "modified": self.modified,
            "repeating": {
                name: {"edits": count, "share": round(count / max(self.modified, 1), 4)}
                for name, count in sorted(self.repeating.items())
            },
            "another file in common": {
                name: {"edits": len(found), "share": round(sum(found) / len(found), 3)}
                for name, found in sorted(self.common.items())
            },
        }


def counted(commits: Sequence[CommitEdits]) -> Counts:
    """``commits``: newest first."""
    found = Counts()
    earlier: defaultdict[tuple[str, str], list[tuple[Edit, frozenset[str]]]] = defaultdict(list)
    for commit in reversed(commits):
        files = frozenset(edit.path for edit in commit.edits)
        for edit in commit.edits:
            own = earlier[edit.path, edit.definition]
            if edit.kind is EditKind.MODIFIED:
                _compare(found, edit, files, own[-EARLIER:][::-1])
        for edit in commit.edits:
            if edit.kind is EditKind.MODIFIED:
                earlier[edit.path, edit.definition].append((edit, files))
    return found


def _compare(found: Counts, edit: Edit, files: frozenset[str], own: Sequence[tuple[Edit, frozenset[str]]]) -> None:
    found.modified += 1
    told: set[str] = set()
    for past, others in own:
        repeat: Repeat | None = repeat_of((edit.before, edit.after), (past.before, past.after))
        name = repeat.value if repeat is not None else "not repeated"
        if name in told:
            continue
        told.add(name)
        if repeat is not None:
            found.repeating[name] += 1
        besides = others - {edit.path}
        if besides:
            found.common[name].append(bool(besides & files))
    found.repeating["any"] += bool(told - {"not repeated"})


def main(arguments: Sequence[str] | None = None) -> None:
    """See the top of the file."""
    options = _parser().parse_args(arguments)
    cache = Cache(options.cache)
    names = sets()
    report = {}
    for name in ("train", "validation"):
        total = Counts()
        try:
            clones, left_out = find(options.repos, names[name], required=False)
        except CodewmError as error:
            sys.exit(f"error: {error}")
        for clone in clones:
            total.add(counted(newest_commits(clone, options.edits, cache)))
            sys.stderr.write(f"{clone.name}\n")
        for left, reason in left_out.items():
            sys.stderr.write(f"{left} left out: {reason}\n")
        report[name] = {"repositories": len(clones), **total.record()}
    json.dump(report, sys.stdout, indent=1)
    sys.stdout.write("\n")


def _parser() -> argparse.ArgumentParser:
    parser = fit_parser("repeated_edits", "How often edits of a definition are made again.", output="")
    parser.add_argument("--edits", type=int, default=EDITS, help="newest edits of each repository")
    return parser


if __name__ == "__main__":
    main()

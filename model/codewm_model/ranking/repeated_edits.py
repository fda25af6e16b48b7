"""How often an edit makes an earlier one of its definition again or takes it back, and what that one tells.

    python -m codewm_model.ranking.repeated_edits --repos CLONES --cache FOLDER

Of the newest edits of every repository, those that modify a definition: which of the newest earlier edits of the same
definition they repeat, by ``codewm_lsp.hints.repeats``. What a repeated one tells is measured by the files that its
commit changed besides: how often the commit that repeats it changes one of them, too; and by how often it *fits* as
``shown_fit`` means that, though by three likenesses instead of four: it does not ask the vectors. An edit that is taken
back is held against the other one reversed. Beside it stands the same of the newest earlier edit of the definition that
is not repeated.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from codewm_lsp.errors import CodewmError
from codewm_lsp.hints.fitting import likeness_of_kinds
from codewm_lsp.hints.repeats import Repeat, repeat_of
from codewm_lsp.history import CommitEdits, Edit, EditKind
from codewm_lsp.source import kinds_of_change
from codewm_model.evaluation.cache import Cache
from codewm_model.evaluation.likeness import Likeness
from codewm_model.evaluation.repositories import find, newest_commits, sets
from codewm_model.ranking.fit_command import fit_parser
from codewm_model.ranking.shown_fit import ENOUGH, LIKE, SAME

EDITS: Final = 3_000  # newest ones of a repository
EARLIER: Final = 6  # edits of a definition that are compared, as the product does


@dataclass(slots=True)
class Counts:
    """Of the edits that modify a definition: how many repeat an earlier one, by how, and how often the first so found
    (or the newest that is not repeated) has another file with them in common, of those with others at all, and fits."""

    modified: int = 0
    repeating: Counter[str] = field(default_factory=Counter)
    common: defaultdict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))
    fits: defaultdict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))

    def add(self, other: Counts) -> None:
        """Count those of another repository as well."""
        self.modified += other.modified
        self.repeating.update(other.repeating)
        for mine, theirs in ((self.common, other.common), (self.fits, other.fits)):
            for name, found in theirs.items():
                mine[name].extend(found)

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "modified": self.modified,
            "repeating": {
                name: {"edits": count, "share": round(count / max(self.modified, 1), 4)}
                for name, count in sorted(self.repeating.items())
            },
            "another file in common": _shares(self.common),
            "fit": _shares(self.fits),
        }


def _shares(answers: Mapping[str, Sequence[bool]]) -> dict[str, Any]:
    return {
        name: {"edits": len(found), "share": round(sum(found) / len(found), 3)}
        for name, found in sorted(answers.items())
    }


def counted(commits: Sequence[CommitEdits]) -> Counts:
    """``commits``: newest first."""
    found = Counts()
    measure = Likeness([edit for commit in commits for edit in commit.edits])
    earlier: defaultdict[tuple[str, str], list[tuple[Edit, frozenset[str]]]] = defaultdict(list)
    for commit in reversed(commits):
        files = frozenset(edit.path for edit in commit.edits)
        for edit in commit.edits:
            own = earlier[edit.path, edit.definition]
            if edit.kind is EditKind.MODIFIED:
                _compare(found, edit, files, own[-EARLIER:][::-1], measure)
        for edit in commit.edits:
            if edit.kind is EditKind.MODIFIED:
                earlier[edit.path, edit.definition].append((edit, files))
    return found


def _compare(
    found: Counts, edit: Edit, files: frozenset[str], own: Sequence[tuple[Edit, frozenset[str]]], measure: Likeness
) -> None:
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
        found.fits[name].append(
            _fits(_reversed(edit) if repeat is Repeat.UNDONE else edit, past, measure, besides & files)
        )
    found.repeating["any"] += bool(told - {"not repeated"})


def _reversed(edit: Edit) -> Edit:
    return replace(edit, before=edit.after, after=edit.before)


def _fits(edit: Edit, past: Edit, measure: Likeness, common: frozenset[str]) -> bool:
    words = float(Likeness([past], measure).to(edit)[0, 0]) >= LIKE
    kinds = likeness_of_kinds(*(kinds_of_change(one.before, one.after) for one in (edit, past))) >= SAME
    return words + kinds + bool(common) >= ENOUGH


def main(arguments: Sequence[str] | None = None) -> None:
    """See the top of the file."""
    options = _parser().parse_args(arguments)
    cache = Cache(options.cache)
    report = {}
    for name, repositories in (("train", options.train), ("validation", sets()["validation"])):
        total = Counts()
        try:
            clones, left_out = find(options.repos, repositories, required=False)
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
    parser = fit_parser("repeated_edits", "How often edits of a definition are made again.", train=sets()["train"])
    parser.add_argument("--edits", type=int, default=EDITS, help="newest edits of each repository")
    return parser


if __name__ == "__main__":
    main()

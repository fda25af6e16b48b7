"""Answers for people: readable on a terminal, plain in a pipe, and safe to print whatever a repository says."""

from __future__ import annotations

import difflib
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Final, Literal, TextIO, TypeAlias

from codewm_lsp.dates import age
from codewm_lsp.display import named, place_name, short
from codewm_lsp.source import MODULE_NAME

if TYPE_CHECKING:
    from rich.console import Console

    from codewm_lsp.cli.asking import Question
    from codewm_lsp.cli.doctor import Finding
    from codewm_lsp.hints import Prediction, SimilarEdit, StandIn
    from codewm_lsp.hints.next_files import NextFile
    from codewm_lsp.history import Commit, Edit
    from codewm_lsp.index import PastEdit

SHOWN_EDITS = 8  # edits in progress named above an answer


class Pipe:
    """What is no terminal: it takes plain lines, for which no library need be loaded."""

    is_terminal: Final = False

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def print(self, line: str) -> None:
        """Write one line."""
        self._stream.write(line + "\n")


Screen: TypeAlias = "Console | Pipe"


def consoles() -> tuple[Screen, Screen]:
    """For answers and for everything else. Colours only where a terminal is on the other end."""
    return _screen(sys.stdout), _screen(sys.stderr)


def _screen(stream: TextIO) -> Screen:
    if not stream.isatty():
        return Pipe(stream)
    from rich.console import Console

    return Console(file=stream, highlight=False, soft_wrap=True)


@contextmanager
def progress_bar(
    console: Screen, doing: str, things: str, *, wanted: bool = True
) -> Iterator[Callable[[int, int], None] | None]:
    """What shows how many things of how many are done; None where it is not wanted or there is no terminal for it."""
    if not wanted or isinstance(console, Pipe) or not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TextColumn(things), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def plain(text: str) -> str:
    """Without control and direction characters: a commit's subject must not drive the terminal."""
    return "".join(
        character if character.isprintable() or unicodedata.category(character) == "Zs" else f"\\x{ord(character):02x}"
        for character in text
    )


def diff_of(edit: Edit) -> str:
    """The edit of one definition as a unified diff, without a newline at its end."""
    before, after = _rows(edit.before), _rows(edit.after)
    inner = min((_indentation(row) for row in (*before[1:], *after[1:]) if row.strip()), default=0)
    first = next(iter(after or before), "")
    # The text begins at its first letter; a decorator stands at the margin of its definition, a header one step before.
    margin = inner if first.startswith("@") else max(0, inner - 4)
    return "\n".join(
        difflib.unified_diff(
            [*before[:1], *(row[margin:] for row in before[1:])],
            [*after[:1], *(row[margin:] for row in after[1:])],
            f"{edit.previous_path or edit.path}::{named(edit.definition)}",
            f"{edit.path}::{named(edit.definition)}",
            lineterm="",
        )
    )


def _with_renames(edits: Sequence[Edit]) -> list[tuple[str, Edit, str]]:
    """What was done in each edit and to what; one that was removed and added under another name was renamed."""
    from codewm_lsp.ranking.breaking import renames

    old = renames(edits)
    gone = {(path, name) for (path, _), name in old.items()}
    told: list[tuple[str, Edit, str]] = []
    for edit in edits:
        place = (edit.path, edit.definition)
        if edit.kind.value == "added" and place in old:
            told.append(("renamed", edit, f"{named(old[place])} to {named(edit.definition)}"))
        elif edit.kind.value != "removed" or place not in gone:
            told.append((edit.kind.value, edit, place_name(edit.definition)))
    return told


def _names_now(edits: Sequence[Edit]) -> dict[tuple[str, str], str]:
    """What the definitions that were renamed, by path and old name, are called now: either edit is of the same one."""
    from codewm_lsp.ranking.breaking import renames

    return {(path, old): new for (path, new), old in renames(edits).items()}


def _rows(text: str) -> list[str]:
    return text.rstrip("\n").split("\n") if text else []


def _indentation(row: str) -> int:
    return len(row) - len(row.lstrip(" \t"))


class Reporter:
    """Writes answers to one console."""

    def __init__(self, console: Screen, now: datetime | None = None) -> None:
        self.console = console
        self.now = (now or datetime.now(timezone.utc)).timestamp()

    def line(self, *parts: str | tuple[str, str]) -> None:
        """One line of plain or styled parts."""
        if isinstance(self.console, Pipe):
            self.console.print("".join(plain(part if isinstance(part, str) else part[0]) for part in parts))
            return
        from rich.text import Text

        self.console.print(Text.assemble(*((plain(p) if isinstance(p, str) else (plain(p[0]), p[1])) for p in parts)))

    def question(
        self,
        question: Question,
        kind: Literal["similar", "next"],
        line_of: Callable[[Edit], int],
        *,
        after_commit: bool = False,
        places: bool = True,
    ) -> None:
        """What the answer is about. ``line_of``: the line to look at of an edit; ``after_commit``: see ``heading``;
        ``places``: whether it is likely places, too."""
        if question.note:
            self.line((question.note, "dim"))
        if question.stand_in is not None:
            self.line(self._stand_in(question, question.stand_in))
            self.line(("Edit something, or name another commit (--at REV) or a file.", "dim"))
            if question.renamed and not places:
                self.line(("To see which files still import the old names, run `codewm forgotten`.", "dim"))
            self.line()
        about = "The commit's edits" if question.stand_in is not None else f"About {question.words}"
        commit = question.edits[0].commit
        if question.stand_in is None and question.files is not None and commit is not None:
            about += f", {self._age(commit)}"
        self.line(
            (f"{'Your uncommitted changes' if question.files is None and not question.stand_in else about}:", "bold")
        )
        told = _with_renames(question.edits)
        for what, edit, name in told[:SHOWN_EDITS]:
            self.line("  ", (what, "dim"), f"  {edit.path}:{line_of(edit) + 1}  ", (name, "cyan"))
        more = len(told) - SHOWN_EDITS
        if more > 0:
            self.line((f"  … and {more} more definition{'s' if more > 1 else ''}", "dim"))
        self.line()
        what = "Similar past edits, with the chance that each fits" if kind == "similar" else "Likely to change next"
        self.line((f"{what}:", "bold"))
        if after_commit and kind == "next":
            self._chances()
        self.line()

    def _stand_in(self, question: Question, stand_in: StandIn) -> str:
        from codewm_lsp.hints import stand_in_words

        if question.file is not None:
            commit = stand_in.commit
            named = f"{short(commit.sha)} {commit.subject!r}, {self._age(commit)}"
            old = question.renamed.get(question.file, "")
            edited = (
                f"{question.file} was renamed from {old}, and none of its definitions has changed"
                if old
                else f"No uncommitted changes to {question.file}"
            )
            return f"{edited}; using its newest change, {named}."
        edited = f"No {'other ' if question.note else ''}uncommitted changes to Python code"
        for new, old in [*question.renamed.items()][:1]:
            more = f", and {len(question.renamed) - 1} more" if len(question.renamed) > 1 else ""
            edited += f", only renamed files ({old} is now {new}{more})"
        return f"{edited}; using {stand_in_words(stand_in, self.now)}."

    def heading(self, words: str, *, after_commit: bool = False) -> None:
        """What follows. ``after_commit``: places that are likely to be next while nothing is being edited."""
        self.line()
        self.line((words, "bold"))
        if after_commit:
            self._chances()
        self.line()

    def _chances(self) -> None:
        from codewm_lsp.hints.wording import CHANCES

        self.line((CHANCES, "dim"))

    def similar(
        self, found: Sequence[tuple[SimilarEdit, Edit]], diffs: Sequence[str | None], editing: Sequence[Edit]
    ) -> None:
        """Past edits, best first, each beside the one of those in progress that it resembles."""
        told = _with_renames(editing)
        now = _names_now(editing)
        for number, ((item, query), diff) in enumerate(zip(found, diffs, strict=True), 1):
            edit = item.edit
            self.line(
                (f"{number:3d}  ", "dim"),
                ("       " if item.fact else f"{100 * item.score:3.0f} %  ", "bold green"),
                (f"{edit.source.name}  " if edit.source else "", "magenta"),
                (f"{edit.path}  ", ""),
                (place_name(edit.definition), "cyan"),
                (f"  {edit.kind.value}", "dim"),
            )
            self._commit(edit.commit)
            reasons = "; ".join(reason.words for reason in item.reasons)
            if len(told) > 1:
                definition = now.get((query.path, query.definition), query.definition)
                place = query.path if definition == MODULE_NAME else named(definition)
                reasons = f"like the change to {place}" + (f": {reasons}" if reasons else "")
            if reasons:
                self.line("           ", (reasons, "dim"))
            self.diff(diff)

    def found(self, found: Sequence[PastEdit], diffs: Sequence[str | None]) -> None:
        """Past edits that a search found, best first."""
        for number, (edit, diff) in enumerate(zip(found, diffs, strict=True), 1):
            self.line(
                (f"{number:3d}  ", "dim"),
                f"{edit.path}  ",
                (place_name(edit.definition), "cyan"),
                (f"  {edit.kind.value}", "dim"),
            )
            self._commit(edit.commit)
            self.diff(diff)

    def predictions(self, found: Sequence[Prediction], diffs: Sequence[Sequence[str | None]]) -> None:
        """Definitions likely to be edited next, best first, each with the past edits that tell why."""
        for number, (prediction, evidence_diffs) in enumerate(zip(found, diffs, strict=True), 1):
            self.line(
                (f"{number:3d}  ", "dim"),
                (f"{100 * prediction.score:3.0f} %  ", "bold green"),
                f"{prediction.path}:{prediction.line + 1}  ",
                (place_name(prediction.definition), "cyan"),
            )
            likely = [part for part in prediction.likely if part != place_name(prediction.definition)]
            if likely:
                self.line("           likely to change: ", ", ".join(likely))
            reasons = "; ".join(reason.words for reason in prediction.reasons)
            if reasons:
                self.line("           ", (reasons, "dim"))
            for item, diff in zip(prediction.telling, evidence_diffs, strict=True):
                commit = item.edit.commit
                self.line(
                    "           like ",
                    (short(commit.sha), "yellow"),
                    f"  {commit.subject}",
                    (f"  {commit.author} · {self._age(commit)} · {item.edit.path}", "dim"),
                    (f"  {place_name(item.edit.definition)}", "dim"),
                )
                self.diff(diff)
                if diff is None:
                    break  # the first says enough

    def files(self, found: Sequence[NextFile]) -> None:
        """Files that have no definitions, best first."""
        for number, file in enumerate(found):
            if not number:
                self.heading("Files likely to change next")
            self.line(
                (f"{number + 1:3d}  ", "dim"), (f"{100 * file.score:3.0f} %  ", "bold green"), (file.path, "cyan")
            )
            self.line("           ", (file.reason, "dim"))

    def diff(self, diff: str | None) -> None:
        """A past diff, coloured line by line."""
        if diff is None:
            return
        for row in diff.split("\n"):
            style = {"+": "green", "-": "red", "@": "magenta"}.get(row[:1], "")
            self.line("           ", (row.expandtabs(4), style))
        self.line()

    def _commit(self, commit: Commit) -> None:
        self.line(
            "           ",
            (short(commit.sha), "yellow"),
            f"  {commit.subject}",
            (f"  {commit.author} · {self._age(commit)}", "dim"),
        )

    def _age(self, commit: Commit) -> str:
        return age(self.now - commit.date)

    def findings(self, findings: Sequence[Finding]) -> None:
        """What ``codewm doctor`` saw."""
        style = {"ok": "green", "note": "yellow", "problem": "bold red"}
        label = {"hidden": "hidden edits", "unused": "unused indexes"}
        for one in findings:
            self.line((f"{one.state:8}", style[one.state]), (f"{label.get(one.name, one.name):15}", "bold"), one.detail)
            if one.remedy:
                self.line(" " * 23, (f"→ {one.remedy}", style[one.state]))

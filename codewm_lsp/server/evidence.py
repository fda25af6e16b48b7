"""Past edits as a person and as a program wants to see them: a diff with its commit, and JSON."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from pygls.uris import from_fs_path

from codewm_lsp.dates import age, moment
from codewm_lsp.display import clean, named
from codewm_lsp.records import dataclass
from codewm_lsp.source import MODULE_NAME
from codewm_lsp.source.languages import is_source

_MEASURES: Final = {"similar": "likely to fit", "next": "alike"}
_DIFFS: Final = "codewm-diffs-"  # and the number of the process
_GONE: Final = "(the text of this edit is no longer in the repository)\n"


@dataclass(frozen=True, slots=True)
class PastChange:
    """One edit of the past with its own text on both sides.

    ``score``: of one that is like an edit, the chance that it fits; of one behind a prediction, how alike the two are;
    None for an edit that was not compared with anything, or that the one asked about, of the same definition, makes
    again or takes back.
    ``date`` in unix seconds. ``line`` counts from 0, in the file as the commit left it (as it found it, when the
    definition was removed). ``previous_path``: the file's path before, where it was renamed. ``repository`` and
    ``root``: the name of another repository that it comes from, and that one's folder where it is on this machine.
    """

    commit: str
    author: str
    date: int
    subject: str
    path: str
    definition: str
    kind: str
    line: int
    previous_path: str | None
    score: float | None
    reasons: tuple[str, ...]
    before: str
    after: str
    repository: str = ""
    root: Path | None = None

    def diff(self) -> str:
        """The change as a unified diff; lines count from the definition's first."""
        before = self.before.splitlines()
        after = self.after.splitlines()
        path = clean(self.path)
        lines = difflib.unified_diff(before, after, f"a/{path}", f"b/{path}", lineterm="")
        return "".join(f"{line} {named(self.definition)}\n" if line.startswith("@@") else f"{line}\n" for line in lines)

    def record(self) -> dict[str, object]:
        """As JSON. The words of the repository are made harmless; ``path`` is what it is, for it names the file."""
        return {
            "commit": self.commit,
            "author": clean(self.author),
            "date": moment(self.date).isoformat(),
            "subject": clean(self.subject),
            "path": self.path,
            "definition": self.definition,
            "kind": self.kind,
            "line": self.line,
            "previousPath": self.previous_path,
            "score": None if self.score is None else round(float(self.score), 6),
            "reasons": list(self.reasons),
            "diff": self.diff(),
            **({"repository": clean(self.repository)} if self.repository else {}),
            **({"root": from_fs_path(str(self.root))} if self.root is not None else {}),
        }


@dataclass(frozen=True, slots=True)
class Evidence:
    """The past edits behind one lens, or found by ``words``. ``kind``: the lens's, "similar" or "next"; or "search"."""

    kind: str
    path: str
    definition: str
    likely: tuple[str, ...]
    reasons: tuple[str, ...]
    edits: tuple[PastChange, ...]
    words: str = ""

    def record(self) -> dict[str, object]:
        """As JSON."""
        query = {
            "path": self.path,
            "definition": self.definition,
            "kind": self.kind,
            "likely": list(self.likely),
            "reasons": list(self.reasons),
            **({"words": self.words} if self.words else {}),
        }
        return {"query": query, "edits": [edit.record() for edit in self.edits]}

    def text(self, now: float) -> str:
        """As a diff to read, commit by commit."""
        what = "similar to the change expected in" if self.kind == "next" else "similar to the change to"
        about = f"about {clean(self.words)}" if self.words else f"{what} {named(self.definition)} ({clean(self.path)})"
        head = [f"# Past edits {about}\n"]
        head.extend(f"# {words}\n" for words in (*_likely(self.likely), *self.reasons))
        return "".join(head) + _commits(self.edits, now, _MEASURES.get(self.kind, ""))


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A definition likely to be edited next, or a file that is no source code; ``line`` counts from 0."""

    path: str
    definition: str
    line: int
    score: float
    likely: tuple[str, ...]
    reasons: tuple[str, ...]
    evidence: tuple[PastChange, ...]

    @property
    def called(self) -> str:
        """Its name in a sentence: a file is called by its path."""
        return named(self.definition) if self.definition != MODULE_NAME or is_source(self.path) else clean(self.path)

    def record(self, uri_of: Callable[[str], str]) -> dict[str, object]:
        """As JSON, with the file's URI."""
        return {
            "path": self.path,
            "uri": uri_of(self.path),
            "definition": self.definition,
            "line": self.line,
            "score": round(float(self.score), 6),
            "likely": list(self.likely),
            "reasons": list(self.reasons),
            "evidence": [edit.record() for edit in self.evidence],
        }


@dataclass(frozen=True, slots=True)
class Suggestions:
    """The likeliest first. ``about``: what they are from, and what their chances mean, while nothing is edited or the
    repository is still being read; else empty."""

    items: tuple[Suggestion, ...]
    about: str


def suggestions_text(suggestions: Sequence[Suggestion], now: float, about: str = "") -> str:
    """Predictions as a diff to read, each with its evidence."""
    parts = ["# Likely to change next\n", *([f"# {about}\n"] if about else [])]
    for number, suggestion in enumerate(suggestions, 1):
        place = (
            "" if suggestion.called == clean(suggestion.path) else f"{clean(suggestion.path)}:{suggestion.line + 1} "
        )
        parts.append(f"#\n# {number}. {place}{suggestion.called}\n")
        parts.extend(f"#    {words}\n" for words in (*_likely(suggestion.likely), *suggestion.reasons))
    for suggestion in suggestions:
        if suggestion.evidence:
            parts.append(f"\n# {'=' * 70}\n# {named(suggestion.definition)} ({clean(suggestion.path)})\n")
            parts.append(_commits(suggestion.evidence, now, _MEASURES["next"]))
    return "".join(parts)


class DiffFiles:
    """Read-only temporary files for clients that have no view of their own; gone when the server ends."""

    def __init__(self) -> None:
        self._folder: Path | None = None

    def write(self, name: str, text: str) -> Path:
        """A file that holds ``text``; the same text is written once."""
        if self._folder is None or not self._folder.is_dir():
            _take_away_what_was_left()
            self._folder = Path(tempfile.mkdtemp(prefix=f"{_DIFFS}{os.getpid()}-"))
        stem = re.sub(r"[^\w.-]+", "-", name).strip("-.")[:60] or "edits"
        file = self._folder / f"{stem}-{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:8]}.diff"
        if not file.exists():
            file.write_text(text, encoding="utf-8", errors="replace", newline="\n")
            os.chmod(file, stat.S_IREAD)
        return file

    def remove(self) -> None:
        """Delete them all."""
        if self._folder is not None:
            _remove(self._folder)
            self._folder = None


def _take_away_what_was_left() -> None:
    """By servers of this user that were killed."""
    import psutil

    for folder in Path(tempfile.gettempdir()).glob(f"{_DIFFS}*-*"):
        number = folder.name.removeprefix(_DIFFS).partition("-")[0]
        with contextlib.suppress(OSError):
            state = folder.lstat()
            own = stat.S_ISDIR(state.st_mode) and (os.name == "nt" or state.st_uid == psutil.Process().uids().real)
            if own and number.isascii() and number.isdigit() and not psutil.pid_exists(int(number)):
                _remove(folder)


def _remove(folder: Path) -> None:
    for file in folder.glob("*.diff"):
        with contextlib.suppress(OSError):
            os.chmod(file, stat.S_IREAD | stat.S_IWRITE)
    shutil.rmtree(folder, ignore_errors=True)


def _commits(edits: Sequence[PastChange], now: float, measure: str) -> str:
    parts = []
    for number, edit in enumerate(edits, 1):
        day = moment(edit.date).strftime("%Y-%m-%d %H:%M UTC")
        score = "" if edit.score is None else f" · {100 * edit.score:.0f} % {measure}"
        place = f"{clean(edit.repository)}: {clean(edit.path)}" if edit.repository else clean(edit.path)
        parts.append(f"\n# {number} of {len(edits)}{score} · {place} · {named(edit.definition)}\n")
        parts.extend(f"#   {reason}\n" for reason in edit.reasons)
        parts.append(f"commit {edit.commit}\nAuthor: {clean(edit.author)}\n")
        parts.append(f"Date:   {day} ({age(now - edit.date)})\n\n    {clean(edit.subject)}\n\n")
        gone = f"({clean(edit.repository)} is not on this machine)\n" if edit.repository else _GONE
        parts.append(edit.diff() or gone)
    return "".join(parts)


def _likely(likely: Sequence[str]) -> tuple[str, ...]:
    return (f"likely to change: {', '.join(likely)}",) if likely else ()

"""What the text of a change says of files that it has not touched: words that are gone and still stand there, lines
that were changed here and stand there unchanged, names that are used and that nothing holds yet.

Words and lines are those of any text, so all kinds of files are asked alike; definitions count where there are some.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import fsum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.history import Edit, EditKind
from codewm_lsp.ranking.companions import Companions, FilePast, Touched, kind_of
from codewm_lsp.records import dataclass
from codewm_lsp.source import DefinitionKind
from codewm_lsp.source.languages import LeafRole
from codewm_lsp.source.tokens import tokenize

_WORD: Final = re.compile(r"[^\W\d]\w{2,}|\d+(?:\.\d+)+\w*")
_ASCII_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{2,}|[0-9]+(?:\.[0-9]+)+[A-Za-z0-9_]*")  # the same, faster
_ALONE: Final = re.compile(r"(?<![.\w])[^\W\d]\w{2,}")  # not after a dot
_VERSIONED: Final = re.compile(r"version(?:added|changed)|deprecat", re.I)
_ISSUE: Final = re.compile(r"(?:#|:(?:issue|pr|gh|bug|pull):`)\d{2,}")
_MOST_EDITS: Final = 60
_SHORT: Final = 12  # characters of a line that says little
_MOST_LINES: Final = 4_000
_MOST_SIBLINGS: Final = 60

TEXT_SIGNALS: Final = (
    "text_known",
    "gone_words",
    "come_words",
    "novel_words",
    "dangling_words",
    "dangling_in_tests",
    "gone_versions",
    "lines_added",
    "lines_removed",
    "source_lines_added",
    "source_lines_removed",
    "test_lines_added",
    "document_lines_added",
    "source_come_words",
    "source_gone_words",
    "test_come_words",
    "test_gone_words",
    "candidate_words",
    "stale_words",
    "stale_weight",
    "stale_share",
    "stale_versions",
    "stale_lines",
    "stale_lines_share",
    "had_lines",
    "had_lines_share",
    "come_known",
    "come_weight",
    "come_alone",
    "likeness",
    "named_in_added",
    "named_with_novel",
    "named_in_change",
    "names_changed",
    "names_added",
    "names_removed",
    "names_siblings",
    "added_unlisted",
    "broken_here",
    "broken_count",
    "broken_elsewhere",
    "added_public",
    "added_private",
    "added_tests",
    "modified_definitions",
    "removed_definitions",
    "new_parameters",
    "behaviour_edits",
    "cosmetic_edits",
    "behaviour_tests",
    "cosmetic_tests",
    "moved_lines",
    "moved_files",
    "versioned_lines",
    "issue_lines",
    "edited_known",
    "edited_weight",
    "edited_share",
    "line_words",
    "line_words_weight",
    "edited_rank",
    "line_words_rank",
    "stale_rank",
    "stale_lines_rank",
    "come_rank",
)


@dataclass(frozen=True, slots=True)
class TextWords:
    """The words of a text and its longer lines."""

    words: frozenset[str]
    lines: frozenset[str]


def text_words(text: str) -> TextWords:
    """Total: any text has some."""
    lines = frozenset([line for line in map(str.strip, text.split("\n")) if len(line) >= _SHORT])
    return TextWords(frozenset(words_in(text)), lines)


def words_in(text: str) -> list[str]:
    """The names, words and versions of a text, as they stand."""
    return (_ASCII_WORD if text.isascii() else _WORD).findall(text)


_changed_words = lru_cache(maxsize=64)(text_words)
"""The same; the files of one change are asked about again and again."""


NO_WORDS: Final = TextWords(frozenset(), frozenset())


@dataclass(frozen=True, slots=True)
class ChangedText:
    """A file of a change before and after it; None where it is not there, or cannot be read."""

    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class ChangedDefinitions:
    """What a change does to definitions, and the files with some that it leaves broken, by their numbers, with how sure
    that is of each."""

    edits: Sequence[Edit]
    altered: int
    broken: Mapping[int, Sequence[float]]


UNREAD: Final = ChangedText(None, None)


def text_table(
    past: FilePast,
    touched: Touched,
    found: Companions,
    change: Mapping[str, ChangedText],
    texts: Sequence[TextWords | None],
    structure: ChangedDefinitions,
    now: int | None = None,
) -> NDArray[np.float32]:
    """What the text of the change says of each candidate found: (N, len(TEXT_SIGNALS)).

    ``change``: by the names in ``touched``. ``texts``: of each candidate, before the change.
    """
    now = len(past.commits) if now is None else now
    width = len(found.files)
    column: dict[str, NDArray[np.float64] | float] = {name: np.zeros(width) for name in TEXT_SIGNALS}
    if not width:
        return np.zeros((0, len(TEXT_SIGNALS)), np.float32)
    known = {
        path: (kind_of(path), text)
        for path, text in change.items()
        if text.before is not None or text.after is not None
    }
    column["text_known"] = float(len(known) / max(len(touched.paths), 1))
    was = {path: _changed_words(text.before) if text.before else NO_WORDS for path, (_, text) in known.items()}
    now_words = {path: _changed_words(text.after) if text.after else NO_WORDS for path, (_, text) in known.items()}
    all_before = frozenset[str]().union(*(one.words for one in was.values()))
    all_after = frozenset[str]().union(*(one.words for one in now_words.values()))
    gone = frozenset[str]().union(*(was[path].words - now_words[path].words for path in known)) - all_after
    come = frozenset[str]().union(*(now_words[path].words - was[path].words for path in known)) - all_before
    held = Counter[str]()
    wanted = gone | come
    for one in texts:
        if one is not None:
            held.update(one.words & wanted)
    novel = frozenset(word for word in come if not held[word])
    dangling = novel.difference(*(_ALONE.findall(text.after or "") for _, text in known.values()))
    tests = [path for path, (kind, _) in known.items() if kind.test]
    in_tests = frozenset[str]().union(*(now_words[path].words for path in tests))
    added: list[str] = []
    removed: list[str] = []
    counts = Counter[str]()
    for path, (kind, text) in known.items():
        old, new = Counter((text.before or "").split("\n")), Counter((text.after or "").split("\n"))
        plus, minus = list((new - old).elements()), list((old - new).elements())
        groups = {"": True, "source": kind.source, "test": kind.test, "document": kind.document or kind.notes}
        counted = {
            "lines_added": len(plus),
            "lines_removed": len(minus),
            "come_words": len(now_words[path].words - was[path].words),
            "gone_words": len(was[path].words - now_words[path].words),
        }
        for group in (name for name, here in groups.items() if here):
            counts.update({f"{group}_{name}".removeprefix("_"): count for name, count in counted.items()})
        added += plus
        removed += minus
    column |= {name: float(np.log1p(count)) for name, count in counts.items() if name in column}
    column["gone_words"], column["come_words"] = float(len(gone)), float(len(come))
    column["novel_words"], column["dangling_words"] = float(len(novel)), float(len(dangling))
    column["dangling_in_tests"] = float(len(dangling & in_tests))
    gone_versions = frozenset(word for word in gone if word[0].isdigit())
    column["gone_versions"] = float(len(gone_versions))
    after_lines = frozenset[str]().union(*(one.lines for one in now_words.values()))
    before_lines = frozenset[str]().union(*(one.lines for one in was.values()))
    lost = frozenset(line for line in map(str.strip, removed[:_MOST_LINES]) if len(line) >= _SHORT) - after_lines
    gained = frozenset(line for line in map(str.strip, added[:_MOST_LINES]) if len(line) >= _SHORT) - before_lines
    named = Counter[str]()
    named_novel = Counter[str]()
    for line in added[:_MOST_LINES]:
        words = set(words_in(line))
        named.update(words)
        if words & novel:
            named_novel.update(words)
    stems = {_stem(path) for path in change}
    new_stems = {_stem(path) for path in touched.added}
    gone_stems = {_stem(path) for path, (_, text) in known.items() if text.after is None}
    siblings: set[str] = set()
    folders = {path.rpartition("/")[0] for path in touched.added}
    if folders:
        near = [n for n, kind in enumerate(past.kinds) if kind.folder in folders and past.exists(n, now)]
        siblings = {_stem(past.paths[n]) for n in near[-_MOST_SIBLINGS:]} - stems
    edited: set[str] = set()
    for edit in structure.edits:
        if edit.definition_kind is not DefinitionKind.MODULE:
            edited.add(edit.definition.rpartition(".")[2])
        test = kind_of(edit.path).test
        private = any(part.startswith("_") for part in edit.definition.split("."))
        if edit.definition_kind is DefinitionKind.MODULE:
            continue
        if edit.kind is EditKind.ADDED:
            counts["added_tests" if test else "added_private" if private else "added_public"] += 1
        elif not test:
            counts["modified_definitions" if edit.kind is EditKind.MODIFIED else "removed_definitions"] += 1
    for edit in structure.edits[:_MOST_EDITS]:
        if edit.kind is EditKind.MODIFIED:
            behaves = _behaves(edit.before) != _behaves(edit.after)
            if kind_of(edit.path).test:
                counts["behaviour_tests" if behaves else "cosmetic_tests"] += 1
            else:
                counts["behaviour_edits" if behaves else "cosmetic_edits"] += 1
    for name in ("behaviour_edits", "cosmetic_edits", "behaviour_tests", "cosmetic_tests"):
        column[name] = float(counts[name])
    put_back = Counter(map(str.strip, added)) & Counter(map(str.strip, removed))
    column["moved_lines"] = sum(n for line, n in put_back.items() if line) / (len(added) + len(removed) + 1)
    column["moved_files"] = sum(text.before == text.after for _, text in known.values()) / max(len(known), 1)
    column["versioned_lines"] = float(sum(bool(_VERSIONED.search(line)) for line in added[:_MOST_LINES]))
    column["issue_lines"] = float(sum(bool(_ISSUE.search(line)) for line in added[:_MOST_LINES]))
    edited -= {name for name in edited if name.startswith("__")}
    line_words = set(named)
    beside = Counter[str]()
    for one in texts:
        if one is not None:
            beside.update(one.words & (edited | line_words))
    for name in ("added_public", "added_private", "added_tests", "modified_definitions", "removed_definitions"):
        column[name] = float(counts[name])
    column["new_parameters"] = float(structure.altered)
    shown = [len(structure.broken.get(file, ())) for file in found.files.tolist()]
    column["broken_count"] = np.array(shown, dtype=np.float64)
    column["broken_here"] = np.array([max(structure.broken.get(file, (0.0,))) for file in found.files.tolist()])
    column["broken_elsewhere"] = sum(map(len, structure.broken.values())) - np.asarray(column["broken_count"])
    for row, (file, held_words) in enumerate(zip(found.files.tolist(), texts, strict=True)):
        if held_words is None:
            continue
        stem = _stem(past.paths[file])

        def put(name: str, value: float, row: int = row) -> None:
            column[name][row] = value  # type: ignore[index]

        stale = gone & held_words.words
        put("candidate_words", float(np.log1p(len(held_words.words))))
        put("stale_words", len(stale))
        put("stale_weight", fsum(1 / held[word] for word in stale))
        put("stale_share", len(stale) / (len(gone) + 1))
        put("stale_versions", len(gone_versions & held_words.words))
        same = lost & held_words.lines
        put("stale_lines", len(same))
        put("stale_lines_share", len(same) / (len(lost) + 1))
        had = gained & held_words.lines
        put("had_lines", len(had))
        put("had_lines_share", len(had) / (len(gained) + 1))
        knew = come & held_words.words
        put("come_known", len(knew))
        put("come_weight", fsum(1 / held[word] for word in knew))
        put("come_alone", sum(held[word] == 1 for word in knew))
        known_edited = edited & held_words.words
        put("edited_known", len(known_edited))
        put("edited_weight", fsum(1 / beside[word] for word in known_edited))
        put("edited_share", len(known_edited) / (len(edited) + 1))
        in_lines = line_words & held_words.words
        put("line_words", len(in_lines) / (len(line_words) + 1))
        put("line_words_weight", fsum(1 / beside[word] for word in in_lines) / (len(line_words) + 1))
        put("likeness", len(all_after & held_words.words) / (len(all_after) * len(held_words.words) + 1) ** 0.5)
        put("named_in_added", named[stem])
        put("named_with_novel", named_novel[stem])
        put("named_in_change", float(stem in all_after))
        put("names_changed", len(stems & held_words.words))
        put("names_added", len(new_stems & held_words.words))
        put("names_removed", len(gone_stems & held_words.words))
        listed = len(siblings & held_words.words)
        put("names_siblings", listed / (len(siblings) + 1))
        put("added_unlisted", listed / (len(siblings) + 1) * len(new_stems - held_words.words))
    for name, of in (
        ("edited_rank", "edited_weight"),
        ("line_words_rank", "line_words_weight"),
        ("stale_rank", "stale_weight"),
        ("stale_lines_rank", "stale_lines"),
        ("come_rank", "come_weight"),
    ):
        values = np.asarray(column[of])
        column[name] = (values[None, :] > values[:, None]).sum(1).astype(np.float64)
    return np.stack([np.broadcast_to(np.asarray(column[name], np.float32), (width,)) for name in TEXT_SIGNALS], 1)


_COSMETIC: Final = frozenset(
    {LeafRole.TYPE, LeafRole.DOCSTRING, LeafRole.COMMENT, LeafRole.SYNTAX, LeafRole.IMPORT, LeafRole.KEYWORD}
)


def _behaves(source: str) -> Counter[str]:
    """The words of a definition that can make it behave otherwise: no types, no docstrings."""
    return Counter(leaf.text for leaf in tokenize(source).leaves if leaf.role not in _COSMETIC)


def _stem(path: str) -> str:
    folder, _, name = path.rpartition("/")
    stem = name.partition(".")[0]
    return stem if stem.strip("_") not in ("init", "main", "index", "") else folder.rpartition("/")[2]

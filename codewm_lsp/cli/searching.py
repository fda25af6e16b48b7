"""``codewm search``: past edits by words, by a diff, or by any pair of texts."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from codewm_lsp.display import joined
from codewm_lsp.errors import NothingToAnswerError, OptionError

if TYPE_CHECKING:
    from codewm_lsp.cli.opened import Opened
    from codewm_lsp.history import Edit
    from codewm_lsp.index import PastEdit

MAX_BYTES: Final = 1_000_000  # of either side of a pair


def search(options: Namespace) -> None:
    """Find, and write what was found in words or in JSON."""
    from codewm_lsp.cli import opened as asked
    from codewm_lsp.cli.asking import head_of
    from codewm_lsp.cli.core_commands import existing
    from codewm_lsp.cli.diffs import PastDiffs
    from codewm_lsp.cli.report import Reporter, consoles
    from codewm_lsp.cli.wire import dump, edit_record

    words = " ".join(options.words).strip()
    pair = (options.before, options.after) != (None, None)
    if pair + bool(words) + (options.patch is not None) != 1:
        raise OptionError("Say what to search for: words, a diff with --patch, or two files with --before and --after.")
    if pair and (None in (options.before, options.after) or options.before == options.after == "-"):
        raise OptionError("Use --before and --after together; only one of them can be -.")
    edits = _edits_of_pair(options) if pair else _edits_of_patch(options.patch) if options.patch is not None else ()
    out, progress = consoles()
    with asked.open_all(existing(options.repository, None), options.model, options.cache) as opened:
        for notice in opened.index.notices:
            Reporter(progress).line(f"codewm: {notice}")
        head = head_of(opened.repository, options.at)
        done, total = asked.prepare(opened, head, progress, 0.0 if options.no_index else None)
        if done < total:
            Reporter(progress).line(f"Using the newest {done:,} of {total:,} commits; run `codewm index` for all.")
        found = _like(opened, head, edits, options.k) if edits else asked.by_words(opened, head, words, options.k)
        if words and len(each := words.split()) > 1:
            reached = opened.reached(head)
            if vain := [f"{word!r}" for word in each if not opened.index.find(word, k=1, within=reached)]:
                Reporter(progress).line(f"Nothing matches {joined(vain)}.")
        diffs = PastDiffs(opened.repository)
        shown = [diffs.of(edit) if options.diff else None for edit, _ in found]
        if options.json:
            query: dict[str, object] = {"words": words}
            if edits:
                query = {"before": options.before, "after": options.after} if pair else {"patch": options.patch}
            records = [edit_record(edit, score, text) for (edit, score), text in zip(found, shown, strict=True)]
            sys.stdout.write(dump({"query": {"at": head, **query}, "edits": records}) + "\n")
        else:
            Reporter(out).found([edit for edit, _ in found], shown)
        sys.stdout.flush()
        if done < total and not options.no_index:
            asked.go_on(opened, head, progress)


def _edits_of_pair(options: Namespace) -> tuple[Edit, ...]:
    from codewm_lsp.history import file_edits

    before, after = _text(options.before), _text(options.after)
    edits = file_edits(options.before if options.after == "-" else options.after, before or None, after or None)
    if not edits:
        raise OptionError("No Python definition differs between the two files.")
    return edits


def _edits_of_patch(name: str) -> tuple[Edit, ...]:
    from codewm_lsp.cli.patches import edits_of_diff

    return edits_of_diff(_text(name))


def _like(opened: Opened, head: str, edits: Sequence[Edit], k: int) -> list[tuple[PastEdit, float]]:
    from codewm_lsp.cli.opened import similar_to

    found = [(item.edit, item.score) for item, _ in similar_to(opened, opened.workspace.at(head), edits, k)]
    if not found:
        raise NothingToAnswerError("No past edits are indexed yet. Run `codewm index`.")
    return found[:k] if k else found


def _text(name: str) -> str:
    from codewm_lsp.source import decode

    if name == "-":
        data = sys.stdin.buffer.read(MAX_BYTES + 1)
    else:
        with Path(name).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise OptionError(f"{name} is larger than {MAX_BYTES:,} bytes. Pass the changed definition only.")
    return decode(data)

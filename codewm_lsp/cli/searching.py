"""``codewm search``: past edits by words, or by any pair of texts."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from codewm_lsp.errors import NothingToAnswerError, OptionError

if TYPE_CHECKING:
    from codewm_lsp.cli.opened import Opened
    from codewm_lsp.hints import SimilarEdit

MAX_BYTES: Final = 1_000_000  # of either side of a pair


def search(options: Namespace) -> None:
    """Find, and write what was found in words or in JSON."""
    from codewm_lsp.cli import opened as asked
    from codewm_lsp.cli.diffs import PastDiffs
    from codewm_lsp.cli.report import Reporter, consoles
    from codewm_lsp.cli.wire import dump, edit_record

    words = " ".join(options.words).strip()
    pair = (options.before, options.after) != (None, None)
    if pair == bool(words):
        raise OptionError("Say what to search for: words, or two files with --before and --after.")
    if pair and (None in (options.before, options.after) or options.before == options.after == "-"):
        raise OptionError("Use --before and --after together; only one of them can be -.")
    texts = (_text(options.before), _text(options.after)) if pair else None
    out, progress = consoles()
    with asked.open_all(options.repository, options.model, options.cache) as opened:
        for notice in opened.index.notices:
            Reporter(progress).line(f"codewm: {notice}")
        head = opened.repository.head(options.at)
        done, total = asked.prepare(opened, head, progress, 0.0 if options.no_index else None)
        if done < total:
            Reporter(progress).line(f"Using the newest {done:,} of {total:,} commits; run `codewm index` for all.")
        if texts is None:
            found = asked.by_words(opened, head, words, options.k)
        else:
            found = _by_pair(opened, head, texts, options)
        diffs = PastDiffs(opened.repository)
        shown = [diffs.of(item.edit) if options.diff else None for item in found]
        if options.json:
            query = {"words": words} if texts is None else {"before": options.before, "after": options.after}
            records = [edit_record(item, text) for item, text in zip(found, shown, strict=True)]
            sys.stdout.write(dump({"query": {"at": head, **query}, "edits": records}) + "\n")
        else:
            reporter = Reporter(out)
            reporter.found(found, shown)
        sys.stdout.flush()
        if done < total and not options.no_index:
            asked.go_on(opened, head, progress)


def _by_pair(opened: Opened, head: str, texts: tuple[str, str], options: Namespace) -> list[SimilarEdit]:
    from codewm_lsp.cli.opened import similar_to
    from codewm_lsp.history import file_edits

    path = options.before if options.after == "-" else options.after
    edits = file_edits(path, texts[0] or None, texts[1] or None)
    if not edits:
        raise OptionError("No Python definition differs between the two files.")
    found = [item for item, _ in similar_to(opened, opened.workspace.at(head), edits, options.k)]
    if not found:
        raise NothingToAnswerError("No past edits are indexed yet. Run `codewm index`.")
    return found[: options.k] if options.k else found


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

"""``codewm explore``: a page about the past edits of a repository, in a folder, opened from the disk."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from codewm_lsp.display import counted, short
from codewm_lsp.errors import NothingToAnswerError, OptionError

if TYPE_CHECKING:
    from codewm_lsp.history import Repository

FOLDER: Final = "explore"
"""In the folder of a repository in the cache: the page, where no other folder is named."""

SECONDS: Final = 60.0
"""Of indexing before the page is written."""


def explore(options: Namespace) -> None:
    """Write the page and say where. Raises NothingToAnswerError, OptionError, RepositoryError, IndexStoreError."""
    from codewm_lsp.cli import opened as asked
    from codewm_lsp.cli.asking import head_of
    from codewm_lsp.cli.core_commands import existing
    from codewm_lsp.cli.diffs import PastDiffs
    from codewm_lsp.cli.report import Reporter, consoles, progress_bar
    from codewm_lsp.explore import gather, write
    from codewm_lsp.folders import cache_folder

    out, errors = consoles()
    path = existing(options.repository, options.path)
    with asked.open_all(path, options.model, options.cache) as opened:
        for notice in opened.index.notices:
            Reporter(errors).line(f"codewm: {notice}")
        folder = options.output or _usual_folder(opened.repository, options.cache)
        head = head_of(opened.repository, options.at)
        if not options.no_index:
            asked.bring_up_to_date(opened, head, errors, seconds=SECONDS)
        with progress_bar(errors, "reading", "diffs", wanted=options.with_diffs) as progress:
            atlas = gather(
                opened.repository,
                opened.index,
                head,
                reached=opened.reached(head),
                folder=options.cache or cache_folder(),
                diff_of=PastDiffs(opened.repository).of if options.with_diffs else None,
                progress=progress,
            )
        if not atlas.edits:
            raise NothingToAnswerError(
                f"No edits are indexed up to {short(head)}. Run `codewm index`."
                if atlas.indexed < atlas.commits
                else "This history has no Python edits."
            )
        if atlas.indexed < atlas.commits:
            Reporter(errors).line(
                f"Using the newest {atlas.indexed:,} of {atlas.commits:,} commits; run `codewm index` for all."
            )
        page = write(atlas, folder, overwrite=options.overwrite or options.output is None)
    Reporter(out).line(f"Wrote a map of {counted(len(atlas.edits), 'edit')} to ", (str(page.resolve()), "cyan"))
    sys.stdout.flush()
    if options.open or (options.open is None and sys.stdout.isatty()):
        _show(page)


def _usual_folder(repository: Repository, cache: Path | None) -> Path:
    from codewm_lsp.folders import NO_FOLDER, cache_folder
    from codewm_lsp.index.store import folder_name

    folder = cache or cache_folder()
    if folder is None:
        raise OptionError(f"The page cannot be written to the cache: {NO_FOLDER}. Choose a folder with --output.")
    return folder / folder_name(repository.key) / FOLDER


def _show(page: Path) -> None:
    import webbrowser

    if not webbrowser.open(page.resolve().as_uri()):
        raise OptionError(f"Could not start a browser. Open {page.resolve()} yourself.")

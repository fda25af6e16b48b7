"""What the commands do with their options: open what is asked, ask it, and write the answer in words or in JSON."""

from __future__ import annotations

import os
import sys
import time
from argparse import Namespace
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from codewm_lsp.display import counted
from codewm_lsp.errors import IndexStoreError, NothingToAnswerError, OptionError, RepositoryError, StoreFailedError

if TYPE_CHECKING:
    from codewm_lsp.cli.opened import Opened
    from codewm_lsp.cli.report import Screen
    from codewm_lsp.hints import Prediction, SimilarEdit
    from codewm_lsp.hints.next_files import NextFile
    from codewm_lsp.history import Edit, Repository


UNASKED = 0.2  # chance from which on a place or past edit is listed unless the number of results is given …
FEWEST = 3  # … and how many are where none is that likely, …
LEAST = 0.1  # … if it is at least as likely as that (while nothing is being edited: ``hints.LISTED``)
BARELY = 0.25  # share of the history up to which only past edits that are likely to fit are shown


def answer(options: Namespace, kinds: tuple[str, ...]) -> None:
    """``similar``, ``next`` and ``hints``."""
    from codewm_lsp.cli import opened as asked
    from codewm_lsp.cli.asking import ask, change_line
    from codewm_lsp.cli.report import Reporter, consoles
    from codewm_lsp.hints import LISTED
    from codewm_lsp.hints.forgotten_words import conflict

    out, progress = consoles()
    store: str | None = getattr(options, "store", None)
    k = options.usual if options.k is None else options.k
    existing(options.repository, None)
    folder, file = _place(options.repository, options.path)
    if file is not None and not os.path.lexists(file):
        _require_repository(folder, file)
    with asked.open_all(folder, options.model, options.cache) as opened:
        _pass_on(opened, progress)
        within = _within(opened.repository, file)
        try:
            question = ask(opened.repository, opened.stand_in, at=options.at, editing=options.editing, file=within)
        except NothingToAnswerError:
            if within is not None and _is_nowhere(opened.repository, file, within, options.at):
                raise OptionError(f"{file} does not exist.") from None
            raise
        edits: list[tuple[SimilarEdit, Edit]] | None = None
        if store is not None:
            from codewm_lsp.cli.stores import similar_in

            try:
                edits = similar_in(store, opened, question, k)
            except StoreFailedError as error:  # the repository at hand needs it for nothing
                Reporter(progress).line(f"codewm: {error} Showing past edits of this repository only.")
        left = False
        if edits is None or "next" in kinds:
            seconds = 0.0 if options.no_index else options.index_seconds
            study = options.at is not None or question.stand_in is not None
            done, total = asked.prepare(opened, question.at, progress, seconds, study=study)
            left = done < total
            if left:
                Reporter(progress).line(f"Using the newest {done:,} of {total:,} commits; run `codewm index` for all.")
        for path in question.conflicts:
            Reporter(progress).line(f"{conflict(path)} Only your side of a conflict is read.")
        for sentence in question.unread:
            Reporter(progress).line(sentence)
        if edits is None:
            edits = asked.similar(opened, question, k) if "similar" in kinds else []
        predictions = asked.predictions(opened, question, k) if "next" in kinds else []
        files = asked.files_next(opened, question, options.cache) if "next" in kinds else []
        asked.require([*edits, *predictions, *files], opened, question)
        unlike = ""
        if left and done < BARELY * total and not options.json:
            edits, unlike = _likely_enough(edits, done)
        unlisted = ""
        if options.k is None and not options.json:
            least = LEAST if question.stand_in is None else LISTED
            found, (edits, none_likely) = len(edits), _likely_edits(edits)
            unlike = unlike or none_likely
            predictions, files, unlisted = _likely_places(predictions, files, least, edits=0 < len(edits) < found)
        after_commit = question.stand_in is not None and bool(predictions)
        edit_diffs: list[str | None] = [None] * len(edits)
        evidence_diffs: list[list[str | None]] = [[None] * len(one.telling) for one in predictions]
        if options.diff:
            from codewm_lsp.cli.diffs import PastDiffs
            from codewm_lsp.stores.places import elsewhere

            diffs = PastDiffs(opened.repository, elsewhere(options.cache) if store else {})
            edit_diffs = [diffs.of(item.edit) for item, _ in edits]
            evidence_diffs = [[diffs.of(item.edit) for item in one.telling] for one in predictions]
        if options.json:
            from codewm_lsp.cli.wire import dump, edit_record, file_record, prediction_record, query_record

            record: dict[str, object] = {}
            if "similar" in kinds:
                record["query"] = query_record(question)
                record["edits"] = [
                    edit_record(item.edit, item.score, text, fact=item.fact)
                    for (item, _), text in zip(edits, edit_diffs, strict=True)
                ]
            if "next" in kinds:
                record["at"] = question.at
                record["predictions"] = [
                    prediction_record(*pair) for pair in zip(predictions, evidence_diffs, strict=True)
                ]
                record["files"] = [file_record(one) for one in files]
            sys.stdout.write(dump(record) + "\n")
        else:
            reporter = Reporter(out)
            reporter.question(
                question,
                "similar" if "similar" in kinds else "next",
                partial(change_line, opened.repository, question),
                after_commit=after_commit,
                places="next" in kinds,
            )
            if "similar" in kinds:
                reporter.similar(edits, edit_diffs, question.edits)
                if unlike or not edits:
                    reporter.line(unlike or "  None found.")
            if "next" in kinds:
                if "similar" in kinds and (predictions or not files):
                    reporter.heading("Likely to change next", after_commit=after_commit)
                elif files and not predictions:
                    reporter.line("  No Python definition is likely to change.")
                reporter.predictions(predictions, evidence_diffs)
                reporter.files(files)
            if unlisted:
                if predictions or files or "next" not in kinds:
                    reporter.line()
                reporter.line((unlisted, "dim"))
            if not options.diff and out.is_terminal:
                reporter.line()
                reporter.line(("Use --diff to show the past edits themselves.", "dim"))
        sys.stdout.flush()
        asked.keep_parsed(opened)
        if left and not options.no_index and options.index_seconds is None:
            asked.go_on(opened, question.at, progress)


def _likely_enough(edits: list[tuple[SimilarEdit, Edit]], commits: int) -> tuple[list[tuple[SimilarEdit, Edit]], str]:
    """Those that would have a lens, and what is said where none would: better ones may be in what is not known yet."""
    from codewm_lsp.hints import HintOptions

    least = HintOptions().similar_threshold
    found = [pair for pair in edits if pair[0].score >= least]
    if found or not edits:
        return found, ""
    return [], f"  None likely to fit in the {counted(commits, 'commit')} indexed so far."


def _likely_edits(edits: list[tuple[SimilarEdit, Edit]]) -> tuple[list[tuple[SimilarEdit, Edit]], str]:
    """What is listed of past edits where no number was asked for, and what is said where that is nothing; chosen as
    ``_likely_places`` does."""
    likely = [pair for pair in edits if pair[0].fact or pair[0].score >= UNASKED]
    likely = likely or [pair for pair in edits[:FEWEST] if pair[0].score >= LEAST]
    if likely or not edits:
        return likely, ""
    return (
        [],
        f"  None is likely to fit (the highest chance is {int(100 * edits[0][0].score)} %); use -k N to list more.",
    )


def _likely_places(
    predictions: list[Prediction], files: list[NextFile], least: float, *, edits: bool = False
) -> tuple[list[Prediction], list[NextFile], str]:
    """What is listed of both where no number was asked for, and what is said of the rest: a list that is filled up with
    guesses makes a person distrust what is sure. Where none is likely, the first few from the chance ``least`` on.
    ``edits``: whether past edits are left out of their list, too."""
    less = "Less likely {} are not listed; use -k N to list more."
    likely = [one for one in predictions if one.score >= UNASKED]
    likely = likely or [one for one in predictions[:FEWEST] if one.score >= least]
    likely_files = [one for one in files if one.score >= UNASKED]
    if likely or likely_files:
        left_out = len(predictions) + len(files) > len(likely) + len(likely_files)
        what = " and ".join(["past edits"] * edits + ["places"] * left_out)
        return likely, likely_files, less.format(what) if what else ""
    chances = [*(one.score for one in predictions), *(one.score for one in files)]
    if not chances:
        return [], [], less.format("past edits") if edits else ""
    highest = f"the highest chance is {int(100 * max(chances))} %"
    return [], [], f"Nothing is likely enough to list ({highest}). Use -k 0 to list everything."


def index(options: Namespace) -> None:
    """Index repositories one after the other, or all into a store. Raises IndexStoreError where that cannot be kept."""
    from codewm_lsp.cli.report import Reporter, consoles
    from codewm_lsp.cli.wire import dump

    if options.ray is not None or (options.processes is not None and options.store is not None):
        from codewm_lsp.cli.stores import fill_side_by_side

        fill_side_by_side(options)
        return
    for path in options.paths or [None]:
        existing(options.repository, path)
    places = [_place(options.repository, path)[0] for path in options.paths] or [options.repository]
    if options.store is not None:
        from codewm_lsp.cli.stores import fill

        fill(
            options.store,
            places,
            options.model,
            options.cache,
            at=options.at,
            limit=options.limit,
            as_json=options.json,
        )
        return
    from codewm_lsp.cli.asking import head_of
    from codewm_lsp.cli.opened import bring_up_to_date, open_all
    from codewm_lsp.cli.side_by_side import MOST, WORTH_WHILE, SideBySide, read_commits, usable_cores
    from codewm_lsp.index import UpdateOutcome
    from codewm_lsp.workers import LocalProcesses

    asked: int | None = options.processes
    least = WORTH_WHILE if asked is None else 1
    out, progress = consoles()
    for place in places:
        with open_all(place, options.model, options.cache) as opened:
            if opened.index.unkept:
                raise IndexStoreError(f"Nothing was indexed, because {opened.index.unkept}")
            started = time.monotonic()
            _pass_on(opened, progress)
            head = head_of(opened.repository, options.at)
            with closing(LocalProcesses(read_commits, asked or min(MOST, usable_cores()))) as workers:
                where = opened.repository.root or opened.repository.git_dir
                spread = SideBySide(workers, where, opened.model.bundle.folder, opened.index.log, least=least)
                done = bring_up_to_date(opened, head, progress, seconds=None, limit=options.limit, spread=spread)
            seconds = time.monotonic() - started
            size = opened.index.log.size()
            if options.json:
                record = {"at": head, "commits": done.done, "of": done.total, "edits": size, "added": done.added}
                sys.stdout.write(dump({**record, "seconds": round(seconds, 3)}) + "\n")
            else:
                named = f"{place}: " if len(places) > 1 else ""
                Reporter(out).line(
                    f"{named}{done.done:,} of {counted(done.total, 'commit')} indexed: {counted(size, 'edit')}, "
                    f"{done.added:,} of them new ({seconds:.1f} s)"
                )
            if done.outcome is UpdateOutcome.BUSY:
                raise NothingToAnswerError("Another process is indexing this repository and will finish it.")


def embed(options: Namespace) -> None:
    """Answer JSON lines."""
    from codewm_lsp.cli.embedding_lines import EDIT_FIELDS, STATE_FIELDS, embed_lines
    from codewm_lsp.world_model import WorldModel

    if options.edits == options.states:
        raise OptionError("Choose either --edits or --states.")
    if options.parts and options.states:
        raise OptionError("--parts needs --edits: a state has no action.")
    loaded = WorldModel.load(options.model)
    if options.edits:
        embed_edits = loaded.embed_edits_with_actions if options.parts == "edit,action" else loaded.embed_edits
        embed_lines(
            sys.stdin.buffer,
            sys.stdout,
            EDIT_FIELDS,
            lambda rows: embed_edits([(before, after) for before, after in rows]),
        )
    else:
        embed_lines(
            sys.stdin.buffer, sys.stdout, STATE_FIELDS, lambda rows: loaded.embed_states([row[0] for row in rows])
        )


def doctor(options: Namespace) -> bool:
    """Say what was found; whether all is well."""
    from codewm_lsp.cli.doctor import examine
    from codewm_lsp.cli.report import Reporter, consoles
    from codewm_lsp.cli.wire import dump

    out, _ = consoles()
    existing(options.repository, options.path)
    findings = examine(_place(options.repository, options.path)[0], options.model, options.cache)
    healthy = all(finding.state != "problem" for finding in findings)
    if options.json:
        listed = [
            {"name": one.name, "state": one.state, "detail": one.detail, "remedy": one.remedy} for one in findings
        ]
        sys.stdout.write(dump({"healthy": healthy, "findings": listed}) + "\n")
    else:
        Reporter(out).findings(findings)
    return healthy


def existing(folder: Path, path: Path | None) -> Path:
    """A path as it was given, from a folder on. Raises OptionError where there is nothing."""
    full = folder if path is None else folder / path
    if not os.path.lexists(full):
        raise OptionError(f"{full} does not exist.")
    return full


def _require_repository(folder: Path, file: Path) -> None:
    """Raises OptionError where a file that does not exist cannot have been deleted from a repository, either."""
    from codewm_lsp.history.location import locate

    try:
        locate(folder)
    except RepositoryError:
        raise OptionError(f"{file} does not exist.") from None


def _is_nowhere(repository: Repository, file: Path | None, within: str, at: str | None) -> bool:
    """Whether a file is neither on the disk nor in the revision asked about."""
    if file is None or os.path.lexists(file):
        return False
    with suppress(RepositoryError):
        return within not in repository.files(at or "HEAD")
    return True  # of no commits


def _place(folder: Path, path: Path | None) -> tuple[Path, Path | None]:
    """The folder to look for a repository in, and the file that was named; one that was deleted counts as a file."""
    if path is None:
        return folder, None
    full = folder / path
    if full.is_dir():
        return full, None
    above = full.parent
    while not above.is_dir() and above != above.parent:
        above = above.parent
    return above, full


def _within(repository: Repository, file: Path | None) -> str | None:
    """A file as the repository names it."""
    if file is None:
        return None
    from codewm_lsp.source.languages import is_source

    if not is_source(file.name):
        raise OptionError(_unreadable(repository, file))
    found = repository.relative(file)
    if found is None:
        raise OptionError(f"{file} is not in the working tree of {repository.root or repository.git_dir}.")
    return found


def _unreadable(repository: Repository, file: Path) -> str:
    """Why nothing can be said of a path that is no source code."""
    from codewm_lsp.display import joined
    from codewm_lsp.source.languages import SUFFIXES

    if os.path.lexists(file):
        what = "a notebook" if file.suffix == ".ipynb" else "not a Python file"
        return f"{file} is {what}. CodeWM reads {joined(SUFFIXES)} files."
    with suppress(RepositoryError):
        repository.head(str(file))
        return f"{file} does not exist. To ask about that commit, use --at {file}."
    return f"{file} does not exist."


def _pass_on(opened: Opened, console: Screen) -> None:
    """Say on stderr what the index put right by itself."""
    from codewm_lsp.cli.report import Reporter

    for notice in opened.index.notices:
        Reporter(console).line(f"codewm: {notice}")

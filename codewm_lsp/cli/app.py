"""``codewm``: the commands, their options, and their exit codes.

0: answered. 1: nothing to answer from, said on stderr. 2: wrong use (an option, a revision, a model …).
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

import codewm_lsp
from codewm_lsp.cli.output import ReaderGoneError, give_up, prepare
from codewm_lsp.errors import CodewmError, IndexStoreError, OptionError, OutputError, StoreFailedError
from codewm_lsp.threads import stay_on_one_core

if TYPE_CHECKING:
    from rich.console import Console

    from codewm_lsp.cli.opened import Opened
    from codewm_lsp.hints import SimilarEdit
    from codewm_lsp.history import Edit

ANSWERED, NOTHING, WRONG_USE, INTERRUPTED = 0, 1, 2, 130

app = typer.Typer(
    name="codewm",
    help="The past edits of a repository most like the one at hand, and the edits likely to come next.\n\n"
    "Exit codes: 0 answered, 1 nothing to answer from, 2 wrong use.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

RepositoryPath = Annotated[
    Path, typer.Option("--repository", "-C", metavar="PATH", help="A folder in the repository.", show_default=False)
]
Model = Annotated[
    Path | None,
    typer.Option("--model", metavar="DIR", help="A model bundle to use instead of the one that comes with CodeWM."),
]
Cache = Annotated[
    Path | None,
    typer.Option("--cache", metavar="DIR", envvar="CODEWM_CACHE", help="Where indexes are kept."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON, for other programs.")]
Count = Annotated[int, typer.Option("-k", metavar="N", min=0, help="How many at most; 0: all.")]
At = Annotated[
    str | None,
    typer.Option("--at", metavar="REV", help="Ask as if this revision were HEAD and nothing had been changed since."),
]
Editing = Annotated[
    str | None,
    typer.Option(
        "--editing",
        metavar="PATH::DEFINITION",
        help="Ask about one edit only. With --at: the change that REV makes to this definition, "
        "as if it were in progress on REV's parent.",
    ),
]
Diff = Annotated[bool, typer.Option("--diff", help="Show the past edits themselves.")]
IndexSeconds = Annotated[
    float | None,
    typer.Option(
        metavar="S",
        min=0,
        help="Index for at most so long before answering. By default a few seconds while little of the history is "
        "known, and what is new from then on; codewm index does all of it.",
        show_default=False,
    ),
]
Store = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="WHERE",
        help="An index of many repositories (made by codewm index --store): a folder, http://HOST:6333/COLLECTION for "
        "a Qdrant server, or qdrant:FOLDER.",
        show_default=False,
    ),
]
NoIndex = Annotated[bool, typer.Option("--no-index", help="Answer from what has been indexed already.")]


def main() -> NoReturn:
    """The ``codewm`` command."""
    stay_on_one_core()
    for name in ("codewm", "codewm_lsp"):
        logging.getLogger(name).addHandler(logging.NullHandler())  # what matters is said by the commands themselves
    try:
        prepare()
        app()
        code: int | str | None = ANSWERED
    except SystemExit as end:
        code = end.code
    except OutputError as error:
        code = _unwritten(error)
    try:
        sys.stdout.flush()
    except OutputError as error:
        code = _unwritten(error)
    sys.exit(code)


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turn what went wrong into one message on stderr and an exit code."""
    from codewm_lsp.cli.asking import NothingToAnswerError

    try:
        yield
    except OutputError:
        raise
    except (NothingToAnswerError, IndexStoreError) as error:
        _leave(NOTHING, str(error))
    except CodewmError as error:
        _leave(WRONG_USE, str(error))
    except OSError as error:
        _leave(WRONG_USE, _words(error))
    except UnicodeEncodeError as error:
        if error.encoding.startswith("utf"):
            raise
        _leave(WRONG_USE, f"This locale ({error.encoding}) cannot express all file names here. Set PYTHONUTF8=1.")
    except KeyboardInterrupt:
        _leave(INTERRUPTED, "stopped")


def _words(error: OSError) -> str:
    if error.filename:
        return f"{error.filename}: {error.strerror}"
    try:
        os.getcwd()
    except FileNotFoundError:
        return "The current folder does not exist any more. Change to one that does."
    return str(error)


def _unwritten(error: OutputError) -> int:
    give_up()
    if isinstance(error, ReaderGoneError):
        return ANSWERED
    _say(str(error))
    return WRONG_USE


def _say(message: str) -> None:
    from codewm_lsp.cli.report import plain

    with suppress(OSError):  # nobody can be told
        sys.stderr.write("codewm: " + "\n".join(plain(line) for line in message.split("\n")) + "\n")
        sys.stderr.flush()


def _leave(code: int, message: str) -> NoReturn:
    sys.stdout.flush()
    _say(message)
    raise typer.Exit(code)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"codewm {codewm_lsp.__version__}")
        raise typer.Exit


@app.callback()
def _codewm(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


@app.command()
def index(
    repositories: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[REPOSITORY]...", help="With --store: the repositories it is to hold.", show_default=False
        ),
    ] = None,
    repository: RepositoryPath = Path("."),
    at: Annotated[str, typer.Option("--at", metavar="REV", help="Index what this revision can reach.")] = "HEAD",
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Only the newest so many commits.", show_default=False)
    ] = None,
    model: Model = None,
    cache: Cache = None,
    store: Store = None,
    json: AsJson = False,
) -> None:
    """Index the history of a repository, newest first. Stop it whenever you like: it goes on where it was.

    With --store: of several, into one index that codewm similar and codewm hints can be asked about.
    """
    with exit_codes():
        if store is not None:
            from codewm_lsp.cli.stores import fill

            fill(store, repositories or [repository], model, cache, at=at, limit=limit, as_json=json)
            return
        if repositories:
            raise OptionError(
                f"codewm index {repositories[0]}: several repositories go into a store, with --store; "
                f"one is indexed by codewm index -C {repositories[0]}"
            )
        from codewm_lsp.cli.asking import NothingToAnswerError
        from codewm_lsp.cli.opened import bring_up_to_date, open_all
        from codewm_lsp.cli.report import Reporter, consoles
        from codewm_lsp.cli.wire import dump
        from codewm_lsp.index import UpdateOutcome

        out, progress = consoles()
        with open_all(repository, model, cache) as opened:
            started = time.monotonic()
            _pass_on(opened, progress)
            head = _revision(opened, at)
            done = bring_up_to_date(opened, head, progress, seconds=None, limit=limit)
            seconds = time.monotonic() - started
            if json:
                sys.stdout.write(
                    dump(
                        {
                            "at": head,
                            "commits": done.done,
                            "of": done.total,
                            "edits": opened.index.log.size(),
                            "added": done.added,
                            "seconds": round(seconds, 3),
                        }
                    )
                    + "\n"
                )
            else:
                Reporter(out).line(
                    f"{done.done:,} of {done.total:,} commits indexed: {opened.index.log.size():,} edits, "
                    f"{done.added:,} of them new ({seconds:.1f} s)"
                )
            if done.outcome is UpdateOutcome.BUSY:
                raise NothingToAnswerError("another process is indexing this repository and goes on with it")


@app.command()
def similar(
    repository: RepositoryPath = Path("."),
    k: Count = 10,
    at: At = None,
    editing: Editing = None,
    diff: Diff = False,
    json: AsJson = False,
    model: Model = None,
    cache: Cache = None,
    index_seconds: IndexSeconds = None,
    no_index: NoIndex = False,
    store: Store = None,
) -> None:
    """The past edits most like those of the working tree, or of the last commit when nothing has been changed.

    JSON: {"query": …, "edits": [{"commit", "author", "date" (ISO 8601), "subject", "path", "definition", "kind"
    (added, modified or removed), "score"}]}; with --diff also "diff", with --store also "repository".
    """
    with exit_codes():
        seconds = 0.0 if no_index else index_seconds
        _answer(("similar",), repository, k, at, editing, diff, json, model, cache, seconds, store)


@app.command(name="next")
def next_(
    repository: RepositoryPath = Path("."),
    k: Count = 10,
    at: At = None,
    editing: Editing = None,
    diff: Diff = False,
    json: AsJson = False,
    model: Model = None,
    cache: Cache = None,
    index_seconds: IndexSeconds = None,
    no_index: NoIndex = False,
) -> None:
    """The definitions likely to be edited next, each with what is likely to change and the past edits that say so.

    JSON: {"at": …, "predictions": [{"path", "definition", "line" (from 1), "score", "likely": […], "evidence": […]}]},
    evidence like the edits of "similar".
    """
    with exit_codes():
        _answer(("next",), repository, k, at, editing, diff, json, model, cache, 0.0 if no_index else index_seconds)


@app.command()
def hints(
    repository: RepositoryPath = Path("."),
    k: Count = 5,
    at: At = None,
    editing: Editing = None,
    diff: Diff = False,
    json: AsJson = False,
    model: Model = None,
    cache: Cache = None,
    index_seconds: IndexSeconds = None,
    no_index: NoIndex = False,
    store: Store = None,
) -> None:
    """Both at once: similar past edits, and what is likely to come next."""
    with exit_codes():
        _answer(
            ("similar", "next"),
            repository,
            k,
            at,
            editing,
            diff,
            json,
            model,
            cache,
            0.0 if no_index else index_seconds,
            store,
        )


def _answer(
    kinds: tuple[str, ...],
    path: Path,
    k: int,
    at: str | None,
    editing: str | None,
    with_diffs: bool,
    as_json: bool,
    model: Path | None,
    cache: Path | None,
    index_seconds: float | None,
    store: str | None = None,
) -> None:
    from codewm_lsp.cli import opened as asked
    from codewm_lsp.cli.asking import ask
    from codewm_lsp.cli.diffs import PastDiffs
    from codewm_lsp.cli.report import Reporter, consoles
    from codewm_lsp.cli.stores import similar_in
    from codewm_lsp.cli.wire import dump, edit_record, prediction_record, query_record
    from codewm_lsp.stores.places import elsewhere

    out, progress = consoles()
    reporter = Reporter(out)
    with asked.open_all(path, model, cache) as opened:
        _pass_on(opened, progress)
        question = ask(opened.repository, at=at, editing=editing)
        edits: list[tuple[SimilarEdit, Edit]] | None = None
        if store is not None:
            try:
                edits = similar_in(store, opened, question, k)
            except StoreFailedError as error:  # the repository at hand needs it for nothing
                Reporter(progress).line(f"codewm: {error} Past edits come from this repository alone.")
        enough = asked.ENOUGH if at is None else asked.ENOUGH_AT
        done, total = 0, 0
        if edits is None or "next" in kinds:
            done, total = asked.prepare(opened, question.history, progress, index_seconds, enough=enough)
        if done < total:
            Reporter(progress).line(
                f"answering from {done:,} of {total:,} commits, the newest ones first; for all of them: codewm index"
            )
        if edits is None:
            edits = asked.similar(opened, question, k) if "similar" in kinds else []
        predictions = asked.predictions(opened, question, k) if "next" in kinds else []
        asked.require([*edits, *predictions], opened, question)
        diffs = PastDiffs(opened.repository, elsewhere(cache) if store else {}) if with_diffs else None
        edit_diffs = [diffs.of(item.edit) if diffs else None for item, _ in edits]
        evidence_diffs = [[diffs.of(item.edit) if diffs else None for item in one.evidence] for one in predictions]
        if as_json:
            record: dict[str, object] = {}
            if "similar" in kinds:
                record["query"] = query_record(question)
                record["edits"] = [edit_record(item, text) for (item, _), text in zip(edits, edit_diffs, strict=True)]
            if "next" in kinds:
                record["at"] = question.at
                record["predictions"] = [
                    prediction_record(*pair) for pair in zip(predictions, evidence_diffs, strict=True)
                ]
            sys.stdout.write(dump(record) + "\n")
            return
        if "similar" in kinds:
            reporter.question("Past edits like", question)
            reporter.similar(edits, edit_diffs, several=len(question.edits) > 1)
        if "next" in kinds:
            if "similar" in kinds:
                reporter.line()
                reporter.line(("Likely to come next", "bold"))
                reporter.line()
            else:
                reporter.question("Likely to come next after", question)
            reporter.predictions(predictions, evidence_diffs)
        if not with_diffs and out.is_terminal:
            reporter.line()
            reporter.line(("Add --diff to see the past edits themselves.", "dim"))


@app.command()
def embed(
    edits: Annotated[bool, typer.Option("--edits", help='Lines {"before": "…", "after": "…"}.')] = False,
    states: Annotated[bool, typer.Option("--states", help='Lines {"source": "…"}.')] = False,
    model: Model = None,
    json: Annotated[bool, typer.Option("--json", help="No other format: always on.")] = True,
) -> None:
    """Read JSON lines on stdin, write {"embedding": […]} for each, in order.

    --edits takes two versions of a definition or of a file ("" for one that is not there) and gives the edit's vector;
    --states takes one version and gives its state.
    """
    with exit_codes():
        from codewm_lsp.cli.embedding import EDIT_FIELDS, STATE_FIELDS, embed_lines
        from codewm_lsp.world_model import WorldModel

        if edits == states:
            raise OptionError("say what the lines hold: --edits or --states" + (", not both" if edits else ""))
        loaded = WorldModel.load(model)
        if edits:
            embed_lines(
                sys.stdin.buffer,
                sys.stdout,
                EDIT_FIELDS,
                lambda rows: loaded.embed_edits([(before, after) for before, after in rows]),
            )
        else:
            embed_lines(
                sys.stdin.buffer, sys.stdout, STATE_FIELDS, lambda rows: loaded.embed_states([row[0] for row in rows])
            )


@app.command()
def doctor(
    repository: RepositoryPath = Path("."), model: Model = None, cache: Cache = None, json: AsJson = False
) -> None:
    """Look at everything CodeWM needs, and say what to do about each problem. Exit code 1 when there is one."""
    with exit_codes():
        from codewm_lsp.cli.doctor import examine
        from codewm_lsp.cli.report import Reporter, consoles
        from codewm_lsp.cli.wire import dump

        out, _ = consoles()
        findings = examine(repository, model, cache)
        healthy = all(finding.state != "problem" for finding in findings)
        if json:
            sys.stdout.write(
                dump(
                    {
                        "healthy": healthy,
                        "findings": [
                            {"name": one.name, "state": one.state, "detail": one.detail, "remedy": one.remedy}
                            for one in findings
                        ],
                    }
                )
                + "\n"
            )
        else:
            Reporter(out).findings(findings)
        sys.stdout.flush()
        if not healthy:
            raise typer.Exit(NOTHING)


@app.command(
    name="eval",
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)
def eval_(context: typer.Context) -> None:
    """Measure models and baselines on local clones, and write a report. Needs codewm[eval]; options: codewm eval -h"""
    with exit_codes():
        from codewm_lsp.cli.extension import run

        run("eval", "codewm eval", "eval", context.args)


def _pass_on(opened: Opened, console: Console) -> None:
    """Say on stderr what the index put right by itself."""
    from codewm_lsp.cli.report import Reporter

    for notice in opened.index.notices:
        Reporter(console).line(f"codewm: {notice}")


def _revision(opened: Opened, at: str) -> str:
    from codewm_lsp.cli.asking import NothingToAnswerError
    from codewm_lsp.errors import RepositoryError

    try:
        return opened.repository.head(at)
    except RepositoryError as error:
        if at == "HEAD":
            raise NothingToAnswerError(str(error)) from error
        raise

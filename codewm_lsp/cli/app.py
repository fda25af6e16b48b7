"""``codewm``: the commands, their options, and the exit codes.

0: answered. 1: nothing to answer from, said on stderr. 2: usage error (an option, a revision, a model …), or output
that cannot be written. 3: ``codewm forgotten --fail-over`` found what it looks for.

Options are parsed by the standard library: nothing else starts as fast, and an answer takes well under a second.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NoReturn

import codewm_lsp
from codewm_lsp.cli.output import ReaderGoneError, give_up, prepare
from codewm_lsp.errors import CodewmError, IndexStoreError, NothingToAnswerError, OptionError, OutputError
from codewm_lsp.garbage import OF_A_COMMAND, collect_no_more, collect_seldom
from codewm_lsp.quiet import log_nowhere
from codewm_lsp.records import dataclass
from codewm_lsp.threads import stay_on_one_core

ANSWERED, NOTHING, USAGE, FORGOTTEN, INTERRUPTED = 0, 1, 2, 3, 130
_EXIT_CODES: Final = (
    "Exit codes: 0 answered, 1 nothing to answer from, 2 usage error, 3 found by `codewm forgotten --fail-over`."
)
_SHARED: Final = ("-C", "--repository", "--model", "--cache")
_SHARED_JOINED: Final = ("-C", "--repository=", "--model=", "--cache=")


def main() -> NoReturn:
    """The ``codewm`` command."""
    stay_on_one_core()
    collect_seldom(OF_A_COMMAND)
    log_nowhere()
    try:
        prepare()
        code = _run(sys.argv[1:])
        sys.stdout.flush()
    except OutputError as error:
        give_up()
        code = ANSWERED if isinstance(error, ReaderGoneError) else _failed(USAGE, str(error))
    collect_no_more()
    sys.exit(code)


def _run(arguments: Sequence[str]) -> int:
    """Run one command; its exit code, whatever happened."""
    arguments = _command_first(arguments)
    try:
        if arguments and arguments[0] in COMMANDS:
            command = COMMANDS[arguments[0]]
            return command.run(command.parser().parse_args(arguments[1:])) or ANSWERED
        if arguments[:1] == ["eval"]:  # parsed where it is kept
            from codewm_lsp.cli.extension import run

            run("eval", "codewm eval", "eval", f"{EVAL}.", arguments[1:])
            return ANSWERED
        parser = _program()
        if not arguments:
            parser.print_help()
            return USAGE
        parser.parse_args(arguments)
        parser.error("no command is given")
    except SystemExit as end:  # --help and --version, and those of `codewm eval`
        return end.code if isinstance(end.code, int) else ANSWERED
    except OutputError:
        raise
    except (NothingToAnswerError, IndexStoreError) as error:
        return _failed(NOTHING, str(error))
    except CodewmError as error:
        return _failed(USAGE, str(error))
    except OSError as error:
        return _failed(USAGE, _words(error))
    except UnicodeEncodeError as error:
        if error.encoding.startswith("utf"):
            raise
        return _failed(
            USAGE, f"Some file names here cannot be printed in this locale ({error.encoding}). Set PYTHONUTF8=1."
        )
    except KeyboardInterrupt:
        return _failed(INTERRUPTED, "Interrupted.")


def _command_first(arguments: Sequence[str]) -> list[str]:
    """With the options that commands share behind the command; Git takes them before it, and so may this."""
    shared, rest = [], list(arguments)
    while rest and (rest[0] in _SHARED or rest[0].startswith(_SHARED_JOINED)):
        length = 2 if rest[0] in _SHARED else 1
        shared += rest[:length]
        del rest[:length]
    return [rest[0], *shared, *rest[1:]] if rest and rest[0] in (*COMMANDS, "eval") else list(arguments)


def _failed(code: int, message: str) -> int:
    """Say what went wrong, after everything that was answered."""
    with suppress(OutputError):
        sys.stdout.flush()
    from codewm_lsp.cli.report import plain

    with suppress(OSError):  # nobody can be told
        sys.stderr.write("codewm: " + "\n".join(plain(line) for line in message.split("\n")) + "\n")
        sys.stderr.flush()
    return code


def _words(error: OSError) -> str:
    if error.filename:
        return f"{error.filename}: {error.strerror}"
    try:
        os.getcwd()
    except FileNotFoundError:
        return "The current folder no longer exists. Change to another one."
    return str(error)


# Options


class _Formatter(argparse.HelpFormatter):
    """Wraps descriptions by paragraph; a paragraph that begins with spaces, or whose lines do, stays as it is."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n\n".join(
            part if "\n  " in part else super(_Formatter, self)._fill_text(part, width, indent)
            for part in text.split("\n\n")
        )


class _Parser(argparse.ArgumentParser):
    """Options are named in full; what is wrong is said in one line, with where to read more."""

    def __init__(self, prog: str, usage: str, description: str, epilog: str) -> None:
        super().__init__(
            prog=prog,
            usage=usage,
            description=description,
            epilog=epilog,
            add_help=False,
            allow_abbrev=False,
            formatter_class=_Formatter,
        )
        self.add_argument("-h", "--help", action="help", help="Show this help and exit")

    def error(self, message: str) -> NoReturn:
        """Leave with a usage error."""
        raise OptionError(f"{message[:1].upper()}{message[1:]}. Run `{self.prog} --help` for the options.")


def _program() -> _Parser:
    listed = {**{name: command.summary for name, command in COMMANDS.items()}, "eval": EVAL}
    parser = _Parser(
        "codewm",
        "codewm [-C DIR] [--model DIR] [--cache DIR] COMMAND [OPTIONS]",
        "Find past edits like yours in this repository's history, and see what is likely to change next.\n\n"
        + "commands:\n"
        + "\n".join(f"  {name:9} {summary}" for name, summary in listed.items()),
        "example:\n  codewm hints      # in a repository, after changing a function\n\n"
        f"Run `codewm COMMAND --help` for the options of a command.\n\n{_EXIT_CODES}",
    )
    parser.add_argument(
        "--version", action="version", version=f"codewm {codewm_lsp.__version__}", help="Show the version and exit"
    )
    _add_repository(parser)
    _add_model_and_cache(parser)
    parser.add_argument("command", nargs="?", type=_unknown, help=argparse.SUPPRESS)
    return parser


def _unknown(command: str) -> NoReturn:
    import difflib

    near = difflib.get_close_matches(command, [*COMMANDS, "eval"], 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise OptionError(f"Unknown command {command!r}.{hint} Run `codewm --help` for a list.")


def _count(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, 0 or greater")
    return number


def _positive(text: str) -> int:
    number = _count(text)
    if not number:
        raise argparse.ArgumentTypeError("0 is not a whole number, 1 or greater")
    return number


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not number >= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds, 0 or greater")
    return number


def _chance(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a probability from 0 to 1")
    return number


def _folder(text: str) -> Path:
    if not text:  # "$UNSET", which would be the folder one stands in
        raise argparse.ArgumentTypeError("'' is not a folder")
    return Path(text)


def _add_repository(parser: _Parser) -> None:
    parser.add_argument(
        "-C",
        "--repository",
        type=Path,
        default=Path("."),
        metavar="DIR",
        help="Run in this folder instead of the current one",
    )


def _add_model_and_cache(parser: _Parser) -> None:
    parser.add_argument("--model", type=Path, metavar="DIR", help="Use this model instead of the one CodeWM comes with")
    parser.add_argument("--cache", type=_folder, metavar="DIR", help="Keep indexes in this folder [env: CODEWM_CACHE]")


def _add_json(parser: _Parser) -> None:
    parser.add_argument("--json", action="store_true", help="Print JSON, for other programs")


def _add_store(parser: _Parser, help: str) -> None:
    parser.add_argument("--store", metavar="WHERE", help=help)


def _asking(parser: _Parser, count: int, *, store: bool) -> None:
    """The options of the commands that answer a question."""
    parser.add_argument(
        "path",
        nargs="?",
        type=Path,
        metavar="PATH",
        help="A folder in a repository, or a file to ask only about your edits to it",
    )
    _add_repository(parser)
    parser.add_argument(
        "-k",
        type=_count,
        metavar="N",
        dest="k",
        help=f"Maximum results, 0 for all [default: {count}, and only likely ones]",
    )
    parser.set_defaults(usual=count)
    parser.add_argument("--diff", action="store_true", help="Show the diffs of the past edits")
    parser.add_argument("--at", metavar="REV", help="Ask as if REV were HEAD, with a clean working tree")
    parser.add_argument(
        "--editing",
        metavar="PATH::DEFINITION",
        help="Ask about one edit only; with --at, about REV's own change to this definition, as if it were in progress "
        "on REV's parent",
    )
    if store:
        _add_store(
            parser,
            "Search a store of several repositories: a folder, postgresql://HOST/DATABASE, "
            "http://HOST:6333/COLLECTION or qdrant:FOLDER (see codewm index --store)",
        )
    _add_json(parser)
    parser.add_argument(
        "--index-seconds",
        type=_seconds,
        metavar="S",
        help="Index for up to S seconds before answering. By default, a new repository is indexed for a few seconds "
        "first, and for a few more after each answer",
    )
    parser.add_argument("--no-index", action="store_true", help="Do not index anything before answering")
    _add_model_and_cache(parser)


def _search_options(parser: _Parser) -> None:
    parser.add_argument("words", nargs="*", metavar="WORDS", help="Words to search for")
    _add_repository(parser)
    parser.add_argument(
        "-k", type=_count, default=10, metavar="N", dest="k", help="Maximum results, 0 for all [default: 10]"
    )
    parser.add_argument("--patch", metavar="FILE", help="Find edits like those of a unified diff (- for stdin)")
    parser.add_argument(
        "--before", metavar="FILE", help="With --after: find edits like the one between these two files (- for stdin)"
    )
    parser.add_argument("--after", metavar="FILE", help="See --before")
    parser.add_argument("--diff", action="store_true", help="Show the diffs of the past edits")
    parser.add_argument("--at", default="HEAD", metavar="REV", help="Search the history of REV [default: HEAD]")
    _add_json(parser)
    parser.add_argument("--no-index", action="store_true", help="Do not index anything before answering")
    _add_model_and_cache(parser)


def _explore_options(parser: _Parser) -> None:
    parser.add_argument("path", nargs="?", type=Path, metavar="PATH", help="A folder in the repository to show")
    _add_repository(parser)
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="Write the page to this new or empty folder [default: next to the repository's index]",
    )
    parser.add_argument("--overwrite", action="store_true", help="Replace the page in the output folder")
    parser.add_argument("--with-diffs", action="store_true", help="Include the diffs of the edits, and with them code")
    parser.add_argument(
        "--open",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="Open the page in your browser [default: if started in a terminal]",
    )
    parser.add_argument("--at", default="HEAD", metavar="REV", help="Show the history of REV [default: HEAD]")
    parser.add_argument("--no-index", action="store_true", help="Do not index anything before the page is written")
    _add_model_and_cache(parser)


def _index_options(parser: _Parser) -> None:
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="REPOSITORY",
        help="Folders in repositories; with --store and --processes or --ray also files that list them, one per line "
        "[default: .]",
    )
    _add_repository(parser)
    parser.add_argument("--at", default="HEAD", metavar="REV", help="Index the history of REV [default: HEAD]")
    parser.add_argument("--limit", type=_positive, metavar="N", help="Index only the newest N commits")
    _add_store(
        parser,
        "Index into one store for all of them: an empty or new folder, postgresql://HOST/DATABASE, "
        "http://HOST:6333/COLLECTION for a Qdrant server, or qdrant:FOLDER",
    )
    parser.add_argument(
        "--processes",
        type=_positive,
        metavar="N",
        help="Use N processes [default: one for each core, at most 4]; with --store, each reads another repository",
    )
    parser.add_argument(
        "--ray",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="With --store: read repositories on all cores of a Ray cluster [default: Ray on this machine]",
    )
    _add_json(parser)
    _add_model_and_cache(parser)


def _mcp_options(parser: _Parser) -> None:
    _add_repository(parser)
    _add_model_and_cache(parser)


def _embed_options(parser: _Parser) -> None:
    parser.add_argument("--edits", action="store_true", help='Lines are {"before": "…", "after": "…"}')
    parser.add_argument("--states", action="store_true", help='Lines are {"source": "…"}')
    parser.add_argument(
        "--parts",
        choices=("edit", "edit,action"),
        metavar="PARTS",
        help="What --edits embeds: edit [default]; or edit,action, which adds its type, scope and size and finds edits "
        "of one type",
    )
    parser.add_argument("--model", type=Path, metavar="DIR", help="Use this model instead of the one CodeWM comes with")
    parser.add_argument("--json", action="store_true", help="Has no effect: the output is always JSON")


def _doctor_options(parser: _Parser) -> None:
    parser.add_argument("path", nargs="?", type=Path, metavar="PATH", help="A folder in the repository to check")
    _add_repository(parser)
    _add_json(parser)
    _add_model_and_cache(parser)


def _clean_options(parser: _Parser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="Only list what would be removed")
    parser.add_argument("--unused", action="store_true", help="Remove only indexes that are no longer needed")
    parser.add_argument("-y", "--yes", action="store_true", help="Remove it without asking")
    parser.add_argument(
        "--cache", type=_folder, metavar="DIR", help="Remove the indexes in this folder, too [env: CODEWM_CACHE]"
    )


def _forgotten_options(parser: _Parser) -> None:
    parser.add_argument("path", nargs="?", type=Path, metavar="PATH", help="A folder in the repository")
    _add_repository(parser)
    parser.add_argument(
        "--diff",
        metavar="BASE...HEAD",
        help="Ask about what HEAD changed since it left BASE [default: what is staged, or the working tree if "
        "nothing is]",
    )
    parser.add_argument("--staged", action="store_true", help="Ask about staged changes only, as a hook does")
    parser.add_argument("--no-index", action="store_true", help="Has no effect: this command never indexes anything")
    parser.add_argument(
        "--threshold",
        type=_chance,
        metavar="P",
        help="Minimum chance for listing a file [default: one that warns about very few complete changes]",
    )
    parser.add_argument("--fail-over", type=_chance, metavar="P", help="Exit with 3 if a chance is P or more")
    parser.add_argument(
        "--format", choices=("text", "json", "sarif", "github"), default="text", help="Output format [default: text]"
    )
    parser.add_argument("--json", action="store_const", const="json", dest="format", help="Same as --format json")
    parser.add_argument("--sarif", action="store_const", const="sarif", dest="format", help="Same as --format sarif")
    parser.add_argument(
        "--not-needed", metavar="FILE", help="Do not list FILE (relative to the root) again for this change"
    )
    parser.add_argument("--never-needed", metavar="FILE", help="Never list FILE again in this repository")
    parser.add_argument("--needed", metavar="FILE", help="Undo --not-needed and --never-needed for FILE")
    parser.add_argument("--quiet", action="store_true", help="Print nothing unless a file is missing, as hooks do")
    parser.add_argument(
        "--install-hook",
        action="store_true",
        help="Install a Git hook that checks before each commit, and do nothing else",
    )
    parser.add_argument("--cache", type=_folder, metavar="DIR", help="Use the index in this folder [env: CODEWM_CACHE]")


def _backtest_options(parser: _Parser) -> None:
    parser.add_argument("path", nargs="?", type=Path, metavar="PATH", help="A folder in the repository to check")
    _add_repository(parser)
    parser.add_argument(
        "--commits", type=_positive, default=300, metavar="N", help="Ask about the newest N commits [default: 300]"
    )
    parser.add_argument(
        "--threshold",
        type=_chance,
        metavar="P",
        help="Minimum chance for listing a file [default: that of codewm forgotten]",
    )
    _add_json(parser)
    parser.add_argument("--cache", type=_folder, metavar="DIR", help="Use the index in this folder [env: CODEWM_CACHE]")


# Commands


@dataclass(frozen=True, slots=True)
class Command:
    """A command: ``summary`` is listed, ``about`` heads its own help. ``run`` gives its exit code, None for success."""

    name: str
    usage: str
    summary: str
    about: str
    example: str
    add_options: Callable[[_Parser], None]
    run: Callable[[Any], int | None]

    def parser(self) -> _Parser:
        """Its options. Made for the one command that runs: making all of them takes a while."""
        prog = f"codewm {self.name}"
        parser = _Parser(prog, f"{prog} {self.usage}", self.about, f"example:\n  {self.example}")
        self.add_options(parser)
        return parser


def _hints(options: argparse.Namespace) -> None:
    from codewm_lsp.cli.core_commands import answer

    answer(options, ("similar", "next"))


def _similar(options: argparse.Namespace) -> None:
    from codewm_lsp.cli.core_commands import answer

    answer(options, ("similar",))


def _next(options: argparse.Namespace) -> None:
    from codewm_lsp.cli.core_commands import answer

    answer(options, ("next",))


def _search(options: argparse.Namespace) -> None:
    from codewm_lsp.cli.searching import search

    search(options)


def _explore(options: argparse.Namespace) -> None:
    from codewm_lsp.cli.explore_command import explore

    explore(options)


def _forgotten(options: argparse.Namespace) -> int:
    from codewm_lsp.cli.forgotten_command import forgotten

    return FORGOTTEN if forgotten(options) else ANSWERED


def _backtest(options: argparse.Namespace) -> None:
    from codewm_lsp.cli.forgotten_command import backtest

    backtest(options)


def _index(options: argparse.Namespace) -> None:
    from codewm_lsp.cli.core_commands import index

    index(options)


def _embed(options: argparse.Namespace) -> None:
    from codewm_lsp.cli.core_commands import embed

    embed(options)


def _mcp(options: argparse.Namespace) -> None:
    try:
        from codewm_lsp.cli.mcp_command import serve
    except ImportError as error:
        from codewm_lsp.installation import missing_extra

        raise OptionError(missing_extra("codewm mcp", "mcp", error)) from error
    serve(options)


def _doctor(options: argparse.Namespace) -> int:
    from codewm_lsp.cli.core_commands import doctor

    return ANSWERED if doctor(options) else NOTHING


def _clean(options: argparse.Namespace) -> None:
    from codewm_lsp.cli.cleaning import clean, clean_unused

    if options.unused:
        clean_unused(options.cache, dry_run=options.dry_run)
    else:
        clean(options.cache, dry_run=options.dry_run, sure=options.yes)


EVAL: Final = "Measure models and baselines on local clones"
COMMANDS: Final = {
    command.name: command
    for command in (
        Command(
            "hints",
            "[PATH] [OPTIONS]",
            "Show similar past edits and likely next edits",
            "Show the past edits most like your uncommitted changes, and the definitions that are likely to change "
            "next. "
            "If there are no uncommitted changes to Python code, the newest commit that changes Python is used "
            "instead.\n\n"
            "JSON: the fields of codewm similar and of codewm next, in one object.",
            "codewm hints src/client.py --diff",
            lambda parser: _asking(parser, 5, store=True),
            _hints,
        ),
        Command(
            "similar",
            "[PATH] [OPTIONS]",
            "Show the past edits most like your uncommitted changes",
            "Show the past edits most like your uncommitted changes. If there are no uncommitted changes to Python "
            "code, the newest commit that changes Python is used instead.\n\n"
            'JSON: {"query": …, "edits": [{"commit", "author", "date" (ISO 8601), "subject", "path", "definition", '
            '"kind" (added, modified or removed), "score"}]}; with --diff also "diff", with --store also "repository". '
            '"fact": true means that your edit repeats or undoes this one; its score only orders the list.',
            "codewm similar --diff -k 3",
            lambda parser: _asking(parser, 10, store=True),
            _similar,
        ),
        Command(
            "next",
            "[PATH] [OPTIONS]",
            "Show the definitions that are likely to change next, and why",
            "Show the definitions that are likely to change next, what is likely to change in each, and the past edits "
            "behind it. Files of other kinds that usually change with yours follow.\n\n"
            'JSON: {"at": …, "predictions": [{"path", "definition", "line" (from 1), "score", "likely": […], '
            '"evidence": […]}], "files": [{"path", "score", "reason"}]}; the evidence has the shape of the edits of '
            "codewm similar.",
            "codewm next --at v2.0 -C ~/src/project",
            lambda parser: _asking(parser, 10, store=False),
            _next,
        ),
        Command(
            "search",
            "WORDS... [OPTIONS]",
            "Search past edits by what they are about",
            "Search past edits by the subjects of their commits, their paths and names, and the words they changed. "
            "With --patch: find the past edits most like those of a unified diff (git diff | codewm search --patch -); "
            "with --before and --after, most like the one between two files.\n\n"
            'JSON: {"query": …, "edits": […]}; the edits have the shape of those of codewm similar. The score of a '
            "search by words has no upper limit.",
            "codewm search retry timeout --diff",
            _search_options,
            _search,
        ),
        Command(
            "explore",
            "[PATH] [OPTIONS]",
            "Write a page with a map of the repository's past edits",
            "Write an HTML page about the past edits of a repository, and open it: a map that places similar edits "
            "close together, a search by words, the history of each definition, files that change together, hot spots "
            "and untouched code. The page needs no server and loads nothing from the network.\n\n"
            "The page contains paths, names, and commit subjects and authors. It contains code only with --with-diffs.",
            "codewm explore ~/src/project",
            _explore_options,
            _explore,
        ),
        Command(
            "forgotten",
            "[PATH] [OPTIONS]",
            "Show files that usually change with yours but have not changed",
            "Show files of any kind that usually change together with the staged ones but have not been changed. Only "
            "very likely files are listed. If the history is too short to tell, the answer says so.\n\n"
            'JSON: {"asked": …, "change", "commits" (behind the answer), "shallow", "silent" (why nothing can be said, '
            'or ""), "changed": [paths], "missing": [{"path", "chance", "reason", "beside", "together", "of", '
            '"evidence": [{"commit", "author", "date", "subject"}]}]}.',
            "codewm forgotten --diff origin/main...HEAD --format github",
            _forgotten_options,
            _forgotten,
        ),
        Command(
            "backtest",
            "[PATH] [OPTIONS]",
            "Show what `codewm forgotten` would have said about your past commits",
            "Ask `codewm forgotten` about each of your newest commits, using only earlier history: once complete, then "
            "with up to two of its files left out, one at a time. Shows how many of these it would have listed, how "
            "often that would have been right, and how many complete commits it would have warned about.\n\n"
            'JSON: {"history", "commits", "warned", "hidden", "flags", "right", "later" (right, or changed in the '
            'author\'s next five commits), "threshold", "precision", "recall", "warned_share", "examples" and "vain": '
            '[{"commit", "subject", "path", "chance"}]}.',
            "codewm backtest --threshold 0.7",
            _backtest_options,
            _backtest,
        ),
        Command(
            "index",
            "[REPOSITORY]... [OPTIONS]",
            "Index the whole history now",
            "Index the history of a repository, newest commits first. You can stop it at any time: it continues "
            "where it stopped.\n\n"
            "With --store, several repositories go into one index for codewm similar and codewm hints. With "
            "--processes or --ray, several are read at a time; one that cannot be read does not stop the others.",
            "codewm index ~/src/project",
            _index_options,
            _index,
        ),
        Command(
            "mcp",
            "[OPTIONS]",
            "Answer coding agents over the Model Context Protocol",
            "Answer coding agents over the Model Context Protocol, on stdin and stdout: past edits like the current "
            "one, what is likely to change next, what a change has forgotten, how a definition was changed before, and "
            "search.",
            "claude mcp add codewm -- codewm mcp",
            _mcp_options,
            _mcp,
        ),
        Command(
            "embed",
            "(--edits | --states) [OPTIONS]",
            "Turn edits or code into vectors, JSON lines in and out",
            'Read JSON lines from stdin and write {"embedding": […]} for each, in order. --edits takes two versions of '
            'a definition or a file ("" for one that does not exist), --states one version.',
            """echo '{"source": "def f(): return 1"}' | codewm embed --states""",
            _embed_options,
            _embed,
        ),
        Command(
            "doctor",
            "[PATH] [OPTIONS]",
            "Check the installation and suggest fixes",
            "Check the installation and suggest fixes. Lists where CodeWM keeps its files and what you have hidden. "
            "The exit code is 1 if there is a problem.",
            "codewm doctor ~/src/project",
            _doctor_options,
            _doctor,
        ),
        Command(
            "clean",
            "[OPTIONS]",
            "Remove everything CodeWM has written",
            "List everything CodeWM has written on this machine (indexes, hidden edits, logs, temporary files), ask, "
            "and remove it. Stores, models, Git hooks and your repositories are not touched.",
            "codewm clean --dry-run",
            _clean_options,
            _clean,
        ),
    )
}

"""``codewm forgotten``: the answer for people, programs, code scanning (SARIF 2.1.0) and GitHub's annotations; and
``codewm backtest``: what it would have said."""

from __future__ import annotations

import shlex
import sys
from argparse import Namespace
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import codewm_lsp
from codewm_lsp.cli.wire import dump
from codewm_lsp.display import short
from codewm_lsp.errors import NothingToAnswerError, OptionError

if TYPE_CHECKING:
    from codewm_lsp.cli.report import Reporter
    from codewm_lsp.hints.backtest import Backtest, Said
    from codewm_lsp.hints.forgotten import Forgotten, Missing
    from codewm_lsp.history import Repository
    from codewm_lsp.index.dismissals import Dismissals

RULE: Final = "usually-changed-together"
_SARIF: Final = "https://json.schemastore.org/sarif-2.1.0.json"


def forgotten(options: Namespace) -> bool:
    """Answer; whether a chance is as high as ``--fail-over``.

    Raises RepositoryError, OptionError, BundleError, or IndexStoreError where nothing can be remembered.
    """
    from codewm_lsp.cli.core_commands import existing
    from codewm_lsp.folders import cache_folder
    from codewm_lsp.hints import forgotten as asked
    from codewm_lsp.history import Repository
    from codewm_lsp.index import Dismissals

    if options.staged and options.diff is not None:
        raise OptionError("--staged and --diff are about different changes. Name one of them.")
    path = existing(options.repository, options.path)
    folder = options.cache or cache_folder()
    with Repository.open(path) as repository:
        if options.install_hook:
            from codewm_lsp.cli.hook import install

            sys.stdout.write(
                f"Installed {install(repository, folder)}, which lists what seems to be missing before each commit.\n"
            )
            return False
        dismissals = Dismissals.of(repository, folder)

        def answer() -> Forgotten:
            return asked.forgotten(
                repository,
                options.diff,
                looked=asked.Looked.STAGED if options.staged else None,
                threshold=options.threshold,
                dismissals=dismissals,
                folder=folder,
            )

        if options.never_needed is not None:
            _require_tracked(repository, options.never_needed)
            dismissals.add(asked.not_needed(options.never_needed))
            _confirm(f"{options.never_needed} will not be listed again", options.never_needed)
        if options.needed is not None:
            _take_back(dismissals, options.needed)
        found = answer()
        if options.not_needed is not None:
            if not found.change or not found.changed:
                raise OptionError(
                    f"{found.silent} Use --not-needed once there are some, or --never-needed to hide the file for good."
                )
            if options.not_needed not in {one.path for one in found.missing}:
                _require_tracked(repository, options.not_needed)
            dismissals.add(asked.not_needed(options.not_needed, found.change))
            _confirm(f"{options.not_needed} will not be listed again for this change", options.not_needed)
            found = answer()
    if options.format == "text":
        _in_words(found, options.quiet)
    else:
        sys.stdout.write({"json": _json, "sarif": _sarif, "github": _github}[options.format](found))
    return options.fail_over is not None and any(one.chance >= options.fail_over for one in found.missing)


def _require_tracked(repository: Repository, path: str) -> None:
    from codewm_lsp.history.paths import is_inside

    if not is_inside(path) or path not in repository.blobs_at("HEAD", [path]):
        raise OptionError(
            f"{path} is not a file of the last commit. Name it relative to the root, such as docs/index.md."
        )


def _confirm(said: str, path: str) -> None:
    """On stderr, beside the answer in whatever format."""
    from codewm_lsp.cli.report import plain

    sys.stderr.write(f"codewm: {plain(said)}. To undo this, run `codewm forgotten --needed {plain(path)}`.\n")


def _take_back(dismissals: Dismissals, path: str) -> None:
    from codewm_lsp.hints.forgotten import said_not_needed

    back = [one for one in said_not_needed(dismissals) if one.path == path]
    if not back:
        raise OptionError(f"{path} is not marked as not needed. `codewm doctor` lists the files that are.")
    for one in back:
        dismissals.remove(one)


def _in_words(found: Forgotten, quiet: bool) -> None:
    from codewm_lsp.cli.report import Reporter, consoles
    from codewm_lsp.hints.forgotten_words import SHOWN, conflict, headline, more_files, place

    reporter = Reporter(consoles()[0])
    for path in found.conflicts:
        reporter.line(conflict(path))
    if found.missing or not quiet:
        reporter.line(headline(found))
    if not found.missing:
        return
    for one in found.missing:
        reporter.line()
        reporter.line((f"  {100 * one.chance:.0f} %  ", "bold yellow"), (one.path, "cyan"))
        if one.of:
            reporter.line("        ", one.reason)
        for commit in one.evidence:
            reporter.line("        ", (short(commit.sha), "yellow"), f"  {commit.subject}")
        for broken in one.definitions[:SHOWN]:
            reporter.line("        ", (place(broken), "cyan"), f" {broken.reason}")
        if len(one.definitions) > SHOWN:
            reporter.line("        ", f"and {len(one.definitions) - SHOWN} more")
    if found.more:
        reporter.line()
        reporter.line("  ", f"and {more_files(found)}")
    usual = [one.path for one in found.missing if one.of and not one.definitions]  # the others are broken
    if usual:
        reporter.line()
        path = shlex.quote(usual[0]) if len(usual) == 1 else "FILE"
        reporter.line((f"Not needed? codewm forgotten --not-needed {path} (or --never-needed)", "dim"))


def _json(found: Forgotten) -> str:
    from codewm_lsp.hints.forgotten_words import record

    return dump(record(found)) + "\n"


def _sarif(found: Forgotten) -> str:
    from codewm_lsp.hints.forgotten_words import sentence

    results = [
        {
            "ruleId": RULE,
            "level": "warning",
            "message": {"text": sentence(one)},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": quote(one.path)},
                        "region": {"startLine": _line(one)},
                    }
                }
            ],
            "rank": round(100 * one.chance, 1),
        }
        for one in found.missing
    ]
    driver = {
        "name": "codewm",
        "version": codewm_lsp.__version__,
        "rules": [{"id": RULE, "shortDescription": {"text": "A file that usually changes together with these"}}],
    }
    invocation: dict[str, object] = {"executionSuccessful": True}
    if found.silent:
        invocation["toolExecutionNotifications"] = [{"level": "note", "message": {"text": found.silent}}]
    run = {"tool": {"driver": driver}, "invocations": [invocation], "results": results}
    return dump({"$schema": _SARIF, "version": "2.1.0", "runs": [run]}) + "\n"


def _github(found: Forgotten) -> str:
    """Workflow commands: https://docs.github.com/actions/reference/workflow-commands-for-github-actions."""
    from codewm_lsp.hints.forgotten_words import conflict, more_files, sentence

    warnings = [
        f"::warning file={_property(path)},title=codewm forgotten::{_escaped(conflict(path))}\n"
        for path in found.conflicts
    ]
    if found.silent:
        warnings.append(f"::notice title=codewm forgotten::{_escaped(found.silent)}\n")
    warnings += [
        f"::warning file={_property(one.path)}{_at(one)},title=codewm forgotten::{_escaped(sentence(one))}\n"
        for one in found.missing
    ]
    if found.more:
        warnings.append(f"::notice title=codewm forgotten::and {more_files(found)}\n")
    return "".join(warnings)


def _line(one: Missing) -> int:
    return one.definitions[0].line + 1 if one.definitions else 1


def _at(one: Missing) -> str:
    return f",line={_line(one)}" if one.definitions else ""


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


def backtest(options: Namespace) -> None:
    """Answer about the past. Raises NothingToAnswerError where it is too short, RepositoryError or BundleError."""
    from codewm_lsp.cli.asking import head_of
    from codewm_lsp.cli.core_commands import existing
    from codewm_lsp.cli.report import Reporter, consoles, progress_bar
    from codewm_lsp.folders import cache_folder
    from codewm_lsp.hints import backtest as past
    from codewm_lsp.hints.forgotten import ENOUGH
    from codewm_lsp.history import Repository

    out, errors = consoles()
    path = existing(options.repository, options.path)
    with Repository.open(path) as repository, progress_bar(errors, "asking", "commits") as progress:
        head_of(repository)
        found = past.backtest(
            repository,
            commits=options.commits,
            threshold=options.threshold,
            folder=options.cache or cache_folder(),
            progress=progress,
        )
    if options.json:
        sys.stdout.write(dump(_measured(found)) + "\n")
        return
    if not found.commits:
        raise NothingToAnswerError(
            f"Too little history: only {found.history} of the {ENOUGH} usable commits that are needed."
        )
    _told(Reporter(out), found)


def _measured(found: Backtest) -> dict[str, object]:
    return {
        "history": found.history,
        "commits": found.commits,
        "warned": found.warned,
        "hidden": found.hidden,
        "flags": found.flags,
        "right": found.right,
        "later": found.later,
        "threshold": found.threshold,
        "precision": round(found.right / found.flags, 4) if found.flags else None,
        "recall": round(found.right / found.hidden, 4) if found.hidden else None,
        "warned_share": round(found.warned / found.commits, 4) if found.commits else None,
        "examples": [_said(one) for one in found.examples],
        "vain": [_said(one) for one in found.vain],
    }


def _said(one: Said) -> dict[str, object]:
    return {"commit": one.sha, "subject": one.subject, "path": one.path, "chance": round(one.chance, 4)}


def _told(reporter: Reporter, found: Backtest) -> None:
    reporter.line(
        (f"The newest {found.commits:,} of {found.history:,} commits, without merges", "bold"),
        ", each checked against the history before it:",
    )
    reporter.line()
    share = f", {100 * found.right / found.flags:.0f} % of them correct" if found.flags else ""
    reporter.line(
        f"  With one file left out of a commit ({found.hidden:,} times), `codewm forgotten` would have named "
        f"{found.flags:,} files{share}."
    )
    if found.hidden:
        reporter.line(f"  It would have found {100 * found.right / found.hidden:.0f} % of the files left out.")
    vain = f"  Of the commits as they were made, it would have warned about {found.warned:,}"
    reporter.line(f"{vain} ({100 * found.warned / found.commits:.1f} %).")
    for title, some in (
        ("Correct, for example:", found.examples),
        ("Warnings about complete commits, for example:", found.vain),
    ):
        if some:
            reporter.line()
            reporter.line((title, "bold"))
        for one in some:
            reporter.line((f"  {100 * one.chance:.0f} %  ", "bold yellow"), (one.path, "cyan"))
            reporter.line("        ", (short(one.sha), "yellow"), f"  {one.subject}")

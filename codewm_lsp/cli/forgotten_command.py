"""``codewm forgotten``: the answer for people, programs, code scanning (SARIF 2.1.0) and GitHub's annotations."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from codewm_lsp.cli.wire import dump, iso_date

if TYPE_CHECKING:
    from codewm_lsp.hints.forgotten import Forgotten, Missing
    from codewm_lsp.history import Repository
    from codewm_lsp.index.dismissals import Dismissals

RULE: Final = "usually-changed-together"
_SARIF: Final = "https://json.schemastore.org/sarif-2.1.0.json"


def forgotten(options: Namespace) -> bool:
    """Answer; whether a chance is as high as ``--fail-over``."""
    from codewm_lsp.hints import forgotten as asked
    from codewm_lsp.history import Repository

    folder = options.repository / options.path if options.path is not None else options.repository
    with Repository.open(folder) as repository:
        dismissals = _dismissals(repository, options.cache)
        under_way = None if options.diff is not None else repository.under_way()
        if under_way in ("merge", "rebase"):
            _say(options, f"A {under_way} is under way: what it brings is not looked at.")
            return False
        change, called = asked.change_at_hand(repository, options.diff)
        for path, name in ((options.not_needed, asked.name_of(change)), (options.never_needed, None)):
            if path is not None:
                dismissals.add(asked.not_needed(path, name))
        author = repository.author(options.diff.partition("...")[2] or "HEAD" if options.diff is not None else None)
        found = asked.forgotten(repository, change, author=author, threshold=options.threshold, dismissals=dismissals)
    if options.format == "text":
        _in_words(found, called, options.quiet)
    else:
        records = {"json": _json, "sarif": _sarif, "github": _github}
        sys.stdout.write(records[options.format](found))
    return options.fail_over is not None and any(one.chance >= options.fail_over for one in found.missing)


def _dismissals(repository: Repository, cache: Path | None) -> Dismissals:
    from codewm_lsp.folders import cache_folder
    from codewm_lsp.index.dismissals import DISMISSED, Dismissals
    from codewm_lsp.index.store import folder_name

    folder = cache or cache_folder()
    return Dismissals(None if folder is None else folder / folder_name(repository.key) / DISMISSED)


def _say(options: Namespace, sentence: str) -> None:
    if options.quiet and options.format == "text":
        return
    if options.format == "text":
        sys.stdout.write(f"{sentence}\n")
    else:
        from codewm_lsp.hints.forgotten import Forgotten

        records = {"json": _json, "sarif": _sarif, "github": _github}
        sys.stdout.write(records[options.format](Forgotten((), (), 0, False, sentence, "")))


def _in_words(found: Forgotten, called: str, quiet: bool) -> None:
    from codewm_lsp.cli.report import Reporter, consoles

    reporter = Reporter(consoles()[0])
    if found.silent:
        if not quiet:
            reporter.line(found.silent)
        return
    behind = f"{found.commits:,} commits" + (" of a shallow clone" if found.shallow else "")
    if not found.missing:
        if not quiet:
            reporter.line(f"Nothing seems to be missing from {called} ({behind} looked at).")
        return
    reporter.line(("Usually changed together with ", "bold"), called, f", and not changed ({behind}):")
    for one in found.missing:
        reporter.line()
        reporter.line((f"  {100 * one.chance:.0f} %  ", "bold yellow"), (one.path, "cyan"))
        reporter.line("        ", one.reason)
        for commit in one.evidence:
            reporter.line("        ", (commit.sha[:8], "yellow"), f"  {commit.subject}")
    reporter.line()
    first = found.missing[0].path
    reporter.line((f"Not needed? codewm forgotten --not-needed {first} (or --never-needed)", "dim"))


def _record(one: Missing) -> dict[str, object]:
    return {
        "path": one.path,
        "chance": round(one.chance, 4),
        "reason": one.reason,
        "beside": one.beside,
        "together": one.together,
        "of": one.of,
        "evidence": [
            {"commit": it.sha, "author": it.author, "date": iso_date(it.date), "subject": it.subject}
            for it in one.evidence
        ],
    }


def _json(found: Forgotten) -> str:
    return (
        dump(
            {
                "change": found.change,
                "commits": found.commits,
                "shallow": found.shallow,
                "silent": found.silent,
                "changed": list(found.changed),
                "missing": [_record(one) for one in found.missing],
            }
        )
        + "\n"
    )


def _words(one: Missing) -> str:
    commits = ", ".join(it.sha[:8] for it in one.evidence)
    return f"{one.path} is likely to need a change too ({100 * one.chance:.0f} %): {one.reason}" + (
        f" ({commits})" if commits else ""
    )


def _sarif(found: Forgotten) -> str:
    import codewm_lsp

    results = [
        {
            "ruleId": RULE,
            "level": "warning",
            "message": {"text": _words(one)},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": _uri(one.path)},
                        "region": {"startLine": 1},
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


def _uri(path: str) -> str:
    from urllib.parse import quote

    return quote(path)


def _github(found: Forgotten) -> str:
    """Workflow commands: https://docs.github.com/actions/reference/workflow-commands-for-github-actions."""
    if found.silent:
        return f"::notice title=codewm forgotten::{_escaped(found.silent)}\n"
    return "".join(
        f"::warning file={_escaped(one.path, property=True)},title=codewm forgotten::{_escaped(_words(one))}\n"
        for one in found.missing
    )


def _escaped(text: str, *, property: bool = False) -> str:
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if property else text

#!/usr/bin/env python3
"""Keeps one comment of a pull request up to date with what `codewm forgotten --json` says; action.yml runs it.

    review_comment.py FILE     the JSON; GitHub's own variables say which pull request, and GITHUB_TOKEN who comments

Names, subjects and paths are strangers' words: they are shown as code, where Markdown, HTML and mentions mean nothing.
Where GitHub refuses or fails, one line says so and the job goes on. It needs nothing but Python.
"""

from __future__ import annotations

import json
import os
import re
import sys
import unicodedata
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path
from typing import IO, Any

MARK = "<!-- codewm forgotten -->"
PATIENCE = 20  # seconds
PAGES = 30  # of a hundred comments each
SHOWN = 3  # definitions of a file
LONGEST = 200  # characters of a path or a subject


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would take the token elsewhere."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        return None


class GitHub:
    """The comments of one pull request."""

    def __init__(self, api: str, repository: str, number: int, token: str) -> None:
        self._api = api.rstrip("/")
        self._issues = f"{self._api}/repos/{repository}/issues"
        self._comments = f"{self._issues}/{number}/comments"
        self._token = token
        self._opener = urllib.request.build_opener(_NoRedirect)

    def own(self) -> dict[str, Any] | None:
        """The comment that was made before, by this token's user; None where there is none."""
        me: str | None = None
        for page in range(1, PAGES + 1):
            found = self._ask("GET", f"{self._comments}?per_page=100&page={page}")
            for comment in found:
                if not str(comment.get("body") or "").startswith(MARK):
                    continue
                user = comment.get("user") or {}
                if user.get("type") != "Bot" and me is None:
                    me = self._login()
                if user.get("type") == "Bot" or user.get("login") == me:  # others can write the mark, too
                    return dict(comment)
            if len(found) < 100:
                return None
        return None

    def create(self, body: str) -> None:
        """Comment."""
        self._ask("POST", self._comments, {"body": body})

    def update(self, comment: dict[str, Any], body: str) -> None:
        """Say something else in a comment."""
        self._ask("PATCH", f"{self._issues}/comments/{int(comment['id'])}", {"body": body})

    def _login(self) -> str:
        try:
            return str(self._ask("GET", f"{self._api}/user").get("login") or "")
        except urllib.error.HTTPError:  # the token of an app is no user
            return ""

    def _ask(self, method: str, address: str, body: dict[str, str] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode("utf-8")
        request = urllib.request.Request(address, data=data, method=method)
        request.add_header("Accept", "application/vnd.github+json")
        request.add_header("Authorization", f"Bearer {self._token}")
        request.add_header("User-Agent", "codewm")
        request.add_header("X-GitHub-Api-Version", "2022-11-28")
        with self._opener.open(request, timeout=PATIENCE) as answer:
            return json.load(answer)


def code(text: str) -> str:
    """A stranger's words as code of Markdown, on one line, whatever they are."""
    shown = "".join(one if one.isprintable() else " " for one in unicodedata.normalize("NFC", text))[:LONGEST].strip()
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    padded = f" {shown} " if shown.startswith("`") or shown.endswith("`") or not shown else shown
    return f"{fence}{padded}{fence}"


def comment_of(answer: dict[str, Any], commits: str) -> str:
    """What the comment says; ``commits``: the address below which GitHub shows commits."""
    if not answer["missing"]:
        return f"{MARK}\nNo file seems to be missing any more (based on {answer['commits']:,} commits)."
    lines = [MARK, "**These files usually change together with yours but have not changed:**", ""]
    for one in answer["missing"]:
        beside = f" to {code(one['beside'])}" if one["beside"] else ""
        which = "the only commit" if one["of"] == 1 else f"{one['together']:,} of the last {one['of']:,} commits"
        often = f": changed in {which}{beside}" if one["of"] else ""
        if kept := one.get("kept_lines", 0):
            often += f"; it still has {kept:,} {'line' if kept == 1 else 'lines'} that the change removes elsewhere"
        lines.append(f"- {code(one['path'])} ({100 * one['chance']:.0f} %){often}")
        lines += [
            f"  - line {it['line']:,}, {code(it['definition'])}: {code(it['reason'])}"
            for it in one.get("definitions", ())[:SHOWN]
        ]
        for past in one["evidence"]:
            sha = re.sub("[^0-9a-f]", "", past["commit"])
            lines.append(f"  - [{sha[:7]}]({commits}/{sha}) {code(past['subject'])}")
    lines += [
        "",
        f"Based on {answer['commits']:,} commits. This comment is kept up to date; if a file needs no change, ignore "
        "it.",
    ]
    return "\n".join(lines)


def keep(github: GitHub, answer: dict[str, Any], commits: str) -> str:
    """Make the comment say what the answer says; what was done, in words."""
    known = github.own()
    if known is None and not answer["missing"]:
        return "There is nothing to comment on."
    body = comment_of(answer, commits)
    if known is None:
        github.create(body)
        return "The comment was made."
    if known.get("body") == body:
        return "The comment is up to date."
    github.update(known, body)
    return "The comment was updated."


def notice(text: str) -> None:
    """One line of the log, which GitHub shows beside the job."""
    print(f"::notice title=codewm forgotten::{text}".replace("\r", " ").replace("\n", " "))


def main(file: str) -> None:
    """Read what GitHub and CodeWM say, and comment."""
    answer = json.loads(Path(file).read_text(encoding="utf-8"))
    if answer["silent"]:
        notice(answer["silent"])
        return
    event = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
    number = (event.get("pull_request") or {}).get("number")
    if not isinstance(number, int):
        notice("This is no pull request: there is nothing to comment on.")
        return
    repository, server = os.environ["GITHUB_REPOSITORY"], os.environ["GITHUB_SERVER_URL"]
    github = GitHub(os.environ["GITHUB_API_URL"], repository, number, os.environ["GITHUB_TOKEN"])
    try:
        print(keep(github, answer, f"{server}/{repository}/commit"))
    except urllib.error.HTTPError as error:
        why = "the token may not write comments (permissions: pull-requests: write; a fork has none)"
        notice(
            f"No comment was made: GitHub answered {error.code}{f', {why}' if error.code in (401, 403, 404) else ''}."
        )
    except (OSError, ValueError) as error:
        notice(f"No comment was made: {error}")


if __name__ == "__main__":
    main(sys.argv[1])

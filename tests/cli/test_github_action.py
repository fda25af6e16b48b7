"""The GitHub Action: its steps run as GitHub runs them, against a server that answers as GitHub's API was recorded."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import isolated_environment

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
BOT = {"login": "github-actions[bot]", "id": 41898282, "type": "Bot", "site_admin": False}
STRANGER = {"login": "octocat", "id": 1, "type": "User", "site_admin": False}
pytestmark = pytest.mark.skipif(os.name == "nt" or shutil.which("bash") is None, reason="the steps are run by bash")


def test_the_action_is_one_by_the_published_schema() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-actions", "action.yml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


class Api:
    """GitHub's answers about the comments of pull request 7, in the shape of its documentation (version 2022-11-28)."""

    def __init__(self) -> None:
        self.comments: list[dict[str, Any]] = []
        self.requests: list[tuple[str, str]] = []
        self.refuse: int | None = None
        api = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *arguments: object) -> None:
                return

            def _answer(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(size)) if size else {}
                assert self.headers["Authorization"] == "Bearer t0ken"
                assert self.headers["X-GitHub-Api-Version"] == "2022-11-28"
                api.requests.append((self.command, self.path))
                status, answer = api.answer(self.command, self.path, body)
                data = json.dumps(answer).encode("utf-8")
                self.send_response(status)
                self.send_header("Content-Type", "application/json; charset=utf-8")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = _answer

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, method: str, path: str, body: Mapping[str, Any]) -> tuple[int, Any]:
        if self.refuse is not None and method != "GET":
            return self.refuse, {"message": "Resource not accessible by integration", "status": str(self.refuse)}
        if method == "GET" and path == "/user":
            return 403, {"message": "Resource not accessible by integration", "status": "403"}
        if method == "GET" and (match := re.fullmatch(r"/repos/o/r/issues/7/comments\?per_page=100&page=(\d+)", path)):
            first = 100 * (int(match[1]) - 1)
            return 200, self.comments[first : first + 100]
        if method == "POST" and path == "/repos/o/r/issues/7/comments":
            self.add(str(body["body"]), BOT)
            return 201, self.comments[-1]
        if method == "PATCH" and (match := re.fullmatch(r"/repos/o/r/issues/comments/(\d+)", path)):
            comment = next(one for one in self.comments if one["id"] == int(match[1]))
            comment["body"] = body["body"]
            return 200, comment
        return 404, {"message": "Not Found", "status": "404"}

    def add(self, body: str, user: Mapping[str, Any]) -> None:
        number = 1000 + len(self.comments)
        self.comments.append({"id": number, "node_id": f"IC_{number}", "user": dict(user), "body": body})

    def changes(self) -> list[str]:
        return [method for method, _ in self.requests if method != "GET"]


@pytest.fixture
def api() -> Iterator[Api]:
    found = Api()
    yield found
    found.server.shutdown()
    found.server.server_close()


Run = Callable[..., list[subprocess.CompletedProcess[str]]]


@pytest.fixture
def run(tmp_path: Path, api: Api) -> Run:
    """Runs the steps of the action after the installation, as GitHub does; what each said."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, code in (("codewm", '-c "from codewm_lsp.cli import main; main()"'), ("python", "")):
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {code} "$@"\n')
        (programs / name).chmod(0o755)

    def steps(repository: Any, base: str, *, event: object = None, **inputs: str) -> list[Any]:
        (tmp_path / "event.json").write_text(json.dumps(event or {"pull_request": {"number": 7}}))
        (tmp_path / "temp").mkdir(exist_ok=True)
        given = {name: str(one["default"]) for name, one in ACTION["inputs"].items()}
        given |= {"base": base, "token": "t0ken"} | {name.replace("_", "-"): value for name, value in inputs.items()}

        def filled(text: str) -> str:
            name = re.fullmatch(r"\$\{\{ inputs\.([\w-]+)(?: \|\| [\w.]+)? \}\}", text)
            return given[name[1]] if name else text

        done = []
        for step in ACTION["runs"]["steps"][1:]:
            wanted = re.fullmatch(r"inputs\.([\w-]+) (==|!=) '(.*)'", step.get("if", "inputs.comment != ''"))
            assert wanted is not None
            if (given[wanted[1]] == wanted[3]) != (wanted[2] == "=="):
                continue
            environment = isolated_environment(
                PATH=os.pathsep.join([str(programs), os.environ["PATH"]]),
                PYTHONPATH=str(ROOT),
                CODEWM_CACHE=str(tmp_path / "cache"),
                RUNNER_TEMP=str(tmp_path / "temp"),
                GITHUB_ACTION_PATH=str(ROOT),
                GITHUB_API_URL=api.address,
                GITHUB_EVENT_PATH=str(tmp_path / "event.json"),
                GITHUB_REPOSITORY="o/r",
                GITHUB_SERVER_URL="https://github.com",
                **{name: filled(value) for name, value in step.get("env", {}).items()},
            )
            done.append(
                subprocess.run(
                    ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
                    cwd=repository.path,
                    env=environment,
                    capture_output=True,
                    text=True,
                    check=False,
                )
            )
            if done[-1].returncode:
                break
        return done

    return steps


@pytest.fixture
def branch(coupled: Any) -> Any:
    """A branch that changes ``core.py`` and not what always changes with it."""
    coupled.branch("work")
    coupled.commit("Change core alone", {"core.py": "a = -1\n"})
    return coupled


def test_one_comment_is_made_kept_up_to_date_and_says_when_all_is_well(branch: Any, run: Run, api: Api) -> None:
    for number in range(130):  # on the second page
        api.add(f"Comment {number}", STRANGER)
    done = run(branch, "main")
    assert [one.returncode for one in done] == [0, 0], [one.stderr for one in done]
    assert done[0].stdout.startswith("::warning file=docs/core.rst,")
    ((body,),) = [[one["body"] for one in api.comments if one["user"] == BOT]]
    assert "- `docs/core.rst` (" in body
    assert "changed in 61 of the last 61 commits to `core.py`" in body
    assert f"](https://github.com/o/r/commit/{branch.head('main')}) `Change number 119`" in body
    assert api.changes() == ["POST"]

    run(branch, "main")
    assert api.changes() == ["POST"], "the same is not said twice"

    branch.commit("Change the page too", {"docs/core.rst": "-1\n"})
    run(branch, "main")
    assert api.changes() == ["POST", "PATCH"]
    assert "No file seems to be missing any more" in api.comments[-1]["body"]
    assert len(api.comments) == 131


def test_nothing_is_said_of_a_complete_change(coupled: Any, run: Run, api: Api) -> None:
    coupled.branch("work")
    coupled.commit("Change tools", {"tools.py": "b = -1\n"})
    done = run(coupled, "main")
    assert [one.returncode for one in done] == [0, 0], [one.stderr for one in done]
    assert api.changes() == []


def test_a_comment_that_a_stranger_marked_is_left_alone(branch: Any, run: Run, api: Api) -> None:
    api.add("<!-- codewm forgotten -->\nmine", STRANGER)
    run(branch, "main")
    assert api.changes() == ["POST"]
    assert api.comments[0]["body"] == "<!-- codewm forgotten -->\nmine"


def test_the_job_fails_only_where_that_is_asked_for(branch: Any, run: Run) -> None:
    assert [one.returncode for one in run(branch, "main", fail_over="0.5")] == [0, 0, 3]
    assert [one.returncode for one in run(branch, "main", fail_over="1")] == [0, 0, 0]


@pytest.mark.parametrize(
    ("base", "event", "refuse", "words"),
    [
        ("main", None, 403, "GitHub answered 403, the token may not write comments"),
        ("main", None, 500, "GitHub answered 500."),
        ("main", {"push": {}}, None, "This is no pull request"),
        ("0" * 40, None, None, "fetch-depth: 0"),
        ("", None, None, "there is nothing to ask about"),
    ],
)
def test_what_keeps_a_comment_from_being_made_is_one_notice(
    branch: Any, run: Run, api: Api, base: str, event: object, refuse: int | None, words: str
) -> None:
    api.refuse = refuse
    done = run(branch, base, event=event)
    assert all(one.returncode == 0 for one in done), [one.stderr for one in done]
    said = "".join(one.stdout for one in done)
    assert said.count("::notice") == 1
    assert words in said
    assert "Traceback" not in "".join(one.stderr for one in done)


def test_strangers_words_are_code_and_nothing_else(coupled: Any, run: Run, api: Api, tmp_path: Path) -> None:
    nasty = "docs/`](http:evil) <img src=x> @octocat ![x] #1 ``.rst"
    files = [("a = %d\n", "core.py"), ("%d\n", nasty)]
    coupled.commit("Begin", {name: text % 0 for text, name in files})
    for number in range(1, 12):
        subject = "Say ``` <script> @octocat [x](y) | \u202e \x07 ${{ secrets.TOKEN }}"
        coupled.commit(subject, {name: text % (1000 + number) for text, name in files})
    coupled.branch("work")
    coupled.commit("Change core alone", {"core.py": "a = -1\n"})
    done = run(coupled, "main", threshold="0.01")
    assert [one.returncode for one in done] == [0, 0], [one.stderr for one in done]
    body = api.comments[0]["body"]
    assert nasty in body
    outside = re.sub(r"(?<!`)(`+)(?!`)(.*?)(?<!`)\1(?!`)", "", body.removeprefix("<!-- codewm forgotten -->"))
    for sign in ("<", "@", "!", "#", "`", "evil", "|", "$"):
        assert sign not in outside, (sign, outside)
    assert not set("\u202e\x07") & set(body)
    for line in done[0].stdout.splitlines():
        assert line.startswith("::warning file="), "a name makes no command of its own"


def test_what_is_given_to_the_action_is_never_part_of_a_script() -> None:
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step["run"], step["name"]
        assert step["shell"] == "bash"

"""What all tests share: real Git repositories, made with the real git in a temporary folder."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The same examples every time, however slow the machine is today.
settings.register_profile("codewm", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("codewm")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--thorough``: the long runs of tests/reliability, for a night rather than for every change."""
    parser.addoption("--thorough", action="store_true", help="10,000 mutated files, 20,000 messages, 200 kills")


@pytest.fixture
def thorough(request: pytest.FixtureRequest) -> bool:
    """Whether the long runs are wanted."""
    return bool(request.config.getoption("--thorough"))


FIRST_DATE = 1_700_000_000  # 14 November 2023, UTC; each commit is an hour after the one before


def isolated_environment(**more: str) -> dict[str, str]:
    """The environment without what Git on this machine is configured to do."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment.update(GIT_CONFIG_GLOBAL=os.devnull, GIT_CONFIG_NOSYSTEM="1", GIT_TERMINAL_PROMPT="0", LC_ALL="C")
    return environment | more


class RepositoryBuilder:
    """Writes a history. Files are given as paths below ``path`` (with ``/``) and text or bytes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = FIRST_DATE

    def git(self, *arguments: str, stdin: bytes | None = None, **environment: str) -> str:
        """Run git here; its output, stripped."""
        return self._git(arguments, stdin, environment)

    def _git(self, arguments: Sequence[str], stdin: bytes | None, environment: Mapping[str, str]) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.path,
            env=isolated_environment(**environment),
            input=stdin,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, f"git {arguments}: {done.stderr.decode('utf-8', 'replace')}"
        return done.stdout.decode("utf-8", "replace").strip()

    def write(self, path: str, content: str | bytes) -> Path:
        """Write a file, folders included, line ends as given."""
        file = self.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        return file

    def remove(self, path: str) -> None:
        """Delete a file of the work tree."""
        (self.path / path).unlink()

    def rename(self, old: str, new: str) -> None:
        """Rename a tracked file, in the index too."""
        (self.path / new).parent.mkdir(parents=True, exist_ok=True)
        self.git("mv", old, new)

    def commit(
        self,
        subject: str = "Change",
        files: Mapping[str, str | bytes] | None = None,
        *,
        author: str = "Ada Lovelace <ada@example.org>",
        date: int | None = None,
    ) -> str:
        """Write ``files``, then commit everything there is, even nothing; the commit's id."""
        for path, content in (files or {}).items():
            self.write(path, content)
        self.git("add", "--all")
        self._git(["commit", "--quiet", "--allow-empty", "--message", subject], None, self._who(author, date))
        return self.head()

    def commit_many(self, commits: Sequence[tuple[str, Mapping[str, str]]]) -> str:
        """Many commits on ``main`` in one call of Git, each a subject and the files it writes; the id of the last."""
        parts: list[bytes] = []
        for number, (subject, files) in enumerate(commits):
            self.clock += 3600
            who = f"Ada Lovelace <ada@example.org> {self.clock} +0000"
            message = subject.encode("utf-8")
            parts.append(f"commit refs/heads/main\nauthor {who}\ncommitter {who}\n".encode())
            parts.append(b"data %d\n%s\n" % (len(message), message))
            if not number and self._git(["for-each-ref", "refs/heads/main"], None, {}):
                parts.append(b"from refs/heads/main^0\n")
            for path, text in files.items():
                content = text.encode("utf-8")
                parts.append(f"M 100644 inline {path}\n".encode() + b"data %d\n%s\n" % (len(content), content))
        self._git(["fast-import", "--quiet"], b"".join(parts), {})
        self.git("reset", "--quiet", "--hard", "main")
        return self.head()

    def branch(self, name: str, at: str = "HEAD") -> None:
        """Make a branch and check it out."""
        self.git("checkout", "--quiet", "-b", name, at)

    def checkout(self, rev: str) -> None:
        """Check out a branch, or a commit (HEAD is then detached)."""
        self.git("checkout", "--quiet", rev)

    def merge(self, branch: str, subject: str = "Merge", *, author: str = "Ada Lovelace <ada@example.org>") -> str:
        """Merge a branch into the one checked out, always with a merge commit; its id."""
        self._git(["merge", "--quiet", "--no-ff", "--message", subject, branch], None, self._who(author, None))
        return self.head()

    def head(self, rev: str = "HEAD") -> str:
        """The full id of a commit."""
        return self.git("rev-parse", "--verify", rev)

    def _who(self, author: str, date: int | None) -> dict[str, str]:
        self.clock = date if date is not None else self.clock + 3600
        name, _, mail = author.partition(" <")
        when = f"{self.clock} +0000"
        mail = mail.rstrip(">") or "nobody@example.org"
        return {
            "GIT_AUTHOR_NAME": name,
            "GIT_AUTHOR_EMAIL": mail,
            "GIT_AUTHOR_DATE": when,
            "GIT_COMMITTER_NAME": name,
            "GIT_COMMITTER_EMAIL": mail,
            "GIT_COMMITTER_DATE": when,
        }


def coupled_commits(count: int) -> list[tuple[str, dict[str, str]]]:
    """A history in which ``core.py`` never changes without ``docs/core.rst``, and other files by themselves."""
    commits: list[tuple[str, dict[str, str]]] = [
        (
            "Start",
            {
                "core.py": "a = 0\n",
                "docs/core.rst": "The value of core is 0.\n",
                "tools.py": "b = 0\n",
                "tests/test_tools.py": "0\n",
            },
        )
    ]
    for number in range(1, count):
        files = {"tools.py": f"b = {number}\n"}
        if number % 2:
            files = {"core.py": f"a = {number}\n", "docs/core.rst": f"The value of core is {number}.\n"}
        commits.append((f"Change number {number}", files))
    return commits


@pytest.fixture
def coupled(make_repository: Callable[..., RepositoryBuilder]) -> RepositoryBuilder:
    """A repository of 120 commits: see ``coupled_commits``."""
    repository = make_repository("coupled")
    repository.commit_many(coupled_commits(120))
    return repository


@pytest.fixture
def make_repository(tmp_path: Path) -> Callable[..., RepositoryBuilder]:
    """``make_repository("name")`` → an empty repository on the branch ``main``, below the test's temporary folder."""

    def make(name: str = "repository", *options: str) -> RepositoryBuilder:
        path = tmp_path / name
        path.mkdir(parents=True)
        builder = RepositoryBuilder(path)
        builder.git("init", "--quiet", "--initial-branch=main", *options)
        builder.git("config", "core.autocrlf", "false")
        return builder

    return make

"""The address that the user commits with is read as Git would, and what a repository configures is never run for it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from codewm_lsp.history import Repository
from tests.conftest import RepositoryBuilder

MakeRepository = Callable[..., RepositoryBuilder]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without any configuration."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("GIT_CONFIG")] + ["XDG_CONFIG_HOME"]:
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(folder))
    return folder


def address(built: RepositoryBuilder) -> str:
    with Repository.open(built.path) as repository:
        return repository.user_email()


def test_it_is_the_repositorys_or_the_users(home: Path, make_repository: MakeRepository) -> None:
    assert address(make_repository("nobodys")) == ""
    built = make_repository()
    (home / ".gitconfig").write_text("[user]\n\temail = everywhere@example.org\n", encoding="utf-8")
    assert address(built) == "everywhere@example.org"
    built.git("config", "user.email", "here@example.org")
    assert address(built) == "here@example.org"


def test_it_may_be_included_for_some_repositories(home: Path, make_repository: MakeRepository) -> None:
    built, other = make_repository("work/one"), make_repository("play/two")
    (home / "work.config").write_text("[user]\n\temail = work@example.org\n", encoding="utf-8")
    (home / ".gitconfig").write_text(
        "[user]\n\temail = me@example.org\n"
        f'[includeIf "gitdir:{os.path.realpath(built.path.parent)}/"]\n\tpath = work.config\n'.replace("\\", "/"),
        encoding="utf-8",
    )
    for one in (built, other):
        one.commit("Begin", {"a.py": "x = 1\n"})
    assert (address(built), address(other)) == ("work@example.org", "me@example.org")


@pytest.mark.skipif(sys.platform == "win32", reason="the trap is a shell script")
def test_nothing_of_the_repository_is_run_for_it(home: Path, make_repository: MakeRepository, tmp_path: Path) -> None:
    (home / ".gitconfig").write_text("[user]\n\temail = me@example.org\n", encoding="utf-8")
    built = make_repository()
    built.commit("Begin", {"a.py": "x = 1\n"})
    marker, trap = tmp_path / "it-ran", tmp_path / "trap.sh"
    trap.write_text(f'#!/bin/sh\necho "$0 $@" >> "{marker}"\n', encoding="utf-8")
    trap.chmod(0o755)
    for name in ("alias.config", "core.fsmonitor", "core.pager", "pager.config", "core.editor", "core.sshCommand"):
        built.git("config", name, f"!{trap}" if name.startswith("alias") else str(trap))
    built.git("config", "trace2.normalTarget", str(marker))
    assert address(built) == "me@example.org"
    assert not marker.exists(), marker.read_text(encoding="utf-8")


def test_a_senseless_one_is_bounded_and_does_no_harm(home: Path, make_repository: MakeRepository) -> None:
    (home / ".gitconfig").write_text("[user]\n\temail = me@example.org\n", encoding="utf-8")
    built = make_repository()
    built.commit("Begin", {"a.py": "x = 1\n"})
    with (built.path / ".git" / "config").open("a", encoding="utf-8") as file:
        file.write("[user]\n\temail = " + "x" * 1_000_000 + "\n")
    assert address(built) == "me@example.org"

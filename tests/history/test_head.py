"""HEAD is found without asking Git each time, and always where Git says it is."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codewm_lsp.errors import RepositoryError
from codewm_lsp.history import Repository
from codewm_lsp.history.head import head_on_disk
from codewm_lsp.history.location import locate

MakeRepository = Callable[..., Any]


def test_head_follows_commits_checkouts_resets_packing_and_worktrees(make_repository: MakeRepository) -> None:
    builder = make_repository()
    first = builder.commit("One", {"a.py": "x = 1\n"})
    with Repository.open(builder.path) as repository:

        def check(expected: str) -> None:
            for _ in range(2):  # the second time without asking Git, where that is possible
                assert repository.head() == expected

        check(first)
        second = builder.commit("Two", {"a.py": "x = 2\n"})
        check(second)
        builder.git("pack-refs", "--all", "--prune")
        check(second)
        third = builder.commit("Three", {"a.py": "x = 3\n"})
        check(third)
        builder.git("pack-refs", "--all", "--prune")
        builder.git("reset", "--quiet", "--hard", "HEAD~1")
        check(second)
        builder.git("pack-refs", "--all", "--prune")
        builder.git("update-ref", "refs/heads/main", first)
        check(first)
        builder.checkout(second)
        check(second)
        builder.branch("feature/name")
        check(second)
        fourth = builder.commit("Four", {"a.py": "x = 4\n"})
        check(fourth)
    beside = builder.path.parent / "beside"
    builder.git("worktree", "add", "--quiet", "--detach", str(beside), first)
    with Repository.open(beside) as worktree:
        assert worktree.head() == worktree.head() == first


def test_a_head_that_names_nothing_of_the_repository_is_left_to_git(
    make_repository: MakeRepository, tmp_path: Path
) -> None:
    builder = make_repository()
    sha = builder.commit("One", {"a.py": "x = 1\n"})
    location = locate(builder.path)
    assert head_on_disk(location) == sha
    (tmp_path / "elsewhere").write_text(f"{sha}\n")
    for text in ("ref: refs/heads/../../../elsewhere\n", "ref: refs/heads/none\n", "ref: \0\n", "", "\xff\n", "f" * 39):
        (builder.path / ".git" / "HEAD").write_text(text, encoding="latin-1")
        assert head_on_disk(location) is None
    (builder.path / ".git" / "HEAD").unlink()
    assert head_on_disk(location) is None


def test_a_position_is_another_whenever_there_are_other_commits(make_repository: MakeRepository) -> None:
    builder = make_repository()
    builder.commit("One", {"a.py": "x = 1\n"})
    with Repository.open(builder.path) as repository:
        known = {repository.position()}
        assert {repository.position()} == known
        for number, step in enumerate(("commit", "pack", "commit", "reset", "detach", "commit")):
            if step == "commit":
                builder.commit(step, {"a.py": f"y = {number}\n"})
            elif step == "pack":
                builder.git("pack-refs", "--all", "--prune")
            elif step == "reset":
                builder.git("reset", "--quiet", "--hard", "HEAD~2")
            else:
                builder.checkout("HEAD~0")
            assert (repository.position() in known) is (step in ("pack", "reset", "detach")), (number, step)
            known.add(repository.position())
            builder.write("a.py", "unsaved = True\n")
            assert repository.position() in known
            builder.git("checkout", "--quiet", "--", "a.py")


def test_a_hundred_thousand_packed_refs_are_no_burden(make_repository: MakeRepository) -> None:
    builder = make_repository()
    first = builder.commit("One", {"a.py": "x = 1\n"})
    second = builder.commit("Two", {"a.py": "x = 2\n"})
    names = sorted(["refs/heads/main", *(f"refs/tags/v{number:06}" for number in range(100_000))])
    said = "# pack-refs with: peeled fully-peeled sorted \n" + "".join(f"{second} {name}\n" for name in names)
    (builder.path / ".git" / "packed-refs").write_text(said, encoding="ascii")
    (builder.path / ".git" / "refs" / "heads" / "main").unlink()
    builder.write("a.py", "x = 3\n")
    with Repository.open(builder.path) as repository:
        assert repository.head() == second
        assert second in repository.position()
        assert [commit.commit.sha for commit in repository.commits()] == [second, first]
        assert [edit.path for edit in repository.working_edits()] == ["a.py"]


def test_a_reftable_is_read_where_git_can_and_else_refused_in_one_line(make_repository: MakeRepository) -> None:
    builder = make_repository()
    first = builder.commit("One", {"a.py": "x = 1\n"})
    version = tuple(map(int, re.findall(r"\d+", builder.git("version"))[:2]))
    if version >= (2, 48):
        builder.git("refs", "migrate", "--ref-format=reftable")
        with Repository.open(builder.path) as repository:
            assert repository.head() == first
            second = builder.commit("Two", {"a.py": "x = 2\n"})
            assert repository.head() == second
            assert [commit.commit.sha for commit in repository.commits()] == [second, first]
    else:
        builder.git("config", "core.repositoryFormatVersion", "1")
        builder.git("config", "extensions.refStorage", "reftable")
        shutil.rmtree(builder.path / ".git" / "refs")
        (builder.path / ".git" / "refs").mkdir()
        (builder.path / ".git" / "refs" / "heads").write_text("this repository uses the reftable format\n")
        (builder.path / ".git" / "HEAD").write_text("ref: refs/heads/.invalid\n")
        with pytest.raises(RepositoryError, match="refstorage"):
            Repository.open(builder.path).head()


def test_where_refs_lie_in_no_file_git_is_asked(make_repository: MakeRepository) -> None:
    """As where they lie in a table: HEAD then names a branch that there is not, and Git alone knows better."""
    builder = make_repository()
    first = builder.commit("One", {"a.py": "x = 1\n"})
    builder.git("pack-refs", "--all", "--prune")
    assert head_on_disk(locate(builder.path)) is None
    with Repository.open(builder.path) as repository:
        before = repository.position()
        assert first in before
        builder.git("update-ref", "refs/heads/main", builder.commit("Two", {"a.py": "x = 2\n"}))
        builder.git("pack-refs", "--all", "--prune")
        assert repository.position() != before

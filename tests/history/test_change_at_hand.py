"""The change somebody is about to commit, or to have reviewed: which files of any kind it touches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codewm_lsp.errors import RepositoryError
from codewm_lsp.history import Repository
from codewm_lsp.history.change_at_hand import ChangeAtHand
from codewm_lsp.history.changed_files import FileEvent, author_key

ADDED, MODIFIED, REMOVED = FileEvent.ADDED, FileEvent.MODIFIED, FileEvent.REMOVED
Made = Callable[..., Any]


def staged(path: Path) -> ChangeAtHand:
    with Repository.open(path) as repository:
        return repository.staged()


def in_work_tree(path: Path) -> ChangeAtHand:
    with Repository.open(path) as repository:
        return repository.in_work_tree()


@pytest.fixture
def started(make_repository: Made) -> Any:
    repository = make_repository()
    repository.commit("Start", {"a.py": "a = 1\n", "b.rst": "words\n", "c.toml": "c = 1\n"})
    return repository


def test_what_is_staged_is_told_by_file_whatever_its_kind(started: Any) -> None:
    started.write("a.py", "a = 2\n")
    started.write("new.md", "new\n")
    started.remove("c.toml")
    started.git("add", "--all")
    started.write("b.rst", "not staged\n")
    change = staged(started.path)
    assert change.files == {"a.py": MODIFIED, "new.md": ADDED, "c.toml": REMOVED}
    assert change.past == started.head()


def test_the_work_tree_holds_what_is_staged_what_is_not_and_new_files(started: Any) -> None:
    started.write("a.py", "a = 2\n")
    started.git("add", "a.py")
    started.write("b.rst", "other words\n")
    started.write("new.md", "new\n")
    started.write(".gitignore", "ignored.txt\n")
    started.write("ignored.txt", "ignored\n")
    found = in_work_tree(started.path).files
    assert found == {"a.py": MODIFIED, "b.rst": MODIFIED, "new.md": ADDED, ".gitignore": ADDED}


def test_no_filter_of_the_repository_is_run_to_compare(started: Any, tmp_path: Path) -> None:
    """What a filter would make of a file is not known: it counts as changed where its size is another one."""
    started.commit("Filter", {".gitattributes": "*.rst filter=trap\n"})
    for name in ("clean", "process"):
        started.git("config", f"filter.trap.{name}", f"touch {(tmp_path / 'ran').as_posix()}")
    started.write("b.rst", "WORDS\n")
    assert in_work_tree(started.path).files == {}
    started.write("b.rst", "other words\n")
    started.remove("c.toml")
    assert in_work_tree(started.path).files == {"b.rst": MODIFIED, "c.toml": REMOVED}
    assert not (tmp_path / "ran").exists()


def test_a_file_that_was_touched_but_not_changed_is_no_change(started: Any) -> None:
    (started.path / "a.py").write_text("a = 1\n", encoding="utf-8")
    assert not in_work_tree(started.path).files


def test_very_many_new_files_are_nobodys_change(started: Any) -> None:
    for number in range(100):
        started.write(f"data/{number}.txt", "data\n")
    started.write("a.py", "a = 2\n")
    assert in_work_tree(started.path).files == {"a.py": MODIFIED}


def test_a_file_that_only_moved_is_the_file_it_was(started: Any) -> None:
    started.rename("b.rst", "docs/b.rst")
    change = staged(started.path)
    assert change.files == {"docs/b.rst": MODIFIED}
    assert change.renames == {"docs/b.rst": "b.rst"}


def test_secrets_binaries_and_lock_files_are_counted_and_not_named(started: Any) -> None:
    for path in (".env", "poetry.lock", "logo.png", "vendor/lib.py", "app.min.js"):
        started.write(path, "content\n")
    started.git("add", "--all")
    change = staged(started.path)
    assert not change.files
    assert change.others == 5


def test_before_the_first_commit_everything_staged_is_new(make_repository: Made) -> None:
    repository = make_repository()
    repository.write("a.py", "a = 1\n")
    repository.git("add", "--all")
    change = staged(repository.path)
    assert change.files == {"a.py": ADDED}
    assert change.past is None


def test_what_a_branch_changed_is_told_from_where_it_left(started: Any) -> None:
    base = started.head()
    started.branch("feature")
    first = started.commit("One", {"a.py": "a = 2\n"}, author="Grace Hopper <grace@example.org>")
    started.commit("Two", {"b.rst": "two\n"}, author="Grace Hopper <grace@example.org>")
    started.checkout("main")
    started.commit("More", {"a.py": "a = 3\n"})
    started.commit("Elsewhere", {"c.toml": "c = 2\n"})
    with Repository.open(started.path) as repository:
        change = repository.between("main", "feature")
    assert change.files == {"a.py": MODIFIED, "b.rst": MODIFIED}
    assert change.past == base
    assert change.name == first
    assert change.author == author_key("Grace@Example.org")


def test_histories_without_a_common_commit_say_so_and_a_shallow_clone_what_to_fetch(
    started: Any, tmp_path: Path
) -> None:
    started.git("checkout", "--quiet", "--orphan", "other")
    started.commit("Another beginning", {"z.py": "z = 1\n"})
    with Repository.open(started.path) as repository, pytest.raises(RepositoryError, match="Choose a base") as told:
        repository.between("main", "other")
    assert "fetch" not in str(told.value)
    started.checkout("main")
    started.commit("More", {"a.py": "a = 3\n"})
    started.branch("side", "main~1")
    started.commit("Aside", {"y.py": "y = 1\n"})
    shallow = tmp_path / "shallow"
    started.git("clone", "--quiet", "--depth=1", "--no-single-branch", f"file://{started.path}", str(shallow))
    with Repository.open(shallow) as repository, pytest.raises(RepositoryError, match="fetch-depth: 0"):
        repository.between("origin/main", "origin/side")


def test_who_commits_is_told_by_the_repository_and_not_by_the_last_commit(
    started: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GIT_AUTHOR_EMAIL", raising=False)
    started.git("config", "user.email", "grace@example.org")
    assert staged(started.path).author == author_key("grace@example.org")


def test_a_hook_of_git_is_told_by_its_own_index(started: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`git commit -a` keeps what it is about to commit in an index of its own until the hook has agreed."""
    hook = started.path / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text('#!/bin/sh\ncp "$GIT_INDEX_FILE" .git/of-the-hook\n', encoding="utf-8")
    hook.chmod(0o755)
    started.write("b.rst", "changed\n")
    started.git("-c", "user.email=ada@example.org", "-c", "user.name=Ada", "commit", "-qam", "With a hook")
    started.git("reset", "--quiet", "--mixed", "HEAD~1")
    monkeypatch.setenv("GIT_INDEX_FILE", ".git/of-the-hook")
    assert staged(started.path).files == {"b.rst": MODIFIED}


def test_an_index_outside_the_git_folder_is_not_read(
    started: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "index").write_bytes((started.path / ".git" / "index").read_bytes())
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    started.write("a.py", "a = 2\n")
    started.git("add", "a.py")
    assert staged(started.path).files == {"a.py": MODIFIED}

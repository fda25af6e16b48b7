"""An index and what was dismissed belong to a repository: to all its clones and worktrees, wherever they lie."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from codewm_lsp.history import Repository
from codewm_lsp.index import Dismissal, Index, Scope, update

Make = Callable[..., Any]
NOBODY = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")


def clone(builder: Any, place: Path, *options: str) -> Path:
    builder.git("clone", "--quiet", *options, builder.path.as_uri(), str(place))
    return place


def test_a_repository_that_is_moved_keeps_its_index_and_what_was_dismissed(
    make_history: Make, open_repository: Make, open_index: Make, encoder: Any, tmp_path: Path
) -> None:
    builder = make_history(6)
    repository = open_repository(builder.path)
    hint = Dismissal(Scope.HINT, "next:client_0.py::Client.get")
    with open_index(repository) as index:
        update(repository, encoder, index.log)
        index.dismissals.add(hint)
    moved = builder.path.rename(tmp_path / "elsewhere")
    again = open_repository(moved)
    later = open_index(again)
    assert later.path == index.path
    assert later.log.known() == set(again.ancestors())
    assert later.dismissals.all() == {hint}


def test_clones_forks_and_worktrees_share_a_key_and_others_do_not(
    make_history: Make, make_repository: Make, open_repository: Make, tmp_path: Path
) -> None:
    builder = make_history(4)
    key = open_repository(builder.path).key
    fork = clone(builder, tmp_path / "fork")
    builder.git(*NOBODY, "-C", str(fork), "commit", "--quiet", "--allow-empty", "-m", "Of the fork")
    assert open_repository(fork).key == key
    assert open_repository(clone(builder, tmp_path / "bare.git", "--bare")).key == key
    builder.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "worktree"), "HEAD~2")
    assert open_repository(tmp_path / "worktree").key == key

    other = make_repository("other")
    other.commit("Another beginning", {"a.py": "def f():\n    return 1\n"})
    assert open_repository(other.path).key != key
    before = open_repository(builder.path)
    builder.git("fetch", "--quiet", str(other.path), "HEAD")
    builder.git(*NOBODY, "merge", "--quiet", "--allow-unrelated-histories", "-m", "Take in another", "FETCH_HEAD")
    assert before.key == open_repository(builder.path).key == key
    shutil.rmtree(builder.path)  # another repository in its place is another one
    other.path.rename(builder.path)
    assert open_repository(builder.path).key != key


def test_the_first_commit_gives_a_repository_its_key(make_repository: Make, open_repository: Make) -> None:
    builder = make_repository()
    repository = open_repository(builder.path)
    assert repository.key == repository.path_key
    builder.commit("One", {"a.py": "def f():\n    return 1\n"})
    first = repository.key
    assert first != repository.path_key
    builder.commit("Two", {"a.py": "def f():\n    return 2\n"})
    assert repository.key == open_repository(builder.path).key == first


def test_a_shallow_clone_that_is_moved_or_deepened_keeps_what_was_dismissed(
    make_history: Make, open_repository: Make, open_index: Make, encoder: Any, tmp_path: Path
) -> None:
    builder = make_history(8)
    shallow = clone(builder, tmp_path / "shallow", "--depth=3")
    hint = Dismissal(Scope.HINT, "next:client_0.py::Client.get")
    with open_repository(shallow) as repository, open_index(repository) as index:
        update(repository, encoder, index.log)
        index.dismissals.add(hint)
    shallow = shallow.rename(tmp_path / "moved")
    with open_repository(shallow) as repository, open_index(repository) as index:
        assert index.dismissals.all() == {hint}
        assert index.log.known() >= set(repository.ancestors(limit=2))
    builder.git("-C", str(shallow), "fetch", "--quiet", "--unshallow")
    repository = open_repository(shallow)
    assert repository.key == open_repository(builder.path).key
    index = open_index(repository)
    assert index.dismissals.all() == {hint}
    index.dismissals.remove(hint)
    assert open_index(repository).dismissals.all() == frozenset()


def by_path(repository: Repository, cache: Path, indexing: Any) -> Index:
    """The index that an earlier version made, which knew a repository by its path."""
    return Index.open(repository.path_key, indexing.MODEL_HASH, folder=cache, edit_size=indexing.EDIT_SIZE)


def test_what_an_earlier_version_kept_by_the_path_is_taken_over(
    make_history: Make, open_repository: Make, open_index: Make, encoder: Any, indexing: Any, tmp_path: Path
) -> None:
    builder = make_history(6)
    repository = open_repository(builder.path)
    edit = Dismissal(Scope.COMMIT, repository.head())
    with by_path(repository, tmp_path / "cache", indexing) as old:
        update(repository, encoder, old.log)
        old.dismissals.add(edit)
        size = old.log.size()
    index = open_index(repository)
    assert index.notices == []
    assert index.log.size() == size
    assert index.log.settled() == (repository.head(), 6)
    assert index.dismissals.all() == {edit}
    assert {folder.name for folder in (tmp_path / "cache").iterdir()} == {repository.key}


def test_what_was_dismissed_in_each_of_two_clones_stays_so_in_both(
    make_history: Make, open_repository: Make, open_index: Make, indexing: Any, tmp_path: Path
) -> None:
    builder = make_history(3)
    one, two = open_repository(builder.path), open_repository(clone(builder, tmp_path / "two"))
    hints = [Dismissal(Scope.HINT, f"next:client_{number}.py::Client.get") for number in range(2)]
    for repository, hint in zip((one, two), hints, strict=True):
        with by_path(repository, tmp_path / "cache", indexing) as old:
            old.dismissals.add(hint)
    assert open_index(one).dismissals.all() == {hints[0]}
    index = open_index(two)
    assert index.dismissals.all() == set(hints)
    index.dismissals.remove(hints[1])
    assert open_index(two).dismissals.all() == open_index(one).dismissals.all() == {hints[0]}

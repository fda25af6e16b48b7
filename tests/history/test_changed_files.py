"""Which files of any kind each commit changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from codewm_lsp.history import Repository
from codewm_lsp.history.changed_files import MOST_FILES, FileEvent, FileTouch, author_key
from codewm_lsp.history.every_file import is_by_hand

Made = Callable[..., Any]


def test_files_of_any_kind_are_told_newest_commit_first(make_repository: Made) -> None:
    repository = make_repository()
    repository.commit("Start", {"a.py": "a = 1\n", "docs/a.rst": "a\n"})
    second = repository.commit("More", {"docs/a.rst": "b\n", "ci.yml": "on: push\n"})
    repository.remove("a.py")
    repository.commit("Less")
    with Repository.open(repository.path) as opened:
        found = opened.changed_files()
    assert [{file.path: file.event for file in one.files} for one in found] == [
        {"a.py": FileEvent.REMOVED},
        {"ci.yml": FileEvent.ADDED, "docs/a.rst": FileEvent.MODIFIED},
        {"a.py": FileEvent.ADDED, "docs/a.rst": FileEvent.ADDED},
    ]
    assert found[1].sha == second
    assert {one.author for one in found} == {author_key("ada@example.org")}


def test_an_author_is_not_told_by_what_stands_for_them() -> None:
    assert author_key("Ada@Example.org ") == author_key("ada@example.org") != author_key("grace@example.org")
    assert "ada" not in author_key("ada@example.org")


def test_a_file_that_only_moved_keeps_its_past(make_repository: Made) -> None:
    repository = make_repository()
    repository.commit("Start", {"old.rst": "words\n" * 9})
    repository.rename("old.rst", "docs/new.rst")
    repository.commit("Move")
    with Repository.open(repository.path) as opened:
        newest = opened.changed_files()[0]
    assert newest.files == (FileTouch("docs/new.rst", FileEvent.MODIFIED, "old.rst"),)
    assert newest.renames == (("old.rst", "docs/new.rst"),)


def test_a_commit_of_very_many_files_says_nothing_but_what_moved(make_repository: Made) -> None:
    repository = make_repository()
    repository.commit("Start", {f"a/{n}.txt": f"{n}\n" for n in range(MOST_FILES + 1)})
    for number in range(MOST_FILES + 1):
        repository.rename(f"a/{number}.txt", f"b/{number}.txt")
    repository.commit("Move all")
    with Repository.open(repository.path) as opened:
        newest, first = opened.changed_files()
    assert newest.files == first.files == ()
    assert ("a/3.txt", "b/3.txt") in newest.renames


def test_merges_are_left_out(make_repository: Made) -> None:
    repository = make_repository()
    repository.commit("Start", {"a.txt": "a\n"})
    repository.branch("feature")
    repository.commit("Feature", {"b.txt": "b\n"})
    repository.checkout("main")
    repository.commit("Main", {"c.txt": "c\n"})
    merge = repository.merge("feature")
    with Repository.open(repository.path) as opened:
        assert merge not in {one.sha for one in opened.changed_files()}
        assert len(opened.changed_files()) == 3


def test_where_a_shallow_clone_ends_all_files_look_new_and_are_left_out(make_repository: Made, tmp_path: Any) -> None:
    repository = make_repository()
    for number in range(5):
        repository.commit(f"Change {number}", {"a.txt": f"{number}\n", "b.txt": "same\n"})
    repository.git("clone", "--quiet", "--depth=3", f"file://{repository.path}", str(tmp_path / "shallow"))
    with Repository.open(tmp_path / "shallow") as opened:
        found = opened.changed_files()
    assert [[file.path for file in one.files] for one in found] == [["a.txt"], ["a.txt"]]


@pytest.mark.parametrize(
    "path",
    ["a.py", "docs/index.rst", "CHANGES.md", ".github/workflows/ci.yml", "pyproject.toml", "src/app.ts", "Makefile"],
)
def test_what_a_person_changes(path: str) -> None:
    assert is_by_hand(path)


@pytest.mark.parametrize(
    "path",
    [
        *(".env", "keys/id_rsa", "server.pem", "config/secrets.yaml", ".netrc"),
        *("poetry.lock", "uv.lock", "package-lock.json", "pnpm-lock.yaml", "go.sum"),
        *("static/app.min.js", "static/app.js.map", "proto/a_pb2.py", "x.egg-info/PKG-INFO"),
        *("node_modules/a/index.js", "src/pip/_vendor/six.py", "third_party/a.c"),
        *("logo.png", "data.npz", "fonts/a.woff2", "locale/de.mo"),
    ],
)
def test_secrets_binaries_and_what_programs_and_others_write_are_no_persons_work(path: str) -> None:
    assert not is_by_hand(path)

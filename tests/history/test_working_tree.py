"""The working tree's own edits, against HEAD."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from codewm_lsp.history import Edit, EditKind, Repository
from tests.conftest import RepositoryBuilder

MakeRepository = Callable[..., RepositoryBuilder]

ONE = "def one():\n    return 1\n"
TWO = "def two():\n    return 2\n"
MANY = "".join(f"def f{number}():\n    return {number}\n\n\n" for number in range(12))


def edits(built: RepositoryBuilder, **unsaved: str) -> list[tuple[str, str, str]]:
    with Repository.open(built.path) as repository:
        return shown(repository.working_edits({name.replace("_py", ".py"): text for name, text in unsaved.items()}))


def shown(found: tuple[Edit, ...]) -> list[tuple[str, str, str]]:
    assert all(edit.commit is None for edit in found)
    by_path = sorted(found, key=lambda edit: edit.path)
    return [(edit.path, edit.definition, edit.kind.value) for edit in by_path]


@pytest.fixture
def built(make_repository: MakeRepository) -> RepositoryBuilder:
    repository = make_repository()
    repository.commit(
        "Begin", {"a.py": ONE, "package/b.py": TWO, "notes.txt": "x", ".gitignore": "ignored.py\nbuild/\n"}
    )
    return repository


def test_nothing_changed_nothing_said(built: RepositoryBuilder) -> None:
    assert edits(built) == []
    os.utime(built.path / "a.py", (1, 1))
    built.write("notes.txt", "y")
    assert edits(built) == []


def test_unstaged_staged_and_untracked_files(built: RepositoryBuilder) -> None:
    built.write("a.py", ONE.replace("1", "11"))
    built.write("package/b.py", TWO.replace("2", "22"))
    built.git("add", "package/b.py")
    built.write("new.py", "def three(): pass\n")
    built.write("staged.py", "def four(): pass\n")
    built.git("add", "staged.py")
    built.write("ignored.py", ONE)
    built.write("build/x.py", ONE)
    assert edits(built) == [
        ("a.py", "one", "modified"),
        ("new.py", "three", "added"),
        ("package/b.py", "two", "modified"),
        ("staged.py", "four", "added"),
    ]


def test_what_is_in_the_file_counts_over_what_is_staged(built: RepositoryBuilder) -> None:
    built.write("a.py", ONE.replace("1", "staged"))
    built.git("add", "a.py")
    built.write("a.py", ONE.replace("1", "unstaged"))
    with Repository.open(built.path) as repository:
        (edit,) = repository.working_edits()
    assert "unstaged" in edit.after
    built.write("a.py", ONE)
    assert edits(built) == []


def test_unsaved_text_counts_over_the_file(built: RepositoryBuilder) -> None:
    built.write("a.py", ONE.replace("1", "saved"))
    with Repository.open(built.path) as repository:
        (edit,) = repository.working_edits({"a.py": ONE.replace("1", "unsaved").replace("\n", "\r\n")})
        assert edit.after == "def one():\n    return unsaved"
        assert repository.working_edits({"a.py": "\ufeff" + ONE}) == ()
        assert shown(repository.working_edits({"brand/new.py": TWO, "a.py": ONE, "x.txt": ONE})) == [
            ("brand/new.py", "two", "added")
        ]
        assert shown(repository.working_edits({"a.py": ""})) == [("a.py", "one", "removed")]


def test_deleted_files(built: RepositoryBuilder) -> None:
    built.remove("a.py")
    built.git("rm", "--quiet", "package/b.py")
    assert edits(built) == [("a.py", "one", "removed"), ("package/b.py", "two", "removed")]
    assert edits(built, a_py=ONE) == [("package/b.py", "two", "removed")]


def test_a_file_taken_out_of_the_index_alone_is_no_edit(built: RepositoryBuilder) -> None:
    built.git("rm", "--quiet", "--cached", "a.py")
    assert edits(built) == []


def test_renamed_files_are_followed(built: RepositoryBuilder) -> None:
    built.commit("Many", {"many.py": MANY})
    built.git("mv", "many.py", "moved.py")
    assert edits(built) == []
    built.write("moved.py", MANY.replace("return 3", "return 33"))
    with Repository.open(built.path) as repository:
        (edit,) = repository.working_edits()
    assert (edit.path, edit.previous_path, edit.definition) == ("moved.py", "many.py", "f3")
    assert edit.kind is EditKind.MODIFIED
    built.git("reset", "--quiet")
    assert edits(built) == [("moved.py", "f3", "modified")]


def test_files_that_only_moved_are_no_edit_and_are_named_by_what_they_were(built: RepositoryBuilder) -> None:
    built.commit("Many", {f"old/m{number}.py": ONE.replace("1", str(number)) for number in range(60)})
    blob = built.git("rev-parse", "HEAD:old/m7.py")
    (built.path / "old").rename(built.path / "new")
    for _ in range(2):
        with Repository.open(built.path) as repository:
            for _ in range(2):
                edits, texts, moved = repository.working({"new/m5.py": ONE.replace("1", "five")})
                assert len(moved) == 59
                assert moved["new/m7.py"] == blob
                assert sum(text is None for text in texts.values()) == 60
                assert [path for path, text in texts.items() if text is not None] == ["new/m5.py"]
                assert [(edit.path, edit.previous_path, edit.kind.value) for edit in edits] == [
                    ("new/m5.py", "old/m5.py", "modified")
                ]
        built.git("add", "--all")


def test_a_change_is_seen_whenever_it_comes(built: RepositoryBuilder) -> None:
    with Repository.open(built.path) as repository:
        for text in ("1", "2", "1", "3", "4", "1"):
            built.write("a.py", ONE.replace("1", text))
            assert bool(repository.working_edits()) is (text != "1"), text
        built.commit("Next", {"a.py": ONE.replace("1", "5")})
        assert repository.working_edits() == ()
        built.git("reset", "--quiet", "--soft", "HEAD~")
        assert shown(repository.working_edits()) == [("a.py", "one", "modified")]


def test_an_old_file_is_not_read_twice_yet_its_next_change_is_seen(built: RepositoryBuilder) -> None:
    os.utime(built.path / "a.py", (1_600_000_000, 1_600_000_000))
    with Repository.open(built.path) as repository:
        assert repository.working_edits() == ()
        assert repository.working_edits() == ()
        built.write("a.py", ONE.replace("1", "7"))
        assert shown(repository.working_edits()) == [("a.py", "one", "modified")]


def test_a_checkout_with_windows_line_ends_is_unchanged(make_repository: MakeRepository) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE})
    built.write("a.py", ONE.replace("\n", "\r\n"))
    assert edits(built) == []


def test_files_outside_a_sparse_checkout_are_not_removed(built: RepositoryBuilder) -> None:
    built.git("sparse-checkout", "set", "--no-cone", "a.py")
    assert not (built.path / "package").exists()
    assert edits(built) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither such names nor free links")
def test_links_pipes_and_odd_names(built: RepositoryBuilder, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "b.py").write_text("def outside(): pass\n")
    built.commit("Odd", {"two\nlines.py": ONE, "with space.py": ONE, 'q".py': ONE})
    built.write("two\nlines.py", TWO)
    built.write("with space.py", ONE.replace("1", "3"))
    os.mkfifo(built.path / "pipe.py")
    (built.path / "link.py").symlink_to(outside / "b.py")
    (built.path / "loop.py").symlink_to("loop.py")
    built.remove("package/b.py")
    (built.path / "package").rmdir()
    (built.path / "package").symlink_to(outside, target_is_directory=True)
    with open(os.fsencode(built.path) + b"/not-utf8-\xff.py", "wb") as stream:
        stream.write(ONE.encode())
    assert edits(built) == [
        ("package/b.py", "two", "removed"),
        ("two\nlines.py", "two", "added"),
        ("two\nlines.py", "one", "removed"),
        ("with space.py", "one", "modified"),
    ]


def test_files_that_cannot_be_compared_are_left_alone(built: RepositoryBuilder) -> None:
    built.write("a.py", "#" * ((1 << 20) + 1))
    built.write("package/b.py", b"\0\0")
    built.write("new.py", b"\0")
    (built.path / "folder.py").mkdir()
    assert edits(built) == []
    assert edits(built, a_py="#" * ((1 << 20) + 1), new_py="def f(): '\0'\n") == []


def test_the_index_may_be_missing(built: RepositoryBuilder) -> None:
    (built.path / ".git" / "index").unlink()
    assert edits(built) == []
    built.write("a.py", TWO)
    assert ("a.py", "two", "added") in edits(built)


def test_a_merge_in_progress(make_repository: MakeRepository) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE})
    built.branch("side")
    built.commit("Side", {"a.py": ONE.replace("1", "2")})
    built.checkout("main")
    built.commit("Main", {"a.py": ONE.replace("1", "3")})
    with pytest.raises(AssertionError):
        built.merge("side")
    assert "<<<<<<<" in (built.path / "a.py").read_text()
    assert edits(built) == [], "the own side of the conflict is what HEAD has"
    built.write("a.py", (built.path / "a.py").read_text().replace("3", "4"))
    assert ("a.py", "one", "modified") in edits(built)

"""What Git calls clean is clean, and no filter is run to find that out."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from codewm_lsp.history import Repository
from tests.conftest import RepositoryBuilder

MakeRepository = Callable[..., RepositoryBuilder]

ONE = "def one():\n    return 1\n"
KEYWORD = f'__version__ = "$Id$"\n\n\n{ONE}'


@pytest.fixture
def built(make_repository: MakeRepository) -> RepositoryBuilder:
    repository = make_repository()
    repository.commit("Begin", {"a.py": ONE, "b.py": ONE})
    return repository


def check_out_again(built: RepositoryBuilder, *paths: str) -> None:
    """Have Git write the files anew, with whatever it converts."""
    for path in paths:
        built.remove(path)
    built.git("checkout", "--quiet", "--", *paths)


def edited(built: RepositoryBuilder, unsaved: dict[str, str] | None = None) -> list[tuple[str, str]]:
    with Repository.open(built.path) as repository:
        once = repository.working_edits(unsaved)
        assert repository.working_edits(unsaved) == once
        return sorted((edit.path, edit.definition) for edit in once)


def age(built: RepositoryBuilder, *paths: str) -> None:
    """Make files and index so old that what Git knows of them is beyond doubt."""
    for path in paths:
        os.utime(built.path / path, (1_600_000_000, 1_600_000_000))
    built.git("update-index", "--refresh", "--really-refresh", "-q")


def test_a_keyword_that_git_writes_is_no_edit(built: RepositoryBuilder) -> None:
    built.commit("Version", {".gitattributes": "*.py ident\n", "v.py": KEYWORD})
    check_out_again(built, "v.py")
    text = (built.path / "v.py").read_text()
    assert "$Id: " in text
    assert edited(built) == edited(built, {"v.py": text}) == []
    os.utime(built.path / "v.py", (1, 1))
    assert edited(built) == edited(built, {"v.py": text}) == []
    built.write("v.py", text.replace("return 1", "return 2"))
    assert edited(built) == edited(built, {"v.py": text.replace("return 1", "return 3")}) == [("v.py", "one")]


def test_an_encoding_that_git_writes_is_no_edit(built: RepositoryBuilder) -> None:
    text = ONE.replace("1", "'é'")
    built.write(".gitattributes", "w.py working-tree-encoding=UTF-16\nl.py working-tree-encoding=latin-1\n")
    built.write("w.py", text.encode("utf-16"))
    built.write("l.py", text.encode("latin-1"))
    built.commit("Write it")
    check_out_again(built, "w.py", "l.py")
    assert edited(built) == edited(built, {"w.py": text, "l.py": text}) == []
    for path in ("w.py", "l.py"):
        os.utime(built.path / path, (1, 1))
    assert edited(built) == edited(built, {"w.py": text, "l.py": text}) == []
    built.write("w.py", text.replace("é", "ö").encode("utf-16"))
    built.write("l.py", text.replace("é", "ö").encode("latin-1"))
    assert edited(built) == [("l.py", "one"), ("w.py", "one")]


@pytest.mark.parametrize("attributes", ["* text=auto eol=crlf\n", "* text eol=lf\n", "* -text\n"])
@pytest.mark.parametrize("setting", ["true", "input", "false"])
def test_line_ends_that_git_writes_are_no_edit(built: RepositoryBuilder, attributes: str, setting: str) -> None:
    built.write(".gitattributes", attributes)
    built.git("config", "core.autocrlf", setting)
    built.commit("Line ends")
    check_out_again(built, "a.py", "b.py")
    assert edited(built) == edited(built, {"a.py": ONE, "b.py": ONE.replace("\n", "\r\n")}) == []
    os.utime(built.path / "a.py", (1, 1))
    assert edited(built) == []


@pytest.fixture
def filtered(built: RepositoryBuilder, tmp_path: Path) -> RepositoryBuilder:
    """``f.py`` says ``SECRET`` on disk and ``PLACEHOLDER`` in HEAD, by a filter that leaves a trace when it runs."""
    if sys.platform == "win32":
        pytest.skip("the filter is a shell script")
    for name, words in {"clean": "SECRET/PLACEHOLDER", "smudge": "PLACEHOLDER/SECRET"}.items():
        script = tmp_path / name
        script.write_text(f"#!/bin/sh\ntouch {tmp_path}/it-ran\nsed s/{words}/\n")
        script.chmod(0o755)
        built.git("config", f"filter.hide.{name}", str(script))
    built.commit("Hide it", {".gitattributes": "f.py filter=hide\n", "f.py": ONE.replace("1", "SECRET")})
    check_out_again(built, "f.py")
    age(built, "f.py")
    assert "PLACEHOLDER" in built.git("show", "HEAD:f.py")
    (tmp_path / "it-ran").unlink()
    return built


def test_what_a_filter_makes_is_no_edit_and_it_is_not_run(filtered: RepositoryBuilder, tmp_path: Path) -> None:
    text = (filtered.path / "f.py").read_text()
    assert "SECRET" in text
    assert edited(filtered) == edited(filtered, {"f.py": text}) == []
    assert edited(filtered, {"f.py": text + "\n\ndef more():\n    return 2\n"}) == [("f.py", "more")]
    os.utime(filtered.path / "f.py", (1, 1))
    assert edited(filtered) == []
    filtered.write("f.py", text + "\n\ndef more():\n    return 2\n")
    assert ("f.py", "more") in edited(filtered)
    assert not (tmp_path / "it-ran").exists()


def test_an_edit_of_a_filtered_file_is_told_exactly_by_who_saw_it_clean(filtered: RepositoryBuilder) -> None:
    text = (filtered.path / "f.py").read_text()
    more = text + "\n\ndef more():\n    return 2\n"
    with Repository.open(filtered.path) as repository:
        assert repository.working_edits({"f.py": text}) == ()
        assert [edit.definition for edit in repository.working_edits({"f.py": more})] == ["more"]
        filtered.write("f.py", more)
        assert [edit.definition for edit in repository.working_edits({"f.py": more})] == ["more"]
        assert [edit.definition for edit in repository.working_edits()] == ["more"]
        filtered.write("f.py", text.replace("SECRET", "HIDDEN"))
        assert [edit.definition for edit in repository.working_edits()] == ["one"]


def test_a_file_that_lies_elsewhere_is_not_compared_with_what_points_to_it(built: RepositoryBuilder) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n"
    built.commit("Point", {"large.py": pointer})
    built.write(".git/info/attributes", "large.py filter=lfs\n")
    built.write("large.py", ONE * 3)
    assert edited(built) == []


def test_flags_of_the_index_do_not_hide_an_edit_nor_make_one(built: RepositoryBuilder) -> None:
    for flag in ("assume-unchanged", "skip-worktree"):
        built.git("update-index", f"--{flag}", "a.py", "b.py")
        built.write("a.py", ONE.replace("1", "2"))
        assert edited(built) == [("a.py", "one")]
        built.remove("b.py")
        assert edited(built) == [("a.py", "one")], "what Git was told not to look for is not gone"
        built.write("a.py", ONE)
        built.write("b.py", ONE)
        built.git("update-index", f"--no-{flag}", "a.py", "b.py")
    built.write("n.py", ONE)
    built.git("add", "--intent-to-add", "n.py")
    assert edited(built) == [("n.py", "one")]


def test_a_file_as_the_index_knows_it_is_not_read(built: RepositoryBuilder) -> None:
    """Where ``a.py`` has another content than in HEAD and yet the state that Git has found it in, Git is believed."""
    if sys.platform == "win32":
        pytest.skip("there Git knows less of a file")
    os.utime(built.path / "b.py", (1_600_000_000, 1_600_000_000))
    status = (built.path / "a.py").stat()
    age(built, "b.py")
    with open(built.path / "a.py", "r+b") as stream:
        stream.write(ONE.replace("1", "2").encode())
    os.utime(built.path / "a.py", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert edited(built) == [("a.py", "one")], "its time of change gives it away"


def test_an_index_just_written_is_not_believed(built: RepositoryBuilder) -> None:
    for number in range(30):
        built.write("a.py", ONE.replace("1", str(number % 10)))
        built.git("add", "a.py")
        built.write("a.py", ONE.replace("1", "x"))
        assert edited(built) == [("a.py", "one")]


@pytest.mark.parametrize("version", ["2", "3", "4"])
def test_every_version_of_the_index_is_read(built: RepositoryBuilder, version: str) -> None:
    built.git("update-index", "--index-version", version)
    age(built, "a.py", "b.py")
    assert edited(built) == []
    built.write("b.py", ONE.replace("1", "2"))
    assert edited(built) == [("b.py", "one")]
    built.git("update-index", "--split-index")
    assert edited(built) == [("b.py", "one")]


def test_a_git_that_words_the_state_of_files_otherwise_will_do(
    built: RepositoryBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    import re

    monkeypatch.setattr("codewm_lsp.history.listing._ENTRY", re.compile(rb"another wording"))
    age(built, "a.py", "b.py")
    built.write("b.py", ONE.replace("1", "2"))
    built.write("new.py", ONE)
    assert edited(built) == [("b.py", "one"), ("new.py", "one")]

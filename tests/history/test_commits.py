"""Commits of a real repository → their edits."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import pytest

from codewm_lsp.errors import RepositoryError
from codewm_lsp.history import CommitEdits, EditKind, Repository
from tests.conftest import RepositoryBuilder

MakeRepository = Callable[..., RepositoryBuilder]

ONE = "def one():\n    return 1\n"
TWO = "\n\ndef two():\n    return 2\n"


def summary(commit: CommitEdits) -> list[tuple[str, str, str]]:
    return [(edit.path, edit.definition, edit.kind.value) for edit in commit.edits]


def test_commits_come_newest_first_with_author_date_and_subject(make_repository: MakeRepository) -> None:
    built = make_repository()
    first = built.commit("Begin", {"a.py": ONE}, author="Ada <ada@example.org>", date=1_600_000_000)
    second = built.commit("Add two\n\nBecause.", {"a.py": ONE + TWO}, author="Béla <b@example.org>", date=1_600_000_500)
    with Repository.open(built.path) as repository:
        newest, oldest = repository.commits()
    assert (newest.commit.sha, newest.commit.author, newest.commit.date) == (second, "Béla", 1_600_000_500)
    assert (newest.commit.subject, newest.commit.parent) == ("Add two", first)
    assert (oldest.commit.sha, oldest.commit.parent) == (first, None)
    assert summary(newest) == [("a.py", "two", "added")]
    assert newest.edits[0].commit == newest.commit
    assert newest.edits[0].line == 4
    assert summary(oldest) == [("a.py", "one", "added")]


def test_a_commit_asked_for_by_itself_is_the_same(make_repository: MakeRepository) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE})
    built.commit("Two", {"a.py": ONE + TWO, "b.py": TWO})
    with Repository.open(built.path) as repository:
        for commit in repository.commits():
            assert repository.edits_of(commit.commit.sha) == commit
        assert repository.edits_of("HEAD") == next(repository.commits())
        with pytest.raises(RepositoryError, match="0000"):
            repository.edits_of("0" * 40)


def test_an_edit_of_a_commit_is_found_by_its_path_and_definition(make_repository: MakeRepository) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE + TWO, "b.py": TWO})
    with Repository.open(built.path) as repository:
        commit = repository.edits_of("HEAD")
    assert [commit.edit_of(edit.path, edit.definition) for edit in commit.edits] == list(commit.edits)
    assert commit.edit_of("b.py", "one") is None


def test_one_edit_of_a_commit_is_read_from_its_own_file_alone(make_repository: MakeRepository) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE + TWO, "b.py": TWO, "c.py": ONE * 20 + TWO})
    built.rename("c.py", "d.py")
    changed = {"a.py": ONE, "b.py": TWO.replace("2", "3"), "d.py": ONE * 20 + TWO.replace("2", "4")}
    sha = built.commit("Change", changed)
    with Repository.open(built.path) as repository:
        edits = repository.edits_of(sha).edits
    assert {edit.path for edit in edits} == {"a.py", "b.py", "d.py"}
    for edit in edits:
        with Repository.open(built.path) as repository:
            assert repository.edit_of(sha, edit.path, edit.definition) == edit
            assert repository.edit_of(sha, edit.path, "nothing") is None
    blob = built.git("rev-parse", f"{sha}:b.py")
    (built.path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with Repository.open(built.path) as repository:
        assert repository.edits_of(sha).skipped == "missing"
        assert repository.edit_of(sha, "a.py", "two") is not None


def test_merges_and_bulk_commits_are_skipped_and_said(make_repository: MakeRepository) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE})
    built.branch("side")
    built.commit("On the side", {"b.py": TWO})
    built.checkout("main")
    built.commit("Many", {f"m{number}.py": ONE for number in range(4)})
    built.merge("side")
    with Repository.open(built.path) as repository:
        skipped = {commit.commit.subject: commit.skipped for commit in repository.commits(max_files=3)}
        assert skipped == {"Merge": "merge", "Many": "bulk", "On the side": None, "Begin": None}
        assert all(not commit.edits for commit in repository.commits(max_files=3) if commit.skipped)
        assert {commit.skipped for commit in repository.commits(max_files=4)} == {"merge", None}


def test_files_that_are_not_python_do_not_count_as_bulk(make_repository: MakeRepository) -> None:
    built = make_repository()
    built.commit("Texts", {**{f"t{number}.txt": "x" for number in range(40)}, "a.py": ONE})
    with Repository.open(built.path) as repository:
        (commit,) = repository.commits()
    assert summary(commit) == [("a.py", "one", "added")]


def test_known_commits_are_passed_over_and_the_limit_counts_all(make_repository: MakeRepository) -> None:
    built = make_repository()
    shas = [built.commit(f"c{number}", {"a.py": ONE.replace("1", str(number))}) for number in range(60)][::-1]
    with Repository.open(built.path) as repository:
        assert [commit.commit.sha for commit in repository.commits()] == shas
        assert [commit.commit.sha for commit in repository.commits(limit=5)] == shas[:5]
        assert [commit.commit.sha for commit in repository.commits(skip=set(shas[:50]))] == shas[50:]
        assert [commit.commit.sha for commit in repository.commits(limit=51, skip=set(shas[:50]))] == [shas[50]]
        assert repository.ancestors() == shas
        assert repository.ancestors("HEAD~3", 2) == shas[3:5]
        assert [commit.commit.sha for commit in repository.commits("HEAD~58")] == shas[58:]


def test_a_stream_left_early_leaves_the_repository_usable(make_repository: MakeRepository) -> None:
    built = make_repository()
    for number in range(30):
        built.commit(f"c{number}", {"a.py": ONE.replace("1", str(number))})
    with Repository.open(built.path) as repository:
        stream = repository.commits()
        next(stream)
        other = repository.commits()
        assert next(other) == repository.edits_of("HEAD")
        del stream, other
        assert len(list(repository.commits())) == 30
        repository.close()
        assert len(list(repository.commits())) == 30


def test_a_renamed_file_is_followed(make_repository: MakeRepository) -> None:
    built = make_repository()
    text = "".join(f"def f{number}():\n    return {number}\n\n\n" for number in range(12))
    built.commit("Begin", {"old.py": text})
    built.rename("old.py", "package/new.py")
    built.commit("Move and change", {"package/new.py": text.replace("return 3", "return 33")})
    built.rename("package/new.py", "newest.py")
    built.commit("Move only")
    with Repository.open(built.path) as repository:
        moved, changed, _ = repository.commits()
    assert (moved.edits, moved.renames) == ((), (("package/new.py", "newest.py"),))
    assert changed.renames == (("old.py", "package/new.py"),)
    (edit,) = changed.edits
    assert (edit.path, edit.previous_path, edit.definition) == ("package/new.py", "old.py", "f3")
    assert edit.kind is EditKind.MODIFIED


def test_a_deleted_file_removes_its_definitions(make_repository: MakeRepository) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE, "b.py": TWO})
    built.remove("b.py")
    built.commit("Less")
    with Repository.open(built.path) as repository:
        commit = next(repository.commits())
    assert summary(commit) == [("b.py", "two", "removed")]
    assert commit.edits[0].after == ""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such file names")
def test_odd_file_names_and_encodings(make_repository: MakeRepository) -> None:
    built = make_repository()
    names = ["with space.py", "two\nlines.py", 'quote".py', "tab\t.py", "-rf.py", "ünï.py", ":(glob)x.py", "end\n"]
    built.commit("Odd", dict.fromkeys(names, ONE))
    with open(os.fsencode(built.path) + b"/latin\xe9.py", "wb") as stream:
        stream.write(ONE.encode())
    built.commit("Not UTF-8")
    built.commit("Latin-1", {"l.py": b"# coding: latin-1\ndef caf\xe9():\n    return '\xe4'\n"})
    built.commit("No cookie", {"n.py": b"def f():\n    return '\xe4\xff'\n"})
    with Repository.open(built.path) as repository:
        no_cookie, latin, not_utf8, odd = repository.commits()
        assert sorted(edit.path for edit in odd.edits) == sorted(names[:-1])
        assert summary(not_utf8) == [("latin\\xe9.py", "one", "added")]
        not_utf8.edits[0].path.encode("utf-8")
        assert [edit.definition for edit in latin.edits if edit.definition != "<module>"] == ["café"]
        assert "'ä'" in latin.edits[-1].after
        assert "äÿ" in no_cookie.edits[0].after
        assert len(repository.files()) == 10
        assert repository.working_edits() == ()


def test_line_ends_are_no_change(make_repository: MakeRepository) -> None:
    built = make_repository()
    built.commit("Unix", {"a.py": ONE})
    built.commit("Windows", {"a.py": ONE.replace("\n", "\r\n").encode()})
    with Repository.open(built.path) as repository:
        assert next(repository.commits()).edits == ()


def test_links_submodules_and_other_files_are_left_out(make_repository: MakeRepository) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE, "a.txt": ONE, "a.pyi": ONE, "a.pyc": b"\0"})
    link = built.git("hash-object", "-w", "--stdin", stdin=b"a.py")
    built.git("update-index", "--add", "--cacheinfo", f"120000,{link},link.py")
    built.git("update-index", "--add", "--cacheinfo", f"160000,{built.head()},module.py")
    built.git(
        "commit",
        "--quiet",
        "--message",
        "Odd modes",
        GIT_COMMITTER_NAME="a",
        GIT_COMMITTER_EMAIL="a@example.org",
        GIT_AUTHOR_NAME="a",
        GIT_AUTHOR_EMAIL="a@example.org",
    )
    with Repository.open(built.path) as repository:
        odd, begin = repository.commits()
        assert odd.edits == ()
        assert {edit.path for edit in begin.edits} == {"a.py", "a.pyi"}
        assert set(repository.files()) == {"a.py", "a.pyi"}


def test_a_file_that_becomes_a_link_is_removed(make_repository: MakeRepository) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE, "b.py": TWO})
    link = built.git("hash-object", "-w", "--stdin", stdin=b"b.py")
    built.git("update-index", "--cacheinfo", f"120000,{link},a.py")
    built.git("-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--quiet", "--message", "Link")
    with Repository.open(built.path) as repository:
        assert summary(next(repository.commits())) == [("a.py", "one", "removed")]


def test_places_for_secrets_are_never_read(make_repository: MakeRepository) -> None:
    secret = {"secrets.py": ONE, "app/.env.py": ONE, ".ssh/config.py": ONE, "Credentials.py": ONE, "env.py": TWO}
    built = make_repository()
    built.commit("Begin", secret)
    with Repository.open(built.path) as repository:
        assert summary(next(repository.commits())) == [("env.py", "two", "added")]
        assert set(repository.files()) == {"env.py"}
        built.write("secrets.py", TWO)
        assert repository.working_edits({"app/.env.py": TWO}) == ()


def test_texts_that_are_too_large_or_binary_are_passed_over(make_repository: MakeRepository) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE, "large.py": ONE, "binary.py": ONE})
    large = ONE + "#" * (1 << 20)
    built.commit("Grow", {"a.py": ONE + TWO, "large.py": large, "binary.py": b"def one():\n    '\0'\n"})
    with Repository.open(built.path) as repository:
        assert summary(next(repository.commits())) == [("a.py", "two", "added")]
        files = repository.files()
        assert repository.read(files["a.py"]) == ONE + TWO
        assert repository.read(files["large.py"]) is None
        assert repository.read(files["binary.py"]) is None
        assert repository.read("0" * 40) is None
        assert repository.read(repository.head()) is None
        assert [definition.name for definition in repository.definitions(files.values())[files["a.py"]]] == [
            "one",
            "two",
        ]
        assert set(repository.definitions([*files.values(), "0" * 40])) == {files["a.py"]}


def test_an_author_in_another_encoding(make_repository: MakeRepository) -> None:
    built = make_repository()
    tree = built.git("write-tree")
    for encoding, header in (
        ("latin-1", b"encoding ISO-8859-1\n"),
        ("latin-1", b""),
        ("utf-8", b"encoding nonsense\n"),
    ):
        raw = (
            b"tree "
            + tree.encode()
            + "\nauthor André <a@example.org> 12 +0100\ncommitter".encode(encoding)
            + b" C <c@example.org> 1700000000 -0330\n"
            + header
            + "\n\nDéjà\nvu\n\nBody\n".encode(encoding)
        )
        sha = built.git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=raw)
        with Repository.open(built.path) as repository:
            commit = repository.edits_of(sha).commit
        assert commit.date == 1_700_000_000
        if encoding == "latin-1" and not header:
            assert (commit.author, commit.subject) == ("Andr\ufffd", "D\ufffdj\ufffd vu")
        else:
            assert (commit.author, commit.subject) == ("André", "Déjà vu")


def test_rewritten_history_is_told_by_its_ancestors(make_repository: MakeRepository) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE})
    before = built.commit("Two", {"a.py": ONE + TWO})
    with Repository.open(built.path) as repository:
        assert before in repository.ancestors()
        built.git("reset", "--quiet", "--hard", "HEAD~")
        after = built.commit("Two, again", {"a.py": ONE + TWO})
        assert before not in repository.ancestors()
        assert repository.head() == after
        assert [commit.commit.sha for commit in repository.commits(skip={before})] == repository.ancestors()


@pytest.mark.parametrize(
    ("line", "author"),
    [
        ("<a@example.org> 1700000000 +0000", "a@example.org"),
        ("Bob<b@example.org> 1700000000 +0000", "Bob"),
        ("Bob 1700000000 +0000", "Bob"),
        ("Bob <> 1700000000 +0000", "Bob"),
        ("Bob < 1700000000 +0000", "Bob"),
        ("<> 1700000000 +0000", ""),
        ("1700000000 +0000", ""),
        ("", ""),
    ],
)
def test_an_author_line_that_lacks_something(make_repository: MakeRepository, line: str, author: str) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE})
    text = f"tree {built.git('write-tree')}\nauthor {line}\ncommitter A <a@example.org> 1700000000 +0000\n\nOdd\n"
    sha = built.git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", stdin=text.encode())
    with Repository.open(built.path) as repository:
        assert repository.edits_of(sha).commit.author == author


@pytest.mark.parametrize("encoding", ["punycode", "idna", "unicode_escape", "rot13", "x" * 100_000])
def test_a_commit_in_an_encoding_that_is_none_is_read_as_utf_8(make_repository: MakeRepository, encoding: str) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE})
    who = "A <a@example.org> 1700000000 +0000"
    text = (
        f"tree {built.git('write-tree')}\nauthor {who}\ncommitter {who}\nencoding {encoding}\n\nÉtude-{'x' * 400_000}\n"
    )
    sha = built.git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", stdin=text.encode())
    with Repository.open(built.path) as repository:
        assert repository.edits_of(sha).commit.subject.startswith("Étude-xxx")

"""What one commit, one file or one command may cost: beyond that it is left out, and everything else goes on."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from codewm_lsp.errors import RepositoryError
from codewm_lsp.history import Repository
from codewm_lsp.history.git_process import HardenedGit, LimitError
from codewm_lsp.history.location import locate
from tests.conftest import RepositoryBuilder

MakeRepository = Callable[..., RepositoryBuilder]

ONE = "def one():\n    return 1\n"
TWO = "def two():\n    return 2\n"
WHO = {f"GIT_{role}_{what}": "a@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def commit_of(built: RepositoryBuilder, tree: str, message: bytes) -> None:
    sha = built.git("commit-tree", tree, "-p", "HEAD", "-F", "-", stdin=message, **WHO)
    built.git("update-ref", "HEAD", sha)


def tree_without_end(built: RepositoryBuilder, name: str = "f.py") -> str:
    """Ten files, ten times, ten times … ten billion in a dozen objects."""
    blob = built.git("hash-object", "-w", "--stdin", stdin=ONE.encode())
    tree = built.git("mktree", stdin="".join(f"100644 blob {blob}\t{i}{name}\n" for i in range(10)).encode())
    for _ in range(9):
        tree = built.git("mktree", stdin="".join(f"040000 tree {tree}\td{i}\n" for i in range(10)).encode())
    listed = built.git("ls-tree", "HEAD")
    return built.git("mktree", stdin=f"{listed}\n040000 tree {tree}\tdata\n".encode())


def skipped(built: RepositoryBuilder) -> dict[str, str | None]:
    with Repository.open(built.path) as repository:
        streamed = list(repository.commits())
        assert [repository.edits_of(commit.commit.sha) for commit in streamed] == streamed
        return {commit.commit.subject: commit.skipped for commit in streamed}


def test_a_commit_that_adds_folders_without_end_is_left_out(
    make_repository: MakeRepository, caplog: pytest.LogCaptureFixture
) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE})
    before = built.git("rev-parse", "HEAD^{tree}")
    commit_of(built, tree_without_end(built), b"Add data")
    commit_of(built, before, b"Remove data")
    built.git("reset", "--quiet", "--hard")
    built.commit("After", {"a.py": TWO})
    with Repository.open(built.path) as repository:
        found = {commit.commit.subject: (commit.skipped, len(commit.edits)) for commit in repository.commits()}
        assert found == {
            "After": (None, 2),
            "Remove data": ("bulk", 0),
            "Add data": ("bulk", 0),
            "Begin": (None, 1),
        }
        assert len(caplog.records) == 2, "one line for each"
        assert list(repository.files()) == ["a.py"]


@pytest.mark.parametrize("name", ["f.py", "f.txt"])
def test_a_head_of_folders_without_end_is_said(
    make_repository: MakeRepository, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("codewm_lsp.history.log.MOST_PATHS", 1000)
    monkeypatch.setattr("codewm_lsp.history.log.MOST_LISTED", 1 << 20)
    built = make_repository()
    built.commit("Begin", {"a.py": ONE})
    commit_of(built, tree_without_end(built, name), b"Add data")
    with Repository.open(built.path) as repository:
        with pytest.raises(LimitError, match=r"more than 1,000 Python files|more than 1 MB"):
            repository.files()
        with pytest.raises(LimitError):
            repository.working_edits({"a.py": TWO})
        assert repository.files("HEAD~")


@pytest.mark.parametrize("megabytes", [2, 20])
def test_a_commit_of_a_message_of_many_megabytes_does_not_end_the_indexing(
    make_repository: MakeRepository, megabytes: int
) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE})
    built.write("a.py", TWO)
    built.git("add", "--all")
    commit_of(built, built.git("write-tree"), b"Paste\n\n" + b"- a line of a change log\n" * (megabytes * 40_000))
    built.commit("Next", {"a.py": ONE})
    built.commit("After", {"a.py": TWO})
    left_out = None if megabytes < 6 else "bulk"  # what Git would need to compare it
    assert skipped(built) == {"After": None, "Next": left_out, "Paste": left_out, "Begin": None}


def test_a_file_of_many_megabytes_is_left_out_and_the_others_are_read(make_repository: MakeRepository) -> None:
    built = make_repository()
    large = b"x = 1\n" * 2_000_000
    built.commit("Begin", {"a.py": ONE, "data.py": large, "z.py": ONE + TWO})
    built.commit("Change", {"a.py": TWO, "data.py": large + b"y = 2\n", "z.py": TWO + "x = 1\n"})
    with Repository.open(built.path) as repository:
        for _ in range(2):
            change, begin = repository.commits()
            assert {edit.path for edit in change.edits} == {edit.path for edit in begin.edits} == {"a.py", "z.py"}
        blobs = repository.files()
        texts = repository.read_all([blobs["a.py"], blobs["data.py"], blobs["z.py"]])
        assert list(texts.values()) == [TWO, None, TWO + "x = 1\n"]


def test_a_commit_of_more_definitions_than_anybody_writes_is_left_out(
    make_repository: MakeRepository, caplog: pytest.LogCaptureFixture
) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE})
    built.commit("Generate", {"made.py": "".join(f"def f{i}(a):\n    return a.x{i}\n" for i in range(2_500))})
    built.commit("After", {"a.py": TWO})
    assert skipped(built) == {"After": None, "Generate": "bulk", "Begin": None}
    assert "2,000 definitions" in caplog.text


def test_a_commit_of_more_text_than_is_read_at_once_is_left_out(
    make_repository: MakeRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codewm_lsp.history.objects.MAX_TOGETHER", 5_000)
    monkeypatch.setattr("codewm_lsp.history.objects._MAX_AHEAD", 0)
    built = make_repository()
    built.commit("Begin", {"a.py": ONE})
    built.commit("Generate", {f"made{i}.py": f"x = {i}\n" * 300 for i in range(4)})
    built.commit("After", {"a.py": TWO})
    assert skipped(built) == {"After": None, "Generate": "bulk", "Begin": None}


def test_a_commit_object_that_is_lost_does_not_end_the_indexing(make_repository: MakeRepository) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE})
    broken = built.git(
        "hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=b"tree nonsense\n\nBroken\n"
    )
    with Repository.open(built.path) as repository:
        (begin, lost, odd) = repository._edits(iter([built.head(), "0" * 40, broken]), (), 30)
        assert (begin.skipped, len(begin.edits)) == (None, 1)
        assert (lost.skipped, lost.commit.sha) == ("missing", "0" * 40)
        assert (odd.edits, odd.commit.subject) == ((), "Broken")


def test_a_history_is_read_however_many_files_there_are_in_gits_index(make_repository: MakeRepository) -> None:
    """Git reads its index where it has no use of it, too, and the memory for 80,000 files is more than it may have."""
    built = make_repository()
    blob = built.git("hash-object", "-w", "--stdin", stdin=b"x")
    listed = "".join(f"100644 {blob}\tassets/{number // 1000}/picture-{number:08}.png\n" for number in range(80_000))
    built.git("update-index", "--index-info", stdin=listed.encode())
    built.git("commit", "--quiet", "-m", "Assets", **WHO)
    for number, text in enumerate((ONE, TWO)):
        built.write("a.py", text)
        built.git("add", "a.py")
        built.git("commit", "--quiet", "-m", str(number), **WHO)
    assert skipped(built) == {"1": None, "0": None, "Assets": None}


@pytest.mark.parametrize("broken", [b"", b"DIRC" + b"\xff" * 500], ids=["empty", "garbage"])
def test_a_broken_index_of_git_takes_no_history_away_and_is_said_in_one_line(
    make_repository: MakeRepository, broken: bytes
) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE})
    built.commit("Change", {"a.py": TWO})
    (built.path / ".git" / "index").write_bytes(broken)
    assert skipped(built) == {"Begin": None, "Change": None}
    with Repository.open(built.path) as repository, pytest.raises(RepositoryError, match="ls-files failed") as raised:
        repository.working_edits()
    assert "\n" not in str(raised.value)
    assert "index file" in str(raised.value)


@pytest.mark.parametrize("file", ["packed-refs", "shallow"])
def test_a_repository_that_is_damaged_is_not_called_empty(make_repository: MakeRepository, file: str) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE})
    built.git("pack-refs", "--all")
    (built.path / ".git" / file).write_bytes(b"\0\xff garbage\n" * 3)
    with Repository.open(built.path) as repository, pytest.raises(RepositoryError, match=file) as raised:
        repository.head()
    assert "git fsck" in str(raised.value)
    assert str(raised.value).isprintable()


PLACES = (
    "HEAD",
    "config",
    "index",
    "packed-refs",
    "shallow",
    "commondir",
    "info/exclude",
    "info/attributes",
    "refs/heads/main",
    "refs/heads/other",
    "objects/info/alternates",
    "objects/info/commit-graph",
    "objects/pack/pack-1.idx",
    "objects/aa/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("place", PLACES)
def test_a_pipe_in_the_git_folder_is_refused(make_repository: MakeRepository, place: str) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE})
    file = built.path / ".git" / place
    file.parent.mkdir(exist_ok=True)
    file.unlink(missing_ok=True)
    os.mkfifo(file)
    with pytest.raises(RepositoryError, match=r"named pipe|not inside a Git repository"):
        Repository.open(built.path)
    file.unlink()
    (built.path / "elsewhere").mkdir()
    os.mkfifo(built.path / "elsewhere" / "pipe")
    file.symlink_to(built.path / "elsewhere" / "pipe")
    with pytest.raises(RepositoryError, match=r"named pipe|not inside a Git repository"):
        Repository.open(built.path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes_where_git_looks_for_nothing_do_no_harm(make_repository: MakeRepository) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE})
    for place in (".git/hooks/pipe", ".git/logs/pipe", "pipe", ".gitattributes"):
        (built.path / place).parent.mkdir(exist_ok=True)
        os.mkfifo(built.path / place)
    built.git("update-ref", "refs/heads/other", "HEAD")
    with Repository.open(built.path) as repository:
        assert [commit.skipped for commit in repository.commits()] == [None]
        assert [edit.path for edit in repository.working_edits({"a.py": TWO})] == ["a.py", "a.py"]


@pytest.fixture
def endless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Git that never ends, and says something all the time if its first argument is not ``quiet``."""
    if sys.platform == "win32":
        pytest.skip("it is a shell script")
    program = tmp_path / "endless-git"
    program.write_text(
        "#!/bin/sh\nfor word; do last=$word; done\n[ $last != quiet ] && exec yes\n"
        "trap '' TERM\nwhile :; do sleep 1; done\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("GIT_PYTHON_GIT_EXECUTABLE", str(program))


def test_a_command_that_does_not_end_is_stopped_and_after_some_the_repository_is_left_alone(
    make_repository: MakeRepository, endless: None
) -> None:
    git = HardenedGit(locate(make_repository().path))
    threads = threading.active_count()
    for _ in range(2):
        with pytest.raises(LimitError, match=r"quiet did not finish in .*was stopped"):
            git.run("quiet", seconds=0.2)
    with pytest.raises(LimitError):
        git.run("quiet", seconds=0.2, expected=True)
    process = git.start("quiet")
    with process.limit(0.2):
        assert process.stdout.read() == b""
    assert process.timed_out
    process.close()
    with pytest.raises(LimitError):
        git.start("quiet")
    assert threading.active_count() == threads


def test_a_command_that_goes_on_talking_is_stopped(make_repository: MakeRepository, endless: None) -> None:
    git = HardenedGit(locate(make_repository().path))
    with pytest.raises(LimitError, match="talk printed more than 1 MB"):
        git.run("talk", most=1 << 20)
    with pytest.raises(LimitError, match="talk printed more than 1 MB"):
        list(git.records("talk", most=1 << 20))
    for _ in range(5):
        with pytest.raises(LimitError, match="talk did not finish"):
            git.run("talk", seconds=0.1, told=b"x" * 1_000_000, most=1 << 40, expected=True)


def test_a_program_of_the_working_directory_is_never_git(
    make_repository: MakeRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sys.platform == "win32":
        pytest.skip("the trap is a shell script")
    built = make_repository()
    built.commit("Begin", {"a.py": ONE})
    trap = built.write("git", f"#!/bin/sh\ntouch {tmp_path}/it-ran\n")
    trap.chmod(0o755)
    monkeypatch.chdir(built.path)
    monkeypatch.setenv("PATH", f".:{os.pathsep}:bin:{os.environ['PATH']}")
    with Repository.open(built.path) as repository:
        assert len(list(repository.commits())) == 1
        assert repository.working_edits({"a.py": TWO})
    assert not (tmp_path / "it-ran").exists()


def test_a_repository_that_is_gone_is_said_to_be_gone(make_repository: MakeRepository) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE})
    elsewhere = built.path.with_name("renamed")
    with Repository.open(built.path) as repository:
        assert repository.working_edits({"a.py": TWO})
        built.path.rename(elsewhere)
        for ask in (repository.working_edits, repository.head, lambda: list(repository.commits())):
            with pytest.raises(RepositoryError, match="no longer exists"):
                ask()
        elsewhere.rename(built.path)
        assert repository.working_edits({"a.py": TWO})


def test_a_deep_path_is_read(make_repository: MakeRepository) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE})
    blob = built.git("hash-object", "-w", "--stdin", stdin=ONE.encode())
    tree = built.git("mktree", stdin=f"100644 blob {blob}\tdeep.py\n".encode())
    for _ in range(1500):
        tree = built.git("mktree", stdin=f"040000 tree {tree}\td\n".encode())
    listed = built.git("ls-tree", "HEAD")
    commit_of(built, built.git("mktree", stdin=f"{listed}\n040000 tree {tree}\td\n".encode()), b"Dig")
    with Repository.open(built.path) as repository:
        dig, begin = repository.commits()
        assert (begin.skipped, dig.skipped) == (None, None)
        assert repository.read(repository.files()["a.py"]) == ONE
        assert "a.py" in {edit.path for edit in repository.working_edits({"a.py": TWO})}

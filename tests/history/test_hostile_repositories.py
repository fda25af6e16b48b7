"""Nothing a repository configures is run, nothing is fetched or written, and damage is no crash."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from codewm_lsp.errors import RepositoryError
from codewm_lsp.history import Repository
from tests.conftest import RepositoryBuilder

MakeRepository = Callable[..., RepositoryBuilder]

ONE = "def one():\n    return 1\n"
TWO = "def two():\n    return 2\n"


def use_everything(path: Path) -> None:
    with Repository.open(path) as repository:
        for commit in repository.commits():
            repository.edits_of(commit.commit.sha)
        for blob in repository.files().values():
            repository.read(blob)
        repository.ancestors()
        repository.working_edits()
        repository.working_edits({"a.py": TWO})
        assert isinstance(repository.is_shallow, bool)


@pytest.mark.skipif(sys.platform == "win32", reason="the traps are shell scripts")
def test_programs_that_a_repository_names_are_not_run(
    make_repository: MakeRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE, "b.py": TWO})
    built.commit("Change", {"a.py": ONE.replace("1", "11")})
    signed = (
        f"tree {built.git('write-tree')}\nparent {built.head()}\nauthor A <a@example.org> 1700000000 +0000\n"
        "committer A <a@example.org> 1700000000 +0000\n"
        "gpgsig -----BEGIN PGP SIGNATURE-----\n \n aaaa\n -----END PGP SIGNATURE-----\n\nSigned\n"
    )
    sha = built.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=signed.encode())
    built.git("update-ref", "HEAD", sha)

    marker = tmp_path / "it-ran"
    trap = tmp_path / "trap.sh"
    trap.write_text(f'#!/bin/sh\necho "$0 $@" >> "{marker}"\ncat\n')
    trap.chmod(0o755)
    program = str(trap)
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    names = (
        "applypatch-msg fsmonitor-watchman post-checkout post-commit post-index-change post-merge post-rewrite "
        "pre-auto-gc pre-commit pre-push proc-receive query-watchman reference-transaction sendemail-validate"
    )
    for name in names.split():
        for folder in (hooks, built.path / ".git" / "hooks"):
            folder.mkdir(exist_ok=True)
            (folder / name).write_text(trap.read_text())
            (folder / name).chmod(0o755)
    for name, value in {
        "alias.cat-file": f"!{program}",
        "alias.ls-files": f"!{program}",
        "alias.rev-list": f"!{program}",
        "core.alternateRefsCommand": program,
        "core.askPass": program,
        "core.editor": program,
        "core.fsmonitor": program,
        "core.gitProxy": program,
        "core.hooksPath": str(hooks),
        "core.pager": program,
        "core.sshCommand": program,
        "credential.helper": program,
        "diff.external": program,
        "diff.trap.command": program,
        "diff.trap.textconv": program,
        "filter.trap.clean": program,
        "filter.trap.process": program,
        "filter.trap.required": "true",
        "filter.trap.smudge": program,
        "gpg.program": program,
        "gpg.ssh.program": program,
        "interactive.diffFilter": program,
        "log.showSignature": "true",
        "merge.trap.driver": program,
        "pager.log": program,
        "remote.origin.uploadpack": program,
        "remote.origin.url": f"ext::{program}",
        "remote.origin.vcs": "trap",
        "sequence.editor": program,
        "trace2.eventTarget": str(marker),
        "trace2.normalTarget": str(marker),
        "uploadpack.packObjectsHook": program,
    }.items():
        built.git("config", name, value)
    helpers = tmp_path / "bin"
    helpers.mkdir()
    for name in ("git-remote-trap", "git-remote-ext", "ssh", "gpg"):
        (helpers / name).write_text(trap.read_text())
        (helpers / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{helpers}{os.pathsep}{os.environ['PATH']}")
    built.write(".gitattributes", "* filter=trap diff=trap merge=trap ident text working-tree-encoding=UTF-16\n")
    (built.path / ".git" / "info" / "attributes").write_text("* filter=trap diff=trap\n")
    built.write("b.py", TWO.replace("2", "22"))
    built.write("new.py", TWO)
    os.utime(built.path / "a.py")

    use_everything(built.path)
    assert not marker.exists(), marker.read_text()

    with pytest.raises(AssertionError, match="trap"):
        built.git("diff", "--stat")
    assert marker.exists(), "the traps are no traps"
    marker.unlink()

    built.git("config", "core.repositoryFormatVersion", "1")
    built.git("config", "extensions.partialClone", "origin")
    built.git("config", "remote.origin.promisor", "true")
    for blob in built.git("ls-tree", "-r", "--object-only", "HEAD").split():
        file = built.path / ".git" / "objects" / blob[:2] / blob[2:]
        file.chmod(0o600)
        file.unlink()
    marker.unlink(missing_ok=True)  # git itself, asked by this test, may have stepped into the trap
    use_everything(built.path)
    assert not marker.exists(), marker.read_text()


def test_nothing_is_written(make_repository: MakeRepository) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE})
    built.write("a.py", TWO)
    os.utime(built.path / "a.py", (1, 1))

    def files() -> dict[str, tuple[int, bytes]]:
        found = {}
        for folder, _, names in os.walk(built.path):
            for name in names:
                path = Path(folder) / name
                found[str(path)] = (path.stat().st_mtime_ns, path.read_bytes())
        return found

    before = files()
    use_everything(built.path)
    assert files() == before


def test_tree_entries_that_lead_outside_are_not_followed(make_repository: MakeRepository, tmp_path: Path) -> None:
    built = make_repository()
    (tmp_path / "outside.py").write_text("def outside(): pass\n")
    blob = built.git("hash-object", "-w", "--stdin", stdin=ONE.encode())
    inner = built.git("mktree", stdin=f"100644 blob {blob}\toutside.py\n".encode())
    raw = b"".join(b"40000 " + name + b"\0" + bytes.fromhex(inner) for name in (b"..", b".git"))
    tree = built.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=raw)
    sha = built.git(
        "commit-tree",
        tree,
        "-m",
        "Outside",
        GIT_AUTHOR_NAME="a",
        GIT_AUTHOR_EMAIL="a@example.org",
        GIT_COMMITTER_NAME="a",
        GIT_COMMITTER_EMAIL="a@example.org",
    )
    built.git("update-ref", "HEAD", sha)
    with Repository.open(built.path) as repository:
        assert {edit.definition for edit in repository.edits_of(sha).edits} <= {"one"}
        assert repository.working_edits() == ()


def test_missing_blobs_and_trees_skip_the_commit_and_nothing_else(make_repository: MakeRepository) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE})
    built.commit("Lost blob", {"a.py": TWO})
    lost_blob = built.git("rev-parse", "HEAD:a.py")
    built.commit("Back", {"a.py": ONE})
    built.commit("Lost tree", {"package/b.py": TWO})
    lost_tree = built.git("rev-parse", "HEAD:package")
    built.remove("package/b.py")
    built.commit("Without")
    built.commit("Newest", {"c.py": "def three(): pass\n"})
    for name in (lost_blob, lost_tree):
        file = built.path / ".git" / "objects" / name[:2] / name[2:]
        file.chmod(0o600)
        file.unlink()
    with Repository.open(built.path) as repository:
        skipped = {commit.commit.subject: commit.skipped for commit in repository.commits()}
        assert skipped == {
            "Newest": None,
            "Without": "missing",
            "Lost tree": "missing",
            "Back": "missing",
            "Lost blob": "missing",
            "Begin": None,
        }
        assert repository.read(lost_blob) is None
        assert repository.edits_of("HEAD~2").skipped == "missing"
        assert len(repository.edits_of("HEAD").edits) == 1
        with pytest.raises(RepositoryError, match="git fsck"):
            repository.files("HEAD~2")


@pytest.mark.parametrize("kept", ["blob:none", "tree:0"])
def test_a_partial_clone_is_read_as_far_as_it_is_here(
    make_repository: MakeRepository, tmp_path: Path, kept: str
) -> None:
    built = make_repository()
    for number in range(45):
        built.commit(f"c{number}", {"a.py": ONE.replace("1", str(number))})
    built.git("config", "uploadpack.allowFilter", "true")
    partial = tmp_path / "partial"
    built.git("clone", "--quiet", f"--filter={kept}", "--no-checkout", built.path.as_uri(), str(partial))
    packs = sorted(os.listdir(partial / ".git" / "objects" / "pack"))
    with Repository.open(partial) as repository:
        commits = list(repository.commits())
        assert len(commits) == 45
        assert {commit.skipped for commit in commits} == {"missing"}
        assert repository.edits_of("HEAD").skipped == "missing"
        if kept == "tree:0":
            with pytest.raises(RepositoryError, match="partial clone"):
                repository.files()
        else:
            assert repository.read(repository.files()["a.py"]) is None
            assert repository.definitions(repository.files().values()) == {}
            assert repository.working_edits({"a.py": TWO}) == ()
    assert sorted(os.listdir(partial / ".git" / "objects" / "pack")) == packs


def test_a_head_that_is_lost(make_repository: MakeRepository) -> None:
    built = make_repository()
    sha = built.commit("Begin", {"a.py": ONE})
    file = built.path / ".git" / "objects" / sha[:2] / sha[2:]
    file.chmod(0o600)
    file.unlink()
    with Repository.open(built.path) as repository, pytest.raises(RepositoryError):
        list(repository.commits())


def test_a_commit_that_is_damaged_is_one_line_without_advice(make_repository: MakeRepository) -> None:
    """Git's advice about grafts, which are set aside, stood before what was wrong."""
    built = make_repository()
    sha = built.commit("Begin", {"a.py": ONE})
    built.commit("Change", {"a.py": TWO})
    file = built.path / ".git" / "objects" / sha[:2] / sha[2:]
    file.chmod(0o600)
    file.write_bytes(b"no object")
    with Repository.open(built.path) as repository, pytest.raises(RepositoryError, match="git fsck") as caught:
        list(repository.commits())
    assert "\n" not in str(caught.value)
    assert "hint" not in str(caught.value)
    assert sha in str(caught.value)

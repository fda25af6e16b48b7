"""Which folders are repositories, and what is said about those that are not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from codewm_lsp.errors import RepositoryError
from codewm_lsp.history import Repository
from tests.conftest import RepositoryBuilder, isolated_environment

MakeRepository = Callable[..., RepositoryBuilder]

ONE = "def one():\n    return 1\n"
CHANGED = "def one():\n    return 2\n"


def subjects(path: Path) -> list[str]:
    with Repository.open(path) as repository:
        return [commit.commit.subject for commit in repository.commits()]


def test_any_path_inside_opens_it_even_one_that_is_yet_to_be(make_repository: MakeRepository) -> None:
    built = make_repository("with space")
    built.commit("Begin", {"src/deep/a.py": ONE})
    for path in ("", "src", "src/deep/a.py", "src/new/file.py", ".git", ".git/objects"):
        with Repository.open(built.path / path) as repository:
            assert repository.root == built.path
            assert repository.git_dir == built.path / ".git"
            assert repository.head() == built.head()


def test_a_relative_path_opens_it_wherever_the_process_goes_afterwards(
    make_repository: MakeRepository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE})
    monkeypatch.chdir(built.path)
    with Repository.open(Path(".")) as repository:
        monkeypatch.chdir(tmp_path)
        assert len(list(repository.commits())) == 1
        assert repository.working_edits() == ()


def test_paths_are_named_as_the_repository_names_them(make_repository: MakeRepository, tmp_path: Path) -> None:
    built = make_repository()
    built.commit("Begin", {"src/a.py": ONE})
    link = tmp_path / "link"
    try:
        link.symlink_to(built.path, target_is_directory=True)
    except OSError:
        pytest.skip("this system lets nobody make symbolic links")
    for root in (built.path, link):
        with Repository.open(root) as repository:
            assert repository.root == root
            assert repository.relative(built.path / "src" / "a.py") == "src/a.py"
            assert repository.relative(link / "src" / "new.py") == "src/new.py"
            assert repository.relative(built.path) is None
            assert repository.relative(tmp_path / "a.py") is None
            assert repository.relative(built.path / "..dots" / "a.py") == "..dots/a.py"
    with Repository.open(built.path) as one, Repository.open(link) as other:
        assert one.key == other.key


def test_a_work_tree_that_the_configuration_puts_into_a_folder_below_is_followed(
    make_repository: MakeRepository, tmp_path: Path
) -> None:
    built = make_repository()
    built.commit("Begin", {"src/a.py": ONE})
    files = built.path / "files"
    (files / "src").mkdir(parents=True)
    (files / "src" / "a.py").write_text(CHANGED)
    (files / "new.py").write_text(ONE)
    for named in (str(files), "../files"):
        built.git("config", "core.worktree", named)
        with Repository.open(built.path) as repository:
            assert repository.root == files
            assert [edit.path for edit in repository.working_edits()] == ["src/a.py", "new.py"]
            assert repository.relative(files / "src" / "a.py") == "src/a.py"
            assert repository.relative(built.path / "src" / "a.py") is None
    for named in ("..", str(built.path / "gone"), str(tmp_path), "../.."):  # none of the user's other files
        built.git("config", "core.worktree", named)
        with Repository.open(built.path) as repository:
            assert repository.root == built.path


def test_a_linked_worktree_has_its_own_place_whatever_that_of_the_repository_is(
    make_repository: MakeRepository, tmp_path: Path
) -> None:
    built, linked = make_repository(), tmp_path / "linked"
    built.commit("Begin", {"a.py": ONE})
    built.git("worktree", "add", "--quiet", "--detach", str(linked))
    built.git("config", "core.worktree", str(linked))
    with Repository.open(linked) as repository:
        assert repository.root == linked
        assert repository.working_edits() == ()
    built.git("config", "extensions.worktreeConfig", "true")
    (linked / "files").mkdir()
    (linked / "files" / "a.py").write_text(CHANGED)
    own = built.path / ".git" / "worktrees" / "linked" / "config.worktree"
    own.write_text(f'[core]\n\tworktree = "{(linked / "files").as_posix()}"\n')
    with Repository.open(linked) as repository:
        assert repository.root == linked / "files"
        assert [edit.path for edit in repository.working_edits()] == ["a.py"]


def test_no_setting_of_a_repository_rewords_what_git_says(make_repository: MakeRepository) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE})
    built.commit("Größer", {"a.py": CHANGED})
    with Repository.open(built.path) as repository:
        before = repository.authors("HEAD", 9), repository.changed_files(), list(repository.commits())
    for name, value in (
        *(("i18n.logOutputEncoding", "utf-16"), ("i18n.commitEncoding", "nonsense"), ("log.date", "nonsense")),
        *(("core.abbrev", "4"), ("core.quotePath", "true"), ("diff.noprefix", "true"), ("diff.relative", "true")),
        *(("diff.orderFile", os.devnull), ("diff.renames", "false"), ("log.follow", "true"), ("color.ui", "always")),
    ):
        built.git("config", name, value)
    with Repository.open(built.path) as repository:
        assert (repository.authors("HEAD", 9), repository.changed_files(), list(repository.commits())) == before


@pytest.mark.parametrize("fill", [b"\0", b"\xff", b"\x7f", b"A commit graph"])
@pytest.mark.parametrize("begin", [8, 68, 300])
def test_a_commit_graph_that_is_damaged_is_done_without(
    begin: int, fill: bytes, make_repository: MakeRepository, caplog: pytest.LogCaptureFixture
) -> None:
    built = make_repository()
    for number in range(8):
        built.commit(f"Change {number}", {"a.py": f"def one():\n    return {number}\n"})
    built.git("commit-graph", "write", "--reachable")
    graph = built.path / ".git" / "objects" / "info" / "commit-graph"
    size = graph.stat().st_size
    graph.chmod(0o644)
    graph.write_bytes((graph.read_bytes()[:begin] + fill * size)[:size])
    with Repository.open(built.path) as repository:
        assert len(repository.ancestors()) == 8
        assert [edits.commit.subject for edits in repository.commits()] == [f"Change {n}" for n in range(7, -1, -1)]
    assert len(caplog.records) <= 1


def test_a_folder_that_is_no_repository(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match=r"elsewhere is not inside a Git repository.*git init"):
        Repository.open(tmp_path / "elsewhere")


def test_a_git_file_that_points_nowhere(tmp_path: Path) -> None:
    for content in ("gitdir: ../gone\n", "nonsense", "", "gitdir:"):
        (tmp_path / ".git").write_text(content)
        with pytest.raises(RepositoryError, match="does not point to a Git folder"):
            Repository.open(tmp_path)


def test_no_commits_yet(make_repository: MakeRepository) -> None:
    built = make_repository()
    built.write("a.py", ONE)
    with Repository.open(built.path) as repository:
        for ask in (repository.head, repository.ancestors, repository.files, lambda: list(repository.commits())):
            with pytest.raises(RepositoryError, match="has no commits yet"):
                ask()
        assert [(edit.definition, edit.kind.value) for edit in repository.working_edits()] == [("one", "added")]


@pytest.mark.parametrize("leads_to", ["main", "other"])
def test_a_branch_that_leads_back_to_itself_is_not_taken_for_one_without_commits(
    leads_to: str, make_repository: MakeRepository
) -> None:
    built = make_repository()
    sha = built.commit("Begin", {"a.py": ONE})
    heads = built.path / ".git" / "refs" / "heads"
    (heads / "other").write_text("ref: refs/heads/main\n")
    (heads / "main").write_text(f"ref: refs/heads/{leads_to}\n")
    with Repository.open(built.path) as repository:
        with pytest.raises(RepositoryError, match=r"a reference refers to itself.*git update-ref --no-deref"):
            repository.head()
        built.git("update-ref", "--no-deref", "refs/heads/main", sha)
        assert repository.head() == sha


def test_unknown_revisions_are_refused_and_options_are_none(make_repository: MakeRepository) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE})
    with Repository.open(built.path) as repository:
        for rev in ("nowhere", "--all", "-h", "HEAD~7", "a.py", "HEAD:a.py", "", "HEAD\nHEAD", "\0", "HEAD^{tree}"):
            with pytest.raises(RepositoryError, match="is not a commit"):
                repository.head(rev)
        built.git("tag", "-a", "v1", "-m", "One", GIT_COMMITTER_NAME="a", GIT_COMMITTER_EMAIL="a@example.org")
        assert repository.head("v1") == repository.head("main") == repository.head(built.head()[:9]) == built.head()


def test_a_detached_head(make_repository: MakeRepository) -> None:
    built = make_repository()
    first = built.commit("Begin", {"a.py": ONE})
    built.commit("More", {"a.py": CHANGED})
    built.checkout(first)
    assert subjects(built.path) == ["Begin"]


def test_a_bare_repository(make_repository: MakeRepository, tmp_path: Path) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE})
    built.git("clone", "--quiet", "--bare", str(built.path), str(tmp_path / "bare.git"))
    for path in ("", "refs", "objects/pack"):
        with Repository.open(tmp_path / "bare.git" / path) as repository:
            assert repository.root is None
            assert repository.git_dir == tmp_path / "bare.git"
            assert list(repository.files()) == ["a.py"]
            assert repository.working_edits({"a.py": CHANGED}) == ()
            assert repository.relative(tmp_path / "bare.git" / "a.py") is None
    assert subjects(tmp_path / "bare.git") == ["Begin"]


def test_a_worktree_shares_the_key_but_not_the_head(make_repository: MakeRepository, tmp_path: Path) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE})
    built.git("worktree", "add", "--quiet", "-b", "other", str(tmp_path / "tree"))
    tree = RepositoryBuilder(tmp_path / "tree")
    tree.commit("In the worktree", {"a.py": CHANGED})
    tree.write("a.py", ONE)
    with Repository.open(built.path) as main, Repository.open(tree.path / "a.py") as other:
        assert main.key == other.key
        assert other.root == tree.path
        assert other.git_dir == built.path / ".git" / "worktrees" / "tree"
        assert other.head() == tree.head() != main.head()
        assert len(other.working_edits()) == 1
        assert main.working_edits() == ()
    with Repository.open(built.path / ".git" / "worktrees" / "tree") as inner:
        assert inner.head() == tree.head()


def test_a_submodule_is_a_repository_of_its_own(make_repository: MakeRepository) -> None:
    inner = make_repository("inner")
    inner.commit("Inside", {"a.py": ONE})
    outer = make_repository("outer")
    outer.commit("Outside", {"b.py": ONE})
    outer.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner.path), "sub")
    outer.commit("Add it")
    outer.write("sub/a.py", CHANGED)
    with Repository.open(outer.path / "sub" / "a.py") as repository:
        assert repository.root == outer.path / "sub"
        assert [commit.commit.subject for commit in repository.commits()] == ["Inside"]
        assert [edit.path for edit in repository.working_edits()] == ["a.py"]
    with Repository.open(outer.path) as repository:
        assert list(repository.files()) == ["b.py"]
        assert repository.working_edits() == ()


def test_a_shallow_clone_says_so_and_its_first_commit_is_no_addition(
    make_repository: MakeRepository, tmp_path: Path
) -> None:
    built = make_repository()
    for number in range(4):
        built.commit(f"c{number}", {"a.py": ONE.replace("1", str(number))})
    built.git("clone", "--quiet", "--depth", "2", built.path.as_uri(), str(tmp_path / "shallow"))
    with Repository.open(tmp_path / "shallow") as repository, Repository.open(built.path) as whole:
        assert repository.is_shallow
        assert not whole.is_shallow
        assert [commit.skipped for commit in repository.commits()] == [None, "shallow"]
        assert repository.edits_of("HEAD~").skipped == "shallow"


def test_other_object_names(make_repository: MakeRepository) -> None:
    built = make_repository("sha256", "--object-format=sha256")
    built.commit("Begin", {"a.py": ONE})
    sha = built.commit("Change", {"a.py": CHANGED})
    built.write("a.py", ONE)
    with Repository.open(built.path) as repository:
        assert len(sha) == 64
        assert [len(commit.edits) for commit in repository.commits()] == [1, 1]
        assert repository.edits_of(sha).commit.subject == "Change"
        assert len(repository.working_edits()) == 1
        assert len(repository.working_edits()) == 1


def test_a_damaged_configuration_is_said(make_repository: MakeRepository) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE})
    (built.path / ".git" / "config").write_text("[core\n")
    with pytest.raises(RepositoryError, match="bad config line 1"):
        Repository.open(built.path)


def test_variables_for_another_repository_are_not_heeded(
    make_repository: MakeRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    built, other = make_repository("one"), make_repository("other")
    built.commit("Begin", {"a.py": ONE})
    other.commit("Elsewhere", {"b.py": ONE})
    for name, value in {
        "GIT_DIR": other.path / ".git",
        "GIT_WORK_TREE": other.path,
        "GIT_INDEX_FILE": other.path / ".git" / "index",
        "GIT_OBJECT_DIRECTORY": other.path / ".git" / "objects",
        "GIT_COMMON_DIR": other.path / ".git",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NAMESPACE": "x",
    }.items():
        monkeypatch.setenv(name, str(value))
    built.write("a.py", CHANGED)
    assert subjects(built.path) == ["Begin"]
    with Repository.open(built.path) as repository:
        assert [edit.path for edit in repository.working_edits()] == ["a.py"]


def test_no_variable_that_git_heeds_is_passed_on(
    make_repository: MakeRepository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE, "deep/b.py": ONE})
    built.write("a.py", CHANGED)
    built.write("deep/new.py", CHANGED)
    with Repository.open(built.path) as repository:
        commits, edits = list(repository.commits()), repository.working_edits()
    for name, value in {
        "GIT_ATTR_SOURCE": "no-such-tree",
        "GIT_CEILING_DIRECTORIES": "/",
        "GIT_DEFAULT_HASH": "sha256",
        "GIT_DIR": "",
        "GIT_EXTERNAL_DIFF": "false",
        "GIT_GLOB_PATHSPECS": "1",
        "GIT_GRAFT_FILE": "/none",
        "GIT_ICASE_PATHSPECS": "1",
        "GIT_INDEX_FILE": "",
        "GIT_NOGLOB_PATHSPECS": "1",
        "GIT_OBJECT_DIRECTORY": "",
        "GIT_PREFIX": "deep/",
        "GIT_QUARANTINE_PATH": "/none",
        "GIT_REPLACE_REF_BASE": "refs/heads/",
        "GIT_TRACE": "1",
        "GIT_TRACE2_EVENT": str(tmp_path / "trace"),
        "GIT_TRACE_SETUP": str(tmp_path / "trace"),
        "GIT_SOMETHING_YET_TO_BE": "1",
    }.items():
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            with Repository.open(built.path) as repository:
                assert list(repository.commits()) == commits, name
                assert repository.working_edits() == edits, name
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_bare_repository_beside_its_worktrees_has_no_files(
    make_repository: MakeRepository, tmp_path: Path, kind: str
) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE})
    top = tmp_path / "top"
    top.mkdir()
    built.git("clone", "--quiet", "--bare", str(built.path), str(top / (".bare" if kind == "file" else ".git")))
    if kind == "file":
        (top / ".git").write_text("gitdir: ./.bare\n")
    beside = RepositoryBuilder(top)
    beside.git("worktree", "add", "--quiet", "main")
    beside.write("main/a.py", CHANGED)
    with Repository.open(top) as repository:
        assert repository.root is None
        assert repository.working_edits({"main/a.py": CHANGED, "a.py": CHANGED}) == ()
        assert [commit.commit.subject for commit in repository.commits()] == ["Begin"]
    with Repository.open(top / "main" / "a.py") as repository:
        assert repository.root == top / "main"
        assert [edit.path for edit in repository.working_edits()] == ["a.py"]
    built.git("config", "--unset", "core.bare")
    with Repository.open(built.path) as repository:
        assert repository.root == built.path


def test_a_head_that_is_a_symbolic_link(make_repository: MakeRepository) -> None:
    built = make_repository()
    first = built.commit("Begin", {"a.py": ONE})
    head = built.path / ".git" / "HEAD"
    head.unlink()
    try:
        head.symlink_to("refs/heads/main")
    except OSError:
        pytest.skip("this system lets nobody make symbolic links")
    with Repository.open(built.path) as repository:
        assert repository.head() == first
        second = built.commit("Change", {"a.py": CHANGED})
        assert repository.head() == second
    built.git("pack-refs", "--all", "--prune")
    assert not head.exists(), "the link leads nowhere"
    with Repository.open(built.path / "a.py") as repository:
        assert repository.head() == second
        assert repository.working_edits() == ()


def test_grafts_and_replaced_objects_are_not_heeded(make_repository: MakeRepository) -> None:
    built = make_repository()
    first = built.commit("First", {"a.py": ONE})
    second = built.commit("Second", {"a.py": CHANGED})
    third = built.commit("Third", {"b.py": ONE})
    expected = ["Third", "Second", "First"]
    built.git("replace", second, first)
    assert built.git("log", "--format=%s").split() == ["Third", "First"]
    assert subjects(built.path) == expected
    built.git("replace", "--delete", second)
    built.write(".git/info/grafts", f"{third}\n")
    assert built.git("log", "--format=%s").split() == ["Third"]
    assert subjects(built.path) == expected


def test_alternates_that_are_gone_and_a_held_lock_do_no_harm(make_repository: MakeRepository) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE})
    built.write("a.py", CHANGED)
    built.write(".git/objects/info/alternates", "/no/such/objects\n")
    built.write(".git/index.lock", "")
    assert subjects(built.path) == ["Begin"]
    with Repository.open(built.path) as repository:
        assert [edit.path for edit in repository.working_edits()] == ["a.py"]


def test_git_that_is_not_installed_is_one_clear_message(make_repository: MakeRepository, tmp_path: Path) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE})
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path\n"
            "from codewm_lsp.errors import RepositoryError; from codewm_lsp.history import Repository\n"
            "try: Repository.open(Path(sys.argv[1]))\n"
            "except RepositoryError as error: print(error)",
            str(built.path),
        ],
        env=isolated_environment(PATH=str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert "'git' cannot be run. Install Git" in done.stdout
    assert done.stdout.count("\n") == 1


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_a_repository_of_another_user_is_read(make_repository: MakeRepository) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE})
    for folder, _, files in os.walk(built.path):
        for name in ("", *files):
            os.chown(os.path.join(folder, name), 12345, 12345)
    refused = subprocess.run(
        ["git", "log"], cwd=built.path, env=isolated_environment(), capture_output=True, check=False
    )
    assert b"dubious ownership" in refused.stderr
    assert subjects(built.path) == ["Begin"]
    with Repository.open(built.path) as repository:
        assert repository.working_edits() == ()

"""What counts as the user's edit: a file that Git lists, in the innermost repository, and that is not as in HEAD."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from codewm_lsp.history import DEFAULT_EXCLUDE, Repository
from codewm_lsp.history.listing import Lister, Listing
from tests.conftest import RepositoryBuilder

MakeRepository = Callable[..., RepositoryBuilder]

ONE = "def one():\n    return 1\n"
TWO = "def two():\n    return 2\n"


@pytest.fixture
def built(make_repository: MakeRepository) -> RepositoryBuilder:
    repository = make_repository()
    repository.commit("Begin", {"a.py": ONE, "package/b.py": TWO, ".gitignore": ".venv/\n*_made.py\n"})
    return repository


def edited(repository: Repository, *unsaved: str) -> list[str]:
    """The files whose edits count while these are open, each with a text of its own."""
    return sorted({edit.path for edit in repository.working_edits({path: TWO + f"# {path}\n" for path in unsaved})})


def test_an_open_file_that_git_ignores_is_no_edit(built: RepositoryBuilder) -> None:
    library = ".venv/lib/python3.11/site-packages/library.py"
    built.write(library, ONE)
    built.write("model_made.py", ONE)
    with Repository.open(built.path) as repository:
        paths = [library, "model_made.py", "package/other_made.py", "a.py", "new.py", "package/deep/new.py"]
        assert repository.listed(paths) == {"a.py", "new.py", "package/deep/new.py"}
        assert edited(repository, *paths) == ["a.py", "new.py", "package/deep/new.py"]
        assert edited(repository) == []


def test_a_tracked_file_counts_whatever_is_ignored(built: RepositoryBuilder) -> None:
    built.write("old_made.py", ONE)
    built.git("add", "--force", "old_made.py")
    built.commit("Keep it")
    with Repository.open(built.path) as repository:
        assert edited(repository, "old_made.py") == ["old_made.py"]


def test_patterns_that_change_are_heeded_at_once(built: RepositoryBuilder) -> None:
    built.write("tools/new.py", TWO)
    with Repository.open(built.path) as repository:
        assert edited(repository) == ["tools/new.py"]
        for place, pattern in ((".gitignore", "tools/"), ("tools/.gitignore", "*"), (".git/info/exclude", "new.py")):
            file = built.path / place
            before = file.read_text() if file.exists() else None
            built.write(place, f"{before or ''}{pattern}\n")
            assert edited(repository) == edited(repository, "tools/new.py", "tools/unsaved/new.py") == [], place
            if before is None:
                file.unlink()
            else:
                file.write_text(before)
            assert edited(repository) == ["tools/new.py"], place


def test_what_the_user_ignores_everywhere_is_ignored(
    built: RepositoryBuilder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built.write("scratch/x.py", TWO)
    built.write("new.py", TWO)
    ignored = tmp_path / "ignored everywhere"
    ignored.write_text("scratch/\n")
    with Repository.open(built.path) as repository:
        assert edited(repository) == ["new.py", "scratch/x.py"]
    settings = tmp_path / "gitconfig"
    settings.write_text(f'[core]\n\texcludesFile = "{ignored.as_posix()}"\n\tbare = true\n')
    with monkeypatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(settings))
        with Repository.open(built.path) as repository:
            assert edited(repository) == ["new.py"]
            assert edited(repository, "scratch/y.py") == ["new.py"]
    (tmp_path / "home" / ".config" / "git").mkdir(parents=True)
    (tmp_path / "home" / ".config" / "git" / "ignore").write_text("new.py\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    with Repository.open(built.path) as repository:
        assert edited(repository) == ["scratch/x.py"]


def test_what_a_repository_ignores_by_a_file_of_its_own_comes_before_what_the_user_ignores_everywhere(
    built: RepositoryBuilder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built.write("scratch/x.py", TWO)
    built.write("new.py", TWO)
    for name, pattern in (("everywhere", "scratch/"), ("here", "new.py")):
        (tmp_path / name).write_text(f"{pattern}\n")
    settings = tmp_path / "gitconfig"
    settings.write_text(f'[core]\n\texcludesFile = "{(tmp_path / "everywhere").as_posix()}"\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    with Repository.open(built.path) as repository:
        assert edited(repository) == ["new.py"]
        built.git("config", "core.excludesFile", (tmp_path / "here").as_posix())
        built.write("another.py", TWO)
        assert edited(repository) == ["another.py", "scratch/x.py"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_lists_that_are_named_pipes_are_left_alone(built: RepositoryBuilder, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    built.write("new.py", TWO)
    built.write("a.py", TWO)
    for name in ("core.excludesFile", "core.attributesFile"):
        built.git("config", name, str(pipe))
        with Repository.open(built.path) as repository:
            assert edited(repository) == ["a.py", "new.py"]
            assert repository.in_work_tree().files.keys() == {"a.py", "new.py"}


def test_a_repository_within_is_its_own(built: RepositoryBuilder, make_repository: MakeRepository) -> None:
    inner = make_repository("inner")
    inner.commit("Inside", {"c.py": ONE})
    built.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner.path), "module")
    built.commit("Add a submodule")
    built.git("clone", "--quiet", str(inner.path), "clone")
    built.git("worktree", "add", "--quiet", "--detach", "tree")
    for place in ("module/c.py", "clone/c.py", "clone/new.py", "tree/a.py"):
        with Repository.open(built.path) as repository:
            assert repository.listed([place]) == frozenset(), place
            assert edited(repository, place) == [], place
        with Repository.open(built.path / place) as repository:
            path = repository.relative(built.path / place)
            assert path == place.partition("/")[2]
            assert edited(repository, path) == [path]


def test_files_that_a_repository_within_took_over_are_no_longer_the_outer_ones(built: RepositoryBuilder) -> None:
    built.write("package/b.py", ONE)
    with Repository.open(built.path) as repository:
        assert edited(repository) == ["package/b.py"]
        built.git("init", "--quiet", "package")
        assert edited(repository) == edited(repository, "package/b.py") == []


def test_an_empty_folder_called_like_gits_is_no_repository(built: RepositoryBuilder) -> None:
    (built.path / "package" / ".git").mkdir()
    with Repository.open(built.path) as repository:
        assert edited(repository, "package/b.py") == ["package/b.py"]


def test_a_symbolic_link_is_its_target_or_nothing(built: RepositoryBuilder, make_repository: MakeRepository) -> None:
    other = make_repository("other")
    other.commit("Begin", {"far.py": ONE})
    outside = built.write("../outside/free.py", ONE)
    try:
        (built.path / "link.py").symlink_to("a.py")
        (built.path / "far.py").symlink_to(other.path / "far.py")
        (built.path / "free.py").symlink_to(outside)
        (built.path / "linked").symlink_to(other.path, target_is_directory=True)
    except OSError:
        pytest.skip("this system lets nobody make symbolic links")
    with Repository.open(built.path / "link.py") as repository:
        assert repository.root == built.path
        assert repository.relative(built.path / "link.py") == "a.py"
        assert repository.relative(built.path / "far.py") is None
        assert repository.relative(built.path / "linked" / "far.py") is None
        links = ["link.py", "far.py", "free.py", "linked/far.py"]
        assert repository.listed(links) == frozenset()
        assert edited(repository, *links) == []
    for place in ("far.py", "linked/far.py"):
        with Repository.open(built.path / place) as repository:
            assert repository.root is not None
            assert repository.root.samefile(other.path)
            assert repository.relative(built.path / place) == "far.py"


def test_many_files_are_named_as_each_is_by_itself(built: RepositoryBuilder, make_repository: MakeRepository) -> None:
    other = make_repository("other")
    other.commit("Begin", {"far.py": ONE})
    files = [built.path / place for place in ("a.py", "package/b.py", "package/new/c.py", "package/../a.py")]
    files += [built.path, other.path / "far.py", built.path.parent / f"{built.path.name}ping" / "a.py"]
    try:
        (built.path / "link.py").symlink_to("package/b.py")
        (built.path / "linked").symlink_to(other.path, target_is_directory=True)
        (built.path / "package" / "inner").symlink_to("..", target_is_directory=True)
    except OSError:
        pass  # this system lets nobody make symbolic links
    else:
        files += [built.path / place for place in ("link.py", "linked/far.py", "linked", "package/inner/a.py")]
    with Repository.open(built.path) as repository:
        names = repository.relatives(files)
        assert names == {file: repository.relative(file) for file in files}
        assert [names[file] for file in files[:4]] == ["a.py", "package/b.py", "package/new/c.py", "a.py"]
        assert names[files[5]] is names[files[6]] is None
        real = {file: Path(os.path.realpath(file)) for file in files if names[file] is not None}
        assert {built.path.resolve() / str(names[file]) for file in real} == set(real.values())


def test_what_git_lists_is_looked_up_once_for_all_questions_of_a_moment(
    built: RepositoryBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []

    def counted(lister: Lister) -> Listing:
        looks.append(lister)
        return look(lister)

    look = Lister.look
    monkeypatch.setattr(Lister, "look", counted)
    with Repository.open(built.path) as repository:
        now = time.monotonic()
        assert repository.listed(["a.py"], now) == {"a.py"}
        repository.working({"a.py": TWO}, now)
        assert repository.listed(["package/b.py"], now) == {"package/b.py"}
        assert len(looks) == 1
        built.write("new.py", TWO)
        assert [edit.path for edit in repository.working({}, time.monotonic())[0]] == ["new.py"]
        assert len(looks) == 2
        repository.leave_out(("new.py",))
        assert repository.listed(["new.py"], now) == frozenset()
        assert len(looks) == 3
        assert repository.listed(["a.py"]) == {"a.py"}
        assert len(looks) == 4


@pytest.mark.parametrize(
    "mark", ["Env/pyvenv.cfg", "opt/conda/conda-meta/history", "cache/CACHEDIR.TAG", "deep/er/env/pyvenv.cfg"]
)
def test_an_untracked_tree_that_a_tool_made_is_nobodys_work(built: RepositoryBuilder, mark: str) -> None:
    folder = mark.rpartition("/")[0].removesuffix("/conda-meta")
    for number in range(12):
        built.write(f"{folder}/lib/python3.11/p{number % 3}/m{number}.py", TWO)
    with Repository.open(built.path) as repository:
        assert len(edited(repository)) == 12
        built.write(mark, "home = /usr/bin\n")
        assert edited(repository) == []
        assert edited(repository, f"{folder}/lib/python3.11/p1/m1.py", f"{folder}/new.py", "a.py") == ["a.py"]


def test_a_repository_made_within_a_virtual_environment_is_work(built: RepositoryBuilder) -> None:
    built.write("pyvenv.cfg", "home = /usr/bin\n")
    built.write("lib/site-packages/library.py", TWO)
    built.write("new.py", TWO)
    with Repository.open(built.path) as repository:
        assert edited(repository) == ["new.py"]


@pytest.mark.parametrize(
    "place",
    [
        "node_modules/node-gyp/gyp/input.py",
        "web/node_modules/x/y.py",
        ".tox/py311/x.py",
        "build/lib/package/b.py",
        "venv/lib/x.py",
        "usr/lib/python3/dist-packages/x.py",
        "api/users_pb2.py",
    ],
)
def test_what_is_excluded_is_neither_read_nor_counted_unless_it_is_tracked(
    built: RepositoryBuilder, place: str
) -> None:
    built.write(place, TWO)
    with Repository.open(built.path) as repository:
        assert edited(repository, place) == edited(repository) == []
        built.git("add", "--force", place)
        assert edited(repository) == [place]


def test_globs_may_be_added(built: RepositoryBuilder) -> None:
    built.write("generated/x.py", TWO)
    built.write("scratch.py", TWO)
    with Repository.open(built.path, (*DEFAULT_EXCLUDE, "generated/**", "scratch.py")) as repository:
        assert edited(repository) == []
        assert edited(repository, "generated/y.py", "scratch.py", "a.py") == ["a.py"]
        repository.leave_out((*DEFAULT_EXCLUDE, "scratch.py"))
        assert edited(repository) == ["generated/x.py"]


def test_a_file_that_is_merely_open_is_no_edit(built: RepositoryBuilder) -> None:
    built.commit("Windows", {"w.py": ONE.replace("\n", "\r\n"), "bom.py": "\ufeff" + TWO})
    with Repository.open(built.path) as repository:
        same = {"a.py": ONE, "package/b.py": TWO.replace("\n", "\r\n"), "w.py": ONE, "bom.py": TWO}
        assert repository.working(same) == ((), {}, {})
        os.utime(built.path / "a.py", (1, 1))
        assert repository.working(same) == ((), {}, {})
        edits, changed, _ = repository.working({**same, "a.py": ONE.replace("1", "2")})
        assert [edit.path for edit in edits] == list(changed) == ["a.py"]
        built.write("a.py", ONE.replace("1", "3"))
        assert repository.working(same) == ((), {}, {}), "what is open counts, not what is on disk"


def test_unsaved_and_tracked_and_recent_files_come_first(built: RepositoryBuilder) -> None:
    built.commit("More", {f"{name}.py": ONE for name in "cdef"})
    for age, path in enumerate(["d.py", "a.py", "aaa/untracked.py", "e.py"]):
        os.utime(built.write(path, TWO), (1_600_000_000 - age, 1_600_000_000 - age))
    built.remove("c.py")
    with Repository.open(built.path) as repository:
        edits = repository.working_edits({"f.py": TWO})
    assert list(dict.fromkeys(edit.path for edit in edits)) == [
        "f.py",
        "d.py",
        "a.py",
        "e.py",
        "aaa/untracked.py",
        "c.py",
    ]


def test_names_that_no_list_can_hold_are_left_out(built: RepositoryBuilder) -> None:
    odd = ["", "/", "..", "../a.py", ".git/a.py", "a.py/", "a\0.py", "./a.py", "notes.txt", "secrets.py", "\udcff.py"]
    with Repository.open(built.path) as repository:
        assert repository.listed(odd) == frozenset()
        assert edited(repository, *odd) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_in_a_files_place_is_not_waited_for(built: RepositoryBuilder) -> None:
    os.mkfifo(built.path / "pipe.py")
    built.remove("a.py")
    os.mkfifo(built.path / "a.py")
    with Repository.open(built.path) as repository:
        assert edited(repository) == ["a.py"]
        assert repository.listed(["pipe.py"]) == frozenset()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_where_git_cannot_say_what_is_ignored_tracked_files_alone_count(
    built: RepositoryBuilder, caplog: pytest.LogCaptureFixture
) -> None:
    built.write("new.py", TWO)
    built.write("a.py", TWO)
    (built.path / ".gitignore").unlink()
    os.mkfifo(built.path / ".gitignore")
    with Repository.open(built.path) as repository:
        for _ in range(3):
            assert edited(repository) == ["a.py"]
            assert edited(repository, "new.py", "package/b.py") == ["a.py", "package/b.py"]
        assert len(caplog.records) == 1
        (built.path / ".gitignore").unlink()
        assert edited(repository) == ["a.py", "new.py"]


@pytest.mark.parametrize("file", [".gitignore", "package/.gitignore", ".git/info/exclude", ".gitattributes"])
def test_patterns_that_keep_git_matching_for_ever_stop_nothing(
    built: RepositoryBuilder, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codewm_lsp.history.listing._OTHERS_SECONDS", 0.5)
    built.write(file, "*a" * 24 + "b\n" if file != ".gitattributes" else "*a" * 24 + "b ident\n")
    long = "package/" + "a" * 120 + ".py"
    built.write(long, TWO)
    built.write("a.py", TWO)
    with Repository.open(built.path) as repository:
        for _ in range(3):
            assert set(edited(repository)) <= {"a.py", long}
            assert "a.py" in edited(repository, long)


def test_every_folder_has_its_say_however_long_git_looked(
    built: RepositoryBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a repository so large that Git is not asked at every pause: what changed is seen all the same."""
    monkeypatch.setattr("codewm_lsp.history.listing._AT_ONCE", 0.0)
    monkeypatch.setattr("codewm_lsp.history.listing._SHARE", 1e9)
    built.write("tools/one.py", TWO)
    for folder in ("", "package", "tools"):
        os.utime(built.path / folder, (1_600_000_000, 1_600_000_000))
    with Repository.open(built.path) as repository:
        assert edited(repository) == ["tools/one.py"]
        asked: list[tuple[str, ...]] = []
        start = repository._git.start

        def counted(*arguments: str, **options: object) -> object:
            asked.append(arguments)
            return start(*arguments, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(repository._git, "start", counted)
        assert edited(repository) == ["tools/one.py"]
        assert not [arguments for arguments in asked if arguments[0] == "ls-files"]
        built.write("tools/two.py", TWO)
        assert edited(repository) == ["tools/one.py", "tools/two.py"]
        built.write("three.py", TWO)
        built.write("package/four.py", TWO)
        assert edited(repository) == ["package/four.py", "three.py", "tools/one.py", "tools/two.py"]


def test_a_folder_that_became_a_link_or_a_file_lost_its_files(built: RepositoryBuilder, tmp_path: Path) -> None:
    (built.path / "package").rename(tmp_path / "package")
    built.write("package", "no folder any more\n")
    with Repository.open(built.path) as repository:
        assert edited(repository) == ["package/b.py"]
        assert edited(repository, "package/b.py", "package/c.py") == ["package/b.py"]

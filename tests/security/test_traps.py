"""Opening a stranger's repository runs nothing of it, opens no connection, writes nowhere but into the cache."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codewm_lsp.errors import RepositoryError
from codewm_lsp.history import location
from tests.security.conftest import Run, service
from tests.security.traps import set_traps
from tests.server.conftest import StartEditor

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the traps are shell scripts")
COMMANDS = (("hints", "--diff"), ("similar", "--at", "HEAD"), ("index",), ("doctor",))


@pytest.fixture
def repository(make_repository: Callable[..., Any]) -> Any:
    """Three services with a time-out and a fourth that is just being given one; a submodule's gitlink."""
    repository = make_repository("services")
    names = ("users", "orders", "invoices", "reports")
    repository.commit("Begin", {f"{name}.py": service(name) for name in names})
    for name in names[:-1]:
        repository.commit(f"Add timeout to {name}", {f"{name}.py": service(name, timeout=True)})
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{repository.head()},inner")
    repository.git("commit", "--quiet", "--message", "Link", **repository._who("Ada <ada@example.org>", None))
    inner = repository.path / "inner"
    inner.mkdir()
    repository.write("reports.py", service("reports", timeout=True))
    return repository


@pytest.fixture
def armed_path(trap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Helpers of Git's that a URL may name are traps too."""
    helpers = tmp_path / "bin"
    helpers.mkdir()
    for name in ("git-remote-trap", "git-remote-ext", "git-credential-trap", "ssh", "gpg", "less", "vi", "git-lfs"):
        shutil.copy(trap, helpers / name)
    monkeypatch.setenv("PATH", f"{helpers}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.usefixtures("armed_path")
@pytest.mark.parametrize("way", ["config", "include", "includeIf", "worktree"])
def test_no_command_runs_what_the_repository_names(way: str, repository: Any, trap: Path, codewm: Run) -> None:
    set_traps(repository, trap, way)
    for command in COMMANDS if way == "config" else COMMANDS[:1]:
        done = codewm(*command, "-C", repository.path)
        assert done.returncode == 0, done.stderr
    assert not trap.with_name("it-ran").exists(), trap.with_name("it-ran").read_text()

    subprocess.run(["git", "diff"], cwd=repository.path, capture_output=True, check=False)
    assert trap.with_name("it-ran").exists(), "the traps are no traps"


@pytest.mark.usefixtures("armed_path")
async def test_no_question_of_an_editor_runs_what_the_repository_names(
    repository: Any, trap: Path, start_editor: StartEditor
) -> None:
    set_traps(repository, trap, "config")
    # objects that are missing must not be fetched, with whatever transport the remote names
    repository.git("config", "core.repositoryFormatVersion", "1")
    repository.git("config", "extensions.partialClone", "origin")
    lost = repository.git("rev-parse", "HEAD~3:users.py")
    (repository.path / ".git" / "objects" / lost[:2] / lost[2:]).unlink()
    mark = trap.with_name("it-ran")
    mark.unlink(missing_ok=True)  # git itself, asked by this test, may have stepped into a trap
    async with start_editor(repository.path) as editor:
        uri = editor.open("reports.py")
        await editor.lenses_when(uri)
        root = repository.path.as_uri()
        answer = await editor.run("codewm.showSimilarEdits", {"uri": uri, "definition": "fetch_reports", "show": False})
        assert answer["edits"]
        commit = answer["edits"][0]["commit"]
        await editor.run("codewm.showNextEdits", {"uri": uri, "show": False})
        await editor.run("codewm.commitEdits", {"root": root, "commit": commit})
        await editor.run("codewm.fileAt", {"root": root, "commit": commit, "path": "users.py", "side": "before"})
        for revision in ("--upload-pack=x", "-O/tmp/x", "HEAD@{u}", f":/{'a' * 5000}", "\n", "ext::sh -c true"):
            with pytest.raises(Exception, match=r"."):
                await editor.run("codewm.commitEdits", {"root": root, "commit": revision})
        await editor.run("codewm.reindex")
        editor.save(uri)
        await editor.lenses_when(uri)
    assert not mark.exists(), mark.read_text()


def test_files_outside_are_neither_read_nor_named(repository: Any, codewm: Run, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "diary.py").write_text("def my_diary_entry():\n    return 'private'\n", encoding="utf-8")
    (outside / "reports.py").write_text("def my_diary_entry():\n    return 'private'\n", encoding="utf-8")
    repository.git("config", "core.worktree", str(outside))
    (repository.path / "link.py").symlink_to(outside / "diary.py")
    (repository.path / "folder").symlink_to(outside, target_is_directory=True)
    repository.git("--work-tree", ".", "add", "link.py", "folder")
    for arguments in (("hints", "--diff", "-k", "0"), ("hints", "--json", "-k", "0")):
        done = codewm(*arguments, "-C", repository.path)
        assert done.returncode == 0, done.stderr
        assert "fetch_reports" in done.stdout
        assert "diary" not in done.stdout + done.stderr
    for file in (tmp_path / "cache").rglob("*"):
        assert not file.is_file() or b"diary" not in file.read_bytes()


def test_objects_of_another_repository_are_at_most_read(
    repository: Any, make_repository: Callable[..., Any], codewm: Run, trap: Path
) -> None:
    """An alternate object store and a ``.git`` file may lead anywhere: what lies there is data too."""
    other = make_repository("other")
    other.commit("Begin", {"a.py": "def elsewhere():\n    return 1\n"})
    set_traps(other, trap, "config")
    alternates = repository.path / ".git" / "objects" / "info" / "alternates"
    alternates.parent.mkdir(exist_ok=True)
    alternates.write_text(
        f"{other.path / '.git' / 'objects'}\n/nowhere/objects\n../../../up\n\x1b[2J\n", encoding="utf-8"
    )
    before = snapshot(other.path)
    done = codewm("hints", "-C", repository.path)
    assert done.returncode == 0, done.stderr
    assert "elsewhere" not in done.stdout

    pointed = make_repository("pointed")
    shutil.rmtree(pointed.path / ".git")
    pointed.write(".git", f"gitdir: {other.path / '.git'}\n")
    codewm("hints", "-C", pointed.path)
    assert snapshot(other.path) == before
    assert not trap.with_name("it-ran").exists()


@pytest.mark.parametrize("server", ["//evil.example/share", "\\\\evil.example\\share", '"//evil.example/share"'])
@pytest.mark.parametrize("file", [".git", "commondir", "alternates"])
def test_no_other_machine_is_asked_where_paths_can_name_one(
    file: str, server: str, repository: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows; the check itself is run everywhere."""
    monkeypatch.setattr(location, "_REACHES_NETWORK", True)
    git = repository.path / ".git"
    if file == ".git":
        git.rename(repository.path / "elsewhere")
        git.write_text(f"gitdir: {server}\n", encoding="utf-8")
    elif file == "commondir":
        (git / "commondir").write_text(f"{server}\n", encoding="utf-8")
    else:
        (git / "objects" / "info" / "alternates").write_text(f"../../other\n{server}\n", encoding="utf-8")
    with pytest.raises(RepositoryError, match="refers to another machine"):
        location.locate(repository.path)


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


async def test_nothing_is_written_into_the_users_folders(
    repository: Any, codewm: Run, tmp_path: Path, start_editor: StartEditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Libraries have caches, device numbers and telemetry of their own: none of them may come to life."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.delenv("CI", raising=False)  # which switches ONNX Runtime's telemetry off
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    folders = {f"XDG_{name}_HOME": str(home / name) for name in ("CACHE", "CONFIG", "DATA", "STATE")}
    done = codewm("hints", "-C", repository.path, HOME=str(home), **folders)
    assert done.returncode == 0, done.stderr
    assert [str(path) for path in home.rglob("*") if path.is_file()] == []

    async with start_editor(repository.path) as editor:
        await editor.lenses_when(editor.open("reports.py"))
    found = [path for folder in (home, tmp_path / "cache") for path in folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in found} <= {
        *(".sqlite3", ".sqlite3-wal", ".sqlite3-shm", ".vectors", ".writer"),
        ".json",  # which files past commits changed
        ".npz",  # what was parsed
    }


def can_trace() -> bool:
    strace = shutil.which("strace")
    return strace is not None and subprocess.run([strace, "-o", os.devnull, "true"], check=False).returncode == 0


@pytest.mark.skipif(not can_trace(), reason="NO SYSTEM CALLS ARE CHECKED: strace is not installed or may not trace")
@pytest.mark.usefixtures("armed_path")
def test_the_system_sees_git_run_files_of_the_cache_written_and_no_connection(
    repository: Any, trap: Path, codewm: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_traps(repository, trap, "config")
    monkeypatch.delenv("CI", raising=False)  # which switches ONNX Runtime's telemetry off
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    log = tmp_path / "calls"
    calls = "execve,connect,bind,listen,accept4,sendto,socket,open,openat,creat,rename,renameat2,unlink,link,symlink"
    strace = ("strace", "-f", "-qq", "-y", "-s", "4096", "-e", f"trace={calls}", "-o", str(log))
    done = codewm("hints", "--diff", "-C", repository.path, prefix=strace, PYTHONDONTWRITEBYTECODE="1")
    assert done.returncode == 0, done.stderr
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    assert len(lines) > 100

    run = {os.path.basename(m[1]) for line in lines if (m := re.search(r'execve\("([^"]+)".*= 0$', line))}
    assert run == {os.path.basename(sys.executable), "git"}
    assert not [line for line in lines if re.search(r"\b(connect|bind|listen|accept4|sendto)\(", line)]
    assert not [line for line in lines if re.search(r"socket\((?!AF_UNIX)", line)]

    patterns = (
        r'open(?:at)?\((?:[^,"]*, )?"([^"]+)", [^)]*O_(?:WRONLY|RDWR|CREAT)',
        r'(?:creat|rename\w*|unlink|link|symlink)\((?:[^,"]*, )?"([^"]+)"',
    )
    written = {match[1] for line in lines for pattern in patterns if (match := re.search(pattern, line))}
    own = str(tmp_path / "cache")
    foreign = {path for path in written if not path.startswith((own, "/dev/", "/proc/"))}
    assert foreign == set()
    assert any(path.startswith(own) for path in written)

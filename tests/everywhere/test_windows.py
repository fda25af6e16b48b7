"""What Windows makes of paths, dates and open files."""

from __future__ import annotations

import ntpath
import os
from collections.abc import Callable
from pathlib import Path, PureWindowsPath
from types import SimpleNamespace
from typing import Any

import pytest
from pygls import uris

from codewm_lsp import logs
from codewm_lsp.dates import moment
from codewm_lsp.history import LAST_DATE, Repository, paths
from codewm_lsp.history import repository as repository_module
from codewm_lsp.index import Dismissal, Index, Scope
from codewm_lsp.server.evidence import DiffFiles
from tests.server.conftest import service
from tests.server.test_logs import record


@pytest.mark.parametrize(
    "name",
    ["con.py", "NUL.py", "aux", "com1.py", "LPT9.tar.py", "prn .py", "a.py.", "a.py ", "a:b.py", "..\\up.py", "git~1"],
)
def test_names_that_are_no_files_there(name: str) -> None:
    assert not paths.is_name_on_windows(name)


@pytest.mark.parametrize("name", ["console.py", "nullable.py", "com.py", "com10.py", "auxiliary", ".env.py", "ä b.py"])
def test_names_that_are(name: str) -> None:
    assert paths.is_name_on_windows(name)


def test_files_that_cannot_be_there_are_not_taken_for_deleted(
    make_repository: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = make_repository()
    odd = ("aux.py", "con/a.py", "a:b.py")
    repository.commit("Begin", {name: service("users") for name in ("good.py", *odd)})
    repository.commit("Go on", {name: service("users", timeout=True) for name in ("good.py", *odd)})
    for name in odd:
        repository.remove(name)  # Git for Windows cannot check them out
    monkeypatch.setattr(paths, "_WINDOWS", True)
    with Repository.open(repository.path) as opened:
        assert opened.working_edits() == ()
        assert {edit.path for edit in opened.edits_of("HEAD").edits} == {"good.py", *odd}  # the history has them
        assert opened.text_at("HEAD", "aux.py") is None
        assert opened.text_at("HEAD", "good.py") is not None


@pytest.mark.parametrize(
    ("path", "opened"),
    [
        ("C:\\short\\a.py", "C:\\short\\a.py"),
        ("C:\\" + "d\\" * 200 + "a.py", "\\\\?\\C:\\" + "d\\" * 200 + "a.py"),
        ("\\\\server\\share\\" + "d\\" * 200 + "a.py", "\\\\?\\UNC\\server\\share\\" + "d\\" * 200 + "a.py"),
        ("\\\\?\\C:\\" + "d\\" * 200 + "a.py", "\\\\?\\C:\\" + "d\\" * 200 + "a.py"),
    ],
)
def test_long_paths_can_be_opened(path: str, opened: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "_WINDOWS", True)
    assert paths.to_open(path) == opened
    monkeypatch.setattr(paths, "_WINDOWS", False)
    assert paths.to_open(path) == path


@pytest.mark.skipif(os.name == "nt", reason="the limit is another there")
def test_a_deep_file_is_read(make_repository: Callable[..., Any]) -> None:
    repository = make_repository()
    deep = "/".join(["a_folder_with_a_long_name"] * 20) + "/users.py"
    repository.commit("Begin", {deep: service("users")})
    repository.write(deep, service("users", timeout=True))
    with Repository.open(repository.path) as opened:
        assert [(edit.path, edit.definition) for edit in opened.working_edits()] == [(deep, "UsersClient.fetch_users")]


@pytest.mark.parametrize(
    ("root", "file", "relative"),
    [
        ("C:\\Code\\Shop", "C:\\Code\\Shop\\App\\a.py", "App/a.py"),
        ("C:\\Code\\Shop", "c:\\code\\shop\\App\\a.py", "App/a.py"),  # as VS Code writes drive letters
        ("C:\\Code\\Shop", "C:/Code/Shop/App/a.py", "App/a.py"),
        ("C:\\Code\\Shop", "D:\\Code\\Shop\\a.py", None),
        ("C:\\Code\\Shop", "C:\\Code\\Shopping\\a.py", None),
        ("C:\\Code\\Shop", "C:\\Code\\Shop\\..\\a.py", None),
        ("C:\\", "C:\\a.py", "a.py"),
        ("\\\\server\\share\\Shop", "\\\\SERVER\\share\\shop\\a.py", "a.py"),
        ("\\\\server\\share\\Shop", "\\\\other\\share\\Shop\\a.py", None),
    ],
)
def test_drive_letters_and_shares(
    root: str, file: str, relative: str | None, make_repository: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_repository()
    made.commit("Begin", {"App/a.py": "x = 1\n"})
    windows = SimpleNamespace(path=ntpath, sep="\\", curdir=".", pardir="..")
    with Repository.open(made.path) as opened:
        monkeypatch.setattr(repository_module, "os", windows)
        monkeypatch.setattr(Repository, "root", property(lambda self: PureWindowsPath(root)))
        assert opened.relative(PureWindowsPath(file)) == relative  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///c%3A/Code/a%20b.py", "c:\\Code\\a b.py"),
        ("file:///C:/Code/caf%C3%A9.py", "c:\\Code\\café.py"),
        ("file://server/share/a.py", "\\\\server\\share\\a.py"),
    ],
)
def test_uris_of_drives_and_shares(uri: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uris, "IS_WIN", True)
    assert (uris.to_fs_path(uri) or "").casefold() == path.casefold()
    assert uris.to_fs_path(uris.from_fs_path(path) or "") == uris.to_fs_path(uri)


def test_dates_reach_to_the_end_of_what_is_stored() -> None:
    assert moment(LAST_DATE).isoformat() == "9999-12-31T23:59:59+00:00"
    assert moment(0).isoformat() == "1970-01-01T00:00:00+00:00"


@pytest.mark.usefixtures("windows_files")
def test_read_only_diffs_are_cleared_away() -> None:
    diffs = DiffFiles()
    file = diffs.write("con", "a diff\n")
    assert file.read_text(encoding="utf-8") == "a diff\n"
    assert paths.is_name_on_windows(file.name)
    with pytest.raises(PermissionError):
        os.unlink(file)
    diffs.remove()
    assert not file.parent.exists()


@pytest.mark.usefixtures("windows_files")
def test_a_log_that_a_virus_scanner_holds_goes_on_when_it_is_let_go(tmp_path: Path) -> None:
    handler = logs.OwnLogFile(tmp_path)
    handler.handle(record("first"))
    with open(handler.baseFilename, "rb"):
        for _ in range(2 * logs.BYTES // 900):
            handler.handle(record("x" * 880))
    handler.handle(record("the last line"))
    handler.close()
    assert "the last line" in Path(handler.baseFilename).read_text(encoding="utf-8")


@pytest.mark.usefixtures("windows_files")
@pytest.mark.parametrize("harm", ["truncated", "overwritten"])
def test_broken_files_are_set_aside_where_an_open_file_cannot_be_renamed(harm: str, tmp_path: Path) -> None:
    def damage(path: Path) -> None:
        data = path.read_bytes()
        path.write_bytes(data[:300] if harm == "truncated" else b"x" * 4096 + data[4096:])

    def reopened() -> Index:
        return Index.open("a-repository", "a-model", folder=tmp_path, edit_size=64)

    dismissal = Dismissal(Scope.COMMIT, "0" * 40)
    with reopened() as index:
        index.dismissals.add(dismissal)
    assert index.path is not None
    damage(index.path)
    with reopened() as index:
        assert len(index.notices) == 1
        assert index.log.size() == 0
        assert index.dismissals.all() == {dismissal}
        assert len(list(index.path.parent.glob("*.broken-1"))) == 1
        (dismissals,) = (file for file in tmp_path.rglob("*dismissed*") if file.suffix == ".sqlite3")
        damage(dismissals)
        assert index.dismissals.all() == frozenset()
        index.dismissals.add(dismissal)
        assert index.dismissals.all() == {dismissal}

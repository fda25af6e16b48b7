"""Whatever stands in the place of a file of the index, before or while it is used: answers and indexing go on."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from codewm_lsp.history import Commit, CommitEdits, Edit, EditKind
from codewm_lsp.index import Dismissal, Index, Scope
from codewm_lsp.source import DefinitionKind

SIZE = 32
HINT = Dismissal(Scope.HINT, "next:a.py::f")
OTHER = Dismissal(Scope.HINT, "next:b.py::g")

posix = pytest.mark.skipif(os.name == "nt", reason="Windows replaces no file that is open, and has no such files")


def batch(numbers: range) -> list[tuple[CommitEdits, np.ndarray]]:
    """Commits of one edit each, and their vectors."""
    found = []
    for number in numbers:
        commit = Commit(f"{number:040x}", "Ada", 1_700_000_000 + number, f"Change {number}", None)
        kind = DefinitionKind.FUNCTION
        edit = Edit("a.py", f"f{number % 7}", kind, EditKind.MODIFIED, "x = 1", f"x = {number}", 0, None, commit)
        vector = np.random.default_rng(number).standard_normal((1, SIZE)).astype(np.float32)
        found.append((CommitEdits(commit, (edit,), None), vector / np.linalg.norm(vector)))
    return found


def opened(folder: Path) -> Index:
    return Index.open("0123456789abcdef", "model", folder=folder, edit_size=SIZE)


def replaced_by(put: Callable[[Path], object]) -> Callable[[Path], None]:
    def replace(file: Path) -> None:
        file.unlink(missing_ok=True)
        put(file)

    return replace


def beside(suffix: str, put: Callable[[Path], object]) -> Callable[[Path], None]:
    def replace(file: Path) -> None:
        companion = file.with_name(file.name + suffix)
        if not companion.exists():  # one that is open is held by SQLite
            put(companion)

    return replace


def pipe(path: Path) -> None:
    if sys.platform != "win32":
        os.mkfifo(path)


KINDS: dict[str, Callable[[Path], object]] = {
    "a folder": replaced_by(Path.mkdir),
    "a pipe": replaced_by(pipe),
    "a device": replaced_by(lambda file: file.symlink_to("/dev/zero")),
    "a link to nothing": replaced_by(lambda file: file.symlink_to("/nowhere/at/all")),
    "a link to itself": replaced_by(lambda file: file.symlink_to(file)),
    "nothing in it": lambda file: file.write_bytes(b""),
    "garbage": lambda file: file.write_bytes(bytes(range(251)) * 30),
    "half of it": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "a log of garbage": beside("-wal", lambda file: file.write_bytes(bytes(range(251)) * 40)),
    "a log that is a pipe": beside("-wal", pipe),
    "a log that is a folder": beside("-wal", Path.mkdir),
    "a journal that is a pipe": beside("-journal", pipe),
}


@posix
@pytest.mark.parametrize("running", [False, True], ids=["before it is opened", "while it is open"])
@pytest.mark.parametrize("which", ["index", "vectors", "dismissed", "writer"])
@pytest.mark.parametrize("kind", KINDS)
def test_answers_and_indexing_go_on(kind: str, which: str, running: bool, tmp_path: Path) -> None:
    with opened(tmp_path) as index:
        index.log.add(batch(range(20)))
        index.dismissals.add(HINT)
        path = index.path
    assert path is not None
    (vectors,) = path.parent.glob("*.vectors")
    files = {"index": path, "vectors": vectors, "dismissed": path.with_name("dismissed.sqlite3")}
    file = files.get(which, path.with_name(path.name + ".writer"))
    index = opened(tmp_path)
    if running:
        assert index.log.size() == 20
        KINDS[kind](file)
    else:
        index.close()
        KINDS[kind](file)
        index = opened(tmp_path)
    with index:
        edit, vector = batch(range(3, 4))[0][0].edits[0], batch(range(3, 4))[0][1][0]
        assert len(index.search(edit, vector, k=5)) in (0, 5)
        assert index.log.acquire_writer()
        index.log.add(batch(range(21)))
        index.log.release_writer()
        assert index.log.size() == 21
        assert index.search(edit, vector, k=1)[0].edit.commit == edit.commit
        index.dismissals.add(OTHER)
        assert OTHER in index.dismissals.all()
        if which != "dismissed":
            assert HINT in index.dismissals.all()


@posix
def test_a_cache_folder_that_vanishes_is_made_again_or_done_without(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with opened(cache) as index:
        index.log.add(batch(range(9)))
        shutil.rmtree(cache)
        assert index.log.size() == 0
        index.log.add(batch(range(9)))
        assert index.log.size() == 9
        assert index.path is not None
        assert index.path.exists()
        shutil.rmtree(cache)
        cache.write_text("in the way")
        assert index.log.size() == 0
        assert index.path is None
        assert "kept in memory from now on" in index.notices[-1]
        assert index.log.acquire_writer()
        index.log.add(batch(range(9)))
        index.log.release_writer()
        edit, vector = batch(range(3, 4))[0][0].edits[0], batch(range(3, 4))[0][1][0]
        assert index.search(edit, vector, k=1)[0].edit.commit == edit.commit
        assert index.dismissals.all() == frozenset()
        assert cache.read_text() == "in the way"


def test_hints_go_on_while_another_program_holds_what_was_dismissed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(tmp_path) as index:
        index.dismissals.add(HINT)
        assert index.dismissals.all() == {HINT}
        (file,) = tmp_path.rglob("dismissed.sqlite3")
        with closing(sqlite3.connect(file, isolation_level=None)) as held:
            held.execute("BEGIN EXCLUSIVE")
            assert index.dismissals.all() == index.dismissals.all() == {HINT}
            held.execute("ROLLBACK")
        (record,) = caplog.records
        assert "locked by another process" in record.getMessage()
        index.dismissals.add(OTHER)
        assert index.dismissals.all() == {HINT, OTHER}


def test_a_kind_of_dismissal_that_a_later_version_knows_is_left_alone(tmp_path: Path) -> None:
    with opened(tmp_path) as index:
        index.dismissals.add(HINT)
        (file,) = tmp_path.rglob("dismissed.sqlite3")
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("INSERT INTO dismissed VALUES ('author', 'Ada', '', '')")
            connection.commit()
        assert index.dismissals.all() == {HINT}
        assert index.log.size() == 0
        assert index.notices == []
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("SELECT count(*) FROM dismissed").fetchone() == (2,)

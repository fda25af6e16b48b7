"""Kills, full disks, broken files, locks and folders that cannot be written: nothing is lost, one message is given."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from codewm_lsp.errors import IndexStoreError
from codewm_lsp.index import Dismissal, Index, Scope, UpdateOutcome, update
from codewm_lsp.index import store as index_store

Make = Callable[..., Any]
SCRIPT = Path(__file__).with_name("indexing_process.py")


def contents(index: Index) -> Counter[tuple[str, str, str]]:
    return Counter(
        (entry.commit.sha, path, definition) for entry in index.log.entries() for path, definition, *_ in entry.edits
    )


def truth(repository: Any) -> Counter[tuple[str, str, str]]:
    return Counter(
        (item.commit.sha, edit.path, edit.definition) for item in repository.commits() for edit in item.edits
    )


@pytest.fixture
def long_history(make_repository: Make) -> Any:
    """600 commits by ``git fast-import``, each changing one function of one of three files."""
    builder = make_repository()
    lines = []
    texts: dict[int, list[str]] = {file: [f"def f{n}(x):\n    return x\n" for n in range(4)] for file in range(3)}
    for number in range(600):
        file = number % 3
        texts[file][number % 4] = f"def f{number % 4}(x, option_{number}=None):\n    return x.word_{number}()\n"
        text = "\n".join(texts[file])
        lines.append(
            f"commit refs/heads/main\ncommitter Ada <ada@example.org> {1_700_000_000 + number} +0000\n"
            f"data <<EOT\nChange {number}\nEOT\nM 100644 inline file_{file}.py\ndata {len(text)}\n{text}\n"
        )
    builder.git("fast-import", "--quiet", stdin="".join(lines).encode())
    return builder


def test_an_indexer_killed_again_and_again_loses_and_doubles_nothing(
    long_history: Any, open_repository: Make, open_index: Make, tmp_path: Path
) -> None:
    chance = random.Random(5)
    repository = open_repository(long_history.path)
    expected = truth(repository)
    sizes = [0]
    kills = 0
    for _ in range(60):
        process = subprocess.Popen(
            [sys.executable, SCRIPT, long_history.path, tmp_path / "cache"], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        assert next(lines) == "open\n"
        for _ in range(chance.randint(1, 2)):  # let it report a batch or two, then die in the midst of the next
            last = next(lines, "")
        time.sleep(chance.uniform(0, 0.1))
        process.kill()
        process.communicate()
        kills += process.returncode != 0
        index = open_index(repository)  # as a reader finds it
        assert index.notices == []
        found = contents(index)
        assert found <= expected
        assert max(found.values(), default=1) == 1
        whole = Counter(commit for commit, _, _ in found)
        assert all(count == sum(1 for key in expected if key[0] == commit) for commit, count in whole.items())
        assert index.log.size() == found.total() >= sizes[-1]
        sizes.append(index.log.size())
        index.close()
        if last == "complete\n" or index_is_whole(sizes[-1], expected):
            break
    assert kills >= 3
    done = subprocess.run(
        [sys.executable, SCRIPT, long_history.path, tmp_path / "cache"], capture_output=True, text=True
    )
    assert done.stdout.split()[-1] == "complete", done.stderr
    assert contents(open_index(repository)) == expected


def index_is_whole(size: int, expected: Counter[tuple[str, str, str]]) -> bool:
    return size == expected.total()


def test_the_right_to_index_ends_with_the_process_that_had_it(
    make_history: Make, open_repository: Make, open_index: Make, tmp_path: Path
) -> None:
    repository = open_repository(make_history(2).path)
    code = (
        "import sys, time; sys.path.insert(0, sys.argv[1]); from pathlib import Path; "
        "from indexing_process import open_index; from codewm_lsp.history import Repository; "
        "index = open_index(Repository.open(Path(sys.argv[2])), Path(sys.argv[3])); "
        "print(index.log.acquire_writer(), flush=True); time.sleep(600)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, SCRIPT.parent, repository.root, tmp_path / "cache"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    index = open_index(repository)
    assert not index.log.acquire_writer()
    process.kill()
    process.communicate()
    assert index.log.acquire_writer()
    index.log.release_writer()


def test_a_full_disk_stops_indexing_with_a_message_and_keeps_the_rest(
    long_history: Any, open_repository: Make, open_index: Make, encoder: Any
) -> None:
    repository = open_repository(long_history.path)
    index = open_index(repository)
    update(repository, encoder, index.log, limit=100)
    before = contents(index)
    connection = index.log._database._writer  # SQLite's own limit stands in for the disk's
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 8}")
    with pytest.raises(IndexStoreError, match=r"(?s)cannot grow.*full.*Free some space"):
        update(repository, encoder, index.log)
    kept = contents(index)
    assert before <= kept < truth(repository)
    edit = repository.edits_of(repository.head()).edits[0]
    assert index.search(edit, encoder.embed_edits([(edit.before, edit.after)])[0], k=3)

    connection.execute("PRAGMA max_page_count = 1000000")
    assert update(repository, encoder, index.log).outcome is UpdateOutcome.COMPLETE
    assert contents(index) == truth(repository)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 400 KB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small file system")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("this machine does not let root mount")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_disk_that_is_really_full(
    long_history: Any, open_repository: Make, open_index: Make, encoder: Any, small_disk: Path
) -> None:
    repository = open_repository(long_history.path)
    index = open_index(repository, small_disk)
    with pytest.raises(IndexStoreError, match=r"(?s)cannot grow.*Free some space"):
        update(repository, encoder, index.log)
    kept = contents(index)
    assert kept < truth(repository)
    subprocess.run(["mount", "-o", "remount,size=40m", small_disk], check=True)
    assert update(repository, encoder, index.log).outcome is UpdateOutcome.COMPLETE
    assert contents(index) == truth(repository)
    assert index.notices == []
    index.close()


def broken(kind: str, path: Path) -> None:
    data = path.read_bytes()
    if kind == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif kind == "cut to a few bytes":
        path.write_bytes(data[:70])
    elif kind == "overwritten at its start":
        path.write_bytes(b"not a database at all" * 40 + data[840:])
    elif kind == "overwritten in the middle":
        middle = len(data) // 2
        path.write_bytes(data[:8192] + b"\x5a" * (len(data) - 16384) + data[-8192:])
        assert middle > 8192
    elif kind == "foreign":
        path.unlink()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE recipes (name TEXT)")
            connection.commit()
    elif kind == "of another repository":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE meta SET value = 'x' WHERE key = 'repository'")
            connection.commit()
    elif kind == "short of a payload":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("DELETE FROM payloads WHERE commit_id = 2")
            connection.commit()


@pytest.mark.parametrize(
    "kind",
    [
        "truncated",
        "cut to a few bytes",
        "overwritten at its start",
        "overwritten in the middle",
        "foreign",
        "of another repository",
        "short of a payload",
    ],
)
def test_a_broken_file_is_set_aside_and_made_anew_with_one_message(
    kind: str,
    long_history: Any,
    open_repository: Make,
    open_index: Make,
    encoder: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    repository = open_repository(long_history.path)
    with open_index(repository) as index:
        update(repository, encoder, index.log, limit=60)
        path = index.path
    broken(kind, path)
    harm = path.read_bytes()

    index = open_index(repository)
    edit = repository.edits_of(repository.head()).edits[0]
    assert index.search(edit, encoder.embed_edits([(edit.before, edit.after)])[0], k=3) == []
    assert update(repository, encoder, index.log, limit=60).outcome is UpdateOutcome.COMPLETE
    assert len(contents(index)) == 60
    (notice,) = index.notices
    assert str(path) in notice
    assert "is rebuilt" in notice
    assert [record.getMessage() for record in caplog.records] == [notice]
    (aside,) = path.parent.glob("*.broken-?")
    assert aside.read_bytes()[:8192] == harm[:8192]
    with open_index(repository) as later:
        assert later.notices == []
        assert contents(later) == contents(index)


def test_a_file_broken_while_it_is_open_is_made_anew(
    long_history: Any, open_repository: Make, open_index: Make, encoder: Any
) -> None:
    repository = open_repository(long_history.path)
    index = open_index(repository)
    update(repository, encoder, index.log, limit=60)
    with closing(sqlite3.connect(index.path)) as connection:
        connection.execute("UPDATE payloads SET counts = x'00' WHERE commit_id = 60")
        connection.execute("UPDATE meta SET value = '0123456789ABCDEF' WHERE key = 'generation'")
        connection.commit()
    assert index.log.size() == 0
    assert len(index.notices) == 1
    update(repository, encoder, index.log, limit=60)
    assert index.log.size() == 60


def test_a_cache_deleted_while_it_is_open_is_made_anew(
    make_history: Make, open_repository: Make, open_index: Make, encoder: Any, tmp_path: Path
) -> None:
    repository = open_repository(make_history(10).path)
    index = open_index(repository)
    update(repository, encoder, index.log)
    try:
        shutil.rmtree(tmp_path / "cache")
    except PermissionError:
        pytest.skip("this system does not delete files that are open")
    assert index.log.size() == 0
    update(repository, encoder, index.log)
    assert contents(index) == truth(repository)
    assert contents(open_index(repository)) == truth(repository)


def test_a_locked_file_gives_one_message(
    make_history: Make, open_repository: Make, open_index: Make, encoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_store, "BUSY_SECONDS", 0.2)
    repository = open_repository(make_history(10).path)
    with open_index(repository) as index:
        update(repository, encoder, index.log, limit=5)
        path, before = index.path, index.log.size()
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(IndexStoreError, match="locked by another process"):
            open_index(repository)
    index = open_index(repository)
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(IndexStoreError, match="locked by another process"):
            update(repository, encoder, index.log)
        assert index.log.size() == before  # reading goes on
    assert update(repository, encoder, index.log).outcome is UpdateOutcome.COMPLETE
    assert contents(index) == truth(repository)


def test_a_folder_that_is_none_means_an_index_in_memory(
    make_history: Make,
    open_repository: Make,
    open_index: Make,
    encoder: Any,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "file").write_text("in the way")
    repository = open_repository(make_history(10).path)
    index = open_index(repository, tmp_path / "file" / "cache")
    assert index.path is None
    (notice,) = index.notices
    assert "kept in memory" in notice
    assert str(tmp_path / "file" / "cache") in notice
    assert [record.getMessage() for record in caplog.records] == [notice]
    assert update(repository, encoder, index.log).outcome is UpdateOutcome.COMPLETE
    assert contents(index) == truth(repository)
    vector = encoder.embed_edits([("", "return timeout")])
    edit = index.nearest(vector, k=1)[0][0].edit
    index.dismissals.add(Dismissal(Scope.EDIT, edit.commit.sha, edit.path, edit.definition))
    assert edit.id not in {hit.edit.id for hit in index.nearest(vector, k=0)[0]}
    assert index.log.acquire_writer()
    index.log.release_writer()


READ_ONLY = """
import os, sys, numpy.random
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from codewm_lsp.history import Repository
from codewm_lsp.index import update
from indexing_process import WordEncoder, open_index
if os.geteuid() == 0:  # root may write anywhere: go on as somebody else
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
with Repository.open(Path(sys.argv[2])) as repository, open_index(repository, Path(sys.argv[3])) as index:
    print(update(repository, WordEncoder(), index.log).outcome.value, index.path, len(index.notices), index.log.size())
"""


@pytest.mark.parametrize("indexed_before", [False, True])
def test_a_folder_that_cannot_be_written_means_an_index_in_memory(
    indexed_before: bool, make_history: Make, open_repository: Make, open_index: Make, encoder: Any
) -> None:
    if not hasattr(os, "geteuid"):
        pytest.skip("needs POSIX permissions")
    with tempfile.TemporaryDirectory() as temporary:  # pytest's own folder is closed to others
        place = Path(temporary)
        shutil.copytree(make_history(6).path, place / "repository")
        repository = open_repository(place / "repository")
        folder = place / "cache"
        folder.mkdir()
        if indexed_before:
            with open_index(repository, folder) as index:
                update(repository, encoder, index.log)
        everything = (place, *place.rglob("*"))
        if os.geteuid() == 0:
            for path in everything:
                os.chown(path, 65534, 65534)
        for path in everything:
            path.chmod(0o555 if path.is_dir() else 0o444)
        try:
            done = subprocess.run(
                [sys.executable, "-c", READ_ONLY, SCRIPT.parent, place / "repository", folder],
                capture_output=True,
                text=True,
            )
        finally:
            for path in everything:
                path.chmod(0o755)
        assert done.stdout == f"complete None 1 {truth(repository).total()}\n", done.stderr


def test_dismissals_outlive_a_broken_index_and_a_broken_list_is_set_aside(
    make_history: Make, open_repository: Make, open_index: Make, encoder: Any
) -> None:
    repository = open_repository(make_history(6).path)
    with open_index(repository) as index:
        update(repository, encoder, index.log)
        path = index.path
        index.dismissals.add(Dismissal(Scope.COMMIT, repository.head()))
    path.write_bytes(b"broken" * 1000)
    index = open_index(repository)
    assert len(index.dismissals.all()) == 1
    (path.parent / "dismissed.sqlite3").write_bytes(b"broken" * 1000)
    assert index.dismissals.all() == frozenset()
    index.dismissals.add(Dismissal(Scope.HINT, "next:client_0.py::Client.get"))
    assert len(index.dismissals.all()) == 1
    assert list(path.parent.glob("dismissed.sqlite3.broken-1"))

"""A store is filled by many workers at once, and by all that are left when some of them die."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from codewm_lsp.cli.filling import Filled, fill_with, read_slice
from codewm_lsp.errors import OptionError, StoreFailedError
from codewm_lsp.history import Repository
from codewm_lsp.index import update
from codewm_lsp.repository_list import listed
from codewm_lsp.stores import Store, open_store, source_of
from codewm_lsp.workers import Failure, LocalProcesses, RayWorkers
from codewm_lsp.world_model import WorldModel
from tests.cli.workers_that_die import deadly, killed_once, talkative, twice
from tests.stores.histories import two_histories

ROOT = Path(__file__).resolve().parents[2]
with_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install 'codewm[ray]'"
)
posix = pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")


@pytest.fixture(scope="module")
def histories(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return two_histories(tmp_path_factory.mktemp, 24, 3)


@pytest.fixture(scope="module")
def repositories(histories: tuple[Path, Path]) -> Path:
    """A file that lists them."""
    file = histories[0].parent / "repositories.txt"
    beside = os.path.relpath(histories[1], file.parent)
    file.write_text(f"# ours\n\n{histories[0]}\n{beside}\n", encoding="utf-8")
    return file


def opened(folder: Path) -> Store:
    model = WorldModel.load(graphs=())
    return open_store(str(folder), model_hash=model.hash, edit_size=model.edit_size, create=True)


def fill(store: Store, named: list[tuple[str, Path]], workers: Any) -> list[Any]:
    with closing(workers):
        return list(fill_with(store, named, workers, at="HEAD", limit=None, model=None))


def edits_in(folder: Path) -> list[tuple[str, int]]:
    """What is stored, commit by commit."""
    with closing(opened(folder)) as store:
        return sorted((entry.commit.sha, len(entry.edits)) for entry in store.index.log.entries())  # type: ignore[attr-defined]


def truth(histories: tuple[Path, Path], codewm: Callable[..., Any], folder: Path) -> list[tuple[str, int]]:
    done = codewm("index", "--store", folder, *histories)
    assert done.returncode == 0, done.stderr
    return edits_in(folder)


def test_processes_bring_what_one_process_brings_and_bad_lines_stop_nothing(
    histories: tuple[Path, Path], repositories: Path, codewm: Callable[..., Any], tmp_path: Path
) -> None:
    broken = tmp_path / "many.txt"
    broken.write_text(f"nowhere\n{histories[0]}\n{histories[1]}\n", encoding="utf-8")
    done = codewm("index", "--store", tmp_path / "store", "--processes", "2", "--json", broken)
    assert done.returncode == 1
    record = json.loads(done.stdout)
    assert sorted(one["repository"] for one in record["repositories"]) == ["client", "service"]
    assert [one["repository"] for one in record["failed"]] == ["many.txt:1"]
    assert "1 of 3 repositories could not be indexed" in " ".join(done.stderr.split())
    assert edits_in(tmp_path / "store") == truth(histories, codewm, tmp_path / "one by one")
    again = codewm("index", "--store", tmp_path / "store", "--processes", "2", "--json", repositories)
    assert [one["added"] for one in json.loads(again.stdout)["repositories"]] == [0, 0]


def test_a_server_is_told_what_workers_counted(
    histories: tuple[Path, Path], make_address: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def filled(address: str, fill_it: Callable[[Store], object]) -> tuple[int, list[tuple[str, float]]]:
        model = WorldModel.load(graphs=("state", "edit"))
        with closing(open_store(address, model_hash=model.hash, edit_size=model.edit_size, create=True)) as store:
            fill_it(store)
            with Repository.open(histories[0]) as repository:
                edit = next(repository.commits(limit=1)).edits[0]
            (vector,) = model.embed_edits([(edit.before, edit.after)])
            hits = store.search(edit, vector, k=5, accept=lambda past: True)
            return store.size(), [(hit.edit.commit.sha, round(hit.score, 4)) for hit in hits]

    def one_by_one(store: Store) -> None:
        model = WorldModel.load(graphs=("state", "edit"))
        for path in histories:
            with Repository.open(path) as repository:
                update(repository, model, store.shelf(source_of(repository)))

    expected = filled(make_address("one by one"), one_by_one)

    def counted_here(edit: object) -> None:
        raise AssertionError("the process that writes does not count words")

    def by_workers(store: Store) -> None:
        with monkeypatch.context() as here:
            here.setattr("codewm_lsp.stores.commits_done.words_of_edit", counted_here)
            told = fill(store, [(path.name, path) for path in histories], LocalProcesses(read_slice, 2))
        assert all(isinstance(one, Filled) and one.added for one in told)

    assert filled(make_address("by workers"), by_workers) == expected
    assert expected[0] > 0


@posix
def test_a_killed_worker_loses_nothing_and_doubles_nothing(
    histories: tuple[Path, Path], repositories: Path, codewm: Callable[..., Any], tmp_path: Path
) -> None:
    with closing(opened(tmp_path / "store")) as store:
        told = fill(store, listed(repositories), LocalProcesses(killed_once, 2))
        assert sorted(one.source.name for one in told) == ["client", "service"]
    assert all(path.with_name(f"{path.name}.killed").exists() for path in histories)
    assert edits_in(tmp_path / "store") == truth(histories, codewm, tmp_path / "one by one")


@posix
def test_a_job_that_kills_its_worker_again_and_again_fails_alone() -> None:
    with closing(LocalProcesses(deadly, 2)) as workers:
        workers.start("killer", "kill")
        workers.start("raiser", "raise")
        found = dict(workers.finished() for _ in range(2))
        workers.start("broken", "break")
        workers.start("good", "fine")
        found |= dict(workers.finished() for _ in range(2))
    assert found["good"] == "fine"
    assert found["raiser"] == Failure("there is nothing here")
    assert "_no_such_thing" in found["broken"].message
    assert found["killer"].message == f"its worker process ended 3 times (-{signal.SIGKILL.value})"


def test_as_many_jobs_are_done_at_a_time_as_there_are_processes() -> None:
    with closing(LocalProcesses(twice, 2)) as workers:
        assert workers.capacity() == 2
        for number in range(2):
            workers.start(str(number), number)
        assert sorted(workers.finished() for _ in range(2)) == [("0", 0), ("1", 2)]


def test_what_a_process_logs_is_not_printed(capfd: pytest.CaptureFixture[str]) -> None:
    with closing(LocalProcesses(talkative, 1)) as workers:
        workers.start("one", "too large")
        assert workers.finished() == ("one", "too large")
    assert capfd.readouterr() == ("", "")


def test_a_long_history_is_read_slice_by_slice(
    histories: tuple[Path, Path], codewm: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Here:
        """Does each job at once."""

        def __init__(self) -> None:
            self.slices = 0
            self.done: list[tuple[str, Any]] = []

        def capacity(self) -> int:
            return 1

        def start(self, name: str, job: Any) -> None:
            self.slices += 1
            self.done.append((name, read_slice(job)))

        def finished(self) -> tuple[str, Any]:
            return self.done.pop()

        def close(self) -> None:
            pass

    monkeypatch.setattr("codewm_lsp.cli.filling.SLICE_SECONDS", 0.0)
    here = Here()
    with closing(opened(tmp_path / "store")) as store:
        told = fill(store, [(path.name, path) for path in histories], here)
    assert all(isinstance(one, Filled) and one.done == one.total == 24 for one in told)
    assert here.slices > 2 * len(histories)
    assert edits_in(tmp_path / "store") == truth(histories, codewm, tmp_path / "one by one")


def test_the_same_repository_twice_is_said_once(histories: tuple[Path, Path], tmp_path: Path) -> None:
    with closing(opened(tmp_path / "store")) as store:
        told = fill(store, [("a", histories[0]), ("b", histories[0])], LocalProcesses(read_slice, 1))
    assert [one[0] for one in told if not isinstance(one, Filled)] == ["b"]
    assert "is the same repository as" in next(one[1] for one in told if not isinstance(one, Filled))


@pytest.mark.parametrize(
    ("content", "message"), [(b"\xff\xfe", "not UTF-8"), (b"# nothing\n\n", "lists no repository")]
)
def test_a_file_that_lists_nothing_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_bytes(content)
    with pytest.raises(OptionError, match=message):
        listed(file)


def test_lines_that_name_no_repository_stop_nothing(
    histories: tuple[Path, Path], codewm: Callable[..., Any], tmp_path: Path
) -> None:
    """Nobody's home, a path too long for any system, one with a NUL, a shallow clone; and one repository twice."""
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "-q", "--depth=3", histories[1].as_uri(), shallow], check=True)
    lines = ["~no_such_user/x", "x" * 5_000, "nul\0byte", str(shallow), str(histories[0]), str(histories[0])]
    file = tmp_path / "many.txt"
    file.write_text("\r\n".join(lines), encoding="utf-8-sig", newline="")
    done = codewm("index", "--store", tmp_path / "store", "--processes", "2", "--json", file)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    record = json.loads(done.stdout)
    assert [one["repository"] for one in record["repositories"]] == ["client"]
    told = {one["repository"]: one["message"] for one in record["failed"]}
    assert sorted(told) == [f"many.txt:{number}" for number in range(1, 5)]
    assert max(map(len, told.values())) < 400
    assert "git fetch --unshallow" in told["many.txt:4"]


def test_a_shallow_clone_is_not_filled_under_another_identity(
    histories: tuple[Path, Path], codewm: Callable[..., Any], tmp_path: Path
) -> None:
    subprocess.run(["git", "clone", "-q", "--depth=3", histories[1].as_uri(), tmp_path / "shallow"], check=True)
    done = codewm("index", "--store", tmp_path / "store", tmp_path / "shallow")
    assert done.returncode == 2
    assert "is a shallow clone" in done.stderr
    assert not (tmp_path / "store").exists()


def in_postgres(address: str) -> Store:
    model = WorldModel.load(graphs=())
    return open_store(address, model_hash=model.hash, edit_size=model.edit_size, create=True)


def test_a_store_that_is_gone_or_full_ends_the_run_and_one_that_refuses_a_repository_does_not(
    histories: tuple[Path, Path], make_address: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    psycopg = pytest.importorskip("psycopg")
    address = make_address()
    bare, _, schema = address.rpartition("&schema=")
    listed = [(path.name, path) for path in histories]
    with closing(in_postgres(address)) as store, psycopg.connect(bare, autocommit=True) as connection:
        connection.execute(
            f"CREATE FUNCTION {schema}.refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN IF NEW.subject LIKE ''%client%'' THEN RAISE EXCEPTION ''no''; END IF; RETURN NEW; END'"
        )
        connection.execute(
            f"CREATE TRIGGER refuse BEFORE INSERT ON {schema}.commits FOR EACH ROW EXECUTE FUNCTION {schema}.refuse()"
        )
        told = fill(store, listed, LocalProcesses(read_slice, 1))
        assert [one.source.name if isinstance(one, Filled) else one[0] for one in told] == ["client", "service"]
        assert isinstance(told[1], Filled)
        refuse_all = f"CREATE OR REPLACE FUNCTION {schema}.refuse() RETURNS trigger LANGUAGE plpgsql AS "
        connection.execute(refuse_all + "'BEGIN RAISE EXCEPTION ''disk full''; END'")
        connection.execute(f"TRUNCATE {schema}.repositories CASCADE")
        monkeypatch.setattr("codewm_lsp.cli.filling.REFUSALS", 2)
        with pytest.raises(StoreFailedError, match="disk full"):
            fill(store, listed, LocalProcesses(read_slice, 1))
        connection.execute(f"DROP SCHEMA {schema} CASCADE")
        monkeypatch.undo()
        with pytest.raises(StoreFailedError, match="does not answer as one that CodeWM filled"):
            fill(store, listed, LocalProcesses(read_slice, 1))


def test_without_a_store_there_is_nothing_to_spread(codewm: Callable[..., Any], tmp_path: Path) -> None:
    done = codewm("index", "--ray", "127.0.0.1:6379", tmp_path)
    assert done.returncode == 2
    assert "needs --store" in done.stderr


@with_ray
@pytest.mark.parametrize("kind", ["nobody", "silent", "closing", "nonsense"])
def test_a_ray_cluster_that_does_not_answer_is_given_up_in_one_message(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray itself tries for minutes."""
    monkeypatch.setattr("codewm_lsp.workers._REACHED", 0.5)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        if kind in ("silent", "closing"):
            listening.listen()
        if kind == "closing":
            threading.Thread(target=lambda: listening.accept()[0].close(), daemon=True).start()
        with pytest.raises(OptionError, match=r"Cannot use the Ray cluster at .*Check that it runs") as caught:
            RayWorkers(read_slice, "nonsense" if kind == "nonsense" else address)
    assert "\n" not in str(caught.value)


@with_ray
@posix
def test_a_node_that_is_removed_from_a_ray_cluster_loses_nothing_and_doubles_nothing(
    histories: tuple[Path, Path], repositories: Path, codewm: Callable[..., Any], tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.cli.ray_cluster", str(tmp_path / "store"), str(repositories), str(marks)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        told, _ = process.communicate(timeout=600)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    record = json.loads(told.strip().splitlines()[-1])
    assert record["failed"] == []
    assert record["removed_while_reading"]
    assert sorted(name for name, _ in record["filled"]) == ["client", "service"]
    expected = truth(histories, codewm, tmp_path / "one by one")
    assert edits_in(tmp_path / "store") == expected
    assert sum(added for _, added in record["filled"]) == sum(edits for _, edits in expected)

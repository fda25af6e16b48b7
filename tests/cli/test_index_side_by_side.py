"""One repository is indexed by several processes as it is by one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from codewm_lsp.cli.side_by_side import CommitSlice, SideBySide, read_commits
from codewm_lsp.errors import RepositoryError
from codewm_lsp.history import Repository
from codewm_lsp.index import Index, LoggedCommit, UpdateOutcome, update
from codewm_lsp.workers import LocalProcesses
from codewm_lsp.world_model import WorldModel
from tests.cli.workers_that_die import commits_killed_always, commits_killed_once
from tests.conftest import RepositoryBuilder, coupled_commits, isolated_environment

Codewm = Callable[..., subprocess.CompletedProcess[str]]
posix = pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")


@pytest.fixture(scope="module")
def long_history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    builder = RepositoryBuilder(tmp_path_factory.mktemp("long") / "repository")
    builder.path.mkdir()
    builder.git("init", "--quiet", "--initial-branch=main")
    builder.commit_many(coupled_commits(350))
    return builder.path


def stored(path: Path, cache: Path) -> list[LoggedCommit]:
    """What an index holds, in its order."""
    model = WorldModel.load(graphs=())
    with (
        Repository.open(path) as repository,
        Index.of(repository, model.hash, folder=cache, edit_size=model.edit_size) as index,
    ):
        return index.log.entries()


def assert_same(found: Sequence[LoggedCommit], expected: Sequence[LoggedCommit]) -> None:
    assert [(one.commit, one.skipped, one.edits) for one in found] == [
        (one.commit, one.skipped, one.edits) for one in expected
    ]
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one.terms, other.terms)
        rows, others = (some.vectors * some.scales[:, None] for some in (one, other))
        assert np.allclose(rows, others, atol=0.002)  # stored as bytes; last digits hang on what is embedded together


def test_several_processes_index_what_one_does(long_history: Path, codewm: Codewm, tmp_path: Path) -> None:
    records = []
    for processes in ("1", "3"):
        done = codewm("index", "--json", "--processes", processes, "--cache", tmp_path / processes, "-C", long_history)
        assert (done.returncode, done.stderr) == (0, "")
        records.append({**json.loads(done.stdout), "seconds": 0})
    assert records[0] == records[1]
    assert records[0]["commits"] == records[0]["of"] == 350
    assert_same(stored(long_history, tmp_path / "3"), stored(long_history, tmp_path / "1"))
    again = codewm("index", "--json", "--processes", "3", "--cache", tmp_path / "3", "-C", long_history)
    assert json.loads(again.stdout)["added"] == 0


def indexed(path: Path, cache: Path, function: Callable[[Any], Any], least: int = 1) -> UpdateOutcome:
    model = WorldModel.load(graphs=())
    with (
        Repository.open(path) as repository,
        Index.of(repository, model.hash, folder=cache, edit_size=model.edit_size) as index,
        closing(LocalProcesses(function, 2)) as workers,
    ):
        spread = SideBySide(workers, path, model.bundle.folder, index.log, least=least)
        return update(repository, model, index.log, spread=spread).outcome


@posix
def test_a_killed_process_loses_nothing_and_doubles_nothing(long_history: Path, codewm: Codewm, tmp_path: Path) -> None:
    mark = long_history.with_name("killed")
    assert indexed(long_history, tmp_path / "two", commits_killed_once) is UpdateOutcome.COMPLETE
    assert mark.exists()
    codewm("index", "--processes", "1", "--cache", tmp_path / "one", "-C", long_history)
    assert_same(stored(long_history, tmp_path / "two"), stored(long_history, tmp_path / "one"))


@posix
def test_what_came_before_a_deadly_commit_is_kept_and_one_process_can_go_on(
    long_history: Path, codewm: Codewm, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    with pytest.raises(RepositoryError, match=r"its worker process ended 3 times .*use --processes 1"):
        indexed(long_history, cache, commits_killed_always)
    kept = stored(long_history, cache)
    assert len(kept) == 200  # the newest two of four slices
    done = codewm("index", "--json", "--processes", "1", "--cache", cache, "-C", long_history)
    assert json.loads(done.stdout)["commits"] == 350
    assert sum(len(one.edits) for one in kept) + json.loads(done.stdout)["added"] == json.loads(done.stdout)["edits"]


@posix
def test_a_run_that_is_killed_goes_on_where_it_was_and_leaves_no_process(
    long_history: Path, codewm: Codewm, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    command = [sys.executable, "-c", "from codewm_lsp.cli import main; main()", "index", "--processes", "2"]
    process = subprocess.Popen(
        [*command, "--cache", str(cache), "-C", str(long_history)],
        env=isolated_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    children: list[psutil.Process] = []
    while process.poll() is None and len(children) < 2:
        with suppress(psutil.Error):  # one that has just ended
            workers = psutil.Process(process.pid).children()
            children = [one for one in workers if "multiprocessing.spawn" in " ".join(one.cmdline())]
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    gone, alive = psutil.wait_procs(children, timeout=120)
    assert gone
    assert not alive
    codewm("index", "--processes", "2", "--cache", cache, "-C", long_history)
    codewm("index", "--processes", "1", "--cache", tmp_path / "one", "-C", long_history)
    assert_same(stored(long_history, cache), stored(long_history, tmp_path / "one"))


def test_for_a_few_commits_no_process_is_started(long_history: Path, tmp_path: Path) -> None:
    def nobody(job: object) -> object:  # cannot be sent to a process
        raise AssertionError(job)

    assert indexed(long_history, tmp_path, nobody, least=351) is UpdateOutcome.COMPLETE


def test_commits_that_are_read_for_themselves_are_read_as_in_the_stream(long_history: Path) -> None:
    with Repository.open(long_history) as repository:
        stream = list(repository.commits(limit=40))
        chosen = [one.commit.sha for one in stream][5:30:3]
        assert list(repository.edits_of_each(chosen)) == stream[5:30:3]


def test_a_process_says_which_commits_are_out_of_reach(long_history: Path) -> None:
    model = WorldModel.load(graphs=()).bundle.folder
    found = read_commits(CommitSlice(long_history, model, ("0" * 40,)))
    assert (found.commits, [one.skipped for one in found.unavailable]) == ((), ["missing"])

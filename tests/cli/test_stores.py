"""``--store``: several repositories in one index, asked by the same commands."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from codewm_lsp.stores import open_store
from codewm_lsp.world_model import WorldModel


def other_history(make_repository: Callable[..., Any]) -> Any:
    """A repository of other people, in which a function is given a timeout too."""
    repository = make_repository("orders")
    plain = "import transport\n\n\ndef fetch(url):\n    answer = transport.send('get', url)\n    return answer\n"
    repository.commit("Begin", {"orders/api.py": plain})
    timed = plain.replace("(url)", "(url, timeout=30)").replace("'get', url", "'get', url, timeout=timeout")
    repository.commit("Add a timeout to fetch()", {"orders/api.py": timed})
    return repository


@pytest.mark.parametrize("kind", ["sqlite", "qdrant", "postgres"])
def test_a_store_answers_with_edits_of_other_repositories(
    kind: str,
    history: Any,
    make_repository: Callable[..., Any],
    codewm: Callable[..., Any],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    if kind == "qdrant":
        pytest.importorskip("qdrant_client")
    other = other_history(make_repository)
    store = {"sqlite": str(tmp_path / "store"), "qdrant": f"qdrant:{tmp_path / 'store'}"}.get(kind, "")
    if kind == "postgres":
        store = request.getfixturevalue("make_address")()
    done = codewm("index", "--store", store, history.path, other.path, "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert [one["repository"] for one in record["repositories"]] == ["history", "orders"]
    assert record["edits"] == sum(one["added"] for one in record["repositories"]) > 0

    asked = codewm("similar", "-C", history.path, "--store", store, "--json", "--diff")
    assert asked.returncode == 0, asked.stderr
    edits = json.loads(asked.stdout)["edits"]
    assert {edit["repository"] for edit in edits} == {"history", "orders"}
    assert not any(edit["commit"] == history.git("rev-parse", "HEAD") for edit in edits)
    theirs = next(edit for edit in edits if edit["repository"] == "orders" and edit["kind"] == "modified")
    assert "+def fetch(url, timeout=30):" in theirs["diff"]

    shutil.rmtree(other.path)
    words = codewm("hints", "-C", history.path, "--store", store, "--diff", "-k", "0")
    assert words.returncode == 0, words.stderr
    assert "orders" in words.stdout
    assert "orders is not on this machine" in " ".join(words.stdout.split())
    assert "Likely to change next" in words.stdout

    again = codewm("index", "--store", store, history.path, "--json")
    assert json.loads(again.stdout)["repositories"][0]["added"] == 0


@pytest.mark.parametrize("processes", [(), ("--processes", "1")])
def test_one_commit_is_said_in_the_singular(
    processes: tuple[str, ...], make_repository: Callable[..., Any], codewm: Callable[..., Any], tmp_path: Path
) -> None:
    repository = make_repository("single")
    repository.commit("Begin", {"a.py": "def load(path):\n    return path\n"})
    done = codewm("index", "--store", tmp_path / "store", *processes, repository.path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("single: 1 of 1 commit indexed, 1 new edit (")
    assert "1 edit in the store, from " in done.stdout


def test_a_shallow_clone_knows_its_own_edits_in_a_store(
    history: Any, make_repository: Callable[..., Any], codewm: Callable[..., Any], tmp_path: Path
) -> None:
    other = other_history(make_repository)
    assert codewm("index", "--store", tmp_path / "store", history.path, other.path).returncode == 0
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "-q", "--depth=2", history.path.as_uri(), shallow], check=True)
    asked = codewm("similar", "-C", shallow, "--store", tmp_path / "store", "--at", "HEAD", "--json", "-k", "0")
    assert asked.returncode == 0, asked.stderr
    commits = {edit["commit"] for edit in json.loads(asked.stdout)["edits"]}
    assert commits
    assert history.git("rev-parse", "HEAD") not in commits


def test_many_repositories_of_a_store_are_counted(
    make_repository: Callable[..., Any], codewm: Callable[..., Any], tmp_path: Path
) -> None:
    paths = []
    for number in range(11):
        repository = make_repository(f"r{number}")
        repository.commit("Begin", {"a.py": f"def load_{number}(path):\n    return path\n"})
        paths.append(repository.path)
    assert codewm("index", "--store", tmp_path / "store", *paths[:10]).stdout.endswith(", r8, r9\n")
    done = codewm("index", "--store", tmp_path / "store", paths[10])
    assert done.stdout.endswith("11 edits in the store, from 11 repositories\n")


def test_the_same_repository_twice_is_refused(history: Any, codewm: Callable[..., Any], tmp_path: Path) -> None:
    shutil.copytree(history.path, tmp_path / "copy")
    done = codewm("index", "--store", tmp_path / "store", history.path, tmp_path / "copy")
    assert done.returncode == 2
    assert "is the same repository as" in done.stderr
    assert not (tmp_path / "store").exists()


def test_without_a_store_each_repository_has_its_own_index(
    history: Any, make_repository: Callable[..., Any], codewm: Callable[..., Any]
) -> None:
    other = other_history(make_repository)
    done = codewm("index", history.path, other.path)
    assert done.returncode == 0, done.stderr
    assert [line.partition(" commits")[0] for line in done.stdout.splitlines()] == [
        f"{history.path}: 7 of 7",
        f"{other.path}: 2 of 2",
    ]


def test_a_store_that_is_not_there(history: Any, codewm: Callable[..., Any], tmp_path: Path) -> None:
    done = codewm("similar", "-C", history.path, "--store", tmp_path / "nowhere")
    assert done.returncode == 1
    assert "There is no store" in done.stderr
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("command", ["similar", "hints"])
def test_a_server_that_cannot_be_asked_leaves_the_answers_of_this_repository(
    command: str, history: Any, codewm: Callable[..., Any]
) -> None:
    pytest.importorskip("qdrant_client")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/edits"
        done = codewm(command, "-C", history.path, "--json", "--store", address)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == 1
    assert address in done.stderr
    assert done.stderr.endswith("Showing past edits of this repository only.\n")
    assert json.loads(done.stdout) == json.loads(codewm(command, "-C", history.path, "--json").stdout)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the library leaves its lock file open
def test_a_store_that_another_program_holds_leaves_the_answers_of_this_repository(
    history: Any, codewm: Callable[..., Any], tmp_path: Path
) -> None:
    pytest.importorskip("qdrant_client")
    store = f"qdrant:{tmp_path / 'store'}"
    assert codewm("index", "--store", store, history.path).returncode == 0
    model = WorldModel.load(graphs=())
    with closing(open_store(store, model_hash=model.hash, edit_size=model.edit_size, create=False)):
        done = codewm("similar", "-C", history.path, "--store", store, "--json")
    assert done.returncode == 0, done.stderr
    assert "is in use by another program" in done.stderr
    assert json.loads(done.stdout)["edits"]


def test_a_folder_with_other_files_is_not_filled(history: Any, codewm: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("mine")
    done = codewm("index", "--store", tmp_path / "mine", history.path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["README.md"]

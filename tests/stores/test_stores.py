"""Both stores hold several repositories, answer alike, go on where they were, and say in one message what is wrong."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from codewm_lsp.errors import IndexStoreError, OptionError, StoreFailedError
from codewm_lsp.history import Repository
from codewm_lsp.index import UpdateOutcome, update
from codewm_lsp.index.whitening import FEWEST
from codewm_lsp.stores import Source, Store, open_store, source_of
from tests.index.indexing_process import EDIT_SIZE, MODEL_HASH, WordEncoder
from tests.stores.histories import WORDS, fill, method, question, two_histories

pytest.importorskip("qdrant_client")
KINDS = ("sqlite", "qdrant")  # PostgreSQL: test_postgres


def location(kind: str, folder: Path) -> str:
    return str(folder / kind) if kind == "sqlite" else f"qdrant:{folder / kind}"


def opened(kind: str, folder: Path, *, create: bool = True, model: str = MODEL_HASH) -> Store:
    return open_store(location(kind, folder), model_hash=model, edit_size=EDIT_SIZE, create=create)


@pytest.fixture(scope="module")
def clones(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return two_histories(tmp_path_factory.mktemp, commits=14, files=4)


@pytest.fixture(scope="module")
def filled(clones: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Store]]:
    folder = tmp_path_factory.mktemp("stores")
    stores = {kind: opened(kind, folder) for kind in KINDS}
    for store in stores.values():
        fill(store, *clones)
    yield stores
    for store in stores.values():
        store.close()


@pytest.mark.parametrize("kind", KINDS)
def test_hits_name_the_repository_they_come_from(
    kind: str, filled: dict[str, Store], clones: tuple[Path, Path]
) -> None:
    store = filled[kind]
    assert [source.name for source in store.sources()] == ["client", "service"]
    assert store.size() > 20
    edit, vector = question(clones[0], 0)
    hits = store.search(edit, vector, k=0, accept=lambda past: True)
    assert len(hits) == store.size()
    assert {hit.edit.source.name for hit in hits if hit.edit.source} == {"client", "service"}
    assert all(hit.edit.path.startswith(hit.edit.source.name) for hit in hits if hit.edit.source)
    assert (hits[0].edit.path, hits[0].edit.definition, hits[0].edit.commit) == (
        edit.path,
        edit.definition,
        edit.commit,
    )
    others = store.search(edit, vector, k=3, accept=lambda past: past.source != hits[0].edit.source)
    assert [hit.edit.source.name for hit in others if hit.edit.source] == ["service"] * 3


@settings(
    max_examples=15,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(which=st.integers(0, 1), at=st.integers(0, 100), k=st.sampled_from([0, 1, 3, 10]), only=st.booleans())
def test_both_score_alike(
    filled: dict[str, Store], clones: tuple[Path, Path], which: int, at: int, k: int, only: bool
) -> None:
    """With fewer edits than Qdrant is asked for, it too has looked at all of them."""
    edit, vector = question(clones[which], at)

    def accept(past: Any) -> bool:
        return not only or past.definition == "Client.get_1"

    answers = {kind: filled[kind].search(edit, vector, k=k, accept=accept) for kind in KINDS}
    plain, other = answers["sqlite"], answers["qdrant"]
    assert [hit.score for hit in plain] == pytest.approx([hit.score for hit in other], abs=0.01)
    named = [
        {(hit.edit.commit.sha, hit.edit.path, hit.edit.definition): hit for hit in hits} for hits in (plain, other)
    ]
    if not k:
        assert named[0].keys() == named[1].keys()
    for name in named[0].keys() & named[1].keys():
        one, two = named[0][name], named[1][name]
        assert (one.edit.commit, one.edit.kind, one.edit.line, one.edit.source) == (
            two.edit.commit,
            two.edit.kind,
            two.edit.line,
            two.edit.source,
        )
        assert (one.meaning, one.words, one.path) == pytest.approx((two.meaning, two.words, two.path), abs=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_edits_are_measured_by_what_is_usual_among_many(
    kind: str, tmp_path: Path, make_repository: Callable[..., Any]
) -> None:
    builder = make_repository("long")
    for number in range(60):
        words = [WORDS[(number + at) % len(WORDS)] for at in range(number % 3 + 1)]
        builder.commit(f"Change {number}", {f"file_{number % 7}.py": method(f"get_{number % 5}", *words)})
    with closing(opened(kind, tmp_path)) as store:
        fill(store, builder.path)
        edit, vector = question(builder.path, 3)
        hits = store.search(edit, vector, k=0, accept=lambda past: True)
    assert len(hits) > FEWEST
    (own,) = [hit for hit in hits if hit.edit.commit == edit.commit and hit.edit.definition == edit.definition]
    assert own.meaning == pytest.approx(1.0, abs=0.02)
    with Repository.open(builder.path) as repository:
        known = {
            (one.commit.sha, one.path, one.definition): one
            for sha in repository.ancestors()
            for one in repository.edits_of(sha).edits
            if one.commit is not None
        }
    found = [known[hit.edit.commit.sha, hit.edit.path, hit.edit.definition] for hit in hits]
    plain = np.array(WordEncoder().embed_edits([(one.before, one.after) for one in found])) @ vector
    assert np.abs(plain - [hit.meaning for hit in hits]).max() > 0.05


@pytest.mark.parametrize("kind", KINDS)
def test_filling_goes_on_where_it_was_and_doubles_nothing(kind: str, clones: tuple[Path, Path], tmp_path: Path) -> None:
    with Repository.open(clones[0]) as repository:
        source = source_of(repository)
        with closing(opened(kind, tmp_path)) as store:
            update(repository, WordEncoder(), store.shelf(source), limit=5)
            some = store.size()
            assert some
        with closing(opened(kind, tmp_path)) as store:
            shelf = store.shelf(source)
            assert len(shelf.known()) == 5
            batch = [
                (item, WordEncoder().embed_edits([(edit.before, edit.after) for edit in item.edits]))
                for item in repository.commits(limit=7)
            ]
            shelf.add(batch)
            shelf.add(batch)
            grown = store.size()
            assert grown == sum(len(item.edits) for item, _ in batch) > some
            assert update(repository, WordEncoder(), shelf).outcome is UpdateOutcome.COMPLETE
            whole = store.size()
            assert shelf.settled() == (repository.head(), len(repository.ancestors()))
        with closing(opened(kind, tmp_path)) as store:
            assert update(repository, WordEncoder(), store.shelf(source)).added == 0
            assert store.size() == whole
            assert store.sources() == [source]


def test_what_a_killed_filling_left_uncounted_is_counted_again(clones: tuple[Path, Path], tmp_path: Path) -> None:
    with Repository.open(clones[0]) as repository:
        source = source_of(repository)
        edit, vector = question(clones[0], 2)
        with closing(opened("qdrant", tmp_path)) as store:
            shelf = store.shelf(source)
            shelf.add(
                [
                    (item, WordEncoder().embed_edits([(edit.before, edit.after) for edit in item.edits]))
                    for item in repository.commits()
                ]
            )  # and nothing is noted any more
        with closing(opened("qdrant", tmp_path)) as store, closing(opened("sqlite", tmp_path)) as plain:
            store.shelf(source)
            update(repository, WordEncoder(), plain.shelf(source))
            found = [one.search(edit, vector, k=5, accept=lambda past: True) for one in (store, plain)]
            assert [hit.score for hit in found[0]] == pytest.approx([hit.score for hit in found[1]], abs=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_a_store_of_another_model_is_refused(kind: str, clones: tuple[Path, Path], tmp_path: Path) -> None:
    with closing(opened(kind, tmp_path)) as store:
        fill(store, *clones[:1])
    with pytest.raises(IndexStoreError, match=r"filled with .*model"):
        opened(kind, tmp_path, create=False, model="another")


@pytest.mark.parametrize("kind", KINDS)
def test_a_store_that_is_not_there_is_not_made_by_asking(kind: str, tmp_path: Path) -> None:
    with pytest.raises(IndexStoreError, match="There is no store"):
        opened(kind, tmp_path, create=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("create", [True, False])
def test_nothing_is_written_into_a_folder_with_other_files(kind: str, create: bool, tmp_path: Path) -> None:
    folder = tmp_path / kind
    (folder / "store").mkdir(parents=True)
    foreign = sqlite3.connect(folder / "store" / f"{MODEL_HASH[:16]}-x-{EDIT_SIZE}-v2.sqlite3")
    foreign.execute("CREATE TABLE mine (a)")
    foreign.commit()
    foreign.close()
    (folder / "meta.json").write_text('{"name": "mine"}')
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(IndexStoreError, match="Choose an empty or a new folder" if create else "There is no store"):
        opened(kind, tmp_path, create=create)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_in_a_stores_place_is_left_alone(kind: str, tmp_path: Path) -> None:
    (tmp_path / kind).write_text("mine")
    for create in (True, False):
        with pytest.raises(IndexStoreError, match="Choose a folder"):
            opened(kind, tmp_path, create=create)
    assert (tmp_path / kind).read_text() == "mine"


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_folder_is_filled_and_what_lies_beside_a_store_stays(
    kind: str, clones: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / kind).mkdir()
    for _ in range(2):
        with closing(opened(kind, tmp_path)) as store:
            fill(store, *clones[:1])
        (tmp_path / kind / "notes.txt").write_text("mine")
    assert (tmp_path / kind / "notes.txt").read_text() == "mine"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_pipe_among_a_stores_files_is_not_waited_for(clones: tuple[Path, Path], tmp_path: Path) -> None:
    with closing(opened("sqlite", tmp_path)) as store:
        fill(store, *clones[:1])
    os.mkfifo(tmp_path / "sqlite" / "store" / "other-model-1-v2.sqlite3")
    with closing(opened("sqlite", tmp_path, create=False)) as store:
        assert store.size()
    os.makedirs(tmp_path / "qdrant")
    os.mkfifo(tmp_path / "qdrant" / "meta.json")
    with pytest.raises(IndexStoreError, match="There is no store"):
        opened("qdrant", tmp_path, create=False)


def test_a_collection_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    from qdrant_client import QdrantClient, models

    client = QdrantClient(path=str(tmp_path / "qdrant"))
    client.create_collection("codewm", vectors_config=models.VectorParams(size=3, distance=models.Distance.DOT))
    client.close()
    with pytest.raises(IndexStoreError, match="not created by CodeWM"):
        opened("qdrant", tmp_path)


def test_a_server_that_cannot_be_reached_gives_one_message() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/edits"
        with pytest.raises(IndexStoreError, match=r"cannot be reached .*Start the server"):
            open_store(address, model_hash=MODEL_HASH, edit_size=EDIT_SIZE, create=True)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the library leaves its lock file open
def test_two_programs_in_one_folder_give_one_message(tmp_path: Path) -> None:
    with (
        closing(opened("qdrant", tmp_path)),
        pytest.raises(StoreFailedError, match="use by another program"),
    ):
        opened("qdrant", tmp_path)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("ftp://host/x", "neither a folder nor an address"),
        ("http://user:secret@host/x", "without user"),
        ("http://host:99999/x", "port"),
        ("http://host/a/b", "COLLECTION"),
        ("http://:secret@host/x", "without user"),
        ("http://user:secret#1@host/x", "without user"),
        ("http://user:secret/1@host/x", "without user"),
        ("http://user:secret", "port"),
        ("http://host/x#secret", "without user"),
        ("http://host/x?api_key=secret", "without user"),
        ("qdrant://user:secret@host/x", "use http://HOST"),
        ("mysql://user:secret@host/x", "neither a folder nor an address"),
        ("Postgresql://user:secret@host/x", "neither a folder nor an address"),
    ],
)
def test_addresses_that_make_no_sense(where: str, message: str) -> None:
    with pytest.raises(OptionError, match=message) as caught:
        open_store(where, model_hash=MODEL_HASH, edit_size=EDIT_SIZE, create=False)
    assert "secret" not in str(caught.value)


def test_a_key_is_not_sent_unencrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QDRANT_API_KEY", "secret")
    with pytest.raises(OptionError, match="unencrypted"):
        open_store("http://qdrant.example.org:6333/x", model_hash=MODEL_HASH, edit_size=EDIT_SIZE, create=False)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class NotThere:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "qdrant_client":
                raise ModuleNotFoundError(name)

    monkeypatch.delitem(sys.modules, "qdrant_client", raising=False)
    monkeypatch.setattr(sys, "meta_path", [NotThere(), *sys.meta_path])
    with pytest.raises(OptionError, match=r"Run `.* install .*\[qdrant\]"):
        open_store(f"qdrant:{tmp_path}", model_hash=MODEL_HASH, edit_size=EDIT_SIZE, create=True)


def test_a_worktree_goes_by_the_name_of_its_repository(clones: tuple[Path, Path], tmp_path: Path) -> None:
    subprocess.run(["git", "-C", clones[0], "worktree", "add", "-q", "--detach", tmp_path / "feature"], check=True)
    with Repository.open(clones[0]) as one, Repository.open(tmp_path / "feature") as two:
        assert source_of(one) == source_of(two)
        assert source_of(two).name == "client"


def test_clones_and_forks_are_one_repository(
    clones: tuple[Path, Path], make_repository: Callable[..., Any], tmp_path: Path
) -> None:
    builder = make_repository("elsewhere")
    builder.git("fetch", "--quiet", str(clones[0]), "main")
    builder.git("reset", "--quiet", "--hard", "FETCH_HEAD")
    builder.commit("One more", {"client/more.py": method("more", "timeout")})
    with Repository.open(clones[0]) as one, Repository.open(builder.path) as two:
        assert source_of(one).key == source_of(two).key
        assert isinstance(source_of(one), Source)

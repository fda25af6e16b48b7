"""The store in PostgreSQL, against the real server: answers, concurrent fillings, rights, and what may go wrong."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codewm_lsp.errors import IndexStoreError, OptionError, StoreFailedError
from codewm_lsp.history import Repository
from codewm_lsp.index import UpdateOutcome, update
from codewm_lsp.stores import Source, Store, open_store, source_of
from tests.index.indexing_process import EDIT_SIZE, MODEL_HASH, WordEncoder
from tests.stores.histories import fill, question, two_histories

psycopg = pytest.importorskip("psycopg")
from codewm_lsp.stores.postgres import PostgresStore, _addresses  # noqa: E402

FILL = """
import sys
from codewm_lsp.history import Repository
from codewm_lsp.index import update
from codewm_lsp.stores import open_store, source_of
from tests.index.indexing_process import EDIT_SIZE, MODEL_HASH, WordEncoder

store = open_store(sys.argv[1], model_hash=MODEL_HASH, edit_size=EDIT_SIZE, create=True)
for path in sys.argv[2:]:
    with Repository.open(path) as repository:
        done = update(repository, WordEncoder(), store.shelf(source_of(repository)), wait=60.0)
        print(done.outcome.value, flush=True)
"""


def opened(address: str, *, create: bool = True, model: str = MODEL_HASH, patience: float = 30.0) -> Store:
    return open_store(address, model_hash=model, edit_size=EDIT_SIZE, create=create, patience=patience)


def folder_store(folder: Path) -> Store:
    return open_store(str(folder), model_hash=MODEL_HASH, edit_size=EDIT_SIZE, create=True)


@pytest.fixture(scope="module")
def clones(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Some 160 edits in two repositories."""
    return two_histories(tmp_path_factory.mktemp, commits=40, files=7)


def named(hits: list[Any]) -> list[tuple[str, str, str, str]]:
    return [(hit.edit.source.key, hit.edit.commit.sha, hit.edit.path, hit.edit.definition) for hit in hits]


@pytest.fixture
def both(clones: tuple[Path, Path], make_address: Callable[..., str], tmp_path: Path) -> Iterator[tuple[Store, Store]]:
    with closing(opened(make_address())) as store, closing(folder_store(tmp_path / "plain")) as plain:
        fill(store, *clones)
        fill(plain, *clones)
        yield store, plain


def test_it_answers_as_a_folder_does(both: tuple[Store, Store], clones: tuple[Path, Path]) -> None:
    """Among so few edits it looks at each, with words and vectors weighed by what is usual among them."""
    store, plain = both
    assert store.size() == plain.size() > 100
    assert store.sources() == sorted(plain.sources(), key=lambda source: source.name)
    for path in clones:
        for at in (0, 3, 11, 30):
            edit, vector = question(path, at)
            for k in (0, 1, 10):
                answers = [one.search(edit, vector, k=k, accept=lambda past: True) for one in both]
                # Around the hundredth, rounding decides which of two is still ranked anew.
                scores = [[hit.score for hit in hits[:90]] for hits in answers]
                assert scores[0] == pytest.approx(scores[1], abs=0.02)
            assert sorted(named(answers[0])[:1]) == sorted(named(answers[1])[:1])
            one, two = (dict(zip(named(hits), hits, strict=True)) for hits in answers)
            for name in one.keys() & two.keys():
                assert (one[name].edit.commit, one[name].edit.kind, one[name].edit.line) == (
                    two[name].edit.commit,
                    two[name].edit.kind,
                    two[name].edit.line,
                )


def test_what_is_not_accepted_is_passed_over(both: tuple[Store, Store], clones: tuple[Path, Path]) -> None:
    store, plain = both
    edit, vector = question(clones[0], 2)

    def accept(past: Any) -> bool:
        return past.source.name == "service" and past.definition == "Client.get_1"

    answers = [one.search(edit, vector, k=4, accept=accept) for one in (store, plain)]
    assert [hit.score for hit in answers[0]] == pytest.approx([hit.score for hit in answers[1]], abs=0.02)
    assert {(hit.edit.source.name, hit.edit.definition) for hit in answers[0] if hit.edit.source} == {
        ("service", "Client.get_1")
    }


def test_filling_goes_on_where_it_was_and_doubles_nothing(
    clones: tuple[Path, Path], make_address: Callable[..., str]
) -> None:
    address = make_address()
    with Repository.open(clones[0]) as repository:
        source = source_of(repository)
        with closing(opened(address)) as store:
            update(repository, WordEncoder(), store.shelf(source), limit=5)
            some = store.size()
            assert some
        with closing(opened(address)) as store:
            shelf = store.shelf(source)
            assert len(shelf.known()) == 5
            batch = [
                (item, WordEncoder().embed_edits([(edit.before, edit.after) for edit in item.edits]))
                for item in repository.commits(limit=9)
            ]
            shelf.add(batch)
            shelf.add(batch)
            store.shelf(source).add(batch)
            assert store.size() == sum(len(item.edits) for item, _ in batch) > some
            assert update(repository, WordEncoder(), shelf).outcome is UpdateOutcome.COMPLETE
            whole = store.size()
            assert shelf.settled() == (repository.head(), len(repository.ancestors()))
        with closing(opened(address)) as store:
            assert update(repository, WordEncoder(), store.shelf(source)).added == 0
            assert store.size() == whole
            assert store.sources() == [source]


def counted(address: str) -> tuple[int, dict[tuple[bool, int], int]]:
    """The edits that are there, and how often each term stands in them, counted from the rows themselves."""
    bare, _, schema = address.rpartition("&schema=")
    with psycopg.connect(bare) as connection:
        (edits,) = connection.execute(f"SELECT count(*) FROM {schema}.edits").fetchone()
        rows = connection.execute(
            f"SELECT false, term, count(*) FROM {schema}.edits, unnest(words) AS term GROUP BY term UNION ALL "
            f"SELECT true, term, count(*) FROM {schema}.edits, unnest(places) AS term GROUP BY term"
        ).fetchall()
        kept = connection.execute(f"SELECT place, term, edits FROM {schema}.term_counts").fetchall()
    found = {(place, term): number for place, term, number in rows}
    assert {(place, term): number for place, term, number in kept} == found
    return edits, found


def filling(address: str, *paths: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", FILL, address, *map(str, paths)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )


def test_several_fill_at_once_and_lose_or_double_nothing(
    clones: tuple[Path, Path], make_address: Callable[..., str], tmp_path: Path
) -> None:
    address = make_address()
    both_ways = [filling(address, *clones), filling(address, *reversed(clones)), filling(address, clones[0])]
    said = [process.communicate()[0].split() for process in both_ways]
    assert [process.returncode for process in both_ways] == [0, 0, 0]
    assert {word for words in said for word in words} == {"complete"}
    with closing(folder_store(tmp_path / "plain")) as plain:
        fill(plain, *clones)
        edits, _ = counted(address)
        assert edits == plain.size()
    with closing(opened(address, create=False)) as store:
        assert store.size() == edits


def test_a_filling_that_is_killed_leaves_nothing_half_done(
    clones: tuple[Path, Path], make_address: Callable[..., str], postgres: Any, tmp_path: Path
) -> None:
    address = make_address()
    opened(address).close()
    bare, _, schema = address.rpartition("&schema=")
    with closing(psycopg.connect(bare, autocommit=True)) as watching:
        with watching.transaction():
            # It stops in the middle of its first transaction, the commits written and the counts not.
            watching.execute(f"LOCK TABLE {schema}.term_counts IN ACCESS EXCLUSIVE MODE")
            process = filling(address, clones[0])
            waits = f"SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '{schema}.term_counts'::regclass"
            while watching.execute(waits).fetchone() == (0,):
                assert process.poll() is None
                time.sleep(0.02)
            process.kill()
            process.communicate()
        others = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'codewm'"
        while watching.execute(others).fetchone() != (0,):  # its server process notices that nobody is there any more
            time.sleep(0.02)
    assert counted(address) == (0, {})
    with closing(opened(address)) as store:
        fill(store, clones[0])
        assert store.size() == counted(address)[0] > 0


def test_a_server_that_was_restarted_is_connected_to_again(
    clones: tuple[Path, Path], make_address: Callable[..., str], postgres: Any
) -> None:
    with closing(opened(make_address())) as store:
        fill(store, clones[0])
        edit, vector = question(clones[0], 4)
        before = store.search(edit, vector, k=5, accept=lambda past: True)
        os.kill(postgres.get_pid(), signal.SIGINT)  # a fast shutdown
        while postgres.get_postmaster_info().is_running():
            time.sleep(0.02)
        starting = threading.Thread(target=postgres.ensure_postgres_running)
        starting.start()
        after = store.search(edit, vector, k=5, accept=lambda past: True)
        starting.join()
        assert named(after) == named(before)


def test_who_may_read_may_ask_and_not_fill(
    clones: tuple[Path, Path], make_address: Callable[..., str], postgres: Any
) -> None:
    address = make_address("team")
    with closing(opened(address)) as store:
        fill(store, clones[0])
    bare, _, schema = address.rpartition("&schema=")
    with psycopg.connect(bare, autocommit=True) as connection:
        for user in ("reader", "stranger"):
            connection.execute(f"CREATE ROLE {user} LOGIN")
        connection.execute(f"GRANT USAGE ON SCHEMA {schema} TO reader")
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO reader")
    edit, vector = question(clones[0], 1)
    with closing(opened(make_address("team", user="reader"), create=False)) as store:
        assert store.search(edit, vector, k=3, accept=lambda past: True)
    source = Source("another", "another")
    with (
        closing(opened(make_address("team", user="reader"))) as store,
        pytest.raises(StoreFailedError, match=r"refused: permission denied.*GRANT the right to fill it"),
    ):
        store.shelf(source)
    with pytest.raises(StoreFailedError, match=r"refused: permission denied.*GRANT the right to read it"):
        opened(make_address("team", user="stranger"), create=False)


def test_a_large_store_is_given_an_index_and_finds_the_nearest(
    clones: tuple[Path, Path], make_address: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import codewm_lsp.stores.postgres as module

    monkeypatch.setattr(module, "HNSW_FROM", 50)
    monkeypatch.setattr(module, "CANDIDATES", 20)
    monkeypatch.setenv("PGOPTIONS", "-c enable_seqscan=off -c enable_sort=off")  # it would look at so few one by one
    address = make_address()
    bare, _, schema = address.rpartition("&schema=")
    left_half_made = f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{schema}.edits_vector'::regclass"
    with closing(opened(address)) as store:
        fill(store, clones[0])
        with psycopg.connect(bare, autocommit=True) as connection:
            assert connection.execute(left_half_made).rowcount == 1
        fill(store, clones[1])
        with psycopg.connect(bare) as connection:
            found = connection.execute(
                "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", (f"{schema}.edits_vector",)
            ).fetchone()
            assert found == (True,)
        for at in range(0, 60, 7):
            edit, vector = question(clones[0], at)
            found = store.search(edit, vector, k=3, accept=lambda past: True)
            assert max(hit.meaning for hit in found) == pytest.approx(1.0, abs=0.02)
    used = f"SELECT idx_scan > 0 FROM pg_stat_all_indexes WHERE indexrelid = '{schema}.edits_vector'::regclass"
    with psycopg.connect(bare, autocommit=True) as connection:
        while connection.execute(used).fetchone() != (True,):  # it is counted when a connection has ended
            time.sleep(0.02)


def test_an_index_finds_as_many_as_are_asked_for(
    clones: tuple[Path, Path], make_address: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By itself it finds 40."""
    monkeypatch.setattr("codewm_lsp.stores.postgres.HNSW_FROM", 50)
    monkeypatch.setenv("PGOPTIONS", "-c enable_seqscan=off -c enable_sort=off")
    with closing(opened(make_address())) as store:
        assert isinstance(store, PostgresStore)
        fill(store, *clones)
        _, vector = question(clones[0], 5)
        nearest = "SELECT id FROM {schema}.edits ORDER BY vector OPERATOR({types}.<#>) %s::{types}.halfvec LIMIT %s"
        literal = f"[{','.join(map(str, vector.tolist()))}]"
        for limit in (60, 120):
            found = store.run(
                lambda connection, limit=limit: store._execute(connection, nearest, literal, limit).fetchall()  # type: ignore[misc]
            )
            assert len(found) == limit


def test_who_may_insert_may_fill_a_large_store_whose_index_its_owner_makes(
    clones: tuple[Path, Path], make_address: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codewm_lsp.stores.postgres.HNSW_FROM", 50)
    address = make_address("shared")
    opened(address).close()
    bare, _, schema = address.rpartition("&schema=")
    index = f"SELECT to_regclass('{schema}.edits_vector') IS NOT NULL"
    with psycopg.connect(bare, autocommit=True) as connection:
        connection.execute("CREATE ROLE filler LOGIN")
        connection.execute(f"GRANT USAGE ON SCHEMA {schema} TO filler")
        connection.execute(f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA {schema} TO filler")
        with closing(opened(make_address("shared", user="filler"))) as store:
            fill(store, clones[0])
            assert store.size() > 50
        assert connection.execute(index).fetchone() == (False,)
        with closing(opened(address)) as store:
            fill(store, clones[1])
        assert connection.execute(index).fetchone() == (True,)


def test_one_repository_is_added_to_the_stores_of_two_teams_at_once(
    clones: tuple[Path, Path], make_address: Callable[..., str]
) -> None:
    with Repository.open(clones[0]) as repository:
        source = source_of(repository)
    with closing(opened(make_address("one"))) as one, closing(opened(make_address("two"))) as two:
        shelves = [one.shelf(source), two.shelf(source)]
        assert [shelf.acquire_writer() for shelf in shelves] == [True, True]
        with closing(opened(make_address("one"))) as another:
            assert not another.shelf(source).acquire_writer()


def test_a_slow_server_has_its_time_for_each_part_of_what_is_written(
    clones: tuple[Path, Path], make_address: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codewm_lsp.stores.postgres.AT_ONCE", 20)
    monkeypatch.setattr("codewm_lsp.stores.postgres.FILLING", 2.0)
    address = make_address()
    opened(address).close()
    bare, _, schema = address.rpartition("&schema=")
    with psycopg.connect(bare, autocommit=True) as connection:
        connection.execute(
            f"CREATE FUNCTION {schema}.wait() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN PERFORM pg_catalog.pg_sleep(0.03); RETURN NEW; END'"
        )
        connection.execute(
            f"CREATE TRIGGER wait BEFORE INSERT ON {schema}.edits FOR EACH ROW EXECUTE FUNCTION {schema}.wait()"
        )
    with closing(opened(address)) as store, Repository.open(clones[0]) as repository:
        batch = [
            (item, WordEncoder().embed_edits([(edit.before, edit.after) for edit in item.edits]))
            for item in repository.commits()
        ]
        store.shelf(source_of(repository)).add(batch)
    assert counted(address)[0] == sum(len(item.edits) for item, _ in batch) > 70  # at 0.03 s each


def test_a_connection_that_nobody_asks_is_given_back(
    clones: tuple[Path, Path], make_address: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server has a hundred of them, and an organisation more editors."""
    monkeypatch.setattr("codewm_lsp.stores.postgres.IDLE", 0.3)
    address = make_address()
    with closing(opened(address)) as store:
        fill(store, clones[0])
    bare = address.rpartition("&schema=")[0]
    edit, vector = question(clones[0], 4)
    with psycopg.connect(bare, autocommit=True) as watching, closing(opened(address, create=False)) as store:
        before = store.search(edit, vector, k=5, accept=lambda past: True)
        others = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'codewm'"
        while watching.execute(others).fetchone() != (0,):
            time.sleep(0.05)
        assert named(store.search(edit, vector, k=5, accept=lambda past: True)) == named(before) != []


def test_one_that_fills_and_is_stuck_holds_up_nobody_for_long(
    make_address: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codewm_lsp.stores.postgres.FILLING", 1.0)
    address = make_address()
    bare, _, schema = address.rpartition("&schema=")
    waits = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'codewm' AND state LIKE 'idle in trans%'"
    with closing(opened(address)) as store, psycopg.connect(bare, autocommit=True) as watching:
        assert isinstance(store, PostgresStore)
        store.run(lambda connection: connection.execute(f"BEGIN; LOCK TABLE {schema}.term_counts".encode()))
        assert watching.execute(waits).fetchone() == (1,)
        while watching.execute(waits).fetchone() != (0,):
            time.sleep(0.05)


def test_the_vectors_that_an_editor_fetches_first_come_as_few_bytes(
    clones: tuple[Path, Path], make_address: Callable[..., str], tmp_path: Path
) -> None:
    """There are two thousand of them, and a question has ten seconds."""
    with closing(opened(make_address())) as store, (tmp_path / "trace").open("w+b") as trace:
        assert isinstance(store, PostgresStore)
        fill(store, *clones)
        _, vector = question(clones[0], 3)

        def traced(connection: Any) -> None:
            connection.pgconn.trace(trace.fileno())
            store._whitened(connection, vector, store._size(connection))
            connection.pgconn.untrace()

        store.run(traced)
        told = [line.split("\t") for line in (tmp_path / "trace").read_text(errors="replace").splitlines()]
    rows = [int(line[2]) for line in told if line[1:2] == ["B"] and line[3:4] == ["DataRow"]]
    assert len(rows) > 100
    assert max(rows) < 3 * EDIT_SIZE


def test_a_store_of_another_version_is_said_to_be_one(make_address: Callable[..., str]) -> None:
    address = make_address()
    opened(address).close()
    bare, _, schema = address.rpartition("&schema=")
    with psycopg.connect(bare, autocommit=True) as connection:
        connection.execute(f"UPDATE {schema}.codewm_store SET layout = layout + 1")
    with pytest.raises(IndexStoreError, match="filled by another version of CodeWM"):
        opened(address, create=False)


def test_a_store_that_is_not_there_is_not_made_by_asking(make_address: Callable[..., str]) -> None:
    address = make_address()
    with pytest.raises(IndexStoreError, match=r"There is no store in .*codewm index --store"):
        opened(address, create=False)
    bare, _, schema = address.rpartition("&schema=")
    with psycopg.connect(bare) as connection:
        assert connection.execute("SELECT to_regnamespace(%s)", (schema,)).fetchone() == (None,)


def test_a_store_of_another_model_is_refused(clones: tuple[Path, Path], make_address: Callable[..., str]) -> None:
    address = make_address()
    opened(address).close()
    with pytest.raises(IndexStoreError, match=r"filled with the model .*\?schema=NAME"):
        opened(address, create=False, model="another")


def test_nothing_is_written_among_the_tables_of_somebody_else(make_address: Callable[..., str]) -> None:
    address = make_address()
    bare, _, schema = address.rpartition("&schema=")
    with psycopg.connect(bare, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        connection.execute(f"CREATE TABLE {schema}.edits (mine int)")
        with pytest.raises(IndexStoreError, match=r"holds other tables, so nothing is written there"):
            opened(address)
        listed = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", (schema,)).fetchall()
        assert listed == [("edits",)]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE {}.edits SET kind = 'nonsense'",
        "UPDATE {}.edits SET counts = 'x'",
        "UPDATE {}.commits SET date = -5",
        "UPDATE {}.edits SET path = repeat('x', 1000000)",
        "ALTER TABLE {}.edits ALTER COLUMN words TYPE text[] USING '{{a}}'",
        "UPDATE {}.codewm_store SET layout = 9",
        "DELETE FROM {}.codewm_store",
    ],
)
def test_rows_that_make_no_sense_cost_their_own_answers(
    change: str, clones: tuple[Path, Path], make_address: Callable[..., str]
) -> None:
    address = make_address()
    with closing(opened(address)) as store:
        fill(store, clones[0])
    bare, _, schema = address.rpartition("&schema=")
    with psycopg.connect(bare, autocommit=True) as connection:
        connection.execute(change.format(schema))
    edit, vector = question(clones[0], 1)
    hits: list[Any] = []
    with suppress(IndexStoreError), closing(opened(address, create=False)) as store:
        hits = store.search(edit, vector, k=0, accept=lambda past: True)
    for hit in hits:
        assert hit.edit.commit.date >= 0
        assert len(hit.edit.path) <= 4_096
        assert np.isfinite(hit.score)


@pytest.mark.parametrize("table", ["commits", "edits", "term_counts", "repositories", "codewm_store"])
def test_a_table_that_is_gone_is_said_in_one_message(
    table: str, clones: tuple[Path, Path], make_address: Callable[..., str]
) -> None:
    address = make_address()
    with closing(opened(address)) as store:
        fill(store, clones[0])
    bare, _, schema = address.rpartition("&schema=")
    with psycopg.connect(bare, autocommit=True) as connection:
        connection.execute(f"DROP TABLE {schema}.{table} CASCADE")
    edit, vector = question(clones[0], 1)
    with pytest.raises(IndexStoreError, match="store") as caught, closing(opened(address, create=False)) as store:
        store.search(edit, vector, k=3, accept=lambda past: True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("postgresql://me:secret@host/x", "leave the password out"),
        ("postgresql://host/x?password=secret", "leave the password out"),
        ("postgresql://host/x?sslpassword=secret", "leave the password out"),
        ("postgresql://me:s@secret@host/x", "leave the password out"),
        ("postgresql://me:secret#1@host/x", "not an address"),
        ("postgresql://me:secret/1@host/x", "not an address"),
        ("postgresql://me:secret?1@host/x", "not an address"),
        ("postgresql://me:1?secret@host/x", "not an address"),
        ("postgresql:/me:secret@host/x", "not an address"),
        ("postgresql:me:secret@host", "not an address"),
        ("postgresql:host=x password=secret", "not an address"),
        ("postgresql://host/x?nonsense=secret", "nonsense"),
        ("postgresql://host/x?schema=pg_catalog", "cannot be the name of a schema"),
        ("postgresql://host/x?schema=a%22.b%25s", "cannot be the name of a schema"),
        ("postgresql://host/x?schema=", "cannot be the name of a schema"),
    ],
)
def test_addresses_that_make_no_sense(where: str, message: str) -> None:
    with pytest.raises(OptionError, match=message) as caught:
        opened(where, create=False)
    assert "secret" not in str(caught.value)


def test_parameters_reach_the_server_as_they_are_written(make_address: Callable[..., str]) -> None:
    address = f"{make_address()}&options=-c%20work_mem%3D5MB%20-c%20application_name%3Da%2Bb"
    with closing(opened(address)) as store:
        assert isinstance(store, PostgresStore)
        assert store.run(lambda connection: connection.execute("SHOW work_mem").fetchone()) == ("5MB",)


@pytest.mark.parametrize("short", ["postgresql:///postgres", "postgres://"])
def test_what_an_address_leaves_out_is_taken_from_the_environment(
    short: str, make_address: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, _, schema = make_address().rpartition("&schema=")
    given = psycopg.conninfo.conninfo_to_dict(address)
    for name, part in (("PGHOST", "host"), ("PGUSER", "user"), ("PGDATABASE", "dbname")):
        monkeypatch.setenv(name, str(given[part]))
    with closing(opened(f"{short}?schema={schema}")) as store:
        assert store.size() == 0


def test_all_addresses_of_a_server_share_the_time_that_it_has() -> None:
    assert [_addresses({"host": host}) for host in ("127.0.0.1", "127.0.0.1,127.0.0.2,/tmp", "", "nobody.invalid")] == [
        1,
        3,
        1,
        1,
    ]


def in_database(address: str, postgres: Any, name: str, options: str = "") -> str:
    """The address of a database of that name, made for it."""
    with psycopg.connect(postgres.get_uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 {options}")
    return address.replace("/postgres?", f"/{name}?")


def test_a_refused_password_is_said_to_be_one(
    make_address: Callable[..., str], postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = in_database(make_address(user="locked"), postgres, "guarded")
    rules = Path(postgres.pgdata) / "pg_hba.conf"
    rules.write_text(f"local guarded all scram-sha-256\n{rules.read_text()}")
    with psycopg.connect(postgres.get_uri(), autocommit=True) as connection:
        connection.execute("CREATE ROLE locked LOGIN PASSWORD 'right'")
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("SELECT pg_sleep(0.5)")
    with pytest.raises(StoreFailedError, match=r"refused: .*Set PGPASSWORD, or add the password to ~/\.pgpass\.$"):
        opened(address)
    for password, where in (("wrong", address), ("right", address.replace("/guarded?", "/nowhere_at_all?"))):
        monkeypatch.setenv("PGPASSWORD", password)
        with pytest.raises(StoreFailedError, match=r"database|password") as caught:
            opened(where)
        assert password not in str(caught.value)
    monkeypatch.setenv("PGPASSWORD", "right")
    with pytest.raises(IndexStoreError, match="has no pgvector"):  # it is let in, and may make no extension
        opened(address)


def test_a_database_that_cannot_hold_all_names_is_refused(make_address: Callable[..., str], postgres: Any) -> None:
    address = in_database(make_address(), postgres, "latin", "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'")
    with pytest.raises(IndexStoreError, match=r"encoded as LATIN1.*ENCODING 'UTF8'"):
        opened(address)


def test_a_database_without_the_usual_schema_is_said_to_lack_pgvector(
    make_address: Callable[..., str], postgres: Any
) -> None:
    address = in_database(make_address(), postgres, "bare")
    with psycopg.connect(postgres.get_uri().replace("/postgres?", "/bare?"), autocommit=True) as connection:
        connection.execute("DROP SCHEMA public")
    with pytest.raises(IndexStoreError, match=r"has no pgvector .*CREATE EXTENSION vector"):
        opened(address)


def test_a_server_that_cannot_be_reached_gives_one_message() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        with pytest.raises(StoreFailedError, match=r"cannot be reached .*Start the server"):
            opened(f"postgresql://127.0.0.1:{taken.getsockname()[1]}/edits")


@pytest.mark.parametrize("answer", [b"", b"<html>" * 1000, b"R\x00\x00\x00\x08\x00\x00\x00\x03", b"N" * 10_000_000])
def test_a_server_of_another_kind_ends_in_one_message_in_time(answer: bytes) -> None:
    """Silence, another protocol, a request for the password in clear text, a flood."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                kept.append(connection)
                try:
                    connection.recv(1_000)
                    connection.sendall(answer)
                except OSError:
                    pass

        kept: list[socket.socket] = []
        threading.Thread(target=serve, daemon=True).start()
        address = f"postgresql://somebody@127.0.0.1:{listening.getsockname()[1]}/edits"
        with pytest.raises(StoreFailedError, match=r"cannot be reached|cannot be used"):
            opened(address, create=False, patience=2.0)
        for connection in kept:
            connection.close()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class NotThere:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "psycopg":
                raise ModuleNotFoundError(name)

    monkeypatch.delitem(sys.modules, "psycopg")
    monkeypatch.delitem(sys.modules, "codewm_lsp.stores.postgres", raising=False)
    monkeypatch.setattr(sys, "meta_path", [NotThere(), *sys.meta_path])
    with pytest.raises(OptionError, match=r"Run `.* install .*\[postgres\]"):
        opened("postgresql://host/x")


def test_names_of_every_kind_are_kept(make_repository: Callable[..., Any], make_address: Callable[..., str]) -> None:
    builder = make_repository("odd")
    builder.commit("Zeichen \u2028 '; DROP TABLE edits; --", {"a'b\"c/ü{}%s.py": "def größe(x):\n    return x\n"})
    with closing(opened(make_address())) as store:
        fill(store, builder.path)
        edit, vector = question(builder.path, 0)
        (hit, *_) = store.search(edit, vector, k=1, accept=lambda past: True)
        assert (hit.edit.path, hit.edit.commit.subject) == (edit.path, edit.commit.subject)
        assert [source.name for source in store.sources()] == ["odd"]

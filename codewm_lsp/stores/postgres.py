"""A store in a schema of a PostgreSQL database with pgvector, which an organisation shares.

A commit is written in one transaction with its edits and with what they add to the counts of words, so that a filling
that is killed leaves nothing half done, and many may fill at once. PostgreSQL finds the nearest edits by meaning
(looking at each of them, or from ``HNSW_FROM`` edits on through an HNSW index), and those that share rare words with
the edit or with its place; these few are scored here as everywhere else. With many edits, one that is among the
nearest ``CANDIDATES`` by none of the three is not found.

Whoever may read the tables of the schema may ask; filling needs the right to insert. Names are always qualified: no
``search_path`` counts.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import quote, unquote, urlencode, urlsplit

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.errors import IndexStoreError, OptionError, StoreFailedError
from codewm_lsp.history import LAST_DATE, Commit, Edit, EditKind
from codewm_lsp.index import Blend, Hit, PastEdit, Source, Whitening
from codewm_lsp.index.edit_words import place_words, terms, words_of_edit
from codewm_lsp.index.whitening import SAMPLE, STEP, is_measured
from codewm_lsp.installation import install_command
from codewm_lsp.records import dataclass
from codewm_lsp.source import VOCABULARY_HASH, DefinitionKind
from codewm_lsp.stores import postgres_statements as statements
from codewm_lsp.stores.commits_done import CommitsDone, CountedCommit
from codewm_lsp.stores.interface import LONGEST_PATH, accepted, storable
from codewm_lsp.stores.scoring import Bag, LookedAt, StoreQuery, TermCounts

try:
    import psycopg
    from psycopg import errors, sql
except ImportError as _missing:
    raise OptionError(
        f"A store in PostgreSQL needs a package that is not installed. Run `{install_command('postgres')}`, or use a "
        "folder (SQLite)."
    ) from _missing

SCHEMA: Final = "codewm"
LAYOUT: Final = 1
CANDIDATES: Final = 200  # edits looked up by meaning, by words and by place, each
SHARING: Final = 2_000  # edits that share a word at most, of the rarest words taken together
HNSW_FROM: Final = 50_000  # edits from which on an index is made; below, every edit is looked at
FILLING: Final = 60.0  # seconds for each statement while a store is filled
AT_ONCE: Final = 250  # edits in a transaction: an HNSW index takes a while for each
IDLE: Final = 60.0  # seconds until a connection that nobody asks is ended: it comes back with the next question
MOST_ROWS: Final = 2_000_000  # of one answer
_CHUNK: Final = 200  # rows that are received at once
_RESTARTING: Final = 0.25  # seconds between two tries to reach a server that went away
_NONSENSE: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What reading rows of another shape ends in."""

_SEARCHING: Final = {"hnsw.ef_search": CANDIDATES, "hnsw.iterative_scan": "relaxed_order"}
"""Without these, an index finds 40 edits, however many are asked for."""
_HOST: Final = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(:\d*)?")
_SECRET: Final = ("password", "sslpassword")

T = TypeVar("T")
_Row: TypeAlias = tuple[Any, ...]
_Connection: TypeAlias = "psycopg.Connection[_Row]"


class _TooSlowError(Exception):
    """The server did not answer within the time that it has."""


class _PatientConnection(psycopg.Connection[Any]):
    """A connection on which everything is to be done by ``until``, a moment of ``time.monotonic``."""

    until = float("inf")

    def wait(self, gen: Generator[Any, Any, T], *arguments: Any, **options: Any) -> T:
        """Wait for the server, but not longer than that."""
        return super().wait(self._bounded(gen), *arguments, **options)

    def _bounded(self, gen: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if time.monotonic() > self.until:
                    raise _TooSlowError
                wanted = gen.send(ready)
        except StopIteration as done:
            found: T = done.value
            return found


@dataclass(frozen=True, slots=True)
class _Address:
    """Where a store is: ``postgresql://[USER@]HOST[:PORT]/DATABASE[?schema=NAME&…]``."""

    named: str
    conninfo: str
    schema: str

    @classmethod
    def of(cls, location: str) -> _Address:
        parts = urlsplit(location)
        user, _, hosts = parts.netloc.rpartition("@")
        if (
            "://" not in location
            or "#" in location
            or "@" in parts.path
            or not all(_HOST.fullmatch(host) for host in hosts.split(","))
            or not all("=" in option for option in parts.query.split("&") if option)
        ):
            raise OptionError(  # it is not repeated: there may be a password in it
                f"--store {parts.scheme}:…: that is not an address. Use postgresql://[USER@]HOST/DATABASE, with #, /, "
                "? and @ in names written as %23, %2F, %3F and %40. A password is read from PGPASSWORD or ~/.pgpass."
            )
        given = (option.partition("=") for option in parts.query.split("&") if option)
        options = [(unquote(name), unquote(value)) for name, _, value in given]
        shown = f"{parts.scheme}://{hosts}{parts.path}"
        if ":" in user.rstrip(":") or any(name in _SECRET for name, _ in options):
            raise OptionError(
                f"--store {shown}: leave the password out of the address. It is read from PGPASSWORD or ~/.pgpass."
            )
        schema = dict(options).get("schema", SCHEMA)
        if not schema.isidentifier() or schema.startswith("pg_") or len(schema.encode()) > 63:
            raise OptionError(f"--store {shown}: {schema!r} cannot be the name of a schema.")
        kept = urlencode([(name, value) for name, value in options if name != "schema"], quote_via=quote)
        address = f"{parts.scheme}://{parts.netloc}{parts.path}" + (f"?{kept}" if kept else "")
        try:
            psycopg.conninfo.conninfo_to_dict(address)
        except psycopg.ProgrammingError as error:
            raise OptionError(f"--store {shown}: {_first_line(error)}.") from error
        return cls(named=f"{shown} (schema {schema})", conninfo=address, schema=schema)

    def connect(self, patience: float, *, read_only: bool) -> _PatientConnection:
        """Raises what psycopg raises."""
        given = psycopg.conninfo.conninfo_to_dict(self.conninfo)
        options: dict[str, Any] = {
            "connect_timeout": max(2, int(patience / _addresses(given))),
            "application_name": "codewm",
            "client_encoding": "utf8",
        }
        if psycopg.pq.version() >= 160_000 and given.get("sslmode") != "verify-full":
            options.setdefault("require_auth", given.get("require_auth", "!password"))  # never in clear text
        connection = _PatientConnection.connect(self.conninfo, autocommit=True, prepare_threshold=None, **options)
        try:
            connection.until = time.monotonic() + patience
            limit = int(1000 * patience)
            begin = [
                "SET search_path = ''",
                f"SET statement_timeout = {limit}",
                f"SET default_transaction_read_only = {'on' if read_only else 'off'}",
                # One that fills and is stuck holds up nobody else for longer.
                f"SET idle_in_transaction_session_timeout = {int(1000 * FILLING)}",
                # Nor does one whose machine is gone without a word, for the two hours that a system waits by itself.
                "SET tcp_keepalives_idle = 60",
                "SET tcp_keepalives_interval = 10",
                "SET tcp_keepalives_count = 3",
            ]
            if (
                read_only and connection.info.server_version >= 140_000
            ):  # many ask now and then: a server has few places
                begin.append(f"SET idle_session_timeout = {int(1000 * IDLE)}")
            connection.execute("; ".join(begin).encode())
            for name, value in _SEARCHING.items():
                with suppress(errors.InvalidName, errors.UndefinedObject):  # pgvector before 0.8 does not know all
                    connection.execute(f"SET {name} = {value}".encode())
        except BaseException:
            connection.close()
            raise
        return connection


def open_store(location: str, *, model_hash: str, edit_size: int, create: bool, patience: float) -> PostgresStore:
    """``postgresql://[USER@]HOST[:PORT]/DATABASE[?schema=NAME]``, as libpq takes it; the schema is ``codewm``."""
    store = PostgresStore(
        _Address.of(location), model_hash, edit_size, fills=create, patience=FILLING if create else patience
    )
    try:
        store.begin()
    except BaseException:
        store.close()
        raise
    return store


class PostgresStore:
    """See the top of the file."""

    def __init__(self, address: _Address, model_hash: str, edit_size: int, *, fills: bool, patience: float) -> None:
        self._address = address
        self._model = model_hash
        self.edit_size = edit_size
        self._fills = fills
        self._patience = patience
        self._blend = Blend()
        self._connection: _PatientConnection | None = None
        self._types = SCHEMA  # the schema in which pgvector's types lie
        self._counted: tuple[int, dict[int, int], dict[int, int]] = 0, {}, {}
        self._whitening: tuple[int, Whitening] | None = None  # with the number of edits there were

    def begin(self) -> None:
        """Connect; make the store where there is none and it is to be filled. Raises what ``open_store`` raises."""
        self.run(self._check)

    def _check(self, connection: _PatientConnection) -> None:
        if not self._find_pgvector(connection):
            if not self._fills:
                raise self._nothing_there()
            self._add_pgvector(connection)
        if (
            self._one(connection, "SELECT to_regclass(%s)", f'{_quoted(self._address.schema)}."codewm_store"')[0]
            is None
        ):
            if not self._fills:
                raise self._nothing_there()
            self._create(connection)
        row = self._one(connection, "SELECT model, tokeniser, size, layout FROM {schema}.codewm_store")
        if row[0] != self._model:
            raise IndexStoreError(
                f"The store {self._address.named} was filled with the model {storable(row[0])}, and this one is "
                f"{self._model}: use that one (--model), or fill another schema (?schema=NAME)."
            )
        if row != (self._model, VOCABULARY_HASH, self.edit_size, LAYOUT):
            raise IndexStoreError(
                f"The store {self._address.named} was filled by another version of CodeWM: use the same version, or "
                "fill another schema (?schema=NAME)."
            )

    def _nothing_there(self) -> IndexStoreError:
        return IndexStoreError(
            f"There is no store in {self._address.named}. Create one with codewm index --store ADDRESS REPOSITORY…"
        )

    def _find_pgvector(self, connection: _PatientConnection) -> bool:
        row = connection.execute(
            "SELECT n.nspname FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace "
            "JOIN pg_catalog.pg_type t ON t.typnamespace = n.oid AND t.typname = 'halfvec' WHERE e.extname = 'vector'"
        ).fetchone()
        if row is not None:
            self._types = str(row[0])
        return row is not None

    def _add_pgvector(self, connection: _PatientConnection) -> None:
        with suppress(errors.UniqueViolation, errors.DuplicateObject):  # somebody else did
            try:
                connection.execute("CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public")
            except (
                errors.UndefinedFile,
                errors.FeatureNotSupported,
                errors.InsufficientPrivilege,
                errors.InvalidSchemaName,
            ) as error:
                raise IndexStoreError(
                    f"The database of {self._address.named} has no pgvector ({_first_line(error)}). Install pgvector "
                    "0.7 or newer on the server, and let its administrator run: CREATE EXTENSION vector"
                ) from error
        if not self._find_pgvector(connection):
            raise IndexStoreError(
                f"The database of {self._address.named} has an old pgvector. It needs 0.7 or newer: "
                "ALTER EXTENSION vector UPDATE"
            )

    def _create(self, connection: _PatientConnection) -> None:
        with connection.transaction():
            self._execute(
                connection, "SELECT pg_catalog.pg_advisory_xact_lock(%s)", _key(self._address.schema, "create")
            )
            exists, holds, made = self._one(
                connection,
                "SELECT to_regnamespace(%s) IS NOT NULL, EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace = "
                "to_regnamespace(%s)), to_regclass(%s) IS NOT NULL",
                _quoted(self._address.schema),
                _quoted(self._address.schema),
                f'{_quoted(self._address.schema)}."codewm_store"',
            )
            if made:
                return
            if holds:
                raise IndexStoreError(
                    f"The schema {self._address.schema} holds other tables, so nothing is written there. Choose an "
                    "empty or a new one: ?schema=NAME"
                )
            encoding = connection.execute("SHOW server_encoding").fetchone()
            if encoding not in (("UTF8",), ("SQL_ASCII",)):
                raise IndexStoreError(
                    f"The database of {self._address.named} is encoded as {encoding and encoding[0]}, which lacks most "
                    "characters. Use a database that was created with ENCODING 'UTF8'."
                )
            if not exists:
                self._execute(connection, "CREATE SCHEMA {schema}")
            for statement in statements.TABLES:
                self._execute(connection, statement.replace("SIZE", str(self.edit_size)))
            self._execute(
                connection,
                "INSERT INTO {schema}.codewm_store VALUES (%s, %s, %s, %s)",
                self._model,
                VOCABULARY_HASH,
                self.edit_size,
                LAYOUT,
            )

    def run(self, work: Callable[[_PatientConnection], T]) -> T:
        """Do something over the connection, within the time it has; over a new one where the old one was lost.

        ``work`` may be done twice. Whatever goes wrong with it is said in one message.
        """
        until = time.monotonic() + self._patience
        try:
            lost = self._connection is not None
            try:
                return work(self._connected(until))
            except (psycopg.OperationalError, psycopg.InterfaceError):
                if not lost or self._connection is None or not self._connection.closed:
                    raise
            return work(self._connected_again(until))
        except _TooSlowError as error:
            self.close()
            raise self._failed("cannot be used: it takes too long to answer. Check the address") from error
        except errors.QueryCanceled as error:
            raise self._failed(
                "cannot be used: it takes too long to answer. Try again, or ask its administrator"
            ) from error
        except errors.InsufficientPrivilege as error:
            right = "fill" if self._fills else "read"
            raise self._failed(f"refused: {_first_line(error)}. Its owner can GRANT the right to {right} it") from error
        except psycopg.OperationalError as error:
            self.close()
            raise self._failed(_out_of_order(error)) from error
        except (psycopg.Error, *_NONSENSE) as error:
            self.close()
            raise self._failed(
                f"does not answer as one that CodeWM filled ({_first_line(error) or type(error).__name__}). Check "
                "the address, or fill another schema (?schema=NAME)"
            ) from error

    def _failed(self, what: str) -> StoreFailedError:
        return StoreFailedError(f"The store {self._address.named} {what}.")

    def _connected(self, until: float) -> _PatientConnection:
        if self._connection is None or self._connection.closed:
            seconds = max(0.1, until - time.monotonic())
            self._connection = self._address.connect(seconds, read_only=not self._fills)
        self._connection.until = until
        return self._connection

    def _connected_again(self, until: float) -> _PatientConnection:
        """After a server went away: it may be starting again."""
        while True:
            try:
                return self._connected(until)
            except psycopg.OperationalError:
                if time.monotonic() + _RESTARTING >= until:
                    raise
                time.sleep(_RESTARTING)

    def _statement(self, text: str) -> sql.Composed:
        return sql.SQL(text).format(  # pyright: ignore[reportArgumentType]
            schema=sql.Identifier(self._address.schema), types=sql.Identifier(self._types)
        )

    def _execute(self, connection: _PatientConnection, statement: str, *values: Any) -> psycopg.Cursor[_Row]:
        return connection.execute(self._statement(statement), values)

    def _one(self, connection: _PatientConnection, statement: str, *values: Any) -> _Row:
        row = self._execute(connection, statement, *values).fetchone()
        if row is None:
            raise ValueError("a row is missing")
        return row

    def _rows(
        self, connection: _PatientConnection, statement: str, values: Sequence[Any] | Mapping[str, Any] = ()
    ) -> Iterator[_Row]:
        """Rows as they come, so that an answer without an end ends here."""
        with connection.cursor(binary=True) as cursor:
            size = _CHUNK if psycopg.pq.version() >= 170_000 else 1
            for number, row in enumerate(cursor.stream(self._statement(statement), values, size=size)):
                if number >= MOST_ROWS:
                    raise ValueError("a list without an end")
                yield row

    def shelf(self, source: Source) -> PostgresShelf:
        """The place of a repository."""

        def made(connection: _PatientConnection) -> int:
            return int(
                self._one(
                    connection,
                    statements.NEW_REPOSITORY,
                    source.key,
                    storable(source.name),
                )[0]
            )

        return PostgresShelf(self, source, self.run(made))

    def sources(self) -> list[Source]:
        """The repositories that are in it."""
        listed = self.run(
            lambda connection: list(self._rows(connection, "SELECT key, name FROM {schema}.repositories"))
        )
        return sorted((Source(str(key), str(name)) for key, name in listed), key=lambda one: (one.name, one.key))

    def size(self) -> int:
        """How many edits there are."""
        return self.run(self._size)

    def _size(self, connection: _PatientConnection) -> int:
        return int(self._one(connection, "SELECT coalesce(sum(edits), 0) FROM {schema}.repositories")[0])

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()

    def search(
        self, edit: Edit, vector: NDArray[np.float32], *, k: int, accept: Callable[[PastEdit], bool]
    ) -> list[Hit]:
        """The ``k`` accepted past edits most like ``edit`` among those that PostgreSQL finds near; see above."""

        def found(connection: _PatientConnection) -> list[Hit]:
            size = self._size(connection)
            if not size:
                return []
            measured = self._whitened(connection, vector, size)
            return accepted(
                lambda wanted: self._search(connection, edit, measured, wanted or size, size), k, accept, size
            )

        return self.run(found)

    def _search(
        self, connection: _PatientConnection, edit: Edit, vector: NDArray[np.float32], k: int, size: int
    ) -> list[Hit]:
        changed, place = _numbers(terms(words_of_edit(edit))), _numbers(terms(place_words(edit.path, edit.definition)))
        present = self._counts(connection, changed, place, size)
        asked = StoreQuery.of(edit, present, _numbers)
        limit = max(CANDIDATES, k)
        values: dict[str, Any] = {"vector": _literal(vector), "limit": limit}
        found = statements.FOUND
        if limit < size:
            values |= _shared("words", asked.words, present.words, limit)
            values |= _shared("places", asked.place, present.places, limit)
            found = statements.FOUND_NEAR
        rows = list(self._rows(connection, found, values))
        all_words = {number for row in rows for number in row[-3]}
        present = self._counts(connection, all_words, {number for row in rows for number in row[-1]}, size)
        looked_at = [one for row in rows if (one := self._looked_at(row, asked, present)) is not None]
        return asked.ranked(looked_at, self._blend)[:k]

    def _looked_at(self, row: _Row, asked: StoreQuery, present: TermCounts) -> LookedAt | None:
        (number, meaning, path, definition, definition_kind, kind, line, *more) = row
        sha, author, date, subject, parent, key, name, words, found, places = more
        try:
            past = PastEdit(
                id=int(number),
                commit=Commit(
                    storable(sha), storable(author), min(max(int(date), 0), LAST_DATE), storable(subject), parent
                ),
                path=storable(path, LONGEST_PATH),
                definition=storable(definition, LONGEST_PATH),
                definition_kind=DefinitionKind(definition_kind),
                kind=EditKind(kind),
                line=max(0, int(line)),
                source=Source(storable(key), storable(name)),
            )
            own = Bag.of(words, np.frombuffer(found, dtype=np.int8), present.words, present.total)
            there = Bag.of(places, np.ones(len(places), dtype=np.int8), present.places, present.total)
            return asked.compared(past, own, there, float(meaning))
        except _NONSENSE:
            return None  # somebody else wrote it

    def _counts(
        self, connection: _PatientConnection, words: Iterable[int], places: Iterable[int], size: int
    ) -> TermCounts:
        """Counts of at least these terms."""
        if self._counted[0] != size:
            self._counted = size, {}, {}
        for known, wanted, of_places in ((self._counted[1], words, False), (self._counted[2], places, True)):
            missing = [number for number in set(wanted) if number not in known]
            if missing:
                known |= dict.fromkeys(missing, 0)
                statement = "SELECT term, edits FROM {schema}.term_counts WHERE place = %s AND term = ANY(%s)"
                known |= dict(self._rows(connection, statement, (of_places, missing)))
        return TermCounts(size, self._counted[1], self._counted[2])

    def _whitened(self, connection: _PatientConnection, vector: NDArray[np.float32], size: int) -> NDArray[np.float32]:
        """An edit vector in the measure of the edits that are stored here."""
        if not is_measured(size):
            return vector
        kept = self._whitening
        if kept is None or not kept[0] <= size < STEP * kept[0]:
            rows = self._rows(
                connection,
                "SELECT vector FROM {schema}.edits WHERE id %% %s = 0 ORDER BY id LIMIT %s",
                (max(1, size // SAMPLE), SAMPLE),
            )
            # As pgvector sends them, a quarter of what lists of numbers take: their length in four bytes, half floats.
            vectors = np.array([np.frombuffer(row[0], dtype=">f2", offset=4) for row in rows], dtype=np.float32)
            if vectors.ndim != 2 or vectors.shape[1] != self.edit_size or not np.isfinite(vectors).all():
                raise ValueError("vectors of another size")
            kept = self._whitening = size, Whitening.of(vectors)
        return kept[1].query(vector)

    @contextmanager
    def _without_limit(self, connection: _PatientConnection) -> Iterator[None]:
        connection.until = float("inf")
        connection.execute("SET statement_timeout = 0")
        try:
            yield
        finally:
            if not connection.closed:
                connection.execute(f"SET statement_timeout = {int(1000 * self._patience)}".encode())

    def make_hnsw(self) -> None:
        """Make the index of a store that has grown large; one that was left half made is made anew. Only who owns the
        table may: whoever else fills it leaves that to them."""

        def make(connection: _PatientConnection) -> None:
            if self._size(connection) < HNSW_FROM:
                return
            table = f"{_quoted(self._address.schema)}.edits"
            owned = connection.execute(
                "SELECT pg_catalog.pg_has_role(relowner, 'USAGE') FROM pg_catalog.pg_class WHERE oid = to_regclass(%s)",
                (table,),
            ).fetchone()
            if owned != (True,):
                return
            name = f"{_quoted(self._address.schema)}.edits_vector"
            valid = connection.execute(
                "SELECT indisvalid FROM pg_catalog.pg_index WHERE indexrelid = to_regclass(%s)", (name,)
            ).fetchone()
            if (
                valid == (True,)
                or not self._one(connection, "SELECT pg_catalog.pg_try_advisory_lock(%s)", self._hnsw_key)[0]
            ):
                return
            try:
                with self._without_limit(connection):
                    self._execute(connection, "DROP INDEX IF EXISTS {schema}.edits_vector")
                    self._execute(
                        connection,
                        "CREATE INDEX CONCURRENTLY edits_vector ON {schema}.edits "
                        "USING hnsw (vector {types}.halfvec_ip_ops)",
                    )
            finally:
                if not connection.closed:
                    self._execute(connection, "SELECT pg_catalog.pg_advisory_unlock(%s)", self._hnsw_key)

        self.run(make)

    @property
    def schema(self) -> str:
        """In which its tables are."""
        return self._address.schema

    @property
    def _hnsw_key(self) -> int:
        return _key(self._address.schema, "hnsw")


class PostgresShelf(CommitsDone):
    """One repository's rows."""

    def __init__(self, store: PostgresStore, source: Source, number: int) -> None:
        super().__init__(store.edit_size, set())
        self._store = store
        self._number = number
        self._lock = _key(f"{store.schema} {source.key}", "writer")
        self._look()

    def _look(self) -> None:
        statement = "SELECT sha FROM {schema}.commits WHERE repository = %s"
        self._done = self._store.run(
            lambda connection: {str(sha) for (sha,) in self._store._rows(connection, statement, (self._number,))}
        )

    def settled(self) -> tuple[str, int] | None:
        """The last commit noted by ``settle``."""
        statement = "SELECT settled, settled_count FROM {schema}.repositories WHERE id = %s"
        sha, count = self._store.run(lambda connection: self._store._one(connection, statement, self._number))
        return (str(sha), int(count)) if sha else None

    def settle(self, sha: str, count: int) -> None:
        """Note that every commit ``sha`` reaches is done."""
        statement = "UPDATE {schema}.repositories SET settled = %s, settled_count = %s WHERE id = %s"
        self._store.run(lambda connection: self._store._execute(connection, statement, sha, count, self._number))

    def acquire_writer(self) -> bool:
        """Take the right to index this repository; the server gives it back when the connection ends."""
        statement = "SELECT pg_catalog.pg_try_advisory_lock(%s)"
        taken = bool(self._store.run(lambda connection: self._store._one(connection, statement, self._lock))[0])
        if taken:
            self._look()
        return taken

    def release_writer(self) -> None:
        """Give it back; a store that has grown large is given its index."""
        statement = "SELECT pg_catalog.pg_advisory_unlock(%s)"
        self._store.run(lambda connection: self._store._one(connection, statement, self._lock))
        self._store.make_hnsw()

    def _write(self, commits: Sequence[CountedCommit]) -> None:
        """Each in one transaction, and as many at once as take little of the time that there is."""

        def write(connection: _PatientConnection) -> None:
            with connection.transaction():
                self._insert(connection, sorted(together, key=lambda one: one.commit.sha))

        waiting = list(reversed(commits))
        while waiting:
            together = [waiting.pop()]
            edits = len(together[0].edits)
            while waiting and edits + len(waiting[-1].edits) <= AT_ONCE:
                together.append(waiting.pop())
                edits += len(together[-1].edits)
            self._store.run(write)

    def _insert(self, connection: _PatientConnection, commits: Sequence[CountedCommit]) -> None:
        """By sha, and terms by number: two that fill never wait for each other in turn."""
        words: dict[int, int] = {}
        places: dict[int, int] = {}
        rows: list[tuple[Any, ...]] = []
        for item in commits:
            row = self._store._execute(
                connection, statements.NEW_COMMIT, self._number, *_columns(item.commit)
            ).fetchone()
            if row is None:
                continue  # another one that fills was faster
            for edit in item.edits:
                own, there = _numbers(edit.terms), _numbers(edit.place)
                for table, numbers in ((words, own), (places, there)):
                    for number in numbers:
                        table[number] = table.get(number, 0) + 1
                rows.append(
                    (
                        row[0],
                        storable(edit.path, LONGEST_PATH),
                        storable(edit.definition, LONGEST_PATH),
                        edit.definition_kind,
                        edit.kind,
                        edit.line,
                        _literal(edit.vector),
                        own,
                        edit.counts.tobytes(),
                        there,
                    )
                )
        if not rows:
            return
        with connection.cursor() as cursor, cursor.copy(self._store._statement(statements.NEW_EDITS)) as copy:
            for one in rows:
                copy.write_row(one)
        for of_places, table in ((False, words), (True, places)):
            numbers = sorted(table)
            self._store._execute(
                connection, statements.COUNT, of_places, numbers, [table[number] for number in numbers]
            )
        self._store._execute(
            connection, "UPDATE {schema}.repositories SET edits = edits + %s WHERE id = %s", len(rows), self._number
        )


def _shared(column: str, bag: Bag, present: Mapping[int, int], limit: int) -> dict[str, Any]:
    """The terms to look up, how much each weighs, and those of them that are rare enough to be searched by."""
    strengths = bag.strengths()
    rare: list[int] = []
    left = max(SHARING, limit)
    for number in sorted(strengths, key=lambda number: (-strengths[number], number)):
        there = present.get(number, 0)
        if there <= left:
            rare.append(number)
            left -= there
    return {column: list(strengths), f"{column}_strengths": list(strengths.values()), f"{column}_rare": rare}


def _columns(commit: Commit) -> tuple[Any, ...]:
    return commit.sha, storable(commit.author), commit.date, storable(commit.subject), commit.parent


def _numbers(numbers: NDArray[np.uint64]) -> list[int]:
    """Terms as PostgreSQL's signed 64-bit numbers."""
    signed: list[int] = numbers.view(np.int64).tolist()
    return signed


def _literal(vector: NDArray[np.float32]) -> str:
    """A vector as pgvector reads it."""
    return f"[{','.join(map(repr, vector.astype(float).round(7).tolist()))}]"


def _key(name: str, purpose: str) -> int:
    """The number of an advisory lock."""
    return int(np.array(terms([f"codewm {purpose} {name}"])).view(np.int64)[0])


def _quoted(name: str) -> str:
    """A name as to_regclass reads it."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _addresses(given: Mapping[str, Any]) -> int:
    """How many addresses are tried in turn, as each has its own time."""
    hosts = str(given.get("hostaddr") or given.get("host") or "").split(",")
    count = 0
    for host in hosts:
        found = 1
        if host and not host.startswith("/"):
            with suppress(OSError, UnicodeError):
                found = len({one[4][0] for one in socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)})
        count += found
    return max(1, count)


def _out_of_order(error: psycopg.OperationalError) -> str:
    """Why a server does nothing, and what to do about it."""
    reason = _first_line(error)
    if error.sqlstate is not None and not error.sqlstate.startswith(("08", "57")):
        return f"refused: {reason}. Ask its administrator, and run it again"
    connection = error.pgconn
    if connection is not None and connection.needs_password:
        return f"refused: {reason}. Set PGPASSWORD, or add the password to ~/.pgpass"
    if connection is not None and connection.used_password:
        return f"refused: {reason}. Check the user, the database, and the password in PGPASSWORD or ~/.pgpass"
    return f"cannot be reached ({reason}). Start the server, or check the address"


def _first_line(error: BaseException) -> str:
    return storable(next(iter(str(error).strip().splitlines()), "").rstrip(".: "), 200)

"""A store in a Qdrant collection, which many people ask over the network, or in Qdrant's embedded mode.

A point is an edit, a commit that is done, a repository, or the one that says whose collection it is. Numbers of points
follow from what they are, so that doing something twice changes nothing. Qdrant finds the nearest edits by meaning, by
words and by place; these few are scored here as everywhere else, with words weighed by counts that the points of the
repositories carry. Unlike an index on this machine it does not look at every edit: with many, one that is among the
nearest ``CANDIDATES`` by none of the three is not found.
"""

from __future__ import annotations

import base64
import json
import os
import sqlite3
import sys
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.errors import IndexStoreError, OptionError, StoreFailedError
from codewm_lsp.history import LAST_DATE, Commit, Edit, EditKind
from codewm_lsp.index import Blend, Hit, PastEdit, Source, Whitening
from codewm_lsp.index.edit_words import place_words, terms
from codewm_lsp.index.lexicon import WEIGHTS
from codewm_lsp.index.whitening import SAMPLE, STEP, is_measured
from codewm_lsp.installation import install_command
from codewm_lsp.source import VOCABULARY_HASH, DefinitionKind
from codewm_lsp.stores.commits_done import CommitsDone, CountedCommit, CountedEdit
from codewm_lsp.stores.interface import LONGEST_PATH, accepted, storable
from codewm_lsp.stores.scoring import Bag, LookedAt, StoreQuery, TermCounts

COLLECTION: Final = "codewm"
_EMBEDDED: Final = "qdrant:"
LAYOUT: Final = 1
CANDIDATES: Final = 200
FILLING: Final = 60.0  # seconds for each request while a collection is filled
MOST_POINTS: Final = 2_000_000  # of one listing
MOST_TERMS: Final = 2_000_000  # different ones that are counted
_SPACE: Final = uuid.UUID("6f0a1c1e-58c5-4d55-9a3e-0c0de0c0de00")
_ABOUT: Final = str(uuid.uuid5(_SPACE, "about"))
_PAGE: Final = 1_000  # points listed at once
_COUNTED_PAGE: Final = 8  # of repositories with the counts of their words, which may be some MB
_EDITS_PAGE: Final = 300  # of edits with all that belongs to them
_LARGEST_ABOUT: Final = 1024 * 1024  # bytes of the file that names the collections of a folder
_NONSENSE: Final = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError, zlib.error)
"""What reading an answer of another shape ends in."""


def open_store(location: str, *, model_hash: str, edit_size: int, create: bool, patience: float) -> QdrantStore:
    """``http://HOST:PORT[/COLLECTION]`` or https (a server), or ``qdrant:FOLDER`` (embedded)."""
    if location.startswith(f"{_EMBEDDED}//"):
        raise OptionError(
            "--store qdrant://…: use http://HOST:6333/COLLECTION for a Qdrant server, or qdrant:FOLDER for Qdrant "
            "without a server."
        )
    if location.startswith(_EMBEDDED):
        folder = Path(location.removeprefix(_EMBEDDED))
        return QdrantStore.embedded(folder, model_hash=model_hash, edit_size=edit_size, create=create)
    key = os.environ.get("QDRANT_API_KEY")
    return QdrantStore.connect(
        location, key, model_hash=model_hash, edit_size=edit_size, create=create, patience=patience
    )


class _Counts:
    """In how many edits each term stands, as two arrays that are packed into a point."""

    def __init__(self, packed: str = "") -> None:
        self.found: dict[int, int] = {}
        if packed:
            unpacking = zlib.decompressobj()
            raw = unpacking.decompress(base64.b64decode(packed, validate=True), 8 * MOST_TERMS)
            if not unpacking.eof:
                raise ValueError("cut short, or more words than any repository has")
            numbers, found = np.frombuffer(raw, dtype="<u4").reshape(2, -1)
            self.found = dict(zip(numbers.tolist(), found.tolist(), strict=True))

    def add(self, numbers: Sequence[int]) -> None:
        """Count an edit."""
        for number in numbers:
            self.found[number] = self.found.get(number, 0) + 1

    def packed(self) -> str:
        """As text."""
        arrays = np.array([list(self.found), list(self.found.values())], dtype="<u4")
        return base64.b64encode(zlib.compress(arrays.tobytes())).decode("ascii")


class QdrantStore:
    """See the top of the file."""

    def __init__(
        self,
        client: Any,
        where: str,
        collection: str,
        model_hash: str,
        edit_size: int,
        blend: Blend,
        allow: Callable[[], None] = lambda: None,
    ) -> None:
        self._client = client
        self._allow = allow
        self._where = where
        self._collection = collection
        self._model = model_hash
        self.edit_size = edit_size
        self._blend = blend
        self._weights: TermCounts | None = None
        self._whitening: tuple[int, Whitening] | None = None  # with the number of edits there were

    @staticmethod
    def connect(
        address: str, key: str | None, *, model_hash: str, edit_size: int, create: bool, patience: float
    ) -> QdrantStore:
        """A collection of a server: ``http://HOST:PORT/COLLECTION``.

        ``patience``: seconds for opening it, and for each question; while it is filled (``create``), ``FILLING`` for
        each request.
        """
        parts = urlsplit(address)
        collection = parts.path.strip("/") or COLLECTION
        if "/" in collection or not parts.hostname or "@" in address or "?" in address or "#" in address:
            raise OptionError(  # it is not repeated: there may be a password in it
                f"--store {parts.scheme}://…: use http://HOST:6333/COLLECTION, without user, password or query. A key "
                "is read from QDRANT_API_KEY."
            )
        try:
            port = parts.port or (443 if parts.scheme == "https" else 6333)
        except ValueError as error:
            raise OptionError(
                f"--store {parts.scheme}://{parts.hostname}:…: the port must be a number from 1 to 65535."
            ) from error
        here = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if key and parts.scheme == "http" and not here:
            raise OptionError(
                f"--store {address}: the key would be sent unencrypted. Use https, or unset QDRANT_API_KEY."
            )
        library = _library()
        from codewm_lsp.stores.bounded import BoundedTransport

        transport = BoundedTransport(FILLING, keep_alive=not here)
        client = library.QdrantClient(
            host=parts.hostname,
            port=port,
            https=parts.scheme == "https",
            api_key=key,
            timeout=int(FILLING),
            check_compatibility=False,
            transport=transport,
        )

        def allow() -> None:
            transport.allow(None if create else patience)

        return QdrantStore._ready(client, address, collection, model_hash, edit_size, create, allow)

    @staticmethod
    def embedded(folder: Path, *, model_hash: str, edit_size: int, create: bool) -> QdrantStore:
        """A collection in a folder, without a server; ``:memory:``: nowhere."""
        library = _library()
        where = f"qdrant:{folder}"
        if str(folder) == ":memory:":
            return QdrantStore._ready(
                library.QdrantClient(":memory:"), where, COLLECTION, model_hash, edit_size, create
            )
        _look_at(folder, where, create)
        try:
            client = library.QdrantClient(path=str(folder))
        except RuntimeError as error:  # its own lock
            raise StoreFailedError(
                f"The store {where} is in use by another program. Wait for it, or use a Qdrant server."
            ) from error
        except (OSError, sqlite3.Error, *_NONSENSE) as error:
            raise IndexStoreError(
                f"The store {where} cannot be opened: {error}. Fill another folder, or delete it and fill it again."
            ) from error
        return QdrantStore._ready(client, where, COLLECTION, model_hash, edit_size, create)

    @staticmethod
    def _ready(
        client: Any,
        where: str,
        collection: str,
        model_hash: str,
        edit_size: int,
        create: bool,
        allow: Callable[[], None] = lambda: None,
    ) -> QdrantStore:
        store = QdrantStore(client, where, collection, model_hash, edit_size, Blend(), allow)
        try:
            store._check(create)
        except BaseException:
            client.close()
            raise
        return store

    def _check(self, create: bool) -> None:
        with self._question():
            if not self._client.collection_exists(self._collection):
                if not create:
                    raise IndexStoreError(
                        f"There is no collection {self._collection!r} in {self._where}. Create it with "
                        f"codewm index --store {self._where} REPOSITORY…"
                    )
                self._create()
            about = self._payload(_ABOUT)
            if about.get("type") != "about":
                raise IndexStoreError(
                    f"The collection {self._collection!r} in {self._where} was not created by CodeWM. Choose "
                    "another one."
                )
            if about.get("model") != self._model:
                raise IndexStoreError(
                    f"The store {self._where} was filled with the model {storable(about.get('model'))}, and this one "
                    f"is {self._model}: use that one (--model), or fill another collection."
                )
            wanted = {"tokeniser": VOCABULARY_HASH, "size": self.edit_size, "layout": LAYOUT}
            if any(about.get(name) != value for name, value in wanted.items()):
                raise IndexStoreError(
                    f"The store {self._where} was filled by another version of CodeWM: use the same version, or fill "
                    "another collection."
                )

    def _payload(self, point: str) -> dict[str, Any]:
        """What a point carries; nothing where there is no such point."""
        found = self._client.retrieve(self._collection, [point])
        return dict(found[0].payload) if found else {}

    def _create(self) -> None:
        models = _library().models
        self._client.create_collection(
            self._collection,
            vectors_config={
                "meaning": models.VectorParams(size=self.edit_size, distance=models.Distance.DOT, on_disk=True)
            },
            sparse_vectors_config={name: models.SparseVectorParams() for name in ("words", "place")},
        )
        if self._where.startswith("http"):
            for field in ("type", "repository"):
                self._client.create_payload_index(
                    self._collection, field, field_schema=models.PayloadSchemaType.KEYWORD
                )
        about = {
            "type": "about",
            "model": self._model,
            "tokeniser": VOCABULARY_HASH,
            "size": self.edit_size,
            "layout": LAYOUT,
        }
        self._put([models.PointStruct(id=_ABOUT, vector={}, payload=about)])

    @contextmanager
    def _question(self) -> Iterator[None]:
        """One question to the store, within the time it has; whatever goes wrong with it, in one message."""
        exceptions = _library().http.exceptions
        self._allow()
        try:
            yield
        except exceptions.ResponseHandlingException as error:
            raise self._failed(error.source) from error
        except exceptions.UnexpectedResponse as error:
            said = storable(error.reason_phrase or error.content[:200].decode("utf-8", "replace"))
            remedy = " Set QDRANT_API_KEY to a key that has access." if error.status_code in (401, 403) else ""
            raise StoreFailedError(f"The store {self._where} refused: {error.status_code} {said}.{remedy}") from error
        except _NONSENSE as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> StoreFailedError:
        name = type(error).__name__
        if name == "AnswerRefusedError":
            return StoreFailedError(f"The store {self._where} cannot be used: {error}. Check the address.")
        if isinstance(error, _NONSENSE):
            return StoreFailedError(
                f"The store {self._where} does not answer as a Qdrant server that CodeWM filled ({name}). Check the "
                "address, or fill another collection."
            )
        return StoreFailedError(
            f"The store {self._where} cannot be reached ({error or name}). Start the server, or correct the address."
        )

    def _put(self, points: Sequence[Any]) -> None:
        if points:
            self._client.upsert(self._collection, list(points), wait=True)

    def _where_is(self, **values: str) -> Any:
        models = _library().models
        return models.Filter(
            must=[models.FieldCondition(key=key, match=models.MatchValue(value=value)) for key, value in values.items()]
        )

    def _all(self, condition: Any, fields: Sequence[str], page: int = _PAGE) -> Iterator[Mapping[str, Any]]:
        offset, listed = None, 0
        while True:
            points, offset = self._client.scroll(
                self._collection, scroll_filter=condition, limit=page, offset=offset, with_payload=list(fields)
            )
            yield from (point.payload for point in points)
            listed += len(points)
            if offset is None:
                return
            if not points or listed > MOST_POINTS:
                raise ValueError("a list without an end")

    def shelf(self, source: Source) -> QdrantShelf:
        """The place of a repository."""
        with self._question():
            return QdrantShelf(self, source)

    def sources(self) -> list[Source]:
        """The repositories that are in it."""
        with self._question():
            found = self._all(self._where_is(type="repository"), ("repository", "name"))
            return sorted(
                (Source(storable(one["repository"]), storable(one["name"])) for one in found),
                key=lambda one: (one.name, one.key),
            )

    def size(self) -> int:
        """How many edits there are."""
        with self._question():
            return self._count(self._where_is(type="edit"))

    def _count(self, condition: Any) -> int:
        return int(self._client.count(self._collection, count_filter=condition, exact=True).count)

    def _whitened(self, vector: NDArray[np.float32], total: int) -> NDArray[np.float32]:
        """An edit vector in the measure of the edits that are stored here."""
        if not is_measured(total):
            return vector
        kept = self._whitening
        if kept is None or not kept[0] <= total < STEP * kept[0]:
            rows: list[Any] = []
            offset = None
            while len(rows) < min(SAMPLE, total):  # their names are hashes: the first are as good as a draw
                points, offset = self._client.scroll(
                    self._collection,
                    scroll_filter=self._where_is(type="edit"),
                    limit=_PAGE,
                    offset=offset,
                    with_payload=False,
                    with_vectors=["meaning"],
                )
                rows += [point.vector["meaning"] for point in points]
                if offset is None or not points:
                    break
            vectors = np.array(rows[:SAMPLE], dtype=np.float32)
            if vectors.ndim != 2 or vectors.shape[1] != self.edit_size or not np.isfinite(vectors).all():
                raise ValueError("vectors of another size")
            kept = self._whitening = total, Whitening.of(vectors)
        return kept[1].query(vector)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def forget_weights(self) -> None:
        """Count the words anew with the next question."""
        self._weights = None

    def _weighing(self) -> TermCounts:
        """How many edits there are, and in how many each word stands, of the edits and of their places."""
        if self._weights is None:
            words: dict[int, int] = {}
            places: dict[int, int] = {}
            total = 0
            listed = self._all(self._where_is(type="repository"), ("edits", "words", "places"), _COUNTED_PAGE)
            for one in listed:
                total += int(one["edits"])
                for table, field in ((words, "words"), (places, "places")):
                    for number, count in _Counts(one[field]).found.items():
                        table[number] = table.get(number, 0) + count
                    if len(table) > MOST_TERMS:
                        raise ValueError("more words than any repositories have")
            self._weights = TermCounts(total, words, places)
        return self._weights

    def search(
        self, edit: Edit, vector: NDArray[np.float32], *, k: int, accept: Callable[[PastEdit], bool]
    ) -> list[Hit]:
        """The ``k`` accepted past edits most like ``edit`` among those that Qdrant finds near; see above."""
        with self._question():
            size = self._count(self._where_is(type="edit"))
            if not size:
                return []
            measured = self._whitened(vector, size)
            return accepted(lambda wanted: self._search(edit, measured, wanted or size), k, accept, size)

    def _search(self, edit: Edit, vector: NDArray[np.float32], k: int) -> list[Hit]:
        models = _library().models
        present = self._weighing()
        asked = StoreQuery.of(edit, present, _short)
        queries: list[Any] = [(vector.tolist(), "meaning")]
        for bag, name in ((asked.words, "words"), (asked.place, "place")):
            if values := bag.strengths():
                queries.append((models.SparseVector(indices=list(values), values=list(values.values())), name))
        found: dict[str, LookedAt] = {}
        limit, offset = max(CANDIDATES, k), 0
        while offset < limit:
            page = min(_EDITS_PAGE, limit - offset)
            answers = self._client.query_batch_points(
                self._collection,
                [
                    models.QueryRequest(
                        query=query,
                        using=name,
                        limit=page,
                        offset=offset,
                        filter=self._where_is(type="edit"),
                        with_payload=True,
                        with_vector=["meaning"],
                    )
                    for query, name in queries
                ],
            )
            for point in (point for answer in answers for point in answer.points[:page]):
                if str(point.id) not in found:
                    one = self._looked_at(point, vector, asked, present)
                    if one is not None:
                        found[str(point.id)] = one
            offset += page
            if all(len(answer.points) < page for answer in answers):
                break
        return asked.ranked(list(found.values()), self._blend)[:k]

    def _looked_at(
        self, point: Any, vector: NDArray[np.float32], asked: StoreQuery, present: TermCounts
    ) -> LookedAt | None:
        payload = point.payload
        try:
            parent = payload["parent"]
            edit = PastEdit(
                id=uuid.UUID(str(point.id)).int >> 66,
                commit=Commit(
                    storable(payload["commit"]),
                    storable(payload["author"]),
                    min(max(int(payload["date"]), 0), LAST_DATE),
                    storable(payload["subject"]),
                    None if parent is None else storable(parent),
                ),
                path=storable(payload["path"], LONGEST_PATH),
                definition=storable(payload["definition"], LONGEST_PATH),
                definition_kind=DefinitionKind(payload["definition_kind"]),
                kind=EditKind(payload["kind"]),
                line=max(0, int(payload["line"])),
                source=Source(storable(payload["repository"]), storable(payload["name"])),
            )
            counted = np.array(payload["counts"], dtype=np.int8)
            own = Bag.of(payload["terms"], counted, present.words, present.total)
            place = Bag.of_place(edit.path, edit.definition, present, _short)
            meaning = float(np.dot(np.asarray(point.vector["meaning"], dtype=np.float32), vector))
        except _NONSENSE:
            return None  # somebody else wrote it
        return asked.compared(edit, own, place, meaning)


class QdrantShelf(CommitsDone):
    """One repository's points."""

    def __init__(self, store: QdrantStore, source: Source) -> None:
        mine = store._where_is(type="commit", repository=source.key)
        super().__init__(store.edit_size, {storable(one["commit"]) for one in store._all(mine, ("commit",))})
        self._store = store
        self._source = source
        self._id = str(uuid.uuid5(_SPACE, f"repository {source.key}"))
        about = store._payload(self._id)
        self._settled = storable(about.get("settled", ""))
        self._edits = int(about.get("edits", 0))
        self._words, self._places = _Counts(about.get("words", "")), _Counts(about.get("places", ""))
        if self._stored() != self._edits:  # the last one to fill it was killed
            self._count_again()
        self._note()

    def settled(self) -> tuple[str, int] | None:
        """The last commit noted by ``settle``."""
        sha, _, count = self._settled.partition(" ")
        return (sha, int(count)) if count.isdecimal() else None

    def settle(self, sha: str, count: int) -> None:
        """Note that every commit ``sha`` reaches is done."""
        self._settled = f"{sha} {count}"
        with self._store._question():
            self._note()

    def acquire_writer(self) -> bool:
        """Always: two that fill the same repository do the same."""
        return True

    def release_writer(self) -> None:
        """Note what was counted so far."""
        with self._store._question():
            if self._stored() != self._edits:  # somebody else filled it too
                self._count_again()
            self._note()

    def _write(self, commits: Sequence[CountedCommit]) -> None:
        """A commit counts as done after its edits are there."""
        models = _library().models
        edits: list[Any] = []
        done: list[Any] = []
        for item in commits:
            edits += [self._point(models, item.commit, number, edit) for number, edit in enumerate(item.edits)]
            payload = {"type": "commit", "repository": self._source.key, "commit": item.commit.sha}
            done.append(models.PointStruct(id=self._name("commit", item.commit.sha), vector={}, payload=payload))
            self._edits += len(item.edits)
        with self._store._question():
            self._store._put(edits)
            self._store._put(done)
        self._store.forget_weights()

    def _point(self, models: Any, commit: Commit, number: int, edit: CountedEdit) -> Any:
        own, there = _short(edit.terms), _short(edit.place)
        self._words.add(own)
        self._places.add(there)
        weights = np.abs(WEIGHTS[edit.counts.view(np.uint8)])
        length = float(np.linalg.norm(weights)) or 1.0
        payload = {
            "type": "edit",
            "repository": self._source.key,
            "name": storable(self._source.name),
            "commit": commit.sha,
            "author": storable(commit.author),
            "date": commit.date,
            "subject": storable(commit.subject),
            "parent": commit.parent,
            "path": storable(edit.path, LONGEST_PATH),
            "definition": storable(edit.definition, LONGEST_PATH),
            "definition_kind": edit.definition_kind,
            "kind": edit.kind,
            "line": edit.line,
            "terms": own,
            "counts": edit.counts.tolist(),
        }
        return models.PointStruct(
            id=self._name("edit", commit.sha, str(number)),
            vector={
                "meaning": edit.vector.astype(np.float32).tolist(),
                "words": models.SparseVector(**_distinct(own, (weights / length).tolist())),
                "place": models.SparseVector(**_distinct(there, [len(there) ** -0.5] * len(there))),
            },
            payload=payload,
        )

    def _name(self, *parts: str) -> str:
        return str(uuid.uuid5(_SPACE, " ".join((self._source.key, *parts))))

    def _stored(self) -> int:
        return self._store._count(self._store._where_is(type="edit", repository=self._source.key))

    def _count_again(self) -> None:
        self._edits, self._words, self._places = 0, _Counts(), _Counts()
        condition = self._store._where_is(type="edit", repository=self._source.key)
        for one in self._store._all(condition, ("path", "definition", "terms")):
            self._edits += 1
            self._words.add(one["terms"])
            self._places.add(_short(terms(place_words(one["path"], one["definition"]))))

    def _note(self) -> None:
        payload = {
            "type": "repository",
            "repository": self._source.key,
            "name": storable(self._source.name),
            "settled": self._settled,
            "edits": self._edits,
            "words": self._words.packed(),
            "places": self._places.packed(),
        }
        self._store._put([_library().models.PointStruct(id=self._id, vector={}, payload=payload)])
        self._store.forget_weights()


def _look_at(folder: Path, where: str, create: bool) -> None:
    """Raises IndexStoreError where Qdrant would write among other files, or begin a store that is only asked."""
    try:
        entries = list(folder.iterdir())
    except FileNotFoundError:
        entries = []
    except OSError as error:
        raise IndexStoreError(f"The store {where} cannot be read: {error.strerror}. Choose a folder.") from error
    about = folder / "meta.json"
    made = False
    with suppress(OSError, ValueError, RecursionError):
        if about.is_file() and about.stat().st_size < _LARGEST_ABOUT:
            found = json.loads(about.read_text(encoding="utf-8"))
            made = isinstance(found, dict) and isinstance(found.get("collections"), dict)
    if not made and not create:
        raise IndexStoreError(
            f"There is no store in {folder}. Create one with codewm index --store {where} REPOSITORY…"
        )
    if not made and entries:
        raise IndexStoreError(
            f"{folder} is not a store and not empty, so nothing is written there. Choose an empty or a new folder."
        )


def _short(numbers: NDArray[np.uint64]) -> list[int]:
    """Terms as the 32-bit numbers that Qdrant's sparse vectors have."""
    short: list[int] = (numbers & np.uint64(0xFFFFFFFF)).tolist()
    return short


def _distinct(numbers: Sequence[int], values: Sequence[float]) -> dict[str, list[Any]]:
    """A sparse vector; of two terms that were shortened to one number the last counts."""
    found = dict(zip(numbers, values, strict=True))
    return {"indices": list(found), "values": list(found.values())}


def _library() -> Any:
    if "qdrant_client" not in sys.modules:
        try:
            import qdrant_client
        except ImportError as error:
            raise OptionError(
                f"A store in Qdrant needs a package that is not installed. Run `{install_command('qdrant')}`, or "
                "use a folder (SQLite)."
            ) from error
        assert qdrant_client
    return sys.modules["qdrant_client"]

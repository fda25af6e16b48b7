"""A history to ask about, and an encoder that is a plain bag of changed words."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from codewm_lsp.hints import Change, Engine, HintOptions, Hints, Prediction, SimilarEdit, Snapshot, Workspace
from codewm_lsp.history import Edit, Repository
from codewm_lsp.index import Index, update

SIZE = 64


@dataclass(frozen=True)
class NextEdits:
    """Predicted edits of some definitions."""

    edits: NDArray[np.float32]
    actions: NDArray[np.float32]


class WordEncoder:
    """Edits as signed sums of hashed words; the next edit is like the newest."""

    hash = "words"

    def embed_edits(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        rows = np.zeros((len(pairs), SIZE), dtype=np.float32)
        for row, pair in zip(rows, pairs, strict=True):
            for sign, text in zip((-1, 1), pair, strict=True):
                for word in re.findall(r"\w+", text):
                    code = zlib.crc32(word.encode())
                    row[code % SIZE] += sign if code & SIZE else -sign
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.where(length > 0, length, 1), dtype=np.float32)

    def predict_next(self, sources: Sequence[str], recent: NDArray[np.float32]) -> NextEdits:
        actions = np.zeros((len(sources), 15), dtype=np.float32)
        actions[:, [2, 3]] = 1
        return NextEdits(np.repeat(recent[:1], len(sources), 0), actions)


@dataclass(frozen=True)
class Asking:
    """An engine that is asked about its workspace as it is now, or about a past revision."""

    repository: Repository
    index: Index
    encoder: WordEncoder
    workspace: Workspace
    engine: Engine

    def snapshot(self, at: str | None = None, unsaved: Mapping[str, str] | None = None) -> Snapshot:
        return self.workspace.apply(Change(unsaved or {})) if at is None else self.workspace.at(at)

    def similar(self, edit: Edit, *, k: int = 10, at: str | None = None) -> list[SimilarEdit]:
        return self.engine.similar(self.snapshot(at), edit, k=k)

    def next(
        self,
        editing: Sequence[Edit],
        *,
        k: int = 10,
        at: str | None = None,
        unsaved: Mapping[str, str] | None = None,
        paths: Sequence[str] | None = None,
    ) -> list[Prediction]:
        return self.engine.next(self.snapshot(at, unsaved), editing, k=k, paths=paths)

    def hints(
        self, path: str, text: str, *, options: HintOptions | None = None, patience: float | None = None
    ) -> Hints:
        return self.engine.hints(self.snapshot(None, {path: text}), path, options=options, patience=patience)


@pytest.fixture
def open_engine(tmp_path: Path) -> Iterator[Callable[[Path], Asking]]:
    """``open_engine(path)`` → an engine over the repository there, its history indexed."""
    opened: list[Any] = []

    def open_(path: Path) -> Asking:
        encoder = WordEncoder()
        repository = Repository.open(path)
        opened.append(repository)
        index = Index.of(repository, "words", folder=tmp_path / "cache", edit_size=SIZE)
        opened.append(index)
        update(repository, encoder, index.log)
        engine = Engine(repository, encoder, index)
        return Asking(repository, index, encoder, Workspace(repository, index), engine)

    yield open_
    for one in reversed(opened):
        one.close()


CLIENT = '''\
"""A client."""

import http


class Client:
    """Talks to a server."""

    def __init__(self, host):
        self.host = host

    def get(self, url):
        return self.send("GET", url, wait_seconds=10)

    def put(self, url, data):
        return self.send("PUT", url, data, wait_seconds=10)

    def send(self, method, url, data=None, wait_seconds=10):
        return http.request(method, self.host + url, data, timeout=wait_seconds)

    def close(self):
        self.host = None

    def __repr__(self):
        return "<Client>"


def connect(host):
    return Client(host)


def version():
    return "1.0"


def helper(numbers):
    total = 0
    for number in numbers:
        total += number
    return total
'''

TESTS = """\
from shop.client import Client, connect


def test_get():
    assert connect("example").get("/") == "ok"


def test_put():
    assert Client("example").put("/", "data") == "ok"
"""


@pytest.fixture
def shop(make_repository: Callable[..., Any]) -> Any:
    """A small package with a past: ``get`` and ``put`` have twice changed together, with their tests."""
    repository = make_repository("shop")
    repository.commit(
        "Begin",
        {
            "shop/__init__.py": "from shop.client import Client\n",
            "shop/client.py": CLIENT,
            "shop/colours.py": "RED = 1\n\n\ndef mix(a, b):\n    return a + b\n",
            "tests/test_client.py": TESTS,
        },
    )
    text, tests = CLIENT, TESTS
    for old, new in (('"/"', '"/x"'), ('"/x"', '"/y"')):
        text = text.replace("return self.send(", "return  self.send(", 2).replace("10)", f"1{len(old)})")
        tests = tests.replace(old, new)
        repository.commit(f"Wait longer for {new}", {"shop/client.py": text, "tests/test_client.py": tests})
    return repository


def in_progress(repository: Any, path: str, text: str) -> Edit:
    """The one edit of the working tree once ``path`` holds ``text``."""
    repository.write(path, text)
    with Repository.open(repository.path) as opened:
        (edit,) = opened.working_edits()
    return edit

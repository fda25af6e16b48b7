"""An encoder, indexes and histories for the tests of this room."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from codewm_lsp.history import Edit, Repository
from codewm_lsp.index import Index, update


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("indexing_process", Path(__file__).with_name("indexing_process.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["indexing_process"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def indexing() -> Any:
    """The module of the indexing process: its encoder and the way it opens an index."""
    return _load()


@pytest.fixture(scope="session")
def encoder(indexing: Any) -> Any:
    return indexing.WordEncoder()


@pytest.fixture
def open_repository() -> Iterator[Callable[[Path], Repository]]:
    """Opens repositories, and closes them when the test ends."""
    opened: list[Repository] = []

    def open_(path: Path) -> Repository:
        opened.append(Repository.open(path))
        return opened[-1]

    yield open_
    for repository in opened:
        repository.close()


@pytest.fixture
def open_index(indexing: Any, tmp_path: Path) -> Iterator[Callable[..., Index]]:
    """Opens indexes in ``tmp_path / "cache"``, and closes them when the test ends."""
    opened: list[Index] = []

    def open_(repository: Repository, folder: Path | None = None) -> Index:
        opened.append(indexing.open_index(repository, folder or tmp_path / "cache"))
        return opened[-1]

    yield open_
    for index in opened:
        index.close()


@pytest.fixture
def make_history(make_repository: Callable[..., Any]) -> Callable[..., Any]:
    """A repository in which each commit adds a timeout to two methods, one in each of two of four files."""

    def make(commits: int = 12) -> Any:
        builder = make_repository()
        for number in range(commits):
            files = {}
            for offset in range(2):
                file = f"client_{(number + offset) % 4}.py"
                values = ", ".join(f"timeout_{number}_{line}={line}" for line in range(number % 5 + 1))
                files[file] = (
                    f"class Client:\n    def get(self, {values}):\n        return {number}\n\n"
                    f"    def close(self):\n        self.session_{number}.close()\n"
                )
            builder.commit(f"Add timeout {number}", files)
        return builder

    return make


class Range(NamedTuple):
    """An index of a whole history, one of a part of it, the commits of that part, and an edit to look for in both."""

    whole: Index
    part: Index
    within: set[str]
    edit: Edit
    vector: NDArray[np.float32]


@pytest.fixture
def make_range(
    make_history: Callable[..., Any],
    open_repository: Callable[[Path], Repository],
    open_index: Callable[..., Index],
    encoder: Any,
    tmp_path: Path,
) -> Callable[[int, int], Range]:
    """Index a history of so many commits, and the same without so many of the newest."""

    def make(commits: int, newest: int) -> Range:
        repository = open_repository(make_history(commits).path)
        whole, part = open_index(repository), open_index(repository, tmp_path / "other")
        old = repository.ancestors()[newest]
        update(repository, encoder, whole.log)
        update(repository, encoder, part.log, rev=old)
        assert whole.log.size() > part.log.size() > 0
        edit = repository.edits_of(repository.ancestors()[2]).edits[0]
        vector = encoder.embed_edits([(edit.before, edit.after)])[0]
        return Range(whole, part, set(repository.ancestors(old)), edit, vector)

    return make


@pytest.fixture
def asked_edit(
    make_history: Callable[..., Any],
    open_repository: Callable[[Path], Repository],
    open_index: Callable[..., Index],
    encoder: Any,
) -> tuple[Index, Edit, NDArray[np.float32]]:
    """An index of a history, one of the edits in it, and the vector of that."""
    repository = open_repository(make_history().path)
    index = open_index(repository)
    update(repository, encoder, index.log)
    edit = repository.edits_of(repository.ancestors()[3]).edits[0]
    return index, edit, encoder.embed_edits([(edit.before, edit.after)])[0]

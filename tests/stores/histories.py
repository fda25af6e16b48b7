"""Histories that stores are filled with, and questions about them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from codewm_lsp.history import Repository
from codewm_lsp.index import UpdateOutcome, update
from codewm_lsp.stores import Store, source_of
from tests.conftest import RepositoryBuilder
from tests.index.indexing_process import WordEncoder

WORDS = ("timeout", "retry", "session", "cookie", "header", "proxy", "verify", "stream")


def method(name: str, *words: str) -> str:
    arguments = ", ".join(f"{word}=None" for word in words)
    return f"class Client:\n    def {name}(self, {arguments}):\n        return self.{name}_all({', '.join(words)})\n"


def two_histories(folder: Callable[[str], Path], commits: int, files: int) -> tuple[Path, Path]:
    """Two repositories in which methods are given more and more arguments."""
    paths = []
    for name, offset in (("client", 0), ("service", 3)):
        path = folder("histories") / name
        path.mkdir()
        builder = RepositoryBuilder(path)
        builder.git("init", "--quiet", "--initial-branch=main")
        for number in range(commits):
            words = [WORDS[(number + offset + at) % len(WORDS)] for at in range(number % 3 + 1)]
            text = method(f"get_{number % 4}", *words)
            builder.commit(f"Add {words[0]} to {name}", {f"{name}/file_{number % files}.py": text})
        paths.append(path)
    return paths[0], paths[1]


def fill(store: Store, *paths: Path) -> None:
    for path in paths:
        with Repository.open(path) as repository:
            done = update(repository, WordEncoder(), store.shelf(source_of(repository)))
            assert done.outcome is UpdateOutcome.COMPLETE


@cache
def question(path: Path, at: int) -> tuple[Any, Any]:
    """One of the edits of a history, and its vector."""
    with Repository.open(path) as repository:
        edits = [edit for sha in repository.ancestors() for edit in repository.edits_of(sha).edits]
    edit = edits[at % len(edits)]
    return edit, WordEncoder().embed_edits([(edit.before, edit.after)])[0]

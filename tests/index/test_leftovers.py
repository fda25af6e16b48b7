"""What no longer serves is listed, and removed after a while; nothing else is."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from codewm_lsp.index import Index, leftovers, remove, update

Make = Callable[..., Any]
DAY = 86_400


def age(path: Path, days: float) -> None:
    then = time.time() - days * DAY
    for file in path.parent.glob(f"{path.name}*"):
        os.utime(file, (then, then))


@pytest.fixture
def index_of(
    make_history: Make, make_repository: Make, open_repository: Make, encoder: Any, tmp_path: Path
) -> Callable[..., Path]:
    """Makes an index of a repository under a model, complete or not, last used so many days ago; its path."""
    repositories = {"one": open_repository(make_history(4).path)}

    def make(model: str, days: float, *, repository: str = "one", limit: int | None = None) -> Path:
        if repository not in repositories:
            builder = make_repository(repository)
            builder.commit(repository, {"a.py": f"def {repository}():\n    return 1\n"})
            repositories[repository] = open_repository(builder.path)
        with Index.of(repositories[repository], model, folder=tmp_path / "cache", edit_size=64) as index:
            update(repositories[repository], encoder, index.log, limit=limit)
            assert index.path is not None
        age(index.path, days)
        return index.path

    return make


def listed(cache: Path, **options: Any) -> dict[Path, str]:
    return {found.path: found.why for found in leftovers(cache, **options)}


def test_another_models_index_lives_a_week_where_the_new_one_is_complete(index_of: Make, tmp_path: Path) -> None:
    old, new = index_of("old", 8), index_of("new", 0, limit=1)
    assert listed(tmp_path / "cache") == {}  # the new one has one commit of four
    assert listed(tmp_path / "cache", patient=False) == {old: "of another model"}
    assert index_of("new", 0) == new
    assert old.exists(), "it was opened before it was completed"
    assert index_of("new", 0) == new
    assert not old.exists()
    assert new.exists()


def test_repositories_that_were_not_opened_for_half_a_year_are_forgotten(index_of: Make, tmp_path: Path) -> None:
    rare, gone = index_of("model", 100, repository="rare"), index_of("model", 200, repository="gone")
    dismissed = rare.with_name("dismissed.sqlite3")
    dismissed.write_bytes(b"")
    assert listed(tmp_path / "cache", patient=False) == dict.fromkeys((gone, rare), "its repository was not opened")
    index_of("model", 0)
    assert not gone.parent.exists()
    assert rare.exists()
    (found,) = leftovers(tmp_path / "cache", patient=False)
    assert found.days == 100
    assert found.bytes > 64 * 4
    assert remove(found)
    assert list(rare.parent.iterdir()) == [dismissed]


def test_an_index_that_a_program_holds_is_not_removed(
    index_of: Make, make_history: Make, open_repository: Make, tmp_path: Path
) -> None:
    path = index_of("model", 60)
    (found,) = leftovers(tmp_path / "cache", patient=False)
    with closing(sqlite3.connect(path)) as held:
        held.execute("SELECT * FROM meta").fetchall()
        held.execute("BEGIN")
        held.execute("SELECT * FROM meta").fetchall()
        assert not remove(found)
        assert path.exists()
    assert remove(found)
    assert not path.exists()


def test_what_is_not_ours_is_never_listed(index_of: Make, tmp_path: Path) -> None:
    path = index_of("model", 0)
    folder, cache = path.parent, tmp_path / "cache"
    later = folder / path.name.replace("-v2.", "-v3.")
    later.write_bytes(path.read_bytes())
    for name in ("notes-12345678-64-v1.sqlite3", "my-notes.txt"):
        (folder / name).write_text("keep")
    (cache / "0123456789abcdef").write_text("a file")
    (cache / "somebody").mkdir()
    (cache / "somebody" / path.name).write_bytes(path.read_bytes())
    (folder / "old-12345678-64-v1.sqlite3").symlink_to(path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe-12345678-64-v1.sqlite3")
    for file in folder.iterdir():
        os.utime(file, (0, 0), follow_symlinks=False)
    os.utime(path)
    assert listed(cache, patient=False) == {}

"""Which of the definitions that edits changed still stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codewm_lsp.explore import atlas
from codewm_lsp.history import Repository

SOURCES = {
    "a.py": "class Client:\n    def send(self):\n        return 1\n",
    "b.py": "def put(url):\n    return url\n",
}
DEFINITIONS = (("a.py", "Client.send"), ("a.py", "Client.gone"), ("b.py", "put"), ("c.py", "put"))


def alive(path: Path, of: list[int]) -> tuple[bool, ...]:
    with Repository.open(path) as repository:
        return atlas._alive(repository, repository.files("HEAD"), np.array(of), DEFINITIONS)


def test_a_definition_is_alive_where_it_stands_in_its_file(make_repository: Any) -> None:
    repository = make_repository()
    repository.commit("Start", SOURCES)
    assert alive(repository.path, [0, 1, 2, 3]) == (True, False, True, False)


def test_files_are_read_up_to_a_number_and_a_size_those_that_changed_most_first(
    make_repository: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = make_repository()
    repository.commit("Start", SOURCES)
    of = [0, 2, 2, 2]
    with monkeypatch.context() as limits:
        limits.setattr(atlas, "MOST_READ", 1)
        assert alive(repository.path, of) == (False, False, True, False)
    monkeypatch.setattr(atlas, "MOST_READ_BYTES", 5)
    assert alive(repository.path, of) == (False, False, True, False)

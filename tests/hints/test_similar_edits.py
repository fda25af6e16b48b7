"""Past edits like the one being made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from codewm_lsp.history import Repository

OpenEngine = Callable[[Path], Any]


def services(make_repository: Callable[..., Any]) -> Any:
    """Three of four functions were given a time-out, one commit each."""
    repository = make_repository("services")
    text = "def fetch_{0}(url):\n    return http.get(url, '{0}')\n"
    for name in ("users", "orders", "bills", "cards"):
        repository.write(f"{name}.py", text.format(name))
    repository.commit("Begin", {"other.py": "def add(a, b):\n    return a + b\n"})
    for name in ("users", "orders", "bills"):
        new = text.format(name).replace("(url)", "(url, timeout=3)").replace("url,", "url, timeout=timeout,", 1)
        repository.commit(f"Add timeout to {name}", {f"{name}.py": new})
    repository.commit("Subtract", {"other.py": "def add(a, b):\n    return a - b\n"})
    return repository


def test_the_same_change_made_elsewhere_comes_first(
    make_repository: Callable[..., Any], open_engine: OpenEngine
) -> None:
    repository = services(make_repository)
    engine = open_engine(repository.path)
    repository.write(
        "cards.py", "def fetch_cards(url, timeout=3):\n    return http.get(url, timeout=timeout, 'cards')\n"
    )
    with Repository.open(repository.path) as opened:
        (edit,) = opened.working_edits()
    found = engine.similar(edit, k=4)
    assert {one.edit.path for one in found[:3]} == {"users.py", "orders.py", "bills.py"}
    assert all(one.edit.commit.subject.startswith("Add timeout") for one in found[:3])
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert all(reason.words for one in found[:3] for reason in one.reasons)
    assert any(one.reasons for one in found[:3])


def test_the_definitions_own_past_and_the_future_are_left_out(
    make_repository: Callable[..., Any], open_engine: OpenEngine
) -> None:
    repository = services(make_repository)
    engine = open_engine(repository.path)
    with Repository.open(repository.path) as opened:
        (edit,) = opened.edits_of(repository.head("HEAD~2")).edits  # orders
    everything = engine.similar(edit, k=0)
    assert (edit.path, edit.definition) not in {(one.edit.path, one.edit.definition) for one in everything}
    past = engine.similar(edit, k=0, at=repository.head("HEAD~3"))
    assert {one.edit.commit.subject for one in past} == {"Begin", "Add timeout to users"}

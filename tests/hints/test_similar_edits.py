"""Past edits like the one being made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codewm_lsp.hints import Engine, HintKind, HintOptions
from codewm_lsp.hints.fading import faded
from codewm_lsp.history import Commit, Edit, EditKind, Repository
from codewm_lsp.index import Hit, PastEdit
from codewm_lsp.source import DefinitionKind
from tests.hints.conftest import in_progress

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


def test_an_edit_that_was_made_twice_as_a_backport_is_listed_once_with_its_first_commit(
    make_repository: Callable[..., Any], open_engine: OpenEngine
) -> None:
    repository = services(make_repository)
    before, after = repository.git("show", "HEAD~4:users.py"), (repository.path / "users.py").read_text("utf-8")
    repository.commit("Take it back", {"users.py": before + "\n"})
    repository.commit("[3.8] Add timeout to users (#7)", {"users.py": after})
    engine = open_engine(repository.path)
    repository.write(
        "cards.py", "def fetch_cards(url, timeout=3):\n    return http.get(url, timeout=timeout, 'cards')\n"
    )
    with Repository.open(repository.path) as opened:
        (edit,) = opened.working_edits()
    found = [one.edit.commit.subject for one in engine.similar(edit, k=0) if one.edit.path == "users.py"]
    assert "Add timeout to users" in found
    assert "[3.8] Add timeout to users (#7)" not in found


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


def test_a_changed_definition_gets_no_lens_where_the_best_past_edit_is_a_poor_one(
    make_repository: Callable[..., Any], open_engine: OpenEngine
) -> None:
    repository = services(make_repository)
    engine = open_engine(repository.path)
    only = HintOptions(kinds=frozenset({HintKind.SIMILAR}))
    like = "def fetch_cards(url, timeout=3):\n    return http.get(url, timeout=timeout, 'cards')\n"
    (lens,) = engine.hints("cards.py", like, options=only).items
    assert lens.score >= only.similar_threshold
    assert "Add timeout to " in lens.title
    assert lens.title.endswith("and 2 more")

    unlike = "def add(a, b):\n    colour = blend(a)\n    paint(colour)\n    return a - b\n"
    assert engine.hints("other.py", unlike, options=only).items == ()
    asked = replace(only, similar_threshold=0.0)
    (poor,) = engine.hints("other.py", unlike, options=asked).items
    assert poor.score < only.similar_threshold


def test_past_edits_of_other_repositories_stand_among_them_the_newer_first_of_equals(
    make_repository: Callable[..., Any], open_engine: OpenEngine
) -> None:
    repository = services(make_repository)
    engine = open_engine(repository.path)
    with Repository.open(repository.path) as opened:
        (edit,) = opened.edits_of(repository.head("HEAD~2")).edits
    (best,) = engine.engine.similar(engine.snapshot(), edit, k=1)

    class Others:
        def state(self) -> object:
            return 0

        def search(self, edit: Edit, vector: Any, model: str, k: int) -> list[Hit]:
            dates = best.edit.commit.date - 60, best.edit.commit.date + 60
            return [
                Hit(replace(best.edit, commit=replace(best.edit.commit, date=date)), best.score, 1.0, 1.0, 1.0)
                for date in dates
            ]

    both = Engine(engine.repository, engine.encoder, engine.index, others=Others())
    dates = [one.edit.commit.date - best.edit.commit.date for one in both.similar(engine.snapshot(), edit, k=3)]
    assert dates == [60, 0, -60]


def test_between_near_equals_the_newer_and_the_repository_s_own_comes_first() -> None:
    year = 31_557_600
    now = 1_700_000_000.0
    commit = Commit("0" * 40, "Ada", 0, "Change", None)
    edit = Edit("shop/a.py", "load", DefinitionKind.FUNCTION, EditKind.MODIFIED, "a", "b", 0, None, None)
    past = PastEdit(1, commit, "shop/b.py", "read", DefinitionKind.FUNCTION, EditKind.MODIFIED, 0)

    def chance(years: float, path: str = "shop/b.py", score: float = 0.5, asked: Edit = edit) -> float:
        made = replace(commit, date=int(now - years * year))
        return faded(Hit(replace(past, commit=made, path=path), score, 0.5, 0.5, 0.5), asked, now)

    assert chance(0.1) == chance(5.5) == 0.5
    assert 0.44 < chance(13.5) < 0.45 < chance(9.5) < 0.5, "of 13 years ago it is not shown by itself any more"
    assert chance(13.5, score=0.9) > chance(0.1, score=0.87), "which is no near equal"
    assert chance(0.1, "shop/_vendor/b.py") < 0.4
    inside = replace(edit, path="shop/_vendor/a.py")
    assert chance(0.1, "shop/_vendor/b.py", asked=inside) == 0.5
    assert chance(20, "shop/_vendor/b.py", score=1.0) == 1.0, "the same edit is the same edit"
    then = replace(edit, commit=replace(commit, date=int(now - 12 * year)))
    assert chance(13.5, asked=then) == 0.5, "it was new when that was made"


def test_a_definition_that_was_renamed_stands_in_the_list_under_one_name(
    make_repository: Callable[..., Any], open_engine: OpenEngine
) -> None:
    repository = services(make_repository)
    text = "def fetch_{0}(url):\n    return http.get(url, 'stock', timeout={1})\n"
    repository.commit("Begin stock", {"stock.py": text.format("stock", 3)})
    repository.commit("Call it goods", {"stock.py": text.format("goods", 3)})
    engine = open_engine(repository.path)
    repository.write("more.py", text.format("more", 5))
    with Repository.open(repository.path) as opened:
        (edit,) = opened.working_edits()
    everything = engine.similar(edit, k=0)
    renamed = [one.edit.definition for one in everything if one.edit.commit.subject == "Call it goods"]
    assert renamed == ["fetch_goods"]


@pytest.mark.parametrize("changed", [False, True])
def test_a_definition_that_only_went_elsewhere_is_no_edit_to_learn_from(
    make_repository: Callable[..., Any], open_engine: OpenEngine, changed: bool
) -> None:
    """Not even where its text was touched on the way; the same words taken out for good are one."""
    fetch = "def fetch(url, retries):\n    session = connect(url, retries)\n    return session.read(retries)\n"
    ask = "def ask(url):\n    session = connect(url, 3)\n    return session.read(3)\n"
    rest = "def close(path):\n    path.close()\n"
    repository = make_repository("moves")
    repository.commit("Begin", {"a.py": f"{fetch}\n\n{rest}", "b.py": rest, "c.py": f"{rest}\n\n{ask}"})
    there = fetch.replace("url, retries)\n    s", "url, retries=3)\n    s") if changed else fetch
    repository.commit("Fetch elsewhere", {"a.py": rest, "b.py": f"{rest}\n\n{there}"})
    repository.commit("Fetch no more", {"b.py": rest})
    engine = open_engine(repository.path)
    edit = in_progress(repository, "c.py", f"{rest}\n\n{ask}".replace("session = connect(url, 3)", "session = url"))
    found = {one.edit.commit.subject for one in engine.similar(edit, k=0)}
    assert "Fetch no more" in found
    assert "Fetch elsewhere" not in found

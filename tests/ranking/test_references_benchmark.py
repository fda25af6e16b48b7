"""The benchmark of definitions that must follow: what it takes for the truth, and what it counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.references import Clone, Counts, enumerated, kept, measure, scenarios, table
from codewm_lsp.source import parse_definitions
from codewm_lsp.world_model import WorldModel

FILES = {
    "shop/__init__.py": "",
    "shop/client.py": "def connect(host, port):\n    print('to', host, port)\n    return host, port\n",
    "shop/use.py": (
        "from shop.client import connect\n\n\ndef one():\n    return connect('a', 1)\n\n\n"
        "def two(connect):\n    return connect('b', 2)\n"
    ),
    "shop/colour.py": (
        "from enum import Enum\n\n\nclass Colour(Enum):\n    RED = 1\n    BLUE = 'blue'\n\n\n"
        "def name(colour):\n    return {Colour.RED: 'r', Colour.BLUE: 'b'}[colour]\n\n\n"
        "def red():\n    return Colour.RED\n"
    ),
}


@pytest.fixture
def clone(make_repository: Callable[..., Any], tmp_path: Path) -> Iterator[Clone]:
    repository = make_repository("shop")
    repository.commit("Begin", FILES)
    (tmp_path / "files").mkdir()
    made = Clone(repository.path, (tmp_path / "files").resolve())
    yield made
    made.repository.close()


@pytest.mark.parametrize(
    ("kind", "users"),
    [
        ("renamed", {("shop/use.py", "<module>"), ("shop/use.py", "one")}),
        ("removed", {("shop/use.py", "<module>"), ("shop/use.py", "one")}),
        ("parameter required", {("shop/use.py", "one")}),
        ("parameter removed", {("shop/use.py", "one")}),
        ("member added", {("shop/colour.py", "name")}),
    ],
)
def test_the_truth_is_who_uses_what_was_changed(clone: Clone, kind: str, users: set[tuple[str, str]]) -> None:
    found = [one for one in scenarios(clone, 20, 0, [kind]) if set(one.users) == users]
    assert found
    assert users <= set(found[0].known)


def test_all_of_them_are_led_and_counted_and_the_truth_is_kept(clone: Clone, tmp_path: Path) -> None:
    found = kept(clone, "shop", 20, 0, tmp_path / "truth")
    assert kept(clone, "shop", 20, 0, tmp_path / "truth") == found
    totals: dict[str, Counts] = defaultdict(Counts)
    measure(clone, found, WorldModel.load(), totals, tmp_path / "cache")
    assert sum(one.scenarios for one in totals.values()) == len(found) > 2
    for one in totals.values():
        assert one.users == one.first == one.lens == one.right
        assert not one.wrong
    assert len(table(totals)) == 2 + len(totals)


def test_members_of_an_enumeration_are_those_on_a_line_of_their_own() -> None:
    text = "class A(Flag):\n    ONE = auto()\n    TWO = 2  # two\n    _x = 3\n    LONG = (\n        4,\n    )\n"
    definition = next(one for one in parse_definitions(text) if one.name == "A")
    assert enumerated(definition) == ["ONE", "TWO"]
    assert not enumerated(next(one for one in parse_definitions("class A:\n    ONE = 1\n") if one.name == "A"))

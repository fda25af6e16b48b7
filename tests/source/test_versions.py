"""A version of a file parsed from the version before is what it is when parsed alone."""

from __future__ import annotations

import random

import pytest

from codewm_lsp.source import Outline, parse_definitions, parse_version

TEXT = '''"""A shop."""
import os

LIMIT = 3


@cached
def price(item):
    """What it costs."""
    return item.price


class Cart:
    """What is bought."""

    def add(self, item):
        self.items.append(item)

    @property
    def total(self):
        return sum(price(item) for item in self.items)


for name in ("a", "b"):
    register(name)


def price(item):
    return 0


async def close(): pass
'''
LINES = [
    *("@cached", "@", "def added(x):", "class Added:", "    pass", "x = 1", '"""', "    '''", "# why", ""),
    *("    def inner(self):", "        return 1", "async def later():", "if LIMIT:", "else:", "\\", "(", ")", "  x"),
]


def changed(text: str, chance: random.Random) -> str:
    """The text after a small change, most of which leave it Python, and some of which do not."""
    lines = text.split("\n")
    place = chance.randrange(len(lines))
    kind = chance.randrange(6)
    if kind < 2:
        lines.insert(place, chance.choice(LINES))
    elif kind == 2:
        del lines[place : place + chance.randint(1, 6)]
    elif kind == 3:
        lines[place] = chance.choice(("@", "x", "    ", "#", '"""')) + lines[place]
    elif kind == 4:
        lines[place] = lines[place].lstrip()
    else:
        start = chance.randrange(len(lines))
        lines[place:place] = lines[start : start + chance.randint(1, 12)]
    return "\n".join(lines)


@pytest.mark.parametrize("seed", range(12))
def test_a_version_after_another_is_parsed_as_it_is_alone(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(40):
        text, outline = TEXT, None
        for _ in range(5):
            found, outline = parse_version(text, outline)
            assert found == parse_definitions(text)
            text = changed(text, chance)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x = 1\nfoo()\ndef f():\n    pass\n", "x = 1\n@foo()\ndef f():\n    pass\n"),
        ("def f():\n    pass\n\n\ndef g():\n    pass\n", "def f():\n    pass\n\n\n'''\ndef g():\n    pass\n"),
        ("def f():\n    pass\n", "def f():\n    pass\n\n\ndef f():\n    pass\n"),
        ("def f():\n    pass\n", ""),
        ("", "def f():\n    pass\n"),
        ("def f():\n    '''a\nb'''\n\n\ndef g(): pass\n", "def f():\n    '''a\nb\nc'''\n\n\ndef g(): pass\n"),
        ("def f():\n    pass\nx = 1\n", "def f():\n    pass\n\n\nx = 1\n"),
    ],
)
def test_what_stands_between_changes_what_is_a_statement(old: str, new: str) -> None:
    for one, other in ((old, new), (new, old)):
        _, outline = parse_version(one, None)
        assert parse_version(other, outline)[0] == parse_definitions(other)


def test_statements_that_both_versions_have_are_the_same_objects() -> None:
    first, outline = parse_version(TEXT, None)
    assert isinstance(outline, Outline)
    second, _ = parse_version(TEXT.replace("return 0", "return 1"), outline)
    same = {one.name for one in first if any(one is other for other in second)}
    assert {"price", "Cart", "Cart.add", "Cart.total"} <= same

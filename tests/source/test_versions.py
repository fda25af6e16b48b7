"""A version of a file parsed from the version before is what it is when parsed alone."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from codewm_lsp.history.edits import definition_edits
from codewm_lsp.source import Definition, differing, parse_definitions, parse_version
from codewm_lsp.source.memory import TextMemory

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
Parse = Callable[[str], tuple[Definition, ...]]
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


def versions(text: str, count: int, chance: random.Random) -> Iterator[str]:
    """The text, and what becomes of it in one small change after another."""
    for _ in range(count):
        yield text
        text = changed(text, chance)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Parse:
    """Parse a text with nothing remembered of those before."""

    def parse(text: str) -> tuple[Definition, ...]:
        with monkeypatch.context() as patch:
            for name in ("_STATEMENTS", "_READINGS", "_MEMBERS"):
                patch.setattr(f"codewm_lsp.source.definitions.{name}", TextMemory(1 << 20))
            return parse_definitions(text)

    return parse


@pytest.mark.parametrize("seed", range(12))
def test_a_version_after_another_is_parsed_as_it_is_alone(seed: int, alone: Parse) -> None:
    chance = random.Random(seed)
    for _ in range(40):
        outline = None
        for text in versions(TEXT, 5, chance):
            outline = parse_version(text, outline)
            assert outline.definitions == alone(text)


def large_class() -> str:
    """A file with a class that is parsed member by member."""
    members = [
        *(f"    def get_{number}(self):\n        return self.values[{number}]\n" for number in range(40)),
        '    @property\n    def name(self):\n        """Its name."""\n        return self._name\n',
        "    limit = 3\n    async def close(self):\n        def inner():\n            pass\n        return inner\n",
        "    class Inner:\n        def get_1(self): ...\n\n        x = 1\n",
        "    if LIMIT:\n        def get_2(self): pass\n    def get_2(self): pass\n    # the end\n",
    ]
    body = "\n".join(members)
    return f'import os\n\n\n@final\nclass Large(Base):\n    """It is large."""\n\n{body}\n# next\ndef get_1(): pass\n'


@pytest.mark.parametrize("seed", range(6))
def test_a_class_after_another_is_parsed_as_it_is_alone(seed: int, alone: Parse) -> None:
    chance = random.Random(seed)
    for _ in range(10):
        outline = None
        for text in versions(large_class(), 6, chance):
            outline = parse_version(text, outline)
            assert outline.definitions == alone(text)


@pytest.mark.parametrize("seed", range(6))
def test_what_differs_makes_the_edits_that_all_definitions_make(seed: int) -> None:
    chance = random.Random(100 + seed)
    for _ in range(20):
        before, *_, after = versions(chance.choice((TEXT, large_class())), chance.randint(2, 4), chance)
        first = parse_version(before, None)
        for other in (None, first):
            second = parse_version(after, other)
            for old, new in ((first, second), (second, first)):
                everything = definition_edits("a.py", old.definitions, new.definitions)
                assert definition_edits("a.py", *differing(old, new)) == everything


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
        outline = parse_version(one, None)
        assert parse_version(other, outline).definitions == parse_definitions(other)


def test_what_both_versions_have_is_not_compared() -> None:
    for text, line in ((TEXT, "return 0"), (large_class(), "return self.values[7]")):
        first = parse_version(text, None)
        second = parse_version(text.replace(line, "return 1"), first)
        old, new = differing(first, second)
        assert len(old) == len(new) < 6 < len(first.definitions)
        assert [one.source for one in new if one not in old] == [
            one.source.replace(line, "return 1") for one in old if one not in new
        ]


def test_a_class_in_which_one_member_changed_shares_the_others() -> None:
    first = parse_version(large_class(), None)
    second = parse_version(large_class().replace("return self.values[7]", "return 7"), first)
    assert (
        sum(one is other for one, other in zip(first.sections, second.sections, strict=True)) >= len(first.sections) - 2
    )

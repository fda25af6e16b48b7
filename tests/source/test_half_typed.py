"""A definition keeps its qualified name, and its text, while something in it, above it or around it is half typed."""

from __future__ import annotations

import ast
import re
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codewm_lsp.source import MODULE_NAME, Definition, parse_definitions, parse_version

FILE = '''\
"""A shop."""
import os

PRICES = {
    "pear": 3,
}


@cached
@sometimes(
    1,
)
def price(item):
    """What it costs, don't ask why (yet."""
    def inner(x):
        return x
    return inner(item.price)


class Größe(Base):
    """Sizes."""

    limit = [1, 2]

    def __init__(self, items):
        self.items = items
        if items:
            def later():
                return f"{items["a"]!r:>{10}} {{}}"
            self.later = later

    @property
    async def total[T](self) -> T:
        match self.items:
            case [x, *_] if x:
                return x
        return sum(price(item) for item in self.items)

    class Options:
        """As in::

            class Example:
                def shown(self): ...
        """

        def get(self):
            return """
text at the margin
"""

    # behind it all


async def close(shop):
    await shop


if os.name == "nt":
    def path(): return 1
else:
    def path(): return 2
'''


def names(text: str) -> list[str]:
    return [definition.name for definition in parse_definitions(text)]


def by_name(text: str) -> dict[str, Definition]:
    return {definition.name: definition for definition in parse_definitions(text)}


WHOLE = by_name(FILE)
LINES = FILE.split("\n")
HALVES = [
    *("x = foo(", "if", "if x", "for x in", "@", "@deco(", "return [", 'f"{', "else", "try:", "with open(", "import"),
    *("lambda x:", "match x:", "case", "from . import (", "\\", 'x = "abc', "self.", "self.x = {", "x = y[", "def"),
    *("async", "except", "raise", "await", "yield", "#", '"', "'", "(", "[", "{", ")", "]", "}", "not", "global x"),
]
INSERTED = ["(", ")", "[", "]", "{", "}", '"', "'", 'f"', 'f"{', ":", "=", ".", "\\", "#", "$", "`", "\\\n"]
EXAMPLE = range(LINES.index("    class Options:"), LINES.index("        def get(self):"))
PLACES = [
    number
    for number, line in enumerate(LINES)
    if line.strip() and not re.match(r"\s*(@|async|def|class|text at)", line) and number not in EXAMPLE
]


def check(text: str, number: int) -> None:
    try:
        ast.parse(text)
    except SyntaxError:
        pass
    else:
        return  # it is as it stands, and means something else
    found = by_name(text)
    assert set(found) - {MODULE_NAME} == set(WHOLE) - {MODULE_NAME}
    for name, definition in WHOLE.items():
        if name != MODULE_NAME and not definition.start <= number < definition.end:
            assert found[name].source == definition.source, name


@given(number=st.sampled_from(PLACES), half=st.sampled_from(HALVES))
def test_a_line_that_is_being_typed_takes_no_name(number: int, half: str) -> None:
    indentation = LINES[number][: len(LINES[number]) - len(LINES[number].lstrip())]
    check("\n".join([*LINES[:number], indentation + half, *LINES[number:]]), number)


@pytest.mark.parametrize("quotes", ['"""', "'''", 'f"""', "x = r'''abc"])
@pytest.mark.parametrize("number", PLACES)
def test_quotes_that_are_not_closed_take_no_name_from_outside_of_their_definition(number: int, quotes: str) -> None:
    indentation = LINES[number][: len(LINES[number]) - len(LINES[number].lstrip())]
    found = names("\n".join([*LINES[:number], indentation + quotes, *LINES[number:]]))
    around = [one for one in WHOLE.values() if one.name != MODULE_NAME and one.start <= number < one.end]
    within = tuple(f"{one.name}." for one in around if one.kind.value != "class")
    conditional = {"path", "path#2"}  # their ``if`` may be taken for more of the string
    lost = set(WHOLE) - conditional - {MODULE_NAME, *found}
    assert not [name for name in lost if not name.startswith(within or "-")]


@given(number=st.sampled_from(PLACES), data=st.data())
def test_a_line_of_which_the_end_is_not_there_yet_takes_no_name(number: int, data: st.DataObject) -> None:
    line = LINES[number]
    kept = data.draw(st.integers(len(line) - len(line.lstrip()), len(line)))
    check("\n".join([*LINES[:number], line[:kept], *LINES[number + 1 :]]), number)


@given(number=st.sampled_from(PLACES), sign=st.sampled_from(INSERTED), data=st.data())
def test_a_sign_too_many_takes_no_name(number: int, sign: str, data: st.DataObject) -> None:
    line = LINES[number]
    place = data.draw(st.integers(len(line) - len(line.lstrip()), len(line)))
    check("\n".join([*LINES[:number], line[:place] + sign + line[place:], *LINES[number + 1 :]]), number)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("def f", "f"),
        ("def f(", "f"),
        ("def f(a, b=[", "f"),
        ("async def f(a", "f"),
        ("def f[T", "f"),
        ("class A", "A"),
        ("class A(B", "A"),
        ("class A[T](B[", "A"),
        ("@\ndef f(a):\n    pass", "f"),
        ("@decorate(\ndef f(a):\n    pass", "f"),
        ("@first\n@second(1,\ndef f(a):\n    pass", "f"),
        ("@def f(a):\n    pass", "f"),
        ("def größer(a, b", "größer"),
        ("class 名(", "名"),
        ("\x0cdef f(a", "f"),
        ("x = (\ndef f(a):\n    pass", "f"),
        ("x = 1 + \\\ndef f(a):\n    pass", "f"),
        ("x = '''\ndef f(a):\n    pass", "f"),
    ],
)
def test_a_definition_has_its_name_as_soon_as_it_is_typed(typed: str, name: str) -> None:
    text = f"import os\n\n\n{typed}\n\n\ndef after():\n    return 1\n"
    assert [found for found in names(text) if found != MODULE_NAME] == [name, "after"]


@pytest.mark.parametrize(
    "value", ['"a" \\\n"b"', "(1 +\n1)", "y[\n1]", "{\n'a': 1,\n}", "f(a,\nb=1\n)", "1 + \\\n\\\n2"]
)
def test_what_goes_on_at_the_margin_ends_no_class(value: str) -> None:
    text = f"class H:\n    def m(self):\n        x = {value}\n\n    def n(self):\n        return 1\n"
    ast.parse(text)
    assert names(text) == ["H", "H.m", "H.n"]
    assert by_name(text)["H.m"].source.endswith(value)


@pytest.mark.parametrize("stray", ["foo", "x = 1", "foo(", "@", '"""', "import os", "'abc", "x = [\n"])
def test_a_line_at_the_margin_ends_no_class_that_goes_on(stray: str) -> None:
    text = "class H:\n    def m(self):\n        x = 1\n%s\n    def n(self):\n        return 1\n\n\ndef last(): pass\n"
    assert [name for name in names(text % stray) if name != MODULE_NAME] == ["H", "H.m", "H.n", "last"]


def test_a_method_that_goes_on_behind_a_line_at_the_margin_keeps_its_text() -> None:
    text = "class H:\n    def m(self):\n        x = 1\nfoo\n        return x\n\n    def n(self):\n        return 1\n"
    assert "return x" in by_name(text)["H.m"].source
    assert by_name(text)["H.n"].source == "def n(self):\n        return 1"


def test_tabs_count_as_python_counts_them() -> None:
    text = "class A:\n        def f(self):\n                x = (\n\n\tdef g(self):\n\t\treturn 1\n\ndef h(): pass\n"
    assert names(text) == ["A", "A.f", "A.g", "h"]


def test_a_form_feed_before_a_definition_is_no_indentation() -> None:
    text = "class A:\n    x = (\n\x0c\n    def f(self):\n        pass\n\x0cclass B:\n    x = 1\n\x0cdef c(): pass\n"
    assert names(text) == ["A", "A.f", "B", "c"]


def test_any_line_end_and_a_byte_order_mark_will_do() -> None:
    plain = parse_definitions(FILE)
    for text in (FILE.replace("\n", "\r\n"), FILE.replace("\n", "\r"), "\ufeff" + FILE):
        assert parse_definitions(text) == plain


@pytest.mark.parametrize("base", ["", "||||||| 3f2a91c\n        response = http.fetch(url)\n"])
def test_the_markers_of_a_conflict_are_blank_lines(base: str) -> None:
    text = textwrap.dedent(
        """
        class Client:
            def fetch(self, url):
                response = http.get(url)
                return response

            def count(self, items):
                \"\"\"Heading
                =======
                \"\"\"
                return len(items)
        """
    )
    line = "        response = http.get(url)\n"
    theirs = line.replace("url", "url, 3")
    conflict = f"<<<<<<< HEAD\n{line}{base}=======\n{theirs}>>>>>>> topic\n"
    was, found = by_name(text), by_name(text.replace(line, conflict))
    assert set(found) == set(was)
    assert found["Client.count"].source == was["Client.count"].source
    assert found["Client.count"].line == was["Client.count"].line + conflict.count("\n") - 1
    assert found["Client.fetch"].source.split() == was["Client.fetch"].source.split()
    half_resolved = text.replace(line, line + f"=======\n{theirs}>>>>>>> topic\n")
    both = f"def fetch(self, url): {line}{theirs}return response"
    assert by_name(half_resolved)["Client.fetch"].source.split() == both.split()


def test_only_the_first_side_of_a_conflict_holds_definitions() -> None:
    sides = "<<<<<<< HEAD\ndef ours(a):\n    x = (\n=======\ndef theirs(a):\n    return 1\n>>>>>>> topic\n"
    text = sides + "\n\ndef after(): pass\n"
    assert names(text) == ["ours", "after"]
    assert names(text.replace("def theirs", "def ours")) == ["ours", "after"], "no second definition"
    assert names(text + sides.replace("ours", "more")) == ["ours", "after", "more"]


@given(number=st.sampled_from(PLACES), half=st.sampled_from(HALVES))
def test_a_version_after_a_half_typed_one_is_read_as_it_is_alone(number: int, half: str) -> None:
    typed = "\n".join([*LINES[:number], half, *LINES[number:]])
    first = parse_version(FILE, None)
    second = parse_version(typed, first)
    assert second.definitions == parse_definitions(typed)
    assert parse_version(FILE, second).definitions == first.definitions

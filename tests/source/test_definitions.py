"""Text → definitions."""

from __future__ import annotations

import textwrap

import pytest

from codewm_lsp.source import MODULE_NAME, Definition, DefinitionKind, parse_definitions
from codewm_lsp.source.definitions import MAX_DEFINITIONS

FILE = '''\
"""A module."""
import os

LIMIT = 3


@cache
@other(
    1,
)
def decorated(a):
    def inner(b):
        return b
    return inner(a)


async def waits():
    pass


class Client(Base):
    """Talks."""

    retries = 3

    @property
    def url(self):
        return self._url

    @url.setter
    def url(self, value):
        self._url = value

    class Options:
        def get(self):
            return 1

    # behind it all


if LIMIT:
    def conditional(): return 1
else:
    def conditional(): return 2
'''


def by_name(text: str) -> dict[str, Definition]:
    definitions = parse_definitions(text)
    assert len({definition.name for definition in definitions}) == len(definitions)
    return {definition.name: definition for definition in definitions}


def test_every_definition_has_its_qualified_name_and_kind() -> None:
    assert [(d.name, d.kind.value) for d in parse_definitions(FILE)] == [
        (MODULE_NAME, "module"),
        ("decorated", "function"),
        ("decorated.inner", "function"),
        ("waits", "function"),
        ("Client", "class"),
        ("Client.url", "method"),
        ("Client.url#2", "method"),
        ("Client.Options", "class"),
        ("Client.Options.get", "method"),
        ("conditional", "function"),
        ("conditional#2", "function"),
    ]


def test_lines_are_those_of_the_keyword_and_of_the_whole() -> None:
    lines = FILE.split("\n")
    for definition in parse_definitions(FILE)[1:]:
        keyword = definition.name.rsplit(".", 1)[-1].split("#")[0]
        assert f" {keyword}" in lines[definition.line]
        assert lines[definition.start].lstrip().startswith(("@", "def", "async", "class"))
    decorated = by_name(FILE)["decorated"]
    assert (decorated.start, decorated.line, decorated.end) == (6, 10, 14)
    assert by_name(FILE)[MODULE_NAME].end == FILE.count("\n")


def test_a_definition_owns_its_text_without_that_of_nested_ones() -> None:
    found = by_name(FILE)
    assert found["decorated.inner"].source == "def inner(b):\n        return b"
    assert "".join(found["decorated"].source.split()) == "@cache@other(1,)defdecorated(a):returninner(a)"
    assert "return 1" not in found["Client"].source
    assert "retries = 3" in found["Client"].source
    assert found["Client.url#2"].source == "@url.setter\n    def url(self, value):\n        self._url = value"
    assert "LIMIT = 3" in found[MODULE_NAME].source
    assert "retries" not in found[MODULE_NAME].source


def test_every_character_belongs_to_exactly_one_definition() -> None:
    assert sorted("".join(definition.source for definition in parse_definitions(FILE))) == sorted(FILE)


def test_texts_without_definitions() -> None:
    assert parse_definitions("") == ()
    assert parse_definitions(" \n\n\t\n") == ()
    for text in ("x = 1", "x = 1\n", "# only a comment\n", "\n\nx"):
        (module,) = parse_definitions(text)
        assert (module.name, module.kind, module.line, module.start) == (MODULE_NAME, DefinitionKind.MODULE, 0, 0)
        assert module.source == text
        assert module.end == len(text.rstrip("\n").split("\n"))


def test_a_module_that_is_definitions_alone_has_no_remainder() -> None:
    assert [definition.name for definition in parse_definitions("def a(): pass\n\n\ndef b(): pass\n")] == ["a", "b"]


def test_text_at_the_margin_of_a_long_string_is_no_definition() -> None:
    example = "def not_one():\n    pass\n\n" * 40
    text = f'def a():\n    return """\n{example}"""\n\nTEXT = """\n{example}"""\n\n\ndef b(): pass\n'
    assert [definition.name for definition in parse_definitions(text)] == [MODULE_NAME, "a", "b"]


def test_an_example_in_a_docstring_is_no_definition() -> None:
    text = '''
        class View:
            """Use it so::

                    class MyView(View):
                        def render(self):
                            pass
            """

            def render(self):
                """As in

                        def example(): pass
                """
                return 1

            def other(self):
                return 2
    '''
    text = textwrap.dedent(text) + "\n" + "# padding\n" * 300
    assert [d.name for d in parse_definitions(text)] == [MODULE_NAME, "View", "View.render", "View.other"]
    broken = text.replace("return 1", "return (")
    assert {"View", "View.render", "View.other"} <= {d.name for d in parse_definitions(broken)}


def test_tabs_semicolons_and_one_liners() -> None:
    text = "class A:\n\tdef f(self):\n\t\tpass\n\n\tdef g(self): pass; x = 1\n\nclass B: x = 1\n"
    assert [definition.name for definition in parse_definitions(text)] == ["A", "A.f", "A.g", "B"]


def test_form_feeds_and_continued_lines() -> None:
    text = "\x0c\ndef a():\n\\\n    pass\n\x0c\nclass B:\n\\\n    x = 1\n\x0cdef c():\n    pass\n"
    names = [definition.name for definition in parse_definitions(text)]
    assert names in (["a", "B", "c"], [MODULE_NAME, "a", "B", "c"])
    assert "x = 1" in by_name(text)["B"].source


def test_windows_line_ends() -> None:
    text = FILE.replace("\n", "\r\n")
    unix, windows = parse_definitions(FILE), parse_definitions(text)
    assert [(d.name, d.line, d.start, d.end) for d in windows] == [(d.name, d.line, d.start, d.end) for d in unix]
    assert [d.source.replace("\r", "") for d in windows] == [d.source for d in unix]


@pytest.mark.parametrize(
    "breakage",
    [
        ("return self._url", "return self._url("),
        ("return self._url", 'return "'),
        ("return self._url", 'return """'),
        ("self._url = value", "self._url = = value"),
        ("def url(self, value):", "def url(self, value"),
        ("def url(self):", "def url(:"),
        ("retries = 3", "retries = ["),
        ("return inner(a)", "return inner(a"),
        ("async def waits():", "async def waits("),
        ("    pass", "pass"),
        ("LIMIT = 3", "LIMIT = {3"),
        ("LIMIT = 3", "LIMIT ="),
        ("@cache", "@"),
        ("@property", "@property("),
    ],
)
def test_what_is_broken_takes_no_other_definition_along(breakage: tuple[str, str]) -> None:
    whole, broken = by_name(FILE), by_name(FILE.replace(*breakage, 1))
    changed = {name for name, definition in whole.items() if breakage[0] in definition.source}
    expected = set(whole) - changed
    if breakage[0] in ("retries = 3",):
        expected -= {name for name in whole if name.startswith("Client.")}
    for name in sorted(expected - {MODULE_NAME, "Client"}):
        assert name in broken, name
        assert broken[name].source == whole[name].source, name


def test_a_class_keeps_its_members_while_one_is_broken() -> None:
    methods = "".join(f"    def m{number}(self):\n        return {number}\n\n" for number in range(80))
    text = f"class Large(Base):\n    limit = 3\n\n{methods}\n\ndef after(): pass\n"
    whole = by_name(text)
    broken = by_name(text.replace("return 40\n", "return (40\n"))
    assert set(broken) == set(whole)
    for name in set(whole) - {"Large", "Large.m40"}:
        assert broken[name].source == whole[name].source
        assert broken[name].line == whole[name].line


def test_a_change_within_a_large_class_moves_the_others_alone() -> None:
    methods = "".join(f"    def m{number}(self):\n        return {number}\n\n" for number in range(80))
    text = f"class Large(Base):\n    limit = 3\n\n{methods}    # behind\n# outside\n\nx = 1\n"
    parse_definitions(text)
    changed = text.replace("return 40\n", "x = 1\n        return 41\n")
    for name, definition in by_name(changed).items():
        was = by_name(text)[name]
        assert (definition.source == was.source) is (name != "Large.m40")
        number = int(name.rpartition(".m")[2]) if ".m" in name else -1
        assert definition.line == was.line + (number > 40)
    assert "# behind" in by_name(changed)["Large"].source
    assert "# outside" in by_name(changed)[MODULE_NAME].source


def test_a_file_of_more_definitions_than_anybody_writes_is_its_module_alone() -> None:
    one = "def f{number}(a):\n    return a\n"
    written = "".join(one.format(number=number) for number in range(MAX_DEFINITIONS))
    assert len(parse_definitions(written)) == MAX_DEFINITIONS
    generated = written + "def last(a):\n    return a\n"
    (module,) = parse_definitions(generated)
    assert (module.name, module.kind) == (MODULE_NAME, DefinitionKind.MODULE)

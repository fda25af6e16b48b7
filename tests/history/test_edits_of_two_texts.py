"""Two texts of a file → its edits."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st
from tree_sitter import Parser

from codewm_lsp.history import EditKind, file_edits
from codewm_lsp.history.edits import _differ
from codewm_lsp.source import MODULE_NAME, DefinitionKind, fingerprint, tokenize
from codewm_lsp.source.languages import PYTHON

BEFORE = '''import os


class Client:
    """Talks."""

    retries = 3

    def get(self, url):
        return self.send("GET", url)

    def post(self, url):
        return self.send("POST", url)


def main():
    Client().get("/")
'''


def names(before: str | None, after: str | None) -> list[tuple[str, EditKind]]:
    return [(edit.definition, edit.kind) for edit in file_edits("a.py", before, after)]


def test_a_changed_method_is_one_edit_of_that_method_alone() -> None:
    after = BEFORE.replace("def get(self, url):", "def get(self, url, timeout=None):")
    (edit,) = file_edits("a.py", BEFORE, after)
    assert (edit.path, edit.definition, edit.definition_kind) == ("a.py", "Client.get", DefinitionKind.METHOD)
    assert edit.kind is EditKind.MODIFIED
    assert edit.line == 8
    assert edit.before == 'def get(self, url):\n        return self.send("GET", url)'
    assert edit.after == 'def get(self, url, timeout=None):\n        return self.send("GET", url)'
    assert edit.previous_path is None
    assert edit.commit is None


def test_a_class_attribute_is_an_edit_of_the_class_and_an_import_one_of_the_module() -> None:
    after = BEFORE.replace("retries = 3", "retries = 5").replace("import os", "import os, sys")
    assert names(BEFORE, after) == [(MODULE_NAME, EditKind.MODIFIED), ("Client", EditKind.MODIFIED)]


def test_added_and_removed_definitions_have_one_empty_side() -> None:
    after = BEFORE.replace("def post", "def put")
    removed, added = sorted(file_edits("a.py", BEFORE, after), key=lambda edit: edit.kind.value, reverse=True)
    assert (removed.definition, removed.kind, removed.after) == ("Client.post", EditKind.REMOVED, "")
    assert (added.definition, added.kind, added.before) == ("Client.put", EditKind.ADDED, "")
    assert removed.line == added.line == 11


def test_comments_and_white_space_are_no_edit() -> None:
    after = BEFORE.replace("def main():\n", "def main():\n\n    # starts here\n").replace("url):", "url) :")
    assert names(BEFORE, after) == []


def test_a_docstring_is_an_edit() -> None:
    assert names(BEFORE, BEFORE.replace("Talks.", "Speaks.")) == [("Client", EditKind.MODIFIED)]


def test_a_definition_that_only_moved_is_no_edit() -> None:
    assert names("def a(): pass\n\ndef b(): pass\n", "def b(): pass\n\n\ndef a(): pass\n") == []


def test_a_new_file_and_a_deleted_one() -> None:
    everything = [MODULE_NAME, "Client", "Client.get", "Client.post", "main"]
    assert names(None, BEFORE) == [(name, EditKind.ADDED) for name in everything]
    assert names(BEFORE, None) == [(name, EditKind.REMOVED) for name in everything]
    assert names(None, None) == []
    assert names(None, "") == names("", None) == names("", "") == []


def test_edits_come_in_the_order_of_the_lines() -> None:
    after = BEFORE.replace("import os", "import sys").replace('"/"', '"/x"').replace('"GET"', '"get"')
    assert [edit.line for edit in file_edits("a.py", BEFORE, after)] == [0, 8, 15]


def test_breaking_one_definition_edits_no_other() -> None:
    after = BEFORE.replace('return self.send("GET", url)', "return self.send(")
    assert names(BEFORE, after) == [("Client.get", EditKind.MODIFIED)]


def test_changes_that_tokens_do_not_show_are_no_edits() -> None:
    for before, after in [
        ('def f():\n    return "a"\n', "def f():\n    return 'a'\n"),
        ("def f(a, b):\n    pass\n", "def f(\n    a,\n    b,\n):\n    pass\n"),
        ('def f():\n    return f"{x!r}"\n', 'def f():\n    return f"{x!s}"\n'),
        ('def f():\n    return u"x"\n', 'def f():\n    return "x"\n'),
        ('def f(c):\n    return g("a#b", c)\n', 'def f(c):\n    return g("a#b",\n        c)\n'),
    ]:
        assert fingerprint(tokenize(before)) == fingerprint(tokenize(after)), before
        assert names(before, after) == [], before


_BLOCKS = st.sampled_from(
    [
        "    return a + b",
        "    return a+b  # sum",
        '    return (a + b)  # it\'s a "sum"',
        "    # a 'comment'",
        "    #",
        '    # """',
        "    x = 'a#b'; y = x",
        '    x = "a#b"',
        "    x = g('a#b', c)",
        "    x = g('a#b',\n          c)",
        '    """Docs # not a comment"""',
        '    """Docs # not a comment\n    more\n    """ + y  # tail',
        '    """Docs # not a comment\n    more\n    """; y',
        "    '''Docs\n  # more\n'''",
        '    return f"{a:.2f} {b!r}"',
        '    return f"{a:.3f} {b!s}"',
        '    return f"{a:{width}} # {{}}"',
        '    return rb"x"',
        '    return b"x"',
        "    return 'x'",
        "    x = {1: 2, 'k': [3, (4)]}",
        "    x = {1:2,'k':[3,4,],}",
        "    y = x \\\n    + 1",
        "    y = 'a\\\n# b'",
        "    nämé = 'ü'",
        "    name = '你'",
        "    if a: pass",
        "    if a:\n        pass",
        "    if a:\n        pass\n        x",
        "    if a:\n        pass\n    x",
        "    return not  a",
        "    return ...",
        "    match a:\n        case _: pass",
        "    lambda _: _",
        "    print 'x'",
        "",
        "  ",
    ]
)


def unbroken(text: str) -> bool:
    return not Parser(PYTHON.grammar).parse(text.encode()).root_node.has_error


@given(before=st.lists(_BLOCKS, min_size=1, max_size=6), data=st.data())
def test_the_short_cut_agrees_with_the_fingerprints(before: list[str], data: st.DataObject) -> None:
    after = list(before)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(after) - 1))
        after[place : place + data.draw(st.integers(0, 2))] = [data.draw(_BLOCKS)]
    old, new = ("\n".join(["def f(a, b=1):", *blocks, "    pass"]) for blocks in (before, after))
    assume(unbroken(old) and unbroken(new))
    assert _differ(old, new, PYTHON) == (fingerprint(tokenize(old)) != fingerprint(tokenize(new)))

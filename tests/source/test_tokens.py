"""The text of a definition → tokens and fingerprint."""

from __future__ import annotations

import subprocess
import sys

import pytest

from codewm_lsp.source import (
    VOCABULARY,
    VOCABULARY_HASH,
    LeafRole,
    fingerprint,
    parse_definitions,
    tokenize,
    word_counts,
)
from codewm_lsp.source.vocabulary import ERROR

TEXT = '''
@app.route("/x")
def get(self, url: str, *args, timeout=None, **options):
    """Fetch it."""
    # slowly
    response = self.session.send(url, timeout=timeout, verify=False)
    return [int(part) for part in response.text if part != 'a' and not None] or 3.5
'''


def roles(text: str) -> dict[str, set[LeafRole]]:
    found: dict[str, set[LeafRole]] = {}
    for leaf in tokenize(text).leaves:
        found.setdefault(leaf.text, set()).add(leaf.role)
    return found


def names(text: str) -> list[str]:
    return [VOCABULARY[token] for token in tokenize(text).ids]


def test_each_leaf_has_the_part_it_plays() -> None:
    found = roles(TEXT)
    assert found["get"] == {LeafRole.NAME}
    assert found["url"] == {LeafRole.PARAMETER, LeafRole.VARIABLE}
    assert found["args"] == found["options"] == {LeafRole.PARAMETER}
    assert found["timeout"] == {LeafRole.PARAMETER, LeafRole.KEYWORD, LeafRole.VARIABLE}
    assert found["send"] == {LeafRole.ATTRIBUTE}
    assert found["int"] == {LeafRole.CALLEE}
    assert found["str"] == {LeafRole.TYPE}
    assert found["route"] == {LeafRole.DECORATOR}
    assert found["Fetch it."] == {LeafRole.DOCSTRING}
    assert found["# slowly"] == {LeafRole.COMMENT}
    assert found["a"] == {LeafRole.STRING}
    assert found["3.5"] == {LeafRole.NUMBER}
    assert found["return"] == found["False"] == {LeafRole.SYNTAX}
    assert roles("from os import path as p\n")["p"] == {LeafRole.IMPORT}


def test_tokens_are_the_tree_in_pre_order_with_depths() -> None:
    tokens = tokenize("def f(a):\n    return a\n")
    assert len(tokens.ids) == len(tokens.depths)
    assert [name for name in names("def f(a):\n    return a\n") if not name.startswith("identifier")] == [
        "node:function_definition",
        "syntax:def",
        "node:parameters",
        "node:block",
        "node:return_statement",
        "syntax:return",
    ]
    assert min(tokens.depths) == 1


def test_comments_are_words_but_no_structure() -> None:
    with_comment, without = tokenize("x = 1  # why\n"), tokenize("x = 1\n")
    assert with_comment.ids == without.ids
    assert "why" in word_counts(with_comment.leaves)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f(a, b):\n    return a\n", "def f(a,b): # why\n\n    return  a"),
        ("x = [1, 2]", "x = [\n  1,\n  2,\n]  # two\n"),
        ("def f():\n    pass", "    def f():\n        pass\n"),
    ],
)
def test_the_fingerprint_ignores_comments_and_white_space(one: str, other: str) -> None:
    assert fingerprint(tokenize(one)) == fingerprint(tokenize(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a = b", "a = c"),
        ("a = 1", "a = 2"),
        ("a = 'x'", "a = 'y'"),
        ("a = 'x y'", "a = 'x  y'"),
        ("a + b", "a - b"),
        ("a + b + c", "a + (b + c)"),
        ("if a:\n    b\n    c", "if a:\n    b\nc"),
        ("f(a, b)", "f(b, a)"),
        ("ab = 1", "a, b = 1"),
        ("not a", "a"),
        ("a is not b", "a is b"),
        ("def f(): pass", "async def f(): pass"),
        ("def f(a): pass", "def f(*a): pass"),
        ("None", "True"),
        ('def f():\n    """A."""', 'def f():\n    """B."""'),
    ],
)
def test_the_fingerprint_sees_everything_else(one: str, other: str) -> None:
    assert fingerprint(tokenize(one)) != fingerprint(tokenize(other))


def test_broken_text_shows_where() -> None:
    assert ERROR in tokenize("def f(:\n    return )\n").ids
    assert ERROR not in tokenize(TEXT).ids


def test_tokens_are_the_same_in_another_process() -> None:
    script = (
        "import sys; from codewm_lsp.source import *\n"
        "print(fingerprint(tokenize(sys.stdin.read())).hex(), VOCABULARY_HASH)"
    )
    done = subprocess.run([sys.executable, "-c", script], input=TEXT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [fingerprint(tokenize(TEXT)).hex(), VOCABULARY_HASH]


def test_the_vocabulary_is_the_one_that_models_were_trained_with() -> None:
    # Reference values: a change of them makes every model and index unusable, and needs a new TOKENISER_VERSION.
    assert VOCABULARY_HASH == "6f65fbb13626e381"
    assert fingerprint(tokenize(TEXT)).hex() == "352e31c43e6adebd11ba787e93808bd5"
    assert len(VOCABULARY) == len(set(VOCABULARY))


def test_no_grammar_node_of_ordinary_code_is_unknown() -> None:
    text = TEXT + "match x:\n    case [1, *_] | {'a': b}: pass\ntype A[T] = list[T]\nwith a as b: del c\n"
    assert "<unknown>" not in names(text)
    for definition in parse_definitions(text):
        assert "<error>" not in names(definition.source)

"""Whatever the text: an answer, and soon."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codewm_lsp.source import (
    MODULE_NAME,
    DefinitionKind,
    fingerprint,
    only_definition,
    parse_definitions,
    tokenize,
    word_counts,
)

_KEYWORDS = (
    "def class async await return if else elif for while with try except finally lambda yield import from as pass"
)
_SIGNS = 'x y f( g) ( ) [ ] { } : , . = == -> @ * ** """ \'\'\' " \' # \\ \0 é 名 f" {x!r:>3} 1 0x1f 1e5 ... ; ~ `'
_BREAKS = ["\n", "\n    ", "\n        ", "\n\t", "\r\n", "\x0c", "\ndef f(a):\n    ", "\nclass A:\n    ", "\n@"]
_WORDS = st.sampled_from([*_KEYWORDS.split(" "), *_SIGNS.split(" "), *_BREAKS])
_CODE = st.lists(_WORDS, max_size=60).map(" ".join)
_ANY = st.one_of(st.text(), _CODE)


def check(text: str) -> None:
    definitions = parse_definitions(text)
    names = [definition.name for definition in definitions]
    assert len(set(names)) == len(names)
    lines = text.count("\n") + 1
    for definition in definitions:
        assert 0 <= definition.start <= definition.line < definition.end <= lines
        tokens = tokenize(definition.source)
        assert len(tokens.ids) == len(tokens.depths)
        fingerprint(tokens)
        word_counts(tokens.leaves)
    written = "".join(definition.source for definition in definitions)
    if MODULE_NAME in names or not text.strip():
        assert len(written.strip()) <= len(text)
    assert parse_definitions(text) == definitions


_FUNCTIONS = re.split(
    r"\n----\n",
    '''def get(self, key: dict[str, int]) -> int:
    """Look up.

        def no():
    """
    return self.store[key]
----
async  def post(
    url: list[str],
    *,
    timeout=None,
) -> Answer:

    return await send(url, timeout)
----
def f(a, b=(1, 2)): return a
----
def g(
    self
):
        # why
        if self:
            return (self,
              )''',
)
_MORE = [
    *_KEYWORDS.split(" "),
    *_SIGNS.split(" "),
    *_BREAKS,
    "\n)",
    "\n):",
    "\n# x",
    "\n    #",
    "\n    @x",
    "\\\n",
    "\x0b",
]
_MORE += ["\n    def h():", "\n<<<<<<< a\n", "\n=======\n", "\n>>>>>>> b\n", "\ufeff", "\n\n", "    "]


_NAMES = ["get", "post", "f", "g"]
_MODULE = "import os\n\nX = [\n    1,\n]\nif X:\n    y = '''\n  z'''\n"


@given(st.data(), st.sampled_from([*_FUNCTIONS, _MODULE]))
def test_a_text_that_is_one_definition_at_a_glance_is_one_when_it_is_read(data: st.DataObject, text: str) -> None:
    for _ in range(data.draw(st.integers(0, 3))):
        begin = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(begin, min(begin + 8, len(text))))
        text = text[:begin] + data.draw(st.sampled_from(["", *_MORE])) + text[end:]
    glance = only_definition(text)
    if glance is not None:
        (only,) = parse_definitions(text)
        assert (only.name, only.kind, only.source) == (*glance, text)


def test_most_functions_and_modules_are_seen_at_a_glance() -> None:
    plain = [text.replace("def no", "no") for text in _FUNCTIONS]
    assert [only_definition(text) for text in plain] == [(name, DefinitionKind.FUNCTION) for name in _NAMES]
    assert only_definition(_MODULE) == (MODULE_NAME, DefinitionKind.MODULE)
    assert only_definition("import os\n\nclass A: ...\n") is None


@given(_ANY)
def test_any_text_has_definitions_and_tokens(text: str) -> None:
    check(text)
    tokens = tokenize(text)
    assert len(tokens.ids) == len(tokens.depths)
    assert tokenize(text) == tokens


@given(st.text(alphabet=st.characters(codec=None, categories=("Cs", "Lu", "Cc"))))
def test_lone_surrogates_are_survived(text: str) -> None:
    parse_definitions(text)
    fingerprint(tokenize(text))


_PARTS = [
    "def alpha(a, b=1):\n    return a + b\n",
    "@wrap\ndef beta():\n    '''Doc.\n\n    def no(): pass\n    '''\n    yield 1\n",
    "class Gamma(Base):\n    x = 1\n\n    def one(self):\n        return 1\n\n    @wrap\n    def two(self): pass\n",
    "async def delta():\n    await x\n",
    "class Epsilon:\n"
    + "".join(f"    def m{number}(self):\n        return {number} * 'abc'\n\n" for number in range(60)),
]
_OWNERS = ["alpha", "beta", "Gamma", "delta", "Epsilon"]


@given(data=st.data(), which=st.integers(0, len(_PARTS) - 1), between=st.sampled_from(["\n", "\n\n", "\n\n# and\n"]))
def test_breaking_one_statement_leaves_the_tokens_of_the_others(data: st.DataObject, which: int, between: str) -> None:
    part = _PARTS[which]
    place = data.draw(st.integers(0, len(part)))
    removed = data.draw(st.integers(0, 6))
    inserted = data.draw(
        st.sampled_from(["", "(", ")", "[", "]}", "'", '"', ":", "=", "def ", "\n", "x", "#", "\\", "$", "\0"])
    )
    mutated = part[:place] + inserted + part[place + removed :]
    if not re.match(r"(@\w+\n)?(def|class|async def) \w", mutated) or mutated.count("'''") % 2:
        return  # the statement's own start is gone, or a string runs on: the one after may then belong to it
    whole = {d.name: tokenize(d.source) for d in parse_definitions(between.join(_PARTS))}
    broken_text = between.join(
        [*_PARTS[:which], mutated if mutated.endswith("\n") else mutated + "\n", *_PARTS[which + 1 :]]
    )
    broken = {d.name: tokenize(d.source) for d in parse_definitions(broken_text)}
    for name, tokens in whole.items():
        if name != MODULE_NAME and name.split(".")[0] != _OWNERS[which]:
            assert broken.get(name) == tokens, (name, mutated)


_EXTREMES = {
    "a line of 10 MB": "x = '" + "a" * 10_000_000 + "'\n",
    "a line of 10 MB of code": "x = " + "a + " * 2_500_000 + "1\n",
    "20,000 nested brackets": "x = " + "[" * 20_000 + "]" * 20_000 + "\n",
    "20,000 open brackets": "def f():\n    return " + "(" * 20_000 + "\n\ndef g():\n    pass\n",
    "nested functions": "".join(" " * depth + "def f():\n" for depth in range(900)) + " " * 900 + "pass\n",
    "nested broken classes": "".join(" " * depth + "class A:\n" for depth in range(900)) + " " * 900 + "x = (\n",
    "broken functions": "".join(f"def f{number}(:\n    pass\n\n" for number in range(2000)),
    "a long broken class": "class A:\n"
    + "".join(f"    def f{number}(self):\n        return {number}\n\n" for number in range(2000))
    + "    def g(:\n",
    "NUL bytes": "\0" * 200_000,
    "continued lines": "\\\n" * 100_000,
    "comments": "# a\n" * 200_000,
    "open brackets at the margin": "(\n" * 50_000,
    "decorators": "@a\n" * 30_000,
    "strings that run on": "".join(f'x{number} = """\ndef f{number}():\n  pass\n' for number in range(1500)),
}


@pytest.mark.parametrize("name", _EXTREMES)
def test_extreme_text_is_answered(name: str) -> None:
    text = _EXTREMES[name]
    definitions = parse_definitions(text)
    for definition in definitions[:20]:
        fingerprint(tokenize(definition.source))
    fingerprint(tokenize(text))
    if name == "a long broken class":
        assert len(definitions) == 2002
    if name == "20,000 open brackets":
        assert [definition.name for definition in definitions] == ["f", "g"]

"""What kind of change an edit makes, by the syntax."""

from __future__ import annotations

import pytest

from codewm_lsp.source import kinds_of_change

GET = "def get(url, wait=10):\n    return send(url, wait)\n"

CHANGES: dict[str, tuple[str, str, set[str]]] = {
    "a parameter": (GET, GET.replace("wait=10", "wait=10, retries=3"), {"parameter added"}),
    "a parameter with a type": (GET, GET.replace("wait=10", "wait=10, retries: int = 3"), {"parameter added"}),
    "a parameter less": (GET, GET.replace(", wait=10", ""), {"parameter removed"}),
    "a parameter under another name": (GET, GET.replace("wait=10", "delay=10"), {"parameter changed"}),
    "another default": (GET, GET.replace("10", "30"), {"default changed"}),
    "a default where there was none": (GET, GET.replace("url,", "url='/',", 1), {"default added"}),
    "a type": (GET, GET.replace("url,", "url: str,", 1), {"annotation added"}),
    "another type": ("def f(a: int): pass\n", "def f(a: str): pass\n", {"annotation changed"}),
    "what is returned": ("def f(a): pass\n", "def f(a) -> int: pass\n", {"return_type added"}),
    "a case": ("if a:\n    b()\n", "if a:\n    b()\nelif c:\n    d()\n", {"branch added"}),
    "another condition": ("if a:\n    b()\n", "if a and c:\n    b()\n", {"branch changed"}),
    "another exception": (
        "try:\n    a()\nexcept B:\n    c()\n",
        "try:\n    a()\nexcept (B, D):\n    c()\n",
        {"handler changed"},
    ),
    "a decorator": ("def f(): pass\n", "@cached\ndef f(): pass\n", {"decorator added"}),
    "a base class": ("class A(B):\n    x = 1\n", "class A(B, C):\n    x = 1\n", {"base added"}),
    "an argument by name": ("f(1)\n", "f(1, wait=2)\n", {"keyword added"}),
    "an argument by name less": ("f(1, wait=2)\n", "f(1)\n", {"keyword removed"}),
    "another argument by name": ("f(wait=1)\n", "f(wait=2)\n", {"keyword changed"}),
    "an argument of another function": ("f(1)\ng(wait=2)\n", "f(1, wait=2)\ng(wait=2)\n", {"keyword added"}),
    "a call with an argument by name": ("f(1)\n", "f(1)\ng(1, wait=2)\n", set()),
    "another call of the same function": ("f(1)\n", "f(1)\nf(1, wait=2)\n", set()),
    "a call less": ("f(1)\ng(1, wait=2)\n", "f(1)\n", set()),
    "a case with a call": ("if a:\n    b()\n", "if a:\n    b()\nelif c:\n    b(d=1)\n", {"branch added"}),
    "a case with a tuple": ("if a:\n    b()\n", "if a:\n    b()\nelif c in (1, 2):\n    b()\n", {"branch added"}),
    "a handler with a call": (
        "try:\n    a()\nexcept B:\n    c()\n",
        "try:\n    a()\nexcept B:\n    c()\nexcept D:\n    c(e=1)\n",
        {"handler added"},
    ),
    "an entry of a list": ("NAMES = ['a']\n", "NAMES = ['a', 'b']\n", {"entry added"}),
    "an entry that is a tuple": ("NAMES = [('a', 1)]\n", "NAMES = [('a', 1), ('b', 2)]\n", {"entry added"}),
    "an entry that is a list": ("X = {'a': [1]}\n", "X = {'a': [1], 'b': [2]}\n", {"entry added"}),
    "a list": ("f(1)\n", "f(1)\nNAMES = ['a', 'b']\n", set()),
    "an entry of a dictionary": ("X = {'a': 1}\n", "X = {'a': 1, 'b': 2}\n", {"entry added"}),
    "nothing of the kind": (GET, GET.replace("return send", "return post"), set()),
    "nothing": (GET, GET, set()),
    "all of it": ("", GET, {"parameter added"}),
}


@pytest.mark.parametrize("what", CHANGES)
def test_an_edit_is_of_the_kind_that_the_syntax_says(what: str) -> None:
    before, after, kinds = CHANGES[what]
    assert kinds_of_change(before, after) == kinds


def test_code_that_is_half_typed_has_kinds_too() -> None:
    assert "parameter added" in kinds_of_change(GET, GET.replace("wait=10", "wait=10, retries="))
    assert isinstance(kinds_of_change("def f(a, (:\n  if", "class A(\n@"), frozenset)

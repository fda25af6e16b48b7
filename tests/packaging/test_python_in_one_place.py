"""What is particular to Python is said in ``source/languages`` and nowhere else in what runs beside an editor."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from codewm_lsp.source.languages import LANGUAGES, PYTHON, SUFFIXES, is_source, language_of

ROOT = Path(__file__).resolve().parents[2]
HOME = "codewm_lsp/source/languages/"

_NODES = "|".join(re.escape(kind) for kind in PYTHON.nodes.kinds if re.search(r"_(statement|definition|clause)$", kind))
PARTICULAR = re.compile(
    r"\.pyi?w?(?![\w-])|(?<!\w)(?:self|cls)(?:\.|$)|__(?:init|main|future)__|conftest|(?<![a-z_])test_$|^_tests?$"
    r"|(?:^|[\\ ^(|*:])(?:def|class|import|async|lambda)(?:\\[sb]|[\[|)]| \w+\()|"
    rf"(?<!\w)(?:{_NODES}|decorated_definition|identifier\))(?!\w)|^#(?!$)|^python$"
)
EXCEPTIONS = {
    # What is shown there is a page in the language of the past edits, with headings as its comments.
    "codewm_lsp/server/evidence.py": r"#",
    # The interpreter that runs CodeWM, not the code it reads; and the edit that a model is tried with.
    "codewm_lsp/cli/doctor.py": r"python$|def get\(",
    # A hook of Git is a script of the shell, which begins with its name.
    "codewm_lsp/cli/hook.py": r"#!/bin/sh",
    # Examples of how a question is written.
    "codewm_lsp/cli/app.py": r".*src/client\.py",
    "codewm_lsp/cli/asking.py": r".*src/client\.py",
}


def literals(file: Path) -> Iterator[tuple[int, str]]:
    """The string and byte literals of a file without its docstrings."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    docstrings = {
        id(statement.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        for statement in node.body
        if isinstance(statement, ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in docstrings:
            if isinstance(node.value, str):
                yield node.lineno, node.value
            elif isinstance(node.value, bytes):
                yield node.lineno, node.value.decode("latin-1")


def particular(file: Path, exception: str | None) -> list[str]:
    return [
        f"{file}:{line}: {text!r}"
        for line, text in literals(file)
        if PARTICULAR.search(text) and not (exception and re.match(exception, text))
    ]


def test_nothing_else_spells_out_python() -> None:
    found = []
    for file in sorted((ROOT / "codewm_lsp").rglob("*.py")):
        name = file.relative_to(ROOT).as_posix()
        if not name.startswith(HOME):
            found += particular(file, EXCEPTIONS.get(name))
    assert not found, "belongs into source/languages/python.py:\n" + "\n".join(found)


def test_every_exception_is_needed() -> None:
    for name in EXCEPTIONS:
        assert particular(ROOT / name, None), f"{name} is no exception any more"


@pytest.mark.parametrize(
    "text",
    [
        *("'*.py'", "'**/*.pyi'", "'__init__'", "'self.'", "'test_'", "'_test'", "'conftest'", "'function_definition'"),
        *("r'\\s*(?:async\\s+def|def|class)\\b'", "'if_statement'", "'python'", "'# a comment'", "'def get(url):'"),
    ],
)
def test_such_literals_are_found(text: str, tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(f'"""Docstrings may say self.x and test_x.py."""\nX = {text}\n', encoding="utf-8")
    assert len(particular(file, None)) == 1


def test_a_file_is_read_where_its_suffix_is_a_language_s() -> None:
    assert len(SUFFIXES) == len({suffix for language in LANGUAGES for suffix in language.suffixes})
    for suffix in SUFFIXES:
        assert is_source(f"folder/name{suffix}")
        assert language_of(f"folder/name{suffix}").suffixes[0] in SUFFIXES
    assert is_source("window.pyw")
    assert not is_source("folder/name")
    assert language_of("folder/name") is PYTHON  # a script that the editor calls so

"""One name, one thing: no class and no module is called like another one of this project's packages."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("codewm_lsp", "model/codewm_model", "export/codewm_export")


def files() -> list[Path]:
    return [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]


def test_no_class_is_called_like_another() -> None:
    found: dict[str, set[str]] = defaultdict(set)
    for file in files():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].add(str(file.relative_to(ROOT)))
    assert len(found) > 100
    twice = {name: sorted(where) for name, where in found.items() if len(where) > 1}
    assert not twice


def test_no_module_is_called_like_another() -> None:
    found: dict[str, list[str]] = defaultdict(list)
    for file in files():
        if not file.stem.startswith("__"):
            found[file.stem].append(str(file.relative_to(ROOT)))
    twice = {name: where for name, where in found.items() if len(where) > 1}
    assert not twice

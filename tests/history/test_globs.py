"""Exclusion globs match as people expect of their editor."""

from __future__ import annotations

import pytest

from codewm_lsp.history.globs import matches_any


@pytest.mark.parametrize(
    ("glob", "path", "matches"),
    [
        ("**/.venv/**", ".venv/lib/a.py", True),
        ("**/.venv/**", "sub/.venv/a.py", True),
        ("**/.venv/**", "venv/a.py", False),
        ("*.py", "deep/down/a.py", True),
        ("setup.py", "deep/setup.py", True),
        ("src/*.py", "src/a.py", True),
        ("src/*.py", "src/deep/a.py", False),
        ("src/**/*.py", "src/a.py", True),
        ("src/**/*.py", "src/very/deep/a.py", True),
        ("generated/", "generated/a.py", True),
        ("generated/", "src/generated/a.py", True),
        ("./tools/**", "tools/a.py", True),
        ("**/*_pb2.py", "api/user_pb2.py", True),
        ("**/test_?.py", "tests/test_a.py", True),
        ("**/test_?.py", "tests/test_ab.py", False),
        ("src/{one,two}/**", "src/two/a.py", True),
        ("src/{one,two}/**", "src/three/a.py", False),
        ("src/[ab].py", "src/b.py", True),
        ("src/[!ab].py", "src/b.py", False),
        ("a.b", "axb", False),
        ("src/{one", "src/{one", True),
        ("src/[", "src/[", True),
    ],
)
def test_globs(glob: str, path: str, matches: bool) -> None:
    assert matches_any(path, (glob,)) is matches

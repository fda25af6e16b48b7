"""What the names and the shape of Python files tell: modules, tests, signatures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_STARTS: Final = re.compile(r"\s*(?:async\s+def|def|class)\b")


def signature_end(lines: Sequence[str]) -> int:
    """How many of a definition's lines its decorators and signature take up; 0 where it has none."""
    first = next((i for i, line in enumerate(lines) if _STARTS.match(line)), None)
    if first is None:
        return 0
    depth = 0
    for number in range(first, len(lines)):
        line = lines[number].partition("#")[0]
        depth += sum(map(line.count, "([{")) - sum(map(line.count, ")]}"))
        if depth <= 0 and ":" in line:
            return number + 1
    return len(lines)


def module_of(path: str) -> list[str]:
    """``src/a/b/__init__.py`` → ``["a", "b"]``."""
    parts = path.removesuffix(".py").split("/")
    if parts[0] in ("src", "lib") and len(parts) > 1:
        parts = parts[1:]
    return parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts


def is_test(path: str) -> bool:
    """Whether the file holds tests, going by its path."""
    parts = path.lower().split("/")
    stem = parts[-1].removesuffix(".py")
    return (
        stem.startswith("test_")
        or stem.endswith(("_test", "_tests"))
        or stem in ("test", "tests", "conftest")
        or any(part in ("test", "tests", "testing") for part in parts[:-1])
    )


def test_stem(path: str) -> str:
    """``tests/test_client.py`` and ``client.py`` → ``client``."""
    stem = path.rpartition("/")[2].removesuffix(".py").lower()
    if stem == "__init__":
        stem = path.split("/")[-2].lower() if "/" in path else stem
    return stem.removeprefix("test_").removesuffix("_test").removesuffix("_tests").strip("_")

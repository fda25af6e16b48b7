"""What the text of a change says of files that it has not touched."""

from __future__ import annotations

import numpy as np
import pytest

from codewm_lsp.history.changed_files import ChangedFiles, FileEvent, FileTouch
from codewm_lsp.ranking.change_text import (
    TEXT_SIGNALS,
    ChangedDefinitions,
    ChangedText,
    text_table,
    text_words,
)
from codewm_lsp.ranking.companions import FilePast, Touched, companions

NOTHING = ChangedDefinitions((), 0, {})
FILES = {
    "app.py": "def send(url):\n    return fetch_url(url)\n",
    "docs/app.md": "Call send_message with an address, version 1.2.3.\n",
    "twin.py": "def other(url):\n    return fetch_url(url, retries=3)\n",
    "index.txt": "alpha beta\n",
    "alpha.txt": "first\n",
    "beta.txt": "second\n",
}


def told(changes: dict[str, tuple[str | None, str | None]], **signals: str) -> dict[str, float]:
    """Signals of files, by name=path, after a change of texts; all files were changed together once."""
    touches = tuple(FileTouch(path, FileEvent.ADDED) for path in FILES)
    past = FilePast([ChangedFiles("1" * 40, "a", 0, touches)])
    added = frozenset(path for path, (before, _) in changes.items() if before is None)
    asked = Touched(tuple(changes), added)
    found = companions(past, asked)
    texts = [text_words(FILES[past.paths[file]]) for file in found.files.tolist()]
    change = {path: ChangedText(*both) for path, both in changes.items()}
    table = text_table(past, asked, found, change, texts, NOTHING)
    rows = {past.paths[file]: row for row, file in enumerate(found.files.tolist())}
    return {name: float(table[rows[path], TEXT_SIGNALS.index(name)]) for name, path in signals.items()}


def test_words_that_are_gone_from_the_change_and_still_stand_in_a_file_are_counted() -> None:
    before, after = "send_message = 1\nkept = 2\n", "post_message = 1\nkept = 2\n"
    assert told({"app.py": (before, after)}, stale_words="docs/app.md") == {"stale_words": 1}
    assert told({"app.py": (before, after)}, stale_words="twin.py") == {"stale_words": 0}
    moved = {"app.py": (before, after), "new.py": (None, "send_message = 1\n")}
    assert told(moved, stale_words="docs/app.md") == {"stale_words": 0}, "it has only moved"


def test_a_version_that_was_raised_elsewhere_is_one_of_them() -> None:
    change = {"app.py": ("__version__ = '1.2.3'\n", "__version__ = '1.2.4'\n")}
    assert told(change, stale_versions="docs/app.md", gone_versions="twin.py") == {
        "stale_versions": 1,
        "gone_versions": 1,
    }


def test_a_line_that_was_changed_here_and_stands_unchanged_in_a_twin_is_counted() -> None:
    line = "    return fetch_url(url, retries=3)"
    change = {"app.py": (f"def a():\n{line}\n", "def a():\n    return fetch_url(url, retries=5)\n")}
    assert told(change, stale_lines="twin.py")["stale_lines"] == 1
    assert told({"app.py": ("", f"{line}\n")}, had_lines="twin.py")["had_lines"] == 1


def test_names_that_are_used_and_that_nothing_holds_are_told_from_those_that_something_defines() -> None:
    use = {"test_app.py": ("import app\n", "import app\napp.frobnicate()\n")}
    assert told(use, dangling_words="app.py")["dangling_words"] == 1
    both = use | {"app.py": (FILES["app.py"], FILES["app.py"] + "def frobnicate():\n    return 0\n")}
    assert told(both, dangling_words="twin.py")["dangling_words"] == 0


def test_a_file_that_lists_the_neighbours_of_a_new_one_is_told() -> None:
    change: dict[str, tuple[str | None, str | None]] = {"gamma.txt": (None, "third\n")}
    assert told(change, added_unlisted="index.txt")["added_unlisted"] == pytest.approx(2 / 6)
    assert told(change, added_unlisted="twin.py")["added_unlisted"] == 0


def test_a_text_that_cannot_be_read_says_nothing() -> None:
    values = told({"app.py": (None, None)}, text_known="twin.py", stale_words="twin.py")
    assert values == {"text_known": 0, "stale_words": 0}


def test_no_candidates_no_rows() -> None:
    past = FilePast([ChangedFiles("1" * 40, "a", 0, (FileTouch("app.py", FileEvent.ADDED),))])
    asked = Touched(("app.py",))
    table = text_table(past, asked, companions(past, asked), {}, [], NOTHING)
    assert table.shape == (0, len(TEXT_SIGNALS))
    assert table.dtype == np.float32

"""What the text of a change says of files that it has not touched."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codewm_lsp.history.changed_files import ChangedFiles, FileEvent, FileTouch
from codewm_lsp.history.edits import definition_edits
from codewm_lsp.ranking.change_text import (
    TEXT_SIGNALS,
    ChangedDefinitions,
    ChangedText,
    text_table,
    text_words,
    words_in,
)
from codewm_lsp.ranking.companions import FilePast, Touched, companions
from codewm_lsp.source import parse_definitions

NOTHING = ChangedDefinitions((), 0, {})
FILES = {
    "app.py": "def send(url):\n    return fetch_url(url)\n",
    "docs/app.md": "Call send_message with an address, version 1.2.3.\n",
    "twin.py": "def other(url):\n    return fetch_url(url, retries=3)\n",
    "index.txt": "alpha beta\n",
    "alpha.txt": "first\n",
    "beta.txt": "second\n",
}


@given(st.text(st.sampled_from("aZ_09. \n-"), max_size=40))
def test_words_of_plain_text_are_found_as_those_of_any_other(text: str) -> None:
    assert words_in(text) == words_in(text + " é")


def told(
    changes: dict[str, tuple[str | None, str | None]], structure: ChangedDefinitions = NOTHING, **signals: str
) -> dict[str, float]:
    """Signals of files, by name=path, after a change of texts; all files were changed together once."""
    touches = tuple(FileTouch(path, FileEvent.ADDED) for path in FILES)
    past = FilePast([ChangedFiles("1" * 40, "a", 0, touches)])
    added = frozenset(path for path, (before, _) in changes.items() if before is None)
    asked = Touched(tuple(changes), added)
    found = companions(past, asked)
    texts = [text_words(FILES[past.paths[file]]) for file in found.files.tolist()]
    change = {path: ChangedText(*both) for path, both in changes.items()}
    table = text_table(past, asked, found, change, texts, structure)
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


def edits(path: str, before: str, after: str) -> ChangedDefinitions:
    both = parse_definitions(before), parse_definitions(after)
    return ChangedDefinitions(tuple(definition_edits(path, *both)), 0, {})


@pytest.mark.parametrize(
    ("after", "signal"),
    [
        ("def send(url: str) -> bytes:\n    return fetch_url(url)\n", "cosmetic_edits"),
        ('def send(url):\n    """Send."""\n    return fetch_url(url)\n', "cosmetic_edits"),
        ("def send(url):\n    return fetch_url(url, retries=3)\n", "behaviour_edits"),
    ],
)
def test_types_and_docstrings_alone_change_no_behaviour(after: str, signal: str) -> None:
    change = {"app.py": (FILES["app.py"], after)}
    structure = edits("app.py", FILES["app.py"], after)
    values = told(change, structure, behaviour_edits="twin.py", cosmetic_edits="twin.py")
    assert values == {"behaviour_edits": 0, "cosmetic_edits": 0} | {signal: 1}


def test_definitions_that_were_changed_are_looked_for_by_name_where_they_are_spoken_of() -> None:
    before, after = "def send_message():\n    return 1\n", "def send_message():\n    return 2\n"
    structure = edits("app.py", before, after)
    for path, known in (("docs/app.md", 1), ("twin.py", 0)):
        values = told({"app.py": (before, after)}, structure, edited_known=path, edited_weight=path)
        assert values == {"edited_known": known, "edited_weight": known}


def test_lines_and_files_that_have_only_moved_are_told() -> None:
    moved = {"app.py": ("first line\nsecond\n", "second\n"), "new.py": (None, "    first line\n")}
    assert told(moved, moved_lines="twin.py")["moved_lines"] == pytest.approx(1 / 4, abs=0.1)
    same = {"app.py": ("first\n", "first\n"), "twin.py": ("a\n", "b\n")}
    assert told(same, moved_files="docs/app.md")["moved_files"] == 0.5


def test_added_lines_that_name_a_version_or_an_issue_are_counted() -> None:
    after = "x = 1\n.. versionadded:: 2.0\n# see #1234\n"
    assert told({"app.py": ("x = 1\n", after)}, versioned_lines="twin.py", issue_lines="twin.py") == {
        "versioned_lines": 1,
        "issue_lines": 1,
    }


SUMS = """
from codewm_lsp.ranking.change_text import ChangedDefinitions, ChangedText, text_table, text_words
from codewm_lsp.ranking.companions import FilePast, Touched, companions
from codewm_lsp.history.changed_files import ChangedFiles, FileEvent, FileTouch
words = {f"word_{n}_{of}": [(n + m) % 13 for m in range(of)] for n in range(13) for of in range(2, 11)}
files = {f"f{n}.txt": " ".join(word for word, held in words.items() if n in held) for n in range(13)}  # all alike
paths = ("app.py", *files)
past = FilePast([ChangedFiles("1" * 40, "a", 0, tuple(FileTouch(path, FileEvent.ADDED) for path in paths))])
asked = Touched(("app.py",))
found = companions(past, asked)
texts = [text_words(files[past.paths[file]]) for file in found.files.tolist()]
change = {"app.py": ChangedText(" ".join(words), "nothing")}
print(text_table(past, asked, found, change, texts, ChangedDefinitions((), 0, {})).tolist())
"""


def test_two_processes_say_the_same() -> None:
    said = [
        subprocess.run(
            (sys.executable, "-c", SUMS), env=os.environ | {"PYTHONHASHSEED": seed}, stdout=subprocess.PIPE, check=True
        ).stdout
        for seed in "123"
    ]
    assert said[0] == said[1] == said[2]

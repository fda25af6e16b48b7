"""Open texts follow the editor's changes, and anchors follow their lines."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codewm_lsp.server import documents
from codewm_lsp.server.documents import Anchor, Document, anchor_on, shift

TEXT = "import os\n\n\ndef one():\n    pass\n\n\ndef two():\n    pass\n"

SNAKE = "\U0001f40d"  # two units of UTF-16


def document(text: str = TEXT, encoding: str = "utf-16") -> Document:
    return Document("file:///a.py", "python", 1, text, encoding)


def follow(opened: Document, anchor: Anchor, version: int) -> Anchor | None:
    """Where an anchor of an older version stands now."""
    moved: Anchor | None = anchor
    for change in opened.changes_since(version):
        moved = moved and shift(moved, change)
    return moved


def where_is_two(start: tuple[int, int], end: tuple[int, int], text: str) -> int | None:
    """The line of ``def two`` after a change."""
    opened = document()
    opened.apply(2, start, end, text)
    anchor = follow(opened, anchor_on(7, "def two():"), 1)
    return None if anchor is None else anchor.line


@pytest.mark.parametrize(
    ("start", "end", "text", "line"),
    [
        ((0, 0), (0, 0), "# above\n", 8),
        ((0, 0), (1, 0), "", 6),
        ((7, 0), (7, 0), "\n", 8),
        ((7, 0), (7, 0), "@decorated\n", 8),
        ((6, 0), (7, 0), "", 6),
        ((7, 0), (7, 0), "async ", 7),
        ((7, 8), (7, 8), "a, b", 7),
        ((7, 10), (7, 10), "\n    x = 1", 7),
        ((8, 0), (8, 8), "", 7),
        ((7, 0), (9, 0), "", None),
        ((6, 0), (8, 0), "", None),
        ((3, 0), (9, 0), "def two():\n    pass\n\n\ndef one():\n    pass\n", 3),
        ((7, 4), (7, 7), "three", 7),
        ((9, 0), (9, 0), "def three(): ...\n", 7),
        ((0, 0), (0, 9), "import sys\nimport re", 8),
    ],
)
def test_an_anchor_follows_its_line(start: tuple[int, int], end: tuple[int, int], text: str, line: int | None) -> None:
    assert where_is_two(start, end, text) == line


def test_a_full_replacement_moves_only_what_it_changed() -> None:
    opened = document()
    opened.apply(2, None, None, TEXT.replace("import os\n", "import os\nimport re\n"))
    assert opened.text.count("import") == 2
    assert follow(opened, anchor_on(3, "def one():"), 1) == Anchor(4, 0, "def one():")
    assert follow(opened, anchor_on(7, "def two():"), 1) == Anchor(8, 0, "def two():")


def test_changes_after_an_older_version_are_replayed_in_order() -> None:
    opened = document()
    opened.apply(2, (0, 0), (0, 0), "# a\n")
    opened.apply(3, (0, 0), (0, 0), "# b\n")
    opened.apply(3, (0, 0), (0, 0), "# c\n")
    line = follow(opened, anchor_on(7, "def two():"), 1)
    later = follow(opened, anchor_on(8, "def two():"), 2)
    assert line is not None
    assert later is not None
    assert line.line == later.line == 10
    assert opened.line(10) == "def two():"


@pytest.mark.parametrize(("encoding", "column"), [("utf-16", 3), ("utf-8", 6), ("utf-32", 2)])
def test_columns_count_in_the_agreed_units(encoding: str, column: int) -> None:
    opened = document('é\U0001f40d = "x"\n', encoding)
    opened.apply(2, (0, column), (0, column), "!")
    assert opened.text == 'é\U0001f40d! = "x"\n'


def test_only_the_protocols_line_ends_end_lines() -> None:
    opened = document("a\x0c\x0b\u2028\x85b\rc\r\nd\n")
    assert [opened.line(number) for number in range(5)] == ["a\x0c\x0b\u2028\x85b", "c", "d", "", ""]
    assert opened.python_text() == "a\x0c\x0b\u2028\x85b\nc\nd\n"


def test_positions_past_the_end_mean_the_end() -> None:
    opened = document("ab\ncd")
    opened.apply(2, (0, 99), (0, 99), "!")
    opened.apply(3, (99, 0), (99, 0), "?")
    assert opened.text == "ab!\ncd?"


_letters = st.sampled_from(["a", "é", "\U0001f40d", "\n", " ", "\x0c", "def x():\n"])
_text = st.lists(_letters, max_size=30).map("".join)


@given(_text, _text, st.integers(0, 40), st.integers(0, 40), st.sampled_from(["utf-16", "utf-8", "utf-32"]))
def test_an_incremental_change_equals_cutting_the_text(
    text: str, new: str, first: int, second: int, encoding: str
) -> None:
    begin, end = sorted((min(first, len(text)), min(second, len(text))))
    opened = document(text, encoding)
    opened.apply(2, _position(text, begin, encoding), _position(text, end, encoding), new)
    assert opened.text == text[:begin] + new + text[end:]


@given(_text, _text, st.integers(0, 40))
def test_an_anchor_before_or_after_the_change_keeps_its_text(text: str, new: str, at: int) -> None:
    opened = document("def above():\n" + text + "\ndef below():\n")
    last = opened.text.count("\n") - 1
    cut = len("def above():\n") + min(at, len(text))
    opened.apply(2, _position(opened.text, cut, "utf-32"), _position(opened.text, cut, "utf-32"), new)
    above = follow(opened, anchor_on(0, "def above():"), 1)
    below = follow(opened, anchor_on(last, "def below():"), 1)
    assert above is not None
    assert below is not None
    assert opened.line(above.line) == "def above():"
    assert opened.line(below.line) == "def below():"


def _position(text: str, offset: int, encoding: str) -> tuple[int, int]:
    line = text.count("\n", 0, offset)
    head = text[text.rfind("\n", 0, offset) + 1 : offset]
    size = {"utf-16": 2, "utf-8": 1, "utf-32": 4}[encoding]
    return line, len(head.encode(f"{encoding}-le" if size > 1 else encoding)) // size


def test_a_character_that_is_cut_in_two_and_put_together_is_the_one_the_client_has() -> None:
    document = Document("file:///a.py", "python", 1, f"x = '{SNAKE}'  # {SNAKE}\ny\n")
    document.apply(2, (0, 6), (0, 7), "")  # the second half goes
    assert document.text == f"x = '\ud83d'  # {SNAKE}\ny\n"
    document.apply(3, (0, 6), (0, 6), "\udc0d")
    assert document.text == f"x = '{SNAKE}'  # {SNAKE}\ny\n"
    document.apply(4, (0, 6), (0, 6), "!")
    assert document.text == f"x = '\ud83d!\udc0d'  # {SNAKE}\ny\n"
    document.apply(5, (0, 6), (0, 7), "")
    document.apply(6, (1, 0), (1, 1), "z")
    assert document.text == f"x = '{SNAKE}'  # {SNAKE}\nz\n"


def test_ranges_beyond_the_text_end_at_its_end() -> None:
    document = Document("file:///a.py", "python", 1, f"a{SNAKE}\nb")
    document.apply(2, (9, 9), (99, 99), "c")
    document.apply(3, (0, 99), (0, 99), "d")
    document.apply(4, (1, 5), (0, 0), "e")  # turned round: nothing is replaced
    assert document.text == f"a{SNAKE}d\nbce"


_ends = st.lists(st.sampled_from(["a", SNAKE, "\n", "\r", "\r\n", "bc"]), max_size=6).map("".join)


@given(_ends, st.lists(st.tuples(st.integers(0, 60), st.integers(0, 4), _ends), max_size=25))
def test_a_text_in_pieces_is_the_text_after_any_changes(begun: str, changes: list[tuple[int, int, str]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents, "_WINDOW", 3)
        patch.setattr(documents, "_WHOLE", 6)
        opened, text = document(begun, "utf-32"), begun
        for version, (at, length, new) in enumerate(changes, 2):
            begin = min(at, len(text))
            stop = min(begin + length, len(text))
            places = [fresh_place(text, offset) for offset in (begin, stop)]
            if any(offset_of(text, place) != offset for place, offset in zip(places, (begin, stop), strict=True)):
                continue  # between the two characters of a line end, which no position names
            opened.apply(version, *places, new)
            text = text[:begin] + new + text[stop:]
            assert opened.text == text
            assert len(opened) == len(text)
            lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
            assert [opened.line(line) for line in range(len(lines))] == lines
            assert opened.line(len(lines)) == ""


def fresh_place(text: str, offset: int) -> tuple[int, int]:
    """Line and column of a character, by the ends of the lines before it."""
    before = text[:offset].replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return len(before) - 1, len(before[-1])


def offset_of(text: str, place: tuple[int, int]) -> int:
    return sum(map(len, text.splitlines(keepends=True)[: place[0]])) + place[1]


def test_typing_into_a_large_text_does_not_copy_it() -> None:
    opened = document("line of a large text\n" * 1_000_000)
    opened.apply(2, (500_000, 4), (500_000, 4), "x")
    tracemalloc.start()
    for version in range(3, 40):
        opened.apply(version, (500_000 + version, 4), (500_000 + version, 4), "x")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1_000_000
    assert opened.line(500_020) == "linex of a large text"

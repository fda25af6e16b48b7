"""Many names of places, kept small: what a list of them would say."""

from __future__ import annotations

import pytest

from codewm_lsp.index.place_names import PlaceNames

NAMES = [("a.py", "one"), ("päth/b.py", "Klasse.größe#2"), ("a.py", "\ud83d"), ("", ""), ("a.py", "one")]


def test_they_are_those_of_a_list() -> None:
    names = PlaceNames(NAMES)
    assert len(names) == len(NAMES)
    assert list(names) == [names[number] for number in range(len(NAMES))] == NAMES
    assert (names[-1], names[1:3]) == (NAMES[-1], NAMES[1:3])
    assert names == NAMES
    assert names != NAMES[:-1]
    assert NAMES[1] in names
    assert ("a.py", "two") not in names
    for beyond in (len(NAMES), -len(NAMES) - 1):
        with pytest.raises(IndexError):
            names[beyond]


def test_what_is_added_comes_last_and_paths_are_kept_once() -> None:
    names = PlaceNames()
    assert names == []
    for number in range(1_000):
        names.append(f"{number % 3}.py", f"definition_{number}")
    assert names[999] == ("0.py", "definition_999")
    assert len({id(path) for path, _ in names}) == 3

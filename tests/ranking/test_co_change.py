"""Counting what changed together."""

from __future__ import annotations

import numpy as np
import pytest

from codewm_lsp.ranking.co_change import NEVER, Changes

GET, PUT, TEST = ("a.py", "get"), ("a.py", "put"), ("test.py", "test_get")


def changes_of(*commits: tuple[tuple[str, str], ...]) -> Changes:
    """Commits newest first."""
    names: dict[tuple[str, str], int] = {}
    pairs = [(age, names.setdefault(one, len(names))) for age, commit in enumerate(commits) for one in commit]
    ages, definitions = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return Changes(list(names), ages, definitions)


PAST = changes_of((PUT,), (GET, TEST), (GET, PUT, TEST), (GET, PUT))


def test_recency_is_in_commits_and_never_where_nothing_changed() -> None:
    assert PAST.recency("definition")[PAST.definition(*PUT)] == 0
    assert PAST.recency("definition")[PAST.definition(*GET)] == 1
    assert PAST.recency("definition", after=1)[PAST.definition(*TEST)] == 0
    assert PAST.recency("definition", after=2)[PAST.definition(*TEST)] == NEVER
    assert PAST.definition("a.py", "unknown") == -1


def test_frequency_counts_commits() -> None:
    frequency = PAST.frequency("definition")
    assert [frequency[PAST.definition(*one)] for one in (GET, PUT, TEST)] == [3, 3, 2]
    assert PAST.frequency("file")[PAST.file("a.py")] == 4
    halved = PAST.frequency("definition", half_life=1)
    assert halved[PAST.definition(*PUT)] == pytest.approx(1 + 1 / 4 + 1 / 8)


def test_joint_changes_are_counted_in_the_past_alone() -> None:
    both = PAST.together("definition", "definition", PAST.definition(*GET))
    assert both.asked == 3
    assert both.count[PAST.definition(*PUT)] == 2
    assert both.count[PAST.definition(*TEST)] == 2
    later = PAST.together("definition", "definition", PAST.definition(*GET), after=2)
    assert later.asked == 1
    assert later.count[PAST.definition(*PUT)] == 1
    assert later.count[PAST.definition(*TEST)] == 0


def test_small_commits_say_more() -> None:
    both = PAST.together("definition", "definition", PAST.definition(*GET))
    assert both.small[PAST.definition(*PUT)] == pytest.approx(2 / 4 + 2 / 3)
    assert both.small[PAST.definition(*TEST)] == pytest.approx(2 / 3 + 2 / 4)


def test_files_and_names_are_counted_as_well() -> None:
    files = PAST.together("file", "definition", PAST.definition(*GET))
    assert files.count[PAST.file("test.py")] == 2
    named = changes_of((("a.py", "A.get"), ("a.py", "A.put")), (("b.py", "B.get"), ("b.py", "B.put")))
    both = named.together("name", "name", named.name("get"))
    assert both.count[named.name("put")] == 2


def test_commits_just_before_and_after_count_as_near() -> None:
    past = changes_of((TEST,), (GET,), (PUT,), (PUT,), (TEST,))
    near = past.together("definition", "definition", past.definition(*GET)).near
    assert near[past.definition(*PUT)] == pytest.approx(1)
    assert near[past.definition(*TEST)] == pytest.approx(1 / 2)


def test_nothing_ever_changed() -> None:
    empty = Changes([], np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    assert empty.count == 0
    assert empty.together("file", "definition", -1).asked == 0
    assert len(empty.recency("definition")) == 0

"""A memo remembers values of pure functions, within bounds."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from codewm_lsp.memo import Kind, Memo


@dataclass
class Value:
    nbytes: int


def test_a_value_is_made_once() -> None:
    memo, kind = Memo(), Kind[list[int]]("lists", 2)
    first = memo.get(kind, 1, lambda: [1])
    assert memo.get(kind, 1, lambda: pytest.fail("made twice")) is first
    assert memo.last(kind) == (1, [1])


def test_kinds_do_not_know_each_other() -> None:
    memo, one, other = Memo(), Kind[str]("a", 1), Kind[str]("a", 1)
    memo.get(one, 1, lambda: "one")
    assert memo.get(other, 1, lambda: "other") == "other"
    memo.forget(one)
    assert (memo.count(one), memo.count(other)) == (0, 1)
    memo.forget()
    assert memo.last(other) is None


def test_the_value_that_was_not_used_for_longest_goes() -> None:
    memo, kind = Memo(), Kind[int]("numbers", 2)
    for number in (1, 2, 1, 3):
        memo.get(kind, number, lambda number=number: number)
    assert memo.count(kind) == 2
    assert memo.get(kind, 1, lambda: -1) == 1
    assert memo.get(kind, 2, lambda: -1) == -1


def test_values_are_bounded_by_their_bytes_also_when_they_grow() -> None:
    memo, kind = Memo(), Kind[Value]("values", 100, bytes=100)
    values = [memo.get(kind, number, lambda: Value(30)) for number in range(5)]
    assert (memo.count(kind), memo.nbytes(kind)) == (3, 90)
    values[4].nbytes = 75
    memo.get(kind, 4, lambda: pytest.fail("made twice"))
    assert memo.nbytes(kind) == 75


def test_the_value_in_use_stays_however_large_it_is() -> None:
    memo, kind = Memo(), Kind[Value]("values", 3, bytes=10)
    large = memo.get(kind, 1, lambda: Value(1_000))
    assert memo.get(kind, 1, lambda: pytest.fail("made twice")) is large

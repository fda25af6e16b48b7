"""Our dataclasses behave as the standard library's do, save that only a type checker keeps frozen ones as they are."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from codewm_lsp.records import dataclass


@dataclass(frozen=True, slots=True)
class Pair:
    left: int
    right: str = "r"
    notes: list[str] = dataclasses.field(default_factory=list, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class One:
    only: tuple[int, ...] = ()


@dataclass(frozen=True)
class Empty:
    pass


@dataclass(frozen=True, slots=True, eq=False)
class Alone:
    value: int


@dataclass(frozen=True)
class Own:
    value: int

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 7

    def __repr__(self) -> str:
        return "own"


@dataclass(order=True, slots=True)
class Ordered:
    value: int


def twin(cls: type[Any]) -> type[Any]:
    """The same class by the standard library."""
    body = {field.name: field for field in dataclasses.fields(cls)}
    return dataclasses.make_dataclass(
        cls.__name__,
        [(name, Any, dataclasses.field(**_told(field))) for name, field in body.items()],
        frozen=True,
    )


def _told(field: dataclasses.Field[Any]) -> dict[str, Any]:
    return {
        name: getattr(field, name)
        for name in ("default", "default_factory", "compare", "repr")
        if getattr(field, name) is not dataclasses.MISSING
    }


@pytest.mark.parametrize(
    ("cls", "make"),
    [(Pair, lambda cls: cls(1, notes=["a"])), (One, lambda cls: cls((1, 2))), (Empty, lambda cls: cls())],
)
def test_records_print_and_hash_as_those_of_the_standard_library(
    cls: type[Any], make: Callable[[type[Any]], Any]
) -> None:
    ours, theirs = make(cls), make(twin(cls))
    assert repr(ours) == repr(theirs)
    assert hash(ours) == hash(theirs)
    assert dataclasses.asdict(ours) == dataclasses.asdict(theirs)


def test_records_are_compared_by_the_fields_that_count() -> None:
    assert Pair(1, notes=["a"]) == Pair(1, notes=["b"])
    assert Pair(1) != Pair(2)
    assert Pair(1) != One((1,))
    assert len({Pair(1), Pair(1), Pair(1, "x")}) == 2
    assert One((1,)) == One((1,)) != One()
    assert Alone(1) != Alone(1)


def test_what_a_class_says_itself_is_kept() -> None:
    assert Own(1) == Own(2)
    assert (hash(Own(1)), repr(Own(1))) == (7, "own")
    assert sorted([Ordered(2), Ordered(1)]) == [Ordered(1), Ordered(2)]


def test_records_can_be_pickled_and_replaced() -> None:
    pair = Pair(1, notes=["a"])
    sent = pickle.loads(pickle.dumps(pair))
    assert (sent, sent.notes) == (pair, ["a"])
    assert dataclasses.replace(pair, left=2) == Pair(2)
    with pytest.raises(AttributeError):
        pair.other = 1  # type: ignore[attr-defined]

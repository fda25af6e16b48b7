"""Tables of a file → frozen dataclasses, strictly: what is unknown, ill-typed or out of bounds is said by name."""

from __future__ import annotations

import dataclasses
import difflib
import math
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any, Final, Literal, TypeVar

from cattrs import Converter
from cattrs.errors import AttributeValidationNote, BaseValidationError, ForbiddenExtraKeysError
from cattrs.gen import make_dict_structure_fn

from codewm_lsp.errors import OptionError

_T = TypeVar("_T")
Scalar = str | int | float | bool
_MOST_WHOLE: Final = 1_000_000_000
_MOST_TEXT: Final = 4_096
_MOST_ITEMS: Final = 10_000
_SHOWN: Final = 60


def setting(default: _T, why: str, *, least: float | None = None, most: float | None = None) -> _T:
    """A field of a configuration: its default, why it is that, and the lowest and the highest value that make sense."""
    return field(default=default, metadata={"why": why, "least": least, "most": most})


def structured(kind: type[_T], values: object, source: str, *, key: str = "key") -> _T:
    """``values``, as a file holds them, as the dataclass ``kind``; ``key`` is what its own keys are called.

    Raises OptionError with the path of what is wrong and ``source``; an unknown name is answered with the nearest one.
    """
    try:
        made = _CONVERTER.structure(values, kind)
    except BaseValidationError as error:
        raise _in_words(error, kind, source, key) from None
    except _Unfit as error:
        raise OptionError(f"{source} must hold {error.wanted}, not {shown(error.value)}") from None
    for path, value, least, most in _bounded(made, ()):
        where = f"{'.'.join(path)} in {source} is {shown(value)}"
        if least is not None and value < least:
            raise OptionError(f"{where}: it must be at least {least:g}")
        if value > most:
            raise OptionError(f"{where}: it must be at most {most:g}")
    return made


def shown(value: object) -> str:
    """A value as a message quotes it, however long or deep it is."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # of more digits than Python writes, or nested too deep
        text = f"a {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def nearest(name: str, names: Iterable[str], else_hint: str | None = None) -> str:
    """Which of ``names`` was meant by ``name``; ``else_hint`` where none is near, by default all that there are."""
    known = list(names)
    near = difflib.get_close_matches(name, known, 1)
    return f"did you mean {near[0]!r}?" if near else else_hint or f"there are {', '.join(known)}"


class _Unfit(ValueError):
    """A value is not of the type that is ``wanted``."""

    def __init__(self, wanted: str, value: object) -> None:
        super().__init__(wanted)
        self.wanted, self.value = wanted, value


def _in_words(error: BaseValidationError, kind: type[Any], source: str, key: str) -> OptionError:
    """The first of what is wrong; unknown names come first, for a misspelt one is missing under its right name."""
    found = list(_leaves(error, ()))
    for path, leaf in found:
        if isinstance(leaf, ForbiddenExtraKeysError):
            name = min(map(str, leaf.extra_fields))
            what = f"setting {shown(name)} of [{'.'.join(path)}]" if path else f"{key} {shown(name)}"
            names = [f.name for f in dataclasses.fields(leaf.cl)]
            return OptionError(f"unknown {what} in {source}; {nearest(name, names)}")
    path, leaf = found[0]
    where = f"{'.'.join(path)} in {source}"
    if isinstance(leaf, _Unfit):
        return OptionError(f"{where} must be {leaf.wanted}, not {shown(leaf.value)}")
    if isinstance(leaf, KeyError):
        return OptionError(f"{source} lacks {'.'.join(path)}: write it there")
    return OptionError(f"{where} is invalid ({leaf})")


def _leaves(error: BaseException, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], BaseException]]:
    if not isinstance(error, BaseValidationError):
        yield path, error
        return
    for inner in error.exceptions:
        notes = [note for note in getattr(inner, "__notes__", ()) if isinstance(note, AttributeValidationNote)]
        yield from _leaves(inner, path + tuple(note.name for note in notes))


def _bounded(made: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], float, float | None, float]]:
    """The numbers of a dataclass, with their paths and their bounds."""
    for one in dataclasses.fields(made):
        value, inner = getattr(made, one.name), (*path, one.name)
        if dataclasses.is_dataclass(value):
            yield from _bounded(value, inner)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            most = one.metadata.get("most")
            unbounded = _MOST_WHOLE if isinstance(value, int) else math.inf
            yield inner, value, one.metadata.get("least"), unbounded if most is None else most


def _whole(value: Any, _: Any) -> int:
    if type(value) is not int:
        raise _Unfit("a whole number", value)
    return value


def _number(value: Any, _: Any) -> float:
    try:
        if type(value) in (int, float) and math.isfinite(value):
            return float(value)
    except OverflowError:
        pass
    raise _Unfit("a finite number" if type(value) in (int, float) else "a number", value)


def _yes_or_no(value: Any, _: Any) -> bool:
    if type(value) is not bool:
        raise _Unfit("true or false", value)
    return value


def _text(value: Any, _: Any) -> str:
    if not isinstance(value, str):
        raise _Unfit("a text", value)
    if len(value) > _MOST_TEXT:
        raise _Unfit(f"a text of at most {_MOST_TEXT:,} characters", value)
    return value


def _one_of(value: Any, kind: Any) -> Any:
    choices = typing.get_args(kind)
    if type(value) is not str or value not in choices:
        raise _Unfit(f"one of {', '.join(map(repr, choices))}", value)
    return value


def _texts(value: Any, _: Any) -> tuple[str, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) > _MOST_ITEMS:
        raise _Unfit("a list of texts", value)
    return tuple(_text(item, str) for item in value)


def _table(value: Any, _: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or len(value) > _MOST_ITEMS:
        raise _Unfit("a table", value)
    return value


def _scalars(value: Any, kind: Any) -> Mapping[str, Scalar]:
    for item in _table(value, kind).values():
        if not isinstance(item, str | int | float) or (isinstance(item, float) and not math.isfinite(item)):
            raise _Unfit("a table of texts, numbers, true and false", value)
    return dict(value)


def _dataclass(kind: type[Any]) -> Callable[[Any, Any], Any]:
    make = make_dict_structure_fn(kind, _CONVERTER, _cattrs_forbid_extra_keys=True, _cattrs_detailed_validation=True)

    def structure(value: Any, wanted: Any) -> Any:
        return make(dict(_table(value, wanted)), wanted)

    return structure


def _is(wanted: Any) -> Callable[[Any], bool]:
    return lambda kind: bool(kind == wanted)


def _is_literal(kind: Any) -> bool:
    return typing.get_origin(kind) is Literal


_CONVERTER: Final = Converter(detailed_validation=True)
_CONVERTER.register_structure_hook(int, _whole)
_CONVERTER.register_structure_hook(float, _number)
_CONVERTER.register_structure_hook(bool, _yes_or_no)
_CONVERTER.register_structure_hook(str, _text)
_CONVERTER.register_structure_hook_func(_is_literal, _one_of)
_CONVERTER.register_structure_hook_func(_is(tuple[str, ...]), _texts)
_CONVERTER.register_structure_hook_func(_is(Mapping[str, Any]), _table)
_CONVERTER.register_structure_hook_func(_is(Mapping[str, Scalar]), _scalars)
_CONVERTER.register_structure_hook_factory(dataclasses.is_dataclass, _dataclass)

"""What a sweep's TOML file says: which settings to try, on what, and which figure is to be best.

The format: ``docs/training.md``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from codewm_lsp.errors import OptionError
from codewm_model.settings.config import Config, check_format
from codewm_model.settings.stages import STAGES
from codewm_model.settings.toml_files import DEFAULT_PRESET, find_preset, overridden, read_toml, with_table

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from ``low`` to ``high``, both included; whole ones where both ends are."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep's file says."""

    name: str
    metric: str
    direction: Literal["maximize", "minimize"]
    sampler: Literal["tpe", "random", "grid"]
    trials: int
    seed: int
    base: Config
    search: Mapping[str, Range | tuple[Value, ...]]
    repositories: tuple[Path, ...]
    corpus: Path | None
    validate: tuple[Path, ...]

    def identity(self) -> str:
        """What may not change while a sweep goes on: everything but the number of trials."""
        search = {name: repr(space) for name, space in sorted(self.search.items())}
        paths = [str(path) for path in (*self.repositories, self.corpus, *self.validate)]
        told = [self.metric, self.direction, self.sampler, self.seed, self.base.as_dict(), search, paths]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def read_sweep(file: Path) -> Sweep:
    """Read a sweep's file; paths in it are relative to its folder. Raises OptionError, naming the file and the key."""
    data = read_toml(file)
    check_format(data, str(file))
    data.pop("format", None)
    take = _Table(data, str(file))
    known_to = take.table("data")
    settings = take.table("settings").rest()
    preset = settings.pop("preset", DEFAULT_PRESET)
    base = with_table(find_preset(preset), settings, f"[settings] of {file}")

    def paths(name: str) -> tuple[Path, ...]:
        return tuple(file.parent / text for text in known_to.texts(name))

    corpus = known_to.text("corpus", "")
    sweep = Sweep(
        name=take.text("name", file.stem),
        metric=take.text("metric", None),
        direction=take.one_of("direction", ("maximize", "minimize")),
        sampler=take.one_of("sampler", ("tpe", "random", "grid")),
        trials=take.whole("trials", 1),
        seed=take.whole("seed", 0, base.training.seed),
        base=base,
        search=_search(take.table("search").rest(), file, base),
        repositories=paths("repositories"),
        corpus=file.parent / corpus if corpus else None,
        validate=paths("validate"),
    )
    known_to.end()
    take.end()
    if bool(sweep.repositories) == bool(sweep.corpus):
        raise OptionError(f"[data] of {file}: name either repositories or a corpus to train on")
    if sweep.sampler == "grid" and any(isinstance(space, Range) for space in sweep.search.values()):
        raise OptionError(f"sampler = 'grid' in {file} needs lists of values in [search], not low and high")
    stage = sweep.metric.split("/")[0]
    if stage not in STAGES or "/" not in sweep.metric:
        raise OptionError(f"metric in {file} is {sweep.metric!r}: write stage/figure, as 'edit/e4/300/mrr'")
    return sweep


class _Table:
    """A table of a file, taken apart key by key, so that what is left over is unknown."""

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self.values, self.where = dict(values), where
        self.asked: list[str] = []

    def take(self, name: str) -> Any:
        self.asked.append(name)
        return self.values.pop(name, None)

    def _wrong(self, name: str, wanted: str, found: object) -> OptionError:
        return OptionError(f"{name} in {self.where} must be {wanted}, not {found!r}")

    def table(self, name: str) -> _Table:
        found = self.take(name)
        if not isinstance(found, Mapping):
            raise self._wrong(name, f"a table: write [{name}]", found)
        return _Table(found, f"[{name}] of {self.where}")

    def text(self, name: str, default: str | None) -> str:
        found = self.take(name)
        if found is None and default is not None:
            return default
        if not isinstance(found, str):
            raise self._wrong(name, "a text", found)
        return found

    def texts(self, name: str) -> list[str]:
        found = self.take(name) or []
        if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
            raise self._wrong(name, "a list of texts", found)
        return found

    def one_of(self, name: str, choices: tuple[Any, ...]) -> Any:
        found = self.take(name) or choices[0]
        if found not in choices:
            raise self._wrong(name, f"one of {', '.join(map(repr, choices))}", found)
        return found

    def whole(self, name: str, least: int, default: int | None = None) -> int:
        found = self.take(name)
        if found is None and default is not None:
            return default
        if not isinstance(found, int) or isinstance(found, bool) or found < least:
            raise self._wrong(name, f"a whole number from {least} on", found)
        return found

    def rest(self) -> dict[str, Any]:
        return self.values

    def end(self) -> None:
        for name in self.values:
            raise OptionError(f"unknown key {name!r} in {self.where}; there are {', '.join(self.asked)}")


def _search(table: Mapping[str, Any], file: Path, base: Config) -> dict[str, Range | tuple[Value, ...]]:
    found: dict[str, Range | tuple[Value, ...]] = {}

    def walk(values: Mapping[str, Any], prefix: str) -> None:
        for key, value in values.items():
            name = f"{prefix}{key}"
            if isinstance(value, list) and value:
                found[name] = tuple(value)
            elif isinstance(value, Mapping) and {"low", "high"} <= set(value) <= {"low", "high", "log"}:
                found[name] = Range(value["low"], value["high"], value.get("log") is True)
            elif isinstance(value, Mapping) and value and not {"low", "high"} & set(value):
                walk(value, f"{name}.")
            else:
                raise OptionError(
                    f"{name} in [search] of {file} is {value!r}: write a list of values, or {{low = 1, high = 9}} with "
                    f"log = true where orders of magnitude are tried"
                )

    walk(table, "")
    if not found:
        raise OptionError(f"[search] of {file} is empty: name at least one setting and its values")
    for name, space in found.items():
        ends = (space.low, space.high) if isinstance(space, Range) else space
        for value in ends:
            settings_of(base, {name: value})  # a wrong name or type is to be said before anything is trained
        if isinstance(space, Range) and (not space.low < space.high or (space.log and space.low <= 0)):
            raise OptionError(f"{name} in [search] of {file}: low must be below high, and above 0 with log = true")
    return found


def settings_of(base: Config, values: Mapping[str, Value]) -> Config:
    """The configuration of a trial. Raises OptionError for an unknown setting or a value of another type."""
    return overridden(base, [f"{name}={json.dumps(value)}" for name, value in values.items()])

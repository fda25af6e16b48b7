"""What a sweep's TOML file says: which settings to try, on what, and which figure is to be best.

The format: ``docs/training.md``.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from codewm_lsp.errors import OptionError
from codewm_model.settings.config import Config, check_format
from codewm_model.settings.stages import STAGES
from codewm_model.settings.structure import setting, shown, structured
from codewm_model.settings.toml_files import DEFAULT_PRESET, find_preset, overridden, read_toml, with_table

Value = str | int | float | bool
_MOST_TRIALS: Final = 100_000


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


@dataclass(frozen=True, slots=True)
class _DataTable:
    repositories: tuple[str, ...] = ()
    corpus: str = ""
    validate: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _File:
    """The tables of a sweep's file, as they stand there."""

    metric: str
    trials: int = field(metadata={"least": 1, "most": _MOST_TRIALS})
    data: _DataTable
    settings: Mapping[str, Any]
    search: Mapping[str, Any]
    name: str = ""
    direction: Literal["maximize", "minimize"] = "maximize"
    sampler: Literal["tpe", "random", "grid"] = "tpe"
    seed: int | None = setting(None, "that of the settings", least=0, most=2**32 - 1)


def read_sweep(file: Path) -> Sweep:
    """Read a sweep's file; paths in it are relative to its folder. Raises OptionError, naming the file and the key."""
    data = read_toml(file)
    check_format(data, str(file))
    data.pop("format", None)
    told = structured(_File, data, str(file))
    settings = dict(told.settings)
    base = with_table(find_preset(settings.pop("preset", DEFAULT_PRESET)), settings, f"[settings] of {file}")
    sweep = Sweep(
        name=told.name or file.stem,
        metric=told.metric,
        direction=told.direction,
        sampler=told.sampler,
        trials=told.trials,
        seed=base.training.seed if told.seed is None else told.seed,
        base=base,
        search=_search(told.search, file, base),
        repositories=tuple(file.parent / text for text in told.data.repositories),
        corpus=file.parent / told.data.corpus if told.data.corpus else None,
        validate=tuple(file.parent / text for text in told.data.validate),
    )
    if bool(sweep.repositories) == bool(sweep.corpus):
        raise OptionError(f"[data] of {file}: name either repositories or a corpus to train on")
    if sweep.sampler == "grid" and any(isinstance(space, Range) for space in sweep.search.values()):
        raise OptionError(f"sampler = 'grid' in {file} needs lists of values in [search], not low and high")
    if sweep.sampler == "grid" and math.prod(len(_values(space)) for space in sweep.search.values()) > _MOST_TRIALS:
        raise OptionError(f"[search] of {file} has more than {_MOST_TRIALS:,} combinations: try fewer values")
    stage = sweep.metric.split("/")[0]
    if stage not in STAGES or "/" not in sweep.metric:
        raise OptionError(f"metric in {file} is {shown(sweep.metric)}: write stage/figure, as 'edit/e4/300/mrr'")
    return sweep


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
                    f"{name} in [search] of {file} is {shown(value)}: write a list of values, or {{low = 1, high = 9}} "
                    f"with log = true where orders of magnitude are tried"
                )

    walk(table, "")
    if not found:
        raise OptionError(f"[search] of {file} is empty: name at least one setting and its values")
    for name, space in found.items():
        for value in _values(space):
            settings_of(base, {name: value})  # a wrong name or type is to be said before anything is trained
            if isinstance(space, Range) and not isinstance(value, int | float):
                raise OptionError(f"{name} in [search] of {file}: low and high must be numbers, not {shown(value)}")
        if isinstance(space, Range) and (not space.low < space.high or (space.log and space.low <= 0)):
            raise OptionError(f"{name} in [search] of {file}: low must be below high, and above 0 with log = true")
    return found


def _values(space: Range | tuple[Value, ...]) -> tuple[Value, ...]:
    """The values of a list, or the ends of a range."""
    return (space.low, space.high) if isinstance(space, Range) else space


def settings_of(base: Config, values: Mapping[str, Value]) -> Config:
    """The configuration of a trial. Raises OptionError for an unknown setting or a value of another type."""
    return overridden(base, [f"{name}={json.dumps(value)}" for name, value in values.items()])

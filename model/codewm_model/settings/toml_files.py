"""Configurations from TOML files and from the command line, and back to TOML with the reason for every default."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from codewm_lsp.errors import OptionError
from codewm_model.settings.bounded_files import read_bounded
from codewm_model.settings.config import FORMAT, PRESETS, SECTIONS, Config, check_format, reason
from codewm_model.settings.structure import nearest, shown

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULT_PRESET: Final = "local"
_MOST_BYTES: Final = 1 << 18
_MOST_DEEP: Final = 16
_TOO_DEEP: Final = f"its tables are nested more than {_MOST_DEEP} deep"
_QUOTED: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'')
_BETWEEN: Final = re.compile(r"[=,{}\[\]\n]")


def read_toml(file: Path) -> dict[str, Any]:
    """A TOML file of at most 256 KiB. Raises OptionError when it cannot be read or is none."""
    try:
        return _parsed(read_bounded(file, _MOST_BYTES).decode("utf-8"))
    except OSError as error:
        raise OptionError(f"{file} cannot be read ({error.strerror}): name a TOML file") from None
    except ValueError as error:
        raise OptionError(f"{file} is not valid TOML ({error})") from None


def _parsed(text: str) -> dict[str, Any]:
    """TOML that is no deeper than settings are. Raises ValueError.

    The parser takes time and memory by the square of the parts of a dotted name, so that those are counted first.
    """
    try:
        if any(piece.count(".") > _MOST_DEEP for piece in _BETWEEN.split(_QUOTED.sub("", text))):
            raise ValueError(_TOO_DEEP)
        found = tomllib.loads(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    level: list[Any] = [found]
    for _ in range(_MOST_DEEP):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ())
            if isinstance(inner, dict | list)
        ]
    if level:
        raise ValueError(_TOO_DEEP)
    return found


def configured(
    preset: str | None, file: Path | None, settings: Sequence[str], architecture: Mapping[str, Any] | None = None
) -> tuple[str, Config]:
    """The name of the preset, and the configuration: the preset, then the file's settings, then ``NAME=VALUE`` ones.

    A file may name its preset; ``preset`` goes before it. ``architecture``, a table of settings, goes before those of
    the file. Raises OptionError.
    """
    data = read_toml(file) if file else {}
    name = preset or data.pop("preset", DEFAULT_PRESET)
    data.pop("preset", None)
    config = find_preset(name)
    if architecture:
        config = with_table(config, architecture, "--architecture")
    if file:
        config = with_table(config, data, str(file))
    return name, overridden(config, settings)


def find_preset(name: object) -> Config:
    """A preset by its name. Raises OptionError."""
    if not isinstance(name, str) or name not in PRESETS:
        raise OptionError(f"unknown preset {shown(name)}: choose one of {', '.join(PRESETS)}")
    return PRESETS[name]


def with_table(config: Config, data: Mapping[str, Any], source: str) -> Config:
    """``config`` with the settings of a table as a file holds it. Raises OptionError, naming ``source``."""
    check_format(data, source)
    values = config.as_dict()
    for section, settings in data.items():
        known = isinstance(settings, Mapping) and isinstance(values.get(section), dict)
        values[section] = values[section] | dict(settings) if known else settings
    return Config.from_dict(values, source)


def overridden(config: Config, settings: Sequence[str]) -> Config:
    """``config`` with ``SECTION.NAME=VALUE`` settings; the section may be left out. Raises OptionError."""
    values = config.as_dict()
    sections = {name: section for section in SECTIONS for name in values[section]}
    for setting in settings:
        path, separator, text = setting.partition("=")
        path = path.strip()
        if not separator:
            raise OptionError(f"--set {shown(setting)}: write NAME=VALUE")
        section, dot, name = path.partition(".")
        if not dot:
            if path not in sections:
                hint = nearest(path, sections, "codewm-train config show lists them all")
                raise OptionError(f"unknown setting {shown(path)} in --set; {hint}")
            section, name = sections[path], path
        table = values.setdefault(section, {})
        if name.startswith("options.") and section == "architecture":
            table, name = table["options"], name.removeprefix("options.")
        table[name] = value_of(text.strip())
        config = Config.from_dict(values, f"--set {path}")
    return config


def value_of(text: str) -> object:
    """A value as TOML writes it; what is none is a text."""
    try:
        found = _parsed(f"value = {text}")
    except ValueError:
        return text
    return found["value"] if len(found) == 1 else text


def as_toml(config: Config) -> str:
    """Every setting with the reason for its default; what ``configured`` reads back as the same configuration."""
    lines = [f"format = {FORMAT}"]
    for section, kind in SECTIONS.items():
        lines += ["", f"[{section}]"]
        chosen, defaults = getattr(config, section), kind()
        for field in dataclasses.fields(kind):
            value, default = getattr(chosen, field.name), getattr(defaults, field.name)
            note = reason(kind, field.name)
            if value != default:
                note = f"default {_toml(default)}: {note}"
            lines.append(f"{field.name} = {_toml(value)}  # {note}")
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(item)}" for key, item in value.items()) + "}"
    return repr(value)

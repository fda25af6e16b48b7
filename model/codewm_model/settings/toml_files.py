"""Configurations from TOML files and from the command line, and back to TOML with the reason for every default."""

from __future__ import annotations

import dataclasses
import difflib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from codewm_lsp.errors import OptionError
from codewm_model.settings.config import FORMAT, PRESETS, SECTIONS, Config, check_format, reason

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULT_PRESET: Final = "local"


def read_toml(file: Path) -> dict[str, Any]:
    """A TOML file. Raises OptionError when it cannot be read or is none."""
    try:
        found: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionError(f"{file} cannot be read ({error.strerror}): name a TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OptionError(f"{file} is no valid TOML ({error}): mend it there") from None
    return found


def configured(preset: str | None, file: Path | None, settings: Sequence[str]) -> tuple[str, Config]:
    """The name of the preset, and the configuration: the preset, then the file's settings, then ``NAME=VALUE`` ones.

    A file may name its preset; ``preset`` goes before it. Raises OptionError.
    """
    data = read_toml(file) if file else {}
    name = preset or data.pop("preset", DEFAULT_PRESET)
    data.pop("preset", None)
    config = find_preset(name)
    if file:
        config = with_table(config, data, str(file))
    return name, overridden(config, settings)


def find_preset(name: object) -> Config:
    """A preset by its name. Raises OptionError."""
    if not isinstance(name, str) or name not in PRESETS:
        raise OptionError(f"unknown preset {name!r}: choose one of {', '.join(PRESETS)}")
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
            raise OptionError(f"--set {setting!r}: write NAME=VALUE")
        section, dot, name = path.partition(".")
        if not dot:
            if path not in sections:
                near = difflib.get_close_matches(path, sections, 1)
                hint = f"did you mean {near[0]!r}?" if near else "codewm-train config show lists them all"
                raise OptionError(f"unknown setting {path!r} in --set; {hint}")
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
        found = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
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

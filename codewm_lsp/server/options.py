"""What a user can set, as one frozen tree with a default for everything; camelCase on the wire.

``read_options`` never raises: an unknown or senseless setting is reported by its name and the default is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from enum import Enum
from pathlib import Path
from typing import Any, Final

from codewm_lsp.hints import HintOptions
from codewm_lsp.history import DEFAULT_EXCLUDE

CLIENT_ONLY: Final = frozenset({"path", "interpreter", "trace"})  # settings that an editor's extension reads itself


class Display(str, Enum):
    """Where hints are shown."""

    CODE_LENS = "codeLens"
    INLAY = "inlay"
    ACTIVE_LINE = "activeLine"
    HOVER = "hover"
    OFF = "off"


class LogLevel(str, Enum):
    """How much goes to stderr and the log file."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    DEBUG = "debug"


@dataclass(frozen=True, slots=True)
class Kinds:
    """Which kinds of lens are shown."""

    similar: bool = True
    next: bool = True


@dataclass(frozen=True, slots=True)
class Options:
    """Every setting of the server.

    ``model``: folder of a bundle, None: the shipped one. ``threshold``: hints scored lower are not shown, 0 to 1.
    ``exclude``: globs relative to the repository, added to ``DEFAULT_EXCLUDE``. ``history_depth``: how many commits
    are indexed, 0: all. ``pause_when_busy``: indexing waits while other programs need the processor, and on a weak
    battery. ``store``: an index of many repositories that is asked too (see ``codewm index --store``), "": none.
    ``eagerness``: milliseconds of quiet after which typing counts as paused. ``threads``: of the model.
    """

    enable: bool = True
    model: Path | None = None
    store: str = ""
    display: Display = Display.CODE_LENS
    kinds: Kinds = Kinds()
    threshold: float = HintOptions().threshold
    lenses_per_file: int = HintOptions().limit
    exclude: tuple[str, ...] = DEFAULT_EXCLUDE
    history_depth: int = 10_000
    pause_when_busy: bool = True
    eagerness: int = 100
    threads: int = 1
    log_level: LogLevel = LogLevel.WARNING


def read_options(settings: object) -> tuple[Options, list[str]]:
    """The options that ``settings`` (JSON from the client) ask for, and one message for each that makes no sense."""
    problems: list[str] = []
    if settings is None:
        return Options(), problems
    if not isinstance(settings, Mapping):
        return Options(), [f"The settings of codewm must be an object, not {_show(settings)}; the defaults are used."]
    options = _read(Options(), settings, "codewm", problems)
    return options, problems


def merge_settings(below: object, above: object) -> object:
    """Two layers of settings: what ``above`` leaves out is taken from ``below``."""
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        return {**below, **{key: merge_settings(below.get(key), value) for key, value in above.items()}}
    return below if above is None else above


def _read(default: Any, settings: Mapping[str, object], prefix: str, problems: list[str]) -> Any:
    names = {_camel(field.name): field.name for field in fields(default)}
    changed: dict[str, object] = {}
    for key, value in settings.items():
        if key in names:
            name = names[key]
            if value is None:
                continue
            current = getattr(default, name)
            if isinstance(current, Kinds):
                if isinstance(value, Mapping):
                    changed[name] = _read(current, value, f"{prefix}.{key}", problems)
                else:
                    problems.append(_problem(f"{prefix}.{key}", value, "an object of true and false", "all kinds"))
                continue
            rule, wanted = _RULES[name]
            try:
                changed[name] = rule(value)
            except (TypeError, ValueError):
                problems.append(_problem(f"{prefix}.{key}", value, wanted, _shown_default(current)))
        elif not (default.__class__ is Options and key in CLIENT_ONLY):
            known = ", ".join(sorted(names))
            problems.append(f"Unknown setting {prefix}.{key}: it is ignored. Known settings: {known}.")
    return replace(default, **changed)


def _problem(name: str, value: object, wanted: str, default: str) -> str:
    return f"Setting {name} must be {wanted}, not {_show(value)}; the default ({default}) is used."


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _shown_default(value: object) -> str:
    if value is None:
        return "the shipped model"
    if value == "":
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return value.value if isinstance(value, Enum) else str(value)


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.title() for part in tail)


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _whole(low: int, high: int) -> Callable[[object], int]:
    def rule(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise TypeError
        if value != int(value):
            raise ValueError
        return int(value)

    return rule


def _share(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError
    if not 0 <= value <= 1:
        raise ValueError
    return float(value)


def _folder(value: object) -> Path | None:
    if not isinstance(value, str):
        raise TypeError
    return Path(value).expanduser() if value.strip() else None


def _location(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    location = value.strip()
    if location.startswith("~"):
        return str(Path(location).expanduser())
    return location


def _globs(value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(glob, str) and glob for glob in value):
        raise TypeError
    return tuple(dict.fromkeys((*DEFAULT_EXCLUDE, *value)))


_RULES: Final[dict[str, tuple[Callable[[object], object], str]]] = {
    "enable": (_boolean, "true or false"),
    "similar": (_boolean, "true or false"),
    "next": (_boolean, "true or false"),
    "model": (_folder, "the path of a model folder"),
    "store": (_location, "a folder, http://HOST:6333/COLLECTION or qdrant:FOLDER"),
    "display": (Display, '"codeLens", "inlay", "activeLine", "hover" or "off"'),
    "threshold": (_share, "a number from 0 to 1"),
    "lenses_per_file": (_whole(0, 1000), "a whole number from 0 to 1000"),
    "exclude": (_globs, "a list of globs"),
    "history_depth": (_whole(0, 10_000_000), "a whole number of commits (0: all)"),
    "pause_when_busy": (_boolean, "true or false"),
    "eagerness": (_whole(0, 60_000), "a whole number of milliseconds up to 60000"),
    "threads": (_whole(1, 64), "a whole number from 1 to 64"),
    "log_level": (LogLevel, '"error", "warning", "info" or "debug"'),
}

"""What a user can set, as one frozen tree with a default for everything; camelCase on the wire.

A setting is one field here, with the rule for its values and what is said of it: ``make settings`` writes the tables of
the documentation and of the editors' extensions from that. ``read_options`` never raises: an unknown or senseless
setting is reported by its name and the default is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar, get_args, get_type_hints

from codewm_lsp.hints import HintOptions
from codewm_lsp.history import DEFAULT_EXCLUDE
from codewm_lsp.records import dataclass

CLIENT_ONLY: Final = frozenset({"path", "interpreter", "trace"})  # settings that an editor's extension reads itself
OLD_NAMES: Final = {"eagerness": "debounceMs"}  # still read

Kind = TypeVar("Kind")


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
class About:
    """A setting in words: a sentence without its full stop, for every table; ``more`` is what docs/settings.md adds.

    ``default``: the default in words, where its value says little.
    """

    words: str
    more: str = ""
    default: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """What makes sense, in words and as a JSON schema; ``read`` raises TypeError or ValueError for anything else."""

    wanted: str
    read: Callable[[object], object]
    schema: Mapping[str, object]


def _no_value(value: object) -> object:
    raise TypeError


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _whole(low: int, high: int) -> Rule:
    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise TypeError
        if value != int(value):
            raise ValueError
        return int(value)

    return Rule(f"a whole number from {low} to {high}", read, {"type": "integer", "minimum": low, "maximum": high})


def _share(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise TypeError
    return float(value)


def _folder(value: object) -> Path | None:
    if not isinstance(value, str):
        raise TypeError
    return _expanded(value) if value.strip() else None


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as error:  # ~ of nobody
        raise ValueError(path) from error


def _location(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    location = value.strip()
    return str(_expanded(location)) if location.startswith("~") else location


def _globs(value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(glob, str) and glob for glob in value):
        raise TypeError
    return tuple(dict.fromkeys((*DEFAULT_EXCLUDE, *value)))


def _one_of(kind: type[Enum]) -> Rule:
    *others, last = (f'"{one.value}"' for one in kind)
    schema = {"type": "string", "enum": [one.value for one in kind]}
    return Rule(f"{', '.join(others)} or {last}", kind, schema)


_GROUP: Final = Rule("an object of true and false", _no_value, {"type": "object"})
_BOOLEAN: Final = Rule("true or false", _boolean, {"type": "boolean"})
_SHARE: Final = Rule("a number from 0 to 1", _share, {"type": "number", "minimum": 0, "maximum": 1})
_FOLDER: Final = Rule("the path of a model folder", _folder, {"type": "string"})
_LOCATION: Final = Rule(
    "a folder, postgresql://HOST/DATABASE, http://HOST:6333/COLLECTION or qdrant:FOLDER", _location, {"type": "string"}
)
_GLOBS: Final = Rule("a list of globs", _globs, {"type": "array", "items": {"type": "string"}})


@dataclass(frozen=True, slots=True)
class Kinds:
    """Which kinds of hint are shown."""

    similar: Annotated[bool, _BOOLEAN, About("Show past edits like yours on definitions you have changed")] = True
    next: Annotated[bool, _BOOLEAN, About("Show which definitions are likely to change next")] = True


@dataclass(frozen=True, slots=True)
class Options:
    """Every setting of the server, in the order in which they are listed."""

    enable: Annotated[bool, _BOOLEAN, About("Turn CodeWM on", "When off, nothing is read, indexed or computed.")] = True
    display: Annotated[
        Display,
        _one_of(Display),
        About(
            'Where to show hints: `"codeLens"` (a line above), `"inlay"` (at the end of the line), `"activeLine"` (in '
            'VS Code, only on the line of the cursor), `"hover"` or `"off"`'
        ),
    ] = Display.CODE_LENS
    kinds: Kinds = Kinds()
    clean_tree: Annotated[
        bool,
        _BOOLEAN,
        About(
            "While nothing is edited, show hints on what your last commit changed",
        ),
    ] = HintOptions().clean_tree
    threshold: Annotated[
        float,
        _SHARE,
        About(
            "Minimum probability for showing a definition as likely to change next",
            "A lower value shows more hints, and more wrong ones. The minimum is higher for each further hint in a "
            "file and for code outside definitions.",
        ),
    ] = HintOptions().threshold
    lenses_per_file: Annotated[
        int,
        _whole(0, 1_000),
        About("Maximum hints per file, not counting definitions that must follow your edits"),
    ] = HintOptions().limit
    exclude: Annotated[
        tuple[str, ...],
        _GLOBS,
        About(
            "Globs of files without hints, in addition to virtual environments and generated files",
            "Globs are relative to the repository, such as `**/migrations/**`. Edits to these files count only if the "
            "files are tracked.",
            "virtual environments, generated files",
        ),
    ] = DEFAULT_EXCLUDE
    history_depth: Annotated[int, _whole(0, 10_000_000), About("Maximum commits to index, newest first; `0`: all")] = (
        10_000
    )
    pause_when_busy: Annotated[
        bool,
        _BOOLEAN,
        About(
            "Pause indexing while other programs need the processor, and on battery below 30 %",
            "Hints are not delayed; see [below](#when-indexing-pauses).",
        ),
    ] = True
    debounce_ms: Annotated[
        int,
        _whole(0, 60_000),
        About(
            "Milliseconds to wait after typing before hints change",
            "They are computed after a fifth of that time. The old name `eagerness` still works.",
        ),
    ] = 100
    model: Annotated[
        Path | None,
        _FOLDER,
        About(
            "Folder of a model to use instead", "For example, one that you [trained](training.md).", "the shipped one"
        ),
    ] = None
    store: Annotated[
        str,
        _LOCATION,
        About(
            "An index of many repositories to search as well, created with `codewm index --store`: a folder, or "
            "`postgresql://HOST/DATABASE`",
            "Its past edits are shown on definitions that you changed. See [Stores](stores.md), also for Qdrant. A "
            "server is queried whenever you stop typing; VS Code reads the address only from your own settings, not "
            "from those of a workspace.",
        ),
    ] = ""
    threads: Annotated[int, _whole(1, 64), About("Number of threads for the model", "More are rarely faster.")] = 1
    log_level: Annotated[
        LogLevel,
        _one_of(LogLevel),
        About('Log level of the server: `"error"`, `"warning"`, `"info"` or `"debug"`'),
    ] = LogLevel.WARNING


@dataclass(frozen=True, slots=True)
class Setting:
    """One of the settings, by the name it has on the wire."""

    name: str
    default: object
    rule: Rule
    about: About


def settings_of(options: Options | Kinds, prefix: str = "") -> Iterator[Setting]:
    """Every setting, in order; those within another one have its name before theirs."""
    for name, kind in get_type_hints(type(options), include_extras=True).items():
        value, full = getattr(options, name), prefix + wire_name(name)
        if isinstance(value, Kinds):
            yield from settings_of(value, f"{full}.")
        else:
            _, rule, about = get_args(kind)
            yield Setting(full, value.value if isinstance(value, Enum) else value, rule, about)


def read_options(settings: object) -> tuple[Options, list[str]]:
    """The options that ``settings`` (JSON from the client) ask for, and one message for each that makes no sense."""
    problems: list[str] = []
    if settings is None:
        return Options(), problems
    if not isinstance(settings, Mapping):
        return Options(), [f"The settings of codewm must be an object, not {_show(settings)}. The defaults are used."]
    options = _read(Options(), settings, "codewm", problems)
    return options, problems


def own_settings(settings: object, *, alone: bool = False) -> object:
    """What concerns CodeWM in what a client sends as settings; None: nothing does.

    Clients send the section ``codewm``, what is in it, the sections of all servers, or any of that under another key or
    with dots in the names. ``alone``: it was sent to, or asked by, this server alone: unknown names are mistakes.
    """
    while isinstance(settings, (list, tuple)) and len(settings) == 1:
        (settings,) = settings
    if not isinstance(settings, Mapping):
        return settings or None
    nested = _without_dots(settings)
    if "codewm" in nested:
        section = nested["codewm"]
        if isinstance(section, Mapping) and "codewm" not in section:
            return _without_dots(section)
        return own_settings(section)
    if isinstance(nested.get("settings"), Mapping):
        return own_settings(nested["settings"], alone=alone)
    known = {one.name.partition(".")[0] for one in settings_of(Options())} | OLD_NAMES.keys()
    groups = {"kinds", *CLIENT_ONLY}  # other objects are other servers' sections
    ours = {key: value for key, value in nested.items() if key in groups or not isinstance(value, Mapping)}
    meant = alone or any(key in known or get_close_matches(key, known, cutoff=0.8) for key in ours)
    return ours if ours and meant else None


def _without_dots(settings: Mapping[object, object]) -> dict[str, object]:
    """``{"codewm.kinds.next": …}`` as ``{"codewm": {"kinds": {"next": …}}}``."""
    nested: dict[str, object] = {}
    for key, value in settings.items():
        for part in reversed(str(key).split(".")[1:]):
            value = {part: value}
        nested = _merged(nested, {str(key).split(".")[0]: value})
    return nested


def merge_settings(below: object, above: object) -> object:
    """Two layers of settings: what ``above`` leaves out is taken from ``below``."""
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        return _merged(below, above)
    return below if above is None else above


def _merged(below: Mapping[str, object], above: Mapping[str, object]) -> dict[str, object]:
    return {**below, **{key: merge_settings(below.get(key), value) for key, value in above.items()}}


def wire_name(name: str) -> str:
    """A field's name in the client's settings."""
    head, *tail = name.split("_")
    return head + "".join(part.title() for part in tail)


def _read(default: Kind, settings: Mapping[str, object], prefix: str, problems: list[str]) -> Kind:
    types = get_type_hints(type(default), include_extras=True)
    names = {wire_name(one): one for one in types}
    changed: dict[str, Any] = {}
    for given, value in settings.items():
        key = OLD_NAMES.get(given, given)
        if value is None or (key != given and key in settings):
            continue
        if key not in names:
            if not (prefix == "codewm" and key in CLIENT_ONLY):
                known = ", ".join(sorted(names))
                problems.append(f"Unknown setting {prefix}.{key}, which is ignored. Known settings: {known}.")
            continue
        current, kind = getattr(default, names[key]), types[names[key]]
        if kind is Kinds and isinstance(value, Mapping):
            changed[names[key]] = _read(current, value, f"{prefix}.{key}", problems)
            continue
        rule = _GROUP if kind is Kinds else get_args(kind)[1]
        try:
            changed[names[key]] = rule.read(value)
        except (TypeError, ValueError):
            problems.append(
                f"Setting {prefix}.{given} must be {rule.wanted}, not {_show(value)}. "
                f"The default ({_shown_default(current)}) is used."
            )
    return replace(default, **changed)  # type: ignore[type-var]


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
    if isinstance(value, Kinds):
        return "all kinds"
    if isinstance(value, tuple):
        return ", ".join(value)
    return value.value if isinstance(value, Enum) else str(value)

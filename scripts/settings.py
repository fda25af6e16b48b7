"""Write the tables of settings from the server's options: ``settings.py [--check]``.

docs/settings.md, the READMEs and help files of the editors' extensions, and the manifest of VS Code's. Words that the
manifest has for a setting stay; a new one gets those of the options.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from codewm_lsp.server.options import CLIENT_ONLY, OLD_NAMES, Options, Setting, settings_of

ROOT: Final = Path(__file__).resolve().parents[1]
SETTINGS: Final = tuple(settings_of(Options()))
WIDTH: Final = 78  # of a line of Vim's help


def default(setting: Setting) -> object:
    """As JSON has it."""
    if setting.about.default:
        return [] if setting.rule.schema["type"] == "array" else ""
    return setting.default


def shown(setting: Setting) -> str:
    """The default, in a table of Markdown."""
    return setting.about.default or f"`{json.dumps(setting.default)}`"


def page() -> Iterator[str]:
    """The rows of docs/settings.md."""
    for one in SETTINGS:
        yield f"| `{one.name}` | {shown(one)} | {one.about.words}. {one.about.more}".rstrip() + " |"


def readme() -> Iterator[str]:
    """The rows of the README of VS Code's extension."""
    ours = {f"codewm.{one.name}": one for one in SETTINGS}
    for name, entry in manifest()["contributes"]["configuration"]["properties"].items():
        if "markdownDeprecationMessage" in entry:
            continue
        if name in ours:
            yield f"| `{name}` | {shown(ours[name])} | {ours[name].about.words} |"
        else:
            words = entry.get("markdownDescription") or entry["description"]
            yield f"| `{name}` | `{json.dumps(entry['default'])}` | {words.rstrip('.')} |"


def vim() -> Iterator[str]:
    """The table of Neovim's help."""
    for one in SETTINGS:
        value = "(shipped)" if one.about.default == "the shipped one" else json.dumps(default(one))
        head = f"\t{one.name}".ljust(len(one.name) + 1)
        head += "\t" * max(1, 3 - (8 + len(one.name)) // 8) + value
        column = 24 + len(value)
        first, *rest = textwrap.wrap(one.about.words.replace("`", "") + ".", WIDTH - 40, break_long_words=False)
        yield head + "\t" * max(1, 5 - column // 8) + first
        yield from ("\t" * 5 + line for line in rest)


def names() -> Iterator[str]:
    """What the extension sends."""
    for one in SETTINGS:
        yield f"  '{one.name}',"


def manifest() -> dict[str, Any]:
    """VS Code's."""
    read: dict[str, Any] = json.loads((ROOT / "vscode-extension" / "package.json").read_text(encoding="utf-8"))
    return read


def properties() -> Iterator[str]:
    """The settings in the manifest: the server's own in order, then the extension's, then old names."""
    before = manifest()["contributes"]["configuration"]["properties"]
    after: dict[str, dict[str, Any]] = {}
    for one in SETTINGS:
        entry = before.get(f"codewm.{one.name}", {})
        words = (
            {}
            if {"description", "markdownDescription"} & entry.keys()
            else {"markdownDescription": one.about.words + "."}
        )
        after[f"codewm.{one.name}"] = {**entry, **one.rule.schema, "default": default(one), **words}
    for name, entry in before.items():
        if name.split(".")[1] in CLIENT_ONLY:
            after[name] = entry
    for old, new in OLD_NAMES.items():
        words = {
            "markdownDescription": f"The old name of `#codewm.{new}#`.",
            "markdownDeprecationMessage": f"Use `#codewm.{new}#`.",
        }
        after[f"codewm.{old}"] = {**after[f"codewm.{new}"], **words}
    for number, (name, entry) in enumerate(after.items(), 1):
        body = ",\n".join(
            f'          "{key}": {laid_out(value)}' for key, value in ({"order": 0} | entry | {"order": number}).items()
        )
        yield f'        "{name}": {{\n{body}\n        }}' + ("," if number < len(after) else "")


def laid_out(value: object) -> str:
    """JSON in one line where it fits."""
    line = json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        line = f"{{ {line[1:-1]} }}"
    if isinstance(value, list) and len(line) > 90:
        return (
            "[\n" + ",\n".join(f"            {json.dumps(one, ensure_ascii=False)}" for one in value) + "\n          ]"
        )
    return line


TABLES: Final[tuple[tuple[str, str, str, Callable[[], Iterator[str]]], ...]] = (
    ("docs/settings.md", "| setting | default | |\n| --- | --- | --- |\n", "\n\n", page),
    ("vscode-extension/package.json", '      "properties": {\n', "\n      }\n    },", properties),
    (
        "vscode-extension/README.md",
        "## Settings\n\nChanges apply immediately.\n\n| setting | default | |\n| --- | --- | --- |\n",
        "\n\n",
        readme,
    ),
    ("vscode-extension/src/settings.ts", "const OF_THE_SERVER = [\n", "\n] as const;", names),
    ("neovim/doc/codewm.txt", "to change them later.\n\n", "\n\n", vim),
)


def main() -> int:
    """Write every table; with ``--check`` only say which differs."""
    differ = 0
    for name, begin, end, rows in TABLES:
        file = ROOT / name
        text = file.read_text(encoding="utf-8")
        head, found, rest = text.partition(begin)
        assert found, f"{name} has no table of settings"
        _, stop, tail = rest.partition(end)
        new = head + begin + "\n".join(rows()) + stop + tail
        if new == text:
            continue
        differ += 1
        print(
            f"{name}: the table of settings "
            + ("differs: run `make settings`" if "--check" in sys.argv else "is written")
        )
        if "--check" not in sys.argv:
            file.write_text(new, encoding="utf-8", newline="\n")
    return differ if "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())

"""What the README says is so."""

from __future__ import annotations

import json
import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from codewm_lsp.cli.app import app
from codewm_lsp.server.options import Options

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_what_is_linked_is_there(document: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / document).read_text(encoding="utf-8")):
        if not target.startswith("https://"):
            assert (ROOT / target).exists(), f"{document} links {target}"


def test_every_setting_of_the_server_is_listed_with_its_default() -> None:
    section = README.partition("### Settings")[2].partition("\n## ")[0]
    listed: dict[str, str] = {}
    for names, default in re.findall(r"^\| (`[^|]+) \| ([^|]*) \|", section, re.MULTILINE):
        listed.update((name.strip(" `"), default.strip(" `")) for name in names.split(","))
    actual = settings(Options())
    assert listed.keys() == actual.keys()
    for name, value in actual.items():
        if name not in ("model", "exclude"):  # said in words
            assert json.loads(listed[name]) == value, name


def settings(options: Any, prefix: str = "") -> dict[str, object]:
    found: dict[str, object] = {}
    for field in fields(options):
        head, *tail = field.name.split("_")
        name = prefix + head + "".join(part.title() for part in tail)
        value = getattr(options, field.name)
        if is_dataclass(value):
            found.update(settings(value, f"{name}."))
        else:
            found[name] = getattr(value, "value", value)
    return found


def test_every_command_is_listed() -> None:
    listed = set(re.findall(r"^\| `codewm ([a-z]+)` \|", README, re.MULTILINE))
    assert listed == {name for name in get_command(app).commands if name != "eval"}  # type: ignore[attr-defined]


def test_the_two_commands_stand_on_the_first_screen() -> None:
    first_screen = README.split("\n")[:20]
    assert any(line.startswith("make hints") for line in first_screen)
    assert any(line.startswith("make test") for line in first_screen)
    assert any(line.startswith("![") for line in first_screen)

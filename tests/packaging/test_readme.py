"""What the README says is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from codewm_lsp.cli.app import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_what_is_linked_is_there(document: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / document).read_text(encoding="utf-8")):
        if not target.startswith("https://"):
            assert (ROOT / target).exists(), f"{document} links {target}"


def test_its_pictures_are_there_in_a_light_and_in_a_dark_theme() -> None:
    shown = re.findall(r'(?:src|srcset)="([^"]+)"', README)
    assert len(shown) == 4
    for picture in shown:
        assert (ROOT / picture).is_file(), picture
        other = picture.replace("-dark.", "-light.") if "-dark." in picture else picture.replace("-light.", "-dark.")
        assert other in shown


def test_every_command_is_listed() -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `codewm ([a-z]+)` \|", page, re.MULTILINE))
    assert listed == {*COMMANDS, "eval"}


def test_the_two_commands_stand_on_the_first_screen() -> None:
    first_screen = README.split("\n")[:20]
    assert any(line.startswith("make hints") for line in first_screen)
    assert any(line.startswith("make test") for line in first_screen)
    assert any(line.startswith("<picture>") for line in first_screen)

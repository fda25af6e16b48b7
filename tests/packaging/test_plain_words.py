"""What a person reads is worded as other tools word it: none of the turns of phrase that were once in our messages."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from codewm_lsp.cli.app import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
TURNS = re.compile(
    r"\bat most so (?:many|much)\b|(?<!there )\bis no (?!longer|more)(?:\w+ )?(?:file|folder|list|model|log|corpus)\b"
    r"|\bmakes? no sense\b|\bno longer to be had\b|\bwrong use\b|\bmet an error\b|\bmade anew\b|\bgo(?:es)? on where\b"
    r"|\bbe had\b|\bdismissed hints?\b|\bworth a line\b|\bso many (?:hints|commits|minutes)\b"
    r"|\bmade such edits\b|, and have not\b|\bopens from the disk\b|\bstops? no other\b|\bhave to be surer\b"
    r"|\bexclude each other\b|\bwho(?:ever)? may read\b|\bmay hold secrets\b",
    re.IGNORECASE,
)


def messages(file: Path) -> Iterator[tuple[int, str]]:
    """The texts of a module that are not its docstrings, with their lines; those of an f-string without its values."""
    source = file.read_text(encoding="utf-8")
    if not TURNS.search(source):  # parsing takes a while
        return
    tree = ast.parse(source)
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.lineno, node.value


@pytest.mark.parametrize("room", ["codewm_lsp", "model", "export"])
def test_messages_are_plain(room: str) -> None:
    found = {
        f"{file.relative_to(ROOT)}:{line}": text
        for file in sorted((ROOT / room).rglob("*.py"))
        for line, text in messages(file)
        if TURNS.search(text)
    }
    assert found == {}


@pytest.mark.parametrize(
    "pattern",
    [
        "README.md",
        "CHANGELOG.md",
        "docs/*.md",
        "vscode-extension/*.md",
        "vscode-extension/src/**/*.ts",
        "neovim/**/*.*",
    ],
)
def test_pages_and_editors_are_plain(pattern: str) -> None:
    historical = {"faults.md", "experiments.md"}  # they quote what was said before
    files = [file for file in ROOT.glob(pattern) if file.is_file() and file.name not in historical]
    assert files
    for file in files:
        for number, line in enumerate(file.read_text(encoding="utf-8").split("\n"), 1):
            assert not TURNS.search(line), f"{file.relative_to(ROOT)}:{number}: {line}"


def test_settings_of_vs_code_end_as_sentences() -> None:
    manifest = json.loads((ROOT / "vscode-extension" / "package.json").read_text(encoding="utf-8"))
    for name, setting in manifest["contributes"]["configuration"]["properties"].items():
        words = setting.get("markdownDescription") or setting["description"]
        assert words.endswith("."), name
        assert words[0].isupper() or words[0] == "`", name


def test_the_turns_that_are_looked_for_are_recognised() -> None:
    for said in ("it is no regular file", "goes on where it stopped", "files that change with yours, and have not"):
        assert TURNS.search(said)
    for said in ("is no longer a file", "Maximum hints per file", "there is no model in the folder"):
        assert not TURNS.search(said)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_help_of_each_command_ends_with_an_example(name: str) -> None:
    said = COMMANDS[name].parser().format_help()
    _, found, example = said.partition("\nexample:\n  ")
    assert found
    assert "codewm " in example.split("\n")[0]


def test_the_help_of_each_command_of_the_trainer_has_an_example() -> None:
    pytest.importorskip("typer")
    from codewm_model.cli.train_app import app

    groups = [app, *(group.typer_instance for group in app.registered_groups)]
    commands = [command for group in groups if group is not None for command in group.registered_commands]
    assert len(commands) >= 6
    for command in commands:
        assert (command.epilog or "").startswith("Example: codewm-train "), command.callback


def test_the_pictures_of_the_walkthrough_show_the_titles_of_today() -> None:
    folder = ROOT / "vscode-extension" / "media" / "walkthrough"
    drawn = "\n".join(file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.svg")))
    assert "likely next (" in drawn
    assert "likely: " not in drawn
    assert "stands beside" not in drawn

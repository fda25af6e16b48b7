"""The template for JetBrains IDEs starts the server, for Python files, with options that the server knows."""

from __future__ import annotations

import json
from pathlib import Path

from codewm_lsp.server.options import Display, read_options
from codewm_lsp.source.languages import is_source

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "lsp4ij"
TEMPLATE = json.loads((FOLDER / "template.json").read_text(encoding="utf-8"))


def test_it_starts_the_server_with_arguments_that_it_takes() -> None:
    program, *arguments = TEMPLATE["programArgs"]["default"].split()
    assert program == "codewm-lsp"
    assert arguments == ["--stdio"]


def test_it_is_for_python_files() -> None:
    (mapping,) = TEMPLATE["fileTypeMappings"]
    assert mapping["languageId"] == "python"
    assert all(is_source(pattern.replace("*", "a")) for pattern in mapping["fileType"]["patterns"])


def test_its_options_make_sense() -> None:
    options, problems = read_options(json.loads((FOLDER / "initializationOptions.json").read_text(encoding="utf-8")))
    assert problems == []
    assert options.display is Display.INLAY


def test_the_page_says_the_same() -> None:
    page = (FOLDER.parents[1] / "docs" / "jetbrains.md").read_text(encoding="utf-8")
    assert f"`{TEMPLATE['programArgs']['default']}`" in page
    assert json.dumps(json.loads((FOLDER / "initializationOptions.json").read_text(encoding="utf-8"))) in page

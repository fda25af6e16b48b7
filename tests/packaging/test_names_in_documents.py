"""What the documents tell people to run, to choose and to open is called so."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from codewm_lsp.cli.app import COMMANDS
from codewm_lsp.hints import HintOptions

ROOT: Final = Path(__file__).resolve().parents[2]
MANIFEST: Final[dict[str, Any]] = json.loads((ROOT / "vscode-extension/package.json").read_text(encoding="utf-8"))
PAST: Final = ("experiments.md", "faults.md")  # they tell of names that were
DOCUMENTS: Final = {
    str(file.relative_to(ROOT)): file.read_text(encoding="utf-8")
    for file in sorted(
        [
            *(ROOT / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md", "vscode-extension/README.md")),
            *(ROOT / "vscode-extension/media/walkthrough").glob("*.md"),
            *(ROOT / "neovim").glob("*.md"),
            *(ROOT / "neovim/doc").glob("*.txt"),
            *(file for file in (ROOT / "docs").glob("*.md") if file.name not in PAST),
        ]
    )
}
SHARED: Final = {"-C", "--repository", "--model", "--cache", "--help", "-h"}


def commands_in(text: str) -> Iterator[tuple[str, str]]:
    """Each ``codewm COMMAND …`` that is written as code, with what follows it."""
    for code in [*re.findall(r"`([^`\n]+)`", text), *re.findall(r"^[ \t]*(?:\$ )?(codewm .+)$", text, re.MULTILINE)]:
        found = re.match(r"(?:uvx [^|]*? )?codewm ((?:-C \S+ )?)([a-z]+)\b([^|#&>]*)", code)
        if found:
            yield found[2], found[3]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_of_the_terminal_and_their_options_exist(name: str) -> None:
    for command, rest in commands_in(DOCUMENTS[name]):
        assert command in {*COMMANDS, "eval"}, f"codewm {command}"
        if command != "eval":
            known = {option for action in COMMANDS[command].parser()._actions for option in action.option_strings}
            for option in re.findall(r"(?<!\S)--?[a-z][a-z-]*", rest):
                assert option in known | SHARED, f"codewm {command} {option}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_and_views_of_the_editors_exist(name: str) -> None:
    titles = {one["title"] for one in MANIFEST["contributes"]["commands"]}
    views = {view["name"] for views in MANIFEST["contributes"]["views"].values() for view in views}
    for title in re.findall(r"\*CodeWM: ([^*]+)\*", DOCUMENTS[name]):
        assert title in titles, title
    for view in re.findall(r"\b(?:the view|views?) \*?([A-Z]\w+(?: [A-Z]\w+)*)\*?", DOCUMENTS[name]):
        assert view in views, view
    lua = (ROOT / "neovim/lua/codewm/commands.lua").read_text(encoding="utf-8")
    defined = set(re.findall(r"command\('(Codewm\w+)'", lua))
    assert set(re.findall(r":(Codewm[A-Z]\w+)", DOCUMENTS[name])) <= defined


def test_the_page_of_the_extension_lists_commands_and_views_by_their_names() -> None:
    page = DOCUMENTS["vscode-extension/README.md"]
    table = page.partition("| CodeWM: … |")[2].partition("\n\n")[0]
    listed = {title for row in re.findall(r"^\| ([A-Z][^|]+) \|", table, re.MULTILINE) for title in row.split(", ")}
    offered = {one["title"] for one in MANIFEST["contributes"]["commands"]}
    hidden = {
        one["command"] for one in MANIFEST["contributes"]["menus"]["commandPalette"] if one.get("when") == "false"
    }
    assert len(listed) > 10
    assert listed <= offered
    of_views = {"Open Past Edit", "Clear List", "Not Useful: Hide This Hint"}  # what rows and titles of views do
    always = {one["title"] for one in MANIFEST["contributes"]["commands"] if one["command"] not in hidden}
    assert always - listed <= of_views
    named = set(re.findall(r"^- \*\*([^*]+)\*\*", page, re.MULTILINE)) - {"Status"}
    assert named == {view["name"] for views in MANIFEST["contributes"]["views"].values() for view in views}


def test_what_a_past_edit_needs_to_be_shown_is_said_as_it_is() -> None:
    least = HintOptions().similar_threshold
    assert f"its best match is less than {100 * least:.0f} % likely to fit" in DOCUMENTS["docs/troubleshooting.md"]


def test_settings_of_vs_code_that_are_named_exist() -> None:
    known = {*MANIFEST["contributes"]["configuration"]["properties"]}
    known |= {one["command"] for one in MANIFEST["contributes"]["commands"]}
    known |= {one["id"] for views in MANIFEST["contributes"]["views"].values() for one in views}
    text = (
        DOCUMENTS["vscode-extension/README.md"] + DOCUMENTS["docs/troubleshooting.md"] + DOCUMENTS["docs/settings.md"]
    )
    named = set(re.findall(r"`\"?(codewm\.[a-zA-Z.]+)\"?[`:]", text))
    assert named
    assert {one for one in named if one not in known and one.rpartition(".")[0] not in known} == set()

"""What a repository says of itself is shown as words: it drives no terminal, no Markdown, no markup, no editor."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pygls.uris import to_fs_path

from tests.security.conftest import ATTACK, COMMAND, Run, service
from tests.server.conftest import StartEditor

SERVICES = ("users", "orders", "invoices", "reports")
# Names of files: everything that Git and this system's file system take.
FOLDER = "\x1b[2J[red]a[/] \u202e" if sys.platform != "win32" else "[red]a"


@pytest.fixture
def hostile(make_repository: Callable[..., Any]) -> Any:
    """Subjects, authors, paths and definitions that would each do harm if they were more than words."""
    repository = make_repository("services")
    names = {name: f"{FOLDER}/{name}.py" for name in SERVICES}
    if sys.platform != "win32":
        names["orders"] = f"{FOLDER}/new\nline\r\tcommit 0000000.py"
    repository.commit("Begin", {path: service(name) for name, path in names.items()})
    for name in SERVICES[:-1]:
        mallory = f"Mallory {ATTACK} <mallory@example.org>"
        repository.commit(f"{ATTACK} {name}", {names[name]: service(name, timeout=True)}, author=mallory)
    repository.write(names[SERVICES[-1]], service(SERVICES[-1], timeout=True))
    return repository


def drives(text: str, allowed: str = "") -> list[str]:
    """The characters of a text that could drive whatever shows it."""
    return [c for c in text if c not in allowed and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")]


def strings(value: object) -> Iterator[tuple[str, str]]:
    """All strings of a JSON value that are shown to people, with their keys."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, str):
                yield key, inner
            elif isinstance(inner, list) and all(isinstance(one, str) for one in inner):
                yield from ((key, one) for one in inner)
            else:
                yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


async def test_lenses_hovers_messages_and_documents_are_plain_words(hostile: Any, start_editor: StartEditor) -> None:
    path = f"{FOLDER}/{SERVICES[-1]}.py"

    def without(capabilities: types.ClientCapabilities) -> None:
        assert capabilities.window is not None
        capabilities.window.show_document = None

    async with start_editor(hostile.path) as editor:
        uri = editor.open(path)
        lenses = await editor.lenses_when(uri)
        for lens in lenses:
            assert lens.command is not None
            assert drives(lens.command.title) == []
        (similar,) = (lens for lens in lenses if lens.command and lens.command.title.startswith("like "))
        assert similar.command is not None
        assert "Add timeout" in similar.command.title
        (target,) = similar.command.arguments or ()
        answer = await editor.run("codewm.showSimilarEdits", target)
        assert answer["edits"]
        for key, text in strings(answer):
            if key in ("subject", "author", "definition", "reasons", "likely"):
                assert drives(text) == [], key
            if key == "diff":
                assert drives(text, "\n") == []
        await editor.until(lambda: editor.client.shown_documents)
        shown = to_fs_path(editor.client.shown_documents[-1].uri)
        assert shown is not None
        text = Path(shown).read_text(encoding="utf-8")
        assert drives(text, "\n") == []
        # a path with a new line in it must not look like a commit of its own
        commits = [line.split()[1] for line in text.split("\n") if line.startswith("commit ")]
        assert set(commits) <= set(hostile.git("rev-list", "HEAD").split())
        predictions = await editor.run("codewm.showNextEdits", {"uri": uri})
        for key, text in strings(predictions):
            assert key in ("uri", "root", "path", "previousPath") or drives(text, "\n") == [], key
        assert all(drives(message) == [] for message in editor.messages())

    async with start_editor(hostile.path, settings={"display": "hover"}, change=without) as editor:
        uri = editor.open(path)
        await editor.lenses(uri)
        position = types.TextDocumentPositionParams(types.TextDocumentIdentifier(uri), types.Position(3, 5))
        hover = None
        end = time.monotonic() + 60
        while hover is None and time.monotonic() < end:
            hover = await editor.client.text_document_hover_async(
                types.HoverParams(position.text_document, position.position)
            )
        assert hover is not None
        assert isinstance(hover.contents, types.MarkupContent)
        assert hover.contents.kind is types.MarkupKind.PlainText
        assert drives(hover.contents.value) == []
        await editor.run("codewm.showSimilarEdits", {"uri": uri, "definition": f"fetch_{SERVICES[-1]}"})
        await editor.until(editor.messages)
        assert all(drives(message) == [] for message in editor.messages())


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_terminal_gets_colours_and_nothing_else(hostile: Any, tmp_path: Path) -> None:
    import pty

    for command in (("hints", "--diff"), ("index",)):
        leader, follower = pty.openpty()
        process = subprocess.Popen(
            [*COMMAND, *command, "-C", str(hostile.path)],
            stdin=subprocess.DEVNULL,
            stdout=follower,
            stderr=follower,
            cwd=tmp_path,
            env={**os.environ, "CODEWM_CACHE": str(tmp_path / "cache"), "TERM": "xterm-256color", "COLUMNS": "300"},
        )
        os.close(follower)
        data = b""
        while True:
            ready, _, _ = select.select([leader], [], [], 120)
            assert ready, "the command does not end"
            try:
                chunk = os.read(leader, 65536)
            except OSError:  # the other end is closed
                break
            if not chunk:
                break
            data += chunk
        os.close(leader)
        assert process.wait(60) == 0, data.decode("utf-8", "replace")
        text = data.decode("utf-8")
        # Rich's own: colours, and what a progress bar needs (its line erased, the cursor hidden and moved up)
        plain = re.sub(r"\x1b\[(?:[0-9;]*m|[0-2]?K|\?25[lh]|1A)", "", text)
        assert drives(plain, "\r\n") == [], command
        if command[0] == "hints":
            assert "\x1b[" in text
            assert "[bold red]markup[/] [link=https://evil.example]x[/link] [/nothing]" in plain.replace("\r\n", "\n")


def test_a_pipe_gets_plain_words_and_json_is_escaped(hostile: Any, codewm: Run) -> None:
    done = codewm("hints", "--diff", "-C", hostile.path)
    assert done.returncode == 0, done.stderr
    assert "Add timeout" in done.stdout
    assert drives(done.stdout, "\n") == []
    assert drives(done.stderr, "\n") == []

    done = codewm("hints", "--json", "-C", hostile.path)
    assert drives(done.stdout, "\n") == []
    answer = json.loads(done.stdout)
    assert answer["edits"]
    assert not any((hostile.path / name).exists() for name in ("pwned", f"{FOLDER}/pwned"))


def test_an_error_that_names_a_hostile_path_is_one_harmless_line(hostile: Any, codewm: Run) -> None:
    for arguments in (
        ("similar", "-C", hostile.path, "--at", "\x1b[2J[red]HEAD[/]"),
        ("similar", "-C", hostile.path, "--at", "HEAD", "--editing", f"{FOLDER}/x\x1b[31m.py::f\x9b"),
        ("similar", "-C", str(hostile.path / FOLDER / "\x1b[2Jnowhere"), "--model", "\x1b]0;a\x07"),
    ):
        done = codewm(*arguments)
        assert done.returncode in (1, 2)
        assert done.stderr
        assert drives(done.stderr, "\n") == [], done.stderr

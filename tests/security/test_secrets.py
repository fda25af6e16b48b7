"""Places for secrets are not read: not into an index, not into an answer, not when an editor opens them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.security.conftest import Run, service
from tests.server.conftest import StartEditor

PLACES = (
    ".env.py",
    "secrets.py",
    "app/secret.pyi",
    "app/Credentials.py",
    "passwords.py",
    ".ssh/keys.py",
    "deploy/.aws/config.py",
    ".gnupg/a.py",
    ".env.d/local.py",
)
HIDDEN = "hunter2_is_the_pass_phrase"


def secret(number: int) -> str:
    return f"def {HIDDEN}_{number}(url, timeout={number}):\n    return '{HIDDEN}' + str({number})\n"


@pytest.fixture
def repository(make_repository: Callable[..., Any]) -> Any:
    """Each secret place changed four times beside an ordinary file, one renamed into the light, and all changed now."""
    repository = make_repository()
    repository.write("id_rsa", f"-----BEGIN OPENSSH PRIVATE KEY-----\n{HIDDEN}\n")
    repository.write(".env", f"TOKEN={HIDDEN}\n")
    for number in range(4):
        files = {place: secret(number) for place in PLACES}
        repository.commit(f"Add timeout {number}", {**files, f"{number}.py": service("users")})
        repository.commit(f"Use timeout {number}", {f"{number}.py": service("users", timeout=True)})
    repository.commit("Add a service", {"4.py": service("users")})
    repository.write("4.py", service("users", timeout=True))
    for place in PLACES:
        repository.write(place, secret(9))
    return repository


def test_no_command_reads_or_shows_them(repository: Any, codewm: Run, tmp_path: Path) -> None:
    for command in (("hints", "--diff", "-k", "0"), ("hints", "--json", "-k", "0"), ("index",), ("doctor",)):
        done = codewm(*command, "-C", repository.path)
        assert done.returncode == 0, done.stderr
        assert HIDDEN not in done.stdout + done.stderr
        assert not any(place in done.stdout for place in PLACES)
    files = [file for file in (tmp_path / "cache").rglob("*") if file.is_file()]
    assert files
    for file in files:
        data = file.read_bytes()
        assert HIDDEN.encode() not in data
        assert not any(place.encode() in data for place in PLACES)


async def test_an_editor_that_opens_them_gets_nothing(repository: Any, start_editor: StartEditor) -> None:
    async with start_editor(repository.path) as editor:
        opened = [editor.open(place) for place in PLACES]
        assert await editor.lenses_when(editor.open("4.py"))
        for uri in opened:
            editor.insert(uri, 0, 0, "\n")
        for uri, place in zip(opened, PLACES, strict=True):
            assert await editor.lenses(uri) == [], place
            answer = await editor.run(
                "codewm.showSimilarEdits", {"uri": uri, "definition": f"{HIDDEN}_9", "show": False}
            )
            assert answer["edits"] == [], place
        everything = str(await editor.run("codewm.showNextEdits", {"uri": editor.uri("4.py"), "show": False}))
        root = repository.path.as_uri()
        for commit in repository.git("rev-list", "HEAD").split():
            everything += str(await editor.run("codewm.commitEdits", {"root": root, "commit": commit}))
            for place in (*PLACES, ".env", "id_rsa", "app/../secrets.py", "./secrets.py"):
                file = {"root": root, "commit": commit, "path": place, "side": "after"}
                assert await editor.run("codewm.fileAt", file) == {"text": None}, place
        assert HIDDEN not in everything
        assert not any(HIDDEN in line for line in (*editor.messages(), *editor.log()))

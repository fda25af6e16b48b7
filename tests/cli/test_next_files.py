"""`codewm next` lists files of other kinds beside definitions."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

Codewm = Callable[..., subprocess.CompletedProcess[str]]


def test_files_stand_after_the_definitions_in_words_and_in_json(coupled: Any, codewm: Codewm) -> None:
    coupled.write("core.py", "a = -1\n")
    done = codewm("next", coupled.path)
    assert done.returncode == 0, done.stderr
    _, files = done.stdout.split("Files likely to change next")
    assert "docs/core.rst" in files
    assert "changed in 61 of the last 61 commits to core.py" in files
    (one,) = json.loads(codewm("next", coupled.path, "--json").stdout)["files"]
    assert (one["path"], one["reason"]) == ("docs/core.rst", "changed in 61 of the last 61 commits to core.py")


def test_a_revision_is_asked_about_its_definitions_alone(coupled: Any, codewm: Codewm) -> None:
    assert json.loads(codewm("next", coupled.path, "--at", "HEAD", "--json").stdout)["files"] == []

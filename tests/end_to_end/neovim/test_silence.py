"""Where there are no hints, :CodewmStatus and :checkhealth say why; on a clean tree, what they are from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.neovim.conftest import Neovim, service

REASON = """
setup()
wait(function() return #require('codewm.compat').clients(0) > 0 end)
vim.cmd('edit ' .. vim.fn.fnameescape(vim.env.OPENED))
local status = require('codewm.status')
wait(function() return table.concat(status.lines(0), '\\n'):find(vim.env.WANTED, 1, true) end)
vim.cmd('CodewmStatus')
local lines = status.lines(0)
vim.cmd('checkhealth codewm')
finish({ lines = lines, health = buffer() })
"""

CLEAN = """
setup()
wait(function() return on_screen(7, 'changed in') end)
local result = { rows = screen() }
local status = require('codewm.status')
wait(function() return table.concat(status.lines(0), '\\n'):find('no Python code edited so far', 1, true) end)
result.lines = status.lines(0)
vim.cmd('CodewmNext')
wait(function() return vim.fn.execute('messages'):find('nothing is likely enough', 1, true) end)
result.quickfix = vim.bo.buftype == 'quickfix'
press('7GA # typed<Esc>')
wait(function() return table.concat(status.lines(0), '\\n'):find('only comments', 1, true) end)
result.comment = status.lines(0)
finish(result)
"""


@pytest.mark.parametrize(
    ("opened", "reason"),
    [
        ("tool", "not one of .py"),
        ("build/lib.py", "ignored by Git"),
        ("../outside.py", "outside a Git repository"),
        ("notes.ipynb", "a notebook"),
        ("README.md", "not a Python file"),
    ],
)
def test_the_reason_is_said_where_a_person_looks(
    opened: str, reason: str, repository: Any, neovim: Neovim, tmp_path: Path
) -> None:
    repository.commit("Ignore", {".gitignore": "build/\n", "README.md": "Text.\n", "notes.ipynb": "{}\n"})
    for name in ("tool", "build/lib.py", "../outside.py"):
        repository.write(name, "#!/usr/bin/env python3\ndef f(): ...\n")
    found = neovim(REASON, repository.path, OPENED=str(repository.path / opened), WANTED=reason)
    (line,) = [line for line in found["lines"] if line.startswith("no hints here: ")]
    assert line.startswith(f"no hints here: {reason}")
    assert any(line in message for message in found["messages"])
    if opened == "tool" or opened.endswith(".py"):
        assert any(reason in line for line in found["health"])


def test_on_a_clean_tree_it_is_said_what_is_waited_for(repository: Any, neovim: Neovim) -> None:
    repository.commit("Add timeout to fetch_sessions", {"sessions.py": service("sessions", timeout=True)})
    head = repository.head()[:7]
    found = neovim(CLEAN, repository.path)
    assert f"changed in {head}, " in found["rows"][6]
    assert f"no Python code edited so far; using the last commit {head}" in found["lines"]
    assert any(f"likely enough to follow the last commit {head}" in message for message in found["messages"])
    assert not any("change a definition first" in message for message in found["messages"])
    assert not found["quickfix"]
    assert f"only comments or white space edited so far; using the last commit {head}" in found["comment"]

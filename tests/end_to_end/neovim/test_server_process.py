"""The server is started, found missing, lost and restarted: each with one message, and lenses that come back."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.neovim.conftest import ROOT, Neovim

RESTARTED = """
setup()
lens()
local result = { first = clients()[1].id }
vim.cmd('CodewmRestart')
wait(function() return #clients() == 1 and clients()[1].id ~= result.first and lens_on(7) end)
result.second = clients()[1].id
lens()
result.again = screen()

local children = {}
for _, pid in ipairs(vim.api.nvim_get_proc_children(vim.fn.getpid())) do table.insert(children, pid) end
vim.loop.kill(children[1], 'sigkill')
wait(function() return #clients() == 1 and clients()[1].id ~= result.second and lens_on(7) end)
lens()
result.children, result.survived, result.third = #children, screen(), clients()[1].id
finish(result)
"""

MISSING = """
setup({ cmd = { 'codewm-lsp-that-is-not-there', '--stdio' } })
vim.cmd('edit users.py')
vim.cmd('edit orders.py')
vim.wait(300, function() return false end)
vim.cmd('CodewmNext')
finish({ clients = #clients() })
"""

OUTSIDE = """
setup()
vim.wait(300, function() return false end)
vim.cmd('CodewmStatus')
finish({ clients = #clients(), status = require('codewm').status() })
"""

STATUS = """
setup()
lens()
wait(function() return require('codewm').status() == 'CodeWM' end)
wait(function() return table.concat(require('codewm.status').lines(), '\\n'):find(': ready, ') end)
vim.cmd('CodewmStatus')
vim.cmd('CodewmLog')
finish({ log = vim.fn.expand('%:t'), writable = vim.bo.modifiable })
"""

TWO = """
setup()
lens()
local status = require('codewm.status')
local result, first = {}, vim.api.nvim_get_current_buf()
wait(function() return status.text(first) == 'CodeWM' end)
result.first = status.text(first)
vim.o.statusline = '%f%=%{v:lua.require("codewm").status()}'
vim.cmd('edit ' .. vim.env.OTHER)
wait(function() return status.text() == 'CodeWM !' end)
result.second = status.text()
vim.cmd('buffer ' .. first)
result.again, result.lines = status.text(), status.lines()
finish(result)
"""

EMPTY = """
setup()
wait(function() return require('codewm').status() == 'CodeWM !' end)
vim.cmd('CodewmStatus')
finish({})
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_server_that_is_restarted_or_killed_comes_back_with_its_lenses(changed: Any, neovim: Neovim) -> None:
    found = neovim(RESTARTED, changed.path)
    assert found["first"] < found["second"] < found["third"]
    assert found["children"] == 1
    for name in ("again", "survived"):
        assert "Add timeout to fetch_" in found[name][6], name
    ours = [message for message in found["messages"] if message.startswith("CodeWM")]
    assert ours == ["CodeWM: the server crashed and was restarted. See :CodewmLog."]


def test_a_missing_server_is_said_once_with_what_to_do(changed: Any, neovim: Neovim) -> None:
    found = neovim(MISSING, changed.path)
    assert found["clients"] == 0
    assert found["messages"] == [
        f"CodeWM: codewm-lsp-that-is-not-there is not on PATH. Install it (pip install '{ROOT}'), "
        "or name it with `cmd` in setup().",
        "CodeWM is not running. See :checkhealth codewm.",
    ]


def test_a_file_outside_any_repository_starts_nothing(tmp_path: Path, neovim: Neovim) -> None:
    (tmp_path / "sessions.py").write_text("def f():\n    pass\n", encoding="utf-8")
    found = neovim(OUTSIDE, tmp_path)
    assert (found["clients"], found["status"]) == (0, "")
    assert found["messages"] == ["no hints here: outside a Git repository"]


def test_the_status_says_model_and_progress_and_the_log_opens(changed: Any, neovim: Neovim) -> None:
    found = neovim(STATUS, changed.path)
    (status,) = found["messages"]
    ready, model, indexed = status.split("\n")
    assert ready == "CodeWM is ready"
    assert model.startswith("model: codewm-")
    assert indexed == f"{os.path.realpath(changed.path)}: ready, 5 of 5 commits indexed"
    assert found["log"].endswith("lsp.log")
    assert not found["writable"]


def test_each_buffer_has_the_status_of_its_own_repository(changed: Any, make_repository: Any, neovim: Neovim) -> None:
    empty = make_repository("empty")
    empty.write("other.py", "def f():\n    pass\n")
    found = neovim(TWO, changed.path, OTHER=str(empty.path / "other.py"))
    assert (found["first"], found["second"], found["again"]) == ("CodeWM", "CodeWM !", "CodeWM")
    assert any(line.startswith(os.path.realpath(changed.path)) for line in found["lines"])
    assert not any("empty" in line for line in found["lines"])


def test_a_repository_without_commits_is_trouble_that_the_status_explains(make_repository: Any, neovim: Neovim) -> None:
    empty = make_repository("empty")
    empty.write("sessions.py", "def f():\n    pass\n")
    found = neovim(EMPTY, empty.path)
    assert found["messages"][-1].startswith("CodeWM is not working\n")
    assert "no commit" in found["messages"][-1]

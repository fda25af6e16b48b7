"""A real Neovim on a real repository: the lens is on the screen, running it opens the diff, broken syntax keeps it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

NEOVIM = shutil.which("nvim")
PATIENCE = 180

pytestmark = pytest.mark.skipif(NEOVIM is None, reason="nvim is not installed: install neovim 0.7 or newer")

ROOT = Path(__file__).parents[2]
SERVER = [sys.executable, "-m", "codewm_lsp.server", "--stdio"]

TOOLS = """
local deadline = 60000

function finish(result)
  local file = io.open(vim.env.CODEWM_RESULT, 'w')
  file:write(vim.json and vim.json.encode(result) or vim.fn.json_encode(result))
  file:close()
  for _, client in ipairs(vim.lsp.get_active_clients()) do client.stop() end
  vim.wait(10000, function() return #vim.lsp.get_active_clients() == 0 end, 20)
  vim.cmd('qall!')
end

function screen()
  vim.cmd('redraw')
  local rows = {}
  for row = 1, vim.o.lines do
    local cells = {}
    for column = 1, vim.o.columns do cells[column] = vim.fn.screenstring(row, column) end
    rows[row] = table.concat(cells)
  end
  return rows
end

function on_screen(row, text)
  return (screen()[row] or ''):find(text, 1, true) ~= nil
end

function lens_on(row)
  for _, lens in ipairs(vim.lsp.codelens.get(0)) do
    if lens.range.start.line == row - 1 then return true end
  end
  return false
end

function press(keys)
  vim.api.nvim_feedkeys(vim.api.nvim_replace_termcodes(keys, true, false, true), 'xt', false)
end

function wait(condition) return vim.wait(deadline, condition, 50) end

function buffer() return vim.api.nvim_buf_get_lines(0, 0, -1, false) end

vim.o.columns, vim.o.lines = 160, 40
vim.o.autoindent = false
vim.cmd('filetype on')
"""

PLAIN = """
vim.cmd('edit ' .. vim.env.CODEWM_FILE)
local ran
vim.lsp.commands['codewm.showSimilarEdits'] = function(command) ran = command end
local cmd = vim.fn.json_decode(vim.env.CODEWM_SERVER)
local id = vim.lsp.start_client({ name = 'codewm', root_dir = vim.env.CODEWM_ROOT, cmd = cmd })
vim.lsp.buf_attach_client(0, id)
wait(function() local c = vim.lsp.get_client_by_id(id); return c and c.initialized end)
wait(function()
  vim.lsp.codelens.refresh()
  return on_screen(7, 'Add timeout')
end)
local rows = screen()
vim.api.nvim_win_set_cursor(0, { 7, 0 })
vim.lsp.codelens.run()
finish({ rows = rows, ran = ran })
"""

PLUGIN = """
vim.opt.runtimepath:prepend(vim.env.CODEWM_PLUGIN)
require('codewm').setup({ cmd = vim.fn.json_decode(vim.env.CODEWM_SERVER) })
vim.cmd('edit ' .. vim.env.CODEWM_FILE)
local result = {}

-- typed, not saved
press('7GA<BS><BS>, timeout=30):<Esc>jA<BS>, timeout=timeout)<Esc>')
wait(function() return on_screen(7, 'Add timeout') end)
result.changed = screen()

-- broken elsewhere, and typed on
press('Go<CR>def broken(:<CR>    return (<CR>class<Esc>')
vim.wait(2000, function() return false end)
press('ggO# a line above<CR># and another<Esc>')
wait(function() return on_screen(9, 'Add timeout') and lens_on(9) end)
result.broken = screen()

-- the lens is run
vim.api.nvim_win_set_cursor(0, { 9, 0 })
vim.lsp.codelens.run()
wait(function() return vim.bo.filetype == 'diff' end)
result.diff, result.modifiable, result.name = buffer(), vim.bo.modifiable, vim.api.nvim_buf_get_name(0)
vim.cmd('close')

-- from a line below it, by command
vim.api.nvim_win_set_cursor(0, { 10, 0 })
vim.cmd('CodewmSimilar')
wait(function() return vim.bo.filetype == 'diff' end)
result.again = buffer()
vim.cmd('close')

vim.cmd('CodewmNext')
wait(function() return vim.bo.buftype == 'quickfix' end)
result.quickfix = vim.tbl_map(function(item) return vim.fn.bufname(item.bufnr) end, vim.fn.getqflist())
vim.cmd('cclose')

vim.cmd('CodewmToggle')
wait(function() return not on_screen(9, 'Add timeout') end)
result.off = screen()
vim.cmd('CodewmToggle')
wait(function() return on_screen(9, 'Add timeout') end)
result.on = screen()

vim.cmd('CodewmDismiss')
wait(function() return not on_screen(9, 'Add timeout') end)
result.dismissed = screen()
vim.cmd('checkhealth codewm')
result.health = buffer()
finish(result)
"""


def service(name: str, *, timeout: bool = False) -> str:
    """A module of a class with two methods; with ``timeout``, as after the change that every service goes through."""
    parameter, argument = (", timeout=30", ", timeout=timeout") if timeout else ("", "")
    return (
        f"import http\n\n\nclass {name.title()}Client:\n"
        f'    """Talks to the {name} service."""\n\n'
        f"    def fetch_{name}(self, url{parameter}):\n"
        f'        response = http.get(url + "/{name}"{argument})\n'
        "        return response.json()\n\n"
        f"    def count_{name}(self, items):\n"
        "        return sum(item.size for item in items)\n"
    )


@pytest.fixture
def repository(make_repository: Callable[..., Any]) -> Any:
    """Four services that were given a time-out, one commit each, and a fifth that was not."""
    repository = make_repository("services")
    names = ("users", "orders", "invoices", "reports", "sessions")
    repository.commit("Begin", {f"{name}.py": service(name) for name in names})
    for name in names[:-1]:
        repository.commit(f"Add timeout to fetch_{name}", {f"{name}.py": service(name, timeout=True)})
    return repository


def neovim(script: str, repository: Any, tmp_path: Path) -> dict[str, Any]:
    """Run a script in a headless Neovim, and return what it finished with."""
    assert NEOVIM is not None
    code, result = tmp_path / "script.lua", tmp_path / "result.json"
    code.write_text(TOOLS + script, encoding="utf-8")
    folders = {name: str(tmp_path / name.lower()) for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")}
    done = subprocess.run(
        [NEOVIM, "--headless", "-u", "NONE", "-i", "NONE", "-n", "-c", f"luafile {code}", "-c", "cquit"],
        cwd=repository.path,
        env={
            **os.environ,
            **folders,
            "XDG_STATE_HOME": str(tmp_path / "state"),
            "CODEWM_FILE": "sessions.py",
            "CODEWM_PLUGIN": str(ROOT / "neovim"),
            "CODEWM_RESULT": str(result),
            "CODEWM_ROOT": str(repository.path),
            "CODEWM_SERVER": json.dumps(SERVER),
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert result.exists(), f"Neovim ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return found


def test_a_plain_client_shows_the_lens_and_runs_its_command(repository: Any, tmp_path: Path) -> None:
    """With nothing but what every Neovim since 0.7 has."""
    repository.write("sessions.py", service("sessions", timeout=True))
    found = neovim(PLAIN, repository, tmp_path)
    assert "def fetch_sessions(self, url, timeout=30):" in found["rows"][6]
    assert "Add timeout to fetch_" in found["rows"][6]
    assert found["ran"]["command"] == "codewm.showSimilarEdits"
    assert found["ran"]["arguments"][0]["definition"] == "SessionsClient.fetch_sessions"


def test_the_plugin_shows_lenses_while_typing_and_the_diff_behind_them(repository: Any, tmp_path: Path) -> None:
    found = neovim(PLUGIN, repository, tmp_path)

    assert "def fetch_sessions(self, url, timeout=30):" in found["changed"][6]
    assert "Add timeout to fetch_" in found["changed"][6]

    assert "def fetch_sessions" in found["broken"][8]
    assert "Add timeout to fetch_" in found["broken"][8]

    assert found["modifiable"] is False
    assert found["name"].startswith("codewm://")
    diff = "\n".join(found["diff"])
    assert "\nAuthor: Ada Lovelace\nDate:   2023-11-" in diff
    assert "\n    Add timeout to fetch_" in diff
    assert "\n+def fetch_" in diff
    (commit,) = [line for line in found["diff"] if line.startswith("commit ")][:1]
    assert commit.removeprefix("commit ") in repository.git("rev-list", "HEAD").split()
    assert found["again"] == found["diff"]

    assert found["quickfix"]
    assert all(name.endswith(".py") for name in found["quickfix"])

    assert "Add timeout" not in "".join(found["off"])
    assert "Add timeout to fetch_" in found["on"][8]
    assert "def fetch_sessions" in found["dismissed"][8]
    assert "Add timeout" not in found["dismissed"][8]
    assert any("running for" in line for line in found["health"])

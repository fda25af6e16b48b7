"""A real, headless Neovim with the plug-in and the real language server, on a real repository."""

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
ROOT = Path(__file__).parents[3]
SERVER = [sys.executable, "-m", "codewm_lsp.server", "--stdio"]
SERVICES = ("users", "orders", "invoices", "reports", "sessions")

Neovim = Callable[..., dict[str, Any]]

TOOLS = """
messages = {}
vim.notify = function(text) table.insert(messages, text) end

function clients() return (vim.lsp.get_clients or vim.lsp.get_active_clients)() end

function finish(result)
  result.messages = messages
  local file = io.open(vim.env.CODEWM_RESULT, 'w')
  file:write(vim.json and vim.json.encode(result) or vim.fn.json_encode(result))
  file:close()
  for _, client in ipairs(clients()) do client.stop() end
  vim.wait(10000, function() return #clients() == 0 end, 20)
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

function wait(condition) return vim.wait(60000, condition, 50) end

function buffer() return vim.api.nvim_buf_get_lines(0, 0, -1, false) end

function said(text)
  for _, message in ipairs(messages) do
    if message:find(text, 1, true) then return true end
  end
  return false
end

function setup(options)
  vim.opt.runtimepath:prepend(vim.env.CODEWM_PLUGIN)
  options = options or {}
  options.cmd = options.cmd or vim.fn.json_decode(vim.env.CODEWM_SERVER)
  require('codewm').setup(options)
  vim.cmd('edit sessions.py')
end

function lens() return wait(function() return on_screen(7, 'Add timeout') end) end

vim.o.columns, vim.o.lines = 160, 40
vim.o.autoindent = false
vim.cmd('filetype on')
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
    repository.commit("Begin", {f"{name}.py": service(name) for name in SERVICES})
    for name in SERVICES[:-1]:
        repository.commit(f"Add timeout to fetch_{name}", {f"{name}.py": service(name, timeout=True)})
    return repository


@pytest.fixture
def changed(repository: Any) -> Any:
    """The same with the fifth service changed like the others, not committed."""
    repository.write("sessions.py", service("sessions", timeout=True))
    return repository


@pytest.fixture
def neovim(tmp_path: Path) -> Neovim:
    """``neovim(script, folder)``: run a script in a headless Neovim, and return what it finished with."""
    if NEOVIM is None:
        pytest.skip("NO TEST IN A REAL EDITOR: nvim is not installed (0.7 or newer is needed)")

    def run(script: str, folder: Path, **environment: str) -> dict[str, Any]:
        code, result = tmp_path / "script.lua", tmp_path / "result.json"
        code.write_text(TOOLS + script, encoding="utf-8")
        result.unlink(missing_ok=True)
        folders = {f"XDG_{name}_HOME": str(tmp_path / name.lower()) for name in ("CACHE", "CONFIG", "DATA", "STATE")}
        done = subprocess.run(
            [str(NEOVIM), "--headless", "-u", "NONE", "-i", "NONE", "-n", "-c", f"luafile {code}", "-c", "cquit"],
            cwd=folder,
            env={
                **os.environ,
                **folders,
                "CODEWM_PLUGIN": str(ROOT / "neovim"),
                "CODEWM_RESULT": str(result),
                "CODEWM_SERVER": json.dumps(SERVER),
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert result.exists(), f"Neovim ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        return found

    return run

"""Lenses are on the screen, on the line of their definition, while one types, and go when they are not wanted."""

from __future__ import annotations

from typing import Any

from tests.end_to_end.neovim.conftest import Neovim

PLAIN = """
vim.cmd('edit sessions.py')
local ran
vim.lsp.commands['codewm.showSimilarEdits'] = function(command) ran = command end
local cmd = vim.fn.json_decode(vim.env.CODEWM_SERVER)
local id = vim.lsp.start_client({ name = 'codewm', root_dir = vim.fn.getcwd(), cmd = cmd })
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

TYPING = """
setup()
local result = {}

-- typed, not saved
press('7GA<BS><BS>, timeout=30):<Esc>jA<BS>, timeout=timeout)<Esc>')
lens()
result.changed = screen()

-- broken elsewhere, and typed on
press('Go<CR>def broken(:<CR>    return (<CR>class<Esc>')
vim.wait(2000, function() return false end)
press('ggO# a line above<CR># and another<Esc>')
wait(function() return on_screen(9, 'Add timeout') and lens_on(9) end)
result.broken = screen()
finish(result)
"""

SWITCHES = """
setup()
lens()
local result = {}

vim.cmd('CodewmToggle')
wait(function() return not on_screen(7, 'Add timeout') end)
result.off, result.off_status = screen(), require('codewm').status()
vim.cmd('CodewmToggle')
lens()
result.on, result.on_status = screen(), require('codewm').status()

vim.cmd('CodewmSnooze 5')
wait(function() return not on_screen(7, 'Add timeout') and require('codewm').status() == 'CodeWM snoozed' end)
result.snoozed, result.snoozed_status = screen(), require('codewm').status()
vim.cmd('CodewmSnooze soon')
vim.cmd('CodewmSnooze 0')
lens()
result.awake = screen()

vim.api.nvim_win_set_cursor(0, { 8, 0 })
vim.cmd('CodewmHide')
wait(function() return not on_screen(7, 'Add timeout') end)
result.dismissed = screen()
vim.cmd('write')
vim.cmd('CodewmIndex')
wait(function() return said('indexing') end)
vim.wait(500, function() return false end)
result.later = screen()
vim.cmd('CodewmHide!')
wait(function() return on_screen(7, 'Add timeout') end)
result.shown = screen()
vim.cmd('CodewmHide!')
finish(result)
"""


def test_a_plain_client_shows_the_lens_and_runs_its_command(changed: Any, neovim: Neovim) -> None:
    """With nothing but what every Neovim since 0.7 has."""
    found = neovim(PLAIN, changed.path)
    assert "def fetch_sessions(self, url, timeout=30):" in found["rows"][6]
    assert "Add timeout to fetch_" in found["rows"][6]
    assert found["ran"]["command"] == "codewm.showSimilarEdits"
    assert found["ran"]["arguments"][0]["definition"] == "SessionsClient.fetch_sessions"


def test_lenses_come_while_typing_and_stay_on_their_definition(repository: Any, neovim: Neovim) -> None:
    found = neovim(TYPING, repository.path)
    assert "def fetch_sessions(self, url, timeout=30):" in found["changed"][6]
    assert "Add timeout to fetch_" in found["changed"][6]
    assert "def fetch_sessions" in found["broken"][8]
    assert "Add timeout to fetch_" in found["broken"][8]
    assert found["messages"] == []


def test_toggle_snooze_and_hide_take_lenses_away_and_bring_them_back(changed: Any, neovim: Neovim) -> None:
    found = neovim(SWITCHES, changed.path)
    for name in ("off", "snoozed"):
        assert "def fetch_sessions" in found[name][6], name
        assert "Add timeout" not in "".join(found[name]), name
    for name in ("dismissed", "later"):  # that definition's only: what is likely elsewhere is another hint
        assert found[name][6].rstrip() == "    def fetch_sessions(self, url, timeout=30):", name
    for name in ("on", "awake", "shown"):
        assert "Add timeout to fetch_" in found[name][6], name
    assert (found["off_status"], found["on_status"]) == ("CodeWM off", "CodeWM")
    assert found["snoozed_status"] == "CodeWM snoozed"
    assert found["messages"] == [
        "CodeWM is off",
        "CodeWM is on",
        "CodeWM is snoozed for 5 minutes",
        "CodeWM: :CodewmSnooze expects a number of minutes, not soon",
        "CodeWM is no longer snoozed",
        "CodeWM: hints on SessionsClient.fetch_sessions are hidden. Run :CodewmHide! to show them again.",
        "CodeWM: indexing 1 repository",
        "CodeWM: hints on SessionsClient.fetch_sessions are shown again",
        "CodeWM: nothing has been hidden since Neovim started",
    ]

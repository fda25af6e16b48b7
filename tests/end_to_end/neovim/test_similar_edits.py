"""A lens opens the past edits: to choose from, one by one, side by side, with their commits and files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.end_to_end.neovim.conftest import Neovim

ALL_IN_ONE = """
setup({ picker = 'diff' })
lens()
local result = {}
vim.api.nvim_win_set_cursor(0, { 7, 0 })
vim.lsp.codelens.run()
wait(function() return vim.bo.filetype == 'diff' end)
result.diff, result.modifiable, result.name = buffer(), vim.bo.modifiable, vim.api.nvim_buf_get_name(0)
press('q')
lens()
result.back = screen()
-- from a line below it, by command
vim.api.nvim_win_set_cursor(0, { 8, 0 })
vim.cmd('CodewmSimilar')
wait(function() return vim.bo.filetype == 'diff' end)
result.again = buffer()
finish(result)
"""

CHOICE = """
setup()
lens()
local result = { windows = #vim.api.nvim_list_wins() }
local default = vim.ui.select
local chosen = 2
vim.ui.select = function(items, options, on_choice)
  result.prompt, result.kind = options.prompt, options.kind
  result.items = vim.tbl_map(options.format_item, items)
  for _, window in ipairs(vim.api.nvim_list_wins()) do
    local bufnr = vim.api.nvim_win_get_buf(window)
    if vim.bo[bufnr].filetype == 'diff' then
      result.preview = vim.api.nvim_buf_get_lines(bufnr, 0, -1, false)
    end
  end
  on_choice(items[chosen], chosen)
end

vim.api.nvim_win_set_cursor(0, { 7, 0 })
vim.lsp.codelens.run()
wait(function() return vim.bo.filetype == 'diff' end)
result.second, result.open = buffer(), #vim.api.nvim_list_wins()
press(']e')
result.third = buffer()
press('[e')
press('[e')
result.first = buffer()
press('gy')
result.copied = vim.fn.getreg('"')

press('gs')
wait(function() return vim.fn.tabpagenr('$') == 2 end)
result.sides = vim.tbl_map(function(window)
  local bufnr = vim.api.nvim_win_get_buf(window)
  return {
    text = vim.api.nvim_buf_get_lines(bufnr, 0, -1, false),
    diff = vim.wo[window].diff,
    filetype = vim.bo[bufnr].filetype,
    modifiable = vim.bo[bufnr].modifiable,
  }
end, vim.api.nvim_tabpage_list_wins(0))
result.side_line = vim.api.nvim_get_current_line()
press('q')
result.tabs = vim.fn.tabpagenr('$')

press('gc')
wait(function() return #vim.api.nvim_list_wins() == 3 end)
result.commit = buffer()
press('q')
vim.cmd('wincmd j')
press('gf')
result.file, result.line = vim.fn.expand('%:t'), vim.api.nvim_get_current_line()
vim.cmd('only')

-- Neovim's own way to choose: a number, or nothing
vim.cmd('buffer sessions.py')
vim.api.nvim_win_set_cursor(0, { 7, 0 })
vim.ui.select = function(...)
  vim.api.nvim_feedkeys('3\\r', 't', false)
  default(...)
end
vim.cmd('CodewmSimilar')
wait(function() return vim.bo.filetype == 'diff' end)
result.typed = buffer()
press('q')
vim.ui.select = function(...)
  vim.api.nvim_feedkeys('\\r', 't', false)
  default(...)
  result.refused = true
end
vim.cmd('CodewmSimilar')
wait(function() return result.refused end)
result.left = { vim.fn.expand('%:t'), #vim.api.nvim_list_wins() }

-- hidden
vim.ui.select = function(items, _, on_choice)
  result.best = items[1].commit
  on_choice(items[1], 1)
end
vim.cmd('CodewmSimilar')
wait(function() return vim.bo.filetype == 'diff' end)
press('gh')
wait(function() return said('are hidden') end)
wait(function() return not on_screen(7, result.best:sub(1, 7)) end)
result.hidden = screen()
vim.cmd('CodewmHide!')
wait(function() return on_screen(7, result.best:sub(1, 7)) end)
result.shown = screen()
finish(result)
"""


SIDES = """
setup({ picker = 'diff' })
wait(function() return #vim.lsp.codelens.get(0) > 0 end)
local result = {}
vim.ui.select = function(items, _, on_choice) on_choice(items[1], 1) end
require('codewm').setup({ cmd = vim.fn.json_decode(vim.env.CODEWM_SERVER) })
vim.api.nvim_win_set_cursor(0, { 1, 0 })
vim.cmd('CodewmSimilar')
wait(function() return vim.bo.filetype == 'diff' end)
press('gs')
wait(function() return vim.fn.tabpagenr('$') == 2 end)
result.line, result.number = vim.api.nvim_get_current_line(), vim.api.nvim_win_get_cursor(0)[1]
finish(result)
"""


def commits_of(lines: list[str]) -> list[str]:
    return [line.removeprefix("commit ") for line in lines if line.startswith("commit ")]


def test_a_lens_opens_all_past_edits_in_one_window_where_that_is_wanted(changed: Any, neovim: Neovim) -> None:
    found = neovim(ALL_IN_ONE, changed.path)
    assert found["modifiable"] is False
    assert found["name"].startswith("codewm://")
    diff = "\n".join(found["diff"])
    assert "\nAuthor: Ada Lovelace\nDate:   2023-11-" in diff
    assert "\n    Add timeout to fetch_" in diff
    assert "\n+def fetch_" in diff
    known = changed.git("rev-list", "HEAD").split()
    assert len(commits_of(found["diff"])) > 1
    assert set(commits_of(found["diff"])) <= set(known)
    assert "Add timeout to fetch_" in found["back"][6]
    assert found["again"] == found["diff"]


def test_past_edits_are_chosen_read_and_hidden(changed: Any, neovim: Neovim) -> None:
    found = neovim(CHOICE, changed.path)
    everything = commits_of(found["preview"])
    assert len(everything) == len(found["items"]) >= 4
    assert found["prompt"] == "Past edits similar to SessionsClient.fetch_sessions"
    assert found["kind"] == "codewm.edit"
    for number, item in enumerate(found["items"]):
        assert everything[number][:7] in item
        assert "Ada Lovelace, 2023-11-1" in item
    assert found["open"] == found["windows"] + 1, "the preview is gone"

    # one by one
    for number, name in enumerate(("first", "second", "third")):
        assert commits_of(found[name]) == [everything[number]]
    assert found["copied"] == everything[0]

    # the first, side by side
    path = changed.git("show", "--format=", "--name-only", everything[0])
    before, after = found["sides"]
    assert before["text"] == (changed.git("show", f"{everything[0]}^:{path}") + "\n").split("\n")
    assert after["text"] == (changed.git("show", f"{everything[0]}:{path}") + "\n").split("\n")
    for side in found["sides"]:
        assert side["diff"]
        assert side["filetype"] == "python"
        assert not side["modifiable"]
    assert "def fetch_" in found["side_line"]
    assert found["tabs"] == 1

    # its commit, its file
    assert found["commit"][0] == f"# Edits of commit {everything[0]}"
    assert set(commits_of(found["commit"])) == {everything[0]}
    assert found["file"] == path
    assert "def fetch_" in found["line"]

    # without a plug-in for choosing
    assert commits_of(found["typed"]) == [everything[2]]
    assert found["left"] == ["sessions.py", 1]

    assert "def fetch_sessions" in found["hidden"][6]
    assert everything[0][:7] in found["shown"][6]
    assert found["best"] == everything[0]
    assert everything[0][:7] not in "".join(found["hidden"])


def test_the_two_sides_are_opened_at_the_change(make_repository: Callable[..., Any], neovim: Neovim) -> None:
    """Not at the first line of the function, which may be a screen above it."""
    steps = "".join(f"    step_{number}(path)\n" for number in range(60))
    text = f"def run(path):\n{steps}    return load(path, limit={{0}})\n"
    repository = make_repository("long")
    for limit in range(3, 8):
        repository.commit(f"Raise the limit to {limit}", {"sessions.py": text.format(limit)})
    repository.write("sessions.py", text.format(8))
    found = neovim(SIDES, repository.path)
    assert found["line"] == "    return load(path, limit=7)"
    assert found["number"] == 62

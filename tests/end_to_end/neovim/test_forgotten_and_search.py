"""What usually changes too, in the quickfix list; and past edits by what they are about."""

from __future__ import annotations

from typing import Any

from tests.end_to_end.neovim.conftest import Neovim, service

FORGOTTEN = """
setup()
wait(function() return #clients() > 0 and clients()[1].initialized ~= false end)
local result = {}
vim.cmd('CodewmForgotten')
wait(function() return vim.bo.buftype == 'quickfix' end)
result.title = vim.fn.getqflist({ title = 1 }).title
result.items = vim.tbl_map(function(item)
  return { vim.fn.bufname(item.bufnr), item.lnum, item.text }
end, vim.fn.getqflist())
press('gh')
wait(function() return said('is hidden for this change') and said('No file seems to be missing') end)
vim.fn.system({ 'git', 'commit', '--quiet', '--all', '--message', 'Change core alone' })
vim.fn.writefile({ 'a = -2' }, 'core.py')
vim.cmd('CodewmForgotten')
wait(function() return vim.bo.buftype == 'quickfix' end)
result.again = vim.fn.getqflist()[1].text
vim.cmd('cclose')
vim.fn.system({ 'git', 'checkout', '--quiet', 'core.py' })
vim.cmd('edit! core.py')
vim.api.nvim_buf_set_lines(0, 0, -1, false, { 'a = -3' })
vim.cmd('CodewmForgotten')
wait(function() return said('There are no changes to check. Unsaved text is not checked.') end)
finish(result)
"""


def test_forgotten_files_are_listed_with_their_reason_and_taken_for_not_needed(coupled: Any, neovim: Neovim) -> None:
    coupled.commit("Add sessions", {"sessions.py": service("sessions")})
    coupled.write("core.py", "a = -1\n")
    found = neovim(FORGOTTEN, coupled.path)
    assert found["title"].startswith("CodeWM: Usually changes with the changed files, but has not changed (")
    ((name, line, text),) = found["items"]
    assert name.endswith("docs/core.rst")
    assert line == 1
    assert "% changed in 61 of the last 61 commits to core.py" in text
    assert any("docs/core.rst is hidden for this change" in message for message in found["messages"])
    assert "% changed in 61 of the last 62 commits to core.py" in found["again"], "with the next change"


SEARCH = """
setup()
lens()
local result = {}
vim.ui.select = function(items, options, on_choice)
  result.prompt = options.prompt
  result.items = vim.tbl_map(options.format_item, items)
  on_choice(items[1], 1)
end
vim.cmd('CodewmSearch timeout orders')
wait(function() return result.items and vim.bo.filetype == 'diff' end)
result.shown = buffer()
vim.cmd('CodewmSearch xylophone')
wait(function() return said('no past edits match xylophone') end)
finish(result)
"""


def test_past_edits_are_searched_by_words_and_shown_as_diffs(changed: Any, neovim: Neovim) -> None:
    found = neovim(SEARCH, changed.path)
    assert found["prompt"] == "Past edits about timeout orders"
    assert "Add timeout to fetch_orders" in found["items"][0]
    assert found["shown"][0] == "# Past edits about timeout orders"
    assert "+def fetch_orders(self, url, timeout=30):" in found["shown"]
    assert any("no past edits match xylophone" in message for message in found["messages"])

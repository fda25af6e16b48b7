"""The definitions likely to be edited next: in the quickfix list, or to choose one and be taken there."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from tests.end_to_end.neovim.conftest import Neovim

SCRIPT = """
setup()
lens()
local result = {}
vim.cmd('CodewmNext')
wait(function() return vim.bo.buftype == 'quickfix' end)
result.title = vim.fn.getqflist({ title = 1 }).title
result.quickfix = vim.tbl_map(function(item)
  return { vim.fn.bufname(item.bufnr), item.lnum, item.text }
end, vim.fn.getqflist())
vim.cmd('cclose')

vim.ui.select = function(items, options, on_choice)
  result.items = vim.tbl_map(options.format_item, items)
  on_choice(items[1], 1)
end
vim.cmd('CodewmNext!')
wait(function() return result.items end)
result.there = { vim.fn.expand('%:p'), vim.fn.line('.') }
press('<C-o>')
result.back = vim.fn.expand('%:t')
finish(result)
"""


def test_predictions_are_listed_and_jumped_to(changed: Any, neovim: Neovim) -> None:
    found = neovim(SCRIPT, changed.path)
    assert found["title"] == "CodeWM: likely to change next"
    assert found["quickfix"]
    for name, line, text in found["quickfix"]:
        lines = (changed.path / name).read_text(encoding="utf-8").split("\n")
        assert 1 <= line <= len(lines)
        assert text
    assert len(found["items"]) == len(found["quickfix"])
    first, line, text = found["quickfix"][0]
    assert found["items"][0] == f"{PurePath(first).name}:{line}  {text}"
    assert found["there"] == [str(changed.path / first), line]
    assert found["back"] == "sessions.py"

--- How the server is installed, in words.

local M = {}

M.PUBLISHED = false -- written by scripts/published.py

--- The command that installs it: from the clone that this plug-in is in, else by its name once that is published.
function M.command()
  local here = debug.getinfo(1, 'S').source:sub(2)
  local clone = vim.fn.fnamemodify(here, ':p:h:h:h:h')
  if vim.fn.filereadable(clone .. '/pyproject.toml') == 1 then
    return 'pip install ' .. vim.fn.shellescape(clone)
  end
  return M.PUBLISHED and 'pip install codewm' or 'pip install /path/to/a/clone/or/wheel'
end

return M

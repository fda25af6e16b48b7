--- How the server is installed, in words.

local M = {}

--- The command that installs it: from the clone that this plug-in lies in, else by its name.
function M.command()
  local here = debug.getinfo(1, 'S').source:sub(2)
  local clone = vim.fn.fnamemodify(here, ':p:h:h:h:h')
  if vim.fn.filereadable(clone .. '/pyproject.toml') == 1 then
    return 'pip install ' .. vim.fn.shellescape(clone)
  end
  return 'pip install codewm'
end

return M

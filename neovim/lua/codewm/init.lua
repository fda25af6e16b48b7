-- CodeWM in Neovim: lenses with the past edits most like yours, and the commands behind them.
-- Works from 0.7 on; see :help codewm.
local M = {}

local api = vim.api
local client = require('codewm.client')
local compat = require('codewm.compat')

local registered = false

--- Make the tags of the help where nobody has: without a plug-in manager, `:help codewm` would find nothing.
local function help_tags()
  local here = debug.getinfo(1, 'S').source:sub(2)
  local doc = vim.fn.fnamemodify(here, ':p:h:h:h') .. '/doc'
  if vim.fn.filereadable(doc .. '/tags') == 0 and vim.fn.filewritable(doc) == 2 then
    pcall(vim.cmd, 'silent! helptags ' .. vim.fn.fnameescape(doc))
  end
end

--- Commands, handlers and lenses. Called by `setup` and by lsp/codewm.lua.
function M.register()
  if not registered then
    registered = true
    help_tags()
    require('codewm.lenses').register()
    require('codewm.commands').register()
  end
end

--- What lsp/codewm.lua gives Neovim 0.11 and newer.
function M.config()
  M.register()
  return {
    cmd = { 'codewm-lsp', '--stdio' },
    filetypes = { 'python' },
    root_markers = { '.git' },
    capabilities = client.capabilities(),
    handlers = client.handlers(),
    on_exit = client.on_exit,
  }
end

--- Start CodeWM for Python files. `options`, all of them optional:
---   cmd           the server, as a list
---   init_options  as in :help codewm-options
---   picker        "select" (vim.ui.select with a preview) or "diff" (all past edits in one window)
---   where_next    "quickfix" or "select"
function M.setup(options)
  client.options = options or {}
  M.register()
  if compat.configures then
    vim.lsp.config('codewm', { cmd = client.options.cmd, init_options = client.options.init_options })
    vim.lsp.enable('codewm')
    return
  end
  api.nvim_create_autocmd('FileType', {
    group = api.nvim_create_augroup('codewm.start', { clear = true }),
    pattern = 'python',
    callback = function(event)
      client.start(event.buf)
    end,
  })
  client.start_all()
end

--- Ask for the lenses of a buffer again (0: the current one).
function M.refresh(bufnr)
  require('codewm.lenses').refresh(bufnr)
end

--- The past edits behind the lens here. `how`: "select" or "diff".
function M.show_similar(how)
  require('codewm.commands').similar({ bang = how == 'diff' })
end

--- The definitions that are likely to change next. `how`: "quickfix" or "select".
function M.show_next(how)
  require('codewm.where_next').show(how)
end

--- For a status line: "", "CodeWM", "CodeWM 42%", "CodeWM paused (battery)", "CodeWM off", "CodeWM snoozed" or "CodeWM !".
function M.status(bufnr)
  return require('codewm.status').text(bufnr)
end

return M

-- Starting the server, keeping it alive, and asking it.
local M = {}

local api = vim.api
local compat = require('codewm.compat')

local RESTARTS = 3 -- in a row, before a server that keeps ending is left alone

M.options = {} -- of setup()

local started = {} -- root → client id, before 0.11
local ended = {} -- root → how often a server ended by itself
local stopping = {} -- client id → true: asked to end
local said = {}

--- One message, the first time only.
local function say_once(text)
  if not said[text] then
    said[text] = true
    vim.notify(text, vim.log.levels.WARN)
  end
end

function M.command()
  local config = compat.configures and vim.lsp.config.codewm
  return config and type(config.cmd) == 'table' and config.cmd or M.options.cmd or { 'codewm-lsp', '--stdio' }
end

--- The work tree that a file belongs to: the nearest folder above it with a `.git` (a folder, or a worktree's file).
function M.root_of(file)
  local folder = vim.fn.fnamemodify(file, ':p:h')
  while true do
    if vim.loop.fs_stat(folder .. '/.git') then
      return folder
    end
    local above = vim.fn.fnamemodify(folder, ':h')
    if above == folder then
      return nil
    end
    folder = above
  end
end

--- What this module adds to a client's capabilities: it shows the server's status, and older versions do not say that
--- they can be told to ask for lenses again.
function M.capabilities()
  local capabilities = vim.lsp.protocol.make_client_capabilities()
  capabilities.workspace = capabilities.workspace or {}
  capabilities.workspace.codeLens = { refreshSupport = true }
  capabilities.experimental = { codewm = { status = true } }
  return capabilities
end

--- What this module listens to besides what Neovim does.
function M.handlers()
  return {
    ['codewm/status'] = function(_, status, context)
      require('codewm.status').told(context.client_id, status)
    end,
  }
end

--- A server that ended by itself is started again, with one message.
function M.on_exit(code, signal, client_id)
  local client = vim.lsp.get_client_by_id(client_id)
  local root = client and client.config.root_dir or ''
  vim.schedule(function()
    require('codewm.status').forget(client_id)
    for _, bufnr in ipairs(api.nvim_list_bufs()) do
      compat.clear_lenses(client_id, bufnr)
    end
    local wanted = stopping[client_id] or signal == 15 or (code == 0 and signal == 0) or vim.v.exiting ~= vim.NIL
    stopping[client_id] = nil
    if wanted then
      return
    end
    ended[root] = (ended[root] or 0) + 1
    if ended[root] > RESTARTS then
      say_once('CodeWM: the server keeps crashing and was not restarted. See :CodewmLog, then run :CodewmRestart.')
      return
    end
    say_once('CodeWM: the server crashed and was restarted. See :CodewmLog.')
    vim.defer_fn(M.start_all, 200)
  end)
end

--- Start it for a buffer that is a Python file of a repository (before 0.11).
function M.start(bufnr)
  local file = api.nvim_buf_get_name(bufnr)
  local root = file ~= '' and vim.bo[bufnr].buftype == '' and M.root_of(file)
  if not root then
    return
  end
  local cmd = M.command()
  if vim.fn.executable(cmd[1]) == 0 then
    local how = require('codewm.install').command()
    say_once(('CodeWM: %s is not on PATH. Install it (%s), or name it with `cmd` in setup().'):format(cmd[1], how))
    return
  end
  if not (started[root] and vim.lsp.get_client_by_id(started[root])) then
    started[root] = vim.lsp.start_client({
      name = 'codewm',
      cmd = cmd,
      root_dir = root,
      workspace_folders = { { uri = vim.uri_from_fname(root), name = vim.fn.fnamemodify(root, ':t') } },
      capabilities = M.capabilities(),
      handlers = M.handlers(),
      init_options = M.options.init_options,
      on_exit = M.on_exit,
      on_attach = not compat.says_attach and function(_, buffer)
        require('codewm.lenses').attach(buffer)
      end or nil,
    })
  end
  if started[root] then
    vim.lsp.buf_attach_client(bufnr, started[root])
  end
end

--- Start it for every Python buffer there is.
function M.start_all()
  if compat.configures then
    vim.lsp.enable('codewm')
    return
  end
  for _, bufnr in ipairs(api.nvim_list_bufs()) do
    if api.nvim_buf_is_loaded(bufnr) and vim.bo[bufnr].filetype == 'python' then
      M.start(bufnr)
    end
  end
end

--- End every server, and start them anew.
function M.restart()
  ended, said = {}, {}
  local running = compat.clients()
  for _, client in ipairs(running) do
    stopping[client.id] = true
    compat.stop(client)
  end
  local function gone()
    for _, client in ipairs(running) do
      if vim.lsp.get_client_by_id(client.id) then
        return false
      end
    end
    return true
  end
  local tries = 0
  local function again()
    tries = tries + 1
    if gone() then
      M.start_all()
    elseif tries > 60 then
      vim.notify('CodeWM: the server did not stop', vim.log.levels.WARN)
    else
      if tries == 20 then
        for _, client in ipairs(running) do
          compat.stop(client, true)
        end
      end
      vim.defer_fn(again, 100)
    end
  end
  again()
end

--- The client to ask for a buffer: its own, or any.
function M.of(bufnr)
  return compat.clients(bufnr)[1] or compat.clients()[1]
end

--- Run one of the server's commands; `done` gets its answer.
function M.ask(command, arguments, done, client)
  client = client or M.of(api.nvim_get_current_buf())
  if not client then
    vim.notify('CodeWM is not running. See :checkhealth codewm.', vim.log.levels.WARN)
    return
  end
  compat.request(client, 'workspace/executeCommand', { command = command, arguments = arguments }, function(err, result)
    if err then
      vim.notify('CodeWM: ' .. err.message, vim.log.levels.WARN)
    elseif done then
      done(result, client)
    end
  end, 0)
end

return M

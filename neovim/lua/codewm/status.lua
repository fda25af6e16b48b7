-- How the server stands, as it tells (the notification codewm/status), and one short text for a status line.
local M = {}

local api = vim.api
local compat = require('codewm.compat')

local told = {} -- client id → { status, at = when it was told }

local function changed()
  vim.schedule(function()
    vim.cmd('redrawstatus')
    if vim.fn.exists('#User#CodewmStatus') == 1 then
      vim.cmd('doautocmd <nomodeline> User CodewmStatus')
    end
  end)
end

--- The server told its status.
function M.told(client_id, status)
  told[client_id] = { status = status, at = os.time() }
  changed()
end

--- A client is gone.
function M.forget(client_id)
  told[client_id] = nil
  changed()
end

local function client_of(bufnr)
  return compat.clients((bufnr == nil or bufnr == 0) and api.nvim_get_current_buf() or bufnr)[1]
end

local function share(repository)
  return repository.total > 0 and math.floor(100 * repository.done / repository.total) or 0
end

--- How a buffer's client stands: nil without one, else "ready", "indexing" (and a percentage), "paused" (and why:
--- "battery" or "load"), "off", "snoozed" or "trouble" (and what it is, in words).
function M.of(bufnr)
  local client = client_of(bufnr)
  if not client then
    return nil
  end
  local now = told[client.id]
  local status = now and now.status
  if not status then
    return 'ready'
  elseif not status.enabled then
    return 'off'
  elseif status.snoozed > os.time() - now.at then
    return 'snoozed'
  end
  for _, problem in ipairs(status.problems) do
    return 'trouble', problem.message
  end
  for _, repository in ipairs(status.repositories) do
    if (repository.paused or '') ~= '' then
      return 'paused', repository.paused
    end
    if repository.stage == 'indexing' and repository.done < repository.total then
      return 'indexing', share(repository)
    end
  end
  return 'ready'
end

--- For a status line: "", "CodeWM", "CodeWM 42%", "CodeWM paused (battery)", "CodeWM off", "CodeWM snoozed" or "CodeWM !".
function M.text(bufnr)
  local how, more = M.of(bufnr)
  if not how then
    return ''
  elseif how == 'ready' then
    return 'CodeWM'
  elseif how == 'indexing' then
    return ('CodeWM %d%%'):format(more)
  elseif how == 'paused' then
    return ('CodeWM paused (%s)'):format(more)
  end
  return how == 'trouble' and 'CodeWM !' or 'CodeWM ' .. how
end

--- Why no server is asked about a buffer, in a few words; nil where one should be.
function M.unasked(bufnr)
  bufnr = (bufnr == nil or bufnr == 0) and api.nvim_get_current_buf() or bufnr
  local name = api.nvim_buf_get_name(bufnr)
  if vim.bo[bufnr].filetype ~= 'python' then
    return name:find('%.ipynb$') and 'a notebook' or 'not a Python file'
  elseif name == '' or vim.bo[bufnr].buftype ~= '' then
    return 'not a file'
  elseif not require('codewm.client').root_of(name) then
    return 'outside a Git repository'
  end
end

--- The same at length, in lines.
function M.lines(bufnr)
  local client = client_of(bufnr)
  if not client then
    local why = M.unasked(bufnr)
    return { why and 'no hints here: ' .. why or 'CodeWM is not running for this file. Run :checkhealth codewm.' }
  end
  local how = M.of(bufnr)
  local lines = { 'CodeWM is ' .. (how == 'trouble' and 'not working' or how) }
  local status = told[client.id] and told[client.id].status
  if not status then
    return lines
  end
  if status.model.name ~= '' then
    table.insert(lines, 'model: ' .. status.model.name)
  end
  for _, repository in ipairs(status.repositories) do
    local root = vim.uri_to_fname(repository.root)
    local stage = (repository.paused or '') == '' and repository.stage or ('paused (%s)'):format(repository.paused)
    local words = ('%s: %s, %d of %d commits indexed'):format(root, stage, repository.done, repository.total)
    table.insert(lines, repository.total > 0 and words or root .. ': loading the index')
    if (repository.waiting or '') ~= '' then
      table.insert(lines, repository.waiting)
    end
  end
  for _, problem in ipairs(status.problems) do
    table.insert(lines, problem.message)
  end
  local uri = vim.uri_from_bufnr((bufnr == nil or bufnr == 0) and api.nvim_get_current_buf() or bufnr)
  for _, silent in ipairs(status.silent or {}) do
    if silent.uri == uri then
      table.insert(lines, 'no hints here: ' .. silent.reason)
    end
  end
  return lines
end

return M

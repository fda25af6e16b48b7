-- Lenses: when they are asked for, and which one the cursor is on.
local M = {}

local api = vim.api
local compat = require('codewm.compat')

M.SHOW_SIMILAR = 'codewm.showSimilarEdits'

local group = api.nvim_create_augroup('codewm.lenses', { clear = true })

local function number_of(bufnr)
  return (bufnr == nil or bufnr == 0) and api.nvim_get_current_buf() or bufnr
end

--- Ask for the lenses of a buffer, and take away those that are gone (older versions leave the last one standing).
function M.refresh(bufnr)
  bufnr = number_of(bufnr)
  if compat.keeps_lenses or not api.nvim_buf_is_loaded(bufnr) then
    return
  end
  for _, client in ipairs(compat.clients(bufnr)) do
    local params = { textDocument = { uri = vim.uri_from_bufnr(bufnr) } }
    compat.request(client, 'textDocument/codeLens', params, function(err, result, context, config)
      if not api.nvim_buf_is_loaded(bufnr) then
        return
      end
      if not err and (result == nil or vim.tbl_isempty(result)) then
        compat.clear_lenses(client.id, bufnr)
      end
      vim.lsp.codelens.on_codelens(err, result, context, config)
    end, bufnr)
  end
end

--- Show lenses in a buffer from now on.
function M.attach(bufnr)
  if compat.keeps_lenses then
    vim.lsp.codelens.enable(true, { bufnr = bufnr })
    return
  end
  api.nvim_clear_autocmds({ group = group, buffer = bufnr })
  api.nvim_create_autocmd({ 'BufEnter', 'CursorHold', 'InsertLeave', 'TextChanged', 'BufWritePost' }, {
    group = group,
    buffer = bufnr,
    callback = function()
      M.refresh(bufnr)
    end,
  })
  M.refresh(bufnr)
end

--- The lens on the cursor's line, or the nearest one above it.
function M.here()
  local line = api.nvim_win_get_cursor(0)[1] - 1
  local best
  for _, lens in ipairs(compat.lenses(api.nvim_get_current_buf())) do
    local at = lens.range.start.line
    if lens.command and lens.command.command == M.SHOW_SIMILAR and at <= line then
      if not best or at > best.range.start.line then
        best = lens
      end
    end
  end
  if not best then
    vim.notify('CodeWM: no lens on this line or above')
  end
  return best
end

--- What running a lens does, and what happens when the server says that its answers have changed.
function M.register()
  vim.lsp.commands[M.SHOW_SIMILAR] = function(command, context)
    local client = context and context.client_id and vim.lsp.get_client_by_id(context.client_id)
    require('codewm.picker').similar(command.arguments[1], client)
    vim.schedule(function()
      M.refresh(context and context.bufnr or 0) -- running a lens takes its text away
    end)
  end
  if not vim.lsp.handlers['workspace/codeLens/refresh'] then
    vim.lsp.handlers['workspace/codeLens/refresh'] = function(_, _, context)
      for _, bufnr in ipairs(api.nvim_list_bufs()) do
        if vim.lsp.buf_is_attached(bufnr, context.client_id) then
          M.refresh(bufnr)
        end
      end
      return vim.NIL
    end
  end
  if compat.says_attach then
    api.nvim_create_autocmd('LspAttach', {
      group = group,
      callback = function(event)
        local client = vim.lsp.get_client_by_id(event.data.client_id)
        if client and client.name == 'codewm' then
          M.attach(event.buf)
        end
      end,
    })
  end
end

return M

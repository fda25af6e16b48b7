-- What differs between Neovim 0.7 and 0.12. Every question about the version is answered here.
local M = {}

local api = vim.api

M.methods = vim.fn.has('nvim-0.11') == 1 -- clients are objects with methods
M.configures = vim.lsp.config ~= nil and vim.lsp.enable ~= nil -- 0.11: servers are configured by name
M.keeps_lenses = vim.lsp.codelens.enable ~= nil -- 0.12: lenses are asked for, moved and cleared by Neovim
M.says_attach = vim.fn.exists('##LspAttach') == 1 -- 0.8

--- The clients of CodeWM, of one buffer or all.
function M.clients(bufnr)
  local get = vim.lsp.get_clients or vim.lsp.get_active_clients
  return vim.tbl_filter(function(client)
    return client.name == 'codewm' and (bufnr == nil or vim.lsp.buf_is_attached(bufnr, client.id))
  end, get())
end

--- Send a request; `handler(err, result, context)`.
function M.request(client, method, params, handler, bufnr)
  if M.methods then
    return client:request(method, params, handler, bufnr)
  end
  return client.request(method, params, handler, bufnr)
end

--- Ask a client to end, or make it.
function M.stop(client, force)
  if M.methods then
    client:stop(force)
  else
    client.stop(force)
  end
end

--- The lenses of a buffer, from whatever server.
function M.lenses(bufnr)
  if not M.keeps_lenses then
    return vim.lsp.codelens.get(bufnr)
  end
  return vim.tbl_map(function(found)
    return found.lens
  end, vim.lsp.codelens.get({ bufnr = bufnr }))
end

--- Take away the lenses that a client has left on the screen (before 0.12; since then Neovim does it).
function M.clear_lenses(client_id, bufnr)
  local spaces = rawget(vim.lsp.codelens, '__namespaces')
  if M.keeps_lenses or not api.nvim_buf_is_loaded(bufnr) then
    return
  elseif vim.lsp.codelens.clear then
    vim.lsp.codelens.clear(client_id, bufnr)
  elseif spaces then
    api.nvim_buf_clear_namespace(bufnr, spaces[client_id], 0, -1)
  end
end

--- The file that the servers' logs are in.
function M.log_file()
  local log = vim.lsp.log
  return log and log.get_filename and log.get_filename() or vim.lsp.get_log_path()
end

return M

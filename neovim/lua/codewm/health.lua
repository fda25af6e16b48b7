-- :checkhealth codewm
local M = {}

local compat = require('codewm.compat')
local client = require('codewm.client')
local status = require('codewm.status')

local health = vim.health or require('health')
local begin = health.start or health.report_start
local ok = health.ok or health.report_ok
local info = health.info or health.report_info
local warn = health.warn or health.report_warn
local fail = health.error or health.report_error

local function neovim()
  local version = vim.version()
  local text = ('neovim: %d.%d.%d'):format(version.major, version.minor, version.patch)
  if vim.fn.has('nvim-0.7') == 0 then
    fail(text, { 'install Neovim 0.7 or newer' })
    return false
  end
  ok(text)
  return true
end

--- The server's path; nil when it cannot be run. Names and words are those of `codewm doctor`.
local function server()
  local cmd = client.command()
  local path = vim.fn.exepath(cmd[1])
  if path == '' then
    fail('server: ' .. cmd[1] .. ' was not found', {
      require('codewm.install').command(),
      "or set its path: require('codewm').setup({ cmd = { … } })",
    })
    return nil
  end
  local ask = vim.tbl_filter(function(word)
    return word ~= '--stdio'
  end, cmd)
  table.insert(ask, '--version')
  local said = vim.trim(vim.fn.system(ask))
  if vim.v.shell_error ~= 0 or not said:find('^codewm%-lsp %d') then
    fail('server: ' .. table.concat(ask, ' ') .. ' failed: ' .. said, {
      'reinstall CodeWM: ' .. require('codewm.install').command(),
    })
    return nil
  end
  ok(('server: %s (%s)'):format(path, said))
  return path
end

--- What `codewm doctor`, which is installed beside the server, says of Git, the model and a repository.
local function doctor(server_path, root)
  local beside = vim.fn.fnamemodify(server_path, ':h') .. '/codewm'
  local program = vim.fn.executable(beside) == 1 and beside or vim.fn.exepath('codewm')
  if program == '' then
    warn('codewm: was not found next to the server, so Git, the model and the repository were not checked')
    return
  end
  local ask = { program, 'doctor', '--json', '-C', root }
  local model = (client.options.init_options or {}).model
  if model and model ~= '' then
    vim.list_extend(ask, { '--model', model })
  end
  local said = vim.fn.system(ask)
  local decoded, report = pcall(vim.fn.json_decode, said)
  if not decoded or type(report) ~= 'table' or not report.findings then
    fail('codewm doctor failed: ' .. vim.trim(said))
    return
  end
  for _, finding in ipairs(report.findings) do
    local text = finding.name .. ': ' .. finding.detail
    if finding.name == 'server' then -- looked at above
    elseif finding.state == 'ok' then
      ok(text)
    elseif finding.state == 'note' then
      info(text .. (finding.remedy ~= '' and '; ' .. finding.remedy or ''))
    else
      fail(text, { finding.remedy })
    end
  end
end

--- The folders to ask about: those of the running clients, or that of a Python file.
local function roots()
  local found = {}
  for _, running in ipairs(compat.clients()) do
    found[tostring(running.config.root_dir)] = true
  end
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    local name = vim.api.nvim_buf_get_name(bufnr)
    if next(found) == nil and vim.bo[bufnr].filetype == 'python' and name ~= '' then
      found[client.root_of(name) or vim.fn.fnamemodify(name, ':p:h')] = true
    end
  end
  return vim.tbl_keys(found)
end

local function counted(number, one, several)
  return ('%d %s'):format(number, number == 1 and one or several)
end

local function attached()
  local clients = compat.clients()
  for _, running in ipairs(clients) do
    local buffers, lenses = 0, 0
    for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
      if vim.lsp.buf_is_attached(bufnr, running.id) then
        buffers, lenses = buffers + 1, lenses + #compat.lenses(bufnr)
        for _, line in ipairs(status.lines(bufnr)) do info(line) end
      end
    end
    local text = ('client: running for %s: %s, %s'):format(
      running.config.root_dir,
      counted(buffers, 'buffer', 'buffers'),
      counted(lenses, 'lens', 'lenses')
    )
    if buffers > 0 then
      ok(text)
    else
      warn(text .. '; open a Python file of that repository')
    end
  end
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    local why = vim.bo[bufnr].filetype == 'python' and #compat.clients(bufnr) == 0 and status.unasked(bufnr)
    if why then
      info(('no hints in %s: %s'):format(vim.fn.fnamemodify(vim.api.nvim_buf_get_name(bufnr), ':~:.'), why))
    end
  end
  if #clients == 0 then
    local set_up = vim.fn.exists(':CodewmSimilar') == 2
    warn('client: not running', {
      set_up and 'open a Python file in a Git repository'
        or "call require('codewm').setup(), or vim.lsp.enable('codewm') (0.11 and newer)",
    })
  end
end

function M.check()
  begin('codewm')
  if not neovim() then
    return
  end
  local path = server()
  attached()
  if not path then -- otherwise `codewm doctor` looks
    if vim.fn.executable('git') == 0 then
      fail('git: git was not found on PATH', { 'install Git 2.30 or newer and put it on PATH' })
    end
  else
    local folders = roots()
    for _, root in ipairs(#folders > 0 and folders or { vim.fn.getcwd() }) do
      begin('codewm: ' .. root)
      doctor(path, root)
    end
  end
end

return M

-- :checkhealth codewm
local M = {}

local health = vim.health or require('health')
local begin = health.start or health.report_start
local ok = health.ok or health.report_ok
local info = health.info or health.report_info
local warn = health.warn or health.report_warn
local fail = health.error or health.report_error

function M.check()
  begin('codewm')
  if vim.fn.has('nvim-0.7') == 0 then
    fail('Neovim 0.7 or newer is needed')
    return
  end
  if vim.fn.executable('git') == 1 then
    ok('git is on PATH')
  else
    fail('git is not on PATH: CodeWM reads the history with it')
  end
  if vim.fn.executable('codewm-lsp') == 1 then
    ok(vim.trim(vim.fn.system({ 'codewm-lsp', '--version' })) .. ' at ' .. vim.fn.exepath('codewm-lsp'))
  else
    warn('codewm-lsp is not on PATH: `pip install codewm`, or name it with `cmd` in setup()')
  end
  local running = 0
  for _, client in ipairs((vim.lsp.get_clients or vim.lsp.get_active_clients)()) do
    if client.name == 'codewm' then
      running = running + 1
      info('running for ' .. tostring(client.config.root_dir))
    end
  end
  if running == 0 then
    info('not running: open a Python file of a Git repository, after require("codewm").setup()')
  end
end

return M

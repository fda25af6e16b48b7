-- Neovim 0.11 and newer: `vim.lsp.enable('codewm')`. Options go to `vim.lsp.config('codewm', { init_options = … })`.
require('codewm').register()

return {
  cmd = { 'codewm-lsp', '--stdio' },
  filetypes = { 'python' },
  root_markers = { '.git' },
  capabilities = require('codewm').capabilities(),
}

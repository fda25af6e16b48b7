-- Neovim 0.11 and newer: `vim.lsp.enable('codewm')`. Options go to `vim.lsp.config('codewm', { init_options = … })`.
return require('codewm').config()

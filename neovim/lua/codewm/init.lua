-- CodeWM in Neovim: lenses with the past edits most like yours, and the commands behind them.
-- Works from 0.7 on; see :help codewm.
local M = {}

local api = vim.api

local group = api.nvim_create_augroup('codewm', { clear = true })
local registered = false

local function clients(bufnr)
  local get = vim.lsp.get_clients or vim.lsp.get_active_clients
  return vim.tbl_filter(function(client)
    return client.name == 'codewm' and (bufnr == nil or vim.lsp.buf_is_attached(bufnr, client.id))
  end, get())
end

local function uri_of(bufnr)
  return vim.uri_from_bufnr(bufnr == 0 and api.nvim_get_current_buf() or bufnr)
end

--- Run one of the server's commands; `done` gets its answer.
local function request(command, arguments, done, client)
  client = client or clients(0)[1] or clients()[1]
  if not client then
    vim.notify('CodeWM is not running: see :checkhealth codewm', vim.log.levels.WARN)
    return
  end
  local function handler(err, result)
    if err then
      vim.notify('CodeWM: ' .. err.message, vim.log.levels.WARN)
    elseif done then
      done(result)
    end
  end
  local params = { command = command, arguments = arguments }
  if vim.fn.has('nvim-0.11') == 1 then
    client:request('workspace/executeCommand', params, handler, 0)
  else
    client.request('workspace/executeCommand', params, handler, 0)
  end
end

--- Show text in a window of its own, as a diff that cannot be changed; `q` closes it.
local function show(name, lines)
  vim.cmd('botright new')
  local bufnr = api.nvim_get_current_buf()
  api.nvim_buf_set_lines(bufnr, 0, -1, false, lines)
  pcall(api.nvim_buf_set_name, bufnr, 'codewm://' .. bufnr .. '/' .. name .. '.diff')
  for option, value in pairs({ buftype = 'nofile', bufhidden = 'wipe', swapfile = false, modifiable = false }) do
    vim.bo[bufnr][option] = value
  end
  vim.bo[bufnr].filetype = 'diff'
  vim.keymap.set('n', 'q', '<cmd>close<cr>', { buffer = bufnr, nowait = true })
end

local function add(lines, text)
  vim.list_extend(lines, vim.split(text, '\n', { plain = true }))
end

local function evidence(lines, edits)
  for number, edit in ipairs(edits) do
    add(lines, ('# %d of %d · score %.2f · %s · %s'):format(number, #edits, edit.score, edit.path, edit.definition))
    for _, reason in ipairs(edit.reasons) do
      add(lines, '#   ' .. reason)
    end
    add(lines, 'commit ' .. edit.commit)
    add(lines, 'Author: ' .. edit.author)
    add(lines, 'Date:   ' .. edit.date)
    add(lines, '')
    add(lines, '    ' .. edit.subject)
    add(lines, '')
    add(lines, edit.diff)
  end
end

--- The past edits behind the lens of a definition.
function M.show_similar(target, client)
  target = vim.tbl_extend('force', target, { show = false })
  request('codewm.showSimilarEdits', { target }, function(answer)
    if vim.tbl_isempty(answer.edits) then
      vim.notify('CodeWM: no past edits like the one of ' .. target.definition .. ' are known yet')
      return
    end
    local about = answer.query.kind == 'next' and 'like the one predicted for ' or 'like your change to '
    local lines = { '# Past edits ' .. about .. answer.query.definition .. ' (' .. answer.query.path .. ')' }
    if #answer.query.likely > 0 then
      add(lines, '# likely: ' .. table.concat(answer.query.likely, ', '))
    end
    add(lines, '')
    evidence(lines, answer.edits)
    show(target.definition, lines)
  end, client)
end

--- The definitions likely to be edited next, in the quickfix list.
function M.show_next()
  request('codewm.showNextEdits', { { uri = uri_of(0), show = false } }, function(answer)
    local items = {}
    for _, prediction in ipairs(answer.predictions) do
      local words = vim.deepcopy(prediction.reasons)
      if #prediction.likely > 0 then
        table.insert(words, 1, 'likely: ' .. table.concat(prediction.likely, ', '))
      end
      table.insert(items, {
        filename = vim.uri_to_fname(prediction.uri),
        lnum = prediction.line + 1,
        text = ('%.2f %s  %s'):format(prediction.score, prediction.definition, table.concat(words, '; ')),
      })
    end
    if #items == 0 then
      vim.notify('CodeWM: nothing to predict from: change a definition first')
      return
    end
    vim.fn.setqflist({}, ' ', { title = 'CodeWM: likely to be edited next', items = items })
    vim.cmd('botright copen')
  end)
end

--- The lens on the cursor's line, or the nearest one above it.
local function lens_here()
  local line = api.nvim_win_get_cursor(0)[1] - 1
  local best
  for _, lens in ipairs(vim.lsp.codelens.get(vim.fn.has('nvim-0.12') == 1 and { bufnr = 0 } or 0)) do
    lens = lens.lens or lens
    local command = lens.command
    local at = lens.range.start.line
    if command and command.command == 'codewm.showSimilarEdits' and at <= line then
      if not best or at > best.range.start.line then
        best = lens
      end
    end
  end
  if not best then
    vim.notify('CodeWM: no lens here or above')
  end
  return best
end

--- Ask for the lenses of a buffer, and take away those that are gone (older versions leave the last one standing).
function M.refresh(bufnr)
  bufnr = (bufnr == nil or bufnr == 0) and api.nvim_get_current_buf() or bufnr
  if vim.lsp.codelens.enable or not api.nvim_buf_is_loaded(bufnr) then
    return -- 0.12 does it by itself
  end
  for _, client in ipairs(clients(bufnr)) do
    local params = { textDocument = { uri = uri_of(bufnr) } }
    local function handler(err, result, context, config)
      if api.nvim_buf_is_loaded(bufnr) then
        if not err and (result == nil or vim.tbl_isempty(result)) then
          local spaces = rawget(vim.lsp.codelens, '__namespaces')
          if vim.lsp.codelens.clear then
            vim.lsp.codelens.clear(client.id, bufnr)
          elseif spaces then
            api.nvim_buf_clear_namespace(bufnr, spaces[client.id], 0, -1)
          end
        end
        vim.lsp.codelens.on_codelens(err, result, context, config)
      end
    end
    if vim.fn.has('nvim-0.11') == 1 then
      client:request('textDocument/codeLens', params, handler, bufnr)
    else
      client.request('textDocument/codeLens', params, handler, bufnr)
    end
  end
end

--- What this module adds to the client's capabilities: older versions do not say that they can be told to ask again.
function M.capabilities()
  local capabilities = vim.lsp.protocol.make_client_capabilities()
  capabilities.workspace = capabilities.workspace or {}
  capabilities.workspace.codeLens = { refreshSupport = true }
  return capabilities
end

local function attach(bufnr)
  if vim.lsp.codelens.enable then
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

--- Commands, handlers and lenses. Called by `setup` and by lsp/codewm.lua.
function M.register()
  if registered then
    return
  end
  registered = true

  vim.lsp.commands['codewm.showSimilarEdits'] = function(command, context)
    local client = context and context.client_id and vim.lsp.get_client_by_id(context.client_id)
    M.show_similar(command.arguments[1], client)
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

  local function command(name, run, options)
    api.nvim_create_user_command(name, run, options)
  end
  command('CodewmSimilar', function()
    local lens = lens_here()
    if lens then
      M.show_similar(lens.command.arguments[1])
    end
  end, { desc = 'The past edits behind the lens here' })
  command('CodewmNext', M.show_next, { desc = 'The definitions likely to be edited next' })
  command('CodewmToggle', function()
    request('codewm.toggle', {}, function(answer)
      vim.notify('CodeWM is ' .. (answer.enabled and 'on' or 'off'))
    end)
  end, { desc = 'Hints on or off' })
  command('CodewmSnooze', function(options)
    local minutes = tonumber(options.args)
    request('codewm.snooze', minutes and { minutes } or {}, function(answer)
      vim.notify(('CodeWM is silent for %g minutes'):format(answer.minutes))
    end)
  end, { nargs = '?', desc = 'No hints for so many minutes (30)' })
  command('CodewmReindex', function()
    request('codewm.reindex', {})
  end, { desc = 'Index what is not indexed yet' })
  command('CodewmDismiss', function()
    local lens = lens_here()
    if lens then
      request('codewm.dismiss', lens.command.arguments, function()
        M.refresh(0)
      end)
    end
  end, { desc = 'Never show this hint again' })

  if vim.fn.exists('##LspAttach') == 1 then
    api.nvim_create_autocmd('LspAttach', {
      group = group,
      callback = function(event)
        local client = vim.lsp.get_client_by_id(event.data.client_id)
        if client and client.name == 'codewm' then
          attach(event.buf)
        end
      end,
    })
  end
end

local function root_of(file)
  local git = vim.fn.finddir('.git', vim.fn.fnameescape(vim.fn.fnamemodify(file, ':p:h')) .. ';')
  if git == '' then
    git = vim.fn.findfile('.git', vim.fn.fnameescape(vim.fn.fnamemodify(file, ':p:h')) .. ';')
  end
  return git ~= '' and vim.fn.fnamemodify(git, ':p:h' .. (vim.fn.isdirectory(git) == 1 and ':h' or '')) or nil
end

local started = {}

local function start(bufnr, options)
  local file = api.nvim_buf_get_name(bufnr)
  local root = file ~= '' and root_of(file)
  if not root then
    return
  end
  if not (started[root] and vim.lsp.get_client_by_id(started[root])) then
    started[root] = vim.lsp.start_client({
      name = 'codewm',
      cmd = options.cmd or { 'codewm-lsp', '--stdio' },
      root_dir = root,
      workspace_folders = { { uri = vim.uri_from_fname(root), name = vim.fn.fnamemodify(root, ':t') } },
      capabilities = M.capabilities(),
      init_options = options.init_options,
      on_attach = vim.fn.exists('##LspAttach') == 0 and function(_, buffer)
        attach(buffer)
      end or nil,
    })
  end
  if started[root] then
    vim.lsp.buf_attach_client(bufnr, started[root])
  end
end

--- Start CodeWM for Python files. `options`: `cmd`, and `init_options` as in :help codewm-options.
function M.setup(options)
  options = options or {}
  M.register()
  if vim.lsp.config and vim.lsp.enable then
    vim.lsp.config('codewm', { cmd = options.cmd, init_options = options.init_options })
    vim.lsp.enable('codewm')
    return
  end
  api.nvim_create_autocmd('FileType', {
    group = group,
    pattern = 'python',
    callback = function(event)
      start(event.buf, options)
    end,
  })
  for _, bufnr in ipairs(api.nvim_list_bufs()) do
    if api.nvim_buf_is_loaded(bufnr) and vim.bo[bufnr].filetype == 'python' then
      start(bufnr, options)
    end
  end
end

return M

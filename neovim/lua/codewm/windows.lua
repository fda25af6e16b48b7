-- Windows with past edits: read-only, closed with q.
local M = {}

local api = vim.api
local client = require('codewm.client')
local edits = require('codewm.edits')

local KEYS = '# q close · ]e [e next, previous · gf its file · gs side by side · gc its commit · gy hash · gh hide'

--- A buffer that cannot be changed, is not written anywhere, and is gone with its window.
local function fill(bufnr, name, lines, filetype)
  vim.bo[bufnr].modifiable = true
  vim.bo[bufnr].modeline = false -- the text is a stranger's
  api.nvim_buf_set_lines(bufnr, 0, -1, false, lines)
  if name then
    pcall(api.nvim_buf_set_name, bufnr, ('codewm://%d/%s'):format(bufnr, name))
  end
  for option, value in pairs({ buftype = 'nofile', bufhidden = 'wipe', swapfile = false, modifiable = false }) do
    vim.bo[bufnr][option] = value
  end
  if vim.bo[bufnr].filetype ~= filetype then
    vim.bo[bufnr].filetype = filetype
  end
end

local function map(bufnr, keys, run, what)
  vim.keymap.set('n', keys, run, { buffer = bufnr, nowait = true, desc = 'CodeWM: ' .. what })
end

local function name_of(answer)
  local query = answer.query
  return edits.clean(query.words or query.definition or query.commit:sub(1, 7)) .. '.diff'
end

--- All edits of an answer in one window.
function M.all(answer)
  vim.cmd('botright new')
  local bufnr = api.nvim_get_current_buf()
  fill(bufnr, name_of(answer), edits.all(answer), 'diff')
  map(bufnr, 'q', '<cmd>close<cr>', 'close')
end

--- The same beside or above the code while one of them is chosen; the cursor stays. Returns what closes it.
function M.preview(answer)
  local before = api.nvim_get_current_win()
  vim.cmd(vim.o.columns >= 140 and 'botright vnew' or 'topleft new')
  local window = api.nvim_get_current_win()
  fill(api.nvim_get_current_buf(), nil, edits.all(answer), 'diff')
  api.nvim_set_current_win(before)
  vim.cmd('redraw')
  return function()
    if api.nvim_win_is_valid(window) then
      api.nvim_win_close(window, true)
    end
  end
end

--- The line of a definition ("Class.method") in the current buffer; nil where it is not.
local function line_of(definition)
  local from = 0
  for _, name in ipairs(vim.split(definition, '.', { plain = true })) do
    local found
    for number, line in ipairs(api.nvim_buf_get_lines(0, from, -1, false)) do
      local kind, called = line:gsub('^%s*async%s+', ''):match('^%s*(%a+)%s+([^%s%(:%[]+)')
      if (kind == 'def' or kind == 'class') and called == name then
        found = from + number
        break
      end
    end
    if not found then
      return nil
    end
    from = found
  end
  return from > 0 and from or nil
end

--- Open a file of the work tree, at a definition that it still has, or at a line (counted from 1).
function M.go(file, line, definition)
  vim.cmd("normal! m'")
  local bufnr = vim.fn.bufadd(file)
  vim.bo[bufnr].buflisted = true
  api.nvim_win_set_buf(0, bufnr)
  line = definition and line_of(definition) or line
  api.nvim_win_set_cursor(0, { math.max(1, math.min(line, api.nvim_buf_line_count(bufnr))), 0 })
end

local function open_file(answer, edit)
  local file = vim.uri_to_fname(answer.root) .. '/' .. edit.path
  if vim.tbl_contains(vim.split(edit.path, '/', { plain = true }), '..') or not vim.loop.fs_stat(file) then
    vim.notify('CodeWM: ' .. edits.clean(edit.path) .. ' no longer exists')
    return
  end
  vim.cmd('wincmd p')
  M.go(file, edit.line + 1, edit.definition)
end

--- The whole file before and after an edit, side by side, in a tab of their own.
local function sides(answer, edit)
  local function side(which, text)
    local lines = vim.split(type(text) == 'string' and text or '', '\r?\n')
    local name = table.concat({ which, edit.commit:sub(1, 7), edits.clean(edit.path) }, '/')
    fill(api.nvim_get_current_buf(), name, lines, 'python')
    vim.cmd('diffthis')
    map(0, 'q', '<cmd>tabclose<cr>', 'close')
  end
  local function ask(which, done)
    local path = which == 'before' and type(edit.previousPath) == 'string' and edit.previousPath or edit.path
    local question = { root = answer.root, commit = edit.commit, path = path, side = which }
    client.ask('codewm.fileAt', { question }, function(found)
      done(found.text)
    end)
  end
  ask('before', function(before)
    ask('after', function(after)
      vim.cmd('tabnew')
      side('before', before)
      vim.cmd('rightbelow vnew')
      side('after', after)
      local offset, text = edits.first_change(edit.diff or '')
      local lines = api.nvim_buf_get_lines(0, 0, -1, false)
      api.nvim_win_set_cursor(0, { edits.find_line(lines, text, edit.line + 1 + offset), 0 })
      vim.cmd('normal! zz')
    end)
  end)
end

local function copy(edit)
  vim.fn.setreg('"', edit.commit)
  if vim.fn.has('clipboard') == 1 then
    vim.fn.setreg('+', edit.commit)
  end
  vim.notify('CodeWM: copied ' .. edit.commit)
end

--- One edit of an answer in a window, with keys for the others and for what can be done with it.
function M.one(answer, number)
  vim.cmd('botright new')
  local bufnr = api.nvim_get_current_buf()
  local count = #answer.edits
  local function show()
    local lines = edits.heading(answer.query)
    table.insert(lines, KEYS)
    vim.list_extend(lines, edits.lines(answer.edits[number], number, count, answer.query.kind))
    fill(bufnr, nil, lines, 'diff')
    api.nvim_win_set_cursor(0, { 1, 0 })
  end
  local function step(by)
    return function()
      number = (number - 1 + by) % count + 1
      show()
    end
  end
  local function with_edit(run)
    return function()
      run(answer, answer.edits[number])
    end
  end
  fill(bufnr, name_of(answer), {}, 'diff')
  show()
  map(bufnr, 'q', '<cmd>close<cr>', 'close')
  map(bufnr, ']e', step(1), 'next past edit')
  map(bufnr, '[e', step(-1), 'previous past edit')
  map(bufnr, 'gf', with_edit(open_file), 'open its file')
  map(bufnr, 'gs', with_edit(sides), 'side by side')
  map(
    bufnr,
    'gc',
    with_edit(function(_, edit)
      require('codewm.picker').commit(answer.root, edit.commit)
    end),
    'the other edits of its commit'
  )
  map(
    bufnr,
    'gy',
    with_edit(function(_, edit)
      copy(edit)
    end),
    'copy the commit hash'
  )
  map(
    bufnr,
    'gh',
    with_edit(function(_, edit)
      vim.cmd('close')
      require('codewm.hiding').edit(answer.root, edit)
    end),
    'hide edits like this'
  )
end

return M

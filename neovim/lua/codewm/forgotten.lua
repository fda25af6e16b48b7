-- Files that usually change with the staged or changed ones but have not changed, as a quickfix list.
local M = {}

local client = require('codewm.client')
local edits = require('codewm.edits')

local function words(file)
  local said = ('%s %s'):format(edits.percent(file.chance), edits.clean(file.reason))
  local past = file.evidence[1]
  return past and ('%s (%s %s)'):format(said, past.commit:sub(1, 7), edits.clean(past.subject)) or said
end

--- A file or folder in the repository that is looked at.
local function place()
  local name = vim.api.nvim_buf_get_name(0)
  return vim.uri_from_fname(vim.bo.buftype == '' and name ~= '' and name or vim.fn.getcwd())
end

--- What is said beside silence where text in the repository is not saved, as only files are looked at.
local function unsaved(root)
  local folder = vim.uri_to_fname(root) .. '/'
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    if vim.bo[buffer].modified and vim.bo[buffer].buftype == '' then
      if vim.startswith(vim.fn.fnamemodify(vim.api.nvim_buf_get_name(buffer), ':p'), folder) then
        return ' Unsaved text is not checked.'
      end
    end
  end
  return ''
end

local function forget(answer, file)
  local question = { root = answer.root, path = file.path, change = answer.change }
  client.ask('codewm.notNeeded', { question }, function()
    vim.notify('CodeWM: ' .. edits.clean(file.path) .. ' is hidden for this change')
    M.show(vim.uri_from_fname(vim.uri_to_fname(answer.root)))
  end)
end

--- Ask for them. In the list, `gh` says that a file is not needed here. `uri`: where, by default at the cursor.
function M.show(uri)
  client.ask('codewm.forgotten', { { uri = uri or place() } }, function(answer)
    if vim.tbl_isempty(answer.missing) then
      vim.cmd('cclose')
      vim.notify('CodeWM: ' .. edits.clean(answer.headline) .. unsaved(answer.root))
      return
    end
    local items = vim.tbl_map(function(file)
      local first = file.definitions[1]
      return { filename = vim.uri_to_fname(file.uri), lnum = first and first.line or 1, text = words(file) }
    end, answer.missing)
    vim.fn.setqflist({}, ' ', { title = 'CodeWM: ' .. edits.clean(answer.headline), items = items })
    vim.cmd('botright copen')
    vim.keymap.set('n', 'gh', function()
      local file = answer.missing[vim.fn.line('.')]
      if file then
        forget(answer, file)
      end
    end, { buffer = true, nowait = true, desc = 'CodeWM: not needed here' })
  end)
end

return M

-- Choosing among past edits: those behind a lens, or those of a commit.
local M = {}

local client = require('codewm.client')
local edits = require('codewm.edits')
local windows = require('codewm.windows')

local function choose(answer, prompt)
  if #answer.edits == 1 then
    windows.one(answer, 1)
    return
  end
  local close = windows.preview(answer)
  local options = { prompt = prompt, kind = 'codewm.edit', format_item = edits.title }
  local done, problem = pcall(vim.ui.select, answer.edits, options, function(_, number)
    close()
    if number then
      windows.one(answer, number)
    end
  end)
  if not done then
    close()
    if not tostring(problem):find('Interrupt', 1, true) then
      error(problem)
    end
  end
end

--- The past edits behind the lens of a definition. `how`: "select" or "diff", or as set up.
function M.similar(target, of, how)
  how = how or client.options.picker or 'select'
  local question = { uri = target.uri, definition = target.definition, show = false }
  client.ask('codewm.showSimilarEdits', { question }, function(answer)
    if vim.tbl_isempty(answer.edits) then
      vim.notify('CodeWM: no past edits are similar to the change to ' .. edits.named(target.definition))
    elseif how == 'diff' then
      windows.all(answer)
    else
      choose(answer, 'Past edits similar to ' .. edits.named(answer.query.definition))
    end
  end, of)
end

--- Past edits about something, in the repository that is looked at. `how`: "select" or "diff", or as set up.
function M.search(words, how)
  how = how or client.options.picker or 'select'
  local name = vim.api.nvim_buf_get_name(0)
  local uri = vim.uri_from_fname(vim.bo.buftype == '' and name ~= '' and name or vim.fn.getcwd())
  client.ask('codewm.search', { { words = words, uri = uri, show = false } }, function(answer)
    if vim.tbl_isempty(answer.edits) then
      vim.notify('CodeWM: no past edits match ' .. edits.clean(words))
    elseif how == 'diff' then
      windows.all(answer)
    else
      choose(answer, 'Past edits about ' .. edits.clean(words))
    end
  end)
end

--- All edits of one commit.
function M.commit(root, commit)
  client.ask('codewm.commitEdits', { { root = root, commit = commit } }, function(answer)
    answer.query = { commit = commit }
    if vim.tbl_isempty(answer.edits) then
      vim.notify('CodeWM: commit ' .. commit:sub(1, 7) .. ' changes no Python definitions')
    else
      choose(answer, 'Edits of ' .. commit:sub(1, 7))
    end
  end)
end

return M

-- Hiding hints and past edits for good, and taking the last one back.
local M = {}

local client = require('codewm.client')
local edits = require('codewm.edits')

local last -- what was hidden last: { command, question, what }

local function ask(command, question, restore, done)
  local asked = vim.tbl_extend('force', question, restore and { restore = true } or {})
  client.ask(command, { asked }, function()
    done()
    require('codewm.lenses').refresh(0)
  end)
end

local function hide(command, question, what)
  ask(command, question, false, function()
    last = { command = command, question = question, what = what }
    vim.notify(('CodeWM: %s are hidden. Run :CodewmHide! to show them again.'):format(what))
  end)
end

--- Hide the hints on a definition.
function M.hint(target)
  local question = { uri = target.uri, definition = target.definition }
  hide('codewm.dismiss', question, 'hints on ' .. edits.named(target.definition))
end

--- Hide a past edit, and those like it.
function M.edit(root, edit)
  local question = { root = root, commit = edit.commit, path = edit.path, definition = edit.definition }
  hide('codewm.dismissEdit', question, "edits like '" .. edits.clean(edit.subject) .. "'")
end

--- Show again what was hidden last.
function M.undo()
  if not last then
    vim.notify('CodeWM: nothing has been hidden since Neovim started')
    return
  end
  local undone = last
  ask(undone.command, undone.question, true, function()
    last = nil
    vim.notify(('CodeWM: %s are shown again'):format(undone.what))
  end)
end

return M

-- The commands of the plug-in.
local M = {}

local client = require('codewm.client')
local compat = require('codewm.compat')
local lenses = require('codewm.lenses')

local function on_lens(run)
  local lens = lenses.here()
  if lens then
    run(lens.command.arguments[1])
  end
end

function M.similar(options)
  on_lens(function(target)
    require('codewm.picker').similar(target, nil, options.bang and 'diff' or nil)
  end)
end

function M.next(options)
  require('codewm.where_next').show(options.bang and 'select' or nil)
end

function M.forgotten()
  require('codewm.forgotten').show()
end

function M.search(options)
  require('codewm.picker').search(options.args, options.bang and 'diff' or nil)
end

function M.toggle()
  client.ask('codewm.toggle', {}, function(answer)
    vim.notify('CodeWM is ' .. (answer.enabled and 'on' or 'off'))
  end)
end

function M.snooze(options)
  local minutes = tonumber(options.args)
  if options.args ~= '' and not minutes then
    vim.notify('CodeWM: :CodewmSnooze expects a number of minutes, not ' .. options.args, vim.log.levels.WARN)
    return
  end
  client.ask('codewm.snooze', minutes and { minutes } or {}, function(answer)
    vim.notify(
      answer.minutes > 0 and ('CodeWM is snoozed for %g minutes'):format(answer.minutes) or 'CodeWM is no longer snoozed'
    )
  end)
end

function M.hide(options)
  if options.bang then
    require('codewm.hiding').undo()
  else
    on_lens(require('codewm.hiding').hint)
  end
end

function M.index()
  client.ask('codewm.reindex', {}, function(answer)
    vim.notify(('CodeWM: indexing %d %s'):format(answer.repositories, answer.repositories == 1 and 'repository' or 'repositories'))
  end)
end

--- The log that all language servers share, at its end.
function M.log()
  vim.cmd('tabedit ' .. vim.fn.fnameescape(compat.log_file()))
  vim.bo.modifiable, vim.bo.readonly = false, true
  vim.cmd('normal! G')
  vim.fn.search('codewm', 'bcW')
end

function M.status()
  vim.notify(table.concat(require('codewm.status').lines(0), '\n'))
end

function M.register()
  local function command(name, run, options)
    vim.api.nvim_create_user_command(name, run, options)
  end
  command('CodewmSimilar', M.similar, { bang = true, desc = 'List past edits like the one at the cursor (!: show all)' })
  command('CodewmNext', M.next, { bang = true, desc = 'List definitions that are likely to change next (!: choose one)' })
  command('CodewmForgotten', M.forgotten, { desc = 'List files that usually change with yours but have not changed' })
  command('CodewmSearch', M.search, { nargs = '+', bang = true, desc = 'List past edits about something (!: show all)' })
  command('CodewmToggle', M.toggle, { desc = 'Turn hints off and on' })
  command('CodewmSnooze', M.snooze, { nargs = '?', desc = 'Snooze hints for 10 minutes, or the number given' })
  command('CodewmHide', M.hide, { bang = true, desc = 'Hide this hint for good (!: show the last one hidden again)' })
  command('CodewmIndex', M.index, { desc = 'Resume indexing' })
  command('CodewmRestart', client.restart, { desc = 'Restart the server' })
  command('CodewmLog', M.log, { desc = 'Open the log' })
  command('CodewmStatus', M.status, { desc = 'Show the status' })
end

return M

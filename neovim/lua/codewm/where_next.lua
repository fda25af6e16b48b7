-- The definitions that are likely to change next: as a quickfix list, or to choose from.
local M = {}

local client = require('codewm.client')
local edits = require('codewm.edits')

local function words(prediction)
  local said = vim.tbl_map(edits.clean, prediction.reasons)
  if #prediction.likely > 0 then
    table.insert(said, 1, 'likely to change: ' .. table.concat(prediction.likely, ', '))
  end
  return ('%s %s  %s'):format(edits.percent(prediction.score), edits.named(prediction.definition), table.concat(said, '; '))
end

local function quickfix(predictions)
  local items = vim.tbl_map(function(prediction)
    return {
      filename = vim.uri_to_fname(prediction.uri),
      lnum = prediction.line + 1,
      text = words(prediction),
    }
  end, predictions)
  vim.fn.setqflist({}, ' ', { title = 'CodeWM: likely to change next', items = items })
  vim.cmd('botright copen')
end

local function choose(predictions)
  vim.ui.select(predictions, {
    prompt = 'Likely to change next',
    kind = 'codewm.next',
    format_item = function(prediction)
      return ('%s:%d  %s'):format(edits.clean(prediction.path), prediction.line + 1, words(prediction))
    end,
  }, function(prediction)
    if prediction then
      require('codewm.windows').go(vim.uri_to_fname(prediction.uri), prediction.line + 1)
    end
  end)
end

--- Ask for them. `how`: "quickfix" or "select", or as set up.
function M.show(how)
  how = how or client.options.where_next or 'quickfix'
  local uri = vim.uri_from_bufnr(vim.api.nvim_get_current_buf())
  client.ask('codewm.showNextEdits', { { uri = uri, show = false, evidence = false } }, function(answer)
    local about = answer.about or ''
    if about ~= '' then
      vim.notify('CodeWM: ' .. edits.clean(about))
    end
    if vim.tbl_isempty(answer.predictions) then
      if about ~= '' then
        return
      end
      vim.notify('CodeWM: change a definition first to see what is likely to change next')
    elseif how == 'select' then
      choose(answer.predictions)
    else
      quickfix(answer.predictions)
    end
  end)
end

return M

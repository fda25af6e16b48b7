-- Past edits as text. Pure: tables of the server's answer in, lines out.
local M = {}

--- Text of a repository (subject, author, path) as one harmless line.
function M.clean(text)
  return (tostring(text or ''):gsub('[%c\127]+', ' '))
end

local ENDINGS = { ['1'] = 'st', ['2'] = 'nd', ['3'] = 'rd' }

local function ordinal(number)
  return number .. (number:find('1%d$') and 'th' or ENDINGS[number:sub(-1)] or 'th')
end

--- A definition's name for people: `get#2` is `get (2nd definition)`, `A#3.get` is `A.get (in the 3rd A)`.
function M.named(definition)
  local places, parts = {}, vim.split(M.clean(definition), '.', { plain = true })
  for index, part in ipairs(parts) do
    local name, number = part:match('^(.*)#(%d+)$')
    if name then
      parts[index] = name
      table.insert(places, index == #parts and ordinal(number) .. ' definition' or 'in the ' .. ordinal(number) .. ' ' .. name)
    end
  end
  local name = table.concat(parts, '.')
  return #places > 0 and ('%s (%s)'):format(name, table.concat(places, ', ')) or name
end

--- A number from 0 to 1 as `87 %`.
function M.percent(share)
  return ('%d %%'):format(math.floor(100 * share + 0.5))
end

local function add(lines, text)
  vim.list_extend(lines, vim.split(text, '\n', { plain = true }))
end

--- The first line that a unified diff changes: how many lines below the text's first it stands, and what it says.
function M.first_change(diff)
  local offset, removed = 0, nil -- where lines went without others in their place
  for _, line in ipairs(vim.split(diff, '\n', { plain = true })) do
    local hunk = line:match('^@@ %-[%d,]+ %+(%d+)')
    if hunk then
      offset = math.max(0, tonumber(hunk) - 1)
    elseif line:match('^%+') and not line:match('^%+%+%+ ') then
      return offset, line:sub(2)
    elseif line:match('^%-') and not line:match('^%-%-%- ') then
      removed = removed or offset
    elseif line:match('^ ') then
      if removed then
        return removed, line:sub(2)
      end
      offset = offset + 1
    end
  end
  return removed or 0, ''
end

--- Where a line stands among others, from 1: the nearest to `near` that says the same; `near` where none does.
function M.find_line(lines, text, near)
  local best
  local wanted = vim.trim(text)
  for number, line in ipairs(lines) do
    if wanted ~= '' and vim.trim(line) == wanted then
      if not best or math.abs(number - near) < math.abs(best - near) then
        best = number
      end
    end
  end
  return best or math.max(1, math.min(near, #lines))
end

local function score(edit)
  return type(edit.score) == 'number' and M.percent(edit.score) -- null: compared with nothing, or made again
end

--- One edit in one line, for a list to choose from.
function M.title(edit)
  local parts = {
    (score(edit) and score(edit) .. ' ' or '') .. edit.commit:sub(1, 7),
    M.clean(edit.subject),
    '· ' .. M.clean(edit.author) .. ',',
    edit.date:sub(1, 10),
    '· ' .. M.clean(edit.path) .. ': ' .. M.named(edit.definition),
  }
  return table.concat(parts, ' ')
end

--- What the edits of an answer have in common.
function M.heading(query)
  if not query.kind then
    return { '# Edits of commit ' .. query.commit }
  end
  if query.kind == 'search' then
    return { '# Past edits about ' .. M.clean(query.words) }
  end
  local about = query.kind == 'next' and 'similar to the change expected in ' or 'similar to the change to '
  local lines = { '# Past edits ' .. about .. M.named(query.definition) .. ' (' .. M.clean(query.path) .. ')' }
  if #(query.likely or {}) > 0 then
    table.insert(lines, '# likely to change: ' .. table.concat(query.likely, ', '))
  end
  return lines
end

--- One edit with its commit and its diff. `kind` of the question: what is like an edit has the chance that it fits as
--- its score, what stands behind a prediction how alike the two are.
function M.lines(edit, number, count, kind)
  local lines = {}
  local head = { ('# %d of %d'):format(number, count), M.clean(edit.path), M.named(edit.definition) }
  if score(edit) then
    table.insert(head, 2, score(edit) .. (kind == 'similar' and ' likely to fit' or ' alike'))
  end
  table.insert(lines, table.concat(head, ' · '))
  for _, reason in ipairs(edit.reasons or {}) do
    table.insert(lines, '#   ' .. M.clean(reason))
  end
  table.insert(lines, 'commit ' .. edit.commit)
  table.insert(lines, 'Author: ' .. M.clean(edit.author))
  table.insert(lines, 'Date:   ' .. edit.date)
  table.insert(lines, '')
  table.insert(lines, '    ' .. M.clean(edit.subject))
  table.insert(lines, '')
  add(lines, edit.diff ~= '' and edit.diff or '(the text of this edit is no longer in the repository)')
  return lines
end

--- All edits of an answer, one below the other.
function M.all(answer)
  local lines = M.heading(answer.query)
  table.insert(lines, '')
  for number, edit in ipairs(answer.edits) do
    vim.list_extend(lines, M.lines(edit, number, #answer.edits, answer.query.kind))
  end
  return lines
end

return M

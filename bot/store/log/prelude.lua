-- In front of every script on a partition: what becomes of the changes of an execution (`bot.store.log.rows` reads it).

-- `log:<execution key>` is a list, oldest first. Each row is read in the light of those before it: scripts add one
-- where they do what it says. `at` is in s and `ts` of `s` in µs, in base 36, since these are most of all rows. A row
-- is its kind's character and its first field, then the others behind `|`:
--   c<revision>|at|rank|kind|more: a change that was seen; `kind` is empty for progress. With `|times|span` behind it
--     it stands for `times` changes, the first of which was seen `span` seconds before the last
--   l<subscriber>|before|after|s: a subscription begins (`before` is empty) or gets another level
--   e<subscriber>|level|s|code: it ends; `code` is Slack's where its destination is dead
--   d<subscriber>|: what was still to be delivered is dropped, as somebody has ended it
--   q<subscriber>|until|why: what comes from here on waits for the end of quiet: s, or `end`; `m` a mute, `h` quiet hours
--   r<subscriber>|code|s: Slack refuses to take it for now
--   s<subscriber>|revision|ts|where: a message reported the changes up to that revision; `m` outside the card's thread
--   k<subscriber>|channel|ts: this was the card until here
--   x<number>: so many changes before these are not kept; the first row, if there is one
-- It begins with the first change, so what has no row before it has been like that from the start: the level in the
-- subscription's row, the card in its receipt.
local MOST_LOGGED = 199 -- and the row that counts the others
-- 30 days after the last change.
local LOG_KEPT_MS = 2592000000

local function log_of(prefix, execution)
  return prefix .. 'log:' .. execution
end

-- Remove the oldest row of a change that no level includes, or only the widest; where there is none, the oldest row.
local function shorten_log(key)
  local rows = redis.call('LRANGE', key, 0, -1)
  local dropped = string.match(rows[1], '^x(%d+)$')
  local first = dropped and 2 or 1
  local oldest = rows[first]
  for i = first, #rows - 1 do
    local rank = string.match(rows[i], '^c%d+|%w+|(%-?%d)|')
    if rank and tonumber(rank) <= 0 then
      oldest = rows[i]
      break
    end
  end
  redis.call('LREM', key, 1, oldest)
  if string.sub(oldest, 1, 1) ~= 'c' then return end
  local more = tonumber(string.match(oldest, '^c%d+|%w+|%-?%d||[^|]*|(%d+)|')) or 1
  if dropped then
    redis.call('LSET', key, 0, string.format('x%d', dropped + more))
  else
    redis.call('LPUSH', key, string.format('x%d', more))
  end
end

-- Add what has become of changes; nothing where none was seen.
local function note(prefix, execution, row)
  local key = log_of(prefix, execution)
  if redis.call('RPUSHX', key, row) > MOST_LOGGED then shorten_log(key) end
end

-- Add a change that was seen. Progress that no subscriber's level includes shares a row with such progress before it.
local function note_change(prefix, execution, row, is_included)
  local key = log_of(prefix, execution)
  local PROGRESS = '^c%d+|(%w+)|(%-?%d)||[^|]*|?(%d*)|?(%d*)'
  local at, rank = string.match(row, PROGRESS)
  local before, rank_before, times, span = string.match(redis.call('LINDEX', key, -1) or '', PROGRESS)
  if rank and rank == rank_before and not is_included then
    span = (tonumber(span) or 0) + tonumber(at, 36) - tonumber(before, 36)
    redis.call('LSET', key, -1, string.format('%s|%d|%d', row, (tonumber(times) or 1) + 1, math.max(0, span)))
  elseif redis.call('RPUSH', key, row) > MOST_LOGGED then
    shorten_log(key)
  end
  redis.call('PEXPIRE', key, LOG_KEPT_MS)
end

-- Slack refuses to take what is pending; once for each code, until it takes a message.
local function note_refused(prefix, execution, subscriber, code, now)
  local rows = redis.call('LRANGE', log_of(prefix, execution), 0, -1)
  for i = #rows, 1, -1 do
    local kind, whose, known = string.match(rows[i], '^([lersd])([^|]*)|([^|]*)')
    if whose == subscriber then
      if kind == 'r' and known == code then return end
      if kind ~= 'r' then break end
    end
  end
  note(prefix, execution, string.format('r%s|%s|%d', subscriber, code, now / 1000))
end

-- A subscription changes from one record to another, of which either may be nil: its level, if it is followed.
local function note_following(prefix, execution, subscriber, before, after, code)
  local was = before and not before.is_ending and before.level or ''
  local is = after and not after.is_ending and after.level or ''
  local now = now_ms() / 1000
  if is == '' and (was ~= '' or code) then
    note(prefix, execution, string.format('e%s|%s|%d|%s', subscriber, was, now, code or ''))
  elseif was ~= is then
    note(prefix, execution, string.format('l%s|%s|%s|%d', subscriber, was, is, now))
  end
end

-- The subscriber that a row is about; nil for one about the execution.
local function logged_subscriber(row)
  return string.match(row, '^[ledqrsk]([^|]*)|')
end

-- Remove what is logged about one subscriber.
local function forget_logged(prefix, execution, subscriber)
  local key = log_of(prefix, execution)
  for _, row in ipairs(redis.call('LRANGE', key, 0, -1)) do
    if logged_subscriber(row) == subscriber then redis.call('LREM', key, 1, row) end
  end
end

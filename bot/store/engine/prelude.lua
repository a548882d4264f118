-- When a lane that is to be told now comes: an outcome goes ahead of everything else that is due, by two days for a
-- person and by one for a channel. Put in front of the scripts, like all that follows.
local function score(prefix, lane, now)
  for _, entry in ipairs(redis.call('LRANGE', prefix .. 'changes:' .. lane, 0, -1)) do
    local kind = string.match(entry, '^%d+|{"kind":"(%l+)"')
    if kind == 'outcome' or kind == 'vanished' then
      return now - (string.find(lane, '/[UW][^/]*$') and 2 or 1) * 86400000
    end
  end
  return now
end

-- Have a lane told at `at`; a lane that is being told now is told again.
-- A lane in doubt that was put back keeps its time: the send may still be under way.
local function wake(prefix, lane, at, now)
  local claim = redis.call('HGET', prefix .. 'claims', lane)
  local token, claimed, ends, doubt = string.match(claim or '', '^(.-)|(%d+)|(%d+)|%d|(%d+)$')
  if not token or not redis.call('ZSCORE', prefix .. 'outbox', lane) then
    redis.call('ZADD', prefix .. 'outbox', 'LT', at > now and at or score(prefix, lane, now), lane)
  elseif tonumber(ends) > now then
    redis.call('HSET', prefix .. 'claims', lane, token .. '|' .. claimed .. '|' .. ends .. '|1|' .. doubt)
  end
end

-- Give a lane back of which everything is told, unless something has happened to it meanwhile.
local function give_back(prefix, lane, again, now)
  redis.call('HDEL', prefix .. 'claims', lane)
  if again == '1' or redis.call('LLEN', prefix .. 'changes:' .. lane) > 0 then
    redis.call('ZADD', prefix .. 'outbox', score(prefix, lane, now), lane)
  else
    redis.call('ZREM', prefix .. 'outbox', lane)
  end
end

-- Append a change to a lane, which holds 50 at most: of more, the line after the oldest goes, progress before phases.
-- The oldest stays, since it says where the count and the phases came from. Outcomes and the like never go.
local function queue(prefix, lane, entry)
  local entries = prefix .. 'changes:' .. lane
  if redis.call('RPUSH', entries, entry) <= 50 then return end
  for _, kind in ipairs({'progress', 'phase'}) do
    local has_oldest = false
    for _, old in ipairs(redis.call('LRANGE', entries, 0, -2)) do
      if string.find(old, '^%d+|{"kind":"' .. kind .. '"') then
        if has_oldest then return redis.call('LREM', entries, 1, old) end
        has_oldest = true
      end
    end
  end
end

-- Have a watched execution looked at by `at`, ahead of all that is merely due: something is known to be new, or somebody
-- waits. What dropped out of a list has probably ended, and goes ahead of other news, by a day.
local DAY = 86400000
local function expedite(prefix, execution, at, listed)
  if redis.call('ZSCORE', prefix .. 'due', execution) then
    redis.call('ZADD', prefix .. 'expedited', 'LT', listed == 'gone----' and at - DAY or at, execution)
  end
end

-- A receipt that has its card drawn anew, whatever revision that shows.
local function asking_for_edit(receipt)
  return (string.gsub(receipt, '^(.-|.-|)%d+|', '%10|'))
end

local function server_time()
  local clock = redis.call('TIME')
  return clock[1] * 1000 + math.floor(clock[2] / 1000)
end

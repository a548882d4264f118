-- Have a lane told at `at`; a lane that is being told now is told again. Put in front of the scripts that need it.
-- A lane that was put back keeps its time: Slack said when to come again, or a send may still be under way.
local function wake(prefix, lane, at, now)
  local claim = redis.call('HGET', prefix .. 'claims', lane)
  local token, claimed, ends, doubt = string.match(claim or '', '^(.-)|(%d+)|(%d+)|%d|(%d+)$')
  if not token or not redis.call('ZSCORE', prefix .. 'outbox', lane) then
    redis.call('ZADD', prefix .. 'outbox', 'LT', at, lane)
  elseif tonumber(ends) > now then
    redis.call('HSET', prefix .. 'claims', lane, token .. '|' .. claimed .. '|' .. ends .. '|1|' .. doubt)
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

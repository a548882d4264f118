-- In front of every script about catch-up messages: the ends that such a message reports.

-- `caught:<execution key>` is a hash: what stands for an end → the end as JSON, empty once the message is done with; and
-- in the field `.state` one of `open|when its first end came, in ms`, `closed` (it is being posted), with `|code` behind it
-- once Slack has refused it, `posted|channel|ts`, and `own` (each end is reported by its own lane). The lanes keep their
-- ends until they have read that it was posted.
local STATE = '.state'

local function caught_of(prefix, lane)
  return prefix .. 'caught:' .. split_lane(lane)
end

-- The state, and what is behind it.
local function read_state(prefix, lane)
  return string.match(redis.call('HGET', caught_of(prefix, lane), STATE) or '', '^(%l*)|?([^|]*)|?([^|]*)')
end

-- The message is done with: its lane is gone, and which ends it was about is remembered for `keep_ms`.
local function finish(prefix, lane, state, keep_ms)
  local caught, execution, subscriber = caught_of(prefix, lane), split_lane(lane)
  for _, field in ipairs(redis.call('HKEYS', caught)) do redis.call('HSET', caught, field, '') end
  redis.call('HSET', caught, STATE, state)
  redis.call('PEXPIRE', caught, keep_ms)
  redis.call('HDEL', prefix .. 'subs:' .. execution, subscriber)
  redis.call('HDEL', prefix .. 'claims', lane)
  unschedule(prefix, lane)
  forget_execution(prefix, execution)
end

-- In front of every script on a brake: which reasons are braked, what has ended for one, and what waits.

-- How long what waits is remembered after it was last asked about, in ms: it may have ended in another way meanwhile.
local FORGOTTEN_AFTER = 2 * 3600 * 1000

-- A row is `since ms|limit|kind`; fields of a newer version are ignored. Kinds: `count` (too many), `fading` (too many,
-- but one of them recovered) and `place` (GCS shows nothing of what is followed). Nil when the reason is not braked.
local function read_brake(prefix, reason)
  local row = redis.call('HGET', prefix .. 'on', reason)
  local since, limit, kind = string.match(row or '', '^(%d+)|(%d+)|(%l+)')
  if not since then return nil end
  return {since = tonumber(since), limit = tonumber(limit), kind = kind}
end

local function write_brake(prefix, reason, brake)
  redis.call('HSET', prefix .. 'on', reason, string.format('%d|%d|%s', brake.since, brake.limit, brake.kind))
end

-- The person or channel that a lane of Slack's is for; nil for an execution.
local function destination_of(reason, item)
  return string.sub(reason, 1, 6) == 'slack:' and string.match(item, '[^/]+$') or nil
end

-- What has ended, and which destinations are refused, is counted for all codes of one vendor together: two codes at once
-- must not end twice as much. GCS's deletions and Slack's refusals have nothing to do with each other.
local function vendor_of(reason)
  return string.match(reason, '^[^:]+')
end

local function ended_key(prefix, reason)
  return prefix .. 'ended:' .. vendor_of(reason)
end

local function refused_key(prefix, reason)
  return prefix .. 'refused:' .. vendor_of(reason)
end

-- The other reasons of the same vendor that are braked.
local function braked_beside(prefix, reason)
  local found = {}
  for _, other in ipairs(redis.call('HKEYS', prefix .. 'on')) do
    if other ~= reason and vendor_of(other) == vendor_of(reason) then found[#found + 1] = other end
  end
  return found
end

-- Forget what ended before the window, and what has not been asked about for long.
local function forget_old(prefix, reason, now, window)
  redis.call('ZREMRANGEBYSCORE', ended_key(prefix, reason), '-inf', now - window)
  redis.call('ZREMRANGEBYSCORE', prefix .. 'waiting:' .. reason, '-inf', now - FORGOTTEN_AFTER)
  redis.call('ZREMRANGEBYSCORE', refused_key(prefix, reason), '-inf', now - FORGOTTEN_AFTER)
end

-- Let go if nothing waits any more, or if something recovered and the rest is within the limit. Returns the brake that
-- is still on, and whether it let go.
local function let_go(prefix, reason, brake)
  if not brake then return nil, false end
  local waiting = redis.call('ZCARD', prefix .. 'waiting:' .. reason)
  local count = waiting + redis.call('ZCARD', ended_key(prefix, reason))
  if waiting > 0 and not (brake.kind == 'fading' and count <= brake.limit) then return brake, false end
  redis.call('HDEL', prefix .. 'on', reason)
  return nil, true
end

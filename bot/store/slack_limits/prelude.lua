-- In front of every script on Slack's limits: pauses, each a moment in µs before which a method, or with `*` all of
-- Slack, is not called.

local function pause_ends(prefix, method)
  return tonumber(redis.call('GET', prefix .. 'pause:' .. method) or '0')
end

-- A pause is remembered for as long as the slow start after it takes.
local function pause_until(prefix, method, ends, now, slow_start)
  local keep_ms = math.ceil((ends - now + slow_start) / 1000)
  redis.call('SET', prefix .. 'pause:' .. method, string.format('%.0f', ends), 'PX', keep_ms)
end

-- While Slack does not answer: µs until it may be called, 0 when one call is to find out whether it answers again. Else
-- nil, also after a single failure.
local function away_for(prefix, now)
  if redis.call('EXISTS', prefix .. 'away') == 0 then return nil end
  local ends, is_probed = pause_ends(prefix, '*'), redis.call('EXISTS', prefix .. 'probe') == 1
  if ends == 0 and not is_probed then return nil end
  return math.max(0, ends - now, is_probed and 1000000 or 0)
end

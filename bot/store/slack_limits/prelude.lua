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

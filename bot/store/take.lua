-- Take calls out of the quota that all workers share, or say how long to wait for one.
-- KEYS 1 window (zset: call → server time ms); ARGV 1 calls in a window, 2 window ms, 3 a name for the calls,
--      4 how many (0 to ask only; fewer may be given), 5 slow start ms (0: none), 6 calls that are kept for somebody else
-- Returns calls left after these, ms to wait (0: there were some), calls taken
-- After a refusal (refused.lua) nothing is handed out for as long as GCS said, and then, to the watch, more and more.
local window, limit, span, wanted = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[4])
local now = server_time()
local hold = tonumber(redis.call('GET', window .. ':hold') or '0')
if now < hold then return {0, hold - now, 0} end
local slow = tonumber(ARGV[5])
local ramp = slow == 0 and 1 or (now - hold) / slow
local whole = limit
if ramp < 1 then limit = math.max(1, math.floor(whole * ramp)) end
redis.call('ZREMRANGEBYSCORE', window, '-inf', now - span)
local used = redis.call('ZCARD', window)
local left = limit - tonumber(ARGV[6]) - used
if left <= 0 then
  -- The call that must leave the window before one is free again.
  local blocking = redis.call('ZRANGE', window, math.max(0, -left), math.max(0, -left), 'WITHSCORES')
  local wait = blocking[2] and tonumber(blocking[2]) + span - now + 1 or span
  if ramp < 1 then wait = math.min(wait, math.ceil((used + tonumber(ARGV[6]) + 1) / whole * slow) + hold - now) end
  return {0, math.max(1, wait), 0}
end
local taken = math.min(wanted, left)
for i = 1, taken do redis.call('ZADD', window, now, ARGV[3] .. i) end
if taken > 0 then redis.call('PEXPIRE', window, span) end
return {left - taken, 0, taken}

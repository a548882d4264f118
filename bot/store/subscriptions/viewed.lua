-- Somebody reads about an execution: for a minute it is polled as if its next change were expected.
-- KEYS: partition prefix
-- half_minute: s until the middle of that minute; soon: ms until the next poll, at most
-- Returns 1, or 0 when nobody follows it
local prefix, execution, half_minute, soon = KEYS[1], unpack(ARGV)
if redis.call('EXISTS', prefix .. 'snap:' .. execution) == 0 then return 0 end
local now = now_ms()
write_header_field(prefix, execution, 'expected_at', string.format('%010d', math.floor(now / 1000) + half_minute))
if not redis.call('HGET', prefix .. 'leases', execution) then
  redis.call('ZADD', prefix .. 'due', 'XX', 'LT', now + soon, execution)
end
return 1

-- Somebody looks at an execution: for a minute, it is looked at as if its next change were near.
-- KEYS 1 partition prefix; ARGV 1 execution key, 2 s until the middle of that minute, 3 ms until the next look, at most
-- Returns 1, or 0 when nobody follows it
local prefix, execution = KEYS[1], ARGV[1]
local snap = prefix .. 'snap:' .. execution
if redis.call('EXISTS', snap) == 0 then return 0 end
local now = server_time()
redis.call('SETRANGE', snap, 45, string.format('%010d', math.floor(now / 1000) + tonumber(ARGV[2])))
if not redis.call('HGET', prefix .. 'leases', execution) then
  redis.call('ZADD', prefix .. 'due', 'XX', 'LT', now + tonumber(ARGV[3]), execution)
end
return 1

-- Renew the claims of looks that take long.
-- KEYS 1 partition prefix; ARGV 1 lease ms, then per look: execution key, token, print that the list had shown when
--      the look began
-- Returns how many are held for so much longer
-- Where a list has shown something newer meanwhile, somebody else looks as soon as `listed.lua` said.
local prefix, held = KEYS[1], 0
local ends = server_time() + tonumber(ARGV[1])
for i = 2, #ARGV, 3 do
  local execution, token, listed_then = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if redis.call('HGET', prefix .. 'leases', execution) == token
    and redis.call('GETRANGE', prefix .. 'snap:' .. execution, 24, 31) == listed_then then
    redis.call('ZADD', prefix .. 'due', 'XX', ends, execution)
    redis.call('ZADD', prefix .. 'expedited', 'XX', ends, execution)
    held = held + 1
  end
end
return held

-- A scan is done: it has covered all executions that existed when it began.
-- KEYS: home of an account's rules
-- began: ms
-- Returns 1
local began = unpack(ARGV)
local before = tonumber(redis.call('GET', KEYS[1] .. 'through') or '0')
if tonumber(began) > before or before > now_ms() then redis.call('SET', KEYS[1] .. 'through', began) end
return 1

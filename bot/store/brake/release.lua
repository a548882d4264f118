-- Let everything end that waits for a reason, as an operator asked: none of it counts.
-- KEYS: prefix of a brake
-- keep_ms: how long that holds for what waits now
-- Returns what waited
local prefix, reason, keep_ms = KEYS[1], unpack(ARGV)
local items = redis.call('ZRANGE', prefix .. 'waiting:' .. reason, 0, -1)
redis.call('DEL', prefix .. 'waiting:' .. reason, ended_key(prefix, reason), refused_key(prefix, reason))
redis.call('HDEL', prefix .. 'on', reason)
for _, item in ipairs(items) do redis.call('SADD', prefix .. 'released:' .. reason, item) end
redis.call('PEXPIRE', prefix .. 'released:' .. reason, keep_ms)
return items

-- Leave an execution alone whose rows cannot be read: they stay as they are.
-- KEYS: partition prefix
-- wait: ms until it is claimed again
-- Returns 1, or 0 when the claim is lost
local prefix, execution, token, wait = KEYS[1], unpack(ARGV)
if redis.call('HGET', prefix .. 'leases', execution) ~= token then return 0 end
redis.call('HDEL', prefix .. 'leases', execution)
stop_expediting(prefix, execution)
local at = now_ms() + wait
redis.call('ZADD', prefix .. 'due', 'XX', at, execution)
postpone_alarm(prefix, execution, at)
return 1

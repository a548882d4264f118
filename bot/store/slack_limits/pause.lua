-- Nobody calls a method for a while, whatever is waiting.
-- KEYS: prefix of a workspace's limits
-- method: or '*' for all; span, slow_start: µs
local prefix, method, span, slow_start = KEYS[1], unpack(ARGV)
local now = now_us()
pause_until(prefix, method, math.max(pause_ends(prefix, method), now + span), now, slow_start)
return 1

-- Have a subscription's card edited, and its execution polled now.
-- KEYS: partition prefix
-- Returns 1, or 0 when there is no such subscription
local prefix, lane = KEYS[1], unpack(ARGV)
local execution, subscriber = split_lane(lane)
if redis.call('HEXISTS', prefix .. 'subs:' .. execution, subscriber) == 0 then return 0 end
local now = now_ms()
if not redis.call('HGET', prefix .. 'leases', execution) then expedite(prefix, execution, now) end
request_edit(prefix, execution, subscriber)
wake(prefix, lane, now, now)
return 1

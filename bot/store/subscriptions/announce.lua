-- Have a message about a rule delivered, once: a lane of its own, which is gone when that is done.
-- KEYS: partition prefix
-- subscription: a row, ending; text: header and snapshot with the news; keep: ms for which it is remembered
-- Returns 1, or 0 when it was announced before
local prefix, lane, subscription, text, keep = KEYS[1], unpack(ARGV)
local execution, subscriber = split_lane(lane)
local now = now_ms()
if not redis.call('SET', prefix .. 'announced:' .. execution, 1, 'NX', 'PX', keep) then return 0 end
redis.call('SET', prefix .. 'snap:' .. execution, text)
local row = parse_subscription(subscription)
row.created = string.format('%d', now)
write_subscription(prefix, execution, subscriber, row)
wake(prefix, lane, now, now)
return 1

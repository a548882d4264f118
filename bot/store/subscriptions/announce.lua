-- Have a message about a rule, or a board, delivered, once: a lane of its own.
-- KEYS: partition prefix
-- subscription: a row; if it is ending, the lane is gone once the message is delivered; text: header and snapshot with
-- what it says; keep_ms: for how long it is remembered; receipt: a row, if the message is there and is edited, or ''
-- Returns 1, or 0 when it was announced before
-- Nobody waits for it, so in quiet hours it comes afterwards.
local prefix, lane, subscription, text, keep_ms, receipt = KEYS[1], unpack(ARGV)
local execution, subscriber = split_lane(lane)
local now = now_ms()
if not redis.call('SET', prefix .. 'announced:' .. execution, 1, 'NX', 'PX', keep_ms) then return 0 end
redis.call('SET', prefix .. 'snap:' .. execution, text)
local row = parse_subscription(subscription)
row.created = string.format('%d', now)
write_subscription(prefix, execution, subscriber, row)
local shown = parse_receipt(receipt)
if shown then
  shown.revision = 0
  write_receipt(prefix, execution, subscriber, shown)
end
wake(prefix, lane, quiet_until(prefix, lane, row, now) or now, now)
return 1

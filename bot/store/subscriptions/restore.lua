-- Bring a subscription into this store that another one held, with what it has still to deliver.
-- KEYS: partition prefix
-- subscription: a row; text: header and snapshot, for an execution that is not known here; receipt: a row, or ''; then
-- the entries of its changes
-- Returns 1, or 0 when there is such a subscription: it stays as it is
local prefix, lane, subscription, text, receipt = KEYS[1], unpack(ARGV, 1, 4)
local FIRST_CHANGE = 5
local execution, subscriber = split_lane(lane)
if redis.call('HEXISTS', prefix .. 'subs:' .. execution, subscriber) == 1 then return 0 end
local now = now_ms()
local known = tonumber(header_field(read_header(prefix, execution), 'revision'))
if not known then
  redis.call('SET', prefix .. 'snap:' .. execution, text)
  redis.call('ZADD', prefix .. 'due', now, execution)
end
write_subscription(prefix, execution, subscriber, parse_subscription(subscription))
local shown = parse_receipt(receipt)
if shown then
  shown.revision = 0 -- the card is edited once
  -- This store counts revisions by itself: a change below one of the other store would count as delivered.
  if known then shown.delivered_through = math.min(shown.delivered_through, known) end
  write_receipt(prefix, execution, subscriber, shown)
end
for i = FIRST_CHANGE, #ARGV do queue(prefix, lane, ARGV[i]) end
wake(prefix, lane, now, now)
return 1

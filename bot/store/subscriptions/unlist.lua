-- A rule has ended that had a part in a subscription: it ends too, unless another rule or somebody's choice keeps it.
-- KEYS: partition prefix
-- level: the loudest of the subscriber's other rules that follow the execution, '' for none; by: who ended the rule, or ''
-- Returns 'ended', 'kept', or nil when no rule has a part in it
local prefix, lane, level, by = KEYS[1], unpack(ARGV)
local execution, subscriber = split_lane(lane)
local subscription = read_subscription(prefix, execution, subscriber)
if not subscription or subscription.own == '' or subscription.is_ending then return nil end
local now = now_ms()
if level == '' and subscription.own == '-' then
  subscription.is_ending = true
  subscription.by = by
  write_subscription(prefix, execution, subscriber, subscription)
  drop_changes(prefix, lane)
  wake(prefix, lane, now, now)
  return 'ended'
end
local own = subscription.own
if own == '-' then
  subscription.level = level
else
  subscription.level = (level ~= '' and lowest(level) < lowest(own)) and level or own
  if level == '' then subscription.own = '' end
end
write_subscription(prefix, execution, subscriber, subscription)
request_edit(prefix, execution, subscriber)
if has_card(prefix, execution, subscriber) then wake(prefix, lane, now, now) end
return 'kept'

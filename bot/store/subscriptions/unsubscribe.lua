-- End a subscription as its subscriber asked: no more changes, one last edit of the card, then it is forgotten.
-- KEYS: partition prefix
-- request: id of the request that ends it, or ''; by: who ends it, or ''; notice: entry for the thread, or ''; ruled:
-- '1' if rules of the subscriber may find the execution yet, which must not have it followed again
-- Returns 1, or 0 when there was none
local prefix, lane, request, by, notice, ruled = KEYS[1], unpack(ARGV)
local execution, subscriber = split_lane(lane)
local subscription = read_subscription(prefix, execution, subscriber)
if not subscription or subscription.is_ending then return 0 end
subscription.is_ending = true
subscription.by = by
subscription.muted, subscription.hours = '', '' -- its end is shown at once
if request ~= '' then subscription.request = request end
write_subscription(prefix, execution, subscriber, subscription)
drop_changes(prefix, lane)
if notice ~= '' and has_card(prefix, execution, subscriber) then queue(prefix, lane, notice) end
local now = now_ms()
if ruled == '1' then pass(prefix, lane, now) end
wake(prefix, lane, now, now)
return 1

-- End a subscription as its subscriber asked: no more changes, one last edit of the card, then it is forgotten.
-- KEYS: partition prefix
-- request: id of the request that ends it, or ''; by: who ends it, or ''; notice: entry for the thread, or ''; ruled:
-- '1' if rules of the subscriber may find the execution yet, which must not have it followed again
-- Returns 1, or 0 when there was none
-- One whose end waits for a quiet time to be over is there until then, for who does not want to read it any more.
local prefix, lane, request, by, notice, ruled = KEYS[1], unpack(ARGV)
local execution, subscriber = split_lane(lane)
local subscription = read_subscription(prefix, execution, subscriber)
if not subscription then return 0 end
local now = now_ms()
local has_ended = subscription.is_ending and subscription.by == ''
if subscription.is_ending and not (has_ended and quiet_until(prefix, lane, subscription, now)) then return 0 end
subscription.is_ending = true
subscription.by = by
subscription.muted, subscription.hours = '', '' -- its end is shown at once
if request ~= '' then subscription.request = request end
write_subscription(prefix, execution, subscriber, subscription)
drop_changes(prefix, lane)
if notice ~= '' and has_card(prefix, execution, subscriber) then queue(prefix, lane, notice) end
if ruled == '1' then pass(prefix, lane, now) end
wake(prefix, lane, now, now)
return 1

-- Write the quiet hours of its person into a subscription, and have it delivered when they say so.
-- KEYS: partition prefix
-- hours: as in its row, or '' for none
-- Returns 1, or 0 when it has them already, or there is no such subscription
local prefix, lane, hours = KEYS[1], unpack(ARGV)
local execution, subscriber = split_lane(lane)
local subscription = read_subscription(prefix, execution, subscriber)
if not subscription or subscription.hours == hours then return 0 end
local now = now_ms()
local before = quiet_until(prefix, lane, subscription, now)
local begins, ends = string.match(subscription.hours, '^(%d+)%-(%d+)')
if hours == '' and begins and tonumber(ends) <= now then return 0 end -- they are over anyway
if hours == '' and begins and tonumber(begins) <= now then
  hours = string.format('%s-%d', begins, now) -- what waits has been late since then
end
subscription.hours = hours
write_subscription(prefix, execution, subscriber, subscription)
local quiet = quiet_until(prefix, lane, subscription, now)
if quiet == before or read_claim(prefix, lane) then return 1 end
-- Somebody waits for the first card of what they follow by hand: it is posted in any case.
if subscription.own ~= '-' and not has_card(prefix, execution, subscriber) then return 1 end
if not scheduled(prefix, lane) and redis.call('LLEN', prefix .. 'changes:' .. lane) == 0 then return 1 end
if not quiet then
  schedule(prefix, lane, now)
elseif quiet < math.huge then
  schedule(prefix, lane, quiet)
else
  unschedule(prefix, lane)
end
return 1

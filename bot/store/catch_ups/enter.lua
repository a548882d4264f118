-- Add an end to the catch-up message about all that waited for the same end of quiet; a second time says how it is.
-- KEYS: partition prefix
-- lane, subscription, text: of the message: lane, row, header and snapshot; field: stands for the end; item: the end, JSON;
-- rest: ms without another end until the message is due; most: ms since its first end until it is due in any case
-- Returns {'waits', ms until the message is due, why Slack has refused it or ''}, {'posted', channel, ts}, or {'own'}:
-- the message is without this end
local prefix, lane, subscription, text, field, item, rest, most = KEYS[1], unpack(ARGV)
local execution, subscriber = split_lane(lane)
local caught, now = caught_of(prefix, lane), now_ms()
local state, one, two = read_state(prefix, lane)
local is_in = redis.call('HEXISTS', caught, field) == 1
local has_lane = redis.call('HEXISTS', prefix .. 'subs:' .. execution, subscriber) == 1
if state == 'posted' and is_in then return {'posted', one, two} end
if state == 'posted' or state == 'own' then return {'own'} end
if state == 'closed' and not (is_in and has_lane) then return {'own'} end
local claim = read_claim(prefix, lane)
if state ~= 'closed' then
  local first = tonumber(one) or now
  redis.call('HSETNX', caught, field, item)
  redis.call('HSET', caught, STATE, string.format('open|%d', first))
  if not has_lane then
    redis.call('SET', prefix .. 'snap:' .. execution, text)
    local row = parse_subscription(subscription)
    row.created = string.format('%d', now)
    write_subscription(prefix, execution, subscriber, row)
  end
  if not claim then schedule(prefix, lane, math.min(now + rest, first + most)) end
end
local code = state == 'closed' and one or ''
if claim and claim.ends > now then return {'waits', 0, code} end
return {'waits', math.max(0, (scheduled(prefix, lane) or now) - now), code}

-- Have a card edited, if the store holds what GCS showed a moment ago, or something newer; else have it polled now.
-- KEYS: partition prefix
-- state, counts: fingerprints of what GCS showed; seen: ms when it answered
-- Returns 'edited', 'polled' (ask again in a moment), or nil when there is no such subscription
local prefix, lane, state, counts, seen = KEYS[1], unpack(ARGV)
local execution, subscriber = split_lane(lane)
if redis.call('HEXISTS', prefix .. 'subs:' .. execution, subscriber) == 0 then return nil end
local now, header = now_ms(), read_header(prefix, execution)
local is_same = header_field(header, 'state') == state and header_field(header, 'counts') == counts
local seen_before = tonumber(header_field(header, 'seen')) or 0
if header == '' or not is_same and seen_before <= tonumber(seen) then
  if not redis.call('HGET', prefix .. 'leases', execution) then expedite(prefix, execution, now) end
  return 'polled'
end
if is_same and seen_before < tonumber(seen) then write_header_field(prefix, execution, 'seen', seen) end
request_edit(prefix, execution, subscriber)
wake(prefix, lane, now, now)
return 'edited'

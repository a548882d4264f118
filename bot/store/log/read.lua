-- The log of an execution for some of its subscribers: what was seen, and what became of it for them alone.
-- KEYS: partition prefix
-- execution; then subscriber ids
-- Returns now in ms; header and snapshot, or ''; the rows; then per subscriber {subscription's row or '', receipt or '',
-- when it is delivered next in ms or '', 1 where the outcome of its last send is unknown (else 0), until when it is quiet:
-- ms, 'end' or ''}
local prefix, execution = KEYS[1], unpack(ARGV, 1, 1)
local FIRST_SUBSCRIBER = 2
local now, asked, rows, lanes = now_ms(), {}, {}, {}
for i = FIRST_SUBSCRIBER, #ARGV do asked[ARGV[i]] = true end
for _, row in ipairs(redis.call('LRANGE', log_of(prefix, execution), 0, -1)) do
  local whose = logged_subscriber(row)
  if not whose or asked[whose] then rows[#rows + 1] = row end
end
for i = FIRST_SUBSCRIBER, #ARGV do
  local subscriber = ARGV[i]
  local lane = execution .. '/' .. subscriber
  local row = redis.call('HGET', prefix .. 'subs:' .. execution, subscriber) or ''
  local claim = read_claim(prefix, lane)
  local in_doubt = claim and (claim.doubt > 0 or claim.ends <= now)
  local quiet = quiet_until(prefix, lane, parse_subscription(row), now)
  lanes[#lanes + 1] = {
    row,
    redis.call('HGET', prefix .. 'receipts:' .. execution, subscriber) or '',
    scheduled(prefix, lane) or '',
    in_doubt and 1 or 0,
    quiet == math.huge and 'end' or quiet or '',
  }
end
return {now, redis.call('GET', prefix .. 'snap:' .. execution) or '', rows, unpack(lanes)}

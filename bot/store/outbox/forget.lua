-- Forget a subscription after its last delivery, and the execution with its last subscription.
-- KEYS: partition prefix
-- reason: why its destination is dead, or ''; letters: how many dead letters are kept; keep_ms: for how long; ruled: '1'
-- if rules of the subscriber may find the execution yet, which must not have it followed again; so is one that a rule found
-- Returns 1, or 0 when the claim is lost, or something has happened to the lane since (then it stays claimed)
-- A lane with a dead destination goes even if it is not ending, and leaves a dead letter in its place.
local prefix, lane, token, reason, letters, keep_ms, ruled = KEYS[1], unpack(ARGV)
local claim = read_claim(prefix, lane)
if not claim or claim.token ~= token then return 0 end
local execution, subscriber = split_lane(lane)
local entries = prefix .. 'changes:' .. lane
local subscription = read_subscription(prefix, execution, subscriber)
if reason ~= '' then
  local letter = {at = now_ms(), lane = lane, reason = reason, undelivered = redis.call('LLEN', entries)}
  letter.owner = subscription and subscription.owner or ''
  local last = redis.call('LINDEX', entries, -1)
  letter.last = last and select(3, parse_change(last)) or ''
  -- What restores it (`resurrect.lua`).
  local function hex(byte) return string.format('%02x', string.byte(byte)) end
  letter.subscription = redis.call('HGET', prefix .. 'subs:' .. execution, subscriber) or ''
  letter.receipt = redis.call('HGET', prefix .. 'receipts:' .. execution, subscriber) or ''
  letter.snapshot = string.gsub(redis.call('GET', prefix .. 'snap:' .. execution) or '', '.', hex)
  letter.doubt = claim.doubt
  if letter.undelivered > 0 then letter.entries = redis.call('LRANGE', entries, 0, -1) end
  redis.call('LPUSH', prefix .. 'dead', cjson.encode(letter))
  redis.call('LTRIM', prefix .. 'dead', 0, letters - 1)
  redis.call('PEXPIRE', prefix .. 'dead', keep_ms)
else
  -- Somebody subscribed again, and that may have ended again since, with another farewell that is not delivered yet.
  if claim.is_again or redis.call('LLEN', entries) > 0 then return 0 end
  if subscription and not subscription.is_ending then return 0 end
end
local shown = parse_receipt(redis.call('HGET', prefix .. 'receipts:' .. execution, subscriber) or '')
if reason ~= '' then note_following(prefix, execution, subscriber, subscription, nil, reason) end
if shown then note(prefix, execution, string.format('k%s|%s|%s', subscriber, shown.channel, shown.ts)) end
redis.call('HDEL', prefix .. 'subs:' .. execution, subscriber)
redis.call('HDEL', prefix .. 'receipts:' .. execution, subscriber)
redis.call('HDEL', prefix .. 'claims', lane)
unschedule(prefix, lane)
redis.call('DEL', entries)
if ruled == '1' or (subscription and subscription.own ~= '') then pass(prefix, lane, now_ms()) end
if redis.call('HLEN', prefix .. 'subs:' .. execution) == 0 then forget_execution(prefix, execution) end
return 1

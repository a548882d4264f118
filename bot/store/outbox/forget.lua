-- Forget a subscription whose last word is told, and the execution with its last subscription.
-- KEYS 1 partition prefix
-- ARGV 1 lane, 2 token, 3 why its destination is dead, or '', 4 dead letters that are kept, 5 ms for which they are
-- Returns 1, or 0 when the claim is lost, or something has happened to the lane meanwhile (then it stays claimed)
-- A lane with a dead destination goes even if it is not ending, and leaves a dead letter in its place.
local prefix, lane, token, reason = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local claim = redis.call('HGET', prefix .. 'claims', lane)
local holder, again = string.match(claim or '', '^(.-)|%d+|%d+|(%d)|%d+$')
if holder ~= token then return 0 end
local execution, subscriber = string.match(lane, '^(.*)/([^/]+)$')
local subs, entries = prefix .. 'subs:' .. execution, prefix .. 'changes:' .. lane
local subscription = redis.call('HGET', subs, subscriber)
if reason ~= '' then
  local letter = {at = server_time(), lane = lane, reason = reason, undelivered = redis.call('LLEN', entries)}
  letter.owner = string.match(subscription or '', '^%w+|([^|]*)') or ''
  letter.last = string.match(redis.call('LINDEX', entries, -1) or '', '^%d+|(.*)$') or ''
  redis.call('LPUSH', prefix .. 'dead', cjson.encode(letter))
  redis.call('LTRIM', prefix .. 'dead', 0, ARGV[4] - 1)
  redis.call('PEXPIRE', prefix .. 'dead', ARGV[5])
else
  -- Somebody subscribed again, and it may have ended again since: with another last word, which is still to be told.
  if again == '1' or redis.call('LLEN', entries) > 0 then return 0 end
  if subscription and string.sub(subscription, -2) ~= '|e' then return 0 end
end
redis.call('HDEL', subs, subscriber)
redis.call('HDEL', prefix .. 'receipts:' .. execution, subscriber)
redis.call('HDEL', prefix .. 'claims', lane)
redis.call('ZREM', prefix .. 'outbox', lane)
redis.call('DEL', entries)
if redis.call('HLEN', subs) == 0 then
  redis.call('DEL', prefix .. 'snap:' .. execution)
  redis.call('ZREM', prefix .. 'due', execution)
  redis.call('ZREM', prefix .. 'expedited', execution)
  redis.call('HDEL', prefix .. 'leases', execution)
end
return 1

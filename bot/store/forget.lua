-- Forget a subscription whose last word is told, and the execution with its last subscription.
-- KEYS 1 partition prefix; ARGV 1 lane, 2 token, 3 '1' to forget it even if it is not ending (its destination is dead)
-- Returns 1, or 0 when the claim is lost, or something has happened to the lane meanwhile (then it stays claimed)
local prefix, lane, token = KEYS[1], ARGV[1], ARGV[2]
local claim = redis.call('HGET', prefix .. 'claims', lane)
local holder, again = string.match(claim or '', '^(.-)|%d+|%d+|(%d)|%d+$')
if holder ~= token then return 0 end
local execution, subscriber = string.match(lane, '^(.*)/([^/]+)$')
local subs = prefix .. 'subs:' .. execution
local subscription = redis.call('HGET', subs, subscriber)
if ARGV[3] ~= '1' then
  -- Somebody subscribed again, and it may have ended again since: with another last word, which is still to be told.
  if again == '1' or redis.call('LLEN', prefix .. 'changes:' .. lane) > 0 then return 0 end
  if subscription and string.sub(subscription, -2) ~= '|e' then return 0 end
end
redis.call('HDEL', subs, subscriber)
redis.call('HDEL', prefix .. 'receipts:' .. execution, subscriber)
redis.call('HDEL', prefix .. 'claims', lane)
redis.call('ZREM', prefix .. 'outbox', lane)
redis.call('DEL', prefix .. 'changes:' .. lane)
if redis.call('HLEN', subs) == 0 then
  redis.call('DEL', prefix .. 'snap:' .. execution)
  redis.call('ZREM', prefix .. 'due', execution)
  redis.call('HDEL', prefix .. 'leases', execution)
end
return 1

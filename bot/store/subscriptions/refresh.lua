-- Have one subscription's card drawn anew, and its execution looked at now.
-- KEYS 1 partition prefix; ARGV 1 lane
-- Returns 1, or 0 when there is no such subscription
local prefix, lane = KEYS[1], ARGV[1]
local execution, subscriber = string.match(lane, '^(.*)/([^/]+)$')
if redis.call('HEXISTS', prefix .. 'subs:' .. execution, subscriber) == 0 then return 0 end
local now = server_time()
if not redis.call('HGET', prefix .. 'leases', execution) then expedite(prefix, execution, now) end
local receipt = redis.call('HGET', prefix .. 'receipts:' .. execution, subscriber)
if receipt then
  redis.call('HSET', prefix .. 'receipts:' .. execution, subscriber, asking_for_edit(receipt))
end
wake(prefix, lane, now, now)
return 1

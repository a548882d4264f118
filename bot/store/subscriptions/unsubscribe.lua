-- End a subscription at its subscriber's wish: nothing more is told, the card is edited once more, then it is forgotten.
-- KEYS 1 partition prefix; ARGV 1 lane
-- Returns 1, or 0 when there was none
local prefix, lane = KEYS[1], ARGV[1]
local execution, subscriber = string.match(lane, '^(.*)/([^/]+)$')
local subs = prefix .. 'subs:' .. execution
local subscription = redis.call('HGET', subs, subscriber)
if not subscription or string.sub(subscription, -2) == '|e' then return 0 end
redis.call('HSET', subs, subscriber, subscription .. '|e')
redis.call('DEL', prefix .. 'changes:' .. lane)
local now = server_time()
wake(prefix, lane, now, now)
return 1

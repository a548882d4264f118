-- Enter an execution into the index of a subscriber.
-- KEYS: index
-- subscribed_at: ms
local execution_id, subscribed_at = unpack(ARGV)
redis.call('ZADD', KEYS[1], subscribed_at, execution_id)
return 1

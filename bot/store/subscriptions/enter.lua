-- Enter an execution into the index of a subscriber, for good or while it is being subscribed to.
-- KEYS: index
-- subscribed_at: ms; most: entries that there may be while it is being subscribed to, '' for good
-- Returns 1, or 0 when there are so many already
local execution_id, subscribed_at, most = unpack(ARGV)
local score = subscribed_at
if most ~= '' then
  local is_new = not redis.call('ZSCORE', KEYS[1], execution_id)
  if is_new and redis.call('ZCARD', KEYS[1]) >= tonumber(most) then return 0 end
  score = -now_ms()
end
redis.call('ZADD', KEYS[1], score, execution_id)
return 1

-- Enter an execution into the index of a subscriber, for good or while it is being subscribed to.
-- KEYS: index
-- subscribed_at: ms; most: entries that there may be while it is being subscribed to, '' for good; by_rule: '1' for one
-- that only a rule has made: it does not count, and changes no entry that exists
-- Returns 1, or 0 when there are so many already
-- The score of an entry that a rule has made ends with a half.
local execution_id, subscribed_at, most, by_rule = unpack(ARGV)
if by_rule == '1' then
  redis.call('ZADD', KEYS[1], 'NX', subscribed_at + 0.5, execution_id)
  return 1
end
local function is_by_rule(score)
  return score % 1 ~= 0
end
local score = subscribed_at
if most ~= '' then
  local before = redis.call('ZSCORE', KEYS[1], execution_id)
  if not before or is_by_rule(tonumber(before)) then
    local entries, count = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES'), 0
    for i = 2, #entries, 2 do
      if not is_by_rule(tonumber(entries[i])) then count = count + 1 end
    end
    if count >= tonumber(most) then return 0 end
  end
  score = -now_ms()
end
redis.call('ZADD', KEYS[1], score, execution_id)
return 1

-- Have the rules of a subscriber leave their places for an execution.
-- KEYS: home of an account's rules
-- Returns how many did
local subscriber, execution_id = unpack(ARGV)
local begin, left = subscriber .. '/', 0
for _, field in ipairs(redis.call('HKEYS', KEYS[1] .. 'rows')) do
  if string.sub(field, 1, #begin) == begin then
    left = left + redis.call('ZREM', KEYS[1] .. 'of:' .. field, execution_id)
  end
end
return left

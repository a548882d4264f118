-- Take over what a dead predecessor had claimed. Only for a store that belongs to one bot: elsewhere leases do it.
-- KEYS 1 partition prefix; ARGV 1 ms to leave to a send that may still be under way
-- Returns how many claims were taken over
local prefix = KEYS[1]
local now = server_time()
local count = 0
for _, execution in ipairs(redis.call('HKEYS', prefix .. 'leases')) do
  redis.call('HDEL', prefix .. 'leases', execution)
  redis.call('ZADD', prefix .. 'due', 'XX', now, execution)
  redis.call('ZADD', prefix .. 'expedited', 'XX', now, execution)
  count = count + 1
end
local claims = redis.call('HGETALL', prefix .. 'claims')
for i = 1, #claims, 2 do
  local token, claimed, ends, again, doubt = string.match(claims[i + 1], '^(.-)|(%d+)|(%d+)|(%d)|(%d+)$')
  if ends ~= '0' then -- one that was put back keeps its time
    redis.call('HSET', prefix .. 'claims', claims[i], token .. '|' .. claimed .. '|0|' .. again .. '|' .. doubt)
    redis.call('ZADD', prefix .. 'outbox', math.max(now, claimed + tonumber(ARGV[1])), claims[i])
    count = count + 1
  end
end
return count

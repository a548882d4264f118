-- Give back what a claim took whose answer was lost: nobody heard of it, so nothing was done on it.
-- KEYS 1 partition prefix; ARGV 1 token of that claim
-- Returns how many executions and lanes it was
local prefix, lost = KEYS[1], ARGV[1]
local now = server_time()
local count = 0
local leases = redis.call('HGETALL', prefix .. 'leases')
for i = 1, #leases, 2 do
  if leases[i + 1] == lost then
    expedite(prefix, leases[i], now)
    redis.call('HDEL', prefix .. 'leases', leases[i])
    count = count + 1
  end
end
local claims = redis.call('HGETALL', prefix .. 'claims')
for i = 1, #claims, 2 do
  local token, _, ends, again, doubt = string.match(claims[i + 1], '^(.-)|(%d+)|(%d+)|(%d)|(%d+)$')
  if token == lost and ends ~= '0' then
    redis.call('ZADD', prefix .. 'outbox', score(prefix, claims[i], now), claims[i])
    if doubt == '0' then
      redis.call('HDEL', prefix .. 'claims', claims[i])
    else -- an earlier worker's doubt stays
      redis.call('HSET', prefix .. 'claims', claims[i], token .. '|' .. doubt .. '|0|' .. again .. '|' .. doubt)
    end
    count = count + 1
  end
end
return count

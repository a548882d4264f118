-- Give back everything that a claim took whose reply was lost: nobody received it, so nothing was done on it.
-- KEYS: partition prefix
-- lost: token of that claim
-- Returns how many executions and lanes were given back
local prefix, lost = KEYS[1], unpack(ARGV)
local now = now_ms()
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
  local lane, claim = claims[i], parse_claim(claims[i + 1])
  if claim and claim.token == lost and claim.ends ~= 0 then
    schedule(prefix, lane, now)
    if claim.doubt == 0 then
      redis.call('HDEL', prefix .. 'claims', lane)
    else -- an earlier worker's doubt stays
      claim.claimed, claim.ends = claim.doubt, 0
      write_claim(prefix, lane, claim)
    end
    count = count + 1
  end
end
return count

-- Take over what a dead predecessor had claimed. Only for a store that belongs to one bot: elsewhere leases do it.
-- KEYS: partition prefixes
-- in_flight: ms to leave to a send that may still be under way
-- Returns for each partition how many claims were taken over
local in_flight = unpack(ARGV)
local now = now_ms()
local answer = {}
for i, prefix in ipairs(KEYS) do
  answer[i] = 0
  for _, execution in ipairs(redis.call('HKEYS', prefix .. 'leases')) do
    redis.call('HDEL', prefix .. 'leases', execution)
    reschedule(prefix, execution, now)
    answer[i] = answer[i] + 1
  end
  local claims = redis.call('HGETALL', prefix .. 'claims')
  for j = 1, #claims, 2 do
    local lane, claim = claims[j], parse_claim(claims[j + 1])
    if claim and claim.ends ~= 0 then -- one that was put back keeps its time
      claim.ends = 0
      write_claim(prefix, lane, claim)
      schedule(prefix, lane, math.max(now, claim.claimed + in_flight))
      answer[i] = answer[i] + 1
    end
  end
end
return answer

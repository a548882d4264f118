-- Claim executions that are due: move each behind a lease and hand it out with its snapshot.
-- KEYS 1 partition prefix; ARGV 1 how many, 2 lease ms, 3 token, 4 ms after which what is overdue goes ahead of news now
-- Returns now ms, then per execution: key, ms since it was due or shown as new, header and snapshot
-- A claim on news stays news: should whoever has it die, it goes ahead of the others again when the lease ends.
local prefix, limit, lease, token = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local now = server_time()
local answer, claimed = {now}, 0
local function claim(zset, till)
  local ready = redis.call('ZRANGEBYSCORE', prefix .. zset, '-inf', till, 'WITHSCORES', 'LIMIT', 0, limit - claimed)
  for i = 1, #ready, 2 do
    local execution = ready[i]
    local due, snapshot = redis.call('ZSCORE', prefix .. 'due', execution), redis.call('GET', prefix .. 'snap:' .. execution)
    if due and snapshot then
      redis.call('ZADD', prefix .. 'due', now + lease, execution)
      redis.call('ZADD', prefix .. 'expedited', 'XX', now + lease, execution)
      redis.call('HSET', prefix .. 'leases', execution, token)
      answer[#answer + 1] = execution
      answer[#answer + 1] = math.max(now - due, zset == 'expedited' and (now - ready[i + 1]) % DAY or 0)
      answer[#answer + 1] = snapshot
      claimed = claimed + 1
    else
      redis.call('ZREM', prefix .. 'due', execution)
      redis.call('ZREM', prefix .. 'expedited', execution)
    end
  end
end
claim('due', now - tonumber(ARGV[4]))
claim('expedited', now)
claim('due', now)
return answer

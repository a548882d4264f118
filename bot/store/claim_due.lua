-- Claim executions that are due: move each behind a lease and hand it out with its snapshot.
-- KEYS 1 partition prefix; ARGV 1 how many, 2 lease ms, 3 token
-- Returns now ms, then per execution: key, lateness ms, header and snapshot
local prefix, limit, lease, token = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local now = server_time()
local answer = {now}
local due = redis.call('ZRANGEBYSCORE', prefix .. 'due', '-inf', now, 'WITHSCORES', 'LIMIT', 0, limit)
for i = 1, #due, 2 do
  local snapshot = redis.call('GET', prefix .. 'snap:' .. due[i])
  if snapshot then
    redis.call('ZADD', prefix .. 'due', now + lease, due[i])
    redis.call('HSET', prefix .. 'leases', due[i], token)
    answer[#answer + 1] = due[i]
    local late = now - tonumber(due[i + 1])
    answer[#answer + 1] = late % DAY
    answer[#answer + 1] = snapshot
  else
    redis.call('ZREM', prefix .. 'due', due[i])
  end
end
return answer

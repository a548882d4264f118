-- Claim executions that are due: move each behind a lease and hand it out with its snapshot.
-- KEYS 1 partition prefix; ARGV 1 how many, 2 lease ms, 3 token, 4 ms after which what is overdue goes ahead of news
-- Returns now ms, then per execution: key, lateness ms, header and snapshot
-- A claim on news stays news: should whoever has it die, it goes ahead of the others again when the lease ends.
local prefix, limit, lease, token = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local now = server_time()
local answer, claimed = {now}, 0
local function claim(zset, till)
  local due = redis.call('ZRANGEBYSCORE', prefix .. zset, '-inf', till, 'WITHSCORES', 'LIMIT', 0, limit - claimed)
  for i = 1, #due, 2 do
    local snapshot = redis.call('GET', prefix .. 'snap:' .. due[i])
    if snapshot then
      redis.call('ZADD', prefix .. 'due', now + lease, due[i])
      redis.call('ZADD', prefix .. 'news', 'XX', now + lease, due[i])
      redis.call('HSET', prefix .. 'leases', due[i], token)
      answer[#answer + 1] = due[i]
      local late = now - due[i + 1]
      answer[#answer + 1] = zset == 'news' and late % DAY or late
      answer[#answer + 1] = snapshot
      claimed = claimed + 1
    else
      redis.call('ZREM', prefix .. 'due', due[i])
      redis.call('ZREM', prefix .. 'news', due[i])
    end
  end
end
claim('due', now - tonumber(ARGV[4]))
claim('news', now)
claim('due', now)
return answer

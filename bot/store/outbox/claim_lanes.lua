-- Claim lanes of the outbox: each goes to one worker, together with everything it needs to tell.
-- KEYS 1 partition prefix; ARGV 1 how many, 2 lease ms, 3 token, 4 most changes per lane
-- Returns now ms, then per lane: lane, doubt ms (0: none), subscription, receipt, snapshot, count, entries…
-- A claim that outlived its lease means that its worker died between sending and recording: the lane is in doubt.
local prefix, limit, lease, token, most = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local now = server_time()
local answer = {now}
for _, lane in ipairs(redis.call('ZRANGEBYSCORE', prefix .. 'outbox', '-inf', now, 'LIMIT', 0, limit)) do
  local execution, subscriber = string.match(lane, '^(.*)/([^/]+)$')
  local claim = redis.call('HGET', prefix .. 'claims', lane)
  local _, claimed, ends, _, doubt = string.match(claim or '', '^(.-)|(%d+)|(%d+)|(%d)|(%d+)$')
  if ends and tonumber(ends) > now then
    redis.call('ZADD', prefix .. 'outbox', ends, lane)
  else
    local subscription = redis.call('HGET', prefix .. 'subs:' .. execution, subscriber)
    local snapshot = redis.call('GET', prefix .. 'snap:' .. execution)
    if subscription and snapshot then
      local since = 0
      if claimed then since = tonumber(doubt) > 0 and tonumber(doubt) or tonumber(claimed) end
      redis.call('ZADD', prefix .. 'outbox', now + lease, lane)
      redis.call('HSET', prefix .. 'claims', lane, token .. '|' .. now .. '|' .. (now + lease) .. '|0|' .. since)
      local entries = redis.call('LRANGE', prefix .. 'changes:' .. lane, 0, most - 1)
      local receipt = redis.call('HGET', prefix .. 'receipts:' .. execution, subscriber)
      for _, value in ipairs({lane, since, subscription, receipt or '', snapshot, #entries}) do
        answer[#answer + 1] = value
      end
      for _, entry in ipairs(entries) do answer[#answer + 1] = entry end
    else
      redis.call('ZREM', prefix .. 'outbox', lane)
      redis.call('HDEL', prefix .. 'claims', lane)
      redis.call('DEL', prefix .. 'changes:' .. lane)
    end
  end
end
return answer

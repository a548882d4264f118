-- Remember how long steps of a workflow took: a running mean, in which the last fifty count most.
-- KEYS 1 durations of the workflow (hash: step → `count|mean ms`); ARGV 1 ms to keep it, then per step: name, ms
for i = 2, #ARGV, 2 do
  local row = redis.call('HGET', KEYS[1], ARGV[i])
  if row or redis.call('HLEN', KEYS[1]) < 500 then
    local count, mean = string.match(row or '0|0', '^(%d+)|(%d+)$')
    count = math.min(tonumber(count) + 1, 50)
    mean = tonumber(mean) + (tonumber(ARGV[i + 1]) - tonumber(mean)) / count
    redis.call('HSET', KEYS[1], ARGV[i], string.format('%d|%d', count, mean))
  end
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1

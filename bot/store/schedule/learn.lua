-- Remember how long steps of a workflow took: a running mean, in which the last fifty count most.
-- KEYS: durations of the workflow
-- keep_ms: how long they are kept; then per step: name, ms
local keep_ms = unpack(ARGV, 1, 1)
for i = 2, #ARGV, 2 do
  local step, took = unpack(ARGV, i, i + 1)
  local row = redis.call('HGET', KEYS[1], step)
  if row or redis.call('HLEN', KEYS[1]) < 500 then
    local count, mean = string.match(row or '0|0', '^(%d+)|(%d+)$')
    count, mean = math.min((count or 0) + 1, 50), mean or 0
    redis.call('HSET', KEYS[1], step, string.format('%d|%d', count, mean + (took - mean) / count))
  end
end
redis.call('PEXPIRE', KEYS[1], keep_ms)
return 1

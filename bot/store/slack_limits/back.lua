-- Slack answers again: whoever stayed away may come, slowly at first.
-- KEYS 1 prefix of a workspace's limits; ARGV 1 µs of slow start
redis.call('DEL', KEYS[1] .. 'away', KEYS[1] .. 'probe')
if redis.call('EXISTS', KEYS[1] .. 'pause:*') == 1 then
  local clock = redis.call('TIME')
  local now = string.format('%.0f', clock[1] * 1000000 + clock[2])
  redis.call('SET', KEYS[1] .. 'pause:*', now, 'PX', math.ceil(ARGV[1] / 1000))
end
return 1

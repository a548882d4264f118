-- Slack answers again: calls that were paused may go out, slowly at first.
-- KEYS: prefix of a workspace's limits
-- slow_start: µs
local prefix, slow_start = KEYS[1], unpack(ARGV)
redis.call('DEL', prefix .. 'away', prefix .. 'probe')
if pause_ends(prefix, '*') > 0 then
  local now = now_us()
  pause_until(prefix, '*', now, now, slow_start)
end
return 1

-- Slack did not answer: all calls pause for as long again as it has not been answering.
-- KEYS: prefix of a workspace's limits
-- shortest, longest: pause in µs; slow_start: µs
-- Returns ms to pause; one failure alone pauses nothing
local prefix, shortest, longest, slow_start = KEYS[1], unpack(ARGV)
local now = now_us()
local since = redis.call('GET', prefix .. 'away') or string.format('%.0f', now)
redis.call('SET', prefix .. 'away', since, 'PX', math.ceil(2 * longest / 1000))
redis.call('DEL', prefix .. 'probe')
local pause = math.min(now - since, longest)
if pause < tonumber(shortest) then return 0 end
pause_until(prefix, '*', now + pause, now, slow_start)
return math.ceil(pause / 1000)

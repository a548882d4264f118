-- Slack did not answer: everybody stays away for as long again as it has not been answering.
-- KEYS 1 prefix of a workspace's limits; ARGV 1 shortest pause in µs, 2 longest, 3 µs of slow start
-- Returns ms to stay away; one failure alone keeps nobody away
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local since = redis.call('GET', KEYS[1] .. 'away') or string.format('%.0f', now)
redis.call('SET', KEYS[1] .. 'away', since, 'PX', math.ceil(2 * ARGV[2] / 1000))
redis.call('DEL', KEYS[1] .. 'probe')
local pause = math.min(now - since, tonumber(ARGV[2]))
if pause < tonumber(ARGV[1]) then return 0 end
local ends = string.format('%.0f', now + pause)
redis.call('SET', KEYS[1] .. 'pause:*', ends, 'PX', math.ceil((pause + ARGV[3]) / 1000))
return math.ceil(pause / 1000)

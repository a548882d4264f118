-- Nobody calls for a while, whatever is waiting.
-- KEYS 1 prefix of a workspace's limits; ARGV 1 method or '*', 2 µs, 3 µs of slow start
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local pause_until = KEYS[1] .. 'pause:' .. ARGV[1]
local ends = math.max(tonumber(redis.call('GET', pause_until) or '0'), now + ARGV[2])
redis.call('SET', pause_until, string.format('%.0f', ends), 'PX', math.ceil((ends - now + ARGV[3]) / 1000))
return 1

-- How long a method is still to be left alone because Slack said so.
-- KEYS 1 prefix of a workspace's limits; ARGV 1 method
-- Returns ms
local clock = redis.call('TIME')
local ends = tonumber(redis.call('GET', KEYS[1] .. 'pause:' .. ARGV[1]) or '0')
return math.max(0, math.ceil((ends - clock[1] * 1000000 - clock[2]) / 1000))

-- How long a method is still paused because Slack said so.
-- KEYS: prefix of a workspace's limits
-- Returns ms
local prefix, method = KEYS[1], unpack(ARGV)
return math.max(0, math.ceil((pause_ends(prefix, method) - now_us()) / 1000))

-- The last snapshot of an execution, and the store's time, since a copy's own clock may be wrong.
-- KEYS: partition prefix
-- Returns {ms since 1970, header and snapshot or '' when there is none}
local prefix, execution = KEYS[1], unpack(ARGV)
return {now_ms(), redis.call('GET', prefix .. 'snap:' .. execution) or ''}
